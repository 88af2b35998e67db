"""Email the file: what the mail says, to whom, and that it goes out once an attempt."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from batchcore import items, workflow
from batchcore.errors import TransientError
from botocore.exceptions import ClientError
from botocore.stub import ANY, Stubber
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import BUCKET, RECIPIENT, SENDER, SESSION, STACK, context, job_event

if TYPE_CHECKING:
    from types import ModuleType

    from support import Account, LoadApp

JOB = "orders-000000000001"
ENTRY: dict[str, Any] = {
    "bucket": BUCKET,
    "key": "input/2026/orders.csv",
    "attempt": 1,
    "rowsIn": 12_345,
    "rowsOut": 12_000,
    "rowsRejected": 345,
    "completedKey": f"jobs/{JOB}/completed/orders.csv",
    "rejectedKey": f"jobs/{JOB}/rejected/orders.csv",
}
LINK = "https://example.com/?a=1&b=<2>"


@pytest.fixture
def app(load_app: LoadApp) -> ModuleType:
    return load_app("send-email")


@pytest.fixture
def entered(account: Account) -> Account:
    """Give an account where the sender is verified and the ledger knows the merged job."""
    SESSION.client("sesv2").create_email_identity(EmailIdentity=SENDER)
    account.put_entry(JOB, items.JOB_ENTRY, **ENTRY)
    return account


class _Text(HTMLParser):
    """The text and the links that a reader of HTML sees."""

    def __init__(self) -> None:
        super().__init__()
        self.text, self.links, self.tags = "", list[str](), set[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.text += data


def read_html(message: Any) -> _Text:
    parser = _Text()
    parser.feed(message["Body"]["Html"]["Data"])
    parser.close()
    return parser


# ------------------------------------------------------------------------------ message


def test_mail_says_what_the_job_came_to_and_where_it_lies(app: ModuleType) -> None:
    message = app.compose({**ENTRY, "jobId": JOB}, LINK)
    assert message["Subject"]["Data"] == "Processed: orders.csv"
    text = message["Body"]["Text"]["Data"]
    for expected in (
        "orders.csv has been processed.",
        "Rows in: 12,345. Rows out: 12,000. Rows rejected: 345.",
        LINK,
        f"s3://{BUCKET}/{ENTRY['completedKey']}",
        f"s3://{BUCKET}/{ENTRY['rejectedKey']}",
        f"batchops --stack {STACK} link {JOB}",
    ):
        assert expected in text
    html = read_html(message)
    assert html.links == [LINK]
    assert "Rows in: 12,345. Rows out: 12,000. Rows rejected: 345." in html.text


HTML_NAME = "<script>alert('x')</script> & \"co\".csv"


def test_html_in_a_files_name_is_shown_as_text(app: ModuleType) -> None:
    job = {**ENTRY, "jobId": JOB, "key": f"input/{HTML_NAME.replace('/', '')}"}
    job["completedKey"] = "jobs/<b>x</b>"
    html = read_html(app.compose(job, LINK))
    assert html.tags == {"p", "a"}
    assert HTML_NAME.replace("/", "") in html.text
    assert "jobs/<b>x</b>" in html.text


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(min_size=1))
def test_no_name_breaks_out_of_the_subject_or_the_html(app: ModuleType, name: str) -> None:
    message = app.compose({**ENTRY, "jobId": JOB, "key": f"input/{name}"}, LINK)
    assert not re.search(r"[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]", message["Subject"]["Data"])
    assert read_html(message).tags == {"p", "a"}


def test_subject_keeps_the_name_but_for_line_breaks(app: ModuleType) -> None:
    job = {**ENTRY, "jobId": JOB, "key": "input/a\r\nBcc: x@example.com\n.csv"}
    subject = app.compose(job, LINK)["Subject"]
    assert subject == {"Data": "Processed: a Bcc: x@example.com .csv", "Charset": "UTF-8"}


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(min_size=1))
def test_no_name_adds_a_line_to_the_text(app: ModuleType, name: str) -> None:
    """Whoever uploads could otherwise put a link of their own where the mail's is expected."""

    def lines(key: str) -> int:
        paths = {"completedKey": f"jobs/j/{key}", "rejectedKey": f"jobs/j/{key}", "key": key}
        message = app.compose({**ENTRY, **paths, "jobId": JOB}, LINK)
        return len(message["Body"]["Text"]["Data"].splitlines())

    assert lines(f"input/{name}") == lines("input/orders.csv")


# -------------------------------------------------------------------------------- sent


def test_mail_goes_to_the_recipient_and_the_ledger_knows_it(
    app: ModuleType, entered: Account
) -> None:
    result = app.lambda_handler(job_event(JOB), context())
    assert result["messageId"]
    entry = entered.entry(JOB)
    assert entry.pop("mailTime").endswith("Z")
    assert entry == {
        "jobId": JOB,
        "entry": "JOB",
        **ENTRY,
        "mailStatus": workflow.MAIL_SENT,
        "mailAttempt": 1,
        "mailMessageId": result["messageId"],
    }


def test_mail_is_from_sender_to_recipient_with_a_link_to_the_output(
    app: ModuleType, entered: Account
) -> None:
    with Stubber(app.ses) as stub:
        stub.add_response(
            "send_email",
            {"MessageId": "m1"},
            {
                "FromEmailAddress": SENDER,
                "Destination": {"ToAddresses": [RECIPIENT]},
                "Content": ANY,
            },
        )
        sent: list[Any] = []
        app.ses.meta.events.register(
            "provide-client-params.sesv2.SendEmail", lambda params, **_: sent.append(params)
        )
        assert app.lambda_handler(job_event(JOB), context())["messageId"] == "m1"
    (link,) = read_html(sent[0]["Content"]["Simple"]).links
    address, query = urlsplit(link), parse_qs(urlsplit(link).query)
    assert BUCKET in address.netloc + address.path
    assert address.path.endswith(ENTRY["completedKey"])
    assert query["X-Amz-Expires"] == ["3600"]
    assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]


def test_mail_is_not_sent_twice_in_one_attempt(app: ModuleType, entered: Account) -> None:
    first = app.lambda_handler(job_event(JOB), context())
    with Stubber(app.ses) as stub:  # which would refuse any call
        second = app.lambda_handler(job_event(JOB), context())
        stub.assert_no_pending_responses()
    assert second["messageId"] == first["messageId"]


def test_next_attempt_is_mailed_again(app: ModuleType, entered: Account) -> None:
    first = app.lambda_handler(job_event(JOB), context())
    second = app.lambda_handler(job_event(JOB, attempt=2), context())
    assert second["messageId"] != first["messageId"]
    assert entered.entry(JOB)["mailAttempt"] == 2


def test_mail_of_an_attempt_that_a_later_one_has_replaced_is_not_sent(
    app: ModuleType, entered: Account
) -> None:
    # The job ends before its mail, so a repair can begin while the mail is still being tried.
    entered.put_entry(JOB, items.JOB_ENTRY, attempt=2, mailStatus=workflow.MAIL_PENDING)
    with Stubber(app.ses) as stub:  # which would refuse any call
        assert app.lambda_handler(job_event(JOB), context())["messageId"] == ""
        stub.assert_no_pending_responses()
    assert entered.entry(JOB)["mailStatus"] == workflow.MAIL_PENDING


def test_mail_that_failed_before_is_tried_again(app: ModuleType, entered: Account) -> None:
    entered.put_entry(JOB, items.JOB_ENTRY, mailStatus=workflow.MAIL_FAILED, mailAttempt=1)
    app.lambda_handler(job_event(JOB), context())
    assert entered.entry(JOB)["mailStatus"] == workflow.MAIL_SENT


def test_mail_that_is_sent_removes_the_reason_of_an_earlier_failure(
    app: ModuleType, entered: Account
) -> None:
    entered.put_entry(
        JOB, items.JOB_ENTRY, mailStatus=workflow.MAIL_FAILED, mailError="E", mailCause="c"
    )
    app.lambda_handler(job_event(JOB, attempt=2), context())
    assert not {"mailError", "mailCause"} & entered.entry(JOB).keys()


def test_refused_mail_is_an_error_and_not_in_the_ledger(app: ModuleType, entered: Account) -> None:
    with Stubber(app.ses) as stub:
        stub.add_client_error("send_email", "MessageRejected", "not verified")
        with pytest.raises(ClientError, match="MessageRejected"):
            app.lambda_handler(job_event(JOB), context())
    assert "mailStatus" not in entered.entry(JOB)


def test_throttled_mail_asks_for_a_retry(app: ModuleType, entered: Account) -> None:
    with Stubber(app.ses) as stub:
        stub.add_client_error("send_email", "TooManyRequestsException", http_status_code=429)
        with pytest.raises(TransientError):
            app.lambda_handler(job_event(JOB), context())
