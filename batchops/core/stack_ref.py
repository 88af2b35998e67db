"""A stack by its name and the target that it lives in: what every verb needs of a stack."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from batchops.core.errors import InputError, StackError, StackNotFoundError, translated
from batchops.core.stack_states import EMPTY, refuse_unusable

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

    from batchops.core.target import Target

# The longest of the names made from it, "<stack>-s3-lambda-notification", may have 64 (AWS Lambda).
MAX_NAME_CHARACTERS = 41
_NAME = re.compile(rf"[A-Za-z][A-Za-z0-9-]{{0,{MAX_NAME_CHARACTERS - 1}}}")


class Outputs(dict[str, str]):
    """A stack's outputs by name; each is an attribute too: ``stack.outputs.SourceBucketName``.

    Parameters
    ----------
    values
        The outputs.
    stack_name
        The stack that has them.
    """

    def __init__(self, values: Mapping[str, str], stack_name: str) -> None:
        super().__init__(values)
        self._stack_name = stack_name

    def __missing__(self, name: str) -> str:
        """Raise an error that says what to do about an output that the stack lacks."""
        raise StackError(
            f"stack {self._stack_name!r} has no output {name!r}: it was not deployed completely, "
            "or with another version of the template; deploy it again",
            stack_name=self._stack_name,
        )

    def number(self, name: str, default: str | None = None) -> int:
        """Return an output that is a whole number.

        Parameters
        ----------
        name
            The output.
        default
            What a stack that lacks it has; by default lacking it is an error.

        Raises
        ------
        StackError
            The stack lacks it, or it is no whole number.
        """
        text = self[name] if default is None else self.get(name, default)
        if not (text.isascii() and text.isdigit()):
            raise self._unreadable(name, "a whole number")
        return int(text)

    def json_text(self, name: str) -> str | None:
        """Return the text, or the null, that an output has as JSON.

        Raises
        ------
        StackError
            The stack lacks it, or it is neither.
        """
        try:
            text = json.loads(self[name])
        except ValueError:
            text = ()
        if not isinstance(text, str | None):
            raise self._unreadable(name, "a text as JSON")
        return text

    def _unreadable(self, name: str, wanted: str) -> StackError:
        return StackError(
            f"stack {self._stack_name!r} has the output {name} = {self[name]!r}, which is not "
            f"{wanted}: upgrade batchops if a later version deployed the stack, or else deploy it "
            "again",
            stack_name=self._stack_name,
        )

    def __getattr__(self, name: str) -> str:
        """Return an output."""
        if name not in self:
            raise AttributeError(f"the stack has no output {name!r}: it has {', '.join(self)}")
        return self[name]

    def __dir__(self) -> list[str]:
        """List the outputs among the attributes, for completion."""
        return sorted({*super().__dir__(), *self})


class StackRef:
    """A stack by name and target; it need not be deployed.

    Parameters
    ----------
    name
        The CloudFormation stack's name.
    target
        The account and region, or the local engine.
    outputs
        The stack's outputs, where they are known; otherwise they are read when first needed.

    Raises
    ------
    InputError
        The name cannot be a stack's.
    """

    def __init__(
        self, name: str, target: Target, *, outputs: Mapping[str, str] | None = None
    ) -> None:
        if not _NAME.fullmatch(name):
            raise InputError(
                f"{name!r} cannot be a stack's name: give a letter, then letters, digits and "
                f"dashes, {MAX_NAME_CHARACTERS} characters in all"
            )
        self.name = name
        self.target = target
        self._outputs = None if outputs is None else self._outputs_of(outputs)

    def client(self, service: str) -> Any:
        """Return the boto3 client of a service in the stack's account and region."""
        return self.target.client(service)

    @property
    def outputs(self) -> Outputs:
        """The stack's outputs by name, ``stack.outputs.SourceBucketName`` too.

        Raises
        ------
        StackNotFoundError
            If it is not deployed.
        StackBusyError, StackStuckError
            If it was never completed, or is being deleted.
        """
        if self._outputs is None:
            self._outputs = self._outputs_of(read_outputs(self.client("cloudformation"), self.name))
        return self._outputs

    def _outputs_of(self, values: Mapping[str, str]) -> Outputs:
        return Outputs(values, self.name)


def describe_stack(cfn: CloudFormationClient, stack_name: str) -> dict[str, Any] | None:
    """Return CloudFormation's description of the stack, by name or ARN; None without one.

    Raises
    ------
    AwsError, EngineError
    """
    with translated(f"reading the stack {stack_name!r}"):
        try:
            answer: Any = cfn.describe_stacks(StackName=stack_name)
        except ClientError as error:
            if "does not exist" in error.response["Error"].get("Message", ""):
                return None
            raise
    return dict(answer["Stacks"][0])


def describe_deployed(cfn: CloudFormationClient, stack_name: str) -> dict[str, Any]:
    """Return CloudFormation's description of a stack that has resources, whatever its state.

    Raises
    ------
    StackNotFoundError
        There is no such stack, or only an empty one that was never deployed.
    """
    found = describe_stack(cfn, stack_name)
    if found is None or found["StackStatus"] in EMPTY:
        raise StackNotFoundError(
            f"no stack {stack_name!r} in {cfn.meta.region_name}: deploy it first",
            stack_name=stack_name,
        )
    return found


def read_outputs(cfn: CloudFormationClient, stack_name: str) -> dict[str, str]:
    """Return the outputs, by name, of a stack that can be used.

    Raises
    ------
    StackNotFoundError
        There is no such stack, or only an empty one that was never deployed.
    StackBusyError, StackStuckError
        It is being created or deleted, or that failed; the message says what to do.
    """
    found = describe_deployed(cfn, stack_name)
    refuse_unusable(stack_name, found["StackStatus"])
    return outputs_of(found)


def outputs_of(described: Mapping[str, Any]) -> dict[str, str]:
    """Return the outputs in CloudFormation's description of a stack."""
    return {item["OutputKey"]: item["OutputValue"] for item in described.get("Outputs", [])}
