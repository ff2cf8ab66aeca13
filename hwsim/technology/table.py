"""A technology: its energy reference table (ERT), area reference table (ART), and look-up."""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TypeVar

import yaml

from hwsim.errors import TechnologyError, nearest
from hwsim.files import parse_yaml
from hwsim.technology.rows import CONDITIONS, AreaRow, EnergyRow, Parameters, Row, read_area, read_energy

R = TypeVar("R", bound=Row)


@dataclasses.dataclass(frozen=True)
class Energy:
    """Energy of one action of one part: pJ = ``e0_pj + sum(coefficients[f] * feature[f])``."""

    e0_pj: float
    coefficients: Mapping[str, float]
    row: EnergyRow

    def per_action_pj(self, features: Mapping[str, float]) -> float:
        """Picojoules of one action with the given features."""
        return self.e0_pj + sum(value * features[name] for name, value in self.coefficients.items())


@dataclasses.dataclass(frozen=True)
class Area:
    """Area, leakage and critical path of one part."""

    area_um2: float
    leakage_uw: float
    critical_path_ns: float | None
    row: AreaRow


class Technology:
    """The rows of one folder of tables; ``conditions`` say what all suppose (library, glitches, clock, wires)."""

    def __init__(
        self,
        name: str,
        energy_rows: Sequence[EnergyRow],
        area_rows: Sequence[AreaRow],
        conditions: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.conditions = dict(conditions or {})
        self.energy_rows = tuple(energy_rows)
        self.area_rows = tuple(area_rows)
        self._energy_index: dict[tuple[str, str], list[EnergyRow]] = {}
        for energy_row in energy_rows:
            self._energy_index.setdefault((energy_row.component, energy_row.action), []).append(energy_row)
        self._area_index: dict[str, list[AreaRow]] = {}
        for area_row in area_rows:
            self._area_index.setdefault(area_row.component, []).append(area_row)

    def energy(self, component: str, action: str, parameters: Parameters, features: Sequence[str] = ()) -> Energy:
        """Energy of ``action``; coefficients of component parameters are already applied.

        TechnologyError if no row fits, naming the command that would measure one.
        """
        row = self._match(self._energy_index.get((component, action), []), f"{component} {action}", parameters)
        fixed, left = _apply(row, parameters, features, f"{self.name}: {component} {action}")
        return Energy(row.e0_pj + fixed, left, row)

    def area(self, component: str, parameters: Parameters) -> Area:
        """Area, leakage and critical path of one part; TechnologyError if no row fits."""
        row = self._match(self._area_index.get(component, []), component, parameters)
        fixed, _ = _apply(row, parameters, (), f"{self.name}: {component}")
        area_um2 = row.area_um2 + fixed
        return Area(area_um2, row.leakage_uw + row.leakage_uw_per_um2 * area_um2, row.critical_path_ns, row)

    def _match(self, rows: Sequence[R], what: str, parameters: Parameters) -> R:
        fitting = [row for row in rows if row.holds(parameters)]
        if fitting:
            return max(fitting, key=lambda row: (row.exact, len(row.parameters)))
        given = " ".join(f"{key}={value}" for key, value in parameters.items())
        component = what.split()[0]
        if component == "dram":
            types = sorted({str(row.parameters["type"]) for row in rows})
            raise TechnologyError(f"technology {self.name!r}: {nearest(str(parameters['type']), types)}")
        raise TechnologyError(
            f"technology {self.name!r} has no row for {what} {given}; measure it: "
            f"hwsim characterize DESIGN --liberty FILE --node NM --out FOLDER"
        )

    @functools.lru_cache(maxsize=1024)  # noqa: B019 - technologies are few and live as long as the process
    def sram(self, size_bytes: float, word_bits: float) -> "SramFigures":
        """Energy per access, area and leakage of an SRAM, log-log interpolated between the points of the table.

        TechnologyError outside the table's range: nothing is extrapolated.
        """
        points = {(row.number("size_bytes"), row.number("word_bits")): row for row in self._area_index.get("sram", [])}
        reads, writes = self._sram_energy("read"), self._sram_energy("write")

        def at(value: Callable[[tuple[float, float]], float]) -> float:
            return _log_interpolate({point: value(point) for point in points}, size_bytes, word_bits, self.name)

        return SramFigures(
            read_pj=at(lambda point: reads[point]),
            write_pj=at(lambda point: writes[point]),
            area_um2=at(lambda point: points[point].area_um2),
            leakage_uw=at(lambda point: points[point].leakage_uw),
            row=next(iter(points.values())),
        )

    def _sram_energy(self, action: str) -> dict[tuple[float, float], float]:
        return {
            (row.number("size_bytes"), row.number("word_bits")): row.e0_pj
            for row in self._energy_index.get(("sram", action), [])
        }


@dataclasses.dataclass(frozen=True)
class SramFigures:
    """One SRAM bank: energy per access, area, leakage."""

    read_pj: float
    write_pj: float
    area_um2: float
    leakage_uw: float
    row: AreaRow


def _apply(row: Row, parameters: Parameters, features: Sequence[str], where: str) -> tuple[float, dict[str, float]]:
    """Sum of the coefficients of known parameters, and the coefficients left for features."""
    fixed, left = 0.0, dict[str, float]()
    for product, coefficient in row.coefficients.items():
        names = product.split("*")
        unknown = [name for name in names if name not in features and name not in parameters]
        if unknown:
            raise TechnologyError(f"{where}: coefficient {unknown[0]!r} is neither a feature nor a parameter")
        chosen = [name for name in names if name in features]
        if len(chosen) > 1:
            raise TechnologyError(f"{where}: coefficient {product!r} is a product of two features")
        value = coefficient * math.prod(float(parameters[name]) for name in names if name not in features)
        if chosen:
            left[chosen[0]] = left.get(chosen[0], 0.0) + value
        else:
            fixed += value
    return fixed, left


def _log_interpolate(points: Mapping[tuple[float, float], float], size: float, word: float, name: str) -> float:
    """Bilinear in the logarithms of size, word width and value."""
    sizes, words = sorted({p[0] for p in points}), sorted({p[1] for p in points})
    if not points or not (sizes[0] <= size <= sizes[-1] and words[0] <= word <= words[-1]):
        limits = f"{sizes[0]:g}..{sizes[-1]:g} bytes, {words[0]:g}..{words[-1]:g} bits" if points else "none"
        raise TechnologyError(
            f"technology {name!r} has no SRAM bank of {size:g} bytes x {word:g} bits (its table covers {limits})"
        )
    (s0, s1, fs), (w0, w1, fw) = _bracket(sizes, size), _bracket(words, word)
    low = (1 - fw) * math.log(points[s0, w0]) + fw * math.log(points[s0, w1])
    high = (1 - fw) * math.log(points[s1, w0]) + fw * math.log(points[s1, w1])
    return math.exp((1 - fs) * low + fs * high)


def _bracket(grid: Sequence[float], value: float) -> tuple[float, float, float]:
    """Neighbours of ``value`` in ``grid`` and its logarithmic position between them."""
    high = next(i for i, point in enumerate(grid) if value <= point)
    low = max(high - 1, 0)
    if high == low:
        return grid[0], grid[0], 0.0
    fraction = math.log(value / grid[low]) / math.log(grid[high] / grid[low])
    return grid[low], grid[high], fraction


def available() -> list[str]:
    """Names of the technologies that ship with the package."""
    folder = resources.files("hwsim.data") / "technology"
    return sorted(entry.name for entry in folder.iterdir() if entry.is_dir())


def folder(name: str) -> Path:
    """Where the technology called ``name`` is, or (with a ``/``) the folder of that path.

    TechnologyError with the nearest name if there is none.
    """
    if "/" in name:
        place = Path(name)
        if not (place / "energy.csv").is_file() or not (place / "area.csv").is_file():
            raise TechnologyError(f"technology {name!r}: the folder has no energy.csv and area.csv")
        return place
    if name not in available():
        raise TechnologyError(f"unknown technology {name!r}; {nearest(name, available())}")
    return Path(str(resources.files("hwsim.data") / "technology" / name))


@functools.cache
def load(name: str) -> Technology:
    """The technology called ``name``, or in the folder of that path (with a ``/``); TechnologyError as `folder`."""
    place = folder(name)
    conditions = read_conditions(place / CONDITIONS, f"{name}/{CONDITIONS}")
    energy, area = _rows(place, name)
    for part in conditions.pop("parts", "").split():
        more = shared_rows(part, name)
        energy, area = [*energy, *more[0]], [*area, *more[1]]
    return Technology(name, energy, area, conditions)


def parts() -> list[str]:
    """Names of the tables of memories and other parts that technologies share."""
    return sorted(entry.name for entry in (resources.files("hwsim.data") / "parts").iterdir() if entry.is_dir())


def shared_rows(part: str, name: str) -> tuple[list[EnergyRow], list[AreaRow]]:
    """Energy and area rows of a table of `parts`, for the technology ``name``."""
    if part not in parts():
        raise TechnologyError(f"{name}/{CONDITIONS}: unknown parts {part!r}; {nearest(part, parts())}")
    return _rows(resources.files("hwsim.data") / "parts" / part, part)


def _rows(folder: Traversable, name: str) -> tuple[list[EnergyRow], list[AreaRow]]:
    """The two tables of a folder."""
    with (folder / "energy.csv").open(encoding="utf-8") as file:
        energy = read_energy(file, f"{name}/energy.csv")
    with (folder / "area.csv").open(encoding="utf-8") as file:
        area = read_area(file, f"{name}/area.csv")
    return energy, area


def read_conditions(file: Traversable, name: str) -> dict[str, str]:
    """Sentences by keyword; none if there is no such file."""
    if not file.is_file():
        return {}
    try:
        data = parse_yaml(file.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise TechnologyError(f"{name} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict) or not all(isinstance(text, str) for pair in data.items() for text in pair):
        raise TechnologyError(f"{name}: expected text by keyword, got {data!r}")
    return data
