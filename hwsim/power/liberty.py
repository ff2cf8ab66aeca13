"""Cell libraries in Liberty format, plain or gzipped, one or several files.

Source: Liberty user guide and reference manual, 2017.06 (library, cell and pin groups).
Cells are read when first used; all figures are scaled to ps, fF, V, fJ and nW.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hwsim.errors import PowerError, nearest
from hwsim.power import liberty_cell, liberty_syntax
from hwsim.power.cells import Cell, WireLoad
from hwsim.power.liberty_cell import Scope, number

_PREFIX = {"f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3}
_UNIT = re.compile(r"\s*([\d.]+(?:[eE][-+]?\d+)?)?\s*([fpnumkM]?)(s|[wW]|[fF]|[vV]|[aA]|[oO][hH][mM])\s*$")


@dataclass(frozen=True)
class _File:
    source: liberty_syntax.Source
    scope: Scope


class Library:
    """The cells of one or several Liberty files; a cell in two of them is taken from the first."""

    def __init__(self, files: Sequence[_File]) -> None:
        self._files = files
        self._cells: dict[str, Cell] = {}
        self._owner: dict[str, _File] = {}
        for file in files:
            for name in file.source.cells:
                self._owner.setdefault(name, file)
        voltages = {file.scope.voltage_v for file in files}
        if len(voltages) > 1:
            names = ", ".join(f"{file.source.path.name}: {file.scope.voltage_v:g} V" for file in files)
            raise PowerError(f"the libraries differ in voltage ({names}); accepted: files of one corner")

    @property
    def name(self) -> str:
        """Name of the first file's library."""
        return self._files[0].scope.name

    @property
    def voltage_v(self) -> float:
        """Supply voltage of the default operating conditions."""
        return self._files[0].scope.voltage_v

    @property
    def temperature_c(self) -> float:
        """Temperature of the default operating conditions."""
        return self._files[0].scope.temperature_c

    @property
    def cell_names(self) -> list[str]:
        """Names of all cells."""
        return list(self._owner)

    def cell(self, name: str) -> Cell:
        """The cell of that name; PowerError naming the nearest one if there is none."""
        if name not in self._cells:
            if name not in self._owner:
                files = ", ".join(file.source.path.name for file in self._files)
                hint = nearest(name, self._owner).split("accepted:")[0].rstrip("? ")
                raise PowerError(f"no cell {name!r} in {files}" + (f"; {hint}?" if hint else ""))
            file = self._owner[name]
            self._cells[name] = liberty_cell.build(file.source.cell(name), file.scope)
        return self._cells[name]

    @property
    def wire_load_names(self) -> list[str]:
        """Names of all wire-load models."""
        return [group.arguments[0] for file in self._files for group in file.source.library.of("wire_load")]

    @property
    def default_wire_load(self) -> str | None:
        """Name of the wire-load model that the first file declares as its default."""
        return self._files[0].source.library.attributes.get("default_wire_load")

    def wire_load(self, name: str) -> WireLoad:
        """The wire-load model of that name."""
        for file in self._files:
            for group in file.source.library.of("wire_load"):
                if group.arguments[0] == name:
                    lengths = {float(entry[0]): float(entry[1]) for entry in group.calls.get("fanout_length", [])}
                    return WireLoad(
                        name,
                        number(group, "capacitance", 0.0, file.scope.where) * file.scope.capacitance_ff,
                        number(group, "slope", 0.0, file.scope.where),
                        lengths,
                    )
        known = nearest(name, self.wire_load_names) if self.wire_load_names else "the library has none"
        raise PowerError(f"no wire-load model {name!r}; {known}")


def read(paths: Path | Sequence[Path]) -> Library:
    """The library in one or several Liberty files (``.lib`` or ``.lib.gz``).

    PowerError, naming the file, if one cannot be read, is cut off or lacks its units or voltage.
    """
    files = [paths] if isinstance(paths, Path) else list(paths)
    if not files:
        raise PowerError("no Liberty file given")
    return Library([_open(Path(path)) for path in files])


def _open(path: Path) -> _File:
    source = liberty_syntax.read(path)
    library, where = source.library, path.name
    voltage, temperature = _operating_point(library, where)
    capacitance = library.calls.get("capacitive_load_unit")
    if not capacitance or len(capacitance[0]) != 2:
        raise PowerError(f"{where}: the library has no capacitive_load_unit")
    farads = _scale("".join(capacitance[0]), "f", where)
    volts = _scale(library.attributes.get("voltage_unit", "1V"), "v", where)
    scope = Scope(
        where=where,
        name=library.arguments[0] if library.arguments else where,
        time_ps=_scale(library.attributes.get("time_unit", "1ns"), "s", where) * 1e12,
        capacitance_ff=farads * 1e15,
        energy_fj=farads * 1e15 * volts * volts,
        leakage_nw=_scale(library.attributes.get("leakage_power_unit", "1nW"), "w", where) * 1e9,
        voltage_v=voltage * volts,
        temperature_c=temperature,
        rails={entry[0]: float(entry[1]) * volts for entry in library.calls.get("voltage_map", [])},
        templates={group.arguments[0]: group for group in library.of("lu_table_template", "power_lut_template")},
        bus_types={group.arguments[0]: group for group in library.of("type")},
        defaults=library.attributes,
    )
    return _File(source, scope)


def _operating_point(library: liberty_syntax.Group, where: str) -> tuple[float, float]:
    """Voltage and temperature: of the default operating conditions, else the nominal ones."""
    conditions: Mapping[str, liberty_syntax.Group] = {
        group.arguments[0]: group for group in library.of("operating_conditions")
    }
    chosen = conditions.get(library.attributes.get("default_operating_conditions", ""), library)
    voltage = number(chosen, "voltage", number(library, "nom_voltage", 0.0, where), where)
    temperature = number(chosen, "temperature", number(library, "nom_temperature", 25.0, where), where)
    if voltage <= 0:
        raise PowerError(f"{where}: the library gives no supply voltage (nom_voltage or operating_conditions)")
    return voltage, temperature


def _scale(text: str, quantity: str, where: str) -> float:
    """A unit such as ``1ns`` in SI."""
    match = _UNIT.match(text)
    if match is None or match[3].lower() != quantity or match[2] not in _PREFIX:
        raise PowerError(
            f"{where}: {text!r} is not a unit of {dict(s='time', f='capacitance', v='voltage', w='power')[quantity]}"
        )
    return float(match[1] or 1) * _PREFIX[match[2]]
