"""Reading a job's mail, which comes after the job's end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from batchcore import items, keys, workflow
from botocore.stub import Stubber
from merged_job import FILES, JOB, put_job
from support import BUCKET, JOB_TABLE, MACHINE_ARN, SESSION, START_TIME, stack_ref

from batchops.core.errors import JobFailedError
from batchops.core.executions import mail_settled
from batchops.core.job_ref import JobRef
from batchops.inspection.email import read_email, wait_for_mail
from batchops.inspection.recent import recent_jobs
from batchops.inspection.status import job_status
from batchops.inspection.why import mail_causes
from batchops.recovery.lineage import lineage

if TYPE_CHECKING:
    from support import Account

MAIL = {
    "FromEmailAddress": "batch@example.org",
    "Destination": {"ToAddresses": ["team@example.org"]},
    "Content": {"Simple": {"Subject": {"Data": "S"}, "Body": {"Text": {"Data": "T"}}}},
}


class Sending:
    """Step Functions, whose workflow sends the mail while it is asked how it stands."""

    def __init__(self, account: Account, *, after: int) -> None:
        self.account, self.after, self.asked = account, after, 0
        self.exceptions = account.states.exceptions

    def describe_execution(self, **request: str) -> Any:
        self.asked += 1
        if self.asked == self.after:
            self.account.put_entry(JOB, items.JOB_ENTRY, mailStatus=workflow.MAIL_SENT)
        return self.account.states.describe_execution(**request)


def mailed(account: Account, states: Any = None, **entry: Any) -> JobRef:
    """Store a merged job with the copy of its mail, and begin its workflow."""
    put_job(account, FILES["plain"], **entry)
    account.put(keys.mail(JOB), json.dumps(MAIL).encode())
    account.states.start_execution(stateMachineArn=MACHINE_ARN, name=JOB, input="{}")
    outputs = {
        "JobTableName": JOB_TABLE,
        "SourceBucketName": BUCKET,
        "MainOrchestratorArn": MACHINE_ARN,
    }
    clients = {"s3": account.s3, "dynamodb": account.dynamodb}
    clients["stepfunctions"] = states or account.states
    return JobRef(stack_ref(outputs=outputs, local=True, **clients), JOB)


def test_mail_that_is_on_its_way_is_waited_for(account: Account) -> None:
    states = Sending(account, after=2)
    mail = read_email(mailed(account, states, mailStatus=workflow.MAIL_PENDING))
    assert (mail.status, mail.subject) == (workflow.MAIL_SENT, "S")
    assert states.asked == 2


@pytest.mark.parametrize("status", [workflow.MAIL_SENT, workflow.MAIL_FAILED, ""])
def test_mail_that_was_tried_is_not_waited_for(account: Account, status: str) -> None:
    states = Sending(account, after=-1)
    job = mailed(account, states, mailStatus=status)
    assert wait_for_mail(job).mail_status == status
    assert states.asked == 0


def test_mail_of_a_workflow_that_was_stopped_is_not_waited_for(account: Account) -> None:
    job = mailed(account, mailStatus=workflow.MAIL_PENDING)
    (execution,) = account.executions()
    account.states.stop_execution(executionArn=execution["executionArn"])
    mail = read_email(job)
    assert mail.status == workflow.MAIL_FAILED
    assert str(mail).startswith("not sent: NotSent: the workflow ended before the mail was sent")


def test_every_view_tells_that_a_mail_will_not_come(account: Account) -> None:
    listed = {"listed": items.LISTED, "startTime": START_TIME}
    job = mailed(account, mailStatus=workflow.MAIL_PENDING, **listed)
    assert (job_status(job).mail, recent_jobs(job.stack)[0].mail_status) == ("PENDING", "PENDING")
    (execution,) = account.executions()
    account.states.stop_execution(executionArn=execution["executionArn"])
    assert recent_jobs(job.stack)[0].mail_status == workflow.MAIL_FAILED
    assert job_status(job).mail == workflow.MAIL_FAILED
    assert account.entry(JOB)["mailStatus"] == workflow.MAIL_FAILED
    (cause,) = mail_causes(job.ledger_entry())
    assert (cause.kind, cause.next_call) == ("mail", "job.link()")
    # The job has succeeded all the same.
    assert list(lineage(job)["status"]) == [workflow.SUCCEEDED]


def test_mail_that_was_sent_meanwhile_is_not_given_up(account: Account) -> None:
    job = mailed(account, mailStatus=workflow.MAIL_PENDING)
    read_before = job.ledger_entry()
    account.put_entry(JOB, items.JOB_ENTRY, mailStatus=workflow.MAIL_SENT)
    (execution,) = account.executions()
    account.states.stop_execution(executionArn=execution["executionArn"])
    assert mail_settled(job.stack, read_before).mail_status == workflow.MAIL_SENT
    assert account.entry(JOB)["mailStatus"] == workflow.MAIL_SENT


def test_those_who_may_not_look_leave_a_mail_as_it_is(account: Account) -> None:
    states = SESSION.client("stepfunctions")
    job = mailed(account, states, mailStatus=workflow.MAIL_PENDING)
    with Stubber(states) as stub:
        stub.add_client_error("describe_execution", "AccessDeniedException")
        assert job_status(job).mail == workflow.MAIL_PENDING


def test_mail_that_was_never_written_is_told_with_the_reason(account: Account) -> None:
    job = mailed(account, mailStatus=workflow.MAIL_PENDING)
    account.s3.delete_object(Bucket=BUCKET, Key=keys.mail(JOB))
    (execution,) = account.executions()
    account.states.stop_execution(executionArn=execution["executionArn"])
    with pytest.raises(JobFailedError, match="has no mail: NotSent: the workflow ended before"):
        read_email(job)


def test_mail_that_is_gone_is_told(account: Account) -> None:
    job = mailed(account, mailStatus=workflow.MAIL_SENT)
    account.s3.delete_object(Bucket=BUCKET, Key=keys.mail(JOB))
    with pytest.raises(JobFailedError, match="has no mail: it was deleted, or has expired"):
        read_email(job)


def test_wait_for_a_mail_has_an_end(account: Account) -> None:
    job = mailed(account, mailStatus=workflow.MAIL_PENDING)
    assert wait_for_mail(job, timeout_s=0).mail_status == workflow.MAIL_PENDING
