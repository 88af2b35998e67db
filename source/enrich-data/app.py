"""Chunk workflow, Get Financial Data: look up every record's key through the API."""

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import orjson
import urllib3
from batchcore import aws, keys
from batchcore.chunk_rows import ChunkRows, load_rows
from batchcore.errors import TransientError
from batchcore.records import reject_unknown
from batchcore.reference import CALLS_IN_FLIGHT, KEYS_PER_CALL, calls_in_flight, is_storable
from batchcore.runtime import Event, Result, chunk_step
from batchcore.schema import RecordSchema
from batchcore.workflow import ENRICH, VALIDATE
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

# Retry throttling and transient faults of API Gateway. A look-up changes nothing, so the POST can
# be repeated.
RETRIES = urllib3.Retry(
    total=4,
    backoff_factor=0.2,
    status_forcelist=(429, 500, 502, 503, 504),
    allowed_methods=None,
    raise_on_status=False,
)

Values = dict[str, dict[str, str]]


class LookupRefusedError(Exception):
    """The API refused the call: it is not allowed, or malformed."""


s3 = boto3.client("s3", config=aws.CONFIG)
http = urllib3.PoolManager(
    maxsize=CALLS_IN_FLIGHT, retries=RETRIES, timeout=urllib3.Timeout(connect=5, read=35)
)
session = boto3.Session()
schema = RecordSchema.load()


@chunk_step
def lambda_handler(event: Event, context: object) -> Result:
    """Add the reference data's values to each row, and reject rows with an unknown key."""
    schema.require_columns(event["chunk"])
    stored = aws.read_version(s3, event["bucket"], event[VALIDATE.name])
    rows = load_rows(stored, after=VALIDATE.name)
    enriched = enrich(rows, look_up(sorted(set(rows.keys or ()))))
    key = keys.enriched(event["jobId"], event["chunk"]["number"])
    stored_at = aws.put_version(s3, event["bucket"], key, enriched.dump(after=ENRICH.name))
    return {**stored_at, "rejected": len(enriched.rejected) - len(rows.rejected)}


def enrich(rows: ChunkRows, found: Values) -> ChunkRows:
    """Return the rows with the reference data's values; one whose key is unknown is rejected."""
    columns = schema.enrichment
    listed = {key: [values.get(name, "") for name in columns] for key, values in found.items()}
    good = reject_unknown(rows, listed, schema)
    values = [listed[key] for key in good.keys or ()]
    return ChunkRows(good.rows, good.raw, good.rejected, values=values)


def look_up(wanted: list[str]) -> Values:
    """Return the values of those keys that are in the reference data."""
    found: Values = {}
    askable = list(filter(is_storable, wanted))
    calls = list(aws.batches(askable, KEYS_PER_CALL))
    with ThreadPoolExecutor(calls_in_flight(len(calls))) as pool:
        for answer in pool.map(_call, calls):
            found.update(answer)
    return found


def _call(batch: Iterable[str]) -> Values:
    """Make one signed call of POST /financials."""
    url = api_url() + "/financials"
    request = AWSRequest(
        method="POST",
        url=url,
        data=orjson.dumps({"uuids": list(batch)}),
        headers={"Content-Type": "application/json"},
    )
    credentials = session.get_credentials()
    if credentials is None:
        raise LookupRefusedError("the function has no credentials to sign its calls with")
    SigV4Auth(credentials, "execute-api", os.environ["AWS_REGION"]).add_auth(request)
    try:
        answer = http.request("POST", url, body=request.body, headers=dict(request.headers))
    except urllib3.exceptions.HTTPError as error:
        raise TransientError(f"POST /financials: {error}") from error
    if answer.status in RETRIES.status_forcelist:
        raise TransientError(f"POST /financials answered {answer.status}")
    if answer.status != 200:
        raise LookupRefusedError(f"POST /financials answered {answer.status}")
    items: list[dict[str, Any]] = orjson.loads(answer.data)["items"]
    return {item["uuid"]: item["values"] for item in items}


def api_url() -> str:
    """Return the API's base URL, on the SDK's endpoint if one is set."""
    api, stage = os.environ["API_ID"], os.environ["API_STAGE"]
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    if endpoint:
        return f"{endpoint}/_aws/execute-api/{api}/{stage}"
    return (
        f"https://{api}.execute-api.{os.environ['AWS_REGION']}.{os.environ['URL_SUFFIX']}/{stage}"
    )
