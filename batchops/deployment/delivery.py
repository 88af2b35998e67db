"""From the checkout to a change set: check the user's files, package, upload, compare."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

from batchcore.errors import ReferenceDataError, SchemaError
from batchcore.reference import FILE_NAME as REFERENCE_FILE
from batchcore.reference import read_reference
from batchcore.schema import FILE_NAME as SCHEMA_FILE
from batchcore.schema import RecordSchema

from batchops.core.errors import InputError, translated
from batchops.core.project import make_private
from batchops.core.stack_ref import EMPTY, describe_stack
from batchops.deployment import artifacts, change_sets, packaging, stack_state
from batchops.deployment import template as templates

if TYPE_CHECKING:
    from batchops.core.project import Project
    from batchops.core.target import Target
    from batchops.deployment.change_sets import ChangeSet, ParameterValue
    from batchops.deployment.stack_state import OnEvent

SCHEMA_LAYER = "SchemaLayer"
REFERENCE_LAYER = "ReferenceLayer"

# What a local stack needs no decision for.
_LOCAL_MAIL = "batchops@example.com"


@dataclass(frozen=True)
class Order:
    """What is to be deployed: the stack's name, the user's files and parameters."""

    stack_name: str
    schema: Path | None
    reference_data: Path | None
    parameters: Mapping[str, ParameterValue]


@dataclass(frozen=True)
class Prepared:
    """A change set, and how many artefacts it took."""

    change_set: ChangeSet
    published: artifacts.Published


def prepare(
    target: Target,
    project: Project,
    order: Order,
    *,
    replace: bool = False,
    on_event: OnEvent | None = None,
) -> Prepared:
    """Package and upload what the template names, and have CloudFormation work out the changes.

    Raises
    ------
    InputError, PackagingError, StackError, AwsError, EngineError
    """
    target.connect(start=True)
    found = _living(target, order.stack_name)
    kept = {} if found is None else _kept_files(target, order.stack_name)
    own = _fetch_kept(target, project, kept)
    overrides = check_files(project, order.schema, order.reference_data, kept=own)
    platform: packaging.Platform = "host" if target.local else "lambda"
    built = packaging.build(project, platform=platform, overrides=overrides)
    published = artifacts.publish(target, built)
    kept = {n: place for n, place in kept.items() if n not in overrides}
    text = templates.render(
        templates.load_template(project.template),
        built,
        published.bucket,
        own=overrides,
        kept=kept,
    )
    change_set = change_sets.create_change_set(
        target.client("cloudformation"),
        order.stack_name,
        template_url=artifacts.publish_template(target, text),
        parameters=_parameters(target, order.parameters, new=found is None),
        replace=replace,
        on_event=on_event,
        poll_s=target.poll_s,
    )
    return Prepared(change_set, published)


def check_files(
    project: Project,
    schema: Path | None,
    reference_data: Path | None,
    *,
    kept: Mapping[str, Path],
) -> dict[str, Path]:
    """Check the files given in place of the shipped ones, and lay each into a folder of its own.

    Raises
    ------
    InputError
    """
    schema_path = schema or kept.get(SCHEMA_LAYER, project.source / "schema" / SCHEMA_FILE)
    shipped = project.source / "reference" / REFERENCE_FILE
    data_path = reference_data or kept.get(REFERENCE_LAYER, shipped)
    try:
        record_schema = RecordSchema.load(schema_path)
        for _ in read_reference(data_path, record_schema):
            pass
    except SchemaError as error:
        raise InputError(f"{error} (schema={str(schema_path)!r})") from error
    except ReferenceDataError as error:
        raise InputError(
            f"{error} (reference_data={str(data_path)!r}): it must fit the schema {schema_path}"
        ) from error
    found = {}
    if schema:
        found[SCHEMA_LAYER] = _lay_out(project, schema, SCHEMA_FILE)
    if reference_data:
        found[REFERENCE_LAYER] = _lay_out(project, reference_data, REFERENCE_FILE)
    return found


def _lay_out(project: Project, source: Path, name: str) -> Path:
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:16]
    folder = make_private(project.build / f"{Path(name).stem}-{digest}")
    shutil.copyfile(source, folder / name)
    return folder


def _living(target: Target, stack_name: str) -> dict[str, Any] | None:
    """Return the stack, unless there is none or only what a failed creation left."""
    with translated(f"reading the stack {stack_name!r}"):
        found = describe_stack(target.client("cloudformation"), stack_name)
    if found is None or found["StackStatus"] in stack_state.DELETABLE | EMPTY:
        return None
    return found


def _kept_files(target: Target, stack_name: str) -> dict[str, Mapping[str, str]]:
    """Return where the user's own files of the deployed stack lie; like parameters, they stay."""
    with translated(f"reading the template of {stack_name!r}"):
        answer: Any = target.client("cloudformation").get_template(
            StackName=stack_name, TemplateStage="Original"
        )
    body = answer["TemplateBody"]
    if isinstance(body, str):
        try:
            body = json.loads(body)
        except ValueError:  # YAML, so deployed by another tool
            return {}
    kept: dict[str, Mapping[str, str]] = body.get("Metadata", {}).get(templates.OWN_FILES, {})
    return kept


def _fetch_kept(
    target: Target, project: Project, kept: Mapping[str, Mapping[str, str]]
) -> dict[str, Path]:
    """Return copies of the user's own files that the deployed stack has, by their layer."""
    found = {}
    for layer, name in ((SCHEMA_LAYER, SCHEMA_FILE), (REFERENCE_LAYER, REFERENCE_FILE)):
        if layer in kept:
            place = kept[layer]
            folder = make_private(project.build / f"kept-{Path(place['Key']).stem}")
            archive = folder / "layer.zip"
            with translated(f"reading {place['Key']}"):
                target.client("s3").download_file(place["Bucket"], place["Key"], str(archive))
            with ZipFile(archive) as files:
                files.extract(name, folder)
            found[layer] = folder / name
    return found


def _parameters(
    target: Target, given: Mapping[str, ParameterValue], *, new: bool
) -> dict[str, ParameterValue]:
    """Add what follows from the target to the parameters of a first deployment."""
    if target.local:
        return _local_parameters(target, given, new=new)
    if str(given.get("LocalEngine", "false")).lower() != "false":
        raise InputError("LocalEngine=true weakens the stack: leave it out on AWS")
    if new and "ManageApiGatewayAccount" not in given and _api_logs_are_set(target):
        return {**given, "ManageApiGatewayAccount": "false"}
    return dict(given)


def _local_parameters(
    target: Target, given: Mapping[str, ParameterValue], *, new: bool
) -> dict[str, ParameterValue]:
    defaults: dict[str, ParameterValue] = {
        "SESSender": _LOCAL_MAIL,
        "SESRecipient": _LOCAL_MAIL,
        "SESIdentityName": _LOCAL_MAIL,
        # Every chunk more at a time is a set of processes more on this machine.
        "MaxConcurrency": os.cpu_count() or 2,
        "LocalEngine": "true",
    }
    chosen = {**defaults, **given} if new else dict(given)
    for name in ("SESSender", "SESIdentityName"):
        if name in chosen:
            target.client("ses").verify_email_identity(EmailAddress=str(chosen[name]))
    return chosen


def _api_logs_are_set(target: Target) -> bool:
    """Tell whether the region has a role for API Gateway's logs, not ours to change."""
    with translated("reading API Gateway's settings"):
        return bool(target.client("apigateway").get_account().get("cloudwatchRoleArn"))
