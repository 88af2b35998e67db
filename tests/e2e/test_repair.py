"""Repairs on the deployed stack: fixed rows are accepted, everything else stays as it was."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from batchcore import keys
from batchcore.csvtext import iter_records, parse_row
from e2e.jobs import TIMEOUT_S, completed, finished, stored
from e2e.rows import HEADER, order, to_csv

from batchops.core.errors import InputError, JobError, JobRunningError
from batchops.inspection.compare import compare
from batchops.job import Job
from batchops.recovery.attempts import Attempt
from batchops.recovery.lineage import lineage
from batchops.recovery.repair import execute_repair, patch_chunks, repair
from batchops.recovery.repair_plan import plan_repair
from batchops.recovery.rerun import claim_planned, rerun
from batchops.recovery.rerun_plan import RerunPlan
from batchops.samples.sample import Sample, make_sample
from batchops.samples.sample_orders import COLUMNS, enrichment
from batchops.stack import Stack

ROWS = 400


@pytest.fixture(scope="module")
def bad_sample() -> Sample:
    return make_sample(ROWS, bad_share=0.06)


@pytest.fixture(scope="module")
def clean_records() -> dict[int, bytes]:
    """The sample's file with every bad row fixed, by source row."""
    return dict(enumerate(iter_records(make_sample(ROWS, bad_share=0).csv, delimiter=","), 1))


@pytest.fixture(scope="module")
def stack(small: Stack) -> Stack:
    return small


def _fix(bad: pd.DataFrame, clean: dict[int, bytes], *, but: set[int]) -> pd.DataFrame:
    """Write the clean row's fields into every row but some."""
    fixed = bad.copy()
    for place, source_row in enumerate(map(int, bad["source_row"])):
        if source_row not in but:
            fields = parse_row(clean[source_row].decode().rstrip("\n"), delimiter=",")
            fixed.iloc[place, : len(COLUMNS)] = pd.Series(fields, dtype="str").to_numpy()
    return fixed


def _versions(job: Job) -> dict[str, str]:
    """Return the latest version of everything that the job has in the bucket."""
    s3, bucket = job.stack.client("s3"), job.entry()["bucket"]
    found = s3.list_object_versions(Bucket=bucket, Prefix=f"jobs/{job.id}/")["Versions"]
    return {item["Key"]: item["VersionId"] for item in found if item["IsLatest"]}


def test_fixed_rows_of_the_sample_get_through_and_the_unfixable_stay(
    stack: Stack, bad_sample: Sample, clean_records: dict[int, bytes]
) -> None:
    job = finished(stack, bad_sample.csv, "sample.csv")
    unfixable = {v.source_row for v in bad_sample.bad if v.rule == "reference"}
    assert unfixable
    before, chunks = job.errors(), _versions(job)
    fixed = _fix(job.rejects(), clean_records, but=unfixable)

    plan = repair(job, fixed)
    assert set(plan.fixed) == set(bad_sample.bad_rows) - unfixable
    assert set(plan.unchanged) == unfixable
    assert not plan.started
    assert _versions(job) == chunks

    assert repair(job, fixed, dry_run=False).started
    job.wait(timeout_s=TIMEOUT_S)
    balance = job.balance(deep=True)
    assert balance.holds
    assert balance.rows_rejected == len(unfixable)
    assert set(job.errors()["source_row"]) == unfixable
    assert completed(job) == _expected(clean_records, unfixable)
    assert list(lineage(job)["kind"]) == ["start", "repair"]
    compared = compare(before, job)
    assert compared.newly_broken.empty
    assert set(compared.fixed["source_row"]) == set(plan.fixed)

    after = _versions(job)
    again = repair(job, fixed, dry_run=False)
    assert not again.needed
    assert not again.started
    assert _versions(job) == after
    assert len(lineage(job)) == 2


def _expected(clean: dict[int, bytes], left_out: set[int]) -> bytes:
    """Return the completed file of the clean sample without some rows."""
    lines = [clean[1].rstrip(b"\n") + b",Units Sold,Unit Price,Unit Cost,Total Revenue,"]
    lines[0] += b"Total Cost,Total Profit\n"
    for row, record in list(clean.items())[1:]:
        if row not in left_out:
            key = parse_row(record.decode().rstrip("\n"), delimiter=",")[0]
            lines.append(record.rstrip(b"\n") + b"," + ",".join(enrichment(key)).encode() + b"\n")
    return b"".join(lines)


# ---------------------------------------------------------------------- one file by hand


def _line(place: int, **changes: str) -> bytes:
    return to_csv([order(place, **changes)]).split(b"\n", 1)[1]


def _crlf(line: bytes) -> bytes:
    return line.replace(b"\n", b"\r\n")


# Row 2 is good, 3 blank, 4 to 7 bad in several ways, 8 has quotes that need not be, and no end.
ODD = b"".join(
    [
        b"\xef\xbb\xbf" + HEADER.encode() + b"\r\n",
        _crlf(_line(0)),
        b"\r\n",
        _crlf(_line(1, Order_Priority="X")),
        _line(2, Country="K\xff").decode().encode("latin-1"),
        _crlf(_line(3))[:-2] + b",\r\n",
        _crlf(_line(4, Sales_Channel="Retail", Ship_Date="soon")),
        _line(5).replace(b"Kenya", b'"Kenya"').rstrip(b"\n"),
    ]
)


@pytest.fixture
def odd(stack: Stack) -> Job:
    job = finished(stack, ODD, "odd.csv")
    assert list(job.rejects()["source_row"]) == [4, 5, 6, 7]
    return job


def _chunk(job: Job) -> bytes:
    """Return the chunk as the job's list of chunks names it."""
    entry, s3 = job.entry(), job.stack.client("s3")
    manifest = json.loads(stored(job, entry["manifestKey"]))
    at = {"Key": manifest[0]["key"], "VersionId": manifest[0]["versionId"]}
    body: bytes = s3.get_object(Bucket=entry["bucket"], **at)["Body"].read()
    return body


def test_edited_rejects_file_fixes_rows_and_keeps_every_other_byte(
    odd: Job, tmp_path: Path
) -> None:
    path = odd.download(tmp_path / "rejected.csv", rejected=True)
    header, *rows = csv.reader(io.StringIO(path.read_bytes().decode("utf-8", "surrogateescape")))
    rows[0][4] = "H"
    rows[1][1] = "Käse"
    edited = io.StringIO()
    csv.writer(edited).writerows([header, *rows])
    path.write_bytes(edited.getvalue().encode("utf-8", "surrogateescape"))

    plan = repair(odd, path, dry_run=False)
    # The third row's only fault is an empty field too many, which nobody can see to take out.
    assert plan.fixed == (4, 5, 6)
    assert plan.unchanged == (7,)
    odd.wait(timeout_s=TIMEOUT_S)
    lines = ODD.splitlines(keepends=True)
    lines[3] = _crlf(_line(1, Order_Priority="H"))
    lines[4] = _line(2, Country="Käse")
    lines[5] = _crlf(_line(3))
    assert _chunk(odd) == b"".join(lines)
    assert list(odd.rejects()["source_row"]) == [7]
    assert list(odd.output()["Country"]) == ["Kenya", "Kenya", "Käse", "Kenya", "Kenya"]
    assert odd.balance(deep=True).holds


def test_patched_chunk_is_an_intermediate_and_its_original_is_kept(odd: Job) -> None:
    fixed = odd.rejects()
    fixed.loc[0, "Order Priority"] = "H"
    repair(odd, fixed.iloc[[0]], dry_run=False)
    odd.wait(timeout_s=TIMEOUT_S)
    s3, at = odd.stack.client("s3"), {"Bucket": odd.entry()["bucket"]}
    at["Key"] = keys.chunk(odd.id, 1)
    tags = s3.get_object_tagging(**at)["TagSet"]
    assert tags == [{"Key": "kind", "Value": "intermediate"}]
    found = s3.list_object_versions(Bucket=at["Bucket"], Prefix=at["Key"])["Versions"]
    (old,) = [item["VersionId"] for item in found if not item["IsLatest"]]
    assert s3.get_object(**at, VersionId=old)["Body"].read() == ODD
    assert list(odd.rejects()["source_row"]) == [5, 6, 7]


def test_rows_that_would_still_fail_are_told_with_their_rules_and_stay_as_they_are(
    odd: Job,
) -> None:
    edited = odd.rejects().iloc[[0, 3]].copy()
    edited["Order Priority"] = ["M", "Z"]
    edited["uuid"] = ["999999999", edited["uuid"].iloc[1]]
    plan = repair(odd, edited, dry_run=False)
    assert not plan.started
    assert plan.failing == (4, 7)
    assert list(plan.frame()["rules"]) == [
        "uuid: reference",
        "Sales Channel: enum; Order Priority: enum; Ship Date: format",
    ]
    assert _chunk(odd) == ODD


def test_only_rejected_rows_of_the_job_can_be_repaired(odd: Job) -> None:
    frame = odd.rejects().iloc[[0]]

    def moved(*rows: int) -> pd.DataFrame:
        return pd.concat([frame.assign(source_row=str(row)) for row in rows])

    with pytest.raises(InputError, match="2: was accepted"):
        plan_repair(odd, moved(2))
    with pytest.raises(InputError, match="3: is a blank line"):
        plan_repair(odd, moved(3))
    with pytest.raises(InputError, match="no such rows: 1, 99"):
        plan_repair(odd, moved(1, 99))
    with pytest.raises(InputError, match="more than once: 4"):
        plan_repair(odd, moved(4, 4))
    assert len(lineage(odd)) == 1


class PowerCutError(Exception):
    pass


@contextmanager
def cut_off(job: Job, plan: RerunPlan) -> Iterator[Attempt]:
    """Claim the attempt that was planned, and have the process die at the end of the block."""
    with suppress(PowerCutError), claim_planned(job, plan) as attempt:
        yield attempt
        raise PowerCutError


def test_repair_that_was_cut_off_loses_nothing(odd: Job) -> None:
    fixed = odd.rejects()
    fixed.loc[0, "Order Priority"] = "H"
    plan = plan_repair(odd, fixed)
    with cut_off(odd, plan.rerun) as attempt:
        patch_chunks(attempt, plan.rerun.manifest, {1: {4: plan.patches[1][4]}})
    assert odd.status().status == "FAILED"
    assert not odd.balance(deep=True).holds
    assert [c.reason for c in rerun(odd).chunks] == ["was to run in attempt 2, and did not"]
    again = repair(odd, fixed, dry_run=False)
    outcomes = again.frame().set_index("source_row")["outcome"]
    assert outcomes.to_dict() == {4: "waiting", 5: "unchanged", 6: "fixed", 7: "unchanged"}
    odd.wait(timeout_s=TIMEOUT_S)
    assert list(odd.rejects()["source_row"]) == [5, 7]
    assert odd.balance(deep=True).holds


def test_repair_that_is_cut_off_between_two_chunks_has_changed_nothing_and_its_reruns_stay_fixed(
    odd: Job,
) -> None:
    """What was put over a chunk counts for nobody until the job's list of chunks names it."""
    fixed = odd.rejects()
    fixed.loc[0, "Order Priority"] = "H"
    plan = plan_repair(odd, fixed.iloc[[0]])
    at = {"Bucket": odd.entry()["bucket"], "Key": keys.chunk(odd.id, 1)}
    with cut_off(odd, plan.rerun) as attempt:
        odd.stack.client("s3").put_object(**at, Body=b"half a repair")
    assert _chunk(odd) == ODD
    assert repair(odd, fixed.iloc[[0]], dry_run=False).fixed == (4,)
    odd.wait(timeout_s=TIMEOUT_S)
    # As a split would that goes on.
    odd.stack.client("s3").put_object(**at, Body=ODD)
    odd.rerun(everything=True, dry_run=False)
    odd.wait(timeout_s=TIMEOUT_S)
    assert list(odd.rejects()["source_row"]) == [5, 6, 7]
    with pytest.raises(JobRunningError, match="while its chunks were patched"):
        patch_chunks(attempt, plan.rerun.manifest, plan.patches)


def test_schema_to_check_with_can_be_given(odd: Job, tmp_path: Path, project_root: Path) -> None:
    edited = odd.rejects().iloc[[3]].assign(**{"Ship Date": "6/1/10"})
    schema = tmp_path / "schema.json"
    shipped = (project_root / "source/schema/record.schema.json").read_text(encoding="utf-8")
    schema.write_text(shipped.replace('["Online", "Offline"]', '["Online", "Offline", "Retail"]'))
    assert plan_repair(odd, edited).failing == (7,)
    plan = plan_repair(odd, edited, schema=schema)
    assert plan.fixed == (7,)
    assert str(schema) in plan.checked_against
    with pytest.raises(InputError, match="cannot read the schema"):
        plan_repair(odd, edited, schema=tmp_path / "none.json")


def test_job_without_chunks_cannot_be_repaired(stack: Stack, odd: Job) -> None:
    refused = finished(stack, b"", "empty.csv", check=False)
    frame: Any = odd.rejects()
    with pytest.raises(JobError, match="never split"):
        plan_repair(refused, frame)
    bucket = odd.entry()["bucket"]
    at = {"Bucket": bucket, "Key": keys.chunk(odd.id, 1)}
    stack.client("s3").delete_object(**at, VersionId=_versions(odd)[at["Key"]])
    with pytest.raises(JobError, match=r"chunks/000001\.csv is gone"):
        plan_repair(odd, frame)


def test_two_repairs_at_the_same_time_do_not_mix(odd: Job) -> None:
    frame = odd.rejects()
    first = plan_repair(odd, frame.iloc[[0]].assign(**{"Order Priority": "H"}))
    second = plan_repair(odd, frame.iloc[[0]].assign(**{"Order Priority": "L"}))
    assert execute_repair(odd, first).started
    with pytest.raises(JobError):
        execute_repair(odd, second)
    odd.wait(timeout_s=TIMEOUT_S)
    assert list(odd.output()["Order Priority"])[1] == "H"
