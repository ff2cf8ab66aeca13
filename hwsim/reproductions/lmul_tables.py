"""L-Mul's figures as tables, each with its title."""

import pandas as pd

from hwsim.reporting.tables import Table
from hwsim.reproductions.lmul import CLAIMED

CLAIM = (
    f"The paper claims {CLAIMED['multiplication']:g} % of a multiplication's energy and "
    f"{CLAIMED['dot product']:g} % of a dot product's, from operations of a published table: fp16 multiply 1.1 pJ "
    "against int16 add 0.05 pJ; fp32 multiply-add 4.6 pJ against int32 and fp32 add 1.0 pJ. It leaves out that zeros, "
    "subnormal numbers and products out of range must be handled, that an 8-bit multiplier is small, and registers, "
    "clock and memories."
)


def operator_errors(frame: pd.DataFrame) -> tuple[Table, str]:
    """Of `lmul.operator_errors`."""
    rows = [
        (str(m), operator, f"{mean:+.3f}", f"{magnitude:.3f}", f"{rms:.3f}", f"{largest:.3f}")
        for m, operator, mean, magnitude, rms, largest in frame.itertuples(index=False)
    ]
    heads = ("m", "Operator", "Mean", "Mean magnitude", "rms", "Largest")
    return Table(heads, rows, frozenset({0, 2, 3, 4, 5})), "Relative error of products, all pairs of m bits"


def dot_products(frame: pd.DataFrame) -> tuple[Table, str]:
    """Of `lmul.dot_products`."""
    rows = [
        (str(m), name, products, f"{rms:.4f}", f"{gain:.4f}", f"{without:.4f}")
        for m, name, products, rms, gain, without in frame.itertuples(index=False)
    ]
    heads = ("m", "Format", "Products", "rms error", "Gain", "rms error, gain divided out")
    return Table(heads, rows, frozenset({0, 3, 4, 5})), "Relative error of dot products of 256 normal numbers"


def network_accuracy(frame: pd.DataFrame) -> tuple[Table, str]:
    """Of `lmul.network_accuracy`."""
    rows = [(each.products, each.sums, f"{100 * each.accuracy:.2f} %") for each in frame.itertuples()]
    return Table(("Products", "Sums", "Accuracy"), rows, frozenset({2})), "Digits, FP8 (e4m3) network"


def savings(frame: pd.DataFrame) -> tuple[Table, str]:
    """Of `lmul.savings`."""
    rows = [
        (
            each.unit, each.format, each.accumulation or "-", f"{each.area_um2_fp_mac:.0f}", f"{each.area_um2:.0f}",
            f"{each.area_saved_percent:.0f} %", f"{each.energy_pj_fp_mac:.3f}", f"{each.energy_pj:.3f}",
            f"{each.energy_saved_percent:.0f} %",
        )
        for each in frame.itertuples()
    ]  # fmt: skip
    heads = (
        "Unit", "Format", "Sums", "Rounding, um2", "L-Mul, um2", "Area saved", "Rounding, pJ", "L-Mul, pJ",
        "Energy saved",
    )  # fmt: skip
    return Table(heads, rows, frozenset(range(3, 9))), "L-Mul against the rounding multiplier, own synthesis"
