"""List the stacks that were deployed from the template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchops.core.errors import translated
from batchops.core.stack_states import EMPTY
from batchops.local.targets import make_target

if TYPE_CHECKING:
    import pandas as pd

    from batchops.core.target import Engine, TargetName

# The outputs by which a stack of this template is known among others.
_MARKS = frozenset({"JobTableName", "MainOrchestratorArn", "ProcessChunkArn"})
_TIMES = {"created": "CreationTime", "updated": "LastUpdatedTime"}


def list_stacks(
    target: TargetName = "local",
    *,
    region: str | None = None,
    profile: str | None = None,
    engine: Engine | None = None,
) -> pd.DataFrame:
    """Return the stacks that were deployed from the template, by name.

    Parameters
    ----------
    target
        ``"local"`` or ``"aws"``.
    region, profile
        Of the AWS configuration; on AWS only.
    engine
        The local engine to use, if not the project's own.

    Returns
    -------
    DataFrame
        One line a stack: ``stack``, ``status`` (str, CloudFormation's name of its state),
        ``created``, ``updated`` (datetime64[ms, UTC]; missing: never). One that is being created
        for the first time is not among them.

    Raises
    ------
    InputError, AwsError, EngineError
    """
    cfn = make_target(target, region=region, profile=profile, engine=engine).client(
        "cloudformation"
    )
    with translated("listing the stacks"):
        pages = cfn.get_paginator("describe_stacks").paginate()
        found = [stack for page in pages for stack in page["Stacks"] if is_ours(stack)]
    return stacks_frame(found)


def is_ours(described: dict[str, Any]) -> bool:
    """Return whether a stack, as CloudFormation describes it, was deployed from the template."""
    names = {output["OutputKey"] for output in described.get("Outputs", ())}
    return names >= _MARKS and described["StackStatus"] not in EMPTY


def stacks_frame(found: list[dict[str, Any]]) -> pd.DataFrame:
    """Return stacks, as CloudFormation describes them, in the shape of `list_stacks`."""
    import pandas as pd

    stacks = sorted(found, key=lambda stack: str(stack["StackName"]))
    columns: dict[str, Any] = {
        "stack": pd.Series([stack["StackName"] for stack in stacks], dtype="str"),
        "status": pd.Series([stack["StackStatus"] for stack in stacks], dtype="str"),
    }
    for name, source in _TIMES.items():
        times = pd.Series([stack.get(source) for stack in stacks], dtype="object")
        columns[name] = pd.to_datetime(times, utc=True).astype("datetime64[ms, UTC]")
    return pd.DataFrame(columns)
