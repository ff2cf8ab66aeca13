"""Bytes by key that outlive the process: an SQLite file under the user's cache folder."""

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

AT_ONCE = 500
"""Keys of one query."""
WAIT_S = 60.0
"""For another process that writes."""


def folder() -> Path:
    """Where hwsim keeps what it can make again: ``$XDG_CACHE_HOME`` or ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hwsim"


class BlobCache:
    """The file ``kind``/``version``.sqlite; other processes may use it at the same time.

    A cache that cannot be read or written (a full or read-only disk, a damaged file) is as good as empty.
    """

    def __init__(self, kind: str, version: str) -> None:
        self._path = folder() / kind / f"{version}.sqlite"

    def read(self, keys: Iterable[str]) -> dict[str, bytes]:
        """The values of those ``keys`` that are known."""
        wanted = list(keys)
        found: dict[str, bytes] = {}
        with contextlib.suppress(OSError, sqlite3.Error), self._connection() as connection:
            for low in range(0, len(wanted), AT_ONCE):
                part = wanted[low : low + AT_ONCE]
                marks = ",".join("?" * len(part))
                found.update(connection.execute(f"SELECT key, value FROM blobs WHERE key IN ({marks})", part))
        return found

    def write(self, values: Mapping[str, bytes]) -> None:
        """Keeps ``values``; equal keys are supposed to have equal values."""
        with contextlib.suppress(OSError, sqlite3.Error), self._connection() as connection:
            connection.executemany("INSERT OR IGNORE INTO blobs VALUES (?, ?)", values.items())

    @contextlib.contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """A connection whose changes are committed when it is closed without an error."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.closing(sqlite3.connect(self._path, timeout=WAIT_S)) as connection, connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute("CREATE TABLE IF NOT EXISTS blobs (key TEXT PRIMARY KEY, value BLOB)")
            yield connection
