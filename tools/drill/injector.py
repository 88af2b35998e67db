"""Decide which calls a fault strikes, and count them."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from tools.drill.calls import Call
from tools.drill.faults import KINDS, Fault, Kind


class Injector:
    """Holds at most one fault, and decides for each call whether it strikes.

    Objects may be used by several threads at once.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fault: Fault | None = None
        self._writes = 0
        self._fired = 0
        self._calls: list[Call] = []
        self._spoiling = threading.Condition()
        self._under_way = 0
        self._struck = threading.Event()
        self.lifted = threading.Event()

    def arm(self, fault: Fault | None) -> None:
        """Set the fault, or None to only record the calls; counts start at 0."""
        with self._lock:
            self._fault, self._writes, self._fired, self._calls = fault, 0, 0, []
            self._struck.clear()
            self.lifted.clear()

    def lift(self) -> None:
        """Let every call pass from now on, and release the calls that are held."""
        with self._lock:
            self._fault = None
        self.lifted.set()

    @contextmanager
    def spoiling(self) -> Iterator[None]:
        """Count a call as being spoilt."""
        with self._spoiling:
            self._under_way += 1
        try:
            yield
        finally:
            with self._spoiling:
                self._under_way -= 1
                self._spoiling.notify_all()

    def settle(self, timeout_s: float) -> bool:
        """Wait until no call is being spoilt; return False if one still is after the time-out."""
        with self._spoiling:
            return self._spoiling.wait_for(lambda: not self._under_way, timeout_s)

    @property
    def fired(self) -> int:
        """How many calls were struck since the fault was armed."""
        with self._lock:
            return self._fired

    @property
    def calls(self) -> tuple[Call, ...]:
        """Every call since the fault was armed."""
        with self._lock:
            return tuple(self._calls)

    def wait_until_fired(self, timeout_s: float) -> bool:
        """Wait for the first struck call; return False if there is none before the time-out."""
        return self._struck.wait(timeout_s)

    def decide(self, call: Call) -> Kind | None:
        """Record a call, and return the kind of fault that strikes it, if any."""
        with self._lock:
            self._calls.append(call)
            fault = self._fault
            if fault is None or not aims_at(fault, call):
                return None
            if fault.after_writes:
                self._writes += 1
                if self._writes < fault.after_writes:
                    return None
                self._writes = 0  # the next try of a lasting fault counts again
            if fault.times is not None and self._fired >= fault.times:
                return None
            self._fired += 1
            self._struck.set()
            return KINDS[fault.kind]


def aims_at(fault: Fault, call: Call) -> bool:
    """Return whether a fault may strike a call."""
    kind = KINDS[fault.kind]
    return (
        call.function == fault.function
        and call.chunk == fault.chunk
        and (not kind.service or call.service == kind.service)
        and (not kind.operations or call.operation in kind.operations)
        and (not fault.operation or call.operation == fault.operation)
        and (not fault.after_writes or call.writes)
    )


def writes_of(calls: Iterable[Call], step: str, chunk: int | None) -> int:
    """Count the writes of a step for a chunk, or for the job."""
    return sum(c.writes for c in calls if c.function == step and c.chunk == chunk)
