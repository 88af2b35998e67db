"""The command line on many jobs, tables in each form and locale, and what the Tab key completes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from io import StringIO
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from batchcore import jobs, keys
from botocore.stub import Stubber
from click.shell_completion import ShellComplete
from click.testing import CliRunner
from support import BUCKET, JOB_TABLE, SESSION, stack_ref

from batchops.cli import main
from batchops.cli.jobs import SORTED
from batchops.core.errors import AwsError, JobRunningError
from batchops.core.job_ref import JobRef
from batchops.core.ledger import JobEntry
from batchops.core.uploads import may_be_uploaded
from batchops.inspection.frames import jobs_frame
from batchops.inspection.status import JobStatus
from batchops.job import Job
from batchops.recovery.rerun_plan import RerunPlan
from batchops.recovery.stopping import Stopped
from batchops.stack import Stack

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result
    from support import Account

NAMES = ("orders-1", "文件-2", "orders-3")
ENTERED = {"status": "SUCCEEDED", "attempt": 1, "key": "input/a.csv"}
LONG = "a-name-that-no-terminal-of-eighty-columns-shows-in-one-line" * 3


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["--target", "aws", "--region", "eu-west-1", *words])


def entry(job_id: str, status: str, **more: Any) -> JobEntry:
    shared = {"attempt": 1, "key": "k", "startTime": "2026-03-04T05:06:07.000Z"}
    return JobEntry({"jobId": job_id, "status": status, **shared, **more})


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch) -> list[JobEntry]:
    """The jobs that the stack has, in the order in which they are listed."""
    found = [
        entry(NAMES[0], "FAILED", rowsIn=10, chunks=1, key=f"input/{LONG}.csv"),
        entry(NAMES[1], "SUCCEEDED", rowsIn=30, chunks=1, rowsOut=29, rowsRejected=1),
        entry(NAMES[2], "RUNNING", rowsIn=20, chunks=1),
    ]

    def listed(_: Stack, *, status: str | None = None, **__: Any) -> pd.DataFrame:
        return jobs_frame(each for each in found if status in (None, each.status))

    monkeypatch.setattr(Stack, "jobs", listed)

    def found_job(stack: Stack, job_id: str) -> Job:
        return Job(stack, job_id)

    monkeypatch.setattr(Stack, "job", found_job)
    return found


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, ledger: list[JobEntry]) -> list[str]:
    """What was done to jobs; the second cannot be stopped, run again or downloaded."""
    said: list[str] = []

    def refuse(job: Job, doing: str) -> None:
        said.append(f"{doing} {job.id}")
        if job.id == NAMES[1]:
            raise JobRunningError("dry_run=False starts it", job_id=job.id)

    def rerun(job: Job, *, dry_run: bool, **_: Any) -> RerunPlan:
        refuse(job, f"rerun {dry_run}")
        return RerunPlan(job.id, 2, "ended", True, (), (), (), "", "", {}, "resume", not dry_run)

    def stop(job: Job, *, dry_run: bool = False) -> Stopped:
        refuse(job, f"stop {dry_run}")
        return Stopped(job.id, 1, "ABORTED", (), stopped=not dry_run)

    def download(job: Job, path: Path, **_: Any) -> Path:
        refuse(job, "download")
        assert path.is_dir()
        return path / "file.csv"

    def wait(_: Job, **__: Any) -> JobStatus:
        return JobStatus("SUCCEEDED")

    for name, method in {"rerun": rerun, "stop": stop, "download": download, "wait": wait}.items():
        monkeypatch.setattr(Job, name, method)
    return said


# ------------------------------------------------------------------------------ which jobs


def test_jobs_that_are_not_meant_do_not_count_for_the_limit(
    monkeypatch: pytest.MonkeyPatch, ledger: list[JobEntry], asked: list[str]
) -> None:
    ledger[:0] = [entry(f"good-{number}", "SUCCEEDED") for number in range(9)]
    ledger += [entry("older", "ABORTED", startTime="2026-03-03T00:00:00.000Z")]
    ledger += [entry("oldest", "TIMED_OUT", startTime="2026-03-02T00:00:00.000Z")]

    def listed(_: Stack, *, status: str | None, limit: int, **__: Any) -> pd.DataFrame:
        return jobs_frame([each for each in ledger if status in (None, each.status)][:limit])

    monkeypatch.setattr(Stack, "jobs", listed)
    result = run("rerun", "--since", "9d", "--limit", "2", "--yes")
    assert asked == ["rerun False orders-1", "rerun False older"]
    assert "there are more than 2 such jobs" in result.stderr
    asked.clear()
    assert "more than" not in run("rerun", "--since", "9d", "--limit", "3", "--yes").stderr
    assert len(asked) == 3


@pytest.mark.parametrize(
    ("words", "done"),
    [
        (["rerun", "--since", "1d"], ["rerun True orders-1"]),
        (["rerun", "--since", "1d", "--yes"], ["rerun False orders-1"]),
        (["rerun", "--status", "failed", "--yes"], ["rerun False orders-1"]),
        (
            ["rerun", "orders-1", "orders-3", "orders-1"],
            ["rerun True orders-1", "rerun True orders-3"],
        ),
        (["stop", "--name", "orders"], ["stop True orders-3"]),
        (["stop", "--name", "orders", "--yes"], ["stop False orders-3"]),
        (["stop", "orders-1", "orders-3"], ["stop False orders-1", "stop False orders-3"]),
        (["stop", "--status", "QUEUED", "--yes"], []),
        (["download", "--since", "1d", "out"], []),
        (["download", "orders-1", "orders-3", "out"], ["download orders-1", "download orders-3"]),
    ],
)
def test_jobs_are_named_or_chosen_and_chosen_ones_listed_first(
    asked: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    done: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    found = run(*words)
    assert found.exit_code == 0, found.output
    assert asked == done
    # Jobs that are named are stopped and fetched at once, as a single one is.
    at_once = "--yes" in words or (words[0] != "rerun" and not words[1].startswith("--"))
    assert ("(--yes " in found.stderr) == (not at_once and bool(done or words[0] == "download"))


@pytest.mark.parametrize(
    "words",
    [
        ["rerun"],
        ["rerun", "orders-1", "--since", "1d"],
        ["rerun", "--since", "yesterday"],
        ["rerun", "--status", "failed", "--chunks", "3"],
        ["rerun", "orders-1", "orders-2", "--chunks", "3"],
        ["rerun", "--status", "failed", "--limit", "0"],
        ["stop"],
        ["stop", "orders-1", "--name", "x"],
        ["download", "out"],
        ["download", "orders-1", "out", "--status", "FAILED"],
        ["jobs", "--sort", "colour"],
        ["jobs", "--descending"],
        ["jobs", "--watch"],
        ["jobs", "--watch", "--json"],
        ["jobs", "--format", "csv", "--json"],
        ["jobs", "--format", "yaml"],
        ["logs", "read-file", "--follow", "--json"],
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_asked(words: list[str]) -> None:
    assert run(*words).exit_code == 2


def test_one_job_that_fails_stops_no_other_and_is_told(asked: list[str]) -> None:
    found = run("rerun", *NAMES, "--yes", "--wait", "--json")
    assert found.exit_code == 1
    assert len(asked) == 3
    told = {each["job"]: each for each in json.loads(found.stdout)["jobs"]}
    assert told[NAMES[0]]["status"] == "SUCCEEDED"
    assert told[NAMES[1]]["error"] == {
        "type": "JobRunningError",
        "message": "dry_run=False starts it",
    }
    said = run("stop", *NAMES)
    assert said.exit_code == 1
    assert f"error: {NAMES[1]}: --yes starts it" in said.stderr


# ----------------------------------------------------------------------------------- tables


def test_a_list_of_jobs_has_the_form_that_is_asked_for(ledger: list[JobEntry]) -> None:
    csv = pd.read_csv(StringIO(run("jobs", "--format", "csv").stdout))
    lines = [json.loads(line) for line in run("jobs", "--format", "ndjson").stdout.splitlines()]
    assert list(csv["job"]) == [line["job"] for line in lines] == list(NAMES)
    assert json.loads(run("jobs", "--format", "json").stdout) == lines
    assert json.loads(run("jobs", "--json").stdout) == lines
    wide = run("jobs", "--format", "wide").stdout.splitlines()
    assert wide[0].split()[:4] == ["job", "status", "file", "start"]
    assert "<NA>" not in "".join(wide)


@pytest.mark.parametrize("form", [[], ["--format", "wide"]], ids=["people", "wide"])
def test_nothing_is_cut_or_folded_in_a_pipe(ledger: list[JobEntry], form: list[str]) -> None:
    (line,) = [line for line in run("jobs", *form).stdout.splitlines() if NAMES[0] in line]
    assert f"{LONG}.csv" in line


@pytest.mark.parametrize("form", [[], ["--format", "wide"]], ids=["people", "wide"])
def test_a_row_stays_on_its_line_whatever_a_value_holds(
    ledger: list[JobEntry], form: list[str]
) -> None:
    ledger[:] = [entry(NAMES[0], "FAILED", key="input/two\nlines\r\x1b[2J.csv")]
    *_, line = run("jobs", *form).stdout.splitlines()
    assert line.startswith(NAMES[0])
    assert "two\\nlines\\r\\x1b[2J.csv" in line


def test_jobs_are_ordered_by_every_column_that_they_have() -> None:
    assert list(SORTED) == list(jobs_frame([]))


@pytest.mark.parametrize(
    ("words", "order"),
    [(["--sort", "rows_in"], [0, 2, 1]), (["--sort", "rows_in", "--descending"], [1, 2, 0])],
)
def test_jobs_are_sorted_by_a_column(
    ledger: list[JobEntry], words: list[str], order: list[int]
) -> None:
    found = json.loads(run("jobs", "--json", *words).stdout)
    assert [each["job"] for each in found] == [NAMES[n] for n in order]


# --------------------------------------------------------------------------------- locales


@pytest.mark.parametrize(
    "locale",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "cp1252"},
    ],
    ids=["C", "ascii", "cp1252"],
)
def test_every_locale_gets_utf_8_in_a_pipe(tmp_path: Path, locale: dict[str, str]) -> None:
    (tmp_path / "data.csv").write_text("Größe,文件\n1,a\n2,b\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "batchops", "schema", "infer", "data.csv"],
        env={**os.environ, **locale},
        cwd=tmp_path,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout.decode("utf-8"))["properties"]) == {"Größe", "文件"}


# ------------------------------------------------------------------------------ completion


def complete(*words: str, incomplete: str = "") -> list[str]:
    found = ShellComplete(main, {}, "batchops", "_BATCHOPS_COMPLETE")
    return [item.value for item in found.get_completions(list(words), incomplete)]


def test_functions_and_parameters_are_completed() -> None:
    assert "validate-data" in complete("logs")
    assert complete("invoke", incomplete="val") == ["validate-data"]
    assert complete("deploy", incomplete="FileCh") == ["FileChunkSize="]
    assert complete("deploy", "FileChunkSize=9", incomplete="FileD") == ["FileDelimiter="]


def test_jobs_are_completed_by_the_stack_that_is_meant(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.put_entry(
        "orders-1", "JOB", listed="JOB", startTime="2026-01-01T00:00:00.000Z", **ENTERED
    )
    stack = stack_ref(outputs={"JobTableName": JOB_TABLE}, dynamodb=account.dynamodb)
    asked: list[Any] = []

    def given(options: Any) -> Any:
        asked.append((options.stack_name, options.target))
        return stack

    monkeypatch.setattr("batchops.cli.options.Options.stack", given)
    typed = ("--stack", "mine", "--target", "aws")
    assert complete(*typed, "show") == ["orders-1"]
    assert complete(*typed, "rerun", incomplete="ord") == ["orders-1"]
    assert complete(*typed, "show", incomplete="x") == []
    assert set(asked) == {("mine", "aws")}


def test_completion_only_reads(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look at jobs that run would enter ends, and start those that wait."""
    for name, status in (("waits", "QUEUED"), ("runs", "RUNNING"), ("ended", "FAILED")):
        values = ENTERED | {"status": status}
        account.put_entry(
            f"{name}-1", "JOB", listed="JOB", startTime="2026-01-01T00:00:00.000Z", **values
        )
    asked: list[str] = []
    client = account.dynamodb
    client.meta.events.register("before-call.dynamodb", lambda model, **_: asked.append(model.name))
    # A client of no other service is there.
    stack = stack_ref(outputs={"JobTableName": JOB_TABLE}, dynamodb=client)
    monkeypatch.setattr("batchops.cli.options.Options.stack", lambda _: stack)
    found = ShellComplete(main, {}, "batchops", "_BATCHOPS_COMPLETE").get_completions(["show"], "")
    assert {item.value: item.help for item in found} == {
        "waits-1": "a.csv",
        "runs-1": "a.csv",
        "ended-1": "FAILED a.csv",
    }
    assert asked == ["Query"]


def test_a_completion_that_fails_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BATCHOPS_HOME", str(tmp_path))
    assert complete("show") == []
    assert complete("--project", str(tmp_path / "none"), "deploy") == []
    assert capfd.readouterr() == ("", "")


# ---------------------------------------------------------------------------- what goes on


@pytest.mark.parametrize(("verb", "words"), [("deploy", []), ("destroy", ["--yes"])])
@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_interrupt_of_a_deployment_says_what_goes_on(
    monkeypatch: pytest.MonkeyPatch, verb: str, words: list[str], form: list[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Stack, verb, interrupted)
    found = run(verb, *words, *form)
    assert found.exit_code == 130
    assert "what CloudFormation has begun goes on: 'batchops status' shows it" in found.stderr
    assert found.stdout == ('{\n  "stack": "batchops"\n}\n' if form else "")


def test_interrupt_of_several_names_those_that_were_started(
    asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = Job.rerun

    def rerun(job: Job, **options: Any) -> Any:
        if job.id == NAMES[2]:
            raise KeyboardInterrupt
        return begun(job, **options)

    monkeypatch.setattr(Job, "rerun", rerun)
    found = run("rerun", NAMES[0], NAMES[2], "--yes", "--json")
    assert found.exit_code == 130
    assert [each["job"] for each in json.loads(found.stdout)["jobs"]] == [NAMES[0]]
    assert "'batchops jobs' lists how the jobs stand" in found.stderr


@pytest.mark.parametrize("error", [KeyboardInterrupt(), AwsError("S3 is away")])
def test_files_that_were_submitted_are_named_whatever_happens_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).touch()

    def submit(stack: Stack, source: str, **_: Any) -> Job:
        if source.endswith("b.csv"):
            raise error
        return Job(stack, "a-1")

    monkeypatch.setattr(Stack, "submit", submit)
    found = run("submit", str(tmp_path / "a.csv"), str(tmp_path / "b.csv"), "--json")
    if isinstance(error, KeyboardInterrupt):
        assert found.exit_code == 130
        assert json.loads(found.stdout) == {"jobs": [{"job": "a-1", "notes": []}]}
        assert "look at 'batchops jobs' before you submit again" in found.stderr
    else:
        assert found.exit_code == 1
        assert json.loads(found.stdout)["error"]["type"] == "AwsError"
        assert "submitted before it: a-1" in found.stderr


def test_interrupt_while_several_are_waited_for_names_them_all(
    asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def wait(job: Job, **_: Any) -> JobStatus:
        if job.id == NAMES[2]:
            raise KeyboardInterrupt
        return JobStatus("SUCCEEDED")

    monkeypatch.setattr(Job, "wait", wait)
    found = run("rerun", NAMES[0], NAMES[2], "--yes", "--wait", "--json")
    assert found.exit_code == 130
    told = json.loads(found.stdout)["jobs"]
    assert [(each["job"], each.get("status")) for each in told] == [
        (NAMES[0], "SUCCEEDED"),
        (NAMES[2], None),
    ]
    assert "'batchops watch JOB' follows one again" in found.stderr


def test_an_upload_that_the_ledger_does_not_have_yet_is_known(account: Account) -> None:
    version = account.put(f"{keys.INPUT_PREFIX}a b.csv", b"x")
    stack = stack_ref(outputs={"SourceBucketName": BUCKET}, s3=account.s3)
    job_id = jobs.job_id(BUCKET, f"{keys.INPUT_PREFIX}a b.csv", version)
    assert may_be_uploaded(JobRef(stack, job_id))
    assert not may_be_uploaded(JobRef(stack, f"{job_id[:-1]}-"))


def test_an_upload_that_may_not_be_looked_for_may_still_come() -> None:
    """Who only uploads may not list versions, and shows a job right after submitting it."""
    s3 = SESSION.client("s3")
    job = JobRef(stack_ref(outputs={"SourceBucketName": BUCKET}, s3=s3), NAMES[0])
    with Stubber(s3) as stub:
        stub.add_client_error("list_object_versions", "AccessDenied")
        assert may_be_uploaded(job)
