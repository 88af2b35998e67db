"""The stack: deploy it, hand it files, find its jobs, take it down."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchcore import jobs
from batchcore.errors import ReferenceDataError, SchemaError
from batchcore.reference import FILE_NAME as REFERENCE_FILE
from batchcore.reference import read_reference
from batchcore.schema import FILE_NAME as SCHEMA_FILE
from batchcore.schema import RecordSchema
from botocore.exceptions import BotoCoreError, ClientError

from batchops import (
    artifacts,
    buckets,
    change_sets,
    deploy,
    ledger,
    packaging,
    stack_state,
    uploads,
)
from batchops import template as templates
from batchops.aws import Target, TargetName
from batchops.errors import InputError, translate
from batchops.job import Job
from batchops.project import Project

if TYPE_CHECKING:
    import pandas as pd

    from batchops.change_sets import Change, ParameterValue
    from batchops.engine import LocalEngine
    from batchops.stack_state import OnEvent

# The longest of the names made from it, "<stack>-s3-lambda-notification", may have 64 (AWS Lambda).
_STACK_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,40}")

# What a local stack needs no decision for.
_LOCAL_MAIL = "batchops@example.com"
_BUCKETS = ("SourceBucketName", "LoggingBucketName")


@dataclass(frozen=True)
class Deployment:
    """What a deployment did.

    Attributes
    ----------
    changes : tuple of Change
        What changed, a resource each; empty if the stack was as the template says already.
    outputs : dict of str
        The stack's outputs.
    uploaded, reused : int
        Artefacts that were uploaded, and those that were there.
    seconds : float
        How long it took, packaging included.
    """

    changes: tuple[Change, ...]
    outputs: Mapping[str, str]
    uploaded: int
    reused: int
    seconds: float

    @property
    def changed(self) -> bool:
        """Whether anything changed."""
        return bool(self.changes)

    def __str__(self) -> str:
        """Say it in a line."""
        what = f"{len(self.changes)} resources changed" if self.changed else "unchanged"
        return (
            f"{what}, {self.uploaded} artefacts uploaded, {self.reused} reused, "
            f"{self.seconds:.1f} s"
        )


@dataclass(frozen=True)
class Destruction:
    """What deleting a stack takes away.

    Attributes
    ----------
    stack_name : str
        The stack.
    deleted : bool
        Whether it is deleted; False after a dry run.
    versions : dict of str to int
        Versions of objects in each of its buckets, all deleted with it.
    """

    stack_name: str
    deleted: bool
    versions: Mapping[str, int]

    def __str__(self) -> str:
        """Say it in a line."""
        objects = ", ".join(f"{count:,} in {name}" for name, count in self.versions.items())
        verb = "deleted" if self.deleted else "would be deleted (dry_run=False deletes it)"
        return f"stack {self.stack_name} {verb}, with its tables and these objects: {objects}"


class Stack:
    """One deployed copy of the template, on the local engine or on AWS.

    Parameters
    ----------
    name
        The CloudFormation stack's name.
    target
        ``"local"`` or ``"aws"``.
    region, profile
        Of the AWS configuration; on AWS only.
    project
        The checkout with the template; by default the one that this package runs from.
    engine
        The local engine to use, if not the project's own.

    Raises
    ------
    InputError
        If the name cannot be a stack's, or an option belongs to the other target.
    """

    def __init__(
        self,
        name: str = "batchops",
        *,
        target: TargetName = "local",
        region: str | None = None,
        profile: str | None = None,
        project: str | Path | None = None,
        engine: LocalEngine | None = None,
    ) -> None:
        if not _STACK_NAME.fullmatch(name):
            raise InputError(
                f"{name!r} cannot be a stack's name: give a letter, then letters, digits and "
                "dashes, 41 characters in all"
            )
        self.name = name
        self.target = Target(target, region=region, profile=profile, engine=engine)
        self._project_root = project
        self._outputs: dict[str, str] | None = None

    def __repr__(self) -> str:
        """Name the stack and where it lives."""
        return f"<Stack {self.name} on {self.target!r}>"

    def client(self, service: str) -> Any:
        """Return the boto3 client of a service in the stack's account and region."""
        return self.target.client(service)

    @property
    def outputs(self) -> dict[str, str]:
        """The stack's outputs by name.

        Raises
        ------
        StackNotFoundError
            If it is not deployed.
        """
        if self._outputs is None:
            self._outputs = stack_state.outputs(self.client("cloudformation"), self.name)
        return self._outputs

    # ------------------------------------------------------------------- deployment

    def deploy(
        self,
        *,
        schema: str | Path | None = None,
        reference_data: str | Path | None = None,
        replace: bool = False,
        on_event: OnEvent | None = None,
        timeout_s: float = 3600,
        **parameters: ParameterValue,
    ) -> Deployment:
        """Create or update the stack; one that needs no change is left as it is.

        Parameters
        ----------
        schema, reference_data
            Files to use instead of those shipped in ``source/schema`` and ``source/reference``.
        replace
            Delete a stack first that is left over from a failed creation.
        on_event
            Called with each stack event as it comes.
        timeout_s
            Seconds to wait at most.
        **parameters
            The template's parameters; those not named keep their value, or get their default.

        Raises
        ------
        InputError, StackError, PackagingError, AwsError, EngineError
        """
        started = time.monotonic()
        project = Project.find(self._project_root)
        overrides = _overrides(project, schema, reference_data)
        self.target.connect(start=True)
        platform: packaging.Platform = "host" if self.target.local else "lambda"
        built = packaging.build(project, platform=platform, overrides=overrides)
        published = artifacts.publish(self.target, built)
        text = templates.render(
            templates.load_template(project.template), built, artifacts.bucket_name(self.target)
        )
        cfn, poll_s = self.client("cloudformation"), self.target.poll_s
        change_set = change_sets.create_change_set(
            cfn,
            self.name,
            template_url=artifacts.publish_template(self.target, text),
            parameters=self._parameters(parameters),
            replace=replace,
            on_event=on_event,
            poll_s=poll_s,
        )
        self._outputs = deploy.execute(
            cfn, change_set, on_event=on_event, timeout_s=timeout_s, poll_s=poll_s
        )
        return Deployment(
            changes=change_set.changes,
            outputs=self._outputs,
            uploaded=published.uploaded,
            reused=published.reused,
            seconds=time.monotonic() - started,
        )

    def _parameters(self, given: Mapping[str, ParameterValue]) -> dict[str, ParameterValue]:
        """Add what follows from the target to the parameters of a first deployment."""
        found = stack_state.describe(self.client("cloudformation"), self.name)
        new = found is None or found["StackStatus"] in stack_state.DELETABLE
        if self.target.local:
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
                    self.client("ses").verify_email_identity(EmailAddress=str(chosen[name]))
            return chosen
        if str(given.get("LocalEngine", "false")).lower() != "false":
            raise InputError("LocalEngine=true weakens the stack: leave it out on AWS")
        if new and "ManageApiGatewayAccount" not in given and self._api_logs_are_set():
            return {**given, "ManageApiGatewayAccount": "false"}
        return dict(given)

    def _api_logs_are_set(self) -> bool:
        """Tell whether the region has a role for API Gateway's logs, not ours to change."""
        try:
            return bool(self.client("apigateway").get_account().get("cloudwatchRoleArn"))
        except (ClientError, BotoCoreError) as error:
            raise translate(error, doing="reading API Gateway's settings") from error

    def destroy(
        self, *, dry_run: bool = True, on_event: OnEvent | None = None, timeout_s: float = 3600
    ) -> Destruction:
        """Say what deleting the stack would take away, or empty its buckets and delete it.

        Parameters
        ----------
        dry_run
            Only look. Otherwise uploads, results, errors and the ledger are gone afterwards.
        on_event
            Called with each stack event as it comes.
        timeout_s
            Seconds to wait at most.

        Raises
        ------
        StackNotFoundError, StackBusyError, StackStuckError, AwsError
        """
        cfn = self.client("cloudformation")
        found = {name: self.outputs[name] for name in _BUCKETS if name in self.outputs}
        s3 = self.client("s3")
        if dry_run:
            versions = {bucket: buckets.count_versions(s3, bucket) for bucket in found.values()}
            return Destruction(self.name, deleted=False, versions=versions)
        versions = {bucket: buckets.delete_bucket(s3, bucket) for bucket in found.values()}
        deploy.delete(
            cfn, self.name, on_event=on_event, timeout_s=timeout_s, poll_s=self.target.poll_s
        )
        self._outputs = None
        return Destruction(self.name, deleted=True, versions=versions)

    # ------------------------------------------------------------------------- jobs

    def submit(self, source: str | Path | bytes | pd.DataFrame, *, name: str | None = None) -> Job:
        """Upload a file, which starts its job, and return a handle at once.

        Parameters
        ----------
        source
            The path of a CSV file, its bytes, or a DataFrame (written without its index).
        name
            The name to upload it under, ``upload.csv`` for bytes and DataFrames; it may have
            folders (``2026/orders.csv``).
        """
        delimiter = jobs.parse_delimiter(self.outputs["FileDelimiter"])
        file, upload_name = uploads.open_source(source, name=name, delimiter=delimiter)
        bucket = self.outputs["SourceBucketName"]
        with file:
            key, version = uploads.upload(self.client("s3"), bucket, file, upload_name)
        return Job(self, jobs.job_id(bucket, key, version))

    def job(self, job_id: str) -> Job:
        """Return the handle of a job that the ledger knows.

        Raises
        ------
        JobNotFoundError
        """
        job = Job(self, job_id)
        job.entry()
        return job

    def jobs(self, *, limit: int = 100) -> list[Job]:
        """Return the jobs, the last started first, at most `limit`."""
        table = self.outputs["JobTableName"]
        found = ledger.recent_jobs(self.client("dynamodb"), table, limit=limit)
        return [Job(self, entry["jobId"]) for entry in found]

    def latest(self) -> Job:
        """Return the job that was started last.

        Raises
        ------
        InputError
            If there is none.
        """
        found = self.jobs(limit=1)
        if not found:
            raise InputError(f"stack {self.name!r} has no jobs yet: submit a file first")
        return found[0]


def _overrides(
    project: Project, schema: str | Path | None, reference_data: str | Path | None
) -> dict[str, Path]:
    """Check the files given in place of the shipped ones, and lay each into a folder of its own."""
    shipped_schema = project.source / "schema" / SCHEMA_FILE
    shipped_data = project.source / "reference" / REFERENCE_FILE
    schema_path = Path(schema) if schema else shipped_schema
    data_path = Path(reference_data) if reference_data else shipped_data
    try:
        for _ in read_reference(data_path, RecordSchema.load(schema_path)):
            pass
    except SchemaError as error:
        raise InputError(f"{error} (schema={str(schema_path)!r})") from error
    except ReferenceDataError as error:
        raise InputError(
            f"{error} (reference_data={str(data_path)!r}): it must fit the schema {schema_path}"
        ) from error
    found = {}
    if schema:
        found["SchemaLayer"] = _lay_out(project, schema_path, SCHEMA_FILE)
    if reference_data:
        found["ReferenceLayer"] = _lay_out(project, data_path, REFERENCE_FILE)
    return found


def _lay_out(project: Project, source: Path, name: str) -> Path:
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:16]
    folder = project.build / f"{Path(name).stem}-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, folder / name)
    return folder
