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
    from batchops.core.errors import BatchOpsError
    from batchops.core.ledger.error_table import ErrorFilter
    from batchops.deployment.events import StackEvents
    from batchops.deployment.listing import list_stacks
    from batchops.deployment.preview import Preview
    from batchops.deployment.stack_values import Deployment, Destruction
    from batchops.inspection.balance import Balance
    from batchops.inspection.checks import Diagnosis
    from batchops.inspection.chunk_grid import ChunkGrid
    from batchops.inspection.compare import Comparison, compare
    from batchops.inspection.email import Email
    from batchops.inspection.error_pages import ErrorPage
    from batchops.inspection.result_files import ResultFile
    from batchops.inspection.status import JobStatus
    from batchops.inspection.why import Why
    from batchops.job import Job
    from batchops.local.engine import LocalEngine
    from batchops.planning.cost_values import Cost, CostComparison
    from batchops.planning.plan import Plan
    from batchops.planning.upload_check import UploadCheck, check_upload
    from batchops.planning.what_if_values import WhatIf
    from batchops.plots.data_plots import plot_totals
    from batchops.recovery.redelivery import Redelivery
    from batchops.recovery.repair_plan import RepairPlan
    from batchops.recovery.rerun_plan import RerunPlan
    from batchops.samples.sample import Sample, make_sample, write_sample
    from batchops.samples.workshop import sample_fault, sample_job
    from batchops.show.graph import WorkflowGraph
    from batchops.stack import Stack
    from batchops.widgets.console import Console, console

_HOMES = {
    "Balance": "batchops.inspection.balance",
    "BatchOpsError": "batchops.core.errors",
    "ChunkGrid": "batchops.inspection.chunk_grid",
    "Comparison": "batchops.inspection.compare",
    "Console": "batchops.widgets.console",
    "Cost": "batchops.planning.cost_values",
    "CostComparison": "batchops.planning.cost_values",
    "Deployment": "batchops.deployment.stack_values",
    "Destruction": "batchops.deployment.stack_values",
    "Diagnosis": "batchops.inspection.checks",
    "Email": "batchops.inspection.email",
    "ErrorFilter": "batchops.core.ledger.error_table",
    "ErrorPage": "batchops.inspection.error_pages",
    "Job": "batchops.job",
    "JobStatus": "batchops.inspection.status",
    "LocalEngine": "batchops.local.engine",
    "Plan": "batchops.planning.plan",
    "Preview": "batchops.deployment.preview",
    "Redelivery": "batchops.recovery.redelivery",
    "RepairPlan": "batchops.recovery.repair_plan",
    "RerunPlan": "batchops.recovery.rerun_plan",
    "ResultFile": "batchops.inspection.result_files",
    "Sample": "batchops.samples.sample",
    "Stack": "batchops.stack",
    "StackEvents": "batchops.deployment.events",
    "UploadCheck": "batchops.planning.upload_check",
    "WhatIf": "batchops.planning.what_if_values",
    "Why": "batchops.inspection.why",
    "WorkflowGraph": "batchops.show.graph",
    "check_upload": "batchops.planning.upload_check",
    "compare": "batchops.inspection.compare",
    "console": "batchops.widgets.console",
    "list_stacks": "batchops.deployment.listing",
    "make_sample": "batchops.samples.sample",
    "plot_totals": "batchops.plots.data_plots",
    "sample_fault": "batchops.samples.workshop",
    "sample_job": "batchops.samples.workshop",
    "write_sample": "batchops.samples.sample",
}

__all__ = [
    "Balance",
    "BatchOpsError",
    "ChunkGrid",
    "Comparison",
    "Console",
    "Cost",
    "CostComparison",
    "Deployment",
    "Destruction",
    "Diagnosis",
    "Email",
    "ErrorFilter",
    "ErrorPage",
    "Job",
    "JobStatus",
    "LocalEngine",
    "Plan",
    "Preview",
    "Redelivery",
    "RepairPlan",
    "RerunPlan",
    "ResultFile",
    "Sample",
    "Stack",
    "StackEvents",
    "UploadCheck",
    "WhatIf",
    "Why",
    "WorkflowGraph",
    "check_upload",
    "compare",
    "console",
    "list_stacks",
    "make_sample",
    "plot_totals",
    "sample_fault",
    "sample_job",
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
