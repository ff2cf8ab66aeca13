"""What a report is about: a sweep's rows, and the results of the points looked at closely."""

import dataclasses
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self, TypeAlias

import pandas as pd

from hwsim.design import Design
from hwsim.errors import HwsimError
from hwsim.exploration import OBJECTIVES, flat
from hwsim.files import write_atomically
from hwsim.labels import label
from hwsim.measurement import version
from hwsim.network import Network
from hwsim.progress import track
from hwsim.reporting.gathering import Gathering, gather, near_front, parts_of, require_columns
from hwsim.result import Result
from hwsim.simulation import simulate
from hwsim.workload import Workload

Subject = Network | Workload
Source: TypeAlias = pd.DataFrame | Result | Sequence[Result] | str | Path
DETAILED = 120
"""Points of all networks whose layers a page holds; each takes some 5 kB and a tenth of a second."""


@dataclasses.dataclass(frozen=True, eq=False)
class Study:
    """Rows as `hwsim.sweep` returns them, and the results of some of them."""

    gathering: Gathering
    points: pd.DataFrame
    """The feasible rows that are kept, numbered from 0."""
    details: dict[int, Result]
    """Results by the number of their row."""
    hashes: dict[str, str]
    """Of networks by name."""
    differing: tuple[int, ...] = ()
    """Rows that this version of hwsim computes otherwise."""

    @classmethod
    def of(cls, source: Source, subjects: Iterable[Subject] = ()) -> Self:
        """A study of a sweep (a frame, a Parquet file or a study's place) or of results.

        Details of a sweep are those of each network in ``subjects`` near its front, simulated again; networks of
        another content than the sweep's are refused.
        """
        if not isinstance(source, pd.DataFrame | str | Path):
            results = [source] if isinstance(source, Result) else list(source)
            if not results:
                raise HwsimError("no results to report")
            rows = frame_of(results)
            return cls(gather([rows]), rows, dict(enumerate(results)), _hashes(subjects))
        return cls.of_sweep(gather([source] if isinstance(source, pd.DataFrame) else parts_of(source)), subjects)

    @classmethod
    def of_sweep(cls, gathering: Gathering, subjects: Iterable[Subject] = (), progress: bool = False) -> Self:
        """A study of the rows of a sweep; see `of`."""
        known = {subject.name: subject for subject in subjects}
        points = gathering.kept()
        details: dict[int, Result] = {}
        differing = []
        for index, row, workload in _looked_at(points, known, progress):
            result = _again(row, workload)
            if all(row[name] == result.totals()[name] for name in OBJECTIVES):
                details[index] = result
            else:
                differing.append(index)
        return cls(gathering, points, details, _hashes(known.values()), tuple(differing))

    def best(self) -> list[int]:
        """The row of each network that has the smallest EDP."""
        return [int(index) for index in self.points.groupby("workload", sort=False)["edp_js"].idxmin()]

    def best_results(self) -> list[Result]:
        """The results of `best`, as far as there are."""
        return [self.details[row] for row in self.best() if row in self.details]


def _hashes(subjects: Iterable[Subject]) -> dict[str, str]:
    return {subject.name: subject.hash for subject in subjects if isinstance(subject, Network)}


def _looked_at(
    points: pd.DataFrame, known: dict[str, Subject], progress: bool
) -> Iterator[tuple[int, dict[str, Any], Workload]]:
    """Number, row and workload of the points near the fronts of known networks."""
    groups = [(name, group) for name, group in points.groupby("workload", sort=False) if name in known]
    chosen = [(index, name) for name, group in groups for index in near_front(group, DETAILED // len(groups)).index]
    workloads: dict[str, Workload] = {}
    for index, name in track(chosen, "layers", progress):
        row = points.loc[index].to_dict()
        if name not in workloads:
            workloads[name] = _workload(known[name], row)
        yield int(index), row, workloads[name]


def _workload(subject: Subject, row: dict[str, Any]) -> Workload:
    workload = Workload.from_network(subject, int(row["batch"])) if isinstance(subject, Network) else subject
    if workload.hash != row["workload_hash"]:
        raise HwsimError(f"network {subject.name!r} is not the one that was swept: its content differs")
    return workload


def _again(row: dict[str, Any], workload: Workload) -> Result:
    """The result of a row."""
    design = Design.from_plain(json.loads(row["design"]))
    if design.hash != row["design_hash"]:
        raise HwsimError(
            f"design {row['design_hash']} was swept by a version of hwsim with other defaults: sweep again"
        )
    return simulate(workload, design)


def frame_of(results: Iterable[Result]) -> pd.DataFrame:
    """One row per result, with the columns of a sweep."""
    return pd.DataFrame(
        [
            {
                "workload": result.workload.name, "label": label(result.design), "error": "",
                **dict(flat(result.design.to_plain())), **result.totals(), "batch": result.workload.batch,
                "workload_hash": result.workload.hash, "design_hash": result.design.hash, "hwsim": version(),
                "design": json.dumps(result.design.to_plain()),
            }
            for result in results
        ]
    )  # fmt: skip


def best_results(frame: pd.DataFrame, subjects: Iterable[Subject]) -> list[Result]:
    """The result of each subject's row with the smallest EDP, simulated again."""
    results = []
    for subject in subjects:
        rows = frame[(frame["workload"] == subject.name) & frame["edp_js"].notna()]
        if not rows.empty:
            row = rows.loc[rows["edp_js"].idxmin()].to_dict()
            results.append(_again(row, _workload(subject, row)))
    return results


def check(frame: pd.DataFrame) -> None:
    """HwsimError unless ``frame`` has the columns of a sweep and a feasible row."""
    require_columns(frame)
    if frame.empty:
        raise HwsimError("the sweep has no points")
    if (frame["error"] != "").all():
        raise HwsimError(f"the sweep has no feasible point: {frame['error'].iloc[0]}")


def write_results(frame: pd.DataFrame, path: str | Path) -> Path:
    """Writes a sweep as Parquet."""
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    write_atomically(Path(path), buffer.getvalue())
    return Path(path)


def read_results(path: str | Path) -> pd.DataFrame:
    """What `write_results` wrote; HwsimError naming the file if it is not that."""
    if not Path(path).is_file():
        raise HwsimError(f"no results file {str(path)!r}")
    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError) as error:  # pyarrow's errors are among them
        raise HwsimError(f"cannot read results {str(path)!r}: {' '.join(str(error).split())}") from None
    check(frame)
    return frame
