"""What came of a simulated job, and what kept it from being done sooner."""

from __future__ import annotations

from dataclasses import dataclass

from batchops.planning.job_model import (
    ENVIRONMENTS,
    EXECUTIONS,
    FUNCTIONS,
    SERVICE,
    SLOTS,
    STARTS,
)

# The limits that a chunk meets before it asks anything of another service.
_OUTER = (SLOTS, STARTS, EXECUTIONS, FUNCTIONS, ENVIRONMENTS)


@dataclass(frozen=True)
class Outcome:
    """What came of a simulated job.

    Attributes
    ----------
    seconds : float
        From the upload to the mail.
    parts : dict of float
        Seconds of the job's parts.
    starts, ends : dict of float
        When each chunk's work began and was done, by its number.
    waits : dict of float
        Seconds that chunks waited, added up, by limit; and their own time.
    """

    seconds: float
    parts: dict[str, float]
    starts: dict[int, float]
    ends: dict[int, float]
    waits: dict[str, float]

    @property
    def bottleneck(self) -> str:
        """What the job would have to have more of, or do faster, to be done sooner.

        Whoever holds a slot or a function while waiting for something else keeps others from it.
        So the innermost limit counts that chunks wait longer for than they work; a limit further
        out only if none further in does.
        """
        longest = max(self.parts, key=lambda name: self.parts[name])
        if longest != "chunks":
            return f"the {longest}"
        inside = self.waits[SERVICE]
        requests = {k: v for k, v in self.waits.items() if k not in _OUTER and k != SERVICE}
        for group in (requests, _pick(self.waits, FUNCTIONS, ENVIRONMENTS)):
            name = max(group, key=lambda key: group[key], default="")
            if name and group[name] > inside:
                return name
            inside += sum(group.values())
        outer = _pick(self.waits, SLOTS, STARTS, EXECUTIONS)
        # Of the rates outside of the slots every chunk sees its share, of the slots the queue.
        for name in (STARTS, EXECUTIONS):
            if outer[name] > inside:
                return name
        return SLOTS if outer[SLOTS] > inside else SERVICE


def _pick(waits: dict[str, float], *names: str) -> dict[str, float]:
    return {name: waits.get(name, 0.0) for name in names}
