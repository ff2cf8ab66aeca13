"""What a replayed job showed, on any engine."""

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """Judged by the engine while it ran.

    Attributes:
        mismatches: result beats that differ from the golden ones, or never came.
        violations: clock edges at which a stream rule was broken.
        cycles: first accepted beat to last result, both edges included.
        first_mismatch: index of the first wrong beat among all results of the run.
    """

    mismatches: int
    violations: int
    cycles: int
    first_mismatch: int = 0
