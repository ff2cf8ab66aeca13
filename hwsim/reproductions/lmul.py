"""L-Mul's published claims, recomputed: errors of the operator and of dot products, accuracy, area and energy.

Source: Luo and Sun, "Addition is All You Need for Energy-efficient Language Models", arXiv 2410.00907.
"""

from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any

import pandas as pd

from hwsim import digits, lmul
from hwsim.datapaths.fp_mac import FpMac
from hwsim.datapaths.lmul import LMul
from hwsim.design import Design
from hwsim.inference import run
from hwsim.progress import track

MANTISSA_BITS = (2, 3, 4, 5, 6, 7, 23)
"""Of the operator's table."""
FORMATS = {2: "e5m2", 3: "e4m3", 4: "e4m4", 5: "e4m5", 6: "e4m6", 7: "bf16"}
"""By mantissa bits: of dot products and networks. Whatever the format, L-Mul's errors are those of its mantissa."""
CLAIMED = {"multiplication": 95.0, "dot product": 80.0}
"""Energy that the paper says L-Mul saves, in percent."""
COSTS = "lmul_costs.csv"
NUMBERS = ("accumulator_bits", "lanes", "area_um2", "energy_pj", "leakage_uw", "delay_ns")
NETWORK = "cnn_fp8"


def operator_errors() -> pd.DataFrame:
    """Columns m, operator, mean, mean magnitude, rms, largest: relative errors over all pairs of mantissas."""
    rows = [
        {"m": m, "operator": operator, **errors}
        for m in MANTISSA_BITS
        for operator, errors in lmul.operator_error(m).items()
    ]
    return pd.DataFrame(rows)


def dot_products() -> pd.DataFrame:
    """Columns m, format, products, rms, gain, without gain: of 256 normal numbers a side; see `dot_product_error`."""
    rows = []
    for m, name in FORMATS.items():
        found = {
            "rounded": lmul.dot_product_error(FpMac(format=name)),
            "L-Mul": lmul.dot_product_error(LMul(format=name)),
            "L-Mul, equation": lmul.dot_product_error(LMul(format=name), form="equation"),
            "Mitchell": lmul.dot_product_error(LMul(format=name, correction="none")),
        }
        rows += [{"m": m, "format": name, "products": kind, **errors} for kind, errors in found.items()]
    return pd.DataFrame(rows)


def network_accuracy(progress: bool = False) -> pd.DataFrame:
    """Columns products, sums, accuracy: of the shipped FP8 network on all held-out images."""
    network = digits.load(NETWORK)
    x, labels = digits.held_out(network)
    gain = lmul.dot_product_error(LMul())["gain"]
    rows: list[tuple[str, str, Any, float]] = [("exact", "exact", None, 1.0)]
    for sums in ("float32", "fixed"):
        for label, datapath, divided in (
            ("rounded", FpMac(accumulation=sums), 1.0),
            ("L-Mul", LMul(accumulation=sums), 1.0),
            ("L-Mul, gain folded", LMul(accumulation=sums), gain),
            ("L-Mul, best correction", LMul(accumulation=sums, correction="best"), 1.0),
            ("Mitchell", LMul(accumulation=sums, correction="none"), 1.0),
        ):
            rows.append((label, sums, datapath, divided))
    found = []
    for label, sums, datapath, divided in track(rows, "digits", progress):
        which = network if divided == 1.0 else lmul.fold_gain(network, divided)
        right = run(which, datapath and Design(datapath=datapath), x).argmax(1) == labels
        found.append({"products": label, "sums": sums, "accuracy": float(right.mean())})
    return pd.DataFrame(found)


def costs() -> pd.DataFrame:
    """The shipped measurements of ``hwsim reproduce lmul-costs``: energy is that of a product, in pJ.

    ``unit``: the multiplier alone, or a PE with its sums and registers.
    """
    with resources.files("hwsim.data").joinpath("reproductions", COSTS).open() as file:
        return pd.read_csv(file, keep_default_na=False)


def savings(frame: pd.DataFrame | None = None) -> pd.DataFrame:
    """Percent that L-Mul saves against the rounding multiplier, per unit, format and accumulation of `costs`."""
    frame = costs() if frame is None else frame
    keys = ["unit", "format", "accumulation"]
    both = frame[frame["datapath"] == "lmul"].merge(
        frame[frame["datapath"] == "fp_mac"], on=keys, suffixes=("", "_fp_mac")
    )
    saved = both[keys].copy()
    for name in ("area_um2", "energy_pj"):
        saved[name], saved[f"{name}_fp_mac"] = both[name], both[f"{name}_fp_mac"]
        saved[f"{name.partition('_')[0]}_saved_percent"] = 100 * (1 - both[name] / both[f"{name}_fp_mac"])
    return saved


def cost_table(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """The file that `costs` reads, of the rows of `rtl.multiplier_costs.measure`."""
    return pd.DataFrame(list(rows)).to_csv(index=False, lineterminator="\n").encode()
