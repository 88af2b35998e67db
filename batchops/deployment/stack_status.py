"""Read a stack's status, and say what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchops.core.compatibility import misfit
from batchops.core.stack_ref import describe_stack, outputs_of
from batchops.core.stack_states import EMPTY, explain_stuck
from batchops.deployment.packaging import source_digest
from batchops.deployment.template import SOURCE_DIGEST
from batchops.show.shown import Block, Shown

if TYPE_CHECKING:
    from datetime import datetime

    from batchops.core.project import Project
    from batchops.core.stack_ref import StackRef

NOT_DEPLOYED = "NOT_DEPLOYED"


@dataclass(frozen=True)
class StackStatus(Shown):
    """A stack's status and parameters.

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
    version : str or None
        The version of batchops that deployed it; None where it does not say so.
    notes : tuple of str
        How another version, or other code, was deployed than is here.
    """

    stack_name: str
    status: str
    reason: str
    created: datetime | None
    updated: datetime | None
    parameters: Mapping[str, str]
    advice: str
    version: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def deployed(self) -> bool:
        """Whether there is a stack whose last operation succeeded, or was undone."""
        return self.status in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")

    def _blocks(self) -> Iterator[Block]:
        when = self.updated or self.created
        line = f"stack {self.stack_name}: {self.status}"
        line += f" since {when:%Y-%m-%d %H:%M} UTC" if when else ""
        line += f" ({self.reason})" if self.reason else ""
        yield Block.line(line + (f": {self.advice}" if self.advice else ""))
        yield Block.facts(list(self.notes))
        yield Block.table(("parameter", "value"), sorted(self.parameters.items()))


def stack_status(stack: StackRef, project: Project | None = None) -> StackStatus:
    """Return the stack's status, which is NOT_DEPLOYED if there is no such stack.

    Parameters
    ----------
    stack
        The stack; it need not be deployed.
    project
        Sources to compare those deployed with.

    Raises
    ------
    EngineNotRunningError, AwsError, ProjectError
    """
    cfn = stack.client("cloudformation")
    found = describe_stack(cfn, stack.name)
    if found is None or found["StackStatus"] in EMPTY:
        return StackStatus(stack.name, NOT_DEPLOYED, "", None, None, {}, "deploy it")
    status, outputs = found["StackStatus"], outputs_of(found)
    busy = "wait until that has ended" if status.endswith("_IN_PROGRESS") else ""
    return StackStatus(
        stack_name=stack.name,
        status=status,
        reason=found.get("StackStatusReason", ""),
        created=found.get("CreationTime"),
        updated=found.get("LastUpdatedTime"),
        parameters={p["ParameterKey"]: p["ParameterValue"] for p in found.get("Parameters", [])},
        advice=explain_stuck(stack.name, status) or busy,
        version=outputs.get("Version"),
        notes=tuple(_notes(outputs, project)),
    )


def _notes(outputs: Mapping[str, str], project: Project | None) -> Iterator[str]:
    other_version = misfit(outputs) if outputs else None
    if other_version:
        yield other_version
    elif project and outputs.get(SOURCE_DIGEST, "") not in ("", source_digest(project)):
        yield (
            f"the code that is deployed differs from that in {project.template.parent}: "
            "deploy it to bring the stack up to date, preview says what would change"
        )
