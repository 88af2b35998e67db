"""Many things at once: each job comes to what it comes to alone, or is refused by name."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from batchcore import keys, workflow
from e2e.jobs import TIMEOUT_S, completed, deliver, finished, stored, wait_until
from e2e.rows import COMPLETED_HEADER, enriched, order, to_csv

from batchops.core.errors import JobRunningError, StackBusyError
from batchops.deployment.holdings import running_jobs
from batchops.job import Job
from batchops.local.engine import LocalEngine
from batchops.stack import Stack

CHUNK_ROWS = 20


@pytest.fixture(scope="module")
def own(engine: LocalEngine, few_keys: Path) -> Iterator[Stack]:
    """A stack of its own, which is updated and destroyed under its jobs."""
    stack = Stack("concurrency", engine=engine)
    stack.deploy(reference_data=few_keys, FileChunkSize=CHUNK_ROWS)
    yield stack
    if stack.status().deployed:
        stack.destroy(dry_run=False, force=True)


def _rows(start: int, count: int) -> list[list[str]]:
    """Return rows that say whose they are; the second is bad."""
    rows = [order((start + n) % 50, Country=f"File {start} row {n}") for n in range(count)]
    rows[1][4] = "X"
    return rows


def _completed(start: int, count: int) -> bytes:
    """Return the completed file that such rows come to."""
    rows = _rows(start, count)
    lines = [enriched(",".join(row), (start + n) % 50) for n, row in enumerate(rows) if n != 1]
    return "".join(f"{line}\n" for line in (COMPLETED_HEADER, *lines)).encode()


def _assert_whole(job: Job, start: int, count: int) -> None:
    """Check that a job came to what the same file comes to alone, to the byte."""
    job.wait(timeout_s=TIMEOUT_S)
    assert job.balance(deep=True).holds
    assert completed(job) == _completed(start, count)
    assert list(job.errors()["source_row"]) == [3]
    assert list(job.rejects()["source_row"]) == [3]


def _all_at_once(calls: list[Callable[[], Any]]) -> list[Any]:
    """Make calls at the same moment; return their results, an error being one too."""
    together = threading.Barrier(len(calls))

    def make(call: Callable[[], Any]) -> Any:
        together.wait(timeout=TIMEOUT_S)
        try:
            return call()
        except JobRunningError as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(make, calls))


def _start(stack: Stack, name: str, *, start: int = 0, count: int) -> Job:
    """Submit a file of many chunks, and wait until some of them are through."""
    job = stack.submit(to_csv(_rows(start, count)), name=name)
    wait_until(lambda: job.status().chunks_done > 0)
    assert not job.status().ended
    return job


# ------------------------------------------------------------------------------ uploads


def test_files_at_once_are_jobs_that_do_not_mix(stack: Stack, bucket: str) -> None:
    """Names in two folders, of which a job id keeps nothing, and versions of one name.

    Eight of them: each function that is at work at once is a process. Twenty are in
    ``tests/unit/test_hostile_input.py``.
    """
    names = ["0/+.csv", "1/+.csv", "0/++.csv", "1/++.csv"] + ["one name.csv"] * 4
    jobs = [stack.submit(to_csv(_rows(n, CHUNK_ROWS)), name=name) for n, name in enumerate(names)]
    assert len({job.id for job in jobs}) == len(names)
    for n, job in enumerate(jobs):
        _assert_whole(job, n, CHUNK_ROWS)
    assert len({job.entry()["archiveKey"] for job in jobs}) == 5
    left = stack.client("s3").list_object_versions(Bucket=bucket, Prefix="input/")
    assert not {version["Key"] for version in left.get("Versions", [])} & {
        f"input/{name}" for name in names
    }


def test_event_delivered_five_times_at_once_starts_one_job(own: Stack) -> None:
    job = own.submit(to_csv(_rows(7, 25)), name="five events.csv")
    wait_until(lambda: job.status().status not in ("WAITING", "QUEUED"))
    entry = job.entry()
    answers = _all_at_once([lambda: deliver(own, entry)] * 5)
    assert [answer["started"] for answer in answers] == [0] * 5
    _assert_whole(job, 7, 25)
    # Nor when it has ended.
    entry = job.entry()
    assert deliver(own, entry)["started"] == 0
    assert job.entry() == entry
    assert list(job.lineage()["attempt"]) == [1]
    machine = own.outputs["MainOrchestratorArn"]
    pages = own.client("stepfunctions").get_paginator("list_executions")
    executions = pages.paginate(stateMachineArn=machine).search("executions[].name")
    assert [name for name in executions if name.startswith(job.id)] == [job.id]


# ---------------------------------------------------------------- reruns and repairs at once


def test_of_reruns_and_repairs_at_once_one_wins_and_the_others_are_told(own: Stack) -> None:
    job = finished(own, to_csv(_rows(3, 60)), "raced.csv")
    fixed = job.rejects().assign(**{"Order Priority": "M"})
    results = _all_at_once(
        [
            lambda: job.rerun(chunks=[2], dry_run=False),
            lambda: job.rerun(everything=True, dry_run=False),
            lambda: job.repair(fixed, dry_run=False),
        ]
    )
    refused = [result for result in results if isinstance(result, JobRunningError)]
    assert len(refused) == 2
    assert all(job.id in str(error) for error in refused)
    job.wait(timeout_s=TIMEOUT_S)
    assert job.balance(deep=True).holds
    assert list(job.lineage()["attempt"]) == [1, 2]
    # Whoever won, what the repair wants can be had afterwards, and once only.
    if job.repair(fixed).needed:
        job.repair(fixed, dry_run=False)
        job.wait(timeout_s=TIMEOUT_S)
    assert job.balance(deep=True).rows_rejected == 0
    countries = [row[1] for row in _rows(3, 60)]
    assert list(job.output()["Country"]) == countries
    assert job.errors().empty


def test_running_job_is_neither_rerun_nor_repaired(own: Stack) -> None:
    done = finished(own, to_csv(_rows(4, 60)), "repaired while it runs.csv")
    fixed = done.rejects().assign(**{"Order Priority": "M"})
    before = {key: stored(done, key) for key in (keys.chunk(done.id, n) for n in (1, 2, 3))}
    done.rerun(everything=True, dry_run=False)
    for attempt in (lambda: done.repair(fixed, dry_run=False), lambda: done.rerun(chunks=[1])):
        with pytest.raises(JobRunningError, match=r"is RUNNING \(attempt 2\)"):
            attempt()
    _assert_whole(done, 4, 60)
    assert {key: stored(done, key) for key in before} == before


# --------------------------------------------------------------- the stack under running jobs


def test_job_goes_on_while_the_stack_is_updated(own: Stack) -> None:
    """It keeps its chunk size and delimiter; code and archive folder are those of the moment."""
    job = _start(own, "updated.csv", start=5, count=100)
    own.deploy(FileChunkSize=CHUNK_ROWS + 1, InputArchiveFolder="elsewhere")
    _assert_whole(job, 5, 100)
    assert len(job.chunks()) == 5
    # Which of the two depends on when the update met the job; it is there in either case.
    archived = job.entry()["archiveKey"]
    assert archived in {"input_archive/updated.csv", "elsewhere/updated.csv"}
    own.client("s3").head_object(Bucket=own.outputs["SourceBucketName"], Key=archived)
    later = own.submit(to_csv(_rows(6, 22)), name="later.csv")
    _assert_whole(later, 6, 22)
    assert len(later.chunks()) == 2
    assert later.entry()["archiveKey"] == "elsewhere/later.csv"


def test_destruction_is_refused_while_a_job_runs_unless_it_is_to_be_stopped(own: Stack) -> None:
    job = _start(own, "doomed.csv", count=600)
    assert f"1 of them running: {job.id}" in str(own.destroy())
    with pytest.raises(StackBusyError, match=job.id):
        own.destroy(dry_run=False)
    assert job.entry()["status"] == workflow.RUNNING
    assert running_jobs(own) == (job.id,)

    found = own.destroy(dry_run=False, force=True)
    assert found.deleted
    assert found.stopped == (job.id,)
    assert f"stopped first: {job.id}" in str(found)
    assert not own.status().deployed
