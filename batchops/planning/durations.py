"""How long a job is likely to take on AWS, computed from its model.

Every number is a pair: at best and at worst. `batchops.planning.job_model` has the model and all
assumptions. The chunks take as long as the tightest limit allows, each limit taken on its own. A
test compares that with the simulation, in which all limits work at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchops.planning.function_times import BEST, WORST
from batchops.planning.job_model import SERVICE, JobModel, model_job
from batchops.show.numbers import rough_duration

if TYPE_CHECKING:
    from batchops.planning.workload import Workload

# A limit is named only if it makes all chunks take this many times as long as one chunk alone.
_NOTABLE = 1.25


@dataclass(frozen=True)
class Estimate:
    """A part of a job, or a bound of one, in seconds at best and at worst."""

    name: str
    low_s: float
    high_s: float


@dataclass(frozen=True)
class Duration:
    """How long a job is likely to take on AWS.

    Attributes
    ----------
    low_s, high_s : float
        Seconds from the upload to the mail, with all assumptions at best and at worst.
    parts : tuple of Estimate
        What they are made of: start, split, chunks, merge, mail.
    bounds : tuple of Estimate
        How long each limit alone makes the chunks take; the largest decides.
    bottleneck : str
        The part, or the bound of the chunks, that most of the time goes to.
    """

    low_s: float
    high_s: float
    parts: tuple[Estimate, ...]
    bounds: tuple[Estimate, ...]
    bottleneck: str

    def __str__(self) -> str:
        """Return the two times and the bottleneck in one line."""
        return f"{rough_duration(self.low_s)} to {rough_duration(self.high_s)}, {self.bottleneck}"


def estimate_duration(work: Workload) -> Duration:
    """Estimate how long the job of a file takes on AWS."""
    models = [model_job(work, side) for side in (BEST, WORST)]
    parts = _pair_up(*(_parts(model) for model in models))
    bounds = _pair_up(*(model.bounds() for model in models))
    return Duration(
        low_s=sum(part.low_s for part in parts),
        high_s=sum(part.high_s for part in parts),
        parts=parts,
        bounds=bounds,
        bottleneck=_bottleneck(parts, bounds),
    )


def _bottleneck(parts: tuple[Estimate, ...], bounds: tuple[Estimate, ...]) -> str:
    """Name the longest part of the job; if that is the chunks, name the limit that decides."""
    longest = max(parts, key=lambda part: part.high_s)
    if longest.name != "chunks":
        return f"mostly the {longest.name}"
    largest = max(bounds, key=lambda bound: bound.high_s)
    (own,) = (bound for bound in bounds if bound.name == SERVICE)
    return f"mostly {(own if largest.high_s < _NOTABLE * own.high_s else largest).name}"


def _parts(model: JobModel) -> dict[str, float]:
    times = model.times
    return {
        "start": times.start,
        "split": times.split,
        "chunks": model.chunks_s,
        "merge": times.merge,
        "mail": times.mail,
    }


def _pair_up(best: Mapping[str, float], worst: Mapping[str, float]) -> tuple[Estimate, ...]:
    return tuple(Estimate(name, best[name], worst[name]) for name in best)
