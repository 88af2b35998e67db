"""Merge all Files: nothing is merged that is not whole; what is merged is in order, once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from batchcore import aws, items, keys, workflow
from batchcore.error_files import HEADER as HEADER_OF_ERRORS
from batchcore.error_files import format_piece
from batchcore.errors import (
    BalanceError,
    ChunksFailedError,
    StaleAttemptError,
    TransientError,
)
from batchcore.results import match_chunks
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from hypothesis import given
from hypothesis import strategies as st
from support import BUCKET, HEADER, JOB_TABLE, START_TIME, context, job_event, manifest_entry

if TYPE_CHECKING:
    from types import ModuleType

    from support import Account, LoadApp

JOB = "orders-000000000001"
KEY = "input/2026/Q1/orders.csv"
ARCHIVED = "input_archive/2026/Q1/orders.csv"
UNMERGED = {"jobId", "entry", "attempt", "manifestKey", "headers"}
COMPLETED, REJECTED = keys.completed(JOB, KEY), keys.rejected(JOB, KEY)
ERRORS = keys.errors(JOB, KEY)


@pytest.fixture
def app(load_app: LoadApp) -> ModuleType:
    return load_app("merge-s3-files")


def output(number: int) -> bytes:
    return f"out {number}\n".encode()


def rejects(number: int) -> bytes:
    return f"bad {number}\n".encode()


def put_manifest(account: Account, chunks: int) -> None:
    manifest = [manifest_entry(JOB, n, n * 2, n * 2 + 1, 2) for n in range(1, chunks + 1)]
    account.put(keys.manifest(JOB, 1), json.dumps(manifest).encode())


def put_chunk(account: Account, number: int, out: bytes, bad: bytes, **changed: Any) -> None:
    """Store a chunk's pieces and what the ledger says of it: two rows, one good, one bad."""
    versions = {
        "output": account.put(keys.output(JOB, number), out),
        "rejects": account.put(keys.rejected_piece(JOB, number), bad),
    }
    entry = {
        "status": workflow.SUCCEEDED,
        "attempt": 1,
        "rows": 2,
        "valid": 1,
        "rejected": 1,
        "errors": 3,
        "sizeBytes": {"output": len(out), "rejects": len(bad)},
        "versions": versions,
    }
    account.put_entry(JOB, items.chunk_entry(number), **{**entry, **changed})


def prepare(account: Account, chunks: int = 3) -> dict[str, Any]:
    """Store a job whose chunks are through; return the merge's event."""
    version = account.put(KEY, HEADER)
    headers = {
        "output": account.put(keys.output(JOB, 0), b"header,out\n"),
        "rejects": account.put(keys.rejected_piece(JOB, 0), b"header,why\n"),
    }
    account.put_entry(
        JOB, items.JOB_ENTRY, attempt=1, manifestKey=keys.manifest(JOB, 1), headers=headers
    )
    put_manifest(account, chunks)
    for number in range(1, chunks + 1):
        put_chunk(account, number, output(number), rejects(number))
    return job_event(JOB, key=KEY, versionId=version)


def merge(app: ModuleType, event: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = app.lambda_handler(event, context())
    assert result.pop("ms") >= 0
    return result


def failure(app: ModuleType, account: Account, event: dict[str, Any]) -> tuple[str, str]:
    """Return the outcome of a merge that is refused; nothing may come of it."""
    result = merge(app, event)
    assert account.keys(f"jobs/{JOB}/completed/") == []
    assert account.keys("input") == [KEY]
    assert account.entry(JOB).keys() == UNMERGED
    return result["failure"]["Error"], result["failure"]["Cause"]


# -------------------------------------------------------------------------------- whole


def test_pieces_are_joined_under_their_header_and_the_ledger_says_so(
    app: ModuleType, account: Account
) -> None:
    event = prepare(account)
    expected = {
        "rowsIn": 6,
        "rowsOut": 3,
        "rowsRejected": 3,
        "errors": 9,
        "completedKey": COMPLETED,
        "rejectedKey": REJECTED,
        "archiveKey": ARCHIVED,
    }
    assert merge(app, event) == expected
    assert account.get(COMPLETED) == b"header,out\nout 1\nout 2\nout 3\n"
    assert account.get(REJECTED) == b"header,why\nbad 1\nbad 2\nbad 3\n"
    entry = account.entry(JOB)
    assert entry.keys() == UNMERGED | expected.keys() | {"completedFile", "rejectedFile"}
    for key, name in ((COMPLETED, "completedFile"), (REJECTED, "rejectedFile")):
        head = account.s3.head_object(Bucket=BUCKET, Key=key)
        assert entry[name] == {
            "versionId": head["VersionId"],
            "sizeBytes": head["ContentLength"],
        }
    assert entry.items() >= expected.items()


def test_merge_of_nothing_but_rejects_is_whole_and_has_a_verdict(
    app: ModuleType, account: Account
) -> None:
    event = prepare(account)
    for number in (1, 2, 3):
        put_chunk(account, number, b"", rejects(number) * 2, valid=0, rejected=2)
    result = merge(app, event)
    assert result["verdict"]["Error"] == "TooManyRejectsError"
    assert "all 6 rows were rejected" in result["verdict"]["Cause"]
    assert (result["rowsOut"], result["rowsRejected"]) == (0, 6)
    assert account.get(REJECTED).count(b"bad") == 6
    assert account.keys("input") == [ARCHIVED]
    entry = account.entry(JOB)
    assert entry.items() >= {"rowsRejected": 6, "rejectedKey": REJECTED}.items()
    assert not entry.keys() & {"verdict", "status"}


@pytest.mark.parametrize(("allowed", "error"), [(50, ""), (49, "TooManyRejectsError")])
def test_stack_may_allow_fewer_rejects(
    app: ModuleType,
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
    allowed: int,
    error: str,
) -> None:
    monkeypatch.setenv("MAX_REJECTED_PERCENT", str(allowed))
    assert merge(app, prepare(account)).get("verdict", {}).get("Error", "") == error


def test_rows_out_and_rejected_are_counted_once_however_often_it_runs(
    app: ModuleType, account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    event = prepare(account)
    for _ in range(2):
        merge(app, event)
    (line,) = capsys.readouterr().out.splitlines()
    assert (json.loads(line)["RowsOut"], json.loads(line)["RowsRejected"]) == ([3.0], [3.0])


def test_headers_and_list_of_chunks_are_those_that_the_ledger_names(
    app: ModuleType, account: Account
) -> None:
    """Whatever a split that was given up has put in their place since."""
    event = resume(account, prepare(account), 2)
    put_chunk(account, 2, output(2), rejects(2), attempt=2)
    account.put(keys.output(JOB, 0), b"another,header\n")
    account.put(keys.rejected_piece(JOB, 0), b"another,header\n")
    (manifest,) = account.lines(keys.manifest(JOB, 1))
    account.put(keys.manifest(JOB, 2), json.dumps(manifest).encode())
    put_manifest(account, 9)
    account.put_entry(JOB, items.JOB_ENTRY, attempt=2, manifestKey=keys.manifest(JOB, 2))
    assert merge(app, event)["rowsIn"] == 6
    assert account.get(COMPLETED) == b"header,out\nout 1\nout 2\nout 3\n"
    assert account.get(REJECTED) == b"header,why\nbad 1\nbad 2\nbad 3\n"


def test_order_is_that_of_the_numbers(app: ModuleType, account: Account) -> None:
    event = prepare(account, 12)
    merge(app, event)
    assert account.get(COMPLETED) == b"header,out\n" + b"".join(map(output, range(1, 13)))
    assert account.get(REJECTED) == b"header,why\n" + b"".join(map(rejects, range(1, 13)))


@pytest.mark.slow
def test_order_holds_beyond_one_page_of_a_listing(app: ModuleType, account: Account) -> None:
    event = prepare(account, 0)
    put_manifest(account, 1105)
    # Most pieces are empty, and need not be there.
    filled = [2, 9, 10, 11, 99, 100, 998, 999, 1000, 1001, 1099, 1100, 1105]
    empty = {"status": workflow.SUCCEEDED, "attempt": 1, "rows": 2, "valid": 1, "rejected": 1}
    empty |= {"errors": 1, "sizeBytes": {"output": 0, "rejects": 0}}
    entries = [
        items.attributes({"jobId": JOB, "entry": items.chunk_entry(n), **empty})
        for n in range(1, 1106)
    ]
    puts = [{"PutRequest": {"Item": entry}} for entry in entries]
    aws.batch_write(account.dynamodb, JOB_TABLE, puts)
    for number in filled:
        put_chunk(account, number, output(number), rejects(number))
    assert merge(app, event)["rowsIn"] == 2 * 1105
    assert account.get(COMPLETED) == b"header,out\n" + b"".join(map(output, filled))
    assert account.get(REJECTED) == b"header,why\n" + b"".join(map(rejects, filled))


def test_empty_pieces_leave_no_trace(app: ModuleType, account: Account) -> None:
    event = prepare(account)
    put_chunk(account, 1, output(1), b"", valid=2, rejected=0, errors=0)
    put_chunk(account, 2, b"", rejects(2), valid=0, rejected=2)
    put_chunk(account, 3, output(3), b"", valid=2, rejected=0, errors=0)
    result = merge(app, event)
    assert (result["rowsOut"], result["rowsRejected"]) == (4, 2)
    assert account.get(COMPLETED) == b"header,out\nout 1\nout 3\n"
    assert account.get(REJECTED) == b"header,why\nbad 2\n"


def test_job_without_any_bad_row_has_rejects_with_a_header_alone(
    app: ModuleType, account: Account
) -> None:
    event = prepare(account, 1)
    put_chunk(account, 1, output(1), b"", valid=2, rejected=0, errors=0)
    merge(app, event)
    assert account.get(REJECTED) == b"header,why\n"


def put_errors(account: Account, number: int, lines: int) -> bytes:
    """Store a chunk's piece of errors, and what the ledger says of it."""
    faults = [{"stage": "validate", "column": "a", "rule": "enum", "limit": "", "message": "m"}]
    records = [
        {
            "row": number * 2 + n,
            "raw": "x\n",
            "key": "k",
            "errors": [{**faults[0], "value": str(n)}],
        }
        for n in range(lines)
    ]
    piece = format_piece(records, chunk=number, attempt=1, time=START_TIME)
    stored = {"rows": piece.rows, "sizeBytes": len(piece.body), "causes": piece.causes}
    if piece.body:
        stored["versionId"] = account.put(keys.error_piece(JOB, number), piece.body)
    name = items.chunk_entry(number)
    account.put_entry(JOB, name, errorPiece=stored)
    return piece.body


def test_errors_are_joined_in_order_and_the_ledger_says_where_and_how_many(
    app: ModuleType, account: Account
) -> None:
    event = prepare(account)
    bodies = [put_errors(account, number, lines) for number, lines in ((1, 0), (2, 2), (3, 1))]
    result = merge(app, event)
    assert "errorsFile" not in result  # it may be large, and the state carries no more than it must
    head = account.s3.head_object(Bucket=BUCKET, Key=ERRORS)
    assert account.get(ERRORS) == HEADER_OF_ERRORS + b"".join(bodies[1:])
    assert account.tags(ERRORS) == {"kind": "errors"}
    assert account.entry(JOB)["errorsFile"] == {
        "key": ERRORS,
        "versionId": head["VersionId"],
        "sizeBytes": head["ContentLength"],
        "attempt": 1,
        "rows": 3,
        "causes": '{"causes":[["validate","a","enum",3,4]],"others":0}',
    }


def test_job_with_a_chunk_that_ran_in_format_1_has_no_file_of_errors(
    app: ModuleType, account: Account
) -> None:
    event = prepare(account, 2)
    put_errors(account, 1, 1)
    account.put_entry(JOB, items.JOB_ENTRY, errorsFile={"key": "of an earlier attempt"})
    assert merge(app, event)["rowsIn"] == 4
    assert account.keys(f"jobs/{JOB}/errors/") == []
    assert "errorsFile" not in account.entry(JOB)


def test_large_pieces_are_uploaded_in_parts(app: ModuleType, account: Account) -> None:
    event = prepare(account, 5)
    large = [bytes([64 + n]) * 4_000_000 for n in range(1, 6)]
    for number, piece in enumerate(large, 1):
        put_chunk(account, number, piece, b"r\n")
    merge(app, event)
    assert account.get(COMPLETED) == b"header,out\n" + b"".join(large)
    # The entity tag of an object that came in parts ends in their number.
    assert account.s3.head_object(Bucket=BUCKET, Key=COMPLETED)["ETag"].endswith('-2"')


def test_upload_in_parts_names_its_checksum_at_every_step(
    app: ModuleType, account: Account
) -> None:
    made: dict[str, dict[str, Any]] = {}

    def note(params: dict[str, Any], model: Any, **_: Any) -> None:
        made[model.name] = dict(params)

    app.s3.meta.events.register("provide-client-params.s3", note)
    event = prepare(account, 5)
    for number in range(1, 6):
        put_chunk(account, number, bytes([64 + number]) * 4_000_000, b"r\n")
    merge(app, event)
    for call in ("CreateMultipartUpload", "UploadPart", "CopyObject"):
        assert made[call]["ChecksumAlgorithm"] == "CRC32", call
    parts = made["CompleteMultipartUpload"]["MultipartUpload"]["Parts"]
    assert all(part["ChecksumCRC32"] for part in parts)


def test_results_are_csv_with_the_tag_by_which_they_may_expire(
    app: ModuleType, account: Account
) -> None:
    merge(app, prepare(account))
    for key, kind in ((COMPLETED, "completed"), (REJECTED, "rejected")):
        assert account.s3.head_object(Bucket=BUCKET, Key=key)["ContentType"] == "text/csv"
        assert account.tags(key) == {"kind": kind}


# ------------------------------------------------------------------------------ archive


def test_input_moves_to_the_archive_with_its_path(app: ModuleType, account: Account) -> None:
    merge(app, prepare(account))
    assert account.keys("input/") == []
    assert account.get(ARCHIVED) == HEADER


def test_archive_folder_is_the_stacks_of_now(
    app: ModuleType, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The role may write there, and nowhere that the folder was when the job was submitted."""
    monkeypatch.setenv("INPUT_ARCHIVE_FOLDER", "done/2026")
    assert merge(app, prepare(account))["archiveKey"] == "done/2026/2026/Q1/orders.csv"
    assert account.get("done/2026/2026/Q1/orders.csv") == HEADER


def test_newer_version_of_the_same_name_stays_in_the_input(
    app: ModuleType, account: Account
) -> None:
    event = prepare(account)
    newer = account.put(KEY, b"newer")
    merge(app, event)
    assert account.get(KEY) == b"newer"
    assert account.get(ARCHIVED) == HEADER
    versions = account.s3.list_object_versions(Bucket=BUCKET, Prefix="input/")
    assert [found["VersionId"] for found in versions["Versions"]] == [newer]
    assert "DeleteMarkers" not in versions


def test_repeated_call_after_success_gives_the_same(app: ModuleType, account: Account) -> None:
    event = prepare(account)
    first = merge(app, event)
    before = {key: account.get(key) for key in account.keys("")}
    assert merge(app, event) == first
    assert {key: account.get(key) for key in account.keys("")} == before


def resume(account: Account, event: dict[str, Any], *numbers: int) -> dict[str, Any]:
    """Return the merge's event of a second attempt that ran some of the chunks again."""
    (manifest,) = account.lines(keys.manifest(JOB, 1))
    named = [chunk for chunk in manifest if chunk["number"] in numbers]
    key = keys.resume_manifest(JOB, 2)
    account.put(key, json.dumps(named).encode())
    return {**event, "attempt": 2, "resume": {"manifestKey": key}}


def test_later_attempt_joins_new_results_with_those_that_are_reused(
    app: ModuleType, account: Account
) -> None:
    event = prepare(account)
    put_chunk(account, 2, b"", b"", status=workflow.FAILED)
    merge(app, event)
    event = resume(account, event, 2)
    put_chunk(account, 2, output(2) * 2, b"", valid=2, rejected=0, errors=0, attempt=2)
    assert merge(app, event)["rowsOut"] == 4
    assert account.get(COMPLETED) == b"header,out\nout 1\nout 2\nout 2\nout 3\n"
    assert account.get(ARCHIVED) == HEADER
    assert account.entry(JOB)["attempt"] == 2


def test_result_of_an_earlier_attempt_does_not_count_for_a_chunk_that_was_to_run_again(
    app: ModuleType, account: Account
) -> None:
    event = resume(account, prepare(account), 1, 3)
    put_chunk(account, 3, output(3), rejects(3), attempt=2)
    name, cause = failure(app, account, event)
    assert (name, cause) == ("ChunksFailedError", "1 of 3 chunks has no result: 1")


def test_repair_needs_neither_the_input_nor_its_archived_copy(
    app: ModuleType, account: Account
) -> None:
    event = prepare(account)
    merge(app, event)
    account.s3.delete_object(Bucket=BUCKET, Key=ARCHIVED)
    again = resume(account, event, 1)
    put_chunk(account, 1, output(9), rejects(9), attempt=2)
    assert merge(app, again)["archiveKey"] == ARCHIVED
    assert b"out 9" in account.get(COMPLETED)


def test_attempt_that_was_replaced_touches_neither_the_ledger_nor_the_files(
    app: ModuleType, account: Account
) -> None:
    event = prepare(account)
    account.put_entry(JOB, items.JOB_ENTRY, status=workflow.RUNNING, attempt=2)
    with pytest.raises(StaleAttemptError):
        merge(app, event)
    assert account.entry(JOB).keys() == UNMERGED | {"status"}
    assert account.keys(f"jobs/{JOB}/completed/") == []


@pytest.mark.parametrize("rows", [1, 3_000_000])
def test_attempt_that_is_replaced_while_it_merges_writes_no_file(
    app: ModuleType, account: Account, rows: int
) -> None:
    event = prepare(account)
    put_chunk(account, 2, output(2) * rows, rejects(2))

    def take_over(**_: Any) -> None:
        account.put_entry(JOB, items.JOB_ENTRY, status=workflow.RUNNING, attempt=2)

    # When the last piece has been asked for, a later attempt takes over.
    app.s3.meta.events.register("before-call.s3.GetObject", take_over)
    with pytest.raises(StaleAttemptError):
        merge(app, event)
    assert account.keys(f"jobs/{JOB}/completed/") == []
    assert account.s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []) == []


def test_input_that_was_never_archived_and_is_gone_is_an_outcome(
    app: ModuleType, account: Account
) -> None:
    event = prepare(account)
    account.s3.delete_object(Bucket=BUCKET, Key=KEY, VersionId=event["versionId"])
    # Another upload's copy under the same name is not this one's.
    account.put(ARCHIVED, b"another upload")
    result = merge(app, event)
    assert result["failure"]["Error"] == "InputGoneError"
    assert event["versionId"] in result["failure"]["Cause"]


@pytest.mark.parametrize("name", ["a b+c.csv", "Bestellungen März (1).v2.csv", "x=1&y=%20?#.csv"])
def test_file_may_be_called_anything(app: ModuleType, account: Account, name: str) -> None:
    event = prepare(account)
    key = f"input/{name}"
    event = {**event, "key": key, "versionId": account.put(key, b"odd")}
    result = merge(app, event)
    assert result["completedKey"] == f"jobs/{JOB}/completed/{name}"
    assert account.get(result["archiveKey"]) == b"odd"
    assert key not in account.keys("input/")


# ---------------------------------------------------------------------------- not whole


def test_chunk_without_entry_is_named(app: ModuleType, account: Account) -> None:
    event = prepare(account)
    put_manifest(account, 5)
    assert failure(app, account, event) == (
        "ChunksFailedError",
        "2 of 5 chunks have no result: 4, 5",
    )


@pytest.mark.parametrize("status", [workflow.FAILED, workflow.RUNNING])
def test_chunk_that_has_not_succeeded_is_named(
    app: ModuleType, account: Account, status: str
) -> None:
    event = prepare(account)
    put_chunk(account, 2, b"", b"", status=status)
    name, cause = failure(app, account, event)
    assert (name, cause) == ("ChunksFailedError", "1 of 3 chunks has no result: 2")


def test_long_list_of_failed_chunks_is_cut() -> None:
    manifest = [manifest_entry(JOB, n, n, n, 1) for n in range(1, 10_001)]
    with pytest.raises(ChunksFailedError, match="100 and 9900 more") as caught:
        match_chunks(manifest, [], rerun=set(), attempt=1)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    "changed", [{"rows": 3}, {"valid": 2}, {"rejected": 0}, {"valid": 1, "rejected": 2, "rows": 3}]
)
def test_chunk_whose_rows_do_not_balance_is_an_outcome(
    app: ModuleType, account: Account, changed: dict[str, int]
) -> None:
    event = prepare(account)
    put_chunk(account, 3, output(3), rejects(3), **changed)
    name, cause = failure(app, account, event)
    assert name == "BalanceError"
    assert cause.startswith("chunk 3: 2 rows in")


@pytest.mark.parametrize("piece", [b"", b"OUT 2\n", b"out 2\nout 2\n"])
def test_what_is_written_over_a_piece_after_its_chunks_end_does_not_get_in(
    app: ModuleType, account: Account, piece: bytes
) -> None:
    event = prepare(account)
    # A call of an earlier attempt that went on though its attempt was given up.
    account.put(keys.output(JOB, 2), piece)
    account.put(keys.rejected_piece(JOB, 3), piece)
    account.s3.delete_object(Bucket=BUCKET, Key=keys.output(JOB, 3))
    merge(app, event)
    assert account.get(COMPLETED) == b"header,out\nout 1\nout 2\nout 3\n"
    assert account.get(REJECTED) == b"header,why\nbad 1\nbad 2\nbad 3\n"


@pytest.mark.parametrize("kind", ["output", "rejects"])
def test_piece_of_another_size_than_its_chunk_wrote_is_an_outcome(
    app: ModuleType, account: Account, kind: str
) -> None:
    event = prepare(account)
    sizes = {"output": 6, "rejects": 6}
    put_chunk(account, 2, output(2), rejects(2), sizeBytes={**sizes, kind: 7})
    result = merge(app, event)
    assert result["failure"]["Error"] == "BalanceError"
    assert "has 6 bytes; 7 were written" in result["failure"]["Cause"]
    assert account.keys("input") == [KEY]
    assert account.entry(JOB).keys() == UNMERGED


def test_piece_of_another_size_is_found_in_a_large_merge_too(
    app: ModuleType, account: Account
) -> None:
    event = prepare(account, 5)
    for number in range(1, 6):
        put_chunk(account, number, b"x" * 4_000_000, b"r\n")
    put_chunk(account, 5, b"short", b"r\n", sizeBytes={"output": 4_000_000, "rejects": 2})
    assert failure(app, account, event)[0] == "BalanceError"
    assert account.s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []) == []


def test_piece_whose_version_is_gone_is_an_error(app: ModuleType, account: Account) -> None:
    event = prepare(account)
    version = account.entry(JOB, items.chunk_entry(2))["versions"]["output"]
    account.s3.delete_object(Bucket=BUCKET, Key=keys.output(JOB, 2), VersionId=version)
    with pytest.raises(ClientError, match="NoSuch"):
        merge(app, event)
    assert account.keys("input") == [KEY]


def test_entries_of_other_jobs_do_not_count(app: ModuleType, account: Account) -> None:
    event = prepare(account, 2)
    put_manifest(account, 3)
    account.put_entry("orders-000000000002", items.chunk_entry(3), status=workflow.SUCCEEDED)
    assert failure(app, account, event)[0] == "ChunksFailedError"


def test_throttled_ledger_asks_for_a_retry(app: ModuleType, account: Account) -> None:
    event = prepare(account)
    with Stubber(app.dynamodb) as stub:
        stub.add_response("get_item", {})
        stub.add_client_error("query", "ThrottlingException")
        with pytest.raises(TransientError):
            merge(app, event)


# --------------------------------------------------------------------------------- pure

CHUNKS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=6)


@given(CHUNKS, st.randoms(use_true_random=False), st.integers(-1, 1))
def test_chunks_match_exactly_if_every_row_is_accounted_for(
    counts: list[tuple[int, int]], random: Any, lost: int
) -> None:
    manifest = [manifest_entry(JOB, n, 1, 1, sum(c)) for n, c in enumerate(counts, 1)]
    entries = [
        {
            "entry": items.chunk_entry(n),
            "status": workflow.SUCCEEDED,
            "rows": valid + rejected,
            "valid": valid,
            "rejected": rejected,
        }
        for n, (valid, rejected) in enumerate(counts, 1)
    ]
    in_order = [dict(entry) for entry in entries]
    random.shuffle(entries)
    if entries and lost:
        entries[0]["valid"] += lost
        with pytest.raises(BalanceError):
            match_chunks(manifest, entries, rerun=set(), attempt=1)
    else:
        assert match_chunks(manifest, entries, rerun=set(), attempt=1) == in_order
