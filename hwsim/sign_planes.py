"""Weights as planes of signs, for hardware that looks up signed sums of activations.

Of a lowered tensor, ``v = (sum_i 2**e_i b_i + constant) / 2**halve`` with b = +-1 and e_0 = 0: two's
complement, for one, is ``(sum_i 2**i b_i - 1) / 2`` once the sign bit is inverted. Or, with scales of their own,
each plane is ``(b_i + constant) / 2**halve`` and has a scale per channel and group.
"""

import dataclasses
import functools
import itertools

import numpy as np

from hwsim.decoding import planes
from hwsim.errors import FormatError
from hwsim.qtensor import QTensor


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class SignPlanes:
    """How the planes of one tensor make up its weights; bit i of a code is the sign of plane i (1: +).

    Attributes:
        bit: of the tensor's own codes, per plane, lowest weight first.
        inverted: of these, which stand for their opposite.
        doubles: mask of the planes above which the sum doubles: e_(i+1) - e_i is bit i.
        constant, halve: see the module.
        scales: int64[planes, 1|N, 1|G], the planes' own scales, group scales applied; None without.
        offset: int64[1|N, 1|G], added to the tensor's own.
    """

    bit: tuple[int, ...]
    inverted: tuple[bool, ...]
    doubles: int
    constant: int
    halve: int
    scales: np.ndarray | None = None
    offset: np.ndarray | None = None

    @property
    def count(self) -> int:
        """Planes."""
        return len(self.bit)

    @property
    def magnitude(self) -> int:
        """Bound of ``|v|`` that holds for any entries of the tables, exact or rounded."""
        weights = [1]
        for i in range(self.count - 1):
            weights.append(weights[-1] << (self.doubles >> i & 1))
        return -(-(sum(weights) + abs(self.constant)) >> self.halve)

    def codes(self, w: QTensor) -> np.ndarray:
        """uint8[N, K]: the signs of ``w``, the tensor that this describes."""
        codes = w.expanded_codes
        if self.bit == tuple(range(self.count)):
            return codes.astype(np.uint8) ^ np.uint8(sum(1 << i for i, each in enumerate(self.inverted) if each))
        result = np.zeros(codes.shape, np.uint8)
        for i, (bit, inverted) in enumerate(zip(self.bit, self.inverted, strict=True)):
            result |= (((codes >> bit) & 1) ^ inverted).astype(np.uint8) << i
        return result


@functools.lru_cache(maxsize=64)
def sign_planes(w: QTensor, own_scales: bool) -> SignPlanes:
    """The sign planes of lowered ``w``, ``own_scales``: with a scale for each plane.

    FormatError says why there are none: no bit planes, plane weights that are no powers of two.
    """
    _, weights, constant = planes(w if w.n == 1 or not w.independent_rows else w.rows(0, 1))
    if w.plane_weights is not None:
        if not own_scales:
            raise FormatError(f"format {w.format!r} has planes with scales of their own")
        zero_one = int(w.plane_alphabet == "01")
        used = tuple(range(len(w.plane_weights)))
        return SignPlanes(
            bit=used, inverted=(False,) * len(used), doubles=0, constant=zero_one, halve=zero_one,
            scales=w.plane_weights.astype(np.int64) * w.scale,
        )  # fmt: skip
    exponent = w.codebook.exponent
    steps = np.ldexp(weights[:, 0, 0], -exponent).astype(np.int64)
    start = int(np.ldexp(constant, -exponent))
    order = [int(i) for i in np.argsort(np.abs(steps), kind="stable") if steps[i]]
    if own_scales:
        return _with_scales(w, order, steps, start)
    return _with_powers(w, order, steps, start)


def _with_powers(w: QTensor, order: list[int], steps: np.ndarray, start: int) -> SignPlanes:
    """Twice a weight is ``sum(step * sign) + sum(step) + 2 * start``; half of that where it is even."""
    doubled = [abs(int(steps[i])) for i in order]
    constant = int(steps.sum()) + 2 * start
    halve = int(any(each % 2 for each in [*doubled, constant]))
    weights = [each if halve else each // 2 for each in doubled]
    constant = constant if halve else constant // 2
    pairs = list(itertools.pairwise(weights))
    if not weights or weights[0] != 1 or any(b not in (a, 2 * a) for a, b in pairs):
        raise FormatError(f"format {w.format!r} has planes of weights {doubled}, not ascending powers of two")
    return SignPlanes(
        bit=tuple(order), inverted=tuple(bool(steps[i] < 0) for i in order),
        doubles=sum(1 << i for i, (a, b) in enumerate(pairs) if b > a), constant=constant, halve=halve,
    )  # fmt: skip


def _with_scales(w: QTensor, order: list[int], steps: np.ndarray, start: int) -> SignPlanes:
    """Signs where no constant is left of them, else bits 0/1 and the constant as an offset."""
    chosen = steps[order]
    scale = w.scale.astype(np.int64)
    signs = not (chosen % 2).any() and int(steps.sum()) + 2 * start == 0
    return SignPlanes(
        bit=tuple(order), inverted=(False,) * len(order), doubles=0, constant=int(not signs), halve=int(not signs),
        scales=chosen[:, None, None] // (2 if signs else 1) * scale, offset=None if signs else scale * start,
    )  # fmt: skip
