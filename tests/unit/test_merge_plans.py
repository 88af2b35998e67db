"""A merge that several calls share gives the files that one call gives, however often one runs."""

from __future__ import annotations

import json
from contextlib import nullcontext
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from batchcore import items, joining, keys, workflow
from batchcore.errors import StaleAttemptError
from batchcore.pieces import PART_BYTES, Piece
from botocore.exceptions import ClientError
from botocore.response import StreamingBody
from botocore.stub import Stubber
from support import BUCKET, HEADER, context, job_event, manifest_entry

if TYPE_CHECKING:
    from types import ModuleType

    from support import Account, LoadApp

pytestmark = pytest.mark.slow

JOB = "orders-000000000001"
KEY = "input/orders.csv"
COMPLETED, REJECTED = keys.completed(JOB, KEY), keys.rejected(JOB, KEY)
ERRORS = keys.errors(JOB, KEY)
MIB = 1024 * 1024


@pytest.fixture
def app(load_app: LoadApp, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    app = load_app("merge-s3-files")
    monkeypatch.setenv("MERGE_GROUP_BYTES", str(2 * MIB))  # a group takes at least a part
    return app


def body(number: int) -> bytes:
    return f"row {number:03d}\n".encode() * 360_000  # 2.9 MB


def bad(number: int) -> bytes:
    return f"bad {number}\n".encode()


def prepare(account: Account, chunks: int = 4) -> dict[str, Any]:
    """Store a job whose merge is 12 MB; return the merge's event."""
    version = account.put(KEY, HEADER)
    headers = {
        "output": account.put(keys.output(JOB, 0), b"header\n"),
        "rejects": account.put(keys.rejected_piece(JOB, 0), b"why\n"),
    }
    account.put_entry(
        JOB, items.JOB_ENTRY, attempt=1, manifestKey=keys.manifest(JOB, 1), headers=headers
    )
    numbers = range(1, chunks + 1)
    for number in numbers:
        versions = {
            "output": account.put(keys.output(JOB, number), body(number)),
            "rejects": account.put(keys.rejected_piece(JOB, number), bad(number)),
        }
        account.put_entry(
            JOB,
            items.chunk_entry(number),
            status=workflow.SUCCEEDED,
            attempt=1,
            rows=2,
            valid=1,
            rejected=1,
            errors=1,
            sizeBytes={"output": len(body(number)), "rejects": len(bad(number))},
            versions=versions,
        )
    manifest = [manifest_entry(JOB, n, 2 * n, 2 * n + 1, 2) for n in numbers]
    account.put(keys.manifest(JOB, 1), json.dumps(manifest).encode())
    return job_event(JOB, key=KEY, versionId=version)


def call(app: ModuleType, event: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = app.lambda_handler(event, context())
    return result


def groups_of(account: Account, planned: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the plan's items, as the workflow's Map reads them."""
    (found,) = account.lines(planned["plan"]["key"])
    items_: list[dict[str, Any]] = found
    return items_


def upload(app: ModuleType, event: dict[str, Any], item: dict[str, Any]) -> dict[str, Any]:
    chosen = {name: event[name] for name in ("jobId", "bucket")}
    return call(app, {**chosen, "group": item})


def open_uploads(account: Account) -> list[str]:
    found = account.s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
    return [upload["UploadId"] for upload in found]


EXPECTED = b"header\n" + b"".join(map(body, range(1, 5)))


def test_several_calls_make_the_files_and_the_outcome_that_one_makes(
    app: ModuleType, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = prepare(account)
    planned = call(app, event)
    assert account.keys(f"jobs/{JOB}/completed/") == []
    found = groups_of(account, planned)
    assert len(found) == planned["plan"]["groups"] == 3  # two of the output, one of the rejects
    # In any order, and one of them twice.
    for item in [*reversed(found), found[0]]:
        assert upload(app, event, item)["parts"] >= 1
    shared = call(app, {**event, "merge": planned})
    assert account.get(COMPLETED) == EXPECTED
    assert account.get(REJECTED) == b"why\n" + b"".join(map(bad, range(1, 5)))
    assert account.keys("input") == [shared["archiveKey"]]
    entry = account.entry(JOB)
    sizes = {name: entry.pop(name)["sizeBytes"] for name in ("completedFile", "rejectedFile")}
    files = {key: account.get(key) for key in (COMPLETED, REJECTED)}
    monkeypatch.setenv("MERGE_GROUP_BYTES", str(99 * MIB))
    alone = call(app, event)
    del alone["ms"], shared["ms"]
    assert alone == shared
    again = account.entry(JOB)
    assert {name: again.pop(name)["sizeBytes"] for name in sizes} == sizes
    assert again == entry
    assert {key: account.get(key) for key in files} == files
    assert account.s3.head_object(Bucket=BUCKET, Key=COMPLETED)["ContentType"] == "text/csv"


def test_errors_are_joined_by_several_calls_too(
    app: ModuleType, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = prepare(account)
    bodies = [f"error {number}\r\n".encode() * number for number in range(1, 5)]
    for number, text in enumerate(bodies, 1):
        version = account.put(keys.error_piece(JOB, number), text)
        piece = {"rows": 1, "sizeBytes": len(text), "versionId": version}
        causes = '{"causes":[["read","","encoding",1,2]],"others":1}'
        name = items.chunk_entry(number)
        account.put_entry(JOB, name, errorPiece={**piece, "causes": causes})
    planned = call(app, event)
    for item in groups_of(account, planned):
        upload(app, event, item)
    result = call(app, {**event, "merge": planned})
    assert "errorsFile" not in result
    assert account.get(ERRORS) == b"".join(bodies)
    assert account.tags(ERRORS) == {"kind": "errors"}
    entry = account.entry(JOB)["errorsFile"]
    head = account.s3.head_object(Bucket=BUCKET, Key=ERRORS)
    assert entry == {
        "key": ERRORS,
        "versionId": head["VersionId"],
        "sizeBytes": head["ContentLength"],
        "attempt": 1,
        "rows": 4,
        "causes": '{"causes":[["read","","encoding",4,2]],"others":4}',
    }
    # One call makes the same.
    monkeypatch.setenv("MERGE_GROUP_BYTES", str(99 * MIB))
    call(app, event)
    assert {**account.entry(JOB)["errorsFile"], "versionId": ""} == {**entry, "versionId": ""}


def test_completing_again_changes_nothing(app: ModuleType, account: Account) -> None:
    event = prepare(account)
    planned = call(app, event)
    for item in groups_of(account, planned):
        upload(app, event, item)
    first = call(app, {**event, "merge": planned})
    again = call(app, {**event, "merge": planned})
    assert {**again, "ms": 0} == {**first, "ms": 0}
    assert account.get(COMPLETED) == EXPECTED


@pytest.mark.parametrize("made_by", ["0001-aaa", "0001-bbb", None])
def test_upload_that_is_gone_counts_as_completed_if_the_file_is_this_plans(
    app: ModuleType, made_by: str | None
) -> None:
    # As S3 answers; the mock does otherwise.
    metadata = {} if made_by is None else {"plan": made_by}
    with Stubber(app.s3) as stub:
        stub.add_client_error("complete_multipart_upload", "NoSuchUpload", http_status_code=404)
        stub.add_response("head_object", {"Metadata": metadata, "VersionId": "v"})
        raises = nullcontext() if made_by == "0001-aaa" else pytest.raises(ClientError)
        with raises:
            version = joining.complete_upload(
                app.s3, BUCKET, COMPLETED, upload="u", parts=[{"ETag": "e"}], plan="0001-aaa"
            )
            assert version == "v"
        stub.assert_no_pending_responses()


@pytest.mark.parametrize("own", [True, False])
def test_single_call_that_completed_a_file_unheard_does_not_fail(
    app: ModuleType, own: bool
) -> None:
    """S3 repeats to the SDK's second try that there is no such upload any more."""
    size = PART_BYTES
    plans: list[str] = []
    app.s3.meta.events.register(
        "provide-client-params.s3.CreateMultipartUpload",
        lambda params, **_: plans.append(params["Metadata"]["plan"]),
    )
    with Stubber(app.s3) as stub:
        stub.add_response("create_multipart_upload", {"UploadId": "u"})
        body = StreamingBody(BytesIO(bytes(size)), size)
        stub.add_response("get_object", {"Body": body, "ContentLength": size})
        stub.add_response("upload_part", {"ETag": "e", "ChecksumCRC32": "AAAAAA=="})

        def confirm() -> None:
            stub.add_client_error("complete_multipart_upload", "NoSuchUpload", http_status_code=404)
            plan = {"plan": plans[0] if own else "other"}
            stub.add_response("head_object", {"Metadata": plan, "VersionId": "v"})
            if not own:
                stub.add_response("abort_multipart_upload", {})

        with nullcontext() if own else pytest.raises(ClientError, match="NoSuchUpload"):
            joining.join_pieces(app.s3, BUCKET, [Piece("a", "v", size)], COMPLETED, confirm=confirm)
        stub.assert_no_pending_responses()


def test_group_without_a_result_is_an_outcome_that_names_it(
    app: ModuleType, account: Account
) -> None:
    event = prepare(account)
    planned = call(app, event)
    for item in groups_of(account, planned):
        if item["number"] != 2:
            upload(app, event, item)
    failure = call(app, {**event, "merge": planned})["failure"]
    assert failure["Error"] == "BalanceError"
    assert "group 2 of the merge has no result" in failure["Cause"]
    assert account.keys(f"jobs/{JOB}/completed/") == []
    assert account.keys("input/") == [KEY]


def test_piece_of_another_size_is_what_the_job_ends_with(app: ModuleType, account: Account) -> None:
    event = prepare(account)
    sizes = {"output": len(body(2)) + 1, "rejects": len(bad(2))}
    account.put_entry(JOB, items.chunk_entry(2), sizeBytes=sizes)
    planned = call(app, event)
    results = [upload(app, event, item) for item in groups_of(account, planned)]
    assert ["failure" in result for result in results] == [True, False, False]
    assert results[0]["failure"]["Error"] == "BalanceError"
    failure = call(app, {**event, "merge": planned})["failure"]
    assert failure == results[0]["failure"]
    assert "were written" in failure["Cause"]
    assert account.keys(f"jobs/{JOB}/completed/") == []


def test_plan_that_is_made_again_has_uploads_of_its_own_and_frees_the_others(
    app: ModuleType, account: Account
) -> None:
    event = prepare(account)
    first, second = call(app, event), call(app, event)
    assert first["plan"]["key"] != second["plan"]["key"]
    found = groups_of(account, second)
    assert sorted(open_uploads(account)) == sorted({item["upload"] for item in found})
    for item in found:
        upload(app, event, item)
    call(app, {**event, "merge": second})
    assert account.get(COMPLETED) == EXPECTED
    assert open_uploads(account) == []


def test_uploads_of_other_files_are_left_alone(app: ModuleType, account: Account) -> None:
    event = prepare(account)
    create = account.s3.create_multipart_upload
    other = create(Bucket=BUCKET, Key=COMPLETED + ".bak")["UploadId"]
    call(app, event)
    assert other in open_uploads(account)


def test_pieces_are_those_of_the_plan_whatever_is_written_over_them(
    app: ModuleType, account: Account
) -> None:
    event = prepare(account)
    planned = call(app, event)
    account.put(keys.output(JOB, 4), body(9))
    account.put(keys.output(JOB, 0), b"another header\n")
    for item in groups_of(account, planned):
        upload(app, event, item)
    call(app, {**event, "merge": planned})
    assert account.get(COMPLETED) == EXPECTED


def test_attempt_that_was_replaced_completes_nothing(app: ModuleType, account: Account) -> None:
    event = prepare(account)
    planned = call(app, event)
    for item in groups_of(account, planned):
        upload(app, event, item)
    account.put_entry(JOB, items.JOB_ENTRY, attempt=2)
    with pytest.raises(StaleAttemptError):
        call(app, {**event, "merge": planned})
    assert account.keys(f"jobs/{JOB}/completed/") == []


def test_balance_is_checked_before_anything_is_planned(app: ModuleType, account: Account) -> None:
    event = prepare(account)
    account.put_entry(JOB, items.chunk_entry(3), valid=2)
    assert call(app, event)["failure"]["Error"] == "BalanceError"
    assert open_uploads(account) == []


def test_what_the_workflow_carries_does_not_grow_with_the_job(
    app: ModuleType, account: Account
) -> None:
    event = prepare(account)
    planned = call(app, event)
    assert planned.keys() == {"plan", "rowsIn", "rowsOut", "rowsRejected", "errors", "ms"}
    assert planned["plan"].keys() == {"key", "groups"}
    for item in groups_of(account, planned):
        assert item.keys() == {"plan", "number", "key", "upload"}
        place = keys.merge_group(JOB, item["plan"], item["number"])
        assert account.tags(place) == {"kind": "intermediate"}


def test_rejects_alone_may_be_what_is_large(
    app: ModuleType, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = prepare(account, 1)
    piece = b"bad\n" * (PART_BYTES // 4)
    version = account.put(keys.rejected_piece(JOB, 1), piece)
    account.put_entry(
        JOB,
        items.chunk_entry(1),
        sizeBytes={"output": 0, "rejects": len(piece)},
        versions={"output": "none", "rejects": version},
    )
    planned = call(app, event)
    for item in groups_of(account, planned):
        upload(app, event, item)
    call(app, {**event, "merge": planned})
    assert account.get(COMPLETED) == b"header\n"
    assert account.get(REJECTED) == b"why\n" + piece
