"""The stack: deploy it, hand it files, find its jobs, take it down."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchcore import jobs

from batchops.core import ledger
from batchops.core.errors import InputError
from batchops.core.project import Project
from batchops.core.stack_ref import Outputs, StackRef
from batchops.core.target import Engine, TargetName
from batchops.deployment import buckets, delivery, deploy
from batchops.deployment.deletion import delete_stack
from batchops.deployment.resources import BUCKETS, count_holdings, refuse_running
from batchops.deployment.stack_values import Deployment, Destruction
from batchops.inspection import frames
from batchops.job import Job
from batchops.local.targets import make_target
from batchops.planning import uploads
from batchops.show import markup

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from batchops.deployment.change_sets import ParameterValue
    from batchops.deployment.preview import Preview
    from batchops.deployment.resources import StackStatus
    from batchops.deployment.stack_state import OnEvent
    from batchops.inspection.checks import Diagnosis
    from batchops.planning.plan import Plan
    from batchops.planning.what_if import SchemaSource
    from batchops.planning.what_if_values import WhatIf
    from batchops.recovery.redelivery import Redelivery

File = str | Path


class ShownOutputs(Outputs):
    """A stack's outputs, as a table in a notebook."""

    def _repr_html_(self) -> str:
        return markup.table(("output", "value"), sorted(self.items()))


class Stack(StackRef):
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
        project: File | None = None,
        engine: Engine | None = None,
    ) -> None:
        super().__init__(name, make_target(target, region=region, profile=profile, engine=engine))
        self._project_root = project

    def __repr__(self) -> str:
        """Name the stack and where it lives."""
        return f"<Stack {self.name} on {self.target!r}>"

    @property
    def project(self) -> Project:
        """The checkout that the stack is deployed from."""
        return Project.find(self._project_root)

    def _outputs_of(self, values: Mapping[str, str]) -> ShownOutputs:
        return ShownOutputs(values)

    # ------------------------------------------------------------------- deployment

    def doctor(self) -> Diagnosis:
        """Look for what is missing before anything starts, and say what to do about it."""
        from batchops.inspection.doctor import run_doctor

        return run_doctor(self, project=self._project_root)

    def preview(
        self,
        *,
        schema: File | None = None,
        reference_data: File | None = None,
        **parameters: ParameterValue,
    ) -> Preview:
        """Say what `deploy` with the same arguments would change, and change nothing.

        Raises
        ------
        InputError, StackError, PackagingError, AwsError, EngineError
        """
        from batchops.deployment.preview import take_preview

        order = self._order(schema, reference_data, parameters)
        prepared = delivery.prepare(self.target, self.project, order)
        return take_preview(self.client("cloudformation"), prepared.change_set)

    def deploy(
        self,
        *,
        schema: File | None = None,
        reference_data: File | None = None,
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
            A later deployment keeps them, until it is given others.
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
        order = self._order(schema, reference_data, parameters)
        prepared = delivery.prepare(
            self.target, self.project, order, replace=replace, on_event=on_event
        )
        outputs = deploy.execute(
            self.client("cloudformation"),
            prepared.change_set,
            on_event=on_event,
            timeout_s=timeout_s,
            poll_s=self.target.poll_s,
        )
        self._outputs = self._outputs_of(outputs)
        return Deployment(
            changes=prepared.change_set.changes,
            outputs=self._outputs,
            uploaded=prepared.published.uploaded,
            reused=prepared.published.reused,
            seconds=time.monotonic() - started,
        )

    def _order(
        self,
        schema: File | None,
        reference_data: File | None,
        parameters: Mapping[str, ParameterValue],
    ) -> delivery.Order:
        return delivery.Order(
            stack_name=self.name,
            schema=Path(schema) if schema else None,
            reference_data=Path(reference_data) if reference_data else None,
            parameters=parameters,
        )

    def status(self) -> StackStatus:
        """Say how the stack stands, with its parameters; one that is not deployed says so."""
        from batchops.deployment.resources import stack_status

        return stack_status(self)

    def resources(self) -> pd.DataFrame:
        """Return the stack's resources.

        Returns
        -------
        DataFrame
            One line a resource: ``logical_id``, ``type``, ``physical_id``, ``status`` (str),
            ``updated`` (datetime64[ms, UTC]).
        """
        from batchops.deployment.resources import resources

        return resources(self)

    def destroy(
        self,
        *,
        dry_run: bool = True,
        force: bool = False,
        on_event: OnEvent | None = None,
        timeout_s: float = 3600,
    ) -> Destruction:
        """Say what deleting the stack would take away, or empty its buckets and delete it.

        Parameters
        ----------
        dry_run
            Only look. Otherwise uploads, results, errors and the ledger are gone afterwards.
        force
            Delete it even while jobs run: they are stopped first.
        on_event
            Called with each stack event as it comes.
        timeout_s
            Seconds to wait at most.

        Raises
        ------
        StackNotFoundError, StackStuckError, AwsError
        StackBusyError
            If jobs run and `force` is not set, or another operation is under way.
        WaitTimeoutError
            If a job cannot be stopped in time; the stack is as it was then.
        """
        from batchops.recovery.stopping import stop_running

        holdings = count_holdings(self)
        if dry_run:
            return Destruction(self.name, deleted=False, holdings=holdings)
        stopped: tuple[str, ...] = ()
        if force:
            # What ran on would write into the buckets as they are emptied.
            stopped = stop_running(self)
        else:
            refuse_running(self)
        cfn, s3 = self.client("cloudformation"), self.client("s3")
        for bucket in (self.outputs[name] for name in BUCKETS if name in self.outputs):
            buckets.delete_bucket(s3, bucket)
        delete_stack(
            cfn, self.name, on_event=on_event, timeout_s=timeout_s, poll_s=self.target.poll_s
        )
        self._outputs = None
        return Destruction(self.name, deleted=True, holdings=holdings, stopped=stopped)

    # ------------------------------------------------------------------------- jobs

    def plan(
        self,
        source: File | bytes | pd.DataFrame,
        *,
        name: str | None = None,
        check_keys: bool = False,
    ) -> Plan:
        """Say what a file would come to before anything is uploaded: rejects, limits, cost, time.

        Parameters
        ----------
        source
            The path of a CSV file, its bytes, or a DataFrame.
        name
            The name it would be uploaded under.
        check_keys
            Look every key up in the reference data too; on AWS that costs half a read unit a key.

        Raises
        ------
        InputError, StackNotFoundError, AwsError
        """
        from batchops.planning.plan_stack import plan_for

        return plan_for(self, source, name=name, check_keys=check_keys)

    def schema(self) -> dict[str, Any]:
        """Return the record schema that the deployed functions validate with, as a JSON document.

        It is a copy: change a rule in it, and ask `what_if` what that would do.

        Raises
        ------
        StackNotFoundError, AwsError
        """
        from batchops.deployment.deployed import deployed_schema

        _ = self.outputs  # raises where there is no such stack
        return deployed_schema(self).document

    def what_if(
        self,
        source: File | bytes | pd.DataFrame,
        schema: SchemaSource,
        *,
        name: str | None = None,
    ) -> WhatIf:
        """Say which rows of a file another schema would newly reject, or newly accept.

        Both schemas are applied here; nothing is deployed or uploaded.

        Parameters
        ----------
        source
            The path of a CSV file, its bytes, or a DataFrame.
        schema
            The other schema: a document like that of `schema`, or the path of its file.
        name
            What the file is called.

        Raises
        ------
        InputError, StackNotFoundError, AwsError
        """
        from batchops.planning.what_if_stack import what_if_file

        return what_if_file(self, source, schema, name=name)

    def submit(
        self,
        source: File | bytes | pd.DataFrame | Plan,
        *,
        name: str | None = None,
        force: bool = False,
    ) -> Job:
        """Upload a file, which starts its job, and return a handle at once.

        Parameters
        ----------
        source
            The path of a CSV file, an object (``s3://bucket/key``), bytes, a DataFrame (written
            without its index), or a plan, whose file it is.
        name
            The name to upload it under, ``upload.csv`` for bytes and DataFrames; it may have
            folders (``2026/orders.csv``).
        force
            Submit even what the plan says cannot succeed.

        Raises
        ------
        InputError, StackNotFoundError, AwsError
        """
        from batchops.planning.plan import Plan
        from batchops.planning.plan_stack import check_submittable

        if isinstance(source, Plan):
            check_submittable(source, force=force)
            name = name or source.name
        file_source: Any = source.source if isinstance(source, Plan) else source
        s3, bucket = self.client("s3"), self.outputs["SourceBucketName"]
        if isinstance(file_source, str) and file_source.startswith("s3://"):
            key, version = uploads.copy_object(s3, bucket, file_source, name=name)
        else:
            delimiter = jobs.parse_delimiter(self.outputs["FileDelimiter"])
            file, upload_name = uploads.open_source(file_source, name=name, delimiter=delimiter)
            with file:
                key, version = uploads.upload(s3, bucket, file, upload_name)
        return Job(self, jobs.job_id(bucket, key, version))

    def job(self, job_id: str) -> Job:
        """Return the handle of a job that the ledger knows.

        Raises
        ------
        JobNotFoundError
        """
        job = Job(self, job_id)
        job.ledger_entry()  # raises if there is none
        return job

    def jobs(
        self,
        *,
        status: str | None = None,
        since: datetime | str | None = None,
        name: str | None = None,
        limit: int = 100,
    ) -> pd.DataFrame:
        """Return the jobs, the last started first.

        Parameters
        ----------
        status
            Only jobs of this status: SUBMITTED, RUNNING, SUCCEEDED, FAILED or ABORTED.
        since
            Only jobs started since then: a time (UTC unless it says otherwise), or ``"2h"``,
            ``"1d"`` ago.
        name
            Only jobs whose file's name holds this text.
        limit
            Jobs at most.

        Returns
        -------
        DataFrame
            One line a job: ``job``, ``status``, ``file`` (str), ``start``, ``end``
            (datetime64[ms, UTC]), ``rows_in``, ``rows_out``, ``rows_rejected``, ``chunks``,
            ``attempt`` (Int64), ``mail``, ``error`` (str). Missing: not known yet, or none.
        """
        from batchops.inspection.logs import parse_since

        found = ledger.recent_jobs(
            self,
            since=parse_since(since) if since is not None else None,
            status=status,
            name=name,
            limit=limit,
        )
        return frames.jobs_frame(found)

    def latest(self) -> Job:
        """Return the job that was started last.

        Raises
        ------
        InputError
            If there is none.
        """
        for entry in ledger.recent_jobs(self, limit=1):
            return Job(self, entry.job_id)
        raise InputError(f"stack {self.name!r} has no jobs yet: submit a file first")

    def redeliver(self, *, dry_run: bool = True) -> Redelivery:
        """Look at the uploads whose job could not be started, or have their jobs started.

        Lambda gives up on an upload's event after some tries; a notice then goes to the topic.
        What kept the job from starting must be gone first.

        Parameters
        ----------
        dry_run
            Only look.

        Raises
        ------
        StackNotFoundError, AwsError
        """
        from batchops.recovery.redelivery import redeliver

        return redeliver(self, dry_run=dry_run)

    def speeds(self, *, name: str | None = None, limit: int = 100) -> pd.DataFrame:
        """Return how fast the latest jobs were that succeeded at their first attempt.

        Parameters
        ----------
        name
            Only jobs whose file's name holds this text.
        limit
            Jobs at most that are looked at.

        Returns
        -------
        DataFrame
            One line a job, the last started first: ``job`` (str), ``rows``, ``chunk_rows`` (the
            rows a chunk may have), ``chunks`` (int64), ``seconds`` (float64, from the upload's
            event to the end), ``rows_per_s`` (float64).
        """
        from batchops.inspection.timings import speeds_frame

        found = ledger.recent_jobs(self, name=name, limit=limit)
        return speeds_frame(found)

    def plot_speeds(
        self, *, name: str | None = None, limit: int = 100, ax: Axes | None = None
    ) -> Axes:
        """Draw how fast those jobs were by the size of their chunks."""
        from batchops.plots.size_plots import measured_sizes

        return measured_sizes(self.speeds(name=name, limit=limit), ax=ax)

    # -------------------------------------------------------------------- functions

    def logs(
        self,
        function: str,
        *,
        since: datetime | str | None = None,
        job: Job | str | None = None,
        limit: int = 1000,
    ) -> pd.DataFrame:
        """Return what a function logged.

        Parameters
        ----------
        function
            Its folder in ``source/``, such as ``"validate-data"``.
        since
            A time, or ``"10m"``, ``"2h"``, ``"1d"`` ago; by default 10 minutes, or the job's start.
        job
            Only the calls for this job.
        limit
            Lines at most; the latest are kept.

        Returns
        -------
        DataFrame
            One line a line of the log: ``time`` (datetime64[ms, UTC]), ``level``, ``message``,
            ``job``, ``chunk``, ``request_id``, ``raw``.
        """
        from batchops.inspection.logs import function_logs

        job_id = job.id if isinstance(job, Job) else job
        return function_logs(self, function, since=since, job=job_id, limit=limit)

    def invoke(
        self,
        function: str,
        event: Mapping[str, Any] | File,
        *,
        here: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> Any:
        """Call one function with an event, and return its result.

        Parameters
        ----------
        function
            Its folder in ``source/``.
        event
            The event, or the path of a JSON file that holds it.
        here
            Run it in this process instead of on the target, so that a debugger can stop in it. It
            has the deployed function's environment, and your permissions.
        environment
            Variables that differ from the deployed function's; only with `here`.

        Raises
        ------
        InputError, FunctionFailedError, AwsError
        """
        from batchops.inspection.invoke import invoke_target
        from batchops.inspection.invoke_here import invoke_here

        if here:
            return invoke_here(self.project, function, event, stack=self, environment=environment)
        return invoke_target(self, function, event)
