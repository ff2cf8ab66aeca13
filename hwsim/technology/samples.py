"""What was measured on gates, stimulus by stimulus: from these samples energy rows are fitted."""

import csv
import dataclasses
import gzip
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from hwsim.errors import TechnologyError
from hwsim.files import write_atomically
from hwsim.technology.rows import Parameters, Range, cell, pairs

SAMPLES = "samples.csv.gz"
"""The file of a technology's folder that holds them."""
FAMILY = "datapath"
"""Parameter of parts that are alike in all datapaths: their energy depends on what they are wired to."""
ENERGY_ONLY = frozenset({"rows", "row_lanes"})
"""Parameters that tell on energy alone: of parts that wait for all rows, or whose row adds up its lanes."""
SIZES = {"operand_register": "register_bits"}
"""Parts that differ in size only, and the parameter that tells it: a feature of their energy and area."""


def identity(component: str, parameters: Parameters) -> dict[str, float | str]:
    """Parameters of a part that tell it from others of its component, its size apart."""
    return {name: value for name, value in parameters.items() if name != SIZES.get(component)}


def area_identity(component: str, parameters: Parameters) -> dict[str, float | str]:
    """`identity`, as far as area depends on it."""
    if FAMILY in parameters:
        return {}
    return {name: value for name, value in identity(component, parameters).items() if name not in ENERGY_ONLY}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sample:
    """Energy of all ``count`` actions of one kind during one stimulus.

    Attributes:
        design: the design point, as the grid calls it.
        datapath, dataflow: of its array.
        rtl: hash of its Verilog.
        stimulus: ``network/layer`` of tiles of a network, ``random/name`` of others.
        component, action, parameters: as of the row that it belongs to.
        clocked: whether flip-flops' clocks are in it: an action costs something though no bit changes.
        count: actions.
        pj, zero_delay_pj: their energy with glitches, and without any gate delays.
        features: bits that changed, by feature of the action (`hwsim.datapath.Datapath.toggles`).
    """

    design: str
    datapath: str
    dataflow: str
    rtl: str
    stimulus: str
    component: str
    action: str
    parameters: Parameters
    clocked: bool
    count: int
    pj: float
    zero_delay_pj: float
    features: Mapping[str, float]

    @property
    def network(self) -> str:
        """The network that the stimulus is of; ``random`` if of none."""
        return self.stimulus.partition("/")[0]

    @property
    def point(self) -> tuple:
        """Which row it belongs to."""
        return self.component, self.action, tuple(self.parameters.items())


_TEXTS = ("design", "datapath", "dataflow", "rtl", "stimulus", "component", "action")
_COLUMNS = tuple(field.name for field in dataclasses.fields(Sample))


def read(folder: Path) -> list[Sample]:
    """The samples of a folder; none if there is no such file. TechnologyError naming a line that is wrong."""
    path = folder / SAMPLES
    if not path.exists():
        return []
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        lines = csv.DictReader(file)
        if tuple(lines.fieldnames or ()) != _COLUMNS:
            raise TechnologyError(f"{path}: columns are {lines.fieldnames}, expected {list(_COLUMNS)}")
        return [_sample(line, f"{path} line {number}") for number, line in enumerate(lines, 2)]


def _sample(line: dict[str, str], where: str) -> Sample:
    try:
        parameters = {name: value for name, value in pairs(line["parameters"]).items() if not isinstance(value, Range)}
        return Sample(
            **{name: line[name] for name in _TEXTS}, parameters=parameters, clocked=line["clocked"] == "True",
            count=int(line["count"]),
            pj=float(line["pj"]), zero_delay_pj=float(line["zero_delay_pj"]),
            features={name: float(str(value)) for name, value in pairs(line["features"]).items()},
        )  # fmt: skip
    except (TypeError, ValueError) as error:
        raise TechnologyError(f"{where}: {error}") from None


def write(folder: Path, samples: Iterable[Sample]) -> None:
    """Writes all samples; equal ones make equal files."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows([cell(getattr(sample, column)) for column in _COLUMNS] for sample in samples)
    write_atomically(folder / SAMPLES, gzip.compress(text.getvalue().encode(), mtime=0))


def rounded(value: float) -> float:
    """As many digits as files keep, so that what is read is what was measured."""
    return float(cell(float(value)))


def by_point(samples: Sequence[Sample]) -> dict[tuple, list[Sample]]:
    """Samples by the row that they belong to, in order."""
    found: dict[tuple, list[Sample]] = {}
    for sample in samples:
        found.setdefault(sample.point, []).append(sample)
    return found


def totals(samples: Iterable[Sample]) -> dict[tuple[str, str], float]:
    """pJ of all actions together, by design and stimulus."""
    found: dict[tuple[str, str], float] = {}
    for sample in samples:
        key = sample.design, sample.stimulus
        found[key] = found.get(key, 0.0) + sample.pj
    return found
