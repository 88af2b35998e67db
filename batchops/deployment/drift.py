"""Find what was changed in a stack without CloudFormation, and say it in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchops.core.errors import AccessDeniedError, StackError, translated
from batchops.core.stack_ref import describe_deployed, outputs_of
from batchops.core.stack_states import refuse_busy, refuse_unusable
from batchops.deployment.notification import uploads_start_jobs
from batchops.deployment.stack_events import ticks
from batchops.show.shown import Block, Shown

if TYPE_CHECKING:
    from batchops.core.stack_ref import StackRef

_DRIFTED = ("MODIFIED", "DELETED")
_KINDS = {"ADD": "was added", "REMOVE": "was removed", "NOT_EQUAL": "was changed"}
_VALUE_CHARACTERS = 60
# What a local engine's answer does not tell (read in its source, MiniStack 1.5.33).
_LOCAL_NOTE = (
    "the local engine compares few kinds of resources, and of roles neither policies nor boundary"
)


@dataclass(frozen=True)
class Difference:
    """A property that is not what the template says.

    Attributes
    ----------
    path : str
        The property, such as ``/Policies/0``.
    kind : str
        ``was added``, ``was removed`` or ``was changed``.
    expected, actual : str
        What the template says, and what is there; empty where there is nothing.
    """

    path: str
    kind: str
    expected: str
    actual: str

    def __str__(self) -> str:
        """Say it in a line."""
        values = [f"the template has {_short(self.expected)}"] if self.expected else []
        values += [f"there is {_short(self.actual)}"] if self.actual else []
        return f"{self.path.strip('/').replace('/', '.')} {self.kind}: {', '.join(values)}"


@dataclass(frozen=True)
class DriftedResource:
    """A resource that is not as CloudFormation left it.

    Attributes
    ----------
    logical_id, resource_type, physical_id : str
        Its name in the template, its type, its name in the account.
    status : str
        MODIFIED or DELETED.
    differences : tuple of Difference
        What differs; empty of one that was deleted.
    """

    logical_id: str
    resource_type: str
    physical_id: str
    status: str
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class Drift(Shown):
    """What was changed in a stack without CloudFormation.

    Attributes
    ----------
    stack_name : str
        The stack.
    resources : tuple of DriftedResource
        The resources that differ from the template.
    uploads_start_jobs : bool
        Whether the bucket's notification is there, which is no resource of the template; True if
        that could not be looked at, see `notes`.
    notes : tuple of str
        What could not be compared.
    """

    _also_in_json = ("in_sync",)

    stack_name: str
    resources: tuple[DriftedResource, ...]
    uploads_start_jobs: bool
    notes: tuple[str, ...] = ()

    @property
    def in_sync(self) -> bool:
        """Whether nothing differs."""
        return not self.resources and self.uploads_start_jobs

    def _blocks(self) -> Iterator[Block]:
        if self.in_sync:
            yield Block.line(f"stack {self.stack_name}: as it was deployed")
        else:
            yield Block.line(f"stack {self.stack_name}: changed since it was deployed")
        for found in self.resources:
            yield Block.line(f"{found.logical_id} ({found.resource_type}, {found.physical_id}):")
            gone = ["was deleted"] if found.status == "DELETED" else []
            yield Block.facts([*gone, *map(str, found.differences)])
        if not self.uploads_start_jobs:
            yield Block.line(
                "the bucket's notification was replaced, so uploads start no jobs: deploy the "
                "stack, which sets it again, then reconcile, which finds the uploads without a job"
            )
        if self.resources:
            yield Block.line(
                "deploy with repair=True, which sets the resources back; what is meant to stay "
                "belongs into the template or its parameters"
            )
        yield from map(Block.line, self.notes)


def find_drift(stack: StackRef, *, timeout_s: float = 600) -> Drift:
    """Have CloudFormation compare the resources with the template, and look at the notification.

    Nothing is changed.

    Raises
    ------
    StackNotFoundError, StackBusyError, StackTimeoutError, AwsError
    StackError
        CloudFormation could not compare them.
    """
    cfn = stack.client("cloudformation")
    described = describe_deployed(cfn, stack.name)
    refuse_unusable(stack.name, described["StackStatus"])
    refuse_busy(stack.name, described["StackStatus"])
    with translated(f"comparing the stack {stack.name!r} with its template"):
        number = cfn.detect_stack_drift(StackName=stack.name)["StackDriftDetectionId"]
        answer: dict[str, Any] = {}
        for _ in ticks(stack.name, timeout_s=timeout_s, poll_s=stack.target.poll_s):
            answer = cfn.describe_stack_drift_detection_status(StackDriftDetectionId=number)
            if answer["DetectionStatus"] != "DETECTION_IN_PROGRESS":
                break
        resources = tuple(_drifted(cfn, stack.name))
    notes = [_LOCAL_NOTE] if stack.target.local else []
    if answer["DetectionStatus"] == "DETECTION_FAILED":
        reason = answer.get("DetectionStatusReason", "no reason given")
        if "StackDriftStatus" not in answer:
            raise StackError(
                f"CloudFormation could not compare {stack.name!r} with its template: {reason}",
                stack_name=stack.name,
            )
        notes.append(f"some resources could not be compared: {reason}")
    try:
        tells = "SourceBucketName" in outputs_of(described) and uploads_start_jobs(stack)
    except AccessDeniedError as error:
        tells = True
        notes.append(f"the bucket's notification was not looked at: {error}")
    return Drift(stack.name, resources, tells, tuple(notes))


def _drifted(cfn: Any, stack_name: str) -> Iterator[DriftedResource]:
    request = {"StackName": stack_name, "StackResourceDriftStatusFilters": list(_DRIFTED)}
    while True:
        page = cfn.describe_stack_resource_drifts(**request)
        for found in page["StackResourceDrifts"]:
            # The filter is AWS's; the local engine answers with all.
            if found["StackResourceDriftStatus"] in _DRIFTED:
                yield DriftedResource(
                    logical_id=found["LogicalResourceId"],
                    resource_type=found["ResourceType"],
                    physical_id=found.get("PhysicalResourceId", ""),
                    status=found["StackResourceDriftStatus"],
                    differences=tuple(_differences(found.get("PropertyDifferences", []))),
                )
        if "NextToken" not in page:
            return
        request["NextToken"] = page["NextToken"]


def _differences(found: Sequence[dict[str, Any]]) -> Iterator[Difference]:
    for each in found:
        nothing = ("", "null")
        expected, actual = (each.get(name, "") for name in ("ExpectedValue", "ActualValue"))
        yield Difference(
            path=each["PropertyPath"],
            kind=_KINDS.get(each["DifferenceType"], each["DifferenceType"]),
            expected="" if expected in nothing else expected,
            actual="" if actual in nothing else actual,
        )


def _short(text: str) -> str:
    return text if len(text) <= _VALUE_CHARACTERS else f"{text[:_VALUE_CHARACTERS]}..."
