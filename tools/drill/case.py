"""Run one case of a drill: a job with one fault, its recovery, and what was promised of both."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchcore import keys, workflow

from batchops.core.executions import execution_arn, find_execution, is_under_way
from batchops.core.histories import read_events
from batchops.inspection.email import wait_for_mail
from batchops.recovery.redelivery import redeliver
from tools.drill.faults import QUEUE, Fault
from tools.drill.outcomes import JobOutcome, count_row_ends, differences, read_outcome
from tools.drill.queue_faults import queue_spoilt
from tools.drill.report import CaseReport

if TYPE_CHECKING:
    from batchops.job import Job
    from tools.drill.rig import Rig

# The end of an upload whose event Lambda has given up.
UNSTARTED = "UNSTARTED"

_TIMEOUT_S = 180.0
_POLL_S = 0.02
# The event of a job's end comes within this time.
_END_EVENT_S = 10.0
# The stop must be under way before the held call goes on.
_STOP_HEAD_START_S = 0.3
# Faults that end a function, so that its workflow has to repeat it.
_ENDS_A_FUNCTION = frozenset(
    {"exception", "timeout", "kill", "partial-write", "late-write", "throttle"}
)


@dataclass(frozen=True)
class FaultlessJob:
    """The job without faults, which every case is compared with.

    Attributes
    ----------
    lines : tuple of bytes
        The records of the file that every job is given, the header first.
    outcome : JobOutcome
        The results.
    """

    lines: tuple[bytes, ...] = field(repr=False)
    outcome: JobOutcome

    @property
    def file(self) -> bytes:
        """The file."""
        return b"".join(self.lines)


@dataclass(frozen=True)
class FirstEnd:
    """How the first attempt ended.

    Attributes
    ----------
    status, error : str
        The job's status, or `UNSTARTED`; the error that is named.
    retries : int
        Tasks that the workflows repeated.
    fired : int
        How often the fault struck.
    noticed : bool
        Whether the topic was told of a job that did not succeed.
    """

    status: str
    error: str
    retries: int
    fired: int
    noticed: bool


def run_case(rig: Rig, reference: FaultlessJob, fault: Fault) -> CaseReport:
    """Run a job with a fault, lift the fault, recover the job and compare it.

    Raises
    ------
    BatchOpsError
        If the job can neither be followed nor recovered.
    """
    started = time.monotonic()
    job, end = _first_attempt(rig, reference, fault)
    recovery = _recover(rig, job, end)
    status = job.wait(timeout_s=_TIMEOUT_S, check=False)
    broken = [*broken_at_first(fault, end), *_broken_after(rig, job, fault)]
    row_ends, same = None, False
    if status.status == workflow.SUCCEEDED:
        outcome, wanted = read_outcome(job), reference.outcome
        row_ends = count_row_ends(reference.lines, outcome.completed, outcome.rejects)
        broken += row_ends.faults() + differences(wanted, outcome)
        same = (outcome.completed, outcome.rejects) == (wanted.completed, wanted.rejects)
    else:
        broken.append(f"the job is {status.status} in the end: {status.reason}")
    attempts = job.ledger_entry().attempt
    if attempts != 1 + (recovery == "rerun"):
        broken.append(f"it took {attempts} attempts")
    return CaseReport(
        fault=fault,
        job_id=job.id,
        fired=end.fired,
        ended=end.status,
        error=end.error,
        retries=end.retries,
        attempts=attempts,
        recovery=recovery,
        row_ends=row_ends,
        same=same,
        broken=tuple(broken),
        seconds=time.monotonic() - started,
    )


def expected_end(fault: Fault) -> str:
    """Return how the first attempt must end."""
    if fault.kind == "stop":
        return workflow.ABORTED
    if fault.kind == "restart":
        return workflow.FAILED
    # No mail fails a job.
    if not fault.lasting or fault.step == workflow.EMAIL.function:
        return workflow.SUCCEEDED
    return UNSTARTED if fault.step == workflow.NOTIFICATION else workflow.FAILED


# ------------------------------------------------------------------------ the first attempt


def _first_attempt(rig: Rig, reference: FaultlessJob, fault: Fault) -> tuple[Job, FirstEnd]:
    throttled = rig.throttled(fault.step) if fault.kind == "throttle" else 0
    with _injected(rig, fault), queue_spoilt(rig.stack, fault, reference.file) as spoil_queue:
        job = rig.stack.submit(reference.file, name=f"{fault.name}.csv")
        spoil_queue(job)
        _intervene(rig, fault, job, throttled)
        if expected_end(fault) == UNSTARTED:
            _wait_for_dead_letter(rig, fault)
            status, error = UNSTARTED, "RetriesExhausted"
        else:
            status = job.wait(timeout_s=_TIMEOUT_S, check=False).status
            wait_for_mail(job)  # while the fault may still strike it
            wait_for_end(job)  # or what the mail's function repeats is not counted
            error = _named_error(job)
            if fault.step == workflow.NOTIFICATION:  # the end of the job calls it once more
                rig.injector.wait_until_fired(_END_EVENT_S)
    rig.injector.settle(_TIMEOUT_S)  # what was held arrives now
    fired = rig.injector.fired
    if fault.kind == "throttle":
        fired = rig.throttled(fault.step) - throttled
    if fault.step == QUEUE:
        fired = 1
    told = status in (workflow.FAILED, workflow.ABORTED) and rig.noticed(job.id)
    retries = 0 if status == UNSTARTED else _count_retries(job)
    return job, FirstEnd(status, error, retries, fired, told)


@contextmanager
def _injected(rig: Rig, fault: Fault) -> Iterator[None]:
    rig.injector.arm(fault)
    if fault.kind == "throttle":
        rig.throttle(fault.step)
    try:
        yield
    finally:
        rig.injector.lift()
        if fault.kind == "throttle":
            rig.unthrottle(fault.step)


def _intervene(rig: Rig, fault: Fault, job: Job, throttled: int) -> None:
    """Stop the job, restart the engine, or lift a throttle, once the fault has struck."""
    if fault.kind == "throttle" and not fault.lasting:
        _wait_until(lambda: rig.throttled(fault.step) != throttled)
        rig.unthrottle(fault.step)
    if fault.kind == "restart" and rig.injector.wait_until_fired(_TIMEOUT_S):
        rig.restart_engine()
    if fault.kind == "stop" and rig.injector.wait_until_fired(_TIMEOUT_S):
        # stop() waits for what is at work, so the held call has to go on meanwhile.
        letting_go = threading.Timer(_STOP_HEAD_START_S, rig.injector.lift)
        letting_go.start()
        job.stop(timeout_s=_TIMEOUT_S)
        letting_go.join()


def wait_for_end(job: Job) -> None:
    """Wait until the main workflow has ended, which goes on after the job's end."""
    attempt = job.ledger_entry().attempt
    _wait_until(lambda: not is_under_way(find_execution(job.stack, job.id, attempt)))


def _wait_for_dead_letter(rig: Rig, fault: Fault) -> None:
    _wait_until(lambda: _input_key(fault) in redeliver(rig.stack).files, pause_s=0.1)


def _wait_until(done: Callable[[], bool], *, pause_s: float = _POLL_S) -> None:
    """Wait until something is so, at most as long as a case may take."""
    deadline = time.monotonic() + _TIMEOUT_S
    while not done() and time.monotonic() < deadline:
        time.sleep(pause_s)


def _input_key(fault: Fault) -> str:
    return f"{keys.INPUT_PREFIX}{fault.name}.csv"


def _named_error(job: Job) -> str:
    """Return the errors that the ledger names, the chunks' first, or else Step Functions' error."""
    entry = job.ledger_entry()
    names = [chunk.error for chunk in job.chunk_entries()]
    names += [entry.error, entry.mail_reason.split(":")[0]]
    return ", ".join(dict.fromkeys(filter(None, names))) or job.status().reason.split(":")[0]


def _count_retries(job: Job) -> int:
    """Count the tasks that the first attempt's workflows repeated."""
    retries = 0
    for arn in (execution_arn(job.stack, job.id, 1), *_chunk_executions(job)):
        for event in read_events(job.stack, arn):
            retries += event["type"] in ("TaskScheduled", "LambdaFunctionScheduled")
            retries -= event["type"] == "TaskStateEntered"
    return retries


def _chunk_executions(job: Job) -> Iterator[str]:
    pages = job.stack.client("stepfunctions").get_paginator("list_executions")
    for page in pages.paginate(stateMachineArn=job.stack.outputs["ProcessChunkArn"]):
        for execution in page["executions"]:
            if execution["name"].startswith(f"{job.id}-"):
                yield execution["executionArn"]


# --------------------------------------------------------------------- recovery and checks


def _recover(rig: Rig, job: Job, end: FirstEnd) -> str:
    """Recover the job as an operator would, and return how; empty if there was no need."""
    if end.status == UNSTARTED:
        redeliver(rig.stack, dry_run=False)
        return "redeliver"
    if end.status == workflow.SUCCEEDED:
        return ""
    job.rerun(dry_run=False)
    return "rerun"


def broken_at_first(fault: Fault, end: FirstEnd) -> Iterator[str]:
    """Say which promises the first attempt did not keep."""
    expected = expected_end(fault)
    if not end.fired:
        yield "the fault never struck"
    if end.status != expected:
        yield f"the first attempt ended {end.status}, not {expected}"
    if expected != workflow.SUCCEEDED and not end.error:
        yield "no error is named"
    # An engine that is stopped in order ends its workflows before they can tell anybody.
    if (
        end.status in (workflow.FAILED, workflow.ABORTED)
        and fault.kind != "restart"
        and not end.noticed
    ):
        yield "the topic was not told"
    in_workflow = fault.step not in (workflow.NOTIFICATION, workflow.GET_DATA)
    if fault.kind in _ENDS_A_FUNCTION and in_workflow and not end.retries:
        yield "nothing was retried"


def _broken_after(rig: Rig, job: Job, fault: Fault) -> Iterator[str]:
    if _input_key(fault) in redeliver(rig.stack).files:
        yield "the upload is still in the queue of those that could not be started"
    entry = wait_for_mail(job)
    mail = (
        workflow.MAIL_FAILED
        if fault.lasting and fault.step == workflow.EMAIL.function
        else workflow.MAIL_SENT
    )
    if entry.mail_status != mail:
        yield f"the mail is {entry.mail_status or 'untried'}, not {mail}"
    if mail == workflow.MAIL_FAILED and not entry.mail_reason:
        yield "the ledger does not say why there was no mail"
