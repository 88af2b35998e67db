"""What a stack consists of, how it stands, and what would go with it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchcore import jobs

from batchops.core import ledger
from batchops.core.errors import InputError, StackBusyError, translated
from batchops.core.stack_ref import EMPTY, describe_stack
from batchops.deployment import buckets, stack_state
from batchops.show import markup, terminal

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

    from batchops.core.stack_ref import StackRef

NOT_DEPLOYED = "NOT_DEPLOYED"
BUCKETS = ("SourceBucketName", "LoggingBucketName")
_TABLES = ("FinancialTableName", "ErrorTableName", "JobTableName")
_EXECUTION = re.compile(rf"({jobs.JOB_ID.pattern})(-a\d+)?")
_NAMED_JOBS = 5


@dataclass(frozen=True)
class StackStatus:
    """How a stack stands.

    Attributes
    ----------
    stack_name : str
        The stack.
    status : str
        CloudFormation's name of its state, or NOT_DEPLOYED.
    reason : str
        What CloudFormation says about it; often empty.
    created, updated : datetime or None
        UTC; None where it has not happened.
    parameters : dict of str
        The template's parameters as the stack has them.
    advice : str
        What to do next; empty where nothing is to be done.
    """

    stack_name: str
    status: str
    reason: str
    created: datetime | None
    updated: datetime | None
    parameters: Mapping[str, str]
    advice: str

    @property
    def deployed(self) -> bool:
        """Whether there is a stack to work with: one whose last operation ended well."""
        return self.status in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")

    def __str__(self) -> str:
        """Say it in a line, then the parameters."""
        when = self.updated or self.created
        line = f"stack {self.stack_name}: {self.status}"
        line += f" since {when:%Y-%m-%d %H:%M} UTC" if when else ""
        line += f" ({self.reason})" if self.reason else ""
        line += f": {self.advice}" if self.advice else ""
        if not self.parameters:
            return line
        return (
            f"{line}\n{terminal.text_table(('parameter', 'value'), sorted(self.parameters.items()))}"
        )

    def _repr_html_(self) -> str:
        rows = [
            ("status", self.status),
            *(("what to do", text) for text in [self.advice] if text),
            *sorted(self.parameters.items()),
        ]
        return markup.table((self.stack_name, ""), rows)


def stack_status(stack: StackRef) -> StackStatus:
    """Return how the stack stands; one that is not deployed is no error.

    Raises
    ------
    EngineNotRunningError, AwsError
    """
    cfn = stack.client("cloudformation")
    found = describe_stack(cfn, stack.name)
    if found is None or found["StackStatus"] in EMPTY:
        return StackStatus(stack.name, NOT_DEPLOYED, "", None, None, {}, "stack.deploy()")
    status = found["StackStatus"]
    busy = "wait until that has ended" if status.endswith("_IN_PROGRESS") else ""
    return StackStatus(
        stack_name=stack.name,
        status=status,
        reason=found.get("StackStatusReason", ""),
        created=found.get("CreationTime"),
        updated=found.get("LastUpdatedTime"),
        parameters={p["ParameterKey"]: p["ParameterValue"] for p in found.get("Parameters", [])},
        advice=stack_state.explain_stuck(stack.name, status) or busy,
    )


def resources(stack: StackRef) -> pd.DataFrame:
    """Return the stack's resources.

    Returns
    -------
    DataFrame
        One line a resource, by logical id: ``logical_id``, ``type``, ``physical_id`` (str, empty
        until there is one), ``status`` (str), ``updated`` (datetime64[ms, UTC]).

    Raises
    ------
    StackNotFoundError, AwsError
    """
    import pandas as pd

    found = sorted(_resources(stack), key=lambda item: item["LogicalResourceId"])
    names = {
        "logical_id": "LogicalResourceId",
        "type": "ResourceType",
        "physical_id": "PhysicalResourceId",
        "status": "ResourceStatus",
    }
    columns: dict[str, Any] = {
        name: pd.Series([item.get(source, "") for item in found], dtype="str")
        for name, source in names.items()
    }
    times = pd.Series([item["LastUpdatedTimestamp"] for item in found], dtype="object")
    columns["updated"] = pd.to_datetime(times, utc=True).astype("datetime64[ms, UTC]")
    return pd.DataFrame(columns)


def functions(stack: StackRef) -> tuple[str, ...]:
    """Return the stack's functions by the name of their folder in ``source``, sorted."""
    prefix = f"{stack.name}-"
    found = (r for r in _resources(stack) if r["ResourceType"] == "AWS::Lambda::Function")
    return tuple(sorted(r["PhysicalResourceId"].removeprefix(prefix) for r in found))


def check_deployed(stack: StackRef) -> None:
    """Raise StackNotFoundError unless there is such a stack."""
    _ = stack.outputs


def unknown_function(stack: StackRef, function: str) -> InputError:
    """Return the error that names the stack's functions, to be raised where one is not there."""
    return InputError(
        f"stack {stack.name!r} has no function {function!r}: it has {', '.join(functions(stack))}"
    )


def _resources(stack: StackRef) -> Iterator[Any]:
    check_deployed(stack)
    pages = stack.client("cloudformation").get_paginator("list_stack_resources")
    with translated(f"listing the resources of {stack.name!r}"):
        for page in pages.paginate(StackName=stack.name):
            yield from page["StackResourceSummaries"]


# ------------------------------------------------------------------------------ destruction


@dataclass(frozen=True)
class Holdings:
    """What a stack holds, and would take with it.

    Attributes
    ----------
    versions : dict of str to int
        Versions of objects, by bucket.
    rows : dict of str to int
        Rows of each table as DynamoDB counts them: on AWS about every six hours (Amazon DynamoDB
        API reference, DescribeTable), so what came since is not in it.
    jobs : int
        Jobs in the ledger, counted now.
    running : tuple of str
        Ids of the jobs that run now.
    """

    versions: Mapping[str, int]
    rows: Mapping[str, int]
    jobs: int
    running: tuple[str, ...]

    def __str__(self) -> str:
        """Say it in a few lines."""
        objects = ", ".join(f"{count:,} in {name}" for name, count in self.versions.items())
        rows = ", ".join(f"about {count:,} in {name}" for name, count in self.rows.items())
        lines = [f"objects: {objects or 'none'}", f"table rows: {rows or 'none'}"]
        running = f": {_listed(self.running)}" if self.running else ""
        lines.append(f"jobs: {self.jobs:,}, {len(self.running):,} of them running{running}")
        return "\n".join(lines)


def count_holdings(stack: StackRef) -> Holdings:
    """Count what would go with the stack; what it lacks, after a failed creation, is left out.

    Raises
    ------
    StackNotFoundError, AwsError
    """
    outputs, s3 = stack.outputs, stack.client("s3")
    tables = [outputs[name] for name in _TABLES if name in outputs]
    found = [outputs[name] for name in BUCKETS if name in outputs]
    return Holdings(
        versions={bucket: buckets.count_versions(s3, bucket) for bucket in found},
        rows={table: _item_count(stack, table) for table in tables},
        jobs=ledger.count_jobs(stack) if "JobTableName" in outputs else 0,
        running=running_jobs(stack),
    )


def running_jobs(stack: StackRef) -> tuple[str, ...]:
    """Return the ids of the jobs whose workflow runs now, as Step Functions knows it."""
    machine = stack.outputs.get("MainOrchestratorArn")
    if machine is None:
        return ()
    pages = stack.client("stepfunctions").get_paginator("list_executions")
    running = pages.paginate(stateMachineArn=machine, statusFilter="RUNNING")
    with translated(f"listing the running jobs of {stack.name!r}"):
        names = [found["name"] for page in running for found in page["executions"]]
    matches = map(_EXECUTION.fullmatch, names)
    return tuple(match[1] if match else name for match, name in zip(matches, names, strict=True))


def refuse_running(stack: StackRef) -> None:
    """Raise StackBusyError, naming them, if any jobs run."""
    running = running_jobs(stack)
    if running:
        raise StackBusyError(
            f"jobs run in stack {stack.name!r} ({_listed(running)}): wait for them, as with "
            "stack.latest().wait(), or pass force=True, which stops them and deletes the stack",
            stack_name=stack.name,
        )


def _listed(job_ids: Sequence[str]) -> str:
    more = f" and {len(job_ids) - _NAMED_JOBS} more" if len(job_ids) > _NAMED_JOBS else ""
    return ", ".join(job_ids[:_NAMED_JOBS]) + more


def _item_count(stack: StackRef, table: str) -> int:
    with translated(f"describing the table {table}"):
        answer = stack.client("dynamodb").describe_table(TableName=table)
    return int(answer["Table"]["ItemCount"])
