"""Executions of a job's workflows: their names, how they ended, and how to stop them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from batchcore import jobs, workflow
from botocore.exceptions import ClientError

from batchops.core import ledger
from batchops.core.errors import AccessDeniedError, WaitTimeoutError, translated

if TYPE_CHECKING:
    from batchops.core.job_ref import JobRef
    from batchops.core.ledger import JobEntry
    from batchops.core.stack_ref import StackRef

# When does an attempt that the ledger knows, and Step Functions does not, count as never started?
# There are two policies, on purpose.
# For a status: after Lambda's own retries of the upload's event, which take some minutes (AWS
# Lambda, asynchronous invocation). What has no execution by then never gets one by itself.
REPORT_UNSTARTED_AFTER_S = 600.0
# For a rerun: much sooner, because the entry and the start are only seconds apart. The rerun takes
# the job over; a start that comes late finds a later attempt and does nothing.
CLAIM_UNSTARTED_AFTER_S = 120.0
# Step Functions forgets an execution after 90 days, and the local engine one of its last seconds.
NEVER_STARTED = (
    "no execution of it is known, so it never started or is forgotten: a rerun starts it"
)


@dataclass(frozen=True)
class AttemptState:
    """How a job's last attempt stands.

    Attributes
    ----------
    status : str
        The ledger's status; Step Functions' where the execution ended without entering its end.
    reason : str
        Why it ended; empty if it succeeded, has not ended, or there is no reason.
    ended : bool
        Whether nothing more will happen.
    started : bool
        False if the ledger has no end of the attempt, Step Functions has no execution, and it is
        not in the queue, from where it would start by itself.
    waits : bool
        Whether it is in the queue.
    entry : JobEntry or None
        The JOB entry that this is told of, where it is another than the one that was asked about:
        with the end that only Step Functions had, or read again.
    """

    status: str
    reason: str = ""
    ended: bool = False
    started: bool = True
    waits: bool = False
    entry: JobEntry | None = None


def attempt_state(stack: StackRef, entry: JobEntry) -> AttemptState:
    """Return the state of a job's last attempt; ask Step Functions if the ledger has no end.

    An end that only Step Functions has is entered in the ledger, for whoever asks next.

    Raises
    ------
    AwsError, EngineError
    """
    if entry.status in workflow.ENDED:
        return AttemptState(entry.status, entry.reason, ended=True)
    queued = entry.status == workflow.QUEUED
    execution = None if queued else find_execution(stack, entry.job_id, entry.attempt)
    if execution is None:
        waits = ledger.has_ticket(stack, entry)
        if queued and not waits:
            # It may have left the queue since its entry was read.
            now = ledger.job_entry(stack, entry.job_id)
            if now is not None and (now.attempt, now.status) != (entry.attempt, entry.status):
                state = attempt_state(stack, now)
                return replace(state, entry=state.entry or now)
        return AttemptState(entry.status, started=waits, waits=waits)
    if execution["status"] in workflow.UNDER_WAY | {workflow.SUCCEEDED}:
        return AttemptState(entry.status)
    if _goes_on(entry, execution):
        return AttemptState(entry.status)
    # An execution that was stopped could not enter its own end.
    entered = ledger.enter_end(stack, entry, execution)
    ended = entered.status in workflow.ENDED
    return AttemptState(entered.status, entered.reason, ended=ended, entry=entered)


def _goes_on(entry: JobEntry, execution: Mapping[str, Any]) -> bool:
    """Return whether an execution that has ended is just being redriven.

    The attempt is entered again before the execution goes on, and Step Functions tells of that
    with a delay.
    """
    ended_before = execution["stopDate"] < entry.attempt_started
    return bool(ended_before) and entry.attempt_s < CLAIM_UNSTARTED_AFTER_S


def settled(stack: StackRef, entry: JobEntry) -> JobEntry:
    """Return a JOB entry with its end, where Step Functions has one and the ledger has not.

    The same goes for the end of its mail, see `mail_settled`. An attempt that never started has
    failed; the ledger is not told so, because it may be started yet.

    Raises
    ------
    AwsError, EngineError
    """
    if entry.status not in workflow.UNFINISHED:
        return mail_settled(stack, entry)
    if entry.status == workflow.QUEUED and entry.attempt_s < REPORT_UNSTARTED_AFTER_S:
        return entry  # whether it has lost its ticket is not told yet
    state = attempt_state(stack, entry)
    found = state.entry or entry
    if not is_unstarted(state, found):
        return found
    failed = {"status": workflow.FAILED, "error": "NotStarted", "cause": NEVER_STARTED}
    return ledger.JobEntry({**found.item, **failed})


def mail_settled(stack: StackRef, entry: JobEntry) -> JobEntry:
    """Return the JOB entry of a job that has ended, with the failure of a mail that never comes.

    Its workflow was stopped, or ended with its engine, after the results were there and before the
    mail was sent. That is entered in the ledger, for whoever asks next.

    Raises
    ------
    AwsError, EngineError
    """
    if entry.status not in workflow.ENDED or entry.mail_status != workflow.MAIL_PENDING:
        return entry
    try:
        execution = find_execution(stack, entry.job_id, entry.attempt)
    except AccessDeniedError:  # so it cannot be told
        return entry
    if is_under_way(execution):
        return entry
    return ledger.enter_unsent(stack, entry, execution or {})


def is_unstarted(state: AttemptState, entry: JobEntry) -> bool:
    """Return whether an attempt has no execution, and will get none by itself any more."""
    waited = entry.attempt_s >= REPORT_UNSTARTED_AFTER_S
    return not (state.ended or state.started) and waited


def execution_arn(stack: StackRef, job_id: str, attempt: int) -> str:
    """Return the ARN of the main workflow's execution of an attempt, whether it started or not."""
    machine = stack.outputs["MainOrchestratorArn"].replace(":stateMachine:", ":execution:")
    return f"{machine}:{jobs.execution_name(job_id, attempt)}"


def find_execution(stack: StackRef, job_id: str, attempt: int) -> dict[str, Any] | None:
    """Return Step Functions' description of an attempt's execution, or None if there is none.

    Step Functions forgets an execution 90 days after its end (AWS Step Functions quotas).
    """
    states, arn = stack.client("stepfunctions"), execution_arn(stack, job_id, attempt)
    with translated(f"reading attempt {attempt} of job {job_id!r}"):
        try:
            found: dict[str, Any] = states.describe_execution(executionArn=arn)
        except states.exceptions.ExecutionDoesNotExist:
            return None
        return found


def is_being_mailed(stack: StackRef, entry: JobEntry) -> bool:
    """Return whether a job that has ended is still being mailed: its workflow has not been stopped.

    Raises
    ------
    AwsError, EngineError
    """
    if entry.mail_status != workflow.MAIL_PENDING:
        return False
    return is_under_way(find_execution(stack, entry.job_id, entry.attempt))


def is_under_way(execution: Mapping[str, Any] | None) -> bool:
    """Return whether an execution, as `find_execution` returns it, has not ended."""
    return execution is not None and execution["status"] in workflow.UNDER_WAY


def stop_execution(job: JobRef, arn: str, *, cause: str) -> bool:
    """Stop an execution; False if it has ended by itself."""
    states = job.stack.client("stepfunctions")
    with translated(f"stopping {arn.rsplit(':', 1)[-1]}"):
        try:
            states.stop_execution(executionArn=arn, error="Stopped", cause=cause)
        except states.exceptions.ExecutionDoesNotExist:
            return False
        except ClientError as error:
            # The local engine refuses to stop what has ended, where AWS says nothing.
            if error.response["Error"]["Code"] != "ValidationException":
                raise
            return False
    return True


def stop_chunks(job: JobRef, attempt: int, *, cause: str, timeout_s: float) -> list[int]:
    """Stop the chunk workflows of an attempt whose main workflow has been stopped.

    Step Functions stops the children of a Distributed Map with their parent, and mostly what they
    have started, too. The local engine continues with the next chunk. So this stops what it finds
    until the map itself has ended.

    Returns
    -------
    list of int
        The chunks that were stopped, in order.

    Raises
    ------
    WaitTimeoutError
        If chunks still run when the time is up.
    """
    deadline = time.monotonic() + timeout_s
    stopped: set[int] = set()
    while True:
        under_way = _map_is_running(job, attempt)
        running = list(_running_chunks(job, attempt))
        stopped.update(n for n, arn in running if stop_execution(job, arn, cause=cause))
        if not under_way and not running:
            return sorted(stopped)
        if time.monotonic() >= deadline:
            raise WaitTimeoutError(
                f"chunks of attempt {attempt} of job {job.id} still run after {timeout_s:g} s of "
                "stopping them: repeat this",
                job_id=job.id,
            )
        time.sleep(job.stack.target.poll_s)


def _map_is_running(job: JobRef, attempt: int) -> bool:
    states = job.stack.client("stepfunctions")
    with translated(f"reading the chunks of job {job.id!r} that run"):
        try:
            found = states.list_map_runs(executionArn=execution_arn(job.stack, job.id, attempt))[
                "mapRuns"
            ]
        except states.exceptions.ExecutionDoesNotExist:
            return False
        runs = (states.describe_map_run(mapRunArn=run["mapRunArn"]) for run in found)
        return any(run["status"] == "RUNNING" for run in runs)


def _running_chunks(job: JobRef, attempt: int) -> Iterator[tuple[int, str]]:
    """Yield number and ARN of each chunk workflow of an attempt that runs."""
    states = job.stack.client("stepfunctions")
    pages = states.get_paginator("list_executions").paginate(
        stateMachineArn=job.stack.outputs["ProcessChunkArn"], statusFilter="RUNNING"
    )
    with translated(f"reading the chunks of job {job.id!r} that run"):
        for execution in (found for page in pages for found in page["executions"]):
            head, _, tail = execution["name"].rpartition("-a")
            owner, _, number = head.rpartition("-")
            if owner == job.id and tail == str(attempt):
                yield int(number), execution["executionArn"]
