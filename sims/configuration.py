"""One design that simulator and RTL are compared on, and its workloads."""

import dataclasses
import random
import zlib
from collections.abc import Iterator
from typing import Literal

from hwsim.array_datapath import ArrayDatapath
from hwsim.datapath import Array
from hwsim.datapaths.rram import Rram
from rtl.harness import Job
from rtl.stimuli import stimuli
from sims import crossbars, networks
from sims.workloads import KINDS, random_matmul

QUICK_DRAWN = 3
"""How many of each datapath's drawn configurations `make test` runs."""
ROUNDS = {"verilator": 3, "amaranth": 1}
"""How often each kind of workload is drawn."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Configuration:
    """One design under test.

    Attributes:
        name: of the design, unique.
        engine: what runs its RTL.
        quick: whether `make test` runs it.
        network: whether it also runs every layer of the digits networks.
    """

    name: str
    datapath: ArrayDatapath | Rram
    array: Array
    engine: Literal["verilator", "amaranth"]
    quick: bool = False
    network: bool = False

    def workloads(self) -> Iterator[tuple[str, Job]]:
        """Name and job of each workload, first without stalls and then with them."""
        if self.network:
            yield from self._networks()
        for turn in range(ROUNDS[self.engine]):
            for kind in crossbars.KINDS if isinstance(self.datapath, Rram) else KINDS:
                seed = zlib.crc32(f"{self.name} {kind} {turn}".encode())
                job = self._drawn(kind, seed)
                yield kind, job
                yield kind, dataclasses.replace(job, stall=random.Random(seed).randrange(32, 200))

    def _networks(self) -> Iterator[tuple[str, Job]]:
        if isinstance(self.datapath, Rram):
            return crossbars.network_jobs(self.datapath, self.array)
        return networks.jobs(self.datapath, self.array)

    def _drawn(self, kind: str, seed: int) -> Job:
        if isinstance(self.datapath, Rram):
            return crossbars.job(kind, self.datapath, self.array, seed)
        matmul = random_matmul(kind, self.datapath, self.array, seed)
        return Job(stimuli=stimuli(self.datapath, self.array, matmul), seed=seed)
