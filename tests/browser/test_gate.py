"""Web pages against the local engine's gate, in a real browser; and other programs without keys."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from browser.required import required_browser
from e2e.jobs import TIMEOUT_S

from batchops.core.loopback import open_local
from batchops.core.target import Target

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from batchops.local.engine import EngineInfo, LocalEngine

BUCKET, KEY, PICTURE = "gate-test", "a file.csv", "dot.gif"
# One dot.
GIF = bytes.fromhex(
    "47494638396101000100800000000000ffffff21f90401000000002c000000000100010000020144003b"
)
# What a page of another origin did to the engine before it had a gate.
ATTACKS = """async ([engine, bucket]) => {
    const tried = {};
    const call = async (name, options) => {
        try { tried[name] = (await fetch(engine + options.path, options)).status; }
        catch (error) { tried[name] = 'refused by the browser'; }
    };
    const role = 'Action=CreateRole&Version=2010-05-08&RoleName=evil'
        + '&AssumeRolePolicyDocument=%7B%7D';
    const form = {'content-type': 'application/x-www-form-urlencoded'};
    const signed = {authorization: 'AWS4-HMAC-SHA256 Credential=123456789012/20260101/'
        + 'us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0'};
    await call('simple', {path: '/', method: 'POST', body: role, headers: form, mode: 'no-cors'});
    await call('preflight', {path: '/', method: 'POST', body: role, headers: {...form, ...signed}});
    await call('reset', {path: '/_ministack/reset', method: 'POST', mode: 'no-cors'});
    await call('read', {path: `/${bucket}`, method: 'GET'});
    await call('mails', {path: '/_ministack/ses/messages', method: 'GET'});
    tried.socket = await new Promise(done => {
        const host = engine.replace('http', 'ws') || `ws://${location.host}`;
        const socket = new WebSocket(host + '/_aws/execute-api/x/y');
        socket.onopen = () => done('open');
        socket.onerror = socket.onclose = () => done('closed');
    });
    return tried;
}"""


@contextmanager
def website(html: str) -> Iterator[str]:
    """Serve one page on this computer, at an origin of its own; give its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def info(engine: LocalEngine) -> EngineInfo:
    """The running engine, with a bucket and a file in it."""
    s3 = Target("local", engine=engine).client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(
        Bucket=BUCKET,
        Key=KEY,
        Body=b"<script>document.title = 'ran'</script>",
        ContentType="text/html",
    )
    s3.put_object(Bucket=BUCKET, Key=PICTURE, Body=GIF, ContentType="image/gif")
    return engine.start()


@pytest.fixture
def unharmed(engine: LocalEngine, info: EngineInfo) -> Iterator[None]:
    """See that the engine is as it was when a test is through."""
    yield
    target = Target("local", engine=engine)
    assert engine.find() == info
    found = target.client("s3").list_objects_v2(Bucket=BUCKET)["Contents"]
    assert [item["Key"] for item in found] == [KEY, PICTURE]
    assert "evil" not in {r["RoleName"] for r in target.client("iam").list_roles()["Roles"]}


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


def presigned(engine: LocalEngine, key: str = KEY) -> str:
    params = {"Bucket": BUCKET, "Key": key}
    s3 = Target("local", engine=engine).client("s3")
    return str(s3.generate_presigned_url("get_object", Params=params))


def test_no_page_of_another_origin_reaches_the_engine(
    page: Page, info: EngineInfo, unharmed: None
) -> None:
    with website("<title>evil</title>") as address:
        page.goto(address)
        tried = page.evaluate(ATTACKS, [info.endpoint_url, BUCKET])

    assert tried.pop("socket") == "closed"
    assert set(tried.values()) == {"refused by the browser"}


def test_no_form_resets_the_engine(page: Page, info: EngineInfo, unharmed: None) -> None:
    action = f"{info.endpoint_url}/_ministack/reset"
    form = f'<form method="post" action="{action}"><button>go</button></form>'
    with website(form) as address:
        page.goto(address)
        with page.expect_navigation() as navigation:
            page.click("button")

    assert navigation.value.status == 403


def test_no_picture_loads_from_the_engine(page: Page, engine: LocalEngine, unharmed: None) -> None:
    size = """image => image.decode().then(() => image.naturalWidth, () => 0)"""
    with website(f'<img src="{presigned(engine, PICTURE)}">') as address:
        page.goto(address)

        assert page.eval_on_selector("img", size) == 0


def test_a_name_that_points_here_is_no_way_in(
    browser: Browser, info: EngineInfo, unharmed: None
) -> None:
    """DNS rebinding: for the browser it is the page's own origin, so that it names none."""
    rules = ["--host-resolver-rules=MAP rebound.example 127.0.0.1", "--no-sandbox"]
    rebound = browser.browser_type.launch(executable_path=required_browser(), args=rules)
    try:
        page = rebound.new_page()
        opened = page.goto(f"http://rebound.example:{info.port}/{BUCKET}")
        assert opened is not None
        assert opened.status == 403
        site = f"http://rebound.example:{info.port}/page"
        # The page itself comes from the attacker's server, before the name points here.
        page.route(site, lambda route: route.fulfill(body="<title>evil</title>"))
        page.goto(site)
        tried = page.evaluate(ATTACKS, ["", BUCKET])
    finally:
        rebound.close()

    assert tried.pop("socket") == "closed"
    # Chromium may refuse by itself that a page from elsewhere calls this computer.
    assert set(tried.values()) <= {403, "refused by the browser"}


def test_a_link_opens_from_a_mail_and_runs_nothing(page: Page, engine: LocalEngine) -> None:
    link = presigned(engine)
    with website(f'<a href="{link}">your file</a>') as address:
        page.goto(address)
        with page.expect_navigation() as navigation:
            page.click("a")
        assert navigation.value.status == 200
        page.wait_for_load_state()
        assert page.title() != "ran"


@pytest.mark.parametrize("key", ["test", "123456789012", "AKIAIOSFODNN7EXAMPLE", "BATCHOPSLOCAL"])
def test_another_user_of_this_computer_gets_nothing_by_any_key(
    info: EngineInfo, unharmed: None, key: str
) -> None:
    session = boto3.Session(
        aws_access_key_id=key, aws_secret_access_key="guess", region_name="us-east-1"
    )
    config = Config(proxies={}, retries={"total_max_attempts": 1})
    for service, call in (
        ("s3", lambda c: c.list_objects_v2(Bucket=BUCKET)),
        ("iam", lambda c: c.create_role(RoleName="evil", AssumeRolePolicyDocument="{}")),
        ("lambda", lambda c: c.list_functions()),
        ("sts", lambda c: c.get_caller_identity()),
    ):
        client: Any = session.client(service, endpoint_url=info.endpoint_url, config=config)
        with pytest.raises(ClientError) as refused:
            call(client)
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403, service


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/_ministack/reset"),
        ("GET", "/_ministack/ses/messages"),
        ("POST", "/_ministack/config"),
        ("GET", "/_localstack/health"),
        ("GET", f"/{BUCKET}"),
        ("GET", "/"),
    ],
)
def test_without_a_key_nothing_is_answered(
    info: EngineInfo, unharmed: None, method: str, path: str
) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        open_local(
            urllib.request.Request(info.endpoint_url + path, method=method), timeout_s=TIMEOUT_S
        )
    assert refused.value.code == 403
    refused.value.close()
