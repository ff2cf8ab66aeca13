"""Into how many groups the inputs of a layer are split, so that each fits the rows of an array."""

from hwsim.errors import FormatError


def splits(inputs: int, rows: int) -> int:
    """The fewest equal groups of at most ``rows`` inputs: ``ceil(inputs / rows)``, raised until it divides.

    FormatError naming sizes that work if only groups smaller than half of the rows would do.
    """
    if inputs < 1 or rows < 1:
        raise FormatError(f"{inputs} inputs on {rows} rows: both must be positive")
    groups = -(-inputs // rows)
    while inputs % groups:
        groups += 1
    if 2 * (inputs // groups) < min(rows, inputs):
        raise FormatError(
            f"{inputs} inputs cannot be split evenly for {rows} rows: the largest group that divides them is "
            f"{inputs // groups}; sizes that work: {sizes_that_split(inputs, inputs)}"
        )
    return groups


def sizes_that_split(inputs: int, rows: int) -> str:
    """The sizes of equal groups of at most ``rows`` inputs, the largest first, in words."""
    sizes = [size for size in range(min(inputs, rows), 0, -1) if inputs % size == 0]
    return ", ".join(map(str, sizes[:6])) + (" or less" if len(sizes) > 6 else "")
