"""batchops: deploy, run, watch and repair a serverless CSV batch stack.

>>> import batchops as bo
>>> stack = bo.Stack("workshop", target="local")
>>> stack.deploy()
>>> job = stack.submit("orders.csv")
>>> job.wait()
>>> print(job.balance())

Errors are names of the package too: ``except bo.JobFailedError``. Names are loaded when first used,
so that the import is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from batchops.core.version import __version__

if TYPE_CHECKING:
    from batchops.core.errors import (
        AccessDeniedError,
        AwsError,
        BatchOpsError,
        CredentialsError,
        DeployFailedError,
        EndpointError,
        EngineError,
        EngineInstallError,
        EngineNotRunningError,
        EngineStartError,
        FunctionFailedError,
        InputError,
        JobError,
        JobFailedError,
        JobNotFoundError,
        JobRunningError,
        MissingExtraError,
        PackagingError,
        ProjectError,
        RegionError,
        StackBusyError,
        StackError,
        StackNotFoundError,
        StackStuckError,
        StackTimeoutError,
        WaitTimeoutError,
    )
    from batchops.core.ledger.error_items import ErrorFilter
    from batchops.deployment.deletion import Destruction
    from batchops.deployment.deploy import Deployment
    from batchops.deployment.deployer import Policy
    from batchops.deployment.drift import Drift
    from batchops.deployment.listing import list_stacks
    from batchops.deployment.preview import Preview
    from batchops.deployment.stack_events import StackEvents
    from batchops.inspection.balance import Balance
    from batchops.inspection.checks import Diagnosis
    from batchops.inspection.chunk_detail import ChunkDetail
    from batchops.inspection.chunk_grid import ChunkGrid
    from batchops.inspection.compare import Comparison, compare
    from batchops.inspection.duplicates import Duplicates
    from batchops.inspection.email import Email
    from batchops.inspection.error_pages import ErrorPage
    from batchops.inspection.rejects_workbook import RejectsWorkbook
    from batchops.inspection.report import JobReport
    from batchops.inspection.result_files import ResultFile
    from batchops.inspection.status import JobStatus
    from batchops.inspection.why import Why
    from batchops.job import Job
    from batchops.local.engine import LocalEngine
    from batchops.planning.actual_cost import CostComparison
    from batchops.planning.cost import Cost
    from batchops.planning.plan import Plan
    from batchops.planning.schema_draft import SchemaDraft, infer_schema
    from batchops.planning.schema_explain import SchemaExplanation, explain_schema
    from batchops.planning.schema_report import SchemaReport, check_schema_file
    from batchops.planning.upload_check import UploadCheck, check_upload
    from batchops.planning.what_if import WhatIf
    from batchops.plots.data_plots import plot_totals
    from batchops.recovery.purge import Purge
    from batchops.recovery.reconcile import Reconciliation
    from batchops.recovery.redelivery import Redelivery
    from batchops.recovery.repair_plan import RepairPlan
    from batchops.recovery.rerun_plan import RerunPlan
    from batchops.samples.sample import Sample, make_sample, write_sample
    from batchops.samples.workshop import sample_fault, sample_job, sample_stack
    from batchops.show.graph import WorkflowGraph
    from batchops.show.tables import plain_tables
    from batchops.stack import Stack
    from batchops.widgets.console import Console, console

# The module that each name is loaded from.
_MODULES = {
    "batchops.core.errors": (
        "AccessDeniedError",
        "AwsError",
        "BatchOpsError",
        "CredentialsError",
        "DeployFailedError",
        "EndpointError",
        "EngineError",
        "EngineInstallError",
        "EngineNotRunningError",
        "EngineStartError",
        "FunctionFailedError",
        "InputError",
        "JobError",
        "JobFailedError",
        "JobNotFoundError",
        "JobRunningError",
        "MissingExtraError",
        "PackagingError",
        "ProjectError",
        "RegionError",
        "StackBusyError",
        "StackError",
        "StackNotFoundError",
        "StackStuckError",
        "StackTimeoutError",
        "WaitTimeoutError",
    ),
    "batchops.core.ledger.error_items": ("ErrorFilter",),
    "batchops.deployment.deletion": ("Destruction",),
    "batchops.deployment.deploy": ("Deployment",),
    "batchops.deployment.deployer": ("Policy",),
    "batchops.deployment.drift": ("Drift",),
    "batchops.deployment.listing": ("list_stacks",),
    "batchops.deployment.preview": ("Preview",),
    "batchops.deployment.stack_events": ("StackEvents",),
    "batchops.inspection.balance": ("Balance",),
    "batchops.inspection.checks": ("Diagnosis",),
    "batchops.inspection.chunk_detail": ("ChunkDetail",),
    "batchops.inspection.chunk_grid": ("ChunkGrid",),
    "batchops.inspection.compare": (
        "Comparison",
        "compare",
    ),
    "batchops.inspection.duplicates": ("Duplicates",),
    "batchops.inspection.email": ("Email",),
    "batchops.inspection.error_pages": ("ErrorPage",),
    "batchops.inspection.rejects_workbook": ("RejectsWorkbook",),
    "batchops.inspection.report": ("JobReport",),
    "batchops.inspection.result_files": ("ResultFile",),
    "batchops.inspection.status": ("JobStatus",),
    "batchops.inspection.why": ("Why",),
    "batchops.job": ("Job",),
    "batchops.local.engine": ("LocalEngine",),
    "batchops.planning.actual_cost": ("CostComparison",),
    "batchops.planning.cost": ("Cost",),
    "batchops.planning.plan": ("Plan",),
    "batchops.planning.schema_draft": (
        "SchemaDraft",
        "infer_schema",
    ),
    "batchops.planning.schema_explain": (
        "SchemaExplanation",
        "explain_schema",
    ),
    "batchops.planning.schema_report": (
        "SchemaReport",
        "check_schema_file",
    ),
    "batchops.planning.upload_check": (
        "UploadCheck",
        "check_upload",
    ),
    "batchops.planning.what_if": ("WhatIf",),
    "batchops.plots.data_plots": ("plot_totals",),
    "batchops.recovery.purge": ("Purge",),
    "batchops.recovery.reconcile": ("Reconciliation",),
    "batchops.recovery.redelivery": ("Redelivery",),
    "batchops.recovery.repair_plan": ("RepairPlan",),
    "batchops.recovery.rerun_plan": ("RerunPlan",),
    "batchops.samples.sample": (
        "Sample",
        "make_sample",
        "write_sample",
    ),
    "batchops.samples.workshop": (
        "sample_fault",
        "sample_job",
        "sample_stack",
    ),
    "batchops.show.graph": ("WorkflowGraph",),
    "batchops.show.tables": ("plain_tables",),
    "batchops.stack": ("Stack",),
    "batchops.widgets.console": (
        "Console",
        "console",
    ),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "AccessDeniedError",
    "AwsError",
    "Balance",
    "BatchOpsError",
    "ChunkDetail",
    "ChunkGrid",
    "Comparison",
    "Console",
    "Cost",
    "CostComparison",
    "CredentialsError",
    "DeployFailedError",
    "Deployment",
    "Destruction",
    "Diagnosis",
    "Drift",
    "Duplicates",
    "Email",
    "EndpointError",
    "EngineError",
    "EngineInstallError",
    "EngineNotRunningError",
    "EngineStartError",
    "ErrorFilter",
    "ErrorPage",
    "FunctionFailedError",
    "InputError",
    "Job",
    "JobError",
    "JobFailedError",
    "JobNotFoundError",
    "JobReport",
    "JobRunningError",
    "JobStatus",
    "LocalEngine",
    "MissingExtraError",
    "PackagingError",
    "Plan",
    "Policy",
    "Preview",
    "ProjectError",
    "Purge",
    "Reconciliation",
    "Redelivery",
    "RegionError",
    "RejectsWorkbook",
    "RepairPlan",
    "RerunPlan",
    "ResultFile",
    "Sample",
    "SchemaDraft",
    "SchemaExplanation",
    "SchemaReport",
    "Stack",
    "StackBusyError",
    "StackError",
    "StackEvents",
    "StackNotFoundError",
    "StackStuckError",
    "StackTimeoutError",
    "UploadCheck",
    "WaitTimeoutError",
    "WhatIf",
    "Why",
    "WorkflowGraph",
    "__version__",
    "check_schema_file",
    "check_upload",
    "compare",
    "console",
    "explain_schema",
    "infer_schema",
    "list_stacks",
    "make_sample",
    "plain_tables",
    "plot_totals",
    "sample_fault",
    "sample_job",
    "sample_stack",
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
