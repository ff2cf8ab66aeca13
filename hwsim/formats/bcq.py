"""Binary coding quantization (LUT-GEMM): a sum of signs, each plane with its own scale."""

import numpy as np

from hwsim.codebook import Codebook
from hwsim.formats._bcq import encode
from hwsim.formats._format import Format
from hwsim.formats._nearest import check_group_size, ones, rows
from hwsim.formats._scales import check_number, stored
from hwsim.kernels import binary_coding
from hwsim.qtensor import QTensor


def quantize(
    w: np.ndarray, *, bits: int = 4, group_size: int | None = 128, pad: bool = False, rounds: int = 15,
    scale_kind: str = "fp32",
) -> QTensor:  # fmt: skip
    """``w = sum_i a_i * b_i`` over 1..4 planes b = +-1, with weights a per group; bit i of a code is plane i.

    Greedy: a_i = mean|r|, b_i = sign(r) with sign(0) = +1, r less a_i b_i. Then up to ``rounds`` alternations of least
    squares for a (planes that are linearly dependent keep theirs) and the nearest of the 2**bits
    levels for b. ``rounds=0`` with 2 bits is BinaryDM's multi-basis (Zheng et al., arXiv 2404.05662).
    A multiply-accumulate is, per plane, an addition or subtraction, or 1/mu of a reading of a table of the 2**mu signed
    sums of mu activations. Source: LUT-GEMM, Park et al., arXiv 2206.09557.
    """
    check_number("bcq: bits", bits, 1, 4, whole=True)
    check_number("bcq: rounds", rounds, 0, 1000, whole=True)
    flat = rows(w)
    size = check_group_size(flat.shape[1], group_size, pad)
    codes = np.empty(flat.shape, np.uint8)
    weights = np.empty((bits, len(flat), -(-flat.shape[1] // size)))
    binary_coding.fit(flat, size, rounds, weights, codes)
    stored(np.abs(weights).sum(axis=0), scale_kind)  # the largest level fits as well
    q = QTensor(
        format="bcq", shape=w.shape, codes=codes, codebook=Codebook.of(np.zeros(1), bits), group_size=size,
        scale=np.ones((1, 1), np.float32), scale_kind=scale_kind, channel_scale=ones(len(flat)),
        plane_weights=stored(weights, scale_kind),
    )  # fmt: skip
    return encode(w, q) if rounds else q


FORMATS = (
    Format(
        name="bcq", quantize=quantize, encode=encode, alphabet="sums of +-a_i, 2**bits per group",
        mac="per plane an addition or subtraction, or a reading of a table of signed sums",
        typical={"scale_kind": "fp16"},
        greedy="scales by greedy residuals and alternating least squares, a local optimum: codes are nearest to it, "
        "the error is no more than the greedy one's",
    ),
)  # fmt: skip
