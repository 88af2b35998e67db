"""The drill's proxy: what it lets pass, and how it spoils what it is told to."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
import support
import urllib3
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError

from tools.drill.calls import Call, read_call
from tools.drill.faults import KINDS, Fault
from tools.drill.injector import Injector
from tools.drill.proxy import FaultProxy

STEP = "write-output-chunk"
CHUNK = "/bucket/jobs/orders-0/output/000002.csv"


@pytest.fixture
def upstream() -> Iterator[support.Server]:
    """What stands for the engine: it takes everything."""

    def answer(request: support.Received) -> support.Answer:
        return 200, b"" if request.path.startswith("/bucket/") else b"{}"

    with support.Server(answer) as server:
        yield server


@pytest.fixture
def proxy(upstream: support.Server) -> Iterator[FaultProxy]:
    port = int(upstream.url.rsplit(":", 1)[-1])
    with FaultProxy(
        [STEP, "send-email"],
        Injector(),
        upstream=lambda: port,
        engine_pid=os.getpid,
        chunk_of_key={b"271828183": 3},
    ) as proxy:
        yield proxy


@pytest.fixture
def http() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(retries=False, timeout=20) as pool:
        yield pool


def client(proxy: FaultProxy, service: str, step: str = STEP) -> Any:
    """Return a client that tries once, and whose errors are those that functions see."""
    return boto3.client(
        service,  # type: ignore[call-overload]
        region_name=support.REGION,
        aws_access_key_id="a",
        aws_secret_access_key="b",
        endpoint_url=proxy.url(step),
        config=Config(retries={"total_max_attempts": 1}, proxies={}),
    )


def put(proxy: FaultProxy, key: str = "jobs/orders-0/output/000002.csv") -> None:
    client(proxy, "s3").put_object(Bucket="bucket", Key=key, Body=b"1,2\n")


# ------------------------------------------------------------------------- what passes


def test_requests_and_answers_pass_as_they_are(
    proxy: FaultProxy, upstream: support.Server, http: urllib3.PoolManager
) -> None:
    url = proxy.url(STEP)
    answer = http.request("POST", f"{url}/a/b%20c?x=1&y", body=b"body", headers={"X-Own": "v"})
    assert (answer.status, answer.data) == (200, b"{}")
    (request,) = upstream.received
    assert (request.method, request.path, request.body) == ("POST", "/a/b%20c?x=1&y", b"body")
    # Signatures cover the host that the caller meant.
    assert request.headers["Host"] == url.removeprefix("http://")
    assert request.headers["X-Own"] == "v"


def test_calls_are_noted_down_with_who_made_them(proxy: FaultProxy) -> None:
    put(proxy)
    client(proxy, "sesv2", "send-email").send_email(Content={})
    assert proxy.injector.calls == (
        Call(STEP, "s3", "PutObject", 2),
        Call("send-email", "ses", "SendEmail"),
    )
    assert proxy.injector.fired == 0


UPDATE = b'{"Key": {"entry": {"S": "CHUNK#000004"}}}'
ITEMS = b'{"Item": {"chunk": {"N": "7"}}}'
KEYS = b'{"uuids": ["1", "271828183"]}'
REQUESTS: tuple[tuple[str, str, str, str, bytes, int | None], ...] = (
    # function, call, path, header, body, chunk
    ("read-file", "s3.GetObject", f"GET {CHUNK}", "", b"", 2),
    ("split-ip-file", "s3.PutObject", f"PUT {CHUNK}", "", b"", None),
    ("merge-s3-files", "s3.CopyObject", "PUT /b/a.csv", "x-amz-copy-source: b/a.csv", b"", None),
    ("merge-s3-files", "s3.DeleteObject", "DELETE /b/a.csv", "", b"", None),
    ("read-file", "dynamodb.UpdateItem", "POST /", "x-amz-target: D.UpdateItem", UPDATE, 4),
    (STEP, "dynamodb.BatchWriteItem", "POST /", "x-amz-target: D.BatchWriteItem", ITEMS, 7),
    ("enrich-data", "execute-api.POST", "POST /_aws/execute-api/abc/v1/f", "", KEYS, 3),
)


@pytest.mark.parametrize(("step", "call", "path", "header", "body", "chunk"), REQUESTS)
def test_call_is_read_from_its_request(  # noqa: PLR0917  (a request has its parts)
    step: str, call: str, path: str, header: str, body: bytes, chunk: int | None
) -> None:
    service, operation = call.split(".")
    scope = f"AWS4-HMAC-SHA256 Credential=A/20261123/us-east-1/{service}/aws4_request"
    headers = {"authorization": scope, **dict([header.split(": ")] if header else ())}
    method, target = path.split()
    keys = {b"271828183": 3}
    found = read_call(step, method, target, headers, body, chunk_of_key=keys)
    assert found == Call(step, service, operation, chunk)


# -------------------------------------------------------------------- what is spoilt


_CALLS: dict[str, Any] = {
    "s3": put,
    "dynamodb": lambda proxy: client(proxy, "dynamodb").update_item(
        TableName="t", Key={"entry": {"S": "CHUNK#000002"}}
    ),
    "ses": lambda proxy: client(proxy, "sesv2", "send-email").send_email(Content={}),
}


@pytest.mark.parametrize(
    "kind",
    [k.name for k in KINDS.values() if k.action == "refuse" and k.service in _CALLS],
)
def test_refusals_reach_the_sdk_as_the_service_words_them(
    kind: str, proxy: FaultProxy, upstream: support.Server
) -> None:
    service = KINDS[kind].service
    step, chunk = ("send-email", None) if service == "ses" else (STEP, 2)
    proxy.injector.arm(Fault(step, kind, chunk))
    with pytest.raises(ClientError) as refused:
        _CALLS[service](proxy)
    assert refused.value.response["Error"]["Code"] == KINDS[kind].code
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == KINDS[kind].status
    assert upstream.received == []
    assert proxy.injector.fired == 1
    _CALLS[service](proxy)  # it strikes once
    assert len(upstream.received) == 1


def test_another_chunk_and_another_function_are_left_alone(
    proxy: FaultProxy, upstream: support.Server
) -> None:
    proxy.injector.arm(Fault(STEP, "exception", 1))
    put(proxy)
    client(proxy, "sesv2", "send-email").send_email(Content={})
    assert len(upstream.received) == 2
    assert proxy.injector.fired == 0


def test_lost_answer_is_lost_after_the_write(proxy: FaultProxy, upstream: support.Server) -> None:
    proxy.injector.arm(Fault(STEP, "lost-answer", 2, after_writes=2))
    put(proxy)
    with pytest.raises(HTTPClientError):
        put(proxy)
    assert [request.body for request in upstream.received] == [b"1,2\n"] * 2


def test_batches_are_left_unprocessed_as_a_whole(
    proxy: FaultProxy, upstream: support.Server
) -> None:
    tables = client(proxy, "dynamodb")
    proxy.injector.arm(Fault(STEP, "unprocessed", 2))
    puts = {"t": [{"PutRequest": {"Item": {"chunk": {"N": "2"}}}}]}
    assert tables.batch_write_item(RequestItems=puts)["UnprocessedItems"] == puts
    proxy.injector.arm(Fault(STEP, "unprocessed", 3))
    gets = {"t": {"Keys": [{"uuid": {"S": "271828183"}}]}}
    answer = tables.batch_get_item(RequestItems=gets)
    assert (answer["Responses"], answer["UnprocessedKeys"]) == ({"t": []}, gets)
    assert upstream.received == []


def test_held_call_is_never_answered_and_let_go_when_the_fault_is_lifted(
    proxy: FaultProxy, upstream: support.Server
) -> None:
    proxy.injector.arm(Fault(STEP, "timeout", 2))
    met: list[BaseException] = []

    def call() -> None:
        with pytest.raises(HTTPClientError) as error:
            put(proxy)
        met.append(error.value)

    caller = threading.Thread(target=call)
    caller.start()
    assert proxy.injector.wait_until_fired(20)
    assert caller.is_alive()
    proxy.injector.lift()
    caller.join(20)
    assert met
    assert upstream.received == []


def test_late_write_is_done_when_the_fault_is_lifted(
    proxy: FaultProxy, upstream: support.Server, http: urllib3.PoolManager
) -> None:
    proxy.injector.arm(Fault("send-email", "late-write"))
    url = proxy.url("send-email") + "/late"
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        http.request("POST", url, body=b"late", timeout=0.2)
    assert upstream.received == []
    proxy.injector.lift()
    assert proxy.injector.settle(20)
    assert [request.body for request in upstream.received] == [b"late"]


_CALLER = """
import sys, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
opener.open(urllib.request.Request(sys.argv[1], b"body", method="PUT"), timeout=20)
"""


@pytest.mark.parametrize(("kind", "writes"), [("kill", 0), ("partial-write", 1)])
def test_the_calling_process_is_killed_before_or_after_its_write(
    kind: str, writes: int, proxy: FaultProxy, upstream: support.Server
) -> None:
    # Without a signature no service is known: the call counts as none that writes.
    fault = Fault(STEP, kind, 2)
    proxy.injector.arm(fault)
    url = proxy.url(STEP) + CHUNK
    done = subprocess.run([sys.executable, "-c", _CALLER, url], timeout=60, check=False)
    assert done.returncode == -9
    assert len(upstream.received) == writes
    assert proxy.injector.fired == 1


# ------------------------------------------------------------------------ what is counted


def test_writes_are_counted_and_reads_are_not() -> None:
    injector = Injector()
    injector.arm(Fault(STEP, "partial-write", 2, after_writes=2))
    read, write = Call(STEP, "s3", "GetObject", 2), Call(STEP, "s3", "PutObject", 2)
    decided = [injector.decide(call) is not None for call in (read, write, read, write, write)]
    assert decided == [False, False, False, True, False]


def test_lasting_fault_strikes_each_try_until_it_is_lifted() -> None:
    injector = Injector()
    injector.arm(Fault(STEP, "partial-write", 2, times=None, after_writes=2))
    write = Call(STEP, "dynamodb", "UpdateItem", 2)
    assert [injector.decide(write) is not None for _ in range(6)] == [False, True] * 3
    injector.lift()
    assert [injector.decide(write) for _ in range(2)] == [None, None]
    assert injector.fired == 3
