"""Binary coding quantization (LUT-GEMM): a sum of signs, each plane with its own scale."""

import numpy as np

from hwsim.codebook import Codebook
from hwsim.formats._bcq import CHUNK, encode, grouped, nearest_levels, plane_signs
from hwsim.formats._format import Format
from hwsim.formats._nearest import check_group_size, ones, rows
from hwsim.formats._scales import check_number, stored
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
    sums of mu activations. Source: LUT-GEMM, Park et al., arXiv 2206.09557, section 3.
    """
    check_number("bcq: bits", bits, 1, 4, whole=True)
    check_number("bcq: rounds", rounds, 0, 1000, whole=True)
    flat = rows(w)
    size = check_group_size(flat.shape[1], group_size, pad)
    count = grouped(np.ones((1, flat.shape[1])), size).sum(axis=-1)
    codes = np.empty(flat.shape, np.uint8)
    weights = np.empty((bits, len(flat), count.shape[1]))
    step = max(1, CHUNK // flat.shape[1])
    for low in range(0, len(flat), step):
        part = slice(low, low + step)
        values = grouped(flat[part], size)
        used = np.arange(size) < count[..., None]
        greedy, weights[:, part] = _greedy(values, used, bits)
        weights[:, part] = _refined(values, used, greedy, weights[:, part], rounds)
        codes[part] = greedy.reshape(len(greedy), -1)[:, : flat.shape[1]]
    q = QTensor(
        format="bcq", shape=w.shape, codes=codes, codebook=Codebook.of(np.zeros(1), bits), group_size=size,
        scale=np.ones((1, 1), np.float32), scale_kind=scale_kind, channel_scale=ones(len(flat)),
        plane_weights=stored(weights, scale_kind),
    )  # fmt: skip
    stored(np.abs(weights).sum(axis=0), scale_kind)
    return encode(w, q) if rounds else q


def _greedy(values: np.ndarray, used: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Codes [..., g] and plane weights [planes, ...]."""
    residual = values.copy()
    codes = np.zeros(values.shape, np.uint8)
    weights = np.empty((bits, *values.shape[:-1]))
    for i in range(bits):
        weights[i] = (np.abs(residual) * used).sum(axis=-1) / used.sum(axis=-1)
        positive = residual >= 0
        codes |= positive.astype(np.uint8) << i
        residual -= np.where(positive, weights[i][..., None], -weights[i][..., None])
    return codes, weights


def _refined(
    values: np.ndarray, used: np.ndarray, codes: np.ndarray, weights: np.ndarray, rounds: int
) -> np.ndarray:  # fmt: skip
    """Plane weights after ``rounds`` of least squares and nearest levels."""
    bits = len(weights)
    signs = plane_signs(bits)
    for _ in range(rounds):
        planes = np.moveaxis(signs[:, codes] * used, 0, -2)
        gram = planes @ np.swapaxes(planes, -1, -2)
        solvable = np.linalg.det(gram) > 1e-9 * gram[..., 0, 0] ** bits
        best = np.linalg.solve(np.where(solvable[..., None, None], gram, np.eye(bits)), planes @ values[..., None])
        weights = np.where(solvable, np.moveaxis(best[..., 0], -1, 0), weights)
        before, codes = codes, nearest_levels(values, weights, np.zeros(values.shape[:-1]))
        if (codes == before).all():
            break
    return weights


FORMATS = (
    Format(
        name="bcq", quantize=quantize, encode=encode, alphabet="sums of +-a_i, 2**bits per group",
        mac="per plane an addition or subtraction, or a reading of a table of signed sums",
        typical={"scale_kind": "fp16"},
        greedy="scales by greedy residuals and alternating least squares: a local optimum (codes are nearest to it)",
    ),
)  # fmt: skip
