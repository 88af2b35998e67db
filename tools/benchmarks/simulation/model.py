"""What is simulated: limits, times, the steps of a chunk, and what came of them."""

from __future__ import annotations

from dataclasses import dataclass, field

SLOTS = "chunks at a time (MaxConcurrency)"
DISPATCH = "starts of chunks a second"
EXECUTIONS = "StartExecution calls a second"
FUNCTIONS = "functions at a time"
ENVIRONMENTS = "new environments of a function"
SERVICE = "the functions' own time"


@dataclass(frozen=True)
class Rate:
    """A bucket of tokens: so many a second, and so many at once after a pause."""

    per_s: float
    burst: float = 1.0


@dataclass(frozen=True)
class Limits:
    """What a job can run into; what is not given is without limit.

    Attributes
    ----------
    slots : int
        Chunks in progress at a time.
    functions : int or None
        Functions that run at a time.
    dispatch, executions : Rate or None
        Chunks that the Map starts, and StartExecution calls.
    environments : Rate or None
        New environments, for each function.
    requests : dict of Rate
        What steps ask of other services, by the names that `Step.requests` has.
    """

    slots: int
    functions: int | None = None
    dispatch: Rate | None = None
    executions: Rate | None = None
    environments: Rate | None = None
    requests: dict[str, Rate] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One function's work on one chunk.

    Attributes
    ----------
    name : str
    seconds : float
        From its call to its answer, waiting for limits not counted.
    functions : int
        Functions that run for it, itself included.
    requests : dict of float
        What it asks of other services: units by the name of the limit.
    """

    name: str
    seconds: float
    functions: int = 1
    requests: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Times:
    """How long everything takes that no limit bounds, in seconds.

    Attributes
    ----------
    start, split, map_start, merge, mail : float
        The job's parts but its chunks.
    before, after : float
        Around a chunk's steps: from its slot to the first, from the last to the slot's end.
    state : float
        Before each step.
    cold : float
        The start of a function's new environment.
    """

    start: float = 0.0
    split: float = 0.0
    map_start: float = 0.0
    before: float = 0.0
    state: float = 0.0
    after: float = 0.0
    cold: float = 0.0
    merge: float = 0.0
    mail: float = 0.0


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
        outer = _pick(self.waits, SLOTS, DISPATCH, EXECUTIONS)
        # Of the rates outside of the slots every chunk sees its share, of the slots the queue.
        for name in (DISPATCH, EXECUTIONS):
            if outer[name] > inside:
                return name
        return SLOTS if outer[SLOTS] > inside else SERVICE


_OUTER = (SLOTS, DISPATCH, EXECUTIONS, FUNCTIONS, ENVIRONMENTS)


def _pick(waits: dict[str, float], *names: str) -> dict[str, float]:
    return {name: waits.get(name, 0.0) for name in names}
