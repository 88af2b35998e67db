"""The mocked account of the unit tests: no test gets what another left in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from support import (
    BUCKET,
    FINANCIAL_TABLE,
    MACHINE_ARN,
    SESSION,
    TEMPLATE,
    made_once,
    mocked_account,
)

if TYPE_CHECKING:
    from support import Account

JOB = "orders-000000000001"
KEY = "input/orders.csv"


def content(account: Account) -> dict[str, Any]:
    """Return what is in the account, of all that tests put into it."""
    versions = account.s3.list_object_versions(Bucket=BUCKET)
    return {
        "buckets": [bucket["Name"] for bucket in account.s3.list_buckets()["Buckets"]],
        "objects": account.keys(),
        "versions": [version["VersionId"] for version in versions.get("Versions", [])],
        "uploads": account.s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []),
        "notification": set(account.s3.get_bucket_notification_configuration(Bucket=BUCKET)),
        "tables": account.dynamodb.list_tables()["TableNames"],
        "items": [account.scan(name) for name in account.dynamodb.list_tables()["TableNames"]],
        "workflows": [w["name"] for w in account.states.list_state_machines()["stateMachines"]],
        "executions": account.executions(),
        "queues": SESSION.client("sqs").list_queues().get("QueueUrls", []),
        "mails": SESSION.client("ses").get_send_quota()["SentLast24Hours"],
    }


def spoil(account: Account) -> None:
    """Change everything in the account that a test may change."""
    account.put(KEY, b"a\n")
    account.s3.create_bucket(Bucket="another-bucket")
    account.s3.create_multipart_upload(Bucket=BUCKET, Key=KEY)
    account.put_entry(JOB, "JOB", status="RUNNING")
    account.put_reference({"1": {"a": "b"}})
    account.dynamodb.delete_table(TableName=FINANCIAL_TABLE)
    account.states.start_execution(stateMachineArn=MACHINE_ARN, name=JOB, input="{}")
    SESSION.client("sqs").create_queue(QueueName="unstarted")


def test_account_has_what_the_template_says_and_nothing_else(account: Account) -> None:
    found = content(account)
    tables = [r for r in TEMPLATE["Resources"].values() if r["Type"] == "AWS::DynamoDB::Table"]
    assert len(found["tables"]) == len(tables)
    assert not any(found["items"])
    assert (found["buckets"], found["objects"], found["versions"]) == ([BUCKET], [], [])
    assert (len(found["workflows"]), found["executions"]) == (1, [])
    versioning = account.s3.get_bucket_versioning(Bucket=BUCKET)
    assert versioning["Status"] == "Enabled"


def test_nothing_of_an_account_is_in_the_next() -> None:
    with mocked_account() as account:
        new = content(account)
        spoil(account)
        assert content(account) != new
    with mocked_account() as account:
        assert content(account) == new


def test_state_that_is_made_once_is_given_anew_each_time(account: Account) -> None:
    made: list[str] = []

    def make() -> list[str]:
        made.append(account.put(KEY, b"made\n"))
        account.put_entry(JOB, "JOB", status="RUNNING")
        return list(made)

    key = f"{__name__} made"
    version = made_once(key, make)
    first = content(account)
    spoil(account)
    version.append("changed")
    again = made_once(key, make)
    assert content(account) == first
    assert made == again == version[:1]
    assert account.get(KEY) == b"made\n"
    assert account.entry(JOB)["status"] == "RUNNING"
    # What is given can be changed like any other.
    account.put_entry(JOB, "JOB", status="FAILED")
    account.put(KEY, b"later\n")
    assert account.get(KEY) == b"later\n"
    assert account.entry(JOB)["status"] == "FAILED"
