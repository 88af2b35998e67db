"""What the functions' unit tests share: the stack as the template says it, in a mock of AWS."""

from __future__ import annotations

import json
import pickle
import threading
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
import moto.core.models
import moto.s3.models
from batchcore import error_ranges, items, keys

# Imported here, so that its logger writes to the stream that pytest captures for the whole run.
from batchcore import runtime as _runtime  # noqa: F401
from batchcore.chunk_rows import ChunkRows, Record
from batchcore.schema import RecordSchema
from batchcore.workflow import ENRICH

# Before any client is made: what moto answers for are the clients made after its import.
from moto import mock_aws
from moto.backends import get_backend
from moto.core.base_backend import BackendDict

from batchops.core.stack_ref import StackRef
from batchops.core.target import Target
from batchops.deployment.template import load_template

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from batchops.core.target import Endpoint

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "source"
TEMPLATE = load_template(ROOT / "template.yaml")

# moto also answers for the library requests, which nothing here calls: noting down its 1,600
# addresses anew for each test takes as long as a test. And it reads the addresses of S3 anew for
# each call, since variables of the environment may change them.
moto.core.models.RESPONSES_METHODS = []
moto.s3.models.reload = lambda module: module

T = TypeVar("T")

# What the fixture `load_app` gives: a function's folder makes its module.
LoadApp = Callable[[str], ModuleType]

REGION = "us-east-1"
ACCOUNT_ID = "123456789012"
STACK = "batchops-test"
BUCKET = "batchops-example-bucket"
API_ID = "a1b2c3d4e5"
MACHINE_NAME = f"{STACK}-main-orchestrator"
MACHINE_ARN = f"arn:aws:states:{REGION}:{ACCOUNT_ID}:stateMachine:{MACHINE_NAME}"
TOPIC_ARN = f"arn:aws:sns:{REGION}:{ACCOUNT_ID}:{STACK}-SNSTopic"
SENDER = "sender@example.com"
RECIPIENT = "recipient@example.com"
START_TIME = "2026-11-23T06:00:00.000Z"

SCHEMA = RecordSchema.load(SOURCE / "schema" / "record.schema.json")
PARAMETERS = {"chunkRows": 600, "delimiter": ",", "archiveFolder": "input_archive"}

# One client session for all tests: reading the service models is what takes the time. Its
# credentials are none, and moto lets no call out.
SESSION = boto3.Session(
    aws_access_key_id="testing",
    aws_secret_access_key="testing",
    aws_session_token="testing",
    region_name=REGION,
)

_REFERENCES = {
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT_ID,
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::Partition": "aws",
    "AWS::StackName": STACK,
    "Api": API_ID,
    "Api.Stage": TEMPLATE["Resources"]["Api"]["Properties"]["StageName"],
    "BlogBatchMainOrchestrator": MACHINE_ARN,
    "SourceBucket": BUCKET,
    "SESSender": SENDER,
    "SESRecipient": RECIPIENT,
    "SNSTopic": TOPIC_ARN,
}


def resource(logical_id: str) -> dict[str, Any]:
    """Return a resource of the template."""
    found: dict[str, Any] = TEMPLATE["Resources"][logical_id]
    return found


def resources(kind: str) -> dict[str, dict[str, Any]]:
    """Return the template's resources of one type by their logical id."""
    return {name: r for name, r in TEMPLATE["Resources"].items() if r["Type"] == kind}


def physical_name(logical_id: str) -> str:
    """Return what ``Ref`` gives for a resource or a parameter."""
    if logical_id in _REFERENCES:
        return _REFERENCES[logical_id]
    parameter = TEMPLATE["Parameters"].get(logical_id)
    return str(parameter["Default"]) if parameter else f"{STACK}-{logical_id}"


JOB_TABLE = physical_name("JobTable")
ERROR_TABLE = physical_name("ErrorRangesTable")
EARLIER_ERROR_TABLE = physical_name("ErrorTable")
# What a stack's outputs say of its tables of errors.
ERROR_TABLES = {"ErrorRangesTableName": ERROR_TABLE, "ErrorTableName": EARLIER_ERROR_TABLE}
FINANCIAL_TABLE = physical_name("FinancialTable")


def function_of(folder: str) -> dict[str, Any]:
    """Return the properties of the function whose code is in ``source/<folder>``."""
    functions = resources("AWS::Serverless::Function").values()
    (found,) = [f["Properties"] for f in functions if f["Properties"]["CodeUri"].endswith(folder)]
    return found


def environment(folder: str) -> dict[str, str]:
    """Return the environment variables that the template gives to a function."""
    shared = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    own = function_of(folder).get("Environment", {}).get("Variables", {})
    values = {**shared, **own}
    return {
        name: physical_name(value["Ref"]) if isinstance(value, dict) else str(value)
        for name, value in values.items()
    }


def layers(folder: str) -> list[Path]:
    """Return the folders of the layers that the template gives to a function."""
    listed = [*TEMPLATE["Globals"]["Function"]["Layers"], *function_of(folder).get("Layers", [])]
    return [ROOT / resource(layer["Ref"])["Properties"]["ContentUri"] for layer in listed]


def context(remaining_ms: int = 300_000) -> Any:
    """Return what Lambda gives to a handler beside the event."""
    return SimpleNamespace(
        aws_request_id="8a1b2c3d", get_remaining_time_in_millis=lambda: remaining_ms
    )


class _NoEngine:
    """A local engine that does not run, and need not: the clients are given."""

    silent = ""

    def find(self) -> None:
        return None

    def start(self) -> Endpoint:
        raise NotImplementedError

    def moved(self, _: Endpoint) -> bool:
        return False


class GivenClients(Target):
    """A target whose clients a test gives."""

    def __init__(self, clients: Mapping[str, Any], *, local: bool = False) -> None:
        if local:
            super().__init__("local", engine=_NoEngine())
        else:
            super().__init__("aws", region=REGION, session=SESSION)
        self._given = clients

    @property
    def caller(self) -> str:
        return "ada"

    def client(self, service: str) -> Any:
        return self._given[service]

    def new_client(self, service: str, *_: Any) -> Any:
        return self._given[service]


def stack_ref(
    name: str = STACK, *, outputs: Mapping[str, str], local: bool = False, **clients: Any
) -> StackRef:
    """Return a stack with given outputs, and clients by the name of their service."""
    return StackRef(name, GivenClients(clients, local=local), outputs=outputs)


@dataclass
class Account:
    """A mocked AWS account that holds the stack's bucket, tables and main workflow."""

    s3: Any
    dynamodb: Any
    states: Any

    def put(self, key: str, body: bytes) -> str:
        """Store an object and return its version."""
        version: str = self.s3.put_object(Bucket=BUCKET, Key=key, Body=body)["VersionId"]
        return version

    def get(self, key: str) -> bytes:
        """Return an object's content."""
        body: bytes = self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return body

    def stored(self, event: dict[str, Any]) -> dict[str, Any]:
        """Return a chunk's event with the versions of its chunk and of what its steps stored."""
        names = ("chunk", "read", "validate", "enrich")
        steps = {name: event[name] for name in names if name in event}
        present = set(self.keys("jobs/"))
        heads = {
            name: self.s3.head_object(Bucket=BUCKET, Key=step["key"])
            for name, step in steps.items()
            if step["key"] in present
        }
        return event | {n: {**steps[n], "versionId": h["VersionId"]} for n, h in heads.items()}

    def lines(self, key: str) -> list[Any]:
        """Return the JSON lines of an object."""
        return [json.loads(line) for line in self.get(key).splitlines()]

    def rows(self, key: str) -> list[Record]:
        """Return the rows that a step stored as records, in order."""
        stored = json.loads(self.get(key))
        good = [
            {"row": row, "raw": raw} for row, raw in zip(stored["rows"], stored["raw"], strict=True)
        ]
        for place, record in enumerate(good):
            for name, one in (("keys", "key"), ("values", "values")):
                if name in stored:
                    record[one] = stored[name][place]
            if "fields" in stored:
                record["fields"] = {c: found[place] for c, found in stored["fields"].items()}
        return sorted([*good, *stored["rejected"]], key=lambda record: record["row"])

    def keys(self, prefix: str = "") -> list[str]:
        """Return the keys under a prefix, in order."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [found["Key"] for page in pages for found in page.get("Contents", [])]

    def tags(self, key: str) -> dict[str, str]:
        """Return an object's tags."""
        tags = self.s3.get_object_tagging(Bucket=BUCKET, Key=key)["TagSet"]
        return {tag["Key"]: tag["Value"] for tag in tags}

    def put_entry(self, job: str, entry: str, **values: Any) -> None:
        """Set attributes of a ledger entry, whoever wrote it last."""
        attributes = list(items.attributes(values).items())
        self.dynamodb.update_item(
            TableName=JOB_TABLE,
            Key={"jobId": {"S": job}, "entry": {"S": entry}},
            UpdateExpression="SET " + ", ".join(f"#{n} = :{n}" for n in range(len(attributes))),
            ExpressionAttributeNames={f"#{n}": name for n, (name, _) in enumerate(attributes)},
            ExpressionAttributeValues={f":{n}": value for n, (_, value) in enumerate(attributes)},
        )

    def entry(self, job: str, entry: str = items.JOB_ENTRY) -> dict[str, Any]:
        """Return a ledger entry as plain values; empty if there is none."""
        key = {"jobId": {"S": job}, "entry": {"S": entry}}
        return items.plain(self.dynamodb.get_item(TableName=JOB_TABLE, Key=key).get("Item", {}))

    def put_reference(self, rows: Mapping[str, Mapping[str, str]]) -> None:
        """Store reference data, by key."""
        for key, values in rows.items():
            attributes = {name: {"S": value} for name, value in values.items()}
            item = {"uuid": {"S": key}, "values": {"M": attributes}}
            self.dynamodb.put_item(TableName=FINANCIAL_TABLE, Item=item)

    def put_error(self, job: str, error: str, **values: Any) -> None:
        """Store an error and list its range, as an earlier attempt would have."""
        listed = items.range_of_error(error)
        place = {"jobRange": items.error_partition(job, listed), "errorId": error}
        rows = [items.row_of_error(error)]
        (request,) = error_ranges.list_requests(job, rows, ttl=2_000_000_000)
        for item in (request["PutRequest"]["Item"], items.attributes({**values, **place})):
            self.dynamodb.put_item(TableName=ERROR_TABLE, Item=item)

    def put_earlier_error(self, job: str, error: str, **values: Any) -> None:
        """Store an error as a stack before ledger format 3 would have."""
        item = items.attributes({"jobId": job, "errorId": error, **values})
        self.dynamodb.put_item(TableName=EARLIER_ERROR_TABLE, Item=item)

    def scan(self, table: str) -> list[dict[str, Any]]:
        """Return all items of a table, in no order."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=table)
        return [item for page in pages for item in page["Items"]]

    def errors(self) -> dict[str, dict[str, Any]]:
        """Return ErrorRangesTable's errors by job and error id."""
        found = map(items.plain, self.scan(ERROR_TABLE))
        jobs = ((item["jobRange"].partition("#"), item) for item in found)
        return {
            f"{job}/{item['errorId']}": item for (job, _, part), item in jobs if part != "ranges"
        }

    def executions(self) -> list[dict[str, Any]]:
        """Return the main workflow's executions."""
        found: list[dict[str, Any]] = self.states.list_executions(stateMachineArn=MACHINE_ARN)[
            "executions"
        ]
        return found


@cache
def _clients() -> tuple[Any, ...]:
    return tuple(SESSION.client(name) for name in ("s3", "dynamodb", "stepfunctions"))


def _make_account() -> None:
    """Make the bucket, the tables and the workflow as the template describes them."""
    s3, dynamodb, states = _clients()
    s3.create_bucket(Bucket=BUCKET)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    wanted = ("AttributeDefinitions", "KeySchema", "BillingMode", "GlobalSecondaryIndexes")
    for logical_id, table in resources("AWS::DynamoDB::Table").items():
        properties = {k: v for k, v in table["Properties"].items() if k in wanted}
        dynamodb.create_table(TableName=physical_name(logical_id), **properties)
    states.create_state_machine(
        name=MACHINE_NAME,
        definition=json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}),
        roleArn=f"arn:aws:iam::{ACCOUNT_ID}:role/main",
    )


# By its key: the parts of moto that held something; as bytes, what they held and what was returned.
_MADE: dict[str, tuple[list[BackendDict], bytes]] = {}


def made_once(key: str, make: Callable[[], T]) -> T:
    """Bring the mocked account into the state that a function brings it into, which takes long.

    The function is called once a process, and finds what is in the account then. Later calls with
    its key take what moto held after that, and what the function returned, from bytes: no test can
    change what another gets. Nothing else that was in the account before is in it afterwards.
    """
    if key not in _MADE:
        value = make()
        parts = list(BackendDict._instances)
        _MADE[key] = (parts, pickle.dumps(([dict(part) for part in parts], value)))
    BackendDict.reset()
    parts, held = _MADE[key]
    contents, result = pickle.loads(held)
    for part, accounts in zip(parts, contents, strict=True):
        part.update(accounts)
        BackendDict._instances.append(part)
    get_backend("s3").bucket_accounts[BUCKET] = ("aws", ACCOUNT_ID)
    return result


@contextmanager
def mocked_account(config: Mapping[str, Any] | None = None) -> Iterator[Account]:
    """Give a new mocked account, and no other; see moto for its config."""
    with mock_aws(config=config):
        # Which part of moto keeps workflows depends on the config.
        made_once(f"account {json.dumps(config or {})}", _make_account)
        yield Account(*_clients())


# --------------------------------------------------------------------------------- data

ORDER = {
    "uuid": "271828183",
    "Country": "Ghana",
    "Item Type": "Snacks",
    "Sales Channel": "Online",
    "Order Priority": "H",
    "Order Date": "1/9/10",
    "Region": "Sub-Saharan Africa",
    "Ship Date": "1/19/10",
}
HEADER = b"uuid,Country,Item Type,Sales Channel,Order Priority,Order Date,Region,Ship Date\n"


def row(key: str = "271828183", **changed: str) -> bytes:
    """Return a valid row of the sales schema, with what is changed in it, by column."""
    return ",".join({**ORDER, "uuid": key, **changed}.values()).encode() + b"\n"


def make_schema(columns: dict[str, Any] | None = None, **changed: Any) -> RecordSchema:
    """Return a schema with a key ``id``, these columns, and what is changed at its top level."""
    document = {
        "type": "object",
        "required": ["id"],
        "properties": {"id": {"type": "string"}, **(columns or {})},
        "x-key": "id",
        "x-enrichment": ["Price"],
    }
    return RecordSchema({**document, **changed})


def values_of(key: str) -> dict[str, str]:
    """Return what the reference data has for a key in these tests."""
    return {column: f"{key[-2:]}.{n}" for n, column in enumerate(SCHEMA.enrichment)}


def chunk_rows(records: Iterable[Record]) -> ChunkRows:
    """Return records, good ones with ``fields``, ``key`` or ``values``, as a chunk's rows."""
    listed = list(records)
    good = [record for record in listed if "errors" not in record]

    def of_good(name: str) -> list[Any] | None:
        return [record[name] for record in good] if name in (good or [{}])[0] else None

    columns: dict[str, list[str]] = {}
    for record in good:
        for column, value in record.get("fields", {}).items():
            columns.setdefault(column, []).append(value)
    return ChunkRows(
        rows=[record["row"] for record in good],
        raw=[record["raw"] for record in good],
        rejected=[record for record in listed if "errors" in record],
        fields=columns,
        keys=of_good("key"),
        values=of_good("values"),
    )


def dump_rows(records: Iterable[Record], *, after: str = ENRICH.name) -> bytes:
    """Return records as a step stores them, by default the one before the last."""
    return chunk_rows(records).dump(after=after)


def job_event(job: str, **changed: Any) -> dict[str, Any]:
    """Return the state of the main workflow as its functions receive it."""
    event = {
        "jobId": job,
        "attempt": 1,
        "bucket": BUCKET,
        "key": "input/orders.csv",
        "versionId": "v1",
        "sizeBytes": 1,
        "parameters": PARAMETERS,
    }
    return {**event, **changed}


def manifest_entry(job: str, number: int, first_row: int, last_row: int, rows: int) -> Any:
    """Return what the manifest says of a chunk."""
    return {
        "number": number,
        "entry": items.chunk_entry(number),
        "key": keys.chunk(job, number),
        "firstRow": first_row,
        "lastRow": last_row,
        "rows": rows,
        "sizeBytes": 0,
    }


def chunk_event(
    job: str,
    *,
    number: int = 1,
    first_row: int = 2,
    rows: int = 1,
    last_row: int | None = None,
    attempt: int = 1,
    delimiter: str = ",",
) -> dict[str, Any]:
    """Return the state of the chunk workflow as its functions receive it, all steps done."""
    last = first_row + rows - 1 if last_row is None else last_row
    return {
        "jobId": job,
        "attempt": attempt,
        "bucket": BUCKET,
        "parameters": {**PARAMETERS, "delimiter": delimiter},
        "chunk": manifest_entry(job, number, first_row, last, rows),
        "executionArn": f"arn:aws:states:{REGION}:{ACCOUNT_ID}:execution:{STACK}-process-chunk:"
        f"{job}-{number}-a{attempt}",
        "startTime": START_TIME,
        "read": {"key": keys.records(job, number), "ms": 11},
        "validate": {"key": keys.valid(job, number), "ms": 12},
        "enrich": {"key": keys.enriched(job, number), "ms": 13},
    }


# ------------------------------------------------------------------------------ servers


@dataclass
class Received:
    """One request that a server got."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Answer = tuple[int, bytes]


@dataclass
class Server:
    """A small HTTP server on the loopback address that notes down what it gets."""

    answer: Callable[[Received], Answer]
    received: list[Received] = field(default_factory=list)

    def __enter__(self) -> Server:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                request = Received(
                    self.command, self.path, dict(self.headers), self.rfile.read(length)
                )
                owner.received.append(request)
                status, body = owner.answer(request)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_PUT = do_POST = handle_any  # noqa: N815

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """The server's address."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"


def financials(reference: Mapping[str, Mapping[str, str]]) -> Callable[[Received], Answer]:
    """Return how the API answers POST /financials for such reference data."""

    def answer(request: Received) -> Answer:
        wanted = json.loads(request.body)["uuids"]
        found = [{"uuid": key, "values": reference[key]} for key in wanted if key in reference]
        missing = [key for key in wanted if key not in reference]
        return 200, json.dumps({"items": found, "missing": missing}).encode()

    return answer


def always(status: int) -> Callable[[Received], Answer]:
    """Return an answer that is a bare status."""
    return lambda _request: (status, b"{}")


def first(
    statuses: Iterable[int], then: Callable[[Received], Answer]
) -> Callable[[Received], Answer]:
    """Return an answer that gives some bare statuses first."""
    left = list(statuses)

    def answer(request: Received) -> Answer:
        return (left.pop(0), b"{}") if left else then(request)

    return answer


def hand_over(picker: Any, name: str, content: bytes, *, pieces: int = 1) -> None:
    """Do what the browser does with a file that somebody picks."""
    about = {"turn": name, "name": name, "size": len(content)}
    picker._take(picker, {"kind": "begin", **about}, [])
    step = max(-(-len(content) // pieces), 1)
    for at in range(0, max(len(content), 1), step):
        piece = content[at : at + step]
        message = {"kind": "piece", "turn": name, "last": at + step >= len(content)}
        picker._take(picker, message, [memoryview(piece)])
