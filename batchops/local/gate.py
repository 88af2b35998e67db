"""The gate in front of the local engine: who may talk to the emulator that runs behind it.

MiniStack answers whoever reaches its port: web pages of any origin, any account number as root, a
plain POST that deletes everything. This ASGI application stands before it in the same process, and
lets in what this computer's user sends and nothing else:

- requests to this very address (a page that has its own name point here sends another ``Host``),
- from programs, not from pages: browsers name themselves by ``Origin`` or ``Sec-Fetch-Site``. The
  one way in from a browser is to open a signed link, from a mail or a notebook,
- signed with the engine's own key, which is checked here since MiniStack does not check it, or with
  a key that MiniStack issued to a role and checks itself,
- with the gate's secret, where the path is not AWS's but the emulator's own. The addresses of
  layers' archives are signed, as on AWS.

It runs in the engine's environment, where batchops is not installed: of batchops it imports the
modules beside it only, by their paths.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import hmac
import importlib.util
import json
import os
import re
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from xml.sax.saxutils import escape

from botocore.credentials import Credentials


def _neighbour(name: str) -> Any:
    """Import a module beside this one, which is a program where batchops is not installed."""
    if __package__:
        return importlib.import_module(f"{__package__}.{name}")
    # By its path, because no other import should search this folder.
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(cast("Any", spec))
    sys.modules[name] = module  # dataclasses look their module up
    cast("Any", spec).loader.exec_module(module)
    return module


if TYPE_CHECKING:
    from batchops.local import signatures
else:
    signatures = _neighbour("signatures")

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

SECRET_HEADER = "x-batchops-secret"  # noqa: S105  (a header's name)
# The headers that decide. Of two, the emulator may read another one than is checked here.
_ONCE = frozenset({"host", "authorization", "origin", SECRET_HEADER})
# Which other addresses are this engine's, such as those of the fault drill's proxies.
HOSTS_PATH = "/_batchops/hosts"

# Where a function reports that a custom resource is done. The token in the path is the permission.
_CAPABILITY = re.compile(r"/_ministack/cfn-response/[0-9a-fA-F-]{20,}")
# Archives of layers and functions; the calls that tell where they are.
_ARCHIVE = re.compile(r"/_ministack/lambda-(layers|code)/[A-Za-z0-9_./:-]+")
_ARCHIVE_IN_JSON = re.compile(_ARCHIVE.pattern.encode())
_TELLS_ADDRESSES = re.compile(r"/20\d\d-\d\d-\d\d/(layers|functions)")
# Paths of the emulator, not of AWS. What follows execute-api is AWS's: it takes a signature.
_OWN_PATH = re.compile(r"/(_(?!aws/execute-api/)|health\b|ready\b)")
# Keys that MiniStack takes for root, whatever they are signed with: `is_root_access_key` there.
_BUILT_IN_ROOT = re.compile(r"test|[0-9]{12}|")
# An uploader's file that a browser opens is shown, and runs nothing.
_GUARDS = (
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", b"sandbox"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
# Services that answer in XML (botocore's service models: the protocol query).
_XML_SERVICES = frozenset({b"iam", b"sts", b"cloudformation", b"sns", b"monitoring"})
# Larger than any call but S3's, whose bodies are not read here: a function's archive (Lambda, 50 MB
# zipped, as base64).
_MAX_BODY_BYTES = 80_000_000


class Gate:
    """The gate before an application.

    Parameters
    ----------
    application
        The emulator.
    host
        The address that the engine is reached at, ``127.0.0.1:4566``.
    access_key_id, secret_access_key
        The engine's own key.
    """

    def __init__(
        self, application: Application, *, host: str, access_key_id: str, secret_access_key: str
    ) -> None:
        self._application = application
        self._host = host
        self._other_hosts: frozenset[str] = frozenset()
        self._key = access_key_id
        self._credentials = Credentials(access_key_id, secret_access_key)
        self._secret = gate_secret(secret_access_key)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
        elif scope["type"] == "http":
            await self._take_request(scope, receive, send)
        else:  # a WebSocket, which no part of the stack uses
            await receive()
            await send({"type": "websocket.close", "code": 1008})

    async def _take_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            request = signatures.Request.of(scope, once=_ONCE)
            self._check_sender(request)
            if request.path == HOSTS_PATH:
                await self._take_hosts(request, receive, send)
                return
            if not self._is_admitted(request):
                receive = await self._check_signature(request, receive)
        except signatures.RefusedError as refused:
            await _refuse(scope, send, refused)
            return
        guarded = _without_sharing(send)
        if _TELLS_ADDRESSES.match(request.path):
            guarded = self._with_signed_addresses(guarded)
        await self._application(scope, receive, guarded)

    def _with_signed_addresses(self, send: Send) -> Send:
        """Return a `send` that signs the addresses of archives, as Lambda on AWS does."""
        start: Message = {}
        parts: list[bytes] = []

        async def signing(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            parts.append(message.get("body", b""))
            if message.get("more_body"):
                return
            body = _ARCHIVE_IN_JSON.sub(self._sign_address, b"".join(parts))
            kept = [h for h in start["headers"] if bytes(h[0]).lower() != b"content-length"]
            length = (b"content-length", str(len(body)).encode())
            await send({**start, "headers": [*kept, length]})
            await send({"type": "http.response.body", "body": body})

        return signing

    def _sign_address(self, found: re.Match[bytes]) -> bytes:
        return found[0] + f"?signed={self._address_signature(found[0].decode())}".encode()

    def _address_signature(self, path: str) -> str:
        return hmac.new(self._secret.encode(), path.encode(), hashlib.sha256).hexdigest()

    def _check_sender(self, request: signatures.Request) -> None:
        """Refuse what is sent to another address, or by a web page."""
        if request.headers.get("host") not in {self._host, *self._other_hosts}:
            raise signatures.RefusedError(
                f"this is the local engine at {self._host}, and no other host"
            )
        if "origin" in request.headers:
            raise signatures.RefusedError("web pages may not use the local engine")
        if request.headers.get("sec-fetch-site", "none") != "none" and not _opens_link(request):
            raise signatures.RefusedError("web pages may not use the local engine")

    def _is_admitted(self, request: signatures.Request) -> bool:
        """Return whether a request to the emulator has the secret; refuse it if it lacks it."""
        if _CAPABILITY.fullmatch(request.path) and request.method == "PUT":
            return True
        if not _OWN_PATH.match(request.path):
            return False
        if _ARCHIVE.fullmatch(request.path) and request.method == "GET":
            signed = dict(request.parameters()).get("signed", "")
            if _are_equal(signed, self._address_signature(request.path)):
                return True
        if not _are_equal(request.headers.get(SECRET_HEADER, ""), self._secret):
            raise signatures.RefusedError("this path takes the engine's secret")
        return True

    async def _take_hosts(self, request: signatures.Request, receive: Receive, send: Send) -> None:
        self._is_admitted(request)
        body, _ = await _read_body(receive)
        self._other_hosts = frozenset(map(str, json.loads(body)))
        await _answer(send, 204, "", content_type=b"text/plain")

    async def _check_signature(self, request: signatures.Request, receive: Receive) -> Receive:
        """Refuse a request that is not signed with a key of this engine."""
        signature = signatures.read_signature(request)
        if signature.key != self._key:
            if _BUILT_IN_ROOT.fullmatch(signature.key):
                raise signatures.RefusedError(
                    f"the engine did not issue the access key {signature.key!r}",
                    code="InvalidClientTokenId",
                )
            return receive  # MiniStack knows the keys of its roles, and checks their signatures
        if "x-amz-security-token" in request.headers:
            raise signatures.RefusedError("the engine's own key has no session token")
        body = b""
        # S3's clients send the hash of the body, or that there is none; all others sign the body.
        if signature.expires_s is None and "x-amz-content-sha256" not in request.headers:
            body, receive = await _read_body(receive)
        expected = signatures.sign(request, signature, body, self._credentials)
        if not _are_equal(signature.signature, expected):
            raise signatures.RefusedError(
                "the signature does not match: the secret access key is not the engine's",
                code="SignatureDoesNotMatch",
            )
        signatures.check_time(signature)
        return receive


def _opens_link(request: signatures.Request) -> bool:
    """Return whether a browser opens a signed link, as from a mail or a notebook."""
    return (
        request.method == "GET"
        and request.headers.get("sec-fetch-mode") == "navigate"
        and request.headers.get("sec-fetch-dest") == "document"
        and any(name == "X-Amz-Signature" for name, _ in request.parameters())
    )


def _are_equal(given: str, secret: str) -> bool:
    """Return whether two texts are the same, in a time that does not tell where they differ."""
    return hmac.compare_digest(given.encode(errors="replace"), secret.encode())


async def _read_body(receive: Receive) -> tuple[bytes, Receive]:
    """Return a request's body, and what gives it to the application once more."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise signatures.RefusedError("the request was broken off")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > _MAX_BODY_BYTES:
            raise signatures.RefusedError(f"the request has more than {_MAX_BODY_BYTES:,} bytes")
        if not message.get("more_body"):
            break
    body, given = b"".join(parts), False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return body, again


def _without_sharing(send: Send) -> Send:
    """Return a `send` whose answers no web page can read, and whose content runs no script."""

    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [
                (name, value)
                for name, value in message.get("headers", [])
                if not bytes(name).lower().startswith(b"access-control-")
            ]
            message = {**message, "headers": [*kept, *_GUARDS]}
        await send(message)

    return guarded


async def _refuse(scope: Scope, send: Send, refused: signatures.RefusedError) -> None:
    """Answer as the service would that a request is signed for, so that its clients understand."""
    given = b" ".join(value for name, value in scope["headers"] if name == b"authorization")
    service = re.search(rb"/([a-z0-9-]+)/aws4_request", given)
    code, text = refused.code, escape(str(refused))
    error = f"<Error><Code>{code}</Code><Message>{text}</Message></Error>"
    if service is None or service[1] == b"s3":
        await _answer(send, 403, error, content_type=b"application/xml")
    elif service[1] in _XML_SERVICES:
        response = f"<ErrorResponse>{error}</ErrorResponse>"
        await _answer(send, 403, response, content_type=b"text/xml")
    else:
        document = json.dumps({"__type": code, "message": str(refused)})
        await _answer(send, 403, document, content_type=b"application/json")


async def _answer(send: Send, status: int, text: str, *, content_type: bytes) -> None:
    headers = [(b"content-type", content_type), *_GUARDS]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})


def gate_secret(secret_access_key: str) -> str:
    """Return what the secret header has to hold: not the key itself, which is never sent."""
    return hashlib.sha256(f"batchops gate {secret_access_key}".encode()).hexdigest()


def main() -> None:
    """Serve MiniStack behind the gate until SIGTERM, then have it write its state."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", required=True, type=int)
    asked = parser.parse_args()

    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from ministack import app as emulator
    from ministack.services import lambda_svc

    _neighbour("turns").take_turns(lambda_svc, os.cpu_count() or 2)
    keeping = _neighbour("keeper")
    keeper = keeping.Keeper(keeping.ministack_services(), Path(os.environ["STATE_DIR"]))
    emulator.save_all = keeper.save_last
    config = Config()
    config.bind = [f"{asked.host}:{asked.port}"]
    config.keep_alive_timeout = 75
    config.loglevel = os.environ.get("LOG_LEVEL", "INFO")
    gate = Gate(
        keeping.keep(emulator.app, keeper),
        host=f"{asked.host}:{asked.port}",
        access_key_id=os.environ["AWS_ACCESS_KEY_ID"],
        secret_access_key=os.environ["AWS_SECRET_ACCESS_KEY"],
    )
    import resource  # not on Windows, where the client imports this module for its names

    # Each connection and each function takes descriptors: as many as this user may have.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(serve(gate, config))


if __name__ == "__main__":
    main()
