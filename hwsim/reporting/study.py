"""What a report is about: a sweep's rows, and the results of the points looked at closely."""

import dataclasses
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self

import pandas as pd

from hwsim.design import Design
from hwsim.errors import HwsimError
from hwsim.exploration import flat
from hwsim.files import write_atomically
from hwsim.labels import label
from hwsim.network import Network
from hwsim.result import CATEGORIES, Result
from hwsim.simulation import simulate
from hwsim.workload import Workload

Subject = Network | Workload
REQUIRED = {
    "workload", "label", "error", "verified", "design", "design_hash", "workload_hash", "datapath.name", "batch",
    "latency_s", "energy_pj", "area_um2", "edp_js", "tops", "tops_per_w", *(f"{name}_energy_pj" for name in CATEGORIES),
}  # fmt: skip


@dataclasses.dataclass(frozen=True, eq=False)
class Study:
    """Rows as `hwsim.sweep` returns them, results to show per layer, hashes of networks by name."""

    frame: pd.DataFrame
    details: tuple[Result, ...]
    hashes: dict[str, str]

    @classmethod
    def of(cls, source: pd.DataFrame | Result | Sequence[Result], subjects: Iterable[Subject] = ()) -> Self:
        """A study of a sweep (details: each network's best point by EDP) or of results.

        A sweep's details need its networks or workloads in ``subjects``; those of another content than
        the sweep's are refused.
        """
        known = {subject.name: subject for subject in subjects}
        hashes = {name: subject.hash for name, subject in known.items() if isinstance(subject, Network)}
        if isinstance(source, pd.DataFrame):
            check(source)
            return cls(source, tuple(best_results(source, known.values())), hashes)
        results = [source] if isinstance(source, Result) else list(source)
        if not results:
            raise HwsimError("no results to report")
        return cls(frame_of(results), tuple(results), hashes)


def frame_of(results: Iterable[Result]) -> pd.DataFrame:
    """One row per result, with the columns of a sweep."""
    return pd.DataFrame(
        [
            {
                "workload": result.workload.name, "label": label(result.design), "error": "",
                **dict(flat(result.design.to_plain())), **result.totals(), "batch": result.workload.batch,
                "workload_hash": result.workload.hash, "design_hash": result.design.hash,
                "design": json.dumps(result.design.to_plain()),
            }
            for result in results
        ]
    )  # fmt: skip


def best_results(frame: pd.DataFrame, subjects: Iterable[Subject], column: str = "edp_js") -> list[Result]:
    """The result of each subject's row with the smallest ``column``, simulated again."""
    results = []
    for subject in subjects:
        rows = frame[(frame["workload"] == subject.name) & frame[column].notna()]
        if rows.empty:
            continue
        row = rows.loc[rows[column].idxmin()]
        if isinstance(subject, Network):
            subject = Workload.from_network(subject, int(row["batch"]))
        if subject.hash != row["workload_hash"]:
            raise HwsimError(f"network {subject.name!r} is not the one that was swept: its content differs")
        design = Design.from_plain(json.loads(row["design"]))
        if design.hash != row["design_hash"]:
            raise HwsimError(
                f"design {row['design_hash']} was swept by a version of hwsim with other defaults: sweep again"
            )
        results.append(simulate(subject, design))
    return results


def check(frame: pd.DataFrame) -> None:
    """HwsimError unless ``frame`` has the columns of a sweep and a feasible row."""
    if "error" in frame and len(frame) and (frame["error"] != "").all():
        raise HwsimError(f"the sweep has no feasible point: {frame['error'].iloc[0]}")
    missing = sorted(REQUIRED - set(frame.columns))
    if missing:
        raise HwsimError(f"not the results of a sweep: column {missing[0]!r} is missing ({len(missing)} in all)")
    if frame.empty:
        raise HwsimError("the sweep has no points")


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
