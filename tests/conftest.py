"""Settings and fixtures that all tests share."""

import os
import time

import pytest
import sqlalchemy as sa
from hypothesis import settings

from tests.postgresql import server

settings.register_profile("hwsim", deadline=None)  # the first call of a kernel compiles it
settings.load_profile("hwsim")


@pytest.fixture(scope="session")
def postgresql():
    """The URL of a PostgreSQL database: ``$HWSIM_TEST_POSTGRESQL``, or one of the tests' own."""
    if url := os.environ.get("HWSIM_TEST_POSTGRESQL"):
        yield url
        return
    with server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path):
    """A new, empty database for a study; PostgreSQL's in a schema of its own."""
    if request.param == "sqlite":
        yield str(tmp_path / "study.sqlite")
        return
    url, name = request.getfixturevalue("postgresql"), f"hwsim_{os.getpid()}_{time.time_ns()}"
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.schema.CreateSchema(name))
    yield f"{url}{'&' if '?' in url else '?'}options=-csearch_path%3D{name}"
    with engine.begin() as connection:
        connection.execute(sa.schema.DropSchema(name, cascade=True))
    engine.dispose()
