"""L-Mul as a formula: the offset's correction, the equation form, and how large the errors are.

Source: Luo and Sun, "Addition is All You Need for Energy-efficient Language Models", arXiv 2410.00907.
The hardware's form is `hwsim.LMul`; the equation form, which differs from it, is for software studies only.
"""

import dataclasses
import functools
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from hwsim.errors import FormatError, NetworkError
from hwsim.network import Network, Node
from hwsim.operators import Matmul
from hwsim.requantization import dyadic

if TYPE_CHECKING:
    from hwsim.floating import FloatDatapath
    from hwsim.minifloat import Minifloat

Correction = Literal["paper", "best", "none"]


def paper_shift(mantissa_bits: int) -> int:
    """l(m) of the paper: m up to 3, then 3 for 4, then 4."""
    return mantissa_bits if mantissa_bits <= 3 else 3 if mantissa_bits == 4 else 4


@functools.lru_cache
def correction(mantissa_bits: int, name: Correction) -> int:
    """What is added to the sum of two codes, in units of the last mantissa bit.

    ``"best"`` is the whole number of least root-mean-square relative error over all pairs of mantissas.
    """
    if name == "none":
        return 0
    if name == "paper":
        return (1 << mantissa_bits) >> paper_shift(mantissa_bits)
    if mantissa_bits > 10:
        raise FormatError(f"the best correction of {mantissa_bits} mantissa bits is not known; up to 10")
    fraction = np.arange(1 << mantissa_bits) / (1 << mantissa_bits)
    candidates = range((1 << mantissa_bits) // 8 + 1)
    errors = [np.square(_relative(bit_trick, fraction, c / (1 << mantissa_bits))).mean() for c in candidates]
    return int(np.argmin(errors))


def equation(x: np.ndarray, y: np.ndarray, added: float) -> np.ndarray:
    """``1 + x + y + added`` for fractions x and y of significands: the paper's equation, never renormalized."""
    return 1 + x + y + added


def bit_trick(x: np.ndarray, y: np.ndarray, added: float) -> np.ndarray:
    """What the sum of the codes means: a carry out of the mantissa doubles what is left of it."""
    total = x + y + added
    carry = np.floor(total)
    return np.ldexp(1 + total - carry, carry.astype(np.int64))


def rounded(x: np.ndarray, y: np.ndarray, mantissa_bits: int) -> np.ndarray:
    """The product rounded to ``mantissa_bits``, ties to even."""
    exact = (1 + x) * (1 + y)
    step = np.where(exact >= 2, 2.0, 1.0) / (1 << mantissa_bits)
    return np.rint(exact / step) * step


def _relative(operator: object, fraction: np.ndarray, parameter: float) -> np.ndarray:
    x, y = fraction[:, None], fraction[None, :]
    return operator(x, y, parameter) / ((1 + x) * (1 + y)) - 1  # type: ignore[operator]


def operator_error(mantissa_bits: int, samples: int = 1 << 11) -> dict[str, dict[str, float]]:
    """Relative error of four operators over all pairs of mantissas: mean, mean of magnitudes, rms, largest magnitude.

    Beyond ``samples`` mantissas, that many evenly spaced ones (and the last) stand for all. Operands are exact.
    """
    count = 1 << mantissa_bits
    whole = np.arange(count) if count <= samples else np.unique(np.linspace(0, count - 1, samples).round())
    fraction = whole / count
    added = 2.0 ** -paper_shift(mantissa_bits)
    errors = {
        "equation": _relative(equation, fraction, added),
        "bit trick": _relative(bit_trick, fraction, added),
        "Mitchell": _relative(bit_trick, fraction, 0.0),
        "rounded": _relative(rounded, fraction, mantissa_bits),
    }
    return {
        name: {
            "mean": float(e.mean()), "mean magnitude": float(np.abs(e).mean()),
            "rms": float(np.sqrt(np.square(e).mean())), "largest": float(np.abs(e).max()),
        }
        for name, e in errors.items()
    }  # fmt: skip


def equation_matmul(kind: "Minifloat", x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """float64[M, N]: sums of the paper's equation over codes [M, K] and [N, K], for software studies.

    Products are neither rounded nor bounded; zero and subnormal operands count as 0. The sum of fractions is the sum
    of two products: (1 + x + 2**-l) and y, each times powers of two.
    """
    added = 2.0 ** -paper_shift(kind.mantissa_bits)
    parts = []
    for codes in (x, w):
        values = kind.decode(codes)
        normal = (codes & (kind.sign_bit - 1)) >> kind.mantissa_bits > 0
        power = np.where(normal, np.ldexp(np.sign(values), np.frexp(values)[1] - 1), 0)
        parts.append((power, np.where(normal, values - power, 0)))
    (x_power, x_rest), (w_power, w_rest) = parts
    return (x_power * (1 + added) + x_rest) @ w_power.T + x_power @ w_rest.T


def dot_product_error(
    datapath: "FloatDatapath", k: int = 256, count: int = 4096, seed: int = 0,
    form: Literal["bits", "equation"] = "bits",
) -> dict[str, float]:  # fmt: skip
    """How far ``count`` dot products of ``k`` normal numbers are from exact ones of the same numbers before rounding.

    ``gain`` is the slope through the origin of results over exact ones; ``rms`` the root-mean-square error relative
    to that of the exact results, ``without gain`` after the results are divided by the gain. ``form="equation"`` takes
    `equation_matmul` of the datapath's format instead of the datapath.
    """
    rng = np.random.default_rng(seed)
    side = int(np.ceil(np.sqrt(count)))
    x, y = rng.standard_normal((side, k)), rng.standard_normal((side, k))
    exact = x @ y.T
    codes = [datapath.kind.encode(each, signed_zero=False) for each in (x, y)]
    if form == "equation":
        sums = equation_matmul(datapath.kind, codes[0], codes[1])
    else:
        sums = datapath.sums(codes[0], codes[1]).astype(np.float64)
        if datapath.accumulation == "fixed":
            sums = np.ldexp(sums, datapath.product_exponent)
    power = np.square(exact).sum()
    gain = float((sums * exact).sum() / power)

    def error(values: np.ndarray) -> float:
        return float(np.sqrt(np.square(values - exact).sum() / power))

    return {"rms": error(sums), "gain": gain, "without gain": error(sums / gain)}


def fold_gain(network: Network, gain: float) -> Network:
    """``network`` for a datapath whose sums are ``gain`` times too large: biases times it, ratios divided by it.

    NetworkError if a bias leaves 32 bits.
    """
    return dataclasses.replace(network, nodes=tuple(_folded(node, gain) for node in network.nodes))


def _folded(node: Node, gain: float) -> Node:
    if not isinstance(node.operator, Matmul):
        return node
    quantizer = node.operator.quantizer
    bias = np.rint(quantizer.bias * gain)
    if np.abs(bias).max(initial=0) >= 1 << 31:
        raise NetworkError(f"node {node.name!r}: a bias times {gain} leaves 32 bits")
    changed: dict[str, Any] = {"bias": bias.astype(np.int32)}
    if not quantizer.threshold:
        ratio = np.ldexp(quantizer.multiplier.astype(np.float64), -quantizer.shift.astype(int)) / gain
        changed["multiplier"], changed["shift"] = dyadic(ratio)
    return dataclasses.replace(
        node, operator=dataclasses.replace(node.operator, quantizer=dataclasses.replace(quantizer, **changed))
    )
