"""A PostgreSQL server of the tests' own, from the programs in the wheel ``pgserver``."""

import contextlib
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

SETTINGS = "-c listen_addresses='' -c fsync=off -c shared_buffers=16MB"


@contextlib.contextmanager
def server() -> Iterator[str]:
    """SQLAlchemy's URL of a new server, which listens on a socket in a temporary folder and ends with the context.

    Its programs refuse to run as root: then they run as ``nobody``, who may not see the wheel, so from a copy.
    """
    spec = importlib.util.find_spec("pgserver")
    if spec is None:
        pytest.skip("there is no wheel pgserver for this Python: HWSIM_TEST_POSTGRESQL may name a database")
    wheel = Path(str(spec.origin)).parents[1]
    with tempfile.TemporaryDirectory(prefix="hwsim_postgresql_") as folder:
        home, user, group = Path(folder), None, None
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            user, group = nobody.pw_uid, nobody.pw_gid
            for part in ("pgserver/pginstall", "pgserver.libs"):
                shutil.copytree(wheel / part, home / part)
            wheel = home
            os.chown(home, user, group)

        def run(program: str, *arguments: str) -> None:
            subprocess.run(
                [wheel / "pgserver" / "pginstall" / "bin" / program, "--pgdata", home / "data", *arguments],
                check=True, cwd=home, user=user, group=group, extra_groups=None if user is None else [],
                stdout=subprocess.DEVNULL,
            )  # fmt: skip

        run("initdb", "--username=postgres", "--auth=trust", "--encoding=utf8", "--no-locale", "--no-sync")
        run("pg_ctl", "start", "--wait", "--log", str(home / "log"), "--options", f"-k {home} {SETTINGS}")
        try:
            yield f"postgresql+psycopg://postgres@/postgres?host={home}"
        finally:
            run("pg_ctl", "stop", "--wait", "--mode=immediate")
