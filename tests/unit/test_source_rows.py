"""The completed file with the rows that its lines have in the upload; errors and rejects join."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from batchcore import csvtext, keys
from batchcore.schema import RecordSchema
from merged_job import FILES, JOB, put_job
from support import BUCKET, JOB_TABLE, SESSION, stack_ref

from batchops.core.errors import InputError, JobError
from batchops.core.job_ref import JobRef
from batchops.inspection.duplicates import job_duplicates
from batchops.inspection.frames import errors_frame
from batchops.inspection.result_files import read_output, read_rejects

if TYPE_CHECKING:
    from batchcore.schema import RecordSchema
from support import Account


@pytest.mark.parametrize("name", FILES)
def test_lines_have_the_rows_of_the_upload(account: Account, name: str) -> None:
    text = FILES[name]
    found = read_output(put_job(account, text), source_row=True)
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
    assert list(read_output(job, source_row=True).columns) == [
        *("id", "source_row (uploaded)", "price", "source_row")
    ]
    assert list(read_output(job).columns) == ["id", "source_row", "price"]


def test_output_rejects_and_errors_join_without_a_cast(account: Account) -> None:
    job = put_job(account, FILES["blank lines"])
    output, rejects = read_output(job, source_row=True), read_rejects(job)
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
    assert len(read_output(counted, source_row=True)) == 7
    assert [key for key in read if "/chunks/" in key] == [keys.chunk(JOB, 3)]


def test_rows_that_are_not_known_any_more_are_not_guessed(account: Account) -> None:
    job = put_job(account, FILES["plain"], manifestKey="gone")
    assert len(read_output(job)) == 3
    with pytest.raises(JobError, match="the list of them is gone"):
        read_output(job, source_row=True)


def test_files_of_several_attempts_are_not_put_together(account: Account) -> None:
    job = put_job(account, FILES["plain"])
    account.put("completed", b"id,n,price\n1,a,9\n")
    with pytest.raises(JobError, match=r"3 accepted rows and 1 line .* read it again"):
        read_output(job, source_row=True)


def test_rows_with_the_same_key_are_found_in_the_chunks_of_a_job(account: Account) -> None:
    """Accepted or rejected, and by the row that they have in the upload."""
    job = put_job(account, "id,n\n1,a\n\n2,b\n1,x\n3,c,d\n3,c\n,e\n,f\n2,b\n")
    properties: dict[str, Any] = {"id": {}}
    wanted = {"required": ["id"], "x-key": "id", "x-enrichment": ["price"]}
    found = job_duplicates(job, RecordSchema({**wanted, "properties": properties}))
    assert (found.keys, found.rows) == (2, 4)
    assert found.frame().to_dict("list") == {
        "source_row": [2, 5, 4, 10],
        "uuid": ["1", "1", "2", "2"],
    }
    with pytest.raises(InputError, match="limit=0"):
        job_duplicates(job, RecordSchema({**wanted, "properties": properties}), limit=0)
