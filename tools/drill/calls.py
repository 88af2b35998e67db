"""Read from an HTTP request which call of AWS a function makes, and word the answers of AWS."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from batchcore.workflow import CHUNK_FUNCTIONS

_SCOPE = re.compile(r"Credential=[^/]+/\d{8}/[^/]+/([^/]+)/aws4_request")
_CHUNK_KEY = re.compile(r"/jobs/[^/]+/[a-z]+/(\d{6})\b")
_CHUNK_ENTRY = re.compile(rb'"CHUNK#(\d{6})"')
_CHUNK_ATTRIBUTE = re.compile(rb'"chunk":\s*\{"N":\s*"(\d+)"\}')
_TEXT = re.compile(rb'"([^"]+)"')
_API_PATH = "/_aws/execute-api/"
_S3_READS = {"GET": "GetObject", "HEAD": "HeadObject"}
_DYNAMODB_WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem"})


@dataclass(frozen=True)
class Call:
    """One call of a service.

    Attributes
    ----------
    function : str
        The caller, by its folder in ``source/``.
    service : str
        Its name in signatures: ``s3``, ``dynamodb``, ``states``, ``ses``, ``execute-api``.
    operation : str
        Its name, such as ``PutObject``; the HTTP method for the API of the stack.
    chunk : int or None
        The chunk that the call is for; None for functions that work on the whole job.
    """

    function: str
    service: str
    operation: str
    chunk: int | None = None

    @property
    def writes(self) -> bool:
        """Whether the call changes anything."""
        if self.service == "s3":
            return self.operation not in _S3_READS.values()
        if self.service == "dynamodb":
            return self.operation in _DYNAMODB_WRITES
        return self.service == "ses" or self.operation == "StartExecution"


def read_call(
    function: str,
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    chunk_of_key: Mapping[bytes, int],
) -> Call:
    """Return the call that a request makes.

    Parameters
    ----------
    target
        Path and query.
    headers
        The headers, their names in lower case.
    chunk_of_key
        The chunk of each row's key: a look-up names nothing but keys.
    """
    scope = _SCOPE.search(headers.get("authorization", ""))
    service = scope[1] if scope else ""
    url = urlsplit(target)
    if url.path.startswith(_API_PATH):
        service, operation = "execute-api", method
    elif "x-amz-target" in headers:
        operation = headers["x-amz-target"].rsplit(".", 1)[-1]
    elif service == "s3":
        operation = _s3_operation(method, parse_qs(url.query, keep_blank_values=True), headers)
    else:
        operation = "SendEmail" if url.path.endswith("/outbound-emails") else method
    chunk = _chunk(url.path, body, chunk_of_key) if function in CHUNK_FUNCTIONS else None
    return Call(function, service, operation, chunk)


def _s3_operation(method: str, query: Mapping[str, list[str]], headers: Mapping[str, str]) -> str:
    if method in _S3_READS:
        return _S3_READS[method]
    if method == "PUT":
        return "CopyObject" if "x-amz-copy-source" in headers else "PutObject"
    if method == "DELETE":
        return "DeleteObject"
    return "CreateMultipartUpload" if "uploads" in query else "CompleteMultipartUpload"


def _chunk(path: str, body: bytes, chunk_of_key: Mapping[bytes, int]) -> int | None:
    in_path = _CHUNK_KEY.search(path)
    if in_path:
        return int(in_path[1])
    in_body = _CHUNK_ENTRY.search(body) or _CHUNK_ATTRIBUTE.search(body)
    if in_body:
        return int(in_body[1])
    texts = (found[1] for found in _TEXT.finditer(body))
    return next((chunk_of_key[text] for text in texts if text in chunk_of_key), None)


def error_body(service: str, code: str) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body of an error in the words of a service.

    Shapes: AWS service models in botocore 1.43 (2026): REST-XML for S3, JSON 1.0 and 1.1 for
    DynamoDB and Step Functions, REST-JSON for SES; API Gateway's default gateway response.
    """
    message = "injected by the fault drill"
    if service == "s3":
        xml = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
        return {"Content-Type": "application/xml"}, xml.encode()
    if service == "execute-api":
        return {"Content-Type": "application/json"}, json.dumps({"message": message}).encode()
    name = "AccessDeniedException" if code == "AccessDenied" else code
    headers = {"Content-Type": "application/x-amz-json-1.0", "x-amzn-ErrorType": name}
    return headers, json.dumps({"__type": name, "message": message}).encode()


def unprocessed_body(operation: str, body: bytes) -> bytes:
    """Return the answer to a batch that leaves everything unprocessed."""
    asked = json.loads(body)["RequestItems"]
    if operation == "BatchWriteItem":
        return json.dumps({"UnprocessedItems": asked}).encode()
    nothing: dict[str, list[object]] = {name: [] for name in asked}
    return json.dumps({"Responses": nothing, "UnprocessedKeys": asked}).encode()
