"""Answer the API's look-ups in the reference data, one key or many at a time."""

import base64
import os
from typing import Any

import boto3
import orjson
from batchcore import aws
from batchcore.dynamojson import read_as_sent
from batchcore.reference import KEYS_PER_CALL, api_item, is_storable, table_key
from batchcore.runtime import Event, Result, entry_point
from batchcore.schema import RecordSchema

dynamodb = read_as_sent(boto3.client("dynamodb", config=aws.CONFIG))
schema = RecordSchema.load()


class BadRequestError(Exception):
    """The request is malformed."""


@entry_point
def lambda_handler(event: Event, context: object) -> Result:
    """Answer ``GET /financials/{uuid}`` and ``POST /financials``."""
    try:
        if event["httpMethod"] == "GET":
            return _get_one(event["pathParameters"]["uuid"])
        return _get_many(parse_keys(event))
    except BadRequestError as error:
        return _answer(400, {"message": str(error)})


def parse_keys(event: Event) -> list[str]:
    """Return the distinct keys of a POST's body.

    Raises
    ------
    BadRequestError
        If the body is not ``{"uuids": [...]}`` with 1 to 500 strings.
    """
    body = event.get("body") or ""
    raw = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadRequestError(f"the body is not JSON: {error}") from error
    wanted = document.get("uuids") if isinstance(document, dict) else None
    if not isinstance(wanted, list) or not 1 <= len(wanted) <= KEYS_PER_CALL:
        raise BadRequestError(
            f'the body must be {{"uuids": [...]}} with 1 to {KEYS_PER_CALL} of them'
        )
    if not all(isinstance(key, str) for key in wanted):
        raise BadRequestError("each of the uuids must be a string")
    return list(dict.fromkeys(wanted))


def _get_one(key: str) -> Result:
    if not _is_key(key):
        raise BadRequestError("the uuid is malformed")
    found = _read([key])
    if not found:
        return _answer(404, {"message": "no such uuid"})
    return _answer(200, found[0])


def _get_many(wanted: list[str]) -> Result:
    # A malformed key cannot be in the table, and looking it up could fail.
    found = _read([key for key in wanted if _is_key(key)])
    known = {item["uuid"] for item in found}
    return _answer(200, {"items": found, "missing": [key for key in wanted if key not in known]})


def _is_key(key: str) -> bool:
    return is_storable(key) and schema.is_key(key)


def _read(wanted: list[str]) -> list[dict[str, Any]]:
    found = aws.batch_get(
        dynamodb, os.environ["FINANCIAL_TABLE"], [table_key(key) for key in wanted]
    )
    return [api_item(item) for item in found]


def _answer(status: int, body: dict[str, Any]) -> Result:
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json"},
        "body": orjson.dumps(body).decode(),
    }
