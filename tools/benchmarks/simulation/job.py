"""The simulated job: chunks on their way through slots, functions and rates.

Chunks are alike, and everything is first come, first served, so the same job takes the same time
whenever it is simulated.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Generator
from typing import Any

import simpy

from batchops.planning.job_model import (
    ENVIRONMENTS,
    FUNCTIONS,
    SERVICE,
    SLOTS,
    JobModel,
    Rate,
    Step,
)
from tools.benchmarks.simulation.outcome import Outcome

Process = Generator[simpy.Event, Any, None]

# More than all chunks together can need; a pool of infinity would never take anything back.
_UNLIMITED = 10**12


class _Bucket:
    """A rate at work: says how long who comes now has to wait."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._due = -math.inf  # when all that was asked for so far is due
        self._first = math.inf  # when it was asked for the first time

    def take(self, now: float, amount: float) -> float:
        self._first = min(self._first, now)
        due = max(self._due, now - self._rate.burst / self._rate.per_s)
        self._due = due + amount / self._rate.after(due - self._first)
        return max(0.0, self._due - now)


class _Job:
    def __init__(self, model: JobModel) -> None:
        self.env = simpy.Environment()
        self._numbers = range(1, model.chunks + 1)
        self._steps, self._times, limits = model.steps, model.times, model.limits
        self._slots = simpy.Resource(self.env, limits.slots)
        pool = limits.functions or _UNLIMITED
        self._functions = simpy.Container(self.env, capacity=pool, init=pool)
        self._starts = tuple(limits.starts)
        rates = {**limits.starts, **limits.requests}
        self._buckets = {name: _Bucket(rate) for name, rate in rates.items()}
        grown = limits.environments
        self._grown = {step.name: _Bucket(grown) for step in self._steps} if grown else {}
        self._idle: defaultdict[str, int] = defaultdict(int)
        self.waits: defaultdict[str, float] = defaultdict(float)
        self.starts: dict[int, float] = {}
        self.ends: dict[int, float] = {}
        self.parts: dict[str, float] = {}

    def run(self) -> Process:
        times = self._times
        for name, seconds in (("start", times.start), ("split", times.split)):
            yield from self._part(name, seconds)
        began = self.env.now
        yield self.env.timeout(times.map_start)
        yield self.env.all_of([self.env.process(self._chunk(number)) for number in self._numbers])
        self.parts["chunks"] = self.env.now - began
        for name, seconds in (("merge", times.merge), ("mail", times.mail)):
            yield from self._part(name, seconds)

    def _part(self, name: str, seconds: float) -> Process:
        self.parts[name] = seconds
        yield self.env.timeout(seconds)

    def _chunk(self, number: int) -> Process:
        asked = self.env.now
        with self._slots.request() as slot:
            yield slot
            self.waits[SLOTS] += self.env.now - asked
            for name in self._starts:
                yield from self._take(name, 1)
            self.starts[number] = self.env.now
            yield self.env.timeout(self._times.before)
            for step in self._steps:
                yield self.env.timeout(self._times.state)
                yield from self._call(step)
            self.ends[number] = self.env.now
            yield self.env.timeout(self._times.after)

    def _call(self, step: Step) -> Process:
        asked = self.env.now
        yield self._functions.get(step.functions)
        self.waits[FUNCTIONS] += self.env.now - asked
        yield from self._environment(step)
        for name, amount in step.requests.items():
            yield from self._take(name, amount)
        yield self.env.timeout(step.seconds)
        self.waits[SERVICE] += step.seconds
        self._idle[step.name] += 1
        yield self._functions.put(step.functions)

    def _environment(self, step: Step) -> Process:
        """Take a warm environment of a function, or wait for a new one."""
        name = step.name
        if self._idle[name]:
            self._idle[name] -= 1
            return
        if name in self._grown:
            wait = self._grown[name].take(self.env.now, 1)
            self.waits[ENVIRONMENTS] += wait
            yield self.env.timeout(wait)
        self.waits[SERVICE] += step.cold_s
        yield self.env.timeout(step.cold_s)

    def _take(self, name: str, amount: float) -> Process:
        bucket = self._buckets.get(name)
        wait = bucket.take(self.env.now, amount) if bucket and amount else 0.0
        if wait:
            self.waits[name] += wait
            yield self.env.timeout(wait)


def simulate(model: JobModel) -> Outcome:
    """Simulate a job from its upload to its mail.

    Raises
    ------
    ValueError
        If a step needs more functions than may run at all.
    """
    needed, functions = max(step.functions for step in model.steps), model.limits.functions
    if functions is not None and needed > functions:
        raise ValueError(f"a step needs {needed} functions, and {functions} may run")
    job = _Job(model)
    job.env.run(job.env.process(job.run()))
    return Outcome(job.env.now, job.parts, job.starts, job.ends, dict(job.waits))
