"""Results of sweeps in a database: every point once, whoever computed it, whatever killed the sweep.

A row is known by the hashes of its design, of its workload and of the technology's tables, and by the version of
hwsim. Rows are written a transaction at a time: what is there is whole. SQLite (a path) or any URL of SQLAlchemy.
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa

from hwsim import schema, technology
from hwsim.database import Database
from hwsim.errors import HwsimError
from hwsim.measurement import version
from hwsim.points import FIELDS, Points
from hwsim.result import TOTALS
from hwsim.study_tables import ABOUT, IDS, POINTS, SCHEMA, SUBJECTS, TABLES, VALUES, insert_points, points_of, values_of
from hwsim.workload import Workload

KEYS_AT_ONCE = 5_000
"""Hashes in one query."""


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
        self.database = Database(place, reading=reading)
        self.name = self.database.name
        self._ids: dict[tuple[str, str], int] = {}
        try:
            if reading:
                with self.database.reading() as connection:
                    self.version = self._look(connection)
            else:
                self.database.write(self._create)
                self.version = version()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Closes all connections."""
        self.database.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _create(self, connection: sa.Connection) -> None:
        TABLES.create_all(connection)
        known = dict(tuple(row) for row in connection.execute(sa.select(ABOUT.c.key, ABOUT.c.value)))
        own = {"schema": SCHEMA, "hwsim": version()}
        if not known:
            connection.execute(sa.insert(ABOUT), [{"key": key, "value": value} for key, value in own.items()])
        elif known != own:
            raise HwsimError(
                f"study {self.name} was made by hwsim {known.get('hwsim')}, this is {own['hwsim']}, whose results may "
                "differ: name another study (hwsim export and hwsim report read this one)"
            )

    def _look(self, connection: sa.Connection) -> str:
        """The version of hwsim that made the study."""
        if not sa.inspect(connection).has_table(ABOUT.name):
            raise HwsimError(f"{self.name} holds no study of hwsim")
        known = dict(tuple(row) for row in connection.execute(sa.select(ABOUT.c.key, ABOUT.c.value)))
        if known.get("schema") != SCHEMA:
            raise HwsimError(
                f"study {self.name} is laid out as by hwsim {known.get('hwsim')}, which this one cannot read"
            )
        return known["hwsim"]

    def subject(self, workload: Workload, tech: str) -> Subject:
        """``workload`` with the tables of ``tech``; HwsimError if its name stands for another one in this study."""
        key = {"workload_hash": workload.hash, "technology_hash": technology_hash(tech)}

        def find(connection: sa.Connection) -> int:
            named = sa.select(SUBJECTS.c.workload_hash).where(
                SUBJECTS.c.workload == workload.name, SUBJECTS.c.batch == workload.batch
            )
            others = set(connection.execute(named).scalars()) - {workload.hash}
            if others:
                raise HwsimError(
                    f"study {self.name} holds results of another network {workload.name!r} ({min(others)}), this is "
                    f"{workload.hash}: name another study, or rename the network"
                )
            wanted = sa.select(SUBJECTS.c.id).where(*(SUBJECTS.c[name] == value for name, value in key.items()))
            found = connection.execute(wanted).scalar()
            if found is None:
                row = {**key, "workload": workload.name, "batch": workload.batch}
                connection.execute(sa.insert(SUBJECTS).values(row))
                found = connection.execute(wanted).scalar_one()
            return int(found)

        return Subject(self.database.write(find), workload.name, workload.hash, workload.batch)

    def known(self, subject: Subject, hashes: Sequence[str]) -> set[str]:
        """Those of ``hashes`` of designs whose results are there."""
        with self.database.reading() as connection:
            return _known(connection, subject, hashes)

    def add(self, subject: Subject, points: Points, hashes: Sequence[str], totals: pd.DataFrame) -> int:
        """Writes what is not there yet, in one transaction, and returns how many points that were."""
        ids = self._value_ids(points)
        rows = totals.copy()
        rows.insert(0, "design_hash", list(hashes))
        rows.insert(0, "subject", subject.id)
        for name, column in zip(IDS, (ids[name][points.codes[name]] for name in FIELDS), strict=True):
            rows[name] = column

        def write(connection: sa.Connection) -> int:
            missing = rows[~rows["design_hash"].isin(_known(connection, subject, hashes))]
            if len(missing):
                insert_points(connection, missing)
            return len(missing)

        return self.database.write(write)

    def totals(self, subject: Subject, hashes: Sequence[str]) -> pd.DataFrame:
        """`Result.totals` and ``error`` of known designs, in the order of ``hashes``."""
        columns = [POINTS.c.design_hash, *(POINTS.c[name] for name in TOTALS), POINTS.c.error]
        rows: list[tuple] = []
        with self.database.reading() as connection:
            for part in _parts(hashes):
                chosen = sa.select(*columns).where(POINTS.c.subject == subject.id, POINTS.c.design_hash.in_(part))
                rows += map(tuple, connection.execute(chosen))
        frame = pd.DataFrame(rows, columns=["design_hash", *TOTALS, "error"]).set_index("design_hash")
        return frame.loc[list(hashes)].reset_index(drop=True)

    def __len__(self) -> int:
        with self.database.reading() as connection:
            return int(connection.execute(sa.select(sa.func.count()).select_from(POINTS)).scalar_one())

    def read(self, at_once: int = 1 << 16) -> Iterator[tuple[Subject, Points, pd.DataFrame]]:
        """Everything, by subject: design points and totals, at most ``at_once`` rows at a time."""
        with self.database.reading() as connection:
            try:
                values = values_of(connection)
            except HwsimError as error:
                raise HwsimError(f"study {self.name} holds designs of hwsim {self.version}: {error}") from None
            subjects = [
                Subject(row.id, row.workload, row.workload_hash, row.batch)
                for row in connection.execute(sa.select(SUBJECTS).order_by(SUBJECTS.c.id))
            ]
            for subject in subjects:
                last = ""
                while True:
                    chosen = sa.select(POINTS).where(POINTS.c.subject == subject.id, POINTS.c.design_hash > last)
                    query = chosen.order_by(POINTS.c.design_hash).limit(at_once)
                    frame = pd.DataFrame(connection.execute(query).all(), columns=POINTS.c.keys())
                    if frame.empty:
                        break
                    last = frame["design_hash"].iloc[-1]
                    yield subject, points_of(frame, values), frame[[*TOTALS, "error"]]

    def _value_ids(self, points: Points) -> Mapping[str, np.ndarray]:
        """int64 per field: the number of each of its values, which are written if they are new."""
        keys = {name: [(name, _hash(value)) for value in points.values[name]] for name in FIELDS}
        wanted = {key: value for name in FIELDS for key, value in zip(keys[name], points.values[name], strict=True)}
        missing = [key for key in wanted if key not in self._ids]
        if missing:
            self._ids |= self.database.write(lambda connection: self._add_values(connection, missing, wanted))
        return {name: np.array([self._ids[key] for key in keys[name]]) for name in FIELDS}

    @staticmethod
    def _add_values(
        connection: sa.Connection, missing: Sequence[tuple[str, str]], wanted: Mapping[tuple[str, str], Any]
    ) -> dict[tuple[str, str], int]:
        found: dict[tuple[str, str], int] = {}

        def look(keys: Sequence[tuple[str, str]]) -> None:
            for part in _parts([key[1] for key in keys]):
                chosen = sa.select(VALUES.c.field, VALUES.c.hash, VALUES.c.id).where(VALUES.c.hash.in_(part))
                found.update({(field, digest): number for field, digest, number in connection.execute(chosen)})

        look(missing)
        new = [key for key in missing if key not in found]
        if new:
            rows = [
                {"field": field, "hash": digest, "json": schema.canonical_json(schema.to_plain(wanted[field, digest]))}
                for field, digest in new
            ]
            connection.execute(sa.insert(VALUES), rows)
            look(new)
        return {key: found[key] for key in missing}


def technology_hash(name: str) -> str:
    """16 hex digits over the rows of a technology; of its name alone if there is none."""
    try:
        tech = technology.load(name)
    except HwsimError:
        return schema.content_hash(name)
    return schema.content_hash([name, repr(tech.energy_rows), repr(tech.area_rows)])


@functools.lru_cache(maxsize=1 << 14, typed=True)
def _hash(value: Any) -> str:
    return schema.content_hash(schema.to_plain(value))


def _known(connection: sa.Connection, subject: Subject, hashes: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for part in _parts(hashes):
        chosen = sa.select(POINTS.c.design_hash).where(POINTS.c.subject == subject.id, POINTS.c.design_hash.in_(part))
        found.update(connection.execute(chosen).scalars())
    return found


def _parts(items: Sequence[str]) -> Iterator[Sequence[str]]:
    for low in range(0, len(items), KEYS_AT_ONCE):
        yield items[low : low + KEYS_AT_ONCE]
