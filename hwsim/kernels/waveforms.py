"""Walking the value changes of a VCD dump."""

import numpy as np

from hwsim.kernels._jit import jit

UNKNOWN = 2
"""Value of a bit that is x or z."""

ACCEPTED, TRUNCATED, UNKNOWN_IDENTIFIER, BAD_CHARACTER = 0, 1, 2, 3


@jit()
def _find(codes: np.ndarray, code: int) -> int:
    """Index of ``code`` in the increasing ``codes``, or -1."""
    low, high = 0, codes.size
    while low < high:
        middle = (low + high) // 2
        if codes[middle] < code:
            low = middle + 1
        else:
            high = middle
    return low if low < codes.size and codes[low] == code else -1


@jit()
def _bit(character: int) -> int:
    if character == 48:
        return 0
    if character == 49:
        return 1
    return UNKNOWN if character in (120, 88, 122, 90) else -1


@jit()
def _change(
    signal, value, time, value_of, since, time_high, halves, sink_start, sink_cell, sink_bit, state, state_since,
    state_start, state_time,
):  # fmt: skip
    """Bit ``signal`` becomes ``value``: its counts, and the states of the cells at its net."""
    before = value_of[signal]
    if before == value:
        return
    if before == 1:
        time_high[signal] += time - since[signal]
    since[signal] = time
    value_of[signal] = value
    if before >= 0:  # the first value is no transition
        halves[signal] += 1 if before == UNKNOWN or value == UNKNOWN else 2
    if (before == 1) == (value == 1):
        return
    for k in range(sink_start[signal], sink_start[signal + 1]):
        cell = sink_cell[k]
        state_time[state_start[cell] + state[cell]] += time - state_since[cell]
        state_since[cell] = time
        state[cell] ^= sink_bit[k]


@jit()
def walk(text, codes, bit_start, sink_start, sink_cell, sink_bit, initial, state_start, halves, time_high, state_time):
    """Reads the value changes in ``text`` (uint8) of the variables ``codes`` (increasing int64).

    Variable v has the bits bit_start[v, 0]:bit_start[v, 1], most significant first; a bit that becomes high
    flips sink_bit[k] in the state of cell sink_cell[k] for k in sink_start[bit]:sink_start[bit + 1], from
    ``initial`` states. Fills half toggles per bit (two per change between 0 and 1, one to or from x), time high
    per bit, and time per state of cell c at state_start[c]. Returns (status, position, first time, last time).
    """
    bits, cells = halves.size, initial.size
    value_of = np.full(bits, -1, np.int8)
    since = np.zeros(bits, np.int64)
    state, state_since = initial.copy(), np.zeros(cells, np.int64)
    first = last = np.int64(-1)
    position, size = 0, text.size
    while True:
        while position < size and text[position] <= 32:
            position += 1
        if position >= size:
            break
        start = position
        while position < size and text[position] > 32:
            position += 1
        head = text[start]
        if head == 35:  # '#': time
            time = np.int64(0)
            for p in range(start + 1, position):
                digit = np.int64(text[p]) - 48
                if digit < 0 or digit > 9:
                    return BAD_CHARACTER, start, first, last
                time = time * 10 + digit
            if first < 0:
                first = time
                since[:] = time
                state_since[:] = time
            if time < last:
                return BAD_CHARACTER, start, first, last
            last = time
            continue
        if head == 36:  # '$': $dumpvars, $end, $comment ...
            if position - start == 8 and text[start + 1] == 99:  # $comment
                while position < size and not (
                    text[position] == 36 and position + 3 < size and text[position + 1] == 101
                    and text[position + 2] == 110 and text[position + 3] == 100
                ):  # fmt: skip
                    position += 1
                position += 4
            continue
        vector = head in (98, 66)  # 'b'
        real = head in (114, 82, 115, 83)  # 'r', 's'
        value_start, value_stop = start + 1, position
        name = start + 1
        if vector or real:
            while position < size and text[position] <= 32:
                position += 1
            name = position
            while position < size and text[position] > 32:
                position += 1
            if name == position:
                return TRUNCATED, start, first, last
        elif _bit(head) < 0:
            return BAD_CHARACTER, start, first, last
        elif name == position:
            return TRUNCATED, start, first, last
        if real:
            continue
        code, scale = np.int64(0), np.int64(1)
        for p in range(name, position):
            code += (np.int64(text[p]) - 32) * scale
            scale *= 95
        variable = _find(codes, code)
        if variable < 0:
            continue
        now = max(last, np.int64(0))
        low, high = bit_start[variable, 0], bit_start[variable, 1]
        if not vector:
            value_start, value_stop = start, start + 1
        given = value_stop - value_start
        extra = (high - low) - given
        fill = _bit(text[value_start])
        if fill == 1:
            fill = 0
        for k in range(low, high):
            p = k - low - extra
            value = fill if p < 0 else _bit(text[value_start + p])
            if value < 0:
                return BAD_CHARACTER, start, first, last
            _change(k, value, now, value_of, since, time_high, halves, sink_start, sink_cell, sink_bit, state,
                    state_since, state_start, state_time)  # fmt: skip
    for k in range(bits):
        if value_of[k] == 1:
            time_high[k] += last - since[k]
        if value_of[k] < 0:
            halves[k] = -1
    for cell in range(cells):
        state_time[state_start[cell] + state[cell]] += last - state_since[cell]
    return ACCEPTED, position, first, last
