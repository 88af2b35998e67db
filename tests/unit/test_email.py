"""Reading a job's mail, which comes after the job's end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from batchcore import items, keys, workflow
from merged_job import FILES, JOB, put_job
from support import BUCKET, JOB_TABLE, MACHINE_ARN, stack_ref

from batchops.core.job_ref import JobRef
from batchops.inspection.email import read_email, wait_for_mail

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
    assert mail.status == workflow.MAIL_PENDING
    assert str(mail).startswith("not sent\n")


def test_wait_for_a_mail_has_an_end(account: Account) -> None:
    job = mailed(account, mailStatus=workflow.MAIL_PENDING)
    assert wait_for_mail(job, timeout_s=0).mail_status == workflow.MAIL_PENDING
