"""Submitting a file: what is uploaded, under which name, and which job it starts."""

from __future__ import annotations

import gzip
import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from batchcore import jobs
from support import BUCKET, HEADER, SCHEMA, Account, row, stack_ref

from batchops.cli.jobs import uploaded
from batchops.core.errors import AccessDeniedError, AwsError, InputError
from batchops.deployment.settings import shipped_settings
from batchops.planning.conversion import Reading
from batchops.planning.planner import plan_file
from batchops.planning.submission import matching_files, submit_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from batchops.core.stack_ref import StackRef
    from batchops.planning.plan import Plan

GOOD = HEADER + row()


@pytest.fixture
def stack(account: Account) -> StackRef:
    outputs = {"SourceBucketName": BUCKET, "FileDelimiter": ","}
    return stack_ref(outputs=outputs, s3=account.s3)


def version(account: Account, key: str) -> str:
    found: str = account.s3.head_object(Bucket=BUCKET, Key=key)["VersionId"]
    return found


def plan(source: Path | bytes) -> Plan:
    return plan_file(source, schema=SCHEMA, settings=shipped_settings())


def test_job_is_that_of_the_version_that_was_uploaded(stack: StackRef, account: Account) -> None:
    first = submit_file(stack, GOOD, name="a/orders.csv")
    uploaded = version(account, "input/a/orders.csv")
    assert first == jobs.job_id(BUCKET, "input/a/orders.csv", uploaded)
    assert account.get("input/a/orders.csv") == GOOD
    assert submit_file(stack, GOOD, name="a/orders.csv") != first


def test_any_source_gives_the_same_bytes(stack: StackRef, account: Account, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes(GOOD)
    account.put("elsewhere/copy.csv", GOOD)
    frame = pd.read_csv(io.BytesIO(GOOD), dtype=str)
    submit_file(stack, path)
    submit_file(stack, frame)
    submit_file(stack, f"s3://{BUCKET}/elsewhere/copy.csv")
    submit_file(stack, plan(path), name="planned.csv")
    names = ("orders.csv", "upload.csv", "copy.csv", "planned.csv")
    assert [account.get(f"input/{name}") for name in names] == [GOOD] * 4


def test_plan_that_cannot_succeed_is_refused_unless_forced(
    stack: StackRef, account: Account
) -> None:
    bad = plan(HEADER)
    with pytest.raises(InputError, match=r"upload\.csv would fail: NoRowsError.*force=True"):
        submit_file(stack, bad)
    assert account.keys() == []
    submit_file(stack, bad, force=True)
    assert account.keys() == ["input/upload.csv"]


def test_file_that_has_changed_since_its_plan_is_refused(stack: StackRef, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(GOOD)
    made = plan(path)
    path.write_bytes(GOOD + row())
    with pytest.raises(InputError, match="plan it again"):
        submit_file(stack, made, force=True)
    submit_file(stack, replace(made, size_bytes=path.stat().st_size))


def test_file_of_a_plan_is_read_as_the_plan_read_it(stack: StackRef, account: Account) -> None:
    data = (HEADER + row()).decode()
    packed = gzip.compress(f"Report\n{data}".encode("utf-16"))
    reading = Reading(encoding="utf-16", skip_rows=1)
    made = plan_file(
        packed, schema=SCHEMA, settings=shipped_settings(), name="a.csv.gz", reading=reading
    )
    assert made.can_succeed
    notes: list[str] = []
    submit_file(stack, made, on_note=notes.append)
    submit_file(stack, made, name="in/b.csv")
    assert [account.get(f"input/{name}") for name in ("a.csv", "in/b.csv")] == [GOOD] * 2
    assert notes == list(made.notes)
    assert notes[0] == "a.csv out of a.csv.gz"
    with pytest.raises(InputError, match="a plan, which has its own"):
        submit_file(stack, made, reading=reading)


def test_open_file_can_be_planned_and_then_submitted(
    stack: StackRef, account: Account, tmp_path: Path
) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes(GOOD)
    with path.open("rb") as file:
        submit_file(stack, plan_file(file, schema=SCHEMA, settings=shipped_settings()))
        assert not file.closed
    assert account.get("input/orders.csv") == GOOD


def test_patterns_stand_for_the_files_that_they_match(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", "c.txt", "[x].csv"):
        (tmp_path / name).write_bytes(GOOD)
    here = str(tmp_path)
    found = matching_files([f"{here}/c.txt", f"{here}/?.csv", f"{here}/a.csv", f"{here}/[x].csv"])
    assert [path.removeprefix(f"{here}/") for path in found] == [
        "c.txt",
        "a.csv",
        "b.csv",
        "[x].csv",
    ]
    assert matching_files(["s3://b/*.csv"]) == ["s3://b/*.csv"]
    with pytest.raises(InputError, match="no file matches"):
        matching_files([f"{here}/*.xlsx"])
    with pytest.raises(InputError, match=r"no file .*d\.csv: nothing was submitted"):
        matching_files([f"{here}/a.csv", f"{here}/d.csv"])


@pytest.mark.parametrize("name", ["a//b.csv", "../a.csv", "a/", "x" * 801])
def test_name_that_no_upload_can_have_is_refused(stack: StackRef, name: str) -> None:
    with pytest.raises(InputError, match="name"):
        submit_file(stack, GOOD, name=name)


@pytest.mark.parametrize(
    ("source", "error", "text"),
    [
        ("s3://bucket", InputError, "give s3://bucket/key"),
        ("s3://no-such-bucket/key.csv", AwsError, "copying s3://no-such-bucket/key.csv"),
        ("nowhere.csv", InputError, "no file"),
        (7, InputError, "cannot upload a int"),
    ],
)
def test_source_that_cannot_be_read_is_said_to_be(
    stack: StackRef, source: str, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        submit_file(stack, source)


# ------------------------------------------------------------------- rights, parts, versions


NO_READING = ("HeadObject", "GetObject", "ListObjectVersions", "ListBuckets", "ListObjectsV2")


@pytest.fixture
def calls(account: Account) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """Give the list of the calls to S3, with what each was made with."""
    made: list[tuple[str, dict[str, Any]]] = []

    def note(params: dict[str, Any], model: Any, **_: Any) -> None:
        made.append((model.name, dict(params)))

    account.s3.meta.events.register("provide-client-params.s3", note)
    yield made
    account.s3.meta.events.unregister("provide-client-params.s3", note)


LARGE = b"a,b\n" + b"1,2\n" * 2_300_000  # more than the 8 MiB that one request takes


@pytest.mark.parametrize("data", [GOOD, LARGE], ids=["small", "large"])
def test_submitting_takes_no_right_to_read_the_bucket(
    stack: StackRef, account: Account, calls: list[tuple[str, dict[str, Any]]], data: bytes
) -> None:
    # A call that is denied once the file is there would lead to a second job for the same file.
    job = submit_file(stack, data, name="orders.csv")
    assert not {name for name, _ in calls}.intersection(NO_READING)
    assert job == jobs.job_id(BUCKET, "input/orders.csv", version(account, "input/orders.csv"))


def test_copy_is_known_by_its_own_version(stack: StackRef, account: Account) -> None:
    account.put("elsewhere/orders.csv", GOOD)
    first = submit_file(stack, f"s3://{BUCKET}/elsewhere/orders.csv")
    ours = version(account, "input/orders.csv")
    account.put("input/orders.csv", b"a later upload")
    assert first == jobs.job_id(BUCKET, "input/orders.csv", ours)


def test_uploads_at_once_each_know_their_own_version(stack: StackRef, account: Account) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: submit_file(stack, GOOD, name="same.csv"), range(8)))
    listed = account.s3.list_object_versions(Bucket=BUCKET, Prefix="input/same.csv")
    ours = {jobs.job_id(BUCKET, "input/same.csv", v["VersionId"]) for v in listed["Versions"]}
    assert set(found) == ours
    assert len(ours) == 8


def test_upload_in_parts_names_its_checksum_at_every_step(
    stack: StackRef, calls: list[tuple[str, dict[str, Any]]]
) -> None:
    submit_file(stack, LARGE, name="large.csv")
    made = dict(calls)
    assert made["CreateMultipartUpload"]["ChecksumAlgorithm"] == "CRC32"
    assert made["UploadPart"]["ChecksumAlgorithm"] == "CRC32"
    parts = made["CompleteMultipartUpload"]["MultipartUpload"]["Parts"]
    assert len(parts) == 2
    assert all(part["ChecksumCRC32"] for part in parts)


def test_small_upload_and_copy_name_their_checksum(
    stack: StackRef, account: Account, calls: list[tuple[str, dict[str, Any]]]
) -> None:
    submit_file(stack, GOOD, name="small.csv")
    submit_file(stack, f"s3://{BUCKET}/input/small.csv", name="copy.csv")
    made = dict(calls)
    assert made["PutObject"]["ChecksumAlgorithm"] == "CRC32"
    assert made["CopyObject"]["ChecksumAlgorithm"] == "CRC32"


def test_bucket_without_versions_is_refused_in_words(stack: StackRef, account: Account) -> None:
    account.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
    with pytest.raises(InputError, match=r"was uploaded, but without a version.* on again"):
        submit_file(stack, GOOD, name="orders.csv")


def test_refusal_after_the_upload_says_that_nothing_is_to_be_submitted_again() -> None:
    refused = AccessDeniedError("reading job 'a': not authorized", code="AccessDeniedException")
    with pytest.raises(AccessDeniedError) as raised, uploaded(["orders-000000000001"]):
        raise refused
    assert str(raised.value).startswith("uploaded, but ")
    assert "orders-000000000001" in str(raised.value)
    assert "Do not submit again" in str(raised.value)
    assert raised.value.code == "AccessDeniedException"
