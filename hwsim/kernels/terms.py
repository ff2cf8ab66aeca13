"""Terms of codes, from tables that tell those of each code."""

import numpy as np

from hwsim.kernels._jit import jit

WORD_ENTRIES = 16
"""A table of so many entries below 16 fits a word of 64 bits."""


@jit()
def packed(tables):
    """uint64[C]: each of uint8[C, E] ``tables`` in one word, four bits per entry; [0] where one does not fit."""
    if tables.shape[1] > WORD_ENTRIES or tables.max() > 15:
        return np.empty(0, dtype=np.uint64)
    words = np.zeros(len(tables), dtype=np.uint64)
    for table in range(len(tables)):
        for entry in range(tables.shape[1]):
            words[table] |= np.uint64(tables[table, entry]) << np.uint64(4 * entry)
    return words


@jit()
def count(codes, tables, words, select, group_size, width, out):
    """Terms of a row's ``codes`` [K]: those of group g from ``out[g * width]`` on.

    ``select`` [1|G] is each group's table, ``words`` the tables `packed`.
    """
    step = min(select.size - 1, 1)
    for group in range((codes.size + group_size - 1) // group_size):
        start = group * group_size
        chosen = codes[start : min(start + group_size, codes.size)]
        place = out[group * width : group * width + chosen.size]
        if words.size:
            _by_shift(chosen, words[select[group * step]], place)
        else:
            _by_look_up(chosen, tables[select[group * step]], place)


@jit()
def _by_shift(codes, word, out):
    """A shift is done for many codes at once; a look-up is not."""
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
