"""Plan which faults strike where: the seed chooses from the calls of a job without faults."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Sequence

from batchcore.workflow import CHUNK_FUNCTIONS, NOTIFICATION, READ, WRITE

from batchops.core.errors import InputError
from tools.drill.calls import Call
from tools.drill.faults import (
    ENGINE,
    KINDS,
    PLACES,
    QUEUE,
    STEPS,
    WORKFLOW,
    Fault,
    Kind,
)
from tools.drill.injector import aims_at, writes_of

# Faults that last until the first attempt has failed. Each exhausts the retries, which takes
# seconds, so not every pair is here but one of each way to fail at each step.
LASTING = {
    "s3-lambda-notification": ("exception", "throttle"),
    "split-ip-file": ("exception", "kill"),
    "read-file": ("exception", "s3-slowdown"),
    "validate-data": ("exception", "timeout"),
    "enrich-data": ("exception", "api-error"),
    "get-data": ("throttle",),
    "write-output-chunk": ("exception", "kill", "partial-write", "dynamodb-throttle"),
    "merge-s3-files": ("exception", "kill", "partial-write"),
    "send-email": ("exception", "mail-refused"),
}
# The function at work when a job, or the engine, is stopped.
STOPPED_AT = (READ.function, WRITE.function)
# At most so many writes of one step are struck; the split has more.
_CUTS = 5


def plan_faults(
    calls: Sequence[Call],
    *,
    seed: int,
    steps: Collection[str] | None = None,
    kinds: Collection[str] | None = None,
) -> list[Fault]:
    """Return the faults of a drill, in the order of the steps.

    What the seed chooses for one step does not depend on which others are planned.

    Parameters
    ----------
    calls
        What a job without faults called.
    seed
        Decides the chunks, the calls and the writes that are struck.
    steps, kinds
        Only these; by default all of `PLACES` and `KINDS`.

    Raises
    ------
    InputError
        If one is unknown, or nothing is left.
    """
    check_names(steps, kinds)
    found = [
        fault
        for step in PLACES
        if steps is None or step in steps
        for kind in KINDS.values()
        if kinds is None or kind.name in kinds
        for fault in _faults(calls, step, kind, seed)
    ]
    if not found:
        raise InputError(f"no fault of {sorted(kinds or KINDS)} applies to {sorted(steps or ())}")
    return found


def check_names(steps: Collection[str] | None, kinds: Collection[str] | None) -> None:
    """Refuse unknown names of steps and faults.

    Raises
    ------
    InputError
    """
    _check("step", steps, PLACES)
    _check("fault", kinds, tuple(KINDS))


def _check(what: str, given: Collection[str] | None, known: Sequence[str]) -> None:
    for name in given or ():
        if name not in known:
            raise InputError(f"no {what} {name!r}: it is one of {', '.join(known)}")


def _faults(calls: Sequence[Call], step: str, kind: Kind, seed: int) -> Iterator[Fault]:
    chance = random.Random(f"{seed}/{step}/{kind.name}")  # noqa: S311  (to be repeated)
    chunks = sorted({call.chunk for call in calls if call.chunk is not None})
    if kind.action in ("stop", "restart"):
        if step == (WORKFLOW if kind.action == "stop" else ENGINE):
            for at in STOPPED_AT:
                yield Fault(step, kind.name, chance.choice(chunks), at=at)
        return
    if kind.action == "queue":
        if step == QUEUE:
            yield Fault(step, kind.name)
        return
    if step not in STEPS:
        return
    chunk = chance.choice(chunks) if step in CHUNK_FUNCTIONS else None
    if kind.action == "throttle":  # Lambda does not look into what it refuses
        # The local engine repeats an event with the function's settings of the first try, so a
        # throttle of the notification never passes.
        if step != NOTIFICATION:
            yield Fault(step, kind.name)
    elif kind.action in ("cut", "lose", "late"):
        yield from _write_faults(calls, step, kind, chunk, chance)
    else:
        fault = Fault(step, kind.name, chunk)
        struck = list(dict.fromkeys(c.operation for c in calls if aims_at(fault, c)))
        if not struck:
            return
        operation = chance.choice(struck) if kind.service else ""
        yield Fault(step, kind.name, chunk, operation=operation)
    if kind.name in LASTING[step]:
        after = 1 if kind.action == "cut" else 0
        where = None if kind.action == "throttle" else chunk
        yield Fault(step, kind.name, where, times=None, after_writes=after)


def _write_faults(
    calls: Sequence[Call], step: str, kind: Kind, chunk: int | None, chance: random.Random
) -> Iterator[Fault]:
    writes = range(1, writes_of(calls, step, chunk) + 1)
    if kind.action == "lose":
        chosen = [chance.choice(writes)] if writes else []
    elif kind.action == "late":
        chosen = sorted({*writes[:1], *writes[-1:]})
    elif len(writes) > _CUTS:  # the first, the last and some between
        between = sorted(chance.sample(writes[1:-1], _CUTS - 2))
        chosen = [writes[0], *between, writes[-1]]
    else:
        chosen = list(writes)
    for write in chosen:
        yield Fault(step, kind.name, chunk, after_writes=write)
