"""A job that was merged, of a small file, in a mocked account."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from batchcore import csvtext, items, keys, workflow
from support import BUCKET, JOB_TABLE, stack_ref

from batchops.core.job_ref import JobRef

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
