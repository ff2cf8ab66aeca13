"""What a distribution of symbols costs at least, and with a Huffman code."""

import heapq

import numpy as np

from hwsim.qtensor import QTensor


def entropy(probabilities: np.ndarray) -> float:
    """Bits per symbol, ``-sum p log2 p``; probabilities (or counts) are normalised."""
    p = np.asarray(probabilities, dtype=np.float64)
    p = p[p > 0] / p.sum()
    return float(-(p * np.log2(p)).sum())


def huffman_length(probabilities: np.ndarray) -> float:
    """Mean bits per symbol of a Huffman code of single symbols: never below 1 for two and more."""
    p = np.asarray(probabilities, dtype=np.float64)
    heap = sorted((p[p > 0] / p.sum()).tolist())
    length = 0.0
    while len(heap) > 1:
        merged = heapq.heappop(heap) + heapq.heappop(heap)
        length += merged
        heapq.heappush(heap, merged)
    return length


def code_entropy(q: QTensor) -> float:
    """Entropy of the codes of ``q``, in bits per stored code."""
    return entropy(np.bincount(q.codes.reshape(-1)))
