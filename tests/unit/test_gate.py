"""The gate before the local engine, with an application behind it that says what came through."""

from __future__ import annotations

import contextvars
import json
import threading
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

import botocore.session
import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from batchops.local.engine_env import pins
from batchops.local.gate import HOSTS_PATH, SECRET_HEADER, Gate, gate_secret
from batchops.local.turns import take_turns

HOST = "127.0.0.1:4566"
KEY, SECRET = "OWNKEY", "own-secret"
ADMIN = {SECRET_HEADER: gate_secret(SECRET)}
PAGE = {"origin": "https://evil.example", "sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"}
LINK_CLICK = {
    "sec-fetch-site": "cross-site",
    "sec-fetch-mode": "navigate",
    "sec-fetch-dest": "document",
}


def finish(work: Coroutine[Any, Any, None]) -> None:
    """Run what waits for nothing, also in a thread whose event loop is another's."""
    with pytest.raises(StopIteration):
        work.send(None)


@dataclass
class Behind:
    """An application that notes the bodies of the requests that reach it."""

    bodies: list[bytes] = field(default_factory=list)
    answer: bytes = b"{}"

    async def __call__(self, _: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        self.bodies.append(body)
        headers = [(b"access-control-allow-origin", b"*"), (b"x-amz-request-id", b"1")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self.answer})


class Client:
    """Sends requests to a gate as an HTTP server would hand them over."""

    def __init__(self) -> None:
        self.behind = Behind()
        self.answered = b""
        self.gate = Gate(self.behind, host=HOST, access_key_id=KEY, secret_access_key=SECRET)

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | list[tuple[str, str]] = {},  # noqa: B006  (read only)
        body: bytes = b"",
    ) -> tuple[int, dict[str, str]]:
        """Return the status and the headers of the answer."""
        parts = urlsplit(url)
        given = list(headers.items()) if isinstance(headers, Mapping) else headers
        if not any(name.lower() == "host" for name, _ in given):
            given = [("host", parts.netloc or HOST), *given]
        scope = {
            "type": "http",
            "method": method,
            "path": parts.path,
            "raw_path": parts.path.encode(),
            "query_string": parts.query.encode(),
            "headers": [(n.lower().encode(), str(v).encode()) for n, v in given],
        }
        halves = [body[: len(body) // 2], body[len(body) // 2 :]]
        incoming = [
            {"type": "http.request", "body": part, "more_body": number == 0}
            for number, part in enumerate(halves)
        ]
        sent: list[Any] = []

        async def receive() -> Any:
            return incoming.pop(0)

        async def send(message: Any) -> None:
            sent.append(message)

        finish(self.gate(scope, receive, send))
        answer = sent[0]["headers"]
        self.answered = b"".join(message.get("body", b"") for message in sent[1:])
        return sent[0]["status"], {n.decode().lower(): v.decode() for n, v in answer}

    def ask(self, *request: Any) -> bytes:
        """Send a request that comes through, and return the body of the answer."""
        assert self.send(*request)[0] == 200
        return self.answered

    @property
    def reached(self) -> int:
        """How many requests came through."""
        return len(self.behind.bodies)


@pytest.fixture
def client() -> Client:
    return Client()


def signed(
    service: str = "dynamodb",
    *,
    method: str = "POST",
    path: str = "/",
    body: bytes = b'{"TableName": "t"}',
    key: str = KEY,
    secret: str = SECRET,
    host: str = HOST,
) -> tuple[str, str, dict[str, str], bytes]:
    """Return a request as boto3 signs it: method, address, headers, body."""
    request = AWSRequest(method, f"http://{host}{path}", {"X-Amz-Target": "a b"}, data=body)
    kind = S3SigV4Auth if service == "s3" else SigV4Auth
    kind(Credentials(key, secret), service, "us-east-1").add_auth(request)
    return method, request.url, dict(request.headers.items()), body


def link(*, expires: int = 60, key: str = KEY, secret: str = SECRET, path: str = "/b/a%20b") -> str:
    """Return a link as boto3 signs it."""
    request = AWSRequest("GET", f"http://{HOST}{path}")
    S3SigV4QueryAuth(Credentials(key, secret), "s3", "us-east-1", expires=expires).add_auth(request)
    return str(request.url)


# ------------------------------------------------------------------------------ what comes in


@pytest.mark.parametrize(
    ("service", "path"),
    [
        ("dynamodb", "/"),
        ("s3", "/bucket/a%20b/%C3%A9+.csv?versionId=x&list-type=2"),
        ("lambda", "/2015-03-31/functions/a%3Ab/invocations"),
        ("execute-api", "/_aws/execute-api/abc/v1/financials"),
    ],
)
def test_request_signed_with_the_engines_key_comes_through_whole(
    client: Client, service: str, path: str
) -> None:
    status, _ = client.send(*signed(service, path=path))

    assert status == 200
    assert client.behind.bodies == [b'{"TableName": "t"}']


def test_request_signed_with_a_roles_key_is_left_to_the_emulator(client: Client) -> None:
    assert client.send(*signed(key="ASIAROLE", secret="whatever"))[0] == 200


def test_link_is_opened_by_programs_and_from_any_page(client: Client) -> None:
    assert client.send("GET", link())[0] == 200
    assert client.send("GET", link(), LINK_CLICK)[0] == 200
    assert client.send("GET", link(), {"sec-fetch-site": "none"})[0] == 200


def test_emulators_own_paths_take_the_secret(client: Client) -> None:
    assert client.send("GET", "/_ministack/health", ADMIN)[0] == 200
    for path in (
        "/_ministack/reset",
        "/_ministack/config",
        "/_ministack/ses/messages",
        "/_localstack/health",
        "/_ministack/lambda-layers/000000000000/us-east-1/x/1/content",
        "/_aws/lambda-url/x",
        "/health",
    ):
        assert client.send("POST", path)[0] == 403, path
        assert client.send("POST", path, {SECRET_HEADER: "guess"})[0] == 403, path
        assert client.send(*signed(path=path))[0] == 403, path
    assert client.reached == 1


def test_the_address_of_a_layer_is_signed_where_lambda_tells_it(client: Client) -> None:
    archive = "/_ministack/lambda-layers/000000000000/us-east-1/schema/1/content"
    client.behind.answer = json.dumps({"Content": {"Location": f"http://{HOST}{archive}"}}).encode()
    told = client.ask(*signed("lambda", method="GET", path="/2018-10-31/layers", body=b""))
    address = json.loads(told)["Content"]["Location"]

    assert client.send("GET", address)[0] == 200
    assert client.send("GET", archive)[0] == 403
    assert client.send("GET", address.replace("schema", "other"))[0] == 403
    assert client.send("POST", address)[0] == 403
    assert client.send("GET", address, PAGE)[0] == 403


def test_custom_resource_reports_by_its_token(client: Client) -> None:
    path = "/_ministack/cfn-response/0e6a9e9a-5b43-4b2e-b4a1-9b2a4b8b3c11"

    assert client.send("PUT", path)[0] == 200
    assert client.send("POST", path)[0] == 403
    assert client.send("PUT", "/_ministack/cfn-response/short")[0] == 403


# ----------------------------------------------------------------------------- what does not


@pytest.mark.parametrize("headers", [PAGE, {"origin": f"http://{HOST}"}, {"origin": "null"}])
def test_nothing_with_an_origin_comes_in(client: Client, headers: dict[str, str]) -> None:
    method, url, own, body = signed()

    assert client.send("OPTIONS", url, headers)[0] == 403
    assert client.send(method, url, {**own, **headers}, body)[0] == 403
    assert client.send("GET", link(), headers)[0] == 403
    assert client.send("POST", "/_ministack/reset", {**ADMIN, **headers})[0] == 403
    assert client.reached == 0


@pytest.mark.parametrize("site", ["cross-site", "same-site", "same-origin", "other"])
def test_no_page_of_any_site_comes_in_but_by_opening_a_link(client: Client, site: str) -> None:
    image = {"sec-fetch-site": site, "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}
    frame = {"sec-fetch-site": site, "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}
    click = {**LINK_CLICK, "sec-fetch-site": site}
    method, url, own, body = signed()

    assert client.send("GET", link(), image)[0] == 403
    assert client.send("GET", link(), frame)[0] == 403
    assert client.send("GET", "/", click)[0] == 403
    assert client.send("POST", link(), click)[0] == 403
    assert client.send("GET", "/b/k?X-Amz-Signature=0", click)[0] == 403
    assert client.send(method, url, {**own, **click}, body)[0] == 403
    assert client.reached == 0


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost:4566", "127.0.0.1", "127.0.0.1:80", "[::1]:4566", ""]
)
def test_another_host_is_refused_however_it_is_signed(client: Client, host: str) -> None:
    method, url, own, body = signed(host=host or HOST)

    assert client.send(method, url, {**own, "host": host}, body)[0] == 403
    assert client.send("GET", "/_ministack/health", {**ADMIN, "host": host})[0] == 403
    assert client.reached == 0


@pytest.mark.parametrize("key", ["test", "123456789012", "000000000000"])
def test_built_in_roots_are_refused(client: Client, key: str) -> None:
    assert client.send(*signed(key=key))[0] == 403
    assert client.send("GET", link(key=key))[0] == 403


@pytest.mark.parametrize("first", ["test", "123456789012", KEY, "AKIAROLE"])
@pytest.mark.parametrize("name", ["X-Amz-Credential", "x-amz-credential", "X%2dAmz-Credential"])
def test_a_second_key_in_an_address_is_refused(client: Client, first: str, name: str) -> None:
    page, _, query = link(key="AKIAROLE").partition("?")
    second = f"{name}={first}%2F20261128%2Fus-east-1%2Fiam%2Faws4_request"
    action = "Action=CreateRole&Version=2010-05-08"

    assert client.send("GET", f"{page}?{second}&{query}&{action}", LINK_CLICK)[0] == 403
    assert client.send("GET", f"{page}?{query}&{second}&{action}")[0] == 403
    assert client.reached == 0


@pytest.mark.parametrize("name", ["Date", "Expires", "SignedHeaders", "Signature", "Algorithm"])
def test_no_part_of_a_links_signature_is_there_twice(client: Client, name: str) -> None:
    assert client.send("GET", link(key="AKIAROLE") + f"&X-Amz-{name}=1")[0] == 403
    assert client.reached == 0


# To MiniStack, twelve digits of any script are an account number, and root.
@pytest.mark.parametrize(
    "key",
    ["\u0661" * 12, "\uff11" * 12, "\u0967" * 12, "12345678901\u0662", "a=b", "test\t", "-"],
    ids=["arabic", "fullwidth", "devanagari", "mixed", "equals", "tab", "dash"],
)
def test_keys_are_of_plain_letters_and_digits(client: Client, key: str) -> None:
    method, url, own, body = signed(key="AKIAROLE")
    renamed = {**own, "Authorization": own["Authorization"].replace("AKIAROLE", key)}

    assert client.send(method, url, renamed, body)[0] == 403
    assert client.send("GET", link(key="AKIAROLE").replace("AKIAROLE", quote(key)))[0] == 403
    assert client.send("GET", link(key="AKIAROLE").replace("AKIAROLE", key))[0] == 403
    assert client.reached == 0


def test_the_engines_key_takes_the_engines_secret(client: Client) -> None:
    method, url, own, body = signed()

    assert client.send(*signed(secret="another"))[0] == 403
    assert client.send("GET", link(secret="another"))[0] == 403
    assert client.send(method, url, own, body + b" ")[0] == 403
    assert client.send(method, url, {**own, "X-Amz-Target": "other"}, body)[0] == 403
    assert client.send("GET", url, own)[0] == 403
    assert client.send(method, url + "other", own, body)[0] == 403
    assert client.send(method, url, {**own, "x-amz-security-token": "t"}, body)[0] == 403
    assert client.reached == 0


@pytest.mark.parametrize(
    "text", ["\u00e9", "\udcff", "\u0661"], ids=["accent", "surrogate", "digit"]
)
def test_secrets_and_signatures_of_other_letters_are_refused(client: Client, text: str) -> None:
    given = quote(text, errors="surrogatepass")
    page, _, _ = link().rpartition("X-Amz-Signature=")
    archive = "/_ministack/lambda-layers/000000000000/us-east-1/x/1/content"

    assert client.send("GET", f"{page}X-Amz-Signature={given}")[0] == 403
    assert client.send("GET", f"{archive}?signed={given}")[0] == 403
    assert client.send("GET", "/_ministack/health", {SECRET_HEADER: given})[0] == 403
    assert client.send("GET", "/_ministack/health", {SECRET_HEADER: "\u00e9"})[0] == 403
    assert client.reached == 0


def test_links_expire_and_old_signatures_are_refused(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    long_ago = datetime.now(UTC) - timedelta(hours=2)
    with monkeypatch.context() as patch:
        patch.setattr("botocore.auth.get_current_datetime", lambda **_: long_ago)
        old, old_link, day_link = signed(), link(), link(expires=86_400)

    assert client.send(*old)[0] == 403
    assert client.send("GET", old_link)[0] == 403
    assert client.send("GET", day_link)[0] == 200


def test_unsigned_and_doubly_signed_requests_are_refused(client: Client) -> None:
    method, _, own, body = signed()

    assert client.send("GET", "/")[0] == 403
    assert client.send("GET", "/b/k", {"authorization": "AWS OWNKEY:abc"})[0] == 403
    assert (
        client.send("GET", "/b/k?AWSAccessKeyId=OWNKEY&Signature=x&Expires=99999999999")[0] == 403
    )
    assert client.send(method, link(), own, body)[0] == 403
    twice = [*own.items(), ("Authorization", "AWS4-HMAC-SHA256 Credential=test/x")]
    assert client.send(method, "/", twice, body)[0] == 403
    assert client.send("GET", link().replace("%2Fs3%2F", "%2Fsts%2F"))[0] == 403
    assert client.reached == 0


def test_websockets_are_closed_before_they_open(client: Client) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    finish(client.gate({"type": "websocket", "path": "/", "headers": []}, receive, send))

    assert [message["type"] for message in sent] == ["websocket.close"]


def test_answers_are_shared_with_no_page_and_run_nothing(client: Client) -> None:
    _, headers = client.send("GET", link())

    assert not any(name.startswith("access-control-") for name in headers)
    assert headers["content-security-policy"] == "sandbox"
    assert headers["x-amz-request-id"] == "1"


def test_other_hosts_are_named_with_the_secret_and_forgotten_again(client: Client) -> None:
    proxy = "127.0.0.1:9999"
    through_proxy = signed(host=proxy)

    assert client.send("POST", HOSTS_PATH, {}, json.dumps([proxy]).encode())[0] == 403
    assert client.send(*through_proxy)[0] == 403
    assert client.send("POST", HOSTS_PATH, ADMIN, json.dumps([proxy]).encode())[0] == 204
    assert client.send(*through_proxy)[0] == 200
    assert client.send("POST", HOSTS_PATH, ADMIN, b"[]")[0] == 204
    assert client.send(*through_proxy)[0] == 403


def test_the_gate_knows_each_signer_that_boto3_uses_for_the_stack() -> None:
    """One that signs in another way would find the gate closed."""
    session = botocore.session.Session()
    services = ("s3", "dynamodb", "lambda", "stepfunctions", "cloudformation", "sqs", "sesv2")
    versions = {
        name: session.get_service_model(name).signature_version
        for name in (*services, "logs", "iam", "sts", "sns", "events", "apigateway")
    }

    assert {v for n, v in versions.items() if n != "s3"} == {"v4"}
    assert versions["s3"] in ("s3", "s3v4")  # target.py makes it s3v4


# ---------------------------------------------------------------------------- functions


class Functions:
    """What MiniStack's module for Lambda does with calls, as far as the gate changes it."""

    def __init__(self) -> None:
        self.at_work = self.most = self.done = 0
        self._lock = threading.Lock()
        self.threads: list[threading.Thread] = []

    def _execute_function(self, function: Any, event: Any) -> Any:
        if function == "of another region":
            return self._execute_function("here", event)
        with self._lock:
            self.at_work += 1
            self.most = max(self.most, self.at_work)
        time.sleep(0.02)
        with self._lock:
            self.at_work -= 1
            self.done += 1
        return event

    def invoke_async_with_retry(self, function: Any, event: Any) -> None:
        def tries() -> None:
            for _ in range(2):
                self._execute_function(function, event)

        thread = threading.Thread(target=contextvars.copy_context().run, args=(tries,))
        self.threads.append(thread)
        thread.start()


def test_events_take_turns_and_other_calls_do_not() -> None:
    functions: Any = Functions()
    take_turns(functions, 2)
    for number in range(6):
        functions.invoke_async_with_retry("of another region", number)
    for thread in functions.threads:
        thread.join(10)
    assert (functions.done, functions.most) == (12, 2)
    calls = [
        threading.Thread(target=functions._execute_function, args=("here", n)) for n in range(6)
    ]
    for call in calls:
        call.start()
    for call in calls:
        call.join(10)
    assert functions.done == 18
    assert functions.most > 2


def test_engine_has_what_takes_turns() -> None:
    # The names that the gate replaces, and how MiniStack calls them, were read in this version.
    assert "ministack==1.5.33" in pins()
