"""Main workflow, Email the file: mail a link to the output, with the job's numbers of rows."""

import html
import os
from pathlib import PurePosixPath
from typing import Any

import boto3
import orjson
from batchcore import aws, items, keys, workflow
from batchcore.runtime import Event, Result, logger, step
from botocore.config import Config

# Sign links in the way that every region and KMS accept, for the region's own host.
LINKS = Config(signature_version="s3v4", s3={"addressing_style": "virtual"})

s3 = boto3.client("s3", config=aws.CONFIG.merge(LINKS))
ses = boto3.client("sesv2", config=aws.CONFIG)
dynamodb = boto3.client("dynamodb", config=aws.CONFIG)


@step
def lambda_handler(event: Event, context: object) -> Result:
    """Send the mail once per attempt: a repeated step finds in the ledger that it was sent.

    The job has ended already, so a later attempt may have begun. It sends its own mail.
    """
    job = _ledger_entry(event["jobId"])
    if job["attempt"] > event["attempt"]:
        logger.info("not mailed: a later attempt has begun", extra={"job": event["jobId"]})
        return {"messageId": ""}
    if job.get("mailStatus") == workflow.MAIL_SENT and job.get("mailAttempt") == event["attempt"]:
        return {"messageId": job["mailMessageId"]}
    link = s3.generate_presigned_url(
        "get_object",
        Params={"Bucket": event["bucket"], "Key": job["completedKey"]},
        ExpiresIn=aws.LINK_EXPIRES_S,
    )
    mail = {
        "FromEmailAddress": os.environ["SES_SENDER"],
        "Destination": {"ToAddresses": [os.environ["SES_RECIPIENT"]]},
        "Content": {"Simple": compose(job, link, verdict=_verdict(event))},
    }
    # Store the mail before sending it, so that it can be read even if sending fails.
    aws.put_intermediate(s3, event["bucket"], keys.mail(event["jobId"]), orjson.dumps(mail))
    sent = ses.send_email(**mail)
    aws.update_entry(
        dynamodb,
        os.environ["JOB_TABLE"],
        event["jobId"],
        items.JOB_ENTRY,
        {
            "mailStatus": workflow.MAIL_SENT,
            "mailAttempt": event["attempt"],
            "mailMessageId": sent["MessageId"],
            "mailTime": items.utc_now(),
        },
        attempt=event["attempt"],
        remove=("mailError", "mailCause"),
    )
    return {"messageId": sent["MessageId"]}


def _verdict(event: Event) -> str:
    """Return why the job failed although it is merged; empty if it succeeded."""
    return str(event.get("merge", {}).get("verdict", {}).get("Cause", ""))


def _ledger_entry(job: str) -> dict[str, Any]:
    key = {"jobId": {"S": job}, "entry": {"S": items.JOB_ENTRY}}
    answer = dynamodb.get_item(TableName=os.environ["JOB_TABLE"], Key=key, ConsistentRead=True)
    return items.plain(answer["Item"])


def compose(job: dict[str, Any], link: str, *, verdict: str = "") -> Any:
    """Return the message for SES. Its HTML form escapes whatever comes from outside.

    Parameters
    ----------
    verdict
        Why the job failed although it is merged; empty if it succeeded.
    """
    name = _in_one_line(PurePosixPath(job["key"]).name)
    lines = [
        f"{name} has FAILED: {verdict}." if verdict else f"{name} has been processed.",
        f"Rows in: {job['rowsIn']:,}. Rows out: {job['rowsOut']:,}. "
        f"Rows rejected: {job['rowsRejected']:,}.",
        *(_in_one_line(warning) for warning in job.get("warnings", {}).values()),
    ]
    stack = os.environ["STACK_NAME"]
    where = [
        f"The link works for at most {aws.LINK_EXPIRES_S // 60} minutes. For a new one: "
        f"batchops --stack {stack} link {job['jobId']}",
        _in_one_line(f"Completed file: s3://{job['bucket']}/{job['completedKey']}"),
        _in_one_line(f"Rejected rows: s3://{job['bucket']}/{job['rejectedKey']}"),
    ]
    text = "\n\n".join([*lines, f"Download it here: {link}", *where]) + "\n"
    paragraphs = [
        *(f"<p>{html.escape(line)}</p>" for line in lines),
        f'<p><a href="{html.escape(link)}">Download the completed file</a></p>',
        *(f"<p>{html.escape(line)}</p>" for line in where),
    ]
    return {
        "Subject": {
            "Data": f"{'Failed' if verdict else 'Processed'}: {name}",
            "Charset": "UTF-8",
        },
        "Body": {
            "Text": {"Data": text, "Charset": "UTF-8"},
            "Html": {"Data": "".join(paragraphs), "Charset": "UTF-8"},
        },
    }


def _in_one_line(text: str) -> str:
    """Return a text in one line, which cannot start a mail header or a paragraph of its own.

    Whoever uploads a file chooses its name, and the mail goes to somebody else.
    """
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
