"""Databases for studies: a file (SQLite) or any URL of SQLAlchemy, whole transactions, and clear errors."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event, exc

from hwsim.errors import HwsimError

WAIT_S = 120
"""For another process that writes to SQLite."""
CACHE_KIB = 1 << 16
"""Of SQLite: hashes come in any order, so that all over the database pages are written."""
WAL_PAGES = 1 << 15
"""Of SQLite, 4 KiB each, until they go into the database: pages that were written often meanwhile go there once."""
FULL = ("full", "space", "I/O error")
"""In the words of SQLite and PostgreSQL where a disk is full; SQLite's are the last for what it maps into memory."""
TRIES = 5
"""Of a transaction that another process's came in between of, where a database lets two write at a time."""

Found = TypeVar("Found")


class Database:
    """The database at ``place``: a path, or a URL of SQLAlchemy; for ``reading`` it has to be there.

    Attributes:
        name: the place as it is `shown`.
        engine: SQLAlchemy's.

    Whatever the database refuses is an HwsimError.
    """

    def __init__(self, place: str | Path, *, reading: bool = False) -> None:
        self.name = shown(place)
        try:
            url = sa.engine.make_url(str(place) if "://" in str(place) else f"sqlite:///{place}")
            if url.get_backend_name() == "sqlite" and url.database:
                if reading and not Path(url.database).is_file():
                    raise HwsimError(f"no study {url.database!r}")
                Path(url.database).absolute().parent.mkdir(parents=True, exist_ok=True)
            self.engine = sa.create_engine(url)
        except (exc.ArgumentError, exc.NoSuchModuleError, ModuleNotFoundError, OSError) as error:
            raise HwsimError(f"cannot open study {self.name!r}: {error}") from None
        if self.engine.dialect.name == "sqlite":
            _set_up_sqlite(self.engine, reading)
        if self.engine.dialect.name == "postgresql":
            _set_up_postgresql(self.engine)

    def close(self) -> None:
        """Closes all connections."""
        self.engine.dispose()

    @contextlib.contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection that sees what was there when it began to read."""
        with self._explained(), self.engine.connect() as connection:
            yield connection

    def write(self, work: Callable[[sa.Connection], Found]) -> Found:
        """``work(connection)`` in a transaction of its own, again if another process's came in between."""
        for attempt in range(TRIES):
            try:
                with self._explained(), self.engine.execution_options(writes=True).begin() as connection:
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
            if any(word in reason for word in FULL):
                reason += "; what was written is whole: if the disk is full free some space, then start again"
            raise HwsimError(f"study {self.name}: {reason}") from None


def shown(place: str | Path) -> str:
    """A path, or a URL without its password."""
    with contextlib.suppress(exc.ArgumentError):
        return sa.engine.make_url(str(place)).render_as_string(hide_password=True)
    return str(place)


class _Conflict(HwsimError):
    """Another process wrote the same row first."""


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
        connection.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES}")

    @event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _set_up_postgresql(engine: sa.Engine) -> None:
    """One writer of a study at a time, as in SQLite: neither making tables nor writing equal rows can collide."""

    @event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        if connection.get_execution_options().get("writes"):
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('hwsim.' || current_schema()))")
