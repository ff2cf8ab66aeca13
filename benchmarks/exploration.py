"""Design points per second of a sweep."""

from collections.abc import Iterator

import hwsim
from benchmarks.measurement import Measurement, seconds
from hwsim import digits

SPACE = {
    "datapath.name": ["mac", "bit_serial"],
    "datapath.lanes": [4, 8, 16],
    "datapath.skip": ["none", "zero"],
    "array.rows": [8, 16, 32],
    "array.cols": [8, 16, 32],
    "clock_mhz": [250.0, 500.0],
}


def measure() -> Iterator[Measurement]:
    """A sweep of the int8 digits CNN, weight statistics known from an earlier one."""
    network = digits.load("cnn_int8")
    points = len(hwsim.Space(SPACE).designs())
    sweep_s = seconds(lambda: hwsim.sweep(network, SPACE), repeats=3)
    one_s = seconds(lambda: hwsim.run(network, hwsim.Design(), digits.held_out(network)[0]), repeats=3)
    yield Measurement(
        name="sweep", value=points / sweep_s, unit="design points/s", baseline="running the held-out images once",
        ratio=one_s / (sweep_s / points), note=f"cnn_int8, {points} points; all layers, energy and area included",
    )  # fmt: skip
