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
    from batchops.compare import Comparison, compare
    from batchops.cost_values import Cost, CostComparison
    from batchops.doctor import Diagnosis
    from batchops.email import Email
    from batchops.engine import LocalEngine
    from batchops.errors import BatchOpsError
    from batchops.graph import WorkflowGraph
    from batchops.job import Job
    from batchops.plan import Plan
    from batchops.preview import Preview
    from batchops.repair_plan import RepairPlan
    from batchops.rerun_plan import RerunPlan
    from batchops.sample import Sample, make_sample, write_sample
    from batchops.stack import Stack
    from batchops.stack_values import Deployment, Destruction
    from batchops.status import JobStatus
    from batchops.why import Why

_HOMES = {
    "Balance": "batchops.balance",
    "BatchOpsError": "batchops.errors",
    "Comparison": "batchops.compare",
    "Cost": "batchops.cost_values",
    "CostComparison": "batchops.cost_values",
    "Deployment": "batchops.stack_values",
    "Destruction": "batchops.stack_values",
    "Diagnosis": "batchops.doctor",
    "Email": "batchops.email",
    "Job": "batchops.job",
    "JobStatus": "batchops.status",
    "LocalEngine": "batchops.engine",
    "Plan": "batchops.plan",
    "Preview": "batchops.preview",
    "RepairPlan": "batchops.repair_plan",
    "RerunPlan": "batchops.rerun_plan",
    "Sample": "batchops.sample",
    "Stack": "batchops.stack",
    "Why": "batchops.why",
    "WorkflowGraph": "batchops.graph",
    "compare": "batchops.compare",
    "make_sample": "batchops.sample",
    "write_sample": "batchops.sample",
}

__all__ = [
    "Balance",
    "BatchOpsError",
    "Comparison",
    "Cost",
    "CostComparison",
    "Deployment",
    "Destruction",
    "Diagnosis",
    "Email",
    "Job",
    "JobStatus",
    "LocalEngine",
    "Plan",
    "Preview",
    "RepairPlan",
    "RerunPlan",
    "Sample",
    "Stack",
    "Why",
    "WorkflowGraph",
    "compare",
    "make_sample",
    "write_sample",
]


def __getattr__(name: str) -> Any:
    """Load a public name on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'batchops' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
