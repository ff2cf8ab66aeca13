"""Tables of signed sums of ``mu`` values: which additions build them, in which order.

A *half* table has the sums in which the last value is positive, ``2**(mu-1)`` of them; the
others are their opposites. Entry e of a half table, or of a *full* one of ``2**mu``, adds value j where
bit j of e is 1 and subtracts it where it is 0. Hardware is built from the same list of additions that is
counted here.
"""

import dataclasses
import functools
from typing import Literal, get_args

Order = Literal["naive", "two_level", "shared", "incremental"]
ORDERS: tuple[Order, ...] = get_args(Order)
LARGEST_MU = 8
"""Values per table at most: a table of 256 sums."""


@dataclasses.dataclass(frozen=True)
class Term:
    """``sign * (node << shift)``; nodes 0 .. mu-1 are the values, node mu + i the result of addition i."""

    node: int
    sign: int
    shift: int = 0


@dataclasses.dataclass(frozen=True)
class Build:
    """Additions of two terms each, and the term that each entry of the table is."""

    mu: int
    additions: tuple[tuple[Term, Term], ...]
    entries: tuple[Term, ...]


@functools.cache
def build(mu: int, half: bool, order: Order) -> Build:
    """How the table of ``mu`` values (1..8) is built.

    ``"naive"``: every entry on its own, mu - 1 additions each. ``"two_level"``: the signed sums of the lower
    and of the upper half of the values, then one addition per entry (FIGLUT, arXiv 2503.06862). ``"shared"``: the same
    with the lower sums only up to sign, subtracted where they are negative. ``"incremental"``: the sum that subtracts
    everything, then one addition per entry, ``T[e + 2**j] = T[e] + 2 x_j`` (LUT-GEMM, arXiv 2206.09557): a
    single adder makes it, one addition per cycle.
    """
    builder = _Builder(mu)
    count = 1 << (mu - half)
    values = list(range(mu))
    if order == "naive":
        entries = [builder.chain(values, e | count * half) for e in range(count)]
    elif order == "incremental":
        entries = [builder.chain(values, count * half)]
        for e in range(1, count):
            j = e.bit_length() - 1
            entries.append(builder.add(entries[e - (1 << j)], Term(j, 1, 1)))
    else:
        entries = _two_level(builder, half, shared=order == "shared")
    return Build(mu, tuple(builder.additions), tuple(entries))


def _two_level(builder: "_Builder", half: bool, shared: bool) -> list[Term]:
    low, high = list(range(builder.mu // 2)), list(range(builder.mu // 2, builder.mu))
    if not low:
        return builder.sums(high, half)
    below = builder.sums(low, shared)
    if shared:  # the others are opposites
        below = [dataclasses.replace(term, sign=-term.sign) for term in reversed(below)] + below
    return [builder.add(b, a) for b in builder.sums(high, half) for a in below]


class _Builder:
    def __init__(self, mu: int) -> None:
        self.mu = mu
        self.additions: list[tuple[Term, Term]] = []

    def add(self, a: Term, b: Term) -> Term:
        self.additions.append((a, b))
        return Term(self.mu + len(self.additions) - 1, 1)

    def chain(self, values: list[int], positive: int) -> Term:
        """The sum of ``values``, the j-th positive where bit j of ``positive`` is 1."""
        terms = [Term(value, 1 if positive >> j & 1 else -1) for j, value in enumerate(values)]
        return functools.reduce(self.add, reversed(terms))

    def sums(self, values: list[int], half: bool) -> list[Term]:
        """All signed sums of ``values``; with ``half`` those in which the last is positive."""
        count = 1 << (len(values) - half)
        return [self.chain(values, e | count * half) for e in range(count)]


def additions(mu: int, half: bool, order: Order) -> int:
    """Additions that build one table."""
    return len(build(mu, half, order).additions)
