"""Beats of a stream as bits: packed by payload layout, written as text for ``$readmemh``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from amaranth.hdl import Shape
from amaranth.lib import data

HEX_DIGITS = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)


def pack(layout: data.StructLayout, fields: Mapping[str, Any]) -> np.ndarray:
    """uint8[beats, bytes], least significant byte first.

    ``fields`` holds, for each field of ``layout`` (others are ignored), an integer array
    [beats, ...] of the field's array shape, or for an array of structs a mapping of them.
    """
    return np.packbits(_bits(layout, fields), axis=1, bitorder="little")


def _bits(layout: Any, value: Any) -> np.ndarray:
    """uint8[beats, width] of 0 and 1, least significant bit first."""
    if isinstance(layout, data.StructLayout):
        return np.concatenate([_bits(field.shape, value[name]) for name, field in layout], axis=1)
    if isinstance(layout, data.ArrayLayout):
        return _array_bits(layout, value)
    width = Shape.cast(layout).width
    little = np.ascontiguousarray(value, dtype="<i8").view(np.uint8).reshape(-1, 8)
    return np.unpackbits(little[:, : -(-width // 8)], axis=1, count=width, bitorder="little")


def _array_bits(layout: data.ArrayLayout, value: Any) -> np.ndarray:
    def flat(array: np.ndarray) -> np.ndarray:
        return array.reshape(-1, *array.shape[2:])

    inner = {name: flat(each) for name, each in value.items()} if isinstance(value, Mapping) else flat(value)
    bits = _bits(layout.elem_shape, inner)
    return bits.reshape(-1, layout.length * bits.shape[1])


def to_hex(packed: np.ndarray, width: int) -> bytes:
    """One line of hexadecimal per beat of ``width`` bits."""
    beats, size = packed.shape
    text = np.empty((beats, 2 * size + 1), dtype=np.uint8)
    text[:, 0:-1:2] = HEX_DIGITS[packed[:, ::-1] >> 4]
    text[:, 1:-1:2] = HEX_DIGITS[packed[:, ::-1] & 15]
    text[:, -1] = ord("\n")
    return text[:, 2 * size - -(-width // 4) :].tobytes()


def to_ints(packed: np.ndarray) -> list[int]:
    """Each beat as one Python integer."""
    return [int.from_bytes(row.tobytes(), "little") for row in packed]


def write_hex(path: Path, packed: np.ndarray, width: int) -> None:
    """Writes `to_hex` to ``path``."""
    path.write_bytes(to_hex(packed, width))
