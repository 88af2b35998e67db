"""Read what is deployed now: the template, the functions' code, the record schema."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any, cast
from zipfile import BadZipFile, ZipFile

from batchcore.errors import SchemaError
from batchcore.schema import DIALECT, FILE_NAME, RecordSchema
from batchcore.workflow import JOB_FUNCTIONS, VALIDATE

from batchops.core.errors import AwsError, translated
from batchops.core.loopback import open_local
from batchops.deployment.template import parse_template

if TYPE_CHECKING:
    from http.client import HTTPResponse

    from mypy_boto3_cloudformation import CloudFormationClient

    from batchops.core.stack_ref import StackRef

_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class FunctionCode:
    """One function as it is deployed.

    Attributes
    ----------
    sha256 : str
        Lambda's hash of the function's archive.
    layers : tuple of str
        Names and versions of its layers, such as ``orders-schema:3``.
    modified : datetime
        When its code or its settings were last changed, in UTC.
    """

    sha256: str
    layers: tuple[str, ...]
    modified: datetime

    @property
    def fingerprint(self) -> str:
        """What identifies the code with its layers, for the ledger."""
        return " ".join((self.sha256, *self.layers))


def deployed_code(stack: StackRef) -> dict[str, FunctionCode]:
    """Return the functions that a job runs, by the name of their folder in ``source/``."""
    client = stack.client("lambda")
    found = {}
    with translated(f"reading the functions of stack {stack.name!r}"):
        for name in JOB_FUNCTIONS:
            answer = client.get_function_configuration(FunctionName=f"{stack.name}-{name}")
            found[name] = FunctionCode(
                sha256=answer["CodeSha256"],
                layers=tuple(_layer(each["Arn"]) for each in answer.get("Layers", ())),
                modified=datetime.fromisoformat(answer["LastModified"]),
            )
    return found


def _layer(arn: str) -> str:
    return ":".join(arn.split(":")[-2:])


def changed_code(
    now: Mapping[str, FunctionCode], recorded: Mapping[str, str], *, since: datetime
) -> tuple[str, ...]:
    """Describe what changed since an attempt, and in which functions, a line for each change.

    Parameters
    ----------
    recorded
        Fingerprints that the attempt left in the ledger. Reruns and repairs record them; of a
        function without one it is told when it was last updated, if that was after `since`.
    since
        When the attempt started.
    """
    changes: dict[str, list[str]] = {}
    for name, code in now.items():
        if name in recorded:
            for what in _differences(recorded[name], code):
                changes.setdefault(what, []).append(name)
        elif code.modified > since:
            what = f"updated {code.modified:%Y-%m-%d %H:%M:%S} UTC"
            changes.setdefault(what, []).append(name)
    return tuple(f"{what}: {', '.join(names)}" for what, names in changes.items())


def _differences(recorded: str, code: FunctionCode) -> list[str]:
    old_sha256, *old = recorded.split()
    what = [] if old_sha256 == code.sha256 else ["code"]
    for layer in sorted({*old, *code.layers} - {*old} & {*code.layers}):
        name = layer.partition(":")[0]
        if layer in code.layers:
            what.append(f"layer {layer}")
        elif not any(other.startswith(f"{name}:") for other in code.layers):
            what.append(f"without layer {layer}")
    return what


def deployed_template(cfn: CloudFormationClient, stack_name: str) -> dict[str, Any]:
    """Return the template that a stack was deployed from, before the SAM transform.

    Raises
    ------
    ProjectError
        If it cannot be read.
    AwsError, EngineError
    """
    with translated(f"reading the template of stack {stack_name!r}"):
        answer: Any = cfn.get_template(StackName=stack_name, TemplateStage="Original")
    body = answer["TemplateBody"]
    # boto3 reads JSON by itself; other tools than this package deploy YAML.
    if isinstance(body, str):
        return parse_template(body, name=f"the template of stack {stack_name!r}")
    return dict(body)


def deployed_schema(stack: StackRef) -> RecordSchema:
    """Return the record schema that the deployed functions validate with, read from its layer.

    Raises
    ------
    AwsError
        If the layer cannot be read.
    """
    client = stack.client("lambda")
    function, prefix = f"{stack.name}-{VALIDATE.function}", f"{stack.name}-schema:"
    with translated(f"reading the schema of stack {stack.name!r}"):
        answer = client.get_function_configuration(FunctionName=function)
    arns = [layer["Arn"] for layer in answer.get("Layers", ())]
    arn = next((arn for arn in arns if _layer(arn).startswith(prefix)), None)
    if arn is None:
        raise AwsError(
            f"{function} has no layer {prefix}N: deploy the stack again, or pass the schema file "
            "that the rows are to be held against"
        )
    typed = stack.outputs.number("SchemaDialect", "1") >= DIALECT
    return _unpack_schema(download_layer(stack, arn), arn, typed=typed)


def download_layer(stack: StackRef, arn: str) -> bytes:
    """Return the archive of a layer's version.

    Raises
    ------
    AwsError
        If it cannot be read.
    """
    with translated(f"reading the layer {arn}"):
        place = stack.client("lambda").get_layer_version_by_arn(Arn=arn)["Content"]["Location"]
    open_address = open_local if stack.target.local else _open_remote
    try:
        with open_address(place, timeout_s=_TIMEOUT_S) as answer:
            content: bytes = answer.read()
    except OSError as error:
        raise AwsError(f"the layer {arn} cannot be fetched: {error}") from error
    return content


def _open_remote(request: urllib.request.Request | str, *, timeout_s: float) -> HTTPResponse:
    return cast("HTTPResponse", urllib.request.urlopen(request, timeout=timeout_s))  # noqa: S310


def _unpack_schema(archive: bytes, arn: str, *, typed: bool) -> RecordSchema:
    try:
        with ZipFile(BytesIO(archive)) as files:
            document: Any = json.loads(files.read(FILE_NAME))
        return RecordSchema(document, typed=typed)
    except (BadZipFile, KeyError, ValueError, SchemaError) as error:
        raise AwsError(f"layer {arn} holds no usable {FILE_NAME}: {error}") from error
