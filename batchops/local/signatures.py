"""What a request to the local engine says of its signature, and what the signature has to be.

AWS Signature Version 4, in a header or in a link. It runs in the engine's environment, where
batchops is not installed: it imports nothing of it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, MutableMapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from urllib.parse import parse_qsl

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 +Credential=(\w+)/(\d{8})/([^/,\s]+)/([^/,\s]+)/aws4_request, *"
    r"SignedHeaders=([^,\s]+), *Signature=([0-9a-f]{64})",
    re.ASCII,  # twelve digits of any script are an account number to MiniStack, and root
)
_CREDENTIAL = re.compile(r"(\w+)/(\d{8})/([^/]+)/([^/]+)/aws4_request", re.ASCII)
_QUERY_CREDENTIALS = frozenset(
    {"x-amz-algorithm", "x-amz-credential", "x-amz-signature", "awsaccesskeyid"}
)
_QUERY_SIGNATURE = _QUERY_CREDENTIALS | {
    "x-amz-date",
    "x-amz-expires",
    "x-amz-signedheaders",
    "x-amz-security-token",
}
# Clocks may differ by so much (AWS Signature Version 4).
_CLOCK_SKEW = timedelta(minutes=15)


class RefusedError(Exception):
    """A request that is not let in: why, and AWS's code for it."""

    def __init__(self, reason: str, *, code: str = "AccessDenied") -> None:
        super().__init__(f"refused by batchops: {reason}")
        self.code = code


@dataclass
class Request:
    """The parts of a request that decide."""

    method: str
    path: str
    raw_path: str
    query: str
    headers: dict[str, str] = field(repr=False)

    @classmethod
    def of(cls, scope: MutableMapping[str, Any], *, once: Collection[str]) -> Request:
        """Read an ASGI scope; refuse it if one of the headers in `once` stands there twice."""
        headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            key = name.decode("latin-1").lower()
            if key in headers and key in once:
                raise RefusedError(f"two {key} headers")
            text = value.decode("latin-1")
            headers[key] = f"{headers[key]},{text}" if key in headers else text
        return cls(
            method=scope["method"],
            path=scope["path"],
            raw_path=(scope.get("raw_path") or scope["path"].encode()).decode("latin-1"),
            query=scope.get("query_string", b"").decode("latin-1"),
            headers=headers,
        )

    def parameters(self) -> list[tuple[str, str]]:
        """Return names and values of the query, in its order."""
        return parse_qsl(self.query, keep_blank_values=True)


@dataclass(frozen=True)
class Signature:
    """What a request says of its signature."""

    key: str
    time: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str
    expires_s: int | None = None  # of a link


def read_signature(request: Request) -> Signature:
    """Return what a request says of its signature; one that says none, or two, is refused."""
    names = [name.lower() for name, _ in request.parameters()]
    # The emulator takes the first of two, and would take another key than is checked here.
    if any(names.count(name) > 1 for name in _QUERY_SIGNATURE):
        raise RefusedError("a link names each part of its signature once")
    given = dict(request.parameters())
    in_query = any(name.lower() in _QUERY_CREDENTIALS for name in given)
    authorization = request.headers.get("authorization")
    if (authorization is None) == (not in_query):
        raise RefusedError("a request takes one signature, of an access key of this engine")
    if authorization is not None:
        found = _AUTHORIZATION.fullmatch(authorization)
        if found is None:
            raise RefusedError("the signature has to be of AWS Signature Version 4")
        key, date, region, service, covered, signature = found.groups()
        time = request.headers.get("x-amz-date", "")
        expires_s = None
    else:
        credential = _CREDENTIAL.fullmatch(given.get("X-Amz-Credential", ""))
        expires = given.get("X-Amz-Expires", "")
        if credential is None or credential[4] != "s3" or not re.fullmatch("[0-9]{1,6}", expires):
            raise RefusedError("a link has to be signed for S3 with AWS Signature Version 4")
        key, date, region, service = credential.groups()
        covered, signature = given.get("X-Amz-SignedHeaders", ""), given.get("X-Amz-Signature", "")
        time, expires_s = given.get("X-Amz-Date", ""), int(expires)
    signed_headers = tuple(covered.split(";"))
    if "host" not in signed_headers or not time.startswith(date):
        raise RefusedError("the signature has to cover the host and the date")
    return Signature(key, time, region, service, signed_headers, signature, expires_s)


def check_time(signature: Signature) -> None:
    """Refuse a signature of another time, and a link that has expired."""
    try:
        signed = datetime.strptime(signature.time, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise RefusedError("the signature has no date") from None
    lasts = _CLOCK_SKEW if signature.expires_s is None else timedelta(seconds=signature.expires_s)
    if not signed - _CLOCK_SKEW <= datetime.now(UTC) <= signed + lasts:
        raise RefusedError("the link has expired" if signature.expires_s else "the clock is wrong")


def sign(request: Request, signature: Signature, body: bytes, credentials: Credentials) -> str:
    """Return the signature that the request has to have."""
    made = AWSRequest(
        method=request.method,
        url=f"http://{request.headers['host']}{request.raw_path}",
        headers={name: request.headers.get(name, "") for name in signature.signed_headers},
        params=cast("Any", [p for p in request.parameters() if p[0] != "X-Amz-Signature"]),
        data=body,
    )
    made.context["timestamp"] = signature.time
    hashed = request.headers.get("x-amz-content-sha256")
    if signature.expires_s is not None:
        hashed = "UNSIGNED-PAYLOAD"
    signer = _SignsS3 if signature.service == "s3" else _Signs
    auth = signer(credentials, signature, hashed)
    return str(auth.signature(auth.string_to_sign(made, auth.canonical_request(made)), made))


class _Signs(SigV4Auth):
    """Signs just the headers that a request says are signed, and the hash that it gives."""

    def __init__(
        self, credentials: Credentials, signature: Signature, payload_hash: str | None
    ) -> None:
        super().__init__(credentials, signature.service, signature.region)
        self._names = signature.signed_headers
        self._hash = payload_hash

    def headers_to_sign(self, request: Any) -> Any:
        found = HTTPHeaders()
        for name in self._names:
            found[name] = request.headers.get(name, "")
        return found

    def payload(self, request: Any) -> str:
        return self._hash if self._hash is not None else str(super().payload(request))


class _SignsS3(_Signs):
    """S3 signs the path as it was sent."""

    def _normalize_url_path(self, path: str) -> str:
        return path
