"""The completed file with the rows that its lines have in the upload; errors and rejects join."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from batchcore import csvtext, items, keys, workflow
from support import BUCKET, JOB_TABLE, SESSION, stack_ref

from batchops.core.errors import JobError
from batchops.core.job_ref import JobRef
from batchops.inspection.frames import errors_frame
from batchops.inspection.result_files import completed_frame, rejects_frame

if TYPE_CHECKING:
    from support import Account

JOB = "orders-000000000001"

FILES = {
    "plain": "id,n\n1,a\n2,x\n3,c\n4,x\n5,e\n",
    "blank lines": "\n\nid,n\n\n1,a\n\n\n2,x\n3,c\n\n4,x\n\n5,e\n\n\n",
    "CRLF and newlines in quotes": 'id,n\r\n1,"a\r\n\r\nb"\r\n\r\n2,x\r\n3,"\n"\r\n4,x',
    "lone CR": "id,n\r1,a\r\r2,x\r3,c",
    "all rejected": "id,n\n1,x\n2,x\n",
    "column of that name": "id,source_row\n1,a\n2,x\n3,c\n",
}


def put_job(account: Account, text: str, **changed: Any) -> JobRef:
    """Store the results of a job of the file; rows whose second value is x are rejected."""
    splitter = csvtext.Splitter(iter([text.encode()]), delimiter=",", chunk_rows=2)
    header = splitter.header().strip()
    manifest, out, bad = [], [header + b",price\n"], [header + b",source_row,rules,messages\n"]
    for chunk in splitter.chunks():
        version = account.put(keys.chunk(JOB, chunk.number), header + b"\n" + chunk.data)
        numbers = {"number": chunk.number, "firstRow": chunk.first_row, "lastRow": chunk.last_row}
        place = {"key": keys.chunk(JOB, chunk.number), "versionId": version}
        sizes = {"rows": chunk.rows, "sizeBytes": len(chunk.data)}
        manifest.append(numbers | place | sizes | {"entry": items.chunk_entry(chunk.number)})
        records = csvtext.iter_records(chunk.data, delimiter=",")
        for row, record in enumerate(records, chunk.first_row):
            line = record.rstrip(b"\r\n")
            if line.endswith(b",x"):
                bad.append(line + f",{row},enum,no\n".encode())
            elif not csvtext.is_blank(record):
                out.append(line + b",9\n")
    headers = {"output": account.put("o", out[0]), "rejects": ""}
    headers["rejects"] = account.put(keys.rejected_piece(JOB, 0), bad[0])
    account.put("completed", b"".join(out))
    account.put("rejected", b"".join(bad))
    account.put(keys.manifest(JOB, 1), json.dumps(manifest).encode())
    entry = {"status": workflow.SUCCEEDED, "attempt": 1, "bucket": BUCKET, "key": "input/a.csv"}
    entry |= {"delimiter": ",", "manifestKey": keys.manifest(JOB, 1), "headers": headers}
    entry |= {"completedKey": "completed", "rejectedKey": "rejected"}
    account.put_entry(JOB, items.JOB_ENTRY, **{**entry, **changed})
    outputs = {"JobTableName": JOB_TABLE, "SourceBucketName": BUCKET}
    return JobRef(stack_ref(outputs=outputs, dynamodb=account.dynamodb, s3=account.s3), JOB)


@pytest.mark.parametrize("name", FILES)
def test_lines_have_the_rows_of_the_upload(account: Account, name: str) -> None:
    text = FILES[name]
    found = completed_frame(put_job(account, text), source_row=True)
    assert (found.columns[-1], str(found["source_row"].dtype)) == ("source_row", "int64")
    records = dict(enumerate(csvtext.iter_records(text.encode(), delimiter=","), 1))
    for row, key in zip(found["source_row"], found["id"], strict=True):
        assert records[row].startswith(f"{key},".encode())
    accepted = [
        row
        for row, record in records.items()
        if record.strip() and not record.rstrip().endswith(b",x") and not record.startswith(b"id,")
    ]
    assert found["source_row"].tolist() == accepted


def test_column_of_the_upload_with_that_name_is_told_apart(account: Account) -> None:
    job = put_job(account, FILES["column of that name"])
    assert list(completed_frame(job, source_row=True).columns) == [
        *("id", "source_row (uploaded)", "price", "source_row")
    ]
    assert list(completed_frame(job).columns) == ["id", "source_row", "price"]


def test_output_rejects_and_errors_join_without_a_cast(account: Account) -> None:
    job = put_job(account, FILES["blank lines"])
    output, rejects = completed_frame(job, source_row=True), rejects_frame(job)
    frames = (output, rejects, errors_frame([]))
    assert {str(frame["source_row"].dtype) for frame in frames} == {"int64"}
    assert output.merge(rejects, on="source_row").empty
    both = sorted([*output["source_row"], *rejects["source_row"]])
    assert both == [5, 8, 9, 11, 13]


def test_only_chunks_with_blank_lines_are_read(account: Account) -> None:
    job = put_job(account, "id,n\n" + "1,a\n" * 5 + "\n2,b\n3,c\n")
    read: list[str] = []
    s3 = SESSION.client("s3")
    s3.meta.events.register(
        "before-parameter-build.s3.GetObject", lambda params, **_: read.append(params["Key"])
    )
    tables = {"JobTableName": JOB_TABLE, "SourceBucketName": BUCKET}
    counted = JobRef(stack_ref(outputs=tables, dynamodb=account.dynamodb, s3=s3), job.id)
    assert len(completed_frame(counted, source_row=True)) == 7
    assert [key for key in read if "/chunks/" in key] == [keys.chunk(JOB, 3)]


def test_rows_that_are_not_known_any_more_are_not_guessed(account: Account) -> None:
    job = put_job(account, FILES["plain"], manifestKey="gone")
    assert len(completed_frame(job)) == 3
    with pytest.raises(JobError, match="the list of them is gone"):
        completed_frame(job, source_row=True)


def test_files_of_several_attempts_are_not_put_together(account: Account) -> None:
    job = put_job(account, FILES["plain"])
    account.put("completed", b"id,n,price\n1,a,9\n")
    with pytest.raises(JobError, match=r"3 accepted rows and 1 lines .* read it again"):
        completed_frame(job, source_row=True)
