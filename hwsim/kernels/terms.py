"""Terms of codes, from tables that tell those of each code."""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from hwsim.kernels._jit import jit

WORD_ENTRIES = 16
"""A table of so many entries below 4 fits a word of 32 bits, one of entries below 16 a word of 64."""


@jit()
def packed(tables):
    """uint64[C], each of uint8[C, E] ``tables`` in one word, and bits per entry: 2, 4, or 0 if one does not fit."""
    words = np.zeros(len(tables), dtype=np.uint64)
    if tables.shape[1] > WORD_ENTRIES or tables.max() > 15:
        return words, 0
    bits = 2 if tables.max() < 4 else 4
    for table in range(len(tables)):
        for entry in range(tables.shape[1]):
            words[table] |= np.uint64(tables[table, entry]) << np.uint64(bits * entry)
    return words, bits


@jit()
def count(codes, tables, words, bits, select, group_size, width, out):
    """Terms of a row's ``codes`` [K]: those of group g from ``out[g * width]`` on.

    ``select`` [1|G] is each group's table, ``words`` of ``bits`` the tables `packed`. A shift is done for many codes
    at once, the more the shorter the word; a look-up is not.
    """
    step = min(select.size - 1, 1)
    if step == 0 and width == group_size:  # one table, and no gaps
        group_size = width = codes.size
    for group in range((codes.size + group_size - 1) // group_size):
        start = group * group_size
        chosen = codes[start : min(start + group_size, codes.size)]
        place = out[group * width : group * width + chosen.size]
        table = select[group * step]
        if bits == 2:
            _by_short_shift(chosen, np.uint32(words[table]), place)
        elif bits == 4:
            _by_shift(chosen, words[table], place)
        else:
            _by_look_up(chosen, tables[table], place)


@intrinsic
def _two_bits(context, word, code):
    """Bits ``2 * code`` and ``2 * code + 1`` of uint32 ``word``, in 32 bits; Numba's own shifts take 64."""

    def build(_context, builder, _signature, arguments):
        wide = ir.IntType(32)
        place = builder.shl(builder.zext(arguments[1], wide), wide(1))
        entry = builder.and_(builder.lshr(arguments[0], place), wide(3))
        return builder.trunc(entry, ir.IntType(8))

    return types.uint8(types.uint32, types.uint8), build


@jit()
def _by_short_shift(codes, word, out):
    for i in range(out.size):
        out[i] = _two_bits(word, np.uint8(codes[i]))


@jit()
def _by_shift(codes, word, out):
    for i in range(out.size):
        out[i] = (word >> (np.uint64(codes[i]) << np.uint64(2))) & np.uint64(15)


@jit()
def _by_look_up(codes, table, out):
    for i in range(out.size):
        out[i] = table[codes[i]]


@jit()
def total(words):
    """Sum of the bytes of uint64[W] ``words``, eight at a time."""
    every_second = np.uint64(0x00FF00FF00FF00FF)
    result = np.uint64(0)
    for i in range(words.size):
        pairs = (words[i] & every_second) + (words[i] >> np.uint64(8) & every_second)
        result += pairs * np.uint64(0x0001000100010001) >> np.uint64(48)
    return np.int64(result)
