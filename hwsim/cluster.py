"""A Dask cluster as the executor of sweeps and searches."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import Executor

from hwsim.errors import HwsimError, MissingExtraError

RETRIES = 3
"""Times that a task is tried again whose worker failed; Dask itself moves the tasks of workers that died."""
WAIT_S = 10
"""For a scheduler to answer."""


@contextlib.contextmanager
def dask_executor(address: str) -> Iterator[Executor]:
    """The Dask cluster whose scheduler is at ``address``, such as ``tcp://host:8786``.

    Its workers need the same hwsim; tasks refuse to run on another one. HwsimError if no scheduler answers, or it has
    no worker.
    """
    try:
        from distributed import Client
    except ImportError:
        raise MissingExtraError("a Dask cluster", "dask") from None
    try:
        client = Client(address, timeout=WAIT_S)
    except (OSError, ValueError, TypeError, ImportError) as error:
        raise HwsimError(f"no Dask scheduler answers at {address!r}: {error}") from None
    with client:
        try:
            client.wait_for_workers(1, timeout=WAIT_S)
        except TimeoutError:
            raise HwsimError(f"the Dask scheduler at {address!r} has no workers") from None
        with client.get_executor(retries=RETRIES, pure=False) as executor:
            yield executor
