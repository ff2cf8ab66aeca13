"""Exact integer hardware that several components share."""

from collections.abc import Sequence

from amaranth.hdl import Module, Mux, Signal, Value


def tree_sum(values: Sequence[Value]) -> Value:
    """The exact sum of ``values``, as a balanced tree of adders.

    ``sum()`` would build a chain whose every adder is wider than the one before.
    """
    level = list(values)
    while len(level) > 1:
        pairs = [a + b for a, b in zip(level[::2], level[1::2], strict=False)]
        level = pairs + level[2 * len(pairs) :]
    return level[0]


def overflow(m: Module, value: Value, bits: int, mode: str) -> Value:
    """Signed ``value`` in signed ``bits``: ``"wrap"`` drops the upper bits, ``"saturate"`` clamps."""
    if len(value) <= bits:
        return value
    if mode == "wrap":
        return value[:bits].as_signed()
    # A signal, because an expression used twice becomes hardware twice.
    exact = Signal(value.shape())
    m.d.comb += exact.eq(value)
    upper = exact[bits - 1 :]
    bound = Mux(exact[-1], -(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    return Mux(upper.all() | ~upper.any(), exact[:bits], bound)[:bits].as_signed()
