"""Floating-point products and sums, number by number: with fractions, and NumPy's own float32."""

import math
from fractions import Fraction

import numpy as np


def value(kind, code):
    """What a code means."""
    return Fraction(float(kind.values[code]))


def lmul(kind, a, b, added, division=0):
    """Code of L-Mul's product of two codes: ``added`` is the correction in last mantissa bits."""
    m, sign = kind.mantissa_bits, 1 << (kind.bits - 1)
    x, y = a % sign, b % sign
    if x >> m == 0 or y >> m == 0:
        return 0
    total = x + y - (kind.bias << m) - (division << m) + added
    if total >> m <= 0:
        return 0
    return min(total, kind.max_code) + (sign if (a >= sign) != (b >= sign) else 0)


def rounded(kind, a, b, division=0):
    """Code of the correctly rounded product: the nearest of all values, the even code of two."""
    exact = value(kind, a) * value(kind, b) / 2**division
    sign = 1 << (kind.bits - 1)
    magnitudes = [value(kind, code) for code in range(kind.max_code + 1)]
    nearest = min(range(len(magnitudes)), key=lambda c: (abs(magnitudes[c] - abs(exact)), c % 2))
    return nearest + (sign if exact < 0 and nearest else 0)


def float32_sum(products, lanes):
    """The stated order: a balanced tree over each ``lanes`` products, then the accumulator; float32 throughout."""
    total = np.float32(0)
    for low in range(0, len(products), lanes):
        level = [np.float32(p) for p in products[low : low + lanes]]
        level += [np.float32(0)] * (lanes - len(level))
        while len(level) > 1:
            pairs = [level[i] + level[i + 1] for i in range(0, len(level) - 1, 2)]
            level = pairs + level[2 * len(pairs) :]
        total = total + level[0]
    return total


def matmul(datapath, x, codes, w, division):
    """Fractions [M, N]: float32 sums in the stated order, or exact ones in units of the smallest positive value."""
    kind, added = datapath.kind, getattr(datapath, "offset", None)
    correction = 0 if added is None else (kind.bias << kind.mantissa_bits) - added()
    multiply = {}

    def product(a, b):
        if (a, b) not in multiply:
            code = rounded(kind, a, b, division) if added is None else lmul(kind, a, b, correction, division)
            multiply[a, b] = value(kind, code)
        return multiply[a, b]

    result = []
    for row in x.tolist():
        result.append([])
        for n, column in enumerate(codes.tolist()):
            products = [product(a, b) for a, b in zip(row, column, strict=True)]
            groups = [products[k : k + w.group_size] for k in range(0, len(products), w.group_size)]
            if datapath.accumulation == "fixed":
                total = sum(int(w.scale[n, g]) * sum(each) for g, each in enumerate(groups))
                result[-1].append(Fraction(total) / Fraction(2) ** datapath.product_exponent)
            else:
                whole = [p + [Fraction(0)] * (-len(p) % datapath.lanes) for p in groups]
                flat = [float(p) for each in whole for p in each]
                result[-1].append(Fraction(float(float32_sum(flat, datapath.lanes))))
    return np.array(result)


def integer(total, exponent):
    """``total * 2**exponent`` rounded, ties up, saturated to 32 bits."""
    rounded_up = math.floor(total * Fraction(2) ** exponent + Fraction(1, 2))
    return min(max(rounded_up, -(1 << 31)), (1 << 31) - 1)
