"""Who gets in from outside: callers of the API, holders of a link, processes on this computer."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psutil
import pytest
from batchcore import keys
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from e2e.jobs import TIMEOUT_S, finished
from e2e.permissions import taken_role
from e2e.rows import order, to_csv

from batchops.core.loopback import open_local
from batchops.job import Job
from batchops.local.engine import LocalEngine
from batchops.stack import Stack

KEY = order()[0]
BODY = json.dumps({"uuids": [KEY]}).encode()


def _status(request: urllib.request.Request | str) -> int:
    try:
        with open_local(request, timeout_s=TIMEOUT_S) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def _api(stack: Stack, path: str) -> str:
    info = stack.target.endpoint
    assert info is not None
    return f"{info.endpoint_url}/_aws/execute-api/{stack.outputs['ApiId']}/v1/{path}"


def _signed(
    stack: Stack, method: str, path: str, credentials: Credentials, body: bytes | None = None
) -> urllib.request.Request:
    url = _api(stack, path)
    request = AWSRequest(method=method, url=url, data=body)
    SigV4Auth(credentials, "execute-api", stack.target.region).add_auth(request)
    return urllib.request.Request(url, data=body, headers=dict(request.headers), method=method)


# ---------------------------------------------------------------------------------- API


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("POST", "financials", BODY), ("GET", f"financials/{KEY}", None)],
)
def test_unsigned_call_is_refused(stack: Stack, method: str, path: str, body: Any) -> None:
    assert _status(urllib.request.Request(_api(stack, path), data=body, method=method)) == 403


def test_api_takes_the_signature_of_whoever_may_call_it_and_of_nobody_else(stack: Stack) -> None:
    with taken_role(stack, "EnrichDataRole") as taken:
        good = Credentials(*taken)
        assert _status(_signed(stack, "POST", "financials", good, BODY)) == 200
        # The role may look up many keys at once, and that is all.
        assert _status(_signed(stack, "GET", f"financials/{KEY}", good)) == 403
        wrong_secret = Credentials(taken[0], "x" * 40, taken[2])
        assert _status(_signed(stack, "POST", "financials", wrong_secret, BODY)) == 403
        wrong_token = Credentials(*taken[:2], "x" * 40)
        assert _status(_signed(stack, "POST", "financials", wrong_token, BODY)) == 403
        # A signature is good for what was signed: not for another body.
        replayed = _signed(stack, "POST", "financials", good, BODY)
        replayed.data = BODY.replace(KEY.encode(), b"000000000")
        assert _status(replayed) == 403
    with taken_role(stack, "ReadFileRole") as taken:
        other = Credentials(*taken)
        assert _status(_signed(stack, "POST", "financials", other, BODY)) == 403


# -------------------------------------------------------------------------------- links


@pytest.fixture(scope="module")
def job(stack: Stack) -> Job:
    return finished(stack, to_csv([order()]), "link.csv")


def _mailed_link(job: Job) -> str:
    return job.email().text.split("Download it here: ")[1].split()[0]


def test_mailed_link_opens_one_object_for_an_hour_and_changes_nothing(job: Job) -> None:
    link = _mailed_link(job)
    assert parse_qs(urlsplit(link).query)["X-Amz-Expires"] == ["3600"]
    assert _status(link) == 200
    name = f"completed/{keys.completed(job.id, 'link.csv').rsplit('/', 1)[-1]}"
    others = ("rejected/link.csv", "manifest-0001.json", "chunks/000001.csv", "completed/x.csv")
    for other in others:
        assert _status(link.replace(name, other)) == 403
    assert _status(link.replace("Expires=3600", "Expires=36000")) == 403
    for method in ("PUT", "DELETE"):
        assert _status(urllib.request.Request(link, data=b"", method=method)) == 403
    assert _status(link) == 200


def test_link_without_its_signature_opens_nothing(job: Job) -> None:
    for link in (_mailed_link(job), job.link(), job.link(rejected=True)):
        assert _status(link) == 200
        assert _status(link.split("?")[0]) == 403


def test_link_of_a_job_lasts_as_long_as_it_was_asked_for(job: Job) -> None:
    query = parse_qs(urlsplit(job.link(expires_s=60)).query)
    assert query["X-Amz-Expires"] == ["60"]
    assert parse_qs(urlsplit(job.link()).query)["X-Amz-Expires"] == ["3600"]


# ------------------------------------------------------------------------- this computer


def test_neither_the_engine_nor_its_functions_listen_beyond_this_computer(
    engine: LocalEngine, job: Job
) -> None:
    root = psutil.Process(engine.start().pid)
    processes = [root, *root.children(recursive=True)]
    assert len(processes) > 3  # the functions that the job has run
    sockets = [c for process in processes for c in process.net_connections(kind="inet")]
    open_ = [c.laddr for c in sockets if c.status in (psutil.CONN_LISTEN, psutil.CONN_NONE)]
    assert [place.ip for place in open_] == ["127.0.0.1"]
