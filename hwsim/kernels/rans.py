"""rANS streams: symbol i belongs to stream i modulo the number of streams."""

import numba
import numpy as np

from hwsim.kernels._jit import jit


@jit(parallel=True)
def encode(symbols, frequency, start, bits, lower, states, lengths, out):
    """Bytes of each stream into ``out`` uint8[K, C], in the order they are pushed; the last is read first.

    ``states`` uint64[K] and ``lengths`` int64[K] are set.
    """
    streams = len(states)
    for stream in numba.prange(streams):
        x = np.uint64(lower)
        size = 0
        limit = np.uint64((lower >> bits) << 8)
        for back in range((len(symbols) - stream + streams - 1) // streams):
            i = stream + streams * ((len(symbols) - stream + streams - 1) // streams - 1 - back)
            f = np.uint64(frequency[symbols[i]])
            while x >= limit * f:
                out[stream, size] = x & np.uint64(255)
                size += 1
                x = x >> np.uint64(8)
            quotient = x // f
            x = (quotient << np.uint64(bits)) + (x - quotient * f) + np.uint64(start[symbols[i]])
        states[stream] = x
        lengths[stream] = size


@jit(parallel=True)
def decode(payload, first, lengths, states, slots, frequency, start, bits, lower, symbols, left):
    """Into ``symbols`` what `encode` took; ``left`` int64[K] is -1 for a stream that ran dry, else its unread bytes.

    Stream k is ``payload[first[k] : first[k] + lengths[k]]``. A final state other than ``lower`` also gives -1.
    """
    streams = len(states)
    mask = np.uint64((1 << bits) - 1)
    for stream in numba.prange(streams):
        x = np.uint64(states[stream])
        position = lengths[stream]
        for i in range(stream, len(symbols), streams):
            slot = x & mask
            symbol = slots[slot]
            symbols[i] = symbol
            x = np.uint64(frequency[symbol]) * (x >> np.uint64(bits)) + slot - np.uint64(start[symbol])
            while x < np.uint64(lower) and position > 0:
                position -= 1
                x = (x << np.uint64(8)) | np.uint64(payload[first[stream] + position])
        left[stream] = position if x == np.uint64(lower) else -1
