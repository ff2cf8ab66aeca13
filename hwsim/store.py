"""Results of sweeps in a database: every point once, whoever computed it, whatever killed the sweep.

A row is known by the hashes of its design, of its workload and of the technology's tables, and by the version of
hwsim. Rows are written a transaction at a time: what is there is whole. SQLite (a path) or any URL of SQLAlchemy.
"""

import contextlib
import dataclasses
import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa
from sqlalchemy import event, exc

from hwsim import schema, technology
from hwsim.design import Design
from hwsim.errors import HwsimError
from hwsim.measurement import version
from hwsim.points import FIELDS, Points
from hwsim.result import TOTALS
from hwsim.workload import Workload

SCHEMA = "1"
KEYS_AT_ONCE = 5_000
"""Hashes in one query."""
WAIT_S = 120
"""For another process that writes to SQLite."""
CACHE_KIB = 1 << 16
"""Of SQLite: hashes come in any order, so that all over the database pages are written."""
TRIES = 5
"""Of a transaction that another process's came in between of."""
WHOLE = ("cycles", "array_cycles", "macs")

_TABLES = sa.MetaData()
_ABOUT = sa.Table(
    "hwsim_about", _TABLES, sa.Column("key", sa.String(40), primary_key=True), sa.Column("value", sa.Text)
)
_SUBJECTS = sa.Table(
    "hwsim_subjects", _TABLES,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("workload", sa.Text, nullable=False),
    sa.Column("workload_hash", sa.String(16), nullable=False),
    sa.Column("batch", sa.Integer, nullable=False),
    sa.Column("technology_hash", sa.String(16), nullable=False),
    sa.UniqueConstraint("workload_hash", "technology_hash"),
)  # fmt: skip
_VALUES = sa.Table(
    "hwsim_values", _TABLES,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("field", sa.String(40), nullable=False),
    sa.Column("hash", sa.String(16), nullable=False),
    sa.Column("json", sa.Text, nullable=False),
    sa.UniqueConstraint("field", "hash"),
)  # fmt: skip


def _kind(name: str) -> Any:
    return sa.BigInteger if name in WHOLE else sa.String(16) if name == "verified" else sa.Double


_POINTS = sa.Table(
    "hwsim_points", _TABLES,
    sa.Column("subject", sa.Integer, sa.ForeignKey("hwsim_subjects.id"), primary_key=True, autoincrement=False),
    sa.Column("design_hash", sa.String(16), primary_key=True),
    *(sa.Column(f"{name}_id", sa.Integer, nullable=False) for name in FIELDS),
    *(sa.Column(name, _kind(name)) for name in TOTALS),
    sa.Column("error", sa.Text, nullable=False),
)  # fmt: skip
_IDS = [f"{name}_id" for name in FIELDS]


@dataclasses.dataclass(frozen=True)
class Subject:
    """A workload with the tables of one technology: its number in the store."""

    id: int
    workload: str
    workload_hash: str
    batch: int


class Store:
    """The results in the database ``place``: a path, or a URL of SQLAlchemy.

    HwsimError if it cannot be opened, or was made by another version of hwsim. For ``reading`` any version will do,
    and what is not there is not made.
    """

    def __init__(self, place: str | Path, *, reading: bool = False) -> None:
        text = str(place)
        try:
            url = sa.engine.make_url(text if "://" in text else f"sqlite:///{text}")
            self.name = url.render_as_string(hide_password=True)
            if url.get_backend_name() == "sqlite" and url.database:
                if reading and not Path(url.database).is_file():
                    raise HwsimError(f"no study {url.database!r}")
                Path(url.database).absolute().parent.mkdir(parents=True, exist_ok=True)
            self._engine = sa.create_engine(url)
        except (exc.ArgumentError, exc.NoSuchModuleError, ModuleNotFoundError, OSError) as error:
            raise HwsimError(f"cannot open study {text!r}: {error}") from None
        if self._engine.dialect.name == "sqlite":
            _set_up_sqlite(self._engine, reading)
        self._ids: dict[tuple[str, str], int] = {}
        try:
            if reading:
                with self._reading() as connection:
                    self.version = self._look(connection)
            else:
                self._write(self._create)
                self.version = version()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Closes all connections."""
        self._engine.dispose()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _create(self, connection: sa.Connection) -> None:
        _TABLES.create_all(connection)
        known = dict(tuple(row) for row in connection.execute(sa.select(_ABOUT.c.key, _ABOUT.c.value)))
        own = {"schema": SCHEMA, "hwsim": version()}
        if not known:
            connection.execute(sa.insert(_ABOUT), [{"key": key, "value": value} for key, value in own.items()])
        elif known != own:
            raise HwsimError(
                f"study {self.name} was made by hwsim {known.get('hwsim')}, this is {own['hwsim']}, whose results may "
                "differ: name another study (hwsim export and hwsim report read this one)"
            )

    def _look(self, connection: sa.Connection) -> str:
        """The version of hwsim that made the study."""
        if not sa.inspect(connection).has_table(_ABOUT.name):
            raise HwsimError(f"{self.name} holds no study of hwsim")
        known = dict(tuple(row) for row in connection.execute(sa.select(_ABOUT.c.key, _ABOUT.c.value)))
        if known.get("schema") != SCHEMA:
            raise HwsimError(
                f"study {self.name} is laid out as by hwsim {known.get('hwsim')}, which this one cannot read"
            )
        return known["hwsim"]

    def subject(self, workload: Workload, tech: str) -> Subject:
        """``workload`` with the tables of ``tech``; HwsimError if its name stands for another one in this study."""
        key = {"workload_hash": workload.hash, "technology_hash": technology_hash(tech)}

        def find(connection: sa.Connection) -> int:
            named = sa.select(_SUBJECTS.c.workload_hash).where(
                _SUBJECTS.c.workload == workload.name, _SUBJECTS.c.batch == workload.batch
            )
            others = set(connection.execute(named).scalars()) - {workload.hash}
            if others:
                raise HwsimError(
                    f"study {self.name} holds results of another network {workload.name!r} ({min(others)}), this is "
                    f"{workload.hash}: name another study, or rename the network"
                )
            wanted = sa.select(_SUBJECTS.c.id).where(*(_SUBJECTS.c[name] == value for name, value in key.items()))
            found = connection.execute(wanted).scalar()
            if found is None:
                row = {**key, "workload": workload.name, "batch": workload.batch}
                connection.execute(sa.insert(_SUBJECTS).values(row))
                found = connection.execute(wanted).scalar_one()
            return int(found)

        return Subject(self._write(find), workload.name, workload.hash, workload.batch)

    def known(self, subject: Subject, hashes: Sequence[str]) -> set[str]:
        """Those of ``hashes`` of designs whose results are there."""
        with self._reading() as connection:
            return _known(connection, subject, hashes)

    def add(self, subject: Subject, points: Points, hashes: Sequence[str], totals: pd.DataFrame) -> int:
        """Writes what is not there yet, in one transaction, and returns how many points that were."""
        ids = self._value_ids(points)
        rows = totals.copy()
        rows.insert(0, "design_hash", list(hashes))
        rows.insert(0, "subject", subject.id)
        for name, column in zip(_IDS, (ids[name][points.codes[name]] for name in FIELDS), strict=True):
            rows[name] = column
        records = _records(rows)

        def write(connection: sa.Connection) -> int:
            there = _known(connection, subject, hashes)
            missing = [row for row in records if row["design_hash"] not in there]
            if missing:
                connection.execute(sa.insert(_POINTS), missing)
            return len(missing)

        return self._write(write)

    def totals(self, subject: Subject, hashes: Sequence[str]) -> pd.DataFrame:
        """`Result.totals` and ``error`` of known designs, in the order of ``hashes``."""
        columns = [_POINTS.c.design_hash, *(_POINTS.c[name] for name in TOTALS), _POINTS.c.error]
        rows: list[tuple] = []
        with self._reading() as connection:
            for part in _parts(hashes):
                chosen = sa.select(*columns).where(_POINTS.c.subject == subject.id, _POINTS.c.design_hash.in_(part))
                rows += map(tuple, connection.execute(chosen))
        frame = pd.DataFrame(rows, columns=["design_hash", *TOTALS, "error"]).set_index("design_hash")
        return frame.loc[list(hashes)].reset_index(drop=True)

    def __len__(self) -> int:
        with self._reading() as connection:
            return int(connection.execute(sa.select(sa.func.count()).select_from(_POINTS)).scalar_one())

    def read(self, at_once: int = 1 << 16) -> Iterator[tuple[Subject, Points, pd.DataFrame]]:
        """Everything, by subject: design points and totals, at most ``at_once`` rows at a time."""
        with self._reading() as connection:
            try:
                values = _values(connection)
            except HwsimError as error:
                raise HwsimError(f"study {self.name} holds designs of hwsim {self.version}: {error}") from None
            subjects = [
                Subject(row.id, row.workload, row.workload_hash, row.batch)
                for row in connection.execute(sa.select(_SUBJECTS).order_by(_SUBJECTS.c.id))
            ]
            for subject in subjects:
                last = ""
                while True:
                    chosen = sa.select(_POINTS).where(_POINTS.c.subject == subject.id, _POINTS.c.design_hash > last)
                    query = chosen.order_by(_POINTS.c.design_hash).limit(at_once)
                    frame = pd.DataFrame(connection.execute(query).all(), columns=_POINTS.c.keys())
                    if frame.empty:
                        break
                    last = frame["design_hash"].iloc[-1]
                    yield subject, _points(frame, values), frame[[*TOTALS, "error"]]

    def _value_ids(self, points: Points) -> Mapping[str, np.ndarray]:
        """int64 per field: the number of each of its values, which are written if they are new."""
        keys = {name: [(name, _hash(value)) for value in points.values[name]] for name in FIELDS}
        wanted = {key: value for name in FIELDS for key, value in zip(keys[name], points.values[name], strict=True)}
        missing = [key for key in wanted if key not in self._ids]
        if missing:
            self._ids |= self._write(lambda connection: self._add_values(connection, missing, wanted))
        return {name: np.array([self._ids[key] for key in keys[name]]) for name in FIELDS}

    @staticmethod
    def _add_values(
        connection: sa.Connection, missing: Sequence[tuple[str, str]], wanted: Mapping[tuple[str, str], Any]
    ) -> dict[tuple[str, str], int]:
        found: dict[tuple[str, str], int] = {}

        def look(keys: Sequence[tuple[str, str]]) -> None:
            for part in _parts([key[1] for key in keys]):
                chosen = sa.select(_VALUES.c.field, _VALUES.c.hash, _VALUES.c.id).where(_VALUES.c.hash.in_(part))
                found.update({(field, digest): number for field, digest, number in connection.execute(chosen)})

        look(missing)
        new = [key for key in missing if key not in found]
        if new:
            rows = [
                {"field": field, "hash": digest, "json": schema.canonical_json(schema.to_plain(wanted[field, digest]))}
                for field, digest in new
            ]
            connection.execute(sa.insert(_VALUES), rows)
            look(new)
        return {key: found[key] for key in missing}

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with self._explained(), self._engine.connect() as connection:
            yield connection

    def _write(self, work: Any) -> Any:
        """``work(connection)`` in a transaction of its own, again if another process's came in between."""
        for attempt in range(TRIES):
            try:
                with self._explained(), self._engine.execution_options(writes=True).begin() as connection:
                    return work(connection)
            except _Conflict:
                if attempt == TRIES - 1:
                    raise
        raise AssertionError("unreachable")

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except exc.IntegrityError as error:
            raise _Conflict(f"study {self.name}: {error.orig}") from None
        except exc.DBAPIError as error:
            reason = " ".join(str(error.orig).split())
            if "full" in reason or "space" in reason:
                reason += "; what was written is whole: free some space and run the same command again"
            raise HwsimError(f"study {self.name}: {reason}") from None


class _Conflict(HwsimError):
    """Another process wrote the same row first."""


def technology_hash(name: str) -> str:
    """16 hex digits over the rows of a technology; of its name alone if there is none."""
    try:
        tech = technology.load(name)
    except HwsimError:
        return schema.content_hash(name)
    return schema.content_hash([name, repr(tech.energy_rows), repr(tech.area_rows)])


def _set_up_sqlite(engine: sa.Engine, reading: bool) -> None:
    """Readers and one writer at a time that do not disturb each other, and transactions that a kill leaves whole."""

    @event.listens_for(engine, "connect")
    def connect(connection: Any, _: object) -> None:
        connection.isolation_level = None  # `begin` says when a transaction starts
        connection.execute(f"PRAGMA busy_timeout={WAIT_S * 1000}")
        if not reading:
            connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")

    @event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@functools.lru_cache(maxsize=1 << 14, typed=True)
def _hash(value: Any) -> str:
    return schema.content_hash(schema.to_plain(value))


def _known(connection: sa.Connection, subject: Subject, hashes: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for part in _parts(hashes):
        chosen = sa.select(_POINTS.c.design_hash).where(
            _POINTS.c.subject == subject.id, _POINTS.c.design_hash.in_(part)
        )
        found.update(connection.execute(chosen).scalars())
    return found


def _parts(items: Sequence[str]) -> Iterator[Sequence[str]]:
    for low in range(0, len(items), KEYS_AT_ONCE):
        yield items[low : low + KEYS_AT_ONCE]


def _records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain Python values, None for what is missing."""
    columns = {}
    for name in rows.columns:
        column = rows[name]
        values = column.tolist()
        if column.isna().any():
            values = [None if gone else value for gone, value in zip(column.isna(), values, strict=True)]
        if name in WHOLE:
            values = [None if value is None else int(value) for value in values]
        columns[name] = values
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _values(connection: sa.Connection) -> dict[str, dict[int, Any]]:
    """Every value of every field by its number."""
    found: dict[str, dict[int, Any]] = {name: {} for name in FIELDS}
    for row in connection.execute(sa.select(_VALUES).order_by(_VALUES.c.id)):
        found[row.field][row.id] = schema.field_from_plain(Design, row.field, json.loads(row.json))
    return found


def _points(frame: pd.DataFrame, values: Mapping[str, Mapping[int, Any]]) -> Points:
    """The design points of rows as they are stored."""
    codes = {
        name: np.searchsorted(np.array(list(known)), frame[f"{name}_id"].to_numpy()).astype(np.int32)
        for name, known in values.items()
    }
    return Points({name: list(known.values()) for name, known in values.items()}, codes)
