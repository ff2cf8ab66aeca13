"""Replays jobs in Amaranth's own simulator: needs no compiler, suits small arrays."""

import random
from collections.abc import Sequence

from amaranth.sim import Simulator

from rtl import beats
from rtl.generator import AnyArray
from rtl.harness import Job
from rtl.stimuli import RESULTS
from sims.outcome import Outcome

GAP = 16
"""Cycles the array runs empty after a job, and a result is a broken rule."""
PATIENCE = 1024
"""Cycles without any transfer after which a job is given up."""


def replay(component: AnyArray, jobs: Sequence[Job], waves: str | None = None) -> list[Outcome]:
    """One outcome per job; ``waves`` names a VCD file to write."""
    outcomes: list[Outcome] = []

    async def bench(ctx) -> None:
        for job in jobs:
            outcomes.append(await _Replay(ctx, component, job).run())

    simulator = Simulator(component)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    if waves is None:
        simulator.run()
    else:
        with simulator.write_vcd(waves):
            simulator.run()
    return outcomes


class _Source:
    """Offers beats to an input; each waits at random, and stays offered until it is taken."""

    def __init__(self, port, values: list[int], wait) -> None:
        self.valid, self.ready, self.payload = port.valid, port.ready, port.payload.as_value()
        self.values, self.wait = values, wait
        self.next, self.offered = 0, False

    def drive(self, ctx) -> None:
        if not self.offered:
            self.offered = self.next < len(self.values) and not self.wait()
            value = self.values[self.next] if self.next < len(self.values) else 0
            ctx.set(self.payload, value if self.offered else ~value)
            ctx.set(self.valid, self.offered)

    def taken(self, ctx) -> bool:
        """Whether the coming edge transfers the offered beat."""
        if not (self.offered and ctx.get(self.ready)):
            return False
        self.next += 1
        self.offered = False
        return True


class _Sink:
    """Takes results at random times, compares them, checks the rules of the stream."""

    def __init__(self, port, values: list[int], wait) -> None:
        self.valid, self.ready, self.payload = port.valid, port.ready, port.payload.as_value()
        self.values, self.wait = values, wait
        self.next, self.mismatches, self.violations, self.first_mismatch = 0, 0, 0, 0
        self.held: int | None = None

    def drive(self, ctx) -> bool:
        """Sets ready; True if the stream broke a rule by looking at it."""
        before = ctx.get(self.valid)
        ctx.set(self.ready, self.next < len(self.values) and not self.wait())
        return before != ctx.get(self.valid)

    def taken(self, ctx, exhausted: bool) -> bool:
        """Whether the coming edge transfers a result; judges it."""
        if not ctx.get(self.valid):
            self.violations += self.held is not None
            self.held = None
            return False
        payload = ctx.get(self.payload)
        surplus = self.next >= len(self.values)
        self.violations += surplus or self.held not in (None, payload)
        self.held = None if ctx.get(self.ready) else payload
        if self.held is not None:
            return False
        if payload != self.values[self.next]:
            self.first_mismatch = self.first_mismatch if self.mismatches else self.next
            self.mismatches += 1
        self.next += 1
        self.violations += self.next == len(self.values) and not exhausted
        return True


class _Replay:
    """One job."""

    def __init__(self, ctx, component: AnyArray, job: Job) -> None:
        self._ctx = ctx
        noise = random.Random(job.seed)

        def wait() -> bool:
            return job.stall > 0 and noise.randrange(256) < job.stall

        self._sources = [
            _Source(getattr(component, name), beats.to_ints(packed), wait)
            for name, packed in job.stimuli.streams.items()
            if name != RESULTS
        ]
        self._sink = _Sink(component.o_results, beats.to_ints(job.stimuli.streams[RESULTS]), wait)

    async def run(self) -> Outcome:
        cycles, idle, counting = 0, 0, False
        sink = self._sink
        while sink.next < len(sink.values) and idle < PATIENCE:
            accepted, delivered = self._edge()
            counting |= accepted
            cycles += counting
            idle = 0 if accepted or delivered else idle + 1
            await self._ctx.tick()
        missing = len(sink.values) - sink.next
        for _ in range(GAP):
            self._edge()
            await self._ctx.tick()
        return Outcome(
            mismatches=sink.mismatches + missing, violations=sink.violations, cycles=cycles,
            first_mismatch=sink.first_mismatch,
        )  # fmt: skip

    def _edge(self) -> tuple[bool, bool]:
        """Drives the inputs for the coming edge; whether it transfers input beats, a result."""
        for source in self._sources:
            source.drive(self._ctx)
        self._sink.violations += self._sink.drive(self._ctx)
        accepted = [source.taken(self._ctx) for source in self._sources]
        exhausted = all(source.next == len(source.values) for source in self._sources)
        return any(accepted), self._sink.taken(self._ctx, exhausted)
