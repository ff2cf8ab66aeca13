"""`Result.totals` of many design points."""

import numpy as np
import pandas as pd

from hwsim.points import Points
from hwsim.pricing import Pricing
from hwsim.result import CATEGORIES, TOTALS, edp_js, latency_s, tops, tops_per_w


def totals(pricing: Pricing, points: Points) -> pd.DataFrame:
    """`Result.totals` of each point, and ``error``."""
    prices = pricing.price(points)
    macs, seconds = pricing.workload.macs, latency_s(prices.cycles[:, 0], points.column("clock_mhz"))
    energy_pj = prices.picojoules[:, 0]
    bad = prices.tables.problem > 0
    with np.errstate(divide="ignore", invalid="ignore"):  # of infeasible points
        columns = (
            prices.cycles[:, 0], seconds, energy_pj, prices.tables.area_um2, edp_js(energy_pj, seconds),
            tops(macs, seconds), tops_per_w(macs, energy_pj), prices.cycles[:, 1], prices.picojoules[:, 1],
            np.full(len(points), macs), np.where(prices.tables.verified, "rtl", "model only"),
            *prices.picojoules[:, -len(CATEGORIES) :].T,
        )  # fmt: skip
    frame = pd.DataFrame(dict(zip(TOTALS, columns, strict=True)))
    if bad.any():
        frame = frame.mask(np.broadcast_to(bad[:, None], frame.shape))
    messages = np.array(["", *map(str, prices.tables.problems)])
    frame["error"] = messages[prices.tables.problem]
    return frame
