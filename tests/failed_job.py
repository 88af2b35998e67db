"""A job whose second chunk of three failed, in a mocked account, and the calls that are made."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchcore import items, keys, workflow
from batchcore.records import REJECT_COLUMNS
from botocore.awsrequest import AWSResponse
from support import (
    BUCKET,
    ERROR_TABLES,
    FINANCIAL_TABLE,
    HEADER,
    JOB_TABLE,
    MACHINE_ARN,
    PARAMETERS,
    SESSION,
    START_TIME,
    made_once,
    manifest_entry,
    row,
    stack_ref,
)

from batchops.core.job_ref import JobRef

if TYPE_CHECKING:
    from support import Account

JOB = "orders-0123456789ab"
INPUT = "input/orders.csv"
KEYS = {1: "271828181", 2: "271828182", 3: "271828183"}

_SERVICES = ("s3", "dynamodb", "stepfunctions", "lambda")


@dataclass
class FailedJob:
    """The job, and how often each operation was called, as ``service.Operation``."""

    job: JobRef
    account: Account
    calls: Counter[str]

    def entry(self, entry: str = items.JOB_ENTRY) -> dict[str, Any]:
        """Return an entry of the job in the ledger."""
        return self.account.entry(JOB, entry)


def put_failed_job(account: Account, **changed: Any) -> FailedJob:
    """Have the account hold the job only: a row of chunk 1 was rejected, chunk 2 failed.

    Parameters
    ----------
    changed
        Attributes of the JOB entry that are others.
    """
    key = f"{__name__} {sorted(changed.items())}"
    made_once(key, lambda: _put_failed_job(account, changed))
    return _counted(account)


def _put_failed_job(account: Account, changed: dict[str, Any]) -> None:
    headers = {
        "output": account.put(keys.output(JOB, keys.HEADER_PIECE), HEADER),
        "rejects": account.put(
            keys.rejected_piece(JOB, keys.HEADER_PIECE),
            HEADER.rstrip() + b"," + ",".join(REJECT_COLUMNS).encode() + b"\n",
        ),
    }
    entry = {
        "status": workflow.FAILED,
        "attempt": 1,
        "startTime": START_TIME,
        "endTime": START_TIME,
        "bucket": BUCKET,
        "key": INPUT,
        "versionId": account.put(INPUT, HEADER),
        "sizeBytes": 1,
        **PARAMETERS,
        "chunks": len(KEYS),
        "rowsIn": len(KEYS),
        "manifestKey": keys.manifest(JOB, 1),
        "headers": headers,
        "error": "ChunksFailedError",
        "cause": "1 of 3 chunks failed",
    }
    account.put_entry(JOB, items.JOB_ENTRY, **{**entry, **changed})
    manifest = [_put_chunk(account, number) for number in KEYS]
    account.put(keys.manifest(JOB, 1), json.dumps(manifest).encode())


def _put_chunk(account: Account, number: int) -> dict[str, Any]:
    """Store a chunk of one row with its entry and pieces; return what the manifest says of it."""
    first_row = number + 1
    fields = {"Order Priority": "X"} if number == 1 else {}
    version = account.put(keys.chunk(JOB, number), HEADER + row(KEYS[number], **fields))
    entry: dict[str, Any] = {"status": workflow.FAILED, "attempt": 1, "error": "E", "cause": "c"}
    if number != 2:
        piece = account.put(keys.output(JOB, number), b"12345")
        rejected = int(number == 1)
        entry = {
            "status": workflow.SUCCEEDED,
            "attempt": 1,
            "rows": 1,
            "valid": 1 - rejected,
            "rejected": rejected,
            "sizeBytes": {"output": 5, "rejects": 0},
            "versions": {"output": piece, "rejects": piece},
        }
    account.put_entry(JOB, items.chunk_entry(number), **entry)
    if number == 1:
        error = f"{items.row_prefix(first_row)}Order Priority#enum"
        account.put_error(JOB, error, sourceRow=first_row)
    return {**manifest_entry(JOB, number, first_row, first_row, 1), "versionId": version}


def _counted(account: Account) -> FailedJob:
    calls: Counter[str] = Counter()
    clients = {name: SESSION.client(name) for name in _SERVICES}
    for name, client in clients.items():
        client.meta.events.register("before-call", _counter(name, calls))
    outputs = {
        "JobTableName": JOB_TABLE,
        **ERROR_TABLES,
        "FinancialTableName": FINANCIAL_TABLE,
        "MainOrchestratorArn": MACHINE_ARN,
        "SourceBucketName": BUCKET,
        "FileChunkSize": "600",
        "FileDelimiter": ",",
        "InputArchiveFolder": "input_archive",
    }
    return FailedJob(JobRef(stack_ref(outputs=outputs, **clients), JOB), account, calls)


def _counter(service: str, calls: Counter[str]) -> Callable[..., Any]:
    def count(model: Any, **_: Any) -> Any:
        calls[f"{service}.{model.name}"] += 1
        if service != "lambda":
            return None
        # moto runs functions in containers; what is deployed is all that is asked for.
        answer = {"CodeSha256": "AAA=", "Layers": [], "LastModified": "2026-11-01T00:00:00+00:00"}
        return AWSResponse("", 200, {}, None), answer

    return count
