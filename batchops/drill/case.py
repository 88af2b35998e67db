"""One case of a drill: a job, one fault, what followed, and whether it is what was promised."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchcore import keys, workflow

from batchops.core.executions import execution_arn, read_events
from batchops.drill.faults import MAIL, NOTIFICATION, Fault
from batchops.drill.outcomes import Outcome, account_for, differences, read_outcome
from batchops.drill.report import CaseReport
from batchops.recovery.redelivery import redeliver

if TYPE_CHECKING:
    from batchops.drill.rig import Rig
    from batchops.job import Job

# How an upload stands whose event Lambda has given up.
UNSTARTED = "UNSTARTED"

_TIMEOUT_S = 180.0
_POLL_S = 0.02
# A stop is under way when the call that is held goes on.
_STOP_HEAD_START_S = 0.3
# What ends a function, so that its workflow has to repeat it.
_ENDS_A_FUNCTION = frozenset(
    {"exception", "timeout", "kill", "partial-write", "late-write", "throttle"}
)


@dataclass(frozen=True)
class Reference:
    """The job without faults.

    Attributes
    ----------
    lines : tuple of bytes
        The records of the file that every job is given, the header first.
    outcome : Outcome
        What they come to.
    """

    lines: tuple[bytes, ...] = field(repr=False)
    outcome: Outcome

    @property
    def file(self) -> bytes:
        """The file."""
        return b"".join(self.lines)


@dataclass(frozen=True)
class FirstEnd:
    """How the first attempt ended, and how that is known."""

    status: str
    error: str
    retries: int
    fired: int
    noticed: bool


def run_case(rig: Rig, reference: Reference, fault: Fault) -> CaseReport:
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
    account, same = None, False
    if status.status == workflow.SUCCEEDED:
        outcome, wanted = read_outcome(job), reference.outcome
        account = account_for(reference.lines, outcome.completed, outcome.rejects)
        broken += account.faults() + differences(wanted, outcome)
        same = (outcome.completed, outcome.rejects) == (wanted.completed, wanted.rejects)
    else:
        broken.append(f"the job is {status.status} in the end: {status.reason}")
    attempts = int(job.entry()["attempt"])
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
        account=account,
        same=same,
        broken=tuple(broken),
        seconds=time.monotonic() - started,
    )


def expected_end(fault: Fault) -> str:
    """Return how the first attempt must end."""
    if fault.kind == "stop":
        return "ABORTED"
    if fault.kind == "restart":
        return workflow.FAILED
    # No mail fails a job.
    if not fault.lasting or fault.step == MAIL:
        return workflow.SUCCEEDED
    return UNSTARTED if fault.step == NOTIFICATION else workflow.FAILED


# ------------------------------------------------------------------------ the first attempt


def _first_attempt(rig: Rig, reference: Reference, fault: Fault) -> tuple[Job, FirstEnd]:
    throttled = rig.throttled(fault.step) if fault.kind == "throttle" else 0
    with _injected(rig, fault):
        job = rig.stack.submit(reference.file, name=f"{fault.name}.csv")
        _intervene(rig, fault, job, throttled)
        if expected_end(fault) == UNSTARTED:
            _wait_for_dead_letter(rig, fault)
            status, error = UNSTARTED, "RetriesExhausted"
        else:
            status = job.wait(timeout_s=_TIMEOUT_S, check=False).status
            error = _named_error(job)
    rig.injector.settle(_TIMEOUT_S)  # what was held arrives now
    fired = rig.injector.fired
    if fault.kind == "throttle":
        fired = rig.throttled(fault.step) - throttled
    told = status in (workflow.FAILED, "ABORTED") and rig.noticed(job.id)
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
    """Do what is not done by spoiling a call, and lift a passing throttle."""
    if fault.kind == "throttle" and not fault.lasting:
        deadline = time.monotonic() + _TIMEOUT_S
        while rig.throttled(fault.step) == throttled and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        rig.unthrottle(fault.step)
    if fault.kind == "restart" and rig.injector.wait_until_fired(_TIMEOUT_S):
        rig.restart_engine()
    if fault.kind == "stop" and rig.injector.wait_until_fired(_TIMEOUT_S):
        # What is at work is waited for, so the held call has to go on meanwhile.
        letting_go = threading.Timer(_STOP_HEAD_START_S, rig.injector.lift)
        letting_go.start()
        job.stop(timeout_s=_TIMEOUT_S)
        letting_go.join()


def _wait_for_dead_letter(rig: Rig, fault: Fault) -> None:
    deadline = time.monotonic() + _TIMEOUT_S
    while _input_key(fault) not in redeliver(rig.stack).files and time.monotonic() < deadline:
        time.sleep(0.1)


def _input_key(fault: Fault) -> str:
    return f"{keys.INPUT_PREFIX}{fault.name}.csv"


def _named_error(job: Job) -> str:
    """Return the error that the ledger, or Step Functions, names; a chunk's before the job's."""
    entry = job.entry()
    names = [chunk["error"] for chunk in job.chunk_entries() if "error" in chunk]
    names += [entry[name] for name in ("error", "mailError") if name in entry]
    return ", ".join(dict.fromkeys(names)) or job.status().reason.split(":")[0]


def _count_retries(job: Job) -> int:
    """Count the tasks that the first attempt's workflows began more than once."""
    entries = job.chunk_entries()
    arns = [execution_arn(job.stack, job.id, 1)]
    arns += [entry["executionArn"] for entry in entries if "executionArn" in entry]
    retries = 0
    for arn in arns:
        for event in read_events(job.stack, arn):
            retries += event["type"] in ("TaskScheduled", "LambdaFunctionScheduled")
            retries -= event["type"] == "TaskStateEntered"
    return retries


# --------------------------------------------------------------------- recovery and checks


def _recover(rig: Rig, job: Job, end: FirstEnd) -> str:
    """Do what an operator would; return what that was."""
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
    # A stop in order of the engine ends its workflows without their knowing.
    if end.status in (workflow.FAILED, "ABORTED") and fault.kind != "restart" and not end.noticed:
        yield "the topic was not told"
    in_workflow = fault.step not in (NOTIFICATION, "get-data")
    if fault.kind in _ENDS_A_FUNCTION and in_workflow and not end.retries:
        yield "nothing was retried"


def _broken_after(rig: Rig, job: Job, fault: Fault) -> Iterator[str]:
    if _input_key(fault) in redeliver(rig.stack).files:
        yield "the upload is left in the queue of those that could not be started"
    entry = job.entry()
    mail = workflow.MAIL_FAILED if fault.lasting and fault.step == MAIL else workflow.MAIL_SENT
    if entry.get("mailStatus") != mail:
        yield f"the mail is {entry.get('mailStatus')}, not {mail}"
    if mail == workflow.MAIL_FAILED and not entry.get("mailError"):
        yield "the ledger does not say why there was no mail"
