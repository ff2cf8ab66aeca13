"""Studies as Parquet files, however large."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from hwsim.errors import HwsimError
from hwsim.exploration import design_columns, rows
from hwsim.store import Store
from hwsim.study_tables import WHOLE


def export(study: str | Path | Store, path: str | Path) -> int:
    """Writes all points of ``study`` with the columns of a sweep and returns how many there are.

    HwsimError if there are none; the file is complete or not there.
    """
    count, target = 0, Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    os.close(handle)
    writer: pq.ParquetWriter | None = None
    try:
        for frame in frames(study):
            table = _table(frame, None if writer is None else writer.schema)
            writer = writer or pq.ParquetWriter(temporary, table.schema, compression="zstd")
            writer.write_table(table)
            count += len(frame)
        assert writer is not None
        writer.close()
        os.chmod(temporary, 0o644)
        os.replace(temporary, target)
    finally:
        Path(temporary).unlink(missing_ok=True)
    return count


def frames(study: str | Path | Store) -> Iterator[pd.DataFrame]:
    """All points of ``study`` with the columns of a sweep, some at a time; HwsimError if there are none."""
    with contextlib.nullcontext(study) if isinstance(study, Store) else Store(study, reading=True) as store:
        empty = True
        for subject, points, totals in store.read():
            empty = False
            designs = design_columns(points)
            yield rows(subject.workload, subject.batch, subject.workload_hash, designs, totals, store.version)
        if empty:
            raise HwsimError(f"study {store.name} holds no points")


def _table(frame: pd.DataFrame, schema: pa.Schema | None) -> pa.Table:
    """Columns of the same types whatever rows there are: what may be missing is null."""
    for name in WHOLE:
        frame[name] = frame[name].astype("Int64")
    frame["verified"] = frame["verified"].astype("str")
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    return table if schema is None else table.cast(schema)
