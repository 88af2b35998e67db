"""batchops: deploy, run, watch and repair a serverless CSV batch stack.

>>> import batchops as bo
>>> stack = bo.Stack("workshop", target="local")
>>> stack.deploy()
>>> job = stack.submit("orders.csv")
>>> job.wait()
>>> print(job.balance())

Names are loaded when first used, so that the import is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from batchops.balance import Balance
    from batchops.engine import LocalEngine
    from batchops.errors import BatchOpsError
    from batchops.job import Job, JobStatus
    from batchops.sample import Sample, make_sample, write_sample
    from batchops.stack import Deployment, Destruction, Stack

_HOMES = {
    "Balance": "balance",
    "BatchOpsError": "errors",
    "Deployment": "stack",
    "Destruction": "stack",
    "Job": "job",
    "JobStatus": "job",
    "LocalEngine": "engine",
    "Sample": "sample",
    "Stack": "stack",
    "make_sample": "sample",
    "write_sample": "sample",
}

__all__ = [
    "Balance",
    "BatchOpsError",
    "Deployment",
    "Destruction",
    "Job",
    "JobStatus",
    "LocalEngine",
    "Sample",
    "Stack",
    "make_sample",
    "write_sample",
]


def __getattr__(name: str) -> Any:
    """Load a public name on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'batchops' has no attribute {name!r}")
    return getattr(import_module(f"batchops.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
