"""Turn a checkout into a change set: check the user's files, package, upload, compare."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile, ZipFile

import psutil
from batchcore.errors import ReferenceDataError, SchemaError
from batchcore.reference import FILE_NAME as REFERENCE_FILE
from batchcore.reference import read_reference
from batchcore.schema import FILE_NAME as SCHEMA_FILE
from batchcore.schema_check import load_checked
from batchcore.workflow import CHUNK_FUNCTIONS

from batchops.core.compatibility import is_newer, misfit
from batchops.core.errors import InputError, PackagingError, StackError, translated
from batchops.core.project import make_private
from batchops.core.stack_ref import describe_stack, outputs_of
from batchops.core.stack_states import EMPTY, is_leftover
from batchops.deployment import artifact_bucket, change_sets, packaging
from batchops.deployment import template as templates
from batchops.deployment.deployed import deployed_template
from batchops.deployment.parameters import check_parameters

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

    from batchops.core.project import Project
    from batchops.core.stack_ref import StackRef
    from batchops.core.target import Target
    from batchops.deployment.change_sets import ChangeSet, ParameterValue
    from batchops.deployment.stack_events import OnEvent

SCHEMA_LAYER = "SchemaLayer"
REFERENCE_LAYER = "ReferenceLayer"

# What a local stack needs no decision for.
_LOCAL_MAIL = "batchops@example.com"
# The local engine runs each function in a process for each call at a time, and keeps the process
# (measured, MiniStack 1.5.33).
_WORKER_BYTES = 45_000_000


@dataclass(frozen=True)
class Order:
    """The user's files and parameters for a deployment.

    Attributes
    ----------
    schema, reference_data : path or None
        Files to use in place of those deployed, or of those shipped.
    parameters : mapping
        The template's parameters by name.
    tags : mapping
        The stack's tags; those that it has stay where none are given.
    role_arn : str or None
        The role that CloudFormation takes; None for the one that the stack has, or none.
    termination_protection : bool or None
        Whether the stack may not be deleted; None to leave that as it is.
    """

    schema: str | Path | None = None
    reference_data: str | Path | None = None
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    role_arn: str | None = None
    termination_protection: bool | None = None


@dataclass(frozen=True)
class Prepared:
    """A change set, and how many artifacts it took."""

    change_set: ChangeSet
    published: artifact_bucket.Published


def prepare(
    stack: StackRef,
    project: Project,
    order: Order,
    *,
    replace: bool = False,
    force: bool = False,
    revert_drift: bool = False,
    on_event: OnEvent | None = None,
) -> Prepared:
    """Package and upload what the template names, and have CloudFormation compute the changes.

    Raises
    ------
    InputError, PackagingError, StackError, AwsError, EngineError
    """
    # Read first: what cannot be deployed needs no engine installed and started for it.
    template = templates.load_template(project.template)
    _check_there(order)
    target = stack.target.connect(start=True)
    cfn = target.client("cloudformation")
    found = _living(cfn, stack.name, replace=replace)
    if found is not None and not force:
        _refuse_going_back(stack.name, outputs_of(found))
    kept = {} if found is None else _kept_files(cfn, stack.name)
    overrides = check_files(project, order, kept=_fetch_kept(target, project, kept))
    has = {each["ParameterKey"] for each in (found or {}).get("Parameters", [])}
    open_ones = template["Parameters"].keys() - has
    parameters = _parameters(target, order.parameters, open_ones, new=found is None)
    check_parameters(template, found or {}, parameters)
    platform: packaging.Platform = "host" if target.local else "lambda"
    built = packaging.build(project, platform=platform, overrides=overrides)
    published = artifact_bucket.publish(target, built)
    # Files given now come before those that the stack has.
    places = {**published.places, **{n: p for n, p in kept.items() if n not in overrides}}
    own = {n for n in (*overrides, *kept) if overrides.get(n) != _no_reference(project)}
    text = templates.render(
        template,
        places,
        own=own,
        source_digest=packaging.source_digest(project),
    )
    change_set = change_sets.create_change_set(
        cfn,
        stack.name,
        template_url=artifact_bucket.publish_template(target, text),
        parameters=parameters,
        tags=order.tags,
        role_arn=order.role_arn,
        revert_drift=revert_drift,
        replace=replace,
        on_event=on_event,
        poll_s=target.poll_s,
    )
    return Prepared(change_set, published)


def _check_there(order: Order) -> None:
    """Refuse files that are not there."""
    for what, path in (("schema", order.schema), ("reference data", order.reference_data)):
        if path and not Path(path).is_file():
            raise InputError(f"no file {str(path)!r} to take as {what}: name one that is there")


def check_files(project: Project, order: Order, *, kept: Mapping[str, Path]) -> dict[str, Path]:
    """Check the files given in place of the shipped ones, and copy each to a folder of its own.

    Parameters
    ----------
    project
        The checkout with the shipped files.
    order
        The files that are given.
    kept
        Copies of the user's own files that the stack has already, by their layer.

    Raises
    ------
    InputError
        A file cannot be used, or the two do not fit each other.
    """
    schema = Path(order.schema) if order.schema else None
    reference_data = Path(order.reference_data) if order.reference_data else None
    schema_path = schema or kept.get(SCHEMA_LAYER, project.source / "schema" / SCHEMA_FILE)
    shipped = project.source / "reference" / REFERENCE_FILE
    data_path = reference_data or kept.get(REFERENCE_LAYER, shipped)
    try:
        record_schema = load_checked(schema_path)
        for _ in read_reference(data_path, record_schema) if record_schema.looks_up else ():
            pass
    except SchemaError as error:
        raise InputError(f"{error} (schema={str(schema_path)!r})") from error
    except ReferenceDataError as error:
        raise InputError(
            f"{error} (reference_data={str(data_path)!r}): it must fit the schema {schema_path}"
        ) from error
    if reference_data and not record_schema.looks_up:
        raise InputError(
            f"nothing would read {reference_data}: the schema {schema_path} has no look-up. Leave "
            "the reference data out, or give the schema x-key and x-enrichment"
        )
    found = {}
    if not record_schema.looks_up:
        found[REFERENCE_LAYER] = _no_reference(project)
    if schema:
        found[SCHEMA_LAYER] = _copy_alone(project, schema, SCHEMA_FILE)
    if reference_data:
        found[REFERENCE_LAYER] = _copy_alone(project, reference_data, REFERENCE_FILE)
    return found


def _no_reference(project: Project) -> Path:
    """Return a folder with empty reference data, for a schema without look-up."""
    folder = make_private(project.build / "no-reference")
    (folder / REFERENCE_FILE).touch()
    return folder


def _copy_alone(project: Project, source: Path, name: str) -> Path:
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:16]
    folder = make_private(project.build / f"{Path(name).stem}-{digest}")
    shutil.copyfile(source, folder / name)
    return folder


def _living(cfn: CloudFormationClient, stack_name: str, *, replace: bool) -> dict[str, Any] | None:
    """Return the stack's description; None if the deployment creates the stack."""
    found = describe_stack(cfn, stack_name)
    if found is None or found["StackStatus"] in EMPTY:
        return None
    # Here already, before minutes go into building what cannot be deployed.
    leftover = is_leftover(stack_name, found["StackStatus"], replace=replace)
    return None if leftover else found


def _refuse_going_back(stack_name: str, outputs: Mapping[str, str]) -> None:
    if is_newer(outputs):
        raise StackError(
            f"{misfit(outputs)}, or deploy with force=True, which puts this version in its place: "
            "it may not read what the later one wrote",
            stack_name=stack_name,
        )


def _kept_files(cfn: CloudFormationClient, stack_name: str) -> dict[str, Mapping[str, str]]:
    """Return where the user's own files are that the stack was deployed with and keeps."""
    metadata = deployed_template(cfn, stack_name).get("Metadata", {})
    kept: dict[str, Mapping[str, str]] = metadata.get(templates.OWN_FILES, {})
    return kept


def _fetch_kept(
    target: Target, project: Project, kept: Mapping[str, Mapping[str, str]]
) -> dict[str, Path]:
    """Download the user's own files that the stack keeps; return them by their layer."""
    found = {}
    for layer, name in ((SCHEMA_LAYER, SCHEMA_FILE), (REFERENCE_LAYER, REFERENCE_FILE)):
        if layer in kept:
            place = kept[layer]
            folder = make_private(project.build / f"kept-{Path(place['Key']).stem}")
            archive = folder / "layer.zip"
            with translated(f"reading {place['Key']}"):
                target.client("s3").download_file(place["Bucket"], place["Key"], str(archive))
            try:
                with ZipFile(archive) as files:
                    files.extract(name, folder)
            except (BadZipFile, KeyError) as error:
                raise PackagingError(
                    f"{place['Key']} in {place['Bucket']} holds no {name}: pass the file again"
                ) from error
            found[layer] = folder / name
    return found


def _parameters(
    target: Target, given: Mapping[str, ParameterValue], open_ones: Collection[str], *, new: bool
) -> dict[str, ParameterValue]:
    """Return the given parameters, with those that the target decides when they come up first.

    Parameters
    ----------
    open_ones
        Those of the template that the stack does not have yet.
    """
    if target.local:
        return _local_parameters(target, given, open_ones)
    if str(given.get("LocalEngine", "false")).lower() != "false":
        raise InputError("LocalEngine=true weakens the stack: leave it out on AWS")
    if new and "ManageApiGatewayAccount" not in given and _api_logs_are_set(target):
        return {**given, "ManageApiGatewayAccount": "false"}
    return dict(given)


def _local_parameters(
    target: Target, given: Mapping[str, ParameterValue], open_ones: Collection[str]
) -> dict[str, ParameterValue]:
    defaults: dict[str, ParameterValue] = {
        "SESSender": _LOCAL_MAIL,
        "SESRecipient": _LOCAL_MAIL,
        "SESIdentityName": _LOCAL_MAIL,
        # Every chunk more at a time is a set of processes more on this machine.
        "MaxConcurrency": os.cpu_count() or 2,
        "MaxConcurrentJobs": local_jobs(os.cpu_count() or 2, psutil.virtual_memory().total),
        "LocalEngine": "true",
    }
    chosen = {name: value for name, value in defaults.items() if name in open_ones} | dict(given)
    for name in ("SESSender", "SESIdentityName"):
        if name in chosen:
            with translated(f"having {chosen[name]} accepted as a sender"):
                target.client("ses").verify_email_identity(EmailAddress=str(chosen[name]))
    return chosen


def local_jobs(cores: int, memory_bytes: int) -> int:
    """Return how many jobs may run at a time on a machine: one per core, in half of its memory."""
    job_bytes = cores * len(CHUNK_FUNCTIONS) * _WORKER_BYTES
    return max(1, min(cores, memory_bytes // 2 // job_bytes))


def _api_logs_are_set(target: Target) -> bool:
    """Return whether the region already has a role for API Gateway's logs."""
    with translated("reading API Gateway's settings"):
        return bool(target.client("apigateway").get_account().get("cloudwatchRoleArn"))
