"""Make and discard change sets: what CloudFormation would do to a stack, before it does it."""

from __future__ import annotations

import re
import uuid
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from batchops.core.errors import DeployFailedError, InputError, StackBusyError, translated
from batchops.core.stack_ref import describe_stack
from batchops.core.stack_states import EMPTY, is_leftover
from batchops.deployment import stack_events
from batchops.deployment.deletion import delete_stack

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_cloudformation import CloudFormationClient

    from batchops.deployment.stack_events import OnEvent

_CAPABILITIES: Any = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
_NO_CHANGES = ("didn't contain changes", "No updates are to be performed")
ParameterValue = str | int | float | bool


@dataclass(frozen=True)
class Change:
    """What a change set would do to one resource.

    Attributes
    ----------
    action : str
        Add, Modify, Remove, Import or Dynamic.
    logical_id, resource_type : str
        The resource's name in the template, and its type.
    replacement : str
        True, False or Conditional: whether a new one takes the resource's place; else empty.
    properties : tuple of str
        The properties that change; empty where CloudFormation names none.
    """

    action: str
    logical_id: str
    resource_type: str
    replacement: str
    properties: tuple[str, ...]


@dataclass(frozen=True)
class ChangeSet:
    """A change set that is ready to be executed, or a finding that nothing has to be.

    Attributes
    ----------
    stack_name : str
        The stack's name.
    stack_id : str
        Its ARN.
    change_set_id : str or None
        The change set's ARN; None where the stack is what the template says already.
    creates : bool
        Whether executing it creates the stack.
    changes : tuple of Change
        One for each resource. It can be empty where only outputs or tags change.
    """

    stack_name: str
    stack_id: str
    change_set_id: str | None
    creates: bool
    changes: tuple[Change, ...]

    @property
    def unchanged(self) -> bool:
        """Whether there is nothing to execute."""
        return self.change_set_id is None


# What CloudFormation answers where somebody else has executed a change set of the same stack, or
# has deleted the stack: the other change sets are gone then, or of no use.
_OVERTAKEN = frozenset(
    {
        "ChangeSetNotFound",
        "ChangeSetNotFoundException",
        "InvalidChangeSetStatus",
        "InvalidChangeSetStatusException",
        "OperationInProgressException",
        "AlreadyExistsException",
    }
)
_BUSY = re.compile(r"\b[A-Z_]+_IN_PROGRESS\b|[Ss]tack .*does not exist")


@contextmanager
def not_overtaken(stack_name: str) -> Iterator[None]:
    """Turn what CloudFormation says where two deploy at once into an error that says so.

    Raises
    ------
    StackBusyError
    """
    try:
        yield
    except ClientError as error:
        code = error.response["Error"].get("Code", "")
        message = error.response["Error"].get("Message", "")
        if code not in _OVERTAKEN and not (code == "ValidationError" and _BUSY.search(message)):
            raise
        raise StackBusyError(
            f"somebody else deploys or deletes stack {stack_name!r} at the same time, and came "
            f"first ({code}): deploy again when that has ended",
            stack_name=stack_name,
        ) from error


def create_change_set(
    cfn: CloudFormationClient,
    stack_name: str,
    *,
    template_url: str,
    parameters: Mapping[str, ParameterValue] | None = None,
    tags: Mapping[str, str] | None = None,
    role_arn: str | None = None,
    revert_drift: bool = False,
    replace: bool = False,
    timeout_s: float = 300,
    poll_s: float = 2.0,
    on_event: OnEvent | None = None,
) -> ChangeSet:
    """Have CloudFormation compute what a deployment would change.

    Parameters
    ----------
    cfn
        Client of the stack's account and region.
    stack_name
        The stack; it is created where there is none.
    template_url
        Place of the template in S3.
    parameters
        Values by name. Those of an existing stack that are not named keep their values.
    tags
        The stack's tags. Where none are given, an existing stack keeps those that it has.
    role_arn
        The role that CloudFormation takes for its calls. Where none is given, it takes the one that
        the stack has, or the caller's credentials.
    revert_drift
        Also set back what was changed without CloudFormation: it compares the template with the
        resources as they are, and not only with the last template.
    replace
        Delete a stack that is left over from a failed creation or deletion first.
    timeout_s, poll_s
        Seconds to wait at most, and between two questions.
    on_event
        Called with each event of such a deletion.

    Raises
    ------
    InputError
        A parameter is unknown, or one without default has no value.
    StackBusyError
        Another operation is under way.
    StackStuckError
        The stack has to be deleted or repaired first.
    DeployFailedError
        CloudFormation refuses the template.
    StackTimeoutError
        The change set was not ready in time.
    """
    with translated(f"preparing the deployment of {stack_name!r}"), not_overtaken(stack_name):
        found = describe_stack(cfn, stack_name)
        if found is not None and is_leftover(stack_name, found["StackStatus"], replace=replace):
            delete_stack(cfn, stack_name, on_event=on_event, timeout_s=timeout_s, poll_s=poll_s)
            found = None
        creates = found is None or found["StackStatus"] in EMPTY
        current = {} if found is None or creates else found
        # Left out, CloudFormation keeps the stack's tags; an empty list would take them away.
        options: dict[str, Any] = {}
        if tags:
            options["Tags"] = [{"Key": key, "Value": value} for key, value in tags.items()]
        if role_arn:
            options["RoleARN"] = role_arn
        if revert_drift and not creates:
            options["DeploymentMode"] = "REVERT_DRIFT"
        made = _request_change_set(
            cfn,
            stack_name,
            **options,
            ChangeSetType="CREATE" if creates else "UPDATE",
            TemplateURL=template_url,
            Parameters=_parameters(cfn, template_url, parameters or {}, current),
        )
        described = _await_change_set(cfn, stack_name, made["Id"], timeout_s, poll_s)
        return _change_set(cfn, stack_name, made, described, creates=creates)


def discard_change_set(cfn: CloudFormationClient, change_set: ChangeSet) -> None:
    """Delete a change set, and the empty stack that CloudFormation made for it."""
    with translated(f"discarding the change set of {change_set.stack_name!r}"):
        if change_set.change_set_id is not None:
            with suppress(cfn.exceptions.ChangeSetNotFoundException):  # somebody deployed meanwhile
                cfn.delete_change_set(ChangeSetName=change_set.change_set_id)
        if change_set.creates:
            _drop_empty_stack(cfn, change_set.stack_id)


def _parameters(
    cfn: CloudFormationClient,
    template_url: str,
    given: Mapping[str, ParameterValue],
    stack: Mapping[str, Any],
) -> list[dict[str, Any]]:
    current = {item["ParameterKey"] for item in stack.get("Parameters", [])}
    summary = cfn.get_template_summary(TemplateURL=template_url)
    declared = {item["ParameterKey"]: item for item in summary.get("Parameters", [])}
    unknown = sorted(set(given) - set(declared))
    if unknown:
        raise InputError(f"no parameter {', '.join(unknown)}: known are {', '.join(declared)}")
    kept = [name for name in declared if name in current and name not in given]
    lacking = [
        name
        for name, item in declared.items()
        if name not in given and name not in current and "DefaultValue" not in item
    ]
    if lacking:
        raise InputError(f"the parameters {', '.join(lacking)} have no default: give them values")
    return [
        *({"ParameterKey": name, "ParameterValue": _text(given[name])} for name in given),
        *({"ParameterKey": name, "UsePreviousValue": True} for name in kept),
    ]


def _text(value: ParameterValue) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _request_change_set(
    cfn: CloudFormationClient, stack_name: str, **request: Any
) -> dict[str, Any]:
    name = f"batchops-{uuid.uuid4().hex}"
    try:
        made: Any = cfn.create_change_set(
            StackName=stack_name, ChangeSetName=name, Capabilities=_CAPABILITIES, **request
        )
    except ClientError as error:
        # So CloudFormation refuses a template; whatever else it says is no matter of the template.
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        if _BUSY.search(error.response["Error"]["Message"]):
            raise
        raise _refused(stack_name, error.response["Error"]["Message"]) from error
    return dict(made)


def _await_change_set(
    cfn: CloudFormationClient, stack_name: str, name: str, timeout_s: float, poll_s: float
) -> dict[str, Any]:
    for _ in stack_events.ticks(stack_name, timeout_s=timeout_s, poll_s=poll_s):
        described: Any = cfn.describe_change_set(ChangeSetName=name)
        if described["Status"] in ("CREATE_COMPLETE", "FAILED"):
            break
    while "NextToken" in described:
        more: Any = cfn.describe_change_set(ChangeSetName=name, NextToken=described["NextToken"])
        more["Changes"] = [*described["Changes"], *more["Changes"]]
        described = more
    return dict(described)


def _change_set(
    cfn: CloudFormationClient,
    stack_name: str,
    made: dict[str, Any],
    described: dict[str, Any],
    *,
    creates: bool,
) -> ChangeSet:
    stack_id, changes = made["StackId"], described.get("Changes", [])
    if described["Status"] != "FAILED":
        wanted = tuple(_change(item["ResourceChange"]) for item in changes)
        return ChangeSet(stack_name, stack_id, made["Id"], creates, wanted)
    reason = described.get("StatusReason", "")
    unchanged = not creates and any(text in reason for text in _NO_CHANGES)
    first = None if unchanged else stack_events.validation_failure(cfn, ChangeSetName=made["Id"])
    discard_change_set(cfn, ChangeSet(stack_name, stack_id, made["Id"], creates, ()))
    if unchanged:
        return ChangeSet(stack_name, stack_id, None, creates, ())
    raise _refused(stack_name, first.reason if first else reason, first)


def _refused(
    stack_name: str, reason: str, first: stack_events.StackEvent | None = None
) -> DeployFailedError:
    where = f" at {first.logical_id} ({first.resource_type})" if first else ""
    return DeployFailedError(
        f"CloudFormation refuses the template for {stack_name!r}{where}: {reason}",
        stack_name=stack_name,
        reason=reason,
        logical_id=first.logical_id if first else None,
    )


def _change(item: dict[str, Any]) -> Change:
    targets = (detail.get("Target", {}) for detail in item.get("Details", []))
    names = {target.get("Name") or target.get("Attribute", "") for target in targets}
    return Change(
        action=item["Action"],
        logical_id=item["LogicalResourceId"],
        resource_type=item["ResourceType"],
        replacement=item.get("Replacement", ""),
        properties=tuple(sorted(names - {""})),
    )


def _drop_empty_stack(cfn: CloudFormationClient, stack_id: str) -> None:
    # A change set for a new stack leaves a stack without resources; only such a one is deleted.
    found = describe_stack(cfn, stack_id)
    if found is None or found["StackStatus"] not in EMPTY:
        return
    # Somebody else may be about to deploy it for the first time, too.
    if not cfn.list_change_sets(StackName=stack_id).get("Summaries"):
        cfn.delete_stack(StackName=stack_id)
