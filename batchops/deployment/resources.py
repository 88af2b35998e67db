"""List the resources of a deployed stack, and its functions among them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchcore import workflow

from batchops.core.errors import InputError, translated
from batchops.core.stack_ref import describe_deployed

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from batchops.core.stack_ref import StackRef


def resources(stack: StackRef) -> pd.DataFrame:
    """Return the stack's resources, whatever the stack's state.

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

    describe_deployed(stack.client("cloudformation"), stack.name)  # raises without a stack
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
    """Raise an error unless there is such a stack, and it can be used; see `read_outputs`."""
    _ = stack.outputs


def unknown_function(stack: StackRef, function: str) -> InputError:
    """Return an error that names the stack's functions, to raise where it lacks one."""
    return InputError(
        f"stack {stack.name!r} has no function {function!r}{meant_function(function)}: it has "
        f"{', '.join(functions(stack))}"
    )


def meant_function(name: str) -> str:
    """Return which function a step's other names, ``enrich`` and the like, stand for, in words."""
    for step in (*workflow.JOB_STEPS, *workflow.CHUNK_STEPS):
        if name.casefold() in (step.name, step.state.casefold()):
            return f" (the step {step.state} is the function {step.function})"
    return ""


def _resources(stack: StackRef) -> Iterator[Any]:
    pages = stack.client("cloudformation").get_paginator("list_stack_resources")
    with translated(f"listing the resources of {stack.name!r}"):
        for page in pages.paginate(StackName=stack.name):
            yield from page["StackResourceSummaries"]
