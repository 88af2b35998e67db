"""The stack: deploy it, submit files, find its jobs, destroy it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchops.core import ledger
from batchops.core.compatibility import warn_of_misfit
from batchops.core.config import load_environment
from batchops.core.errors import InputError
from batchops.core.project import Project
from batchops.core.stack_ref import Outputs, StackRef
from batchops.core.target import Engine, TargetName
from batchops.deployment.deletion import Destruction, destroy_stack
from batchops.deployment.delivery import Order
from batchops.deployment.deploy import Deployment, deploy_stack
from batchops.deployment.deployed import deployed_schema
from batchops.inspection import frames
from batchops.inspection.recent import recent_jobs
from batchops.job import Job
from batchops.local.targets import make_target
from batchops.show import markup

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from batchops.deployment.change_sets import ParameterValue
    from batchops.deployment.deployer import Policy
    from batchops.deployment.drift import Drift
    from batchops.deployment.preview import Preview
    from batchops.deployment.stack_events import OnEvent
    from batchops.deployment.stack_status import StackStatus
    from batchops.inspection.checks import Diagnosis
    from batchops.planning.conversion import Source
    from batchops.planning.plan import Plan
    from batchops.planning.what_if import SchemaSource, WhatIf
    from batchops.recovery.reconcile import Reconciliation
    from batchops.recovery.redelivery import Redelivery

File = str | Path


class ShownOutputs(Outputs):
    """A stack's outputs, as a table in a notebook."""

    def _repr_html_(self) -> str:
        return markup.without_formulas(markup.table(("output", "value"), sorted(self.items())))


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
        The folder with the template: a checkout, or what ``batchops init`` has laid out. By default
        the one around the current folder; where there is none, what came with the package.
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
        # What deploy takes where it is not given something else.
        self._defaults = Order()

    @classmethod
    def from_config(
        cls, environment: str, path: File | None = None, *, project: File | None = None
    ) -> Stack:
        """Return the stack of an environment in ``batchops.toml``.

        `preview` and `deploy` take the environment's schema, reference data, parameters and tags
        where they are not given others.

        Parameters
        ----------
        environment
            Its name in the file.
        path
            The file; by default the nearest ``batchops.toml`` in the current folder or above.
        project
            The folder with the template, as for `Stack`.

        Raises
        ------
        InputError
            There is no such file or environment, or something in the file is wrong.
        """
        found = load_environment(environment, Path(path) if path is not None else None)
        stack = cls(
            found.stack,
            target=found.target,
            region=found.region,
            profile=found.profile,
            project=project,
        )
        stack._defaults = Order(
            found.schema,
            found.reference,
            found.parameters,
            found.tags,
            found.role_arn,
            found.termination_protection,
        )
        return stack

    def __repr__(self) -> str:
        """Name the stack and where it lives."""
        return f"<Stack {self.name} on {self.target!r}>"

    @property
    def project(self) -> Project:
        """The folder that the stack is deployed from."""
        return Project.find(self._project_root)

    def _outputs_of(self, values: Mapping[str, str]) -> ShownOutputs:
        return ShownOutputs(values, self.name)

    # ------------------------------------------------------------------- deployment

    def doctor(self) -> Diagnosis:
        """Check the set-up before anything starts, and say what to do about what is missing."""
        from batchops.inspection.doctor import run_doctor

        return run_doctor(self, project=self._project_root)

    def preview(
        self,
        *,
        schema: File | None = None,
        reference_data: File | None = None,
        **parameters: ParameterValue,
    ) -> Preview:
        """Return what `deploy` with the same arguments would change, and change nothing.

        Raises
        ------
        InputError, StackError, PackagingError, AwsError, EngineError
        """
        from batchops.deployment.preview import preview_stack

        order = self._order(schema, reference_data, parameters)
        return preview_stack(self, self.project, order)

    def deploy(
        self,
        *,
        schema: File | None = None,
        reference_data: File | None = None,
        tags: Mapping[str, str] | None = None,
        role_arn: str | None = None,
        termination_protection: bool | None = None,
        repair: bool = False,
        replace: bool = False,
        force: bool = False,
        on_event: OnEvent | None = None,
        timeout_s: float = 3600,
        **parameters: ParameterValue,
    ) -> Deployment:
        """Create or update the stack; leave one that needs no change as it is.

        Parameters
        ----------
        schema, reference_data
            Files to use instead of those shipped in ``source/schema`` and ``source/reference``.
            A later deployment keeps them, until it is given others.
        tags
            The stack's tags, which CloudFormation puts on all resources that take some. They
            replace those that the stack has; without any, these stay.
        role_arn
            The role that CloudFormation takes to make and change the resources; later deployments
            and `destroy` take it too. By default your own rights count.
        termination_protection
            Whether `destroy` is refused. By default that stays as it is.
        repair
            Also set back what was changed without CloudFormation, such as a role's policy, see
            `drift`; on AWS only.
        replace
            Delete a stack first that is left over from a failed creation.
        force
            Deploy even over a stack of a later version of batchops.
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
        done = deploy_stack(
            self,
            self.project,
            self._order(
                schema,
                reference_data,
                parameters,
                tags=tags,
                role_arn=role_arn,
                termination_protection=termination_protection,
            ),
            replace=replace,
            force=force,
            repair=repair,
            on_event=on_event,
            timeout_s=timeout_s,
        )
        return dataclasses.replace(done, outputs=self._keep_outputs(done.outputs))

    def _order(
        self,
        schema: File | None,
        reference_data: File | None,
        parameters: Mapping[str, ParameterValue],
        *,
        tags: Mapping[str, str] | None = None,
        role_arn: str | None = None,
        termination_protection: bool | None = None,
    ) -> Order:
        default = self._defaults
        protects = termination_protection
        return Order(
            schema or default.schema,
            reference_data or default.reference_data,
            {**default.parameters, **parameters},
            {**default.tags, **(tags or {})},
            role_arn or default.role_arn,
            default.termination_protection if protects is None else protects,
        )

    def status(self) -> StackStatus:
        """Return the stack's status and parameters; a stack that is not deployed says so.

        It also says whether another version of batchops, or other sources, were deployed.
        """
        from batchops.deployment.stack_status import stack_status

        return stack_status(self, self.project)

    def drift(self, *, timeout_s: float = 600) -> Drift:
        """Compare the resources with the template, and say what was changed without CloudFormation.

        Nothing is changed; `deploy` with ``repair=True`` sets it back.

        Raises
        ------
        StackNotFoundError, StackBusyError, StackTimeoutError, StackError, AwsError
        """
        from batchops.deployment.drift import find_drift

        return find_drift(self, timeout_s=timeout_s)

    def policy(
        self, who: str, *, role_arn: str | None = None, boundary: str | None = None
    ) -> Policy:
        """Return the IAM policy of who deploys the stack, or of the role that CloudFormation takes.

        Parameters
        ----------
        who
            ``"deployer"`` or ``"service-role"``.
        role_arn
            Of the deployer: the service role; without it, the deployer's own rights make the
            resources.
        boundary
            ARN of the permissions boundary that each role of the stack must have.

        Raises
        ------
        InputError, CredentialsError, AwsError
        """
        from batchops.deployment.deployer import deployment_policy

        return deployment_policy(self, who, role_arn=role_arn, boundary=boundary)

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

        done = destroy_stack(
            self,
            dry_run=dry_run,
            stop_jobs=stop_running if force else None,
            on_event=on_event,
            timeout_s=timeout_s,
        )
        if done.deleted:
            self._outputs = None
        return done

    # ------------------------------------------------------------------------- jobs

    def plan(
        self,
        source: Source,
        *,
        name: str | None = None,
        sheet: str | None = None,
        encoding: str | None = None,
        skip_rows: int = 0,
        check_keys: bool = False,
    ) -> Plan:
        """Predict the job of a file before anything is uploaded: rejects, limits, cost, time.

        Parameters
        ----------
        source
            What `submit` takes, but for objects.
        name
            The name it would be uploaded under.
        sheet
            The sheet of a workbook that has several.
        encoding
            The encoding of a text file that is not UTF-8, such as ``cp1252`` or ``utf-16``.
        skip_rows
            Lines of a text file, or rows of a sheet, to leave out at its beginning.
        check_keys
            Look every key up in the reference data too; on AWS that costs half a read unit a key.

        Raises
        ------
        InputError, StackNotFoundError, AwsError
        """
        from batchops.planning.conversion import Reading
        from batchops.planning.planner import plan_for

        reading = Reading(sheet, encoding, skip_rows)
        return plan_for(self, source, name=name, reading=reading, check_keys=check_keys)

    def schema(self) -> dict[str, Any]:
        """Return the record schema that the deployed functions validate with, as a JSON document.

        It is a copy: change a rule in it, and ask `what_if` what that would do.

        Raises
        ------
        StackNotFoundError, AwsError
        """
        _ = self.outputs  # raises where there is no such stack
        return deployed_schema(self).document

    def what_if(
        self,
        source: Source,
        schema: SchemaSource,
        *,
        name: str | None = None,
        sheet: str | None = None,
        encoding: str | None = None,
        skip_rows: int = 0,
    ) -> WhatIf:
        """Return which rows of a file another schema would newly reject, or newly accept.

        Both schemas are applied here; nothing is deployed or uploaded.

        Parameters
        ----------
        source
            What `submit` takes, but for objects.
        schema
            The other schema: a document like that of `schema`, or the path of its file.
        name
            What the file is called.
        sheet
            The sheet of a workbook that has several.
        encoding
            The encoding of a text file that is not UTF-8, such as ``cp1252`` or ``utf-16``.
        skip_rows
            Lines of a text file, or rows of a sheet, to leave out at its beginning.

        Raises
        ------
        InputError, StackNotFoundError, AwsError
        """
        from batchops.planning.conversion import Reading
        from batchops.planning.what_if_stack import what_if_file

        reading = Reading(sheet, encoding, skip_rows)
        return what_if_file(self, source, schema, name=name, reading=reading)

    def submit(
        self,
        source: Source | Plan,
        *,
        name: str | None = None,
        sheet: str | None = None,
        encoding: str | None = None,
        skip_rows: int = 0,
        force: bool = False,
    ) -> Job:
        """Upload a file, which starts its job, and return a handle at once.

        What is no CSV in UTF-8 is turned into one; ``notes`` of the job, which its text shows, say
        how.

        Parameters
        ----------
        source
            A path, an object (``s3://bucket/key``, copied as it is), bytes, CSV text, a file opened
            in binary mode, a DataFrame of pandas or polars, or a plan, whose file it is. The
            ending of the name tells what a file holds: ``.xlsx``, ``.parquet`` (the extra
            ``parquet``), ``.jsonl``, ``.zip`` with one file, ``.csv.gz``; anything else is text.
        name
            The name to upload it under, ``upload.csv`` for bytes and DataFrames; it may have
            folders (``2026/orders.csv``).
        sheet
            The sheet of a workbook that has several.
        encoding
            The encoding of a text file that is not UTF-8, such as ``cp1252`` or ``utf-16``.
        skip_rows
            Lines of a text file, or rows of a sheet, to leave out at its beginning.
        force
            Submit even what the plan says cannot succeed.

        Raises
        ------
        InputError, StackNotFoundError, AwsError
        """
        from batchops.planning.conversion import Reading
        from batchops.planning.frame_text import check_columns, kind_of_frame
        from batchops.planning.submission import submit_file

        warn_of_misfit(self.outputs)
        if kind_of_frame(source) and not force:
            check_columns(source, deployed_schema(self))
        notes: list[str] = []
        job_id = submit_file(
            self,
            source,
            name=name,
            reading=Reading(sheet, encoding, skip_rows),
            force=force,
            on_note=notes.append,
        )
        job = Job(self, job_id)
        job.notes = tuple(notes)
        return job

    def submit_all(
        self,
        *files: File,
        sheet: str | None = None,
        encoding: str | None = None,
        skip_rows: int = 0,
        on_job: Callable[[Job], None] | None = None,
    ) -> list[Job]:
        """Upload several files, each of which starts a job of its own.

        Parameters
        ----------
        *files
            Paths, objects, and patterns such as ``in/*.csv``. All are looked for before the first
            is uploaded.
        sheet, encoding, skip_rows
            As in `submit`, for all of them.
        on_job
            Called with each job as soon as it is there.

        Raises
        ------
        InputError
            If a file is not there, or cannot be read; it says which were submitted before it.
        StackNotFoundError, AwsError
        """
        from batchops.planning.submission import matching_files

        done: list[Job] = []
        for file in matching_files(files):
            try:
                job = self.submit(file, sheet=sheet, encoding=encoding, skip_rows=skip_rows)
            except InputError as error:
                before = f"; submitted before it: {', '.join(job.id for job in done)}"
                raise InputError(f"{file}: {error}{before if done else ''}") from error
            done.append(job)
            if on_job is not None:
                on_job(job)
        return done

    def job(self, job_id: str) -> Job:
        """Return the job with this id.

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
            Only jobs of this status: QUEUED (other jobs run, and it starts after them), SUBMITTED,
            RUNNING, SUCCEEDED, FAILED, ABORTED or TIMED_OUT.
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
            ``attempt``, ``chunk_rows`` (the rows a chunk may have) (Int64), ``seconds`` (that the
            last attempt took), ``rows_per_s`` (of jobs that succeeded in their first) (Float64),
            ``mail``, ``error`` (str). Missing: not known yet, or none.
        """
        warn_of_misfit(self.outputs)
        return frames.jobs_frame(
            recent_jobs(self, status=status, since=since, name=name, limit=limit)
        )

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
        """List the uploads whose jobs could not be started, or start those jobs.

        Lambda gives up on an upload's event after some tries; a notice then goes to the topic.
        Fix first what kept the jobs from starting.

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

    def reconcile(
        self, *, since: datetime | str | None = None, dry_run: bool = True
    ) -> Reconciliation:
        """List uploads without a job, jobs without an end and results that are gone.

        Each has its remedy.

        Parameters
        ----------
        since
            Leave out jobs that were entered before: a time, or ``"2h"``, ``"1d"`` ago; by default
            30 days. Uploads are all looked at.
        dry_run
            Only look. Otherwise the jobs of uploads are started that have none, or never started,
            which is the one remedy that can do no harm.

        Raises
        ------
        InputError, StackNotFoundError, AwsError
        """
        from batchops.inspection.logs import parse_since
        from batchops.recovery.reconcile import reconcile

        begin = parse_since(since) if since is not None else None
        return reconcile(self, since=begin, dry_run=dry_run)

    def speeds(self, *, name: str | None = None, limit: int = 100) -> pd.DataFrame:
        """Return how fast the latest jobs were that succeeded in their first attempt.

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
        """Draw how fast jobs were by the size of their chunks, see `speeds`."""
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

    def follow_logs(
        self,
        function: str,
        *,
        since: datetime | str | None = None,
        job: Job | str | None = None,
        limit: int = 1000,
    ) -> Iterator[pd.DataFrame]:
        """Yield what `logs` returns, and then without end what the function logs meanwhile."""
        from batchops.inspection.logs import follow_logs

        job_id = job.id if isinstance(job, Job) else job
        return follow_logs(self, function, since=since, job=job_id, limit=limit)

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
