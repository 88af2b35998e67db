"""Looking into a deployed stack: doctor, preview, resources, logs, causes, single functions."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from batchcore import keys
from e2e.debugger import Debugger
from e2e.jobs import TIMEOUT_S, finished, wait_until
from e2e.permissions import unanswered
from e2e.rows import order, to_csv

from batchops.core.errors import FunctionFailedError, InputError, StackBusyError
from batchops.core.project import Project
from batchops.core.stack_ref import Outputs, describe_stack
from batchops.deployment import change_sets
from batchops.deployment.artifact_bucket import publish_template
from batchops.deployment.holdings import count_holdings, refuse_running, running_jobs
from batchops.deployment.preview import Preview, preview_of
from batchops.deployment.resources import functions, resources
from batchops.deployment.stack_status import stack_status
from batchops.inspection.doctor import run_doctor
from batchops.inspection.invoke import invoke_target
from batchops.inspection.invoke_here import invoke_here
from batchops.inspection.logs import function_logs
from batchops.inspection.steps import steps
from batchops.inspection.why import why
from batchops.job import Job
from batchops.local.engine import LocalEngine
from batchops.stack import Stack


@pytest.fixture(scope="module")
def job(stack: Stack) -> Job:
    """A job of three rows, two of them bad."""
    rows = [order(0), order(1, Order_Priority="X"), order(2, Country="<b>13/40/10</b>" * 9)]
    return finished(stack, to_csv(rows), "inspected.csv")


@pytest.fixture(scope="module")
def event(stack: Stack, job: Job) -> dict[str, Any]:
    """What validate-data was given for the job's chunk, made of the event in the repository."""
    path = Project.find().root / "events" / "validate-data.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    bucket = stack.outputs["SourceBucketName"]
    read = stored(stack, keys.records(job.id, 1))
    return {**found, "jobId": job.id, "bucket": bucket, "read": read}


def stored(stack: Stack, key: str) -> dict[str, str]:
    """Return what the step that stored an object said of it."""
    bucket = stack.outputs["SourceBucketName"]
    version = stack.client("s3").head_object(Bucket=bucket, Key=key)["VersionId"]
    return {"key": key, "versionId": version}


# -------------------------------------------------------------------------------------- doctor


def test_doctor_finds_nothing_wrong_with_a_deployed_stack(stack: Stack) -> None:
    diagnosis = run_doctor(stack)
    assert diagnosis.ok, str(diagnosis)
    found = {check.name: check for check in diagnosis.checks}
    info = stack.target.endpoint
    assert info is not None
    assert found["engine"].found == f"{info.endpoint_url}, process {info.pid}"
    assert found["engine's ports"].found == f"127.0.0.1:{info.port}"
    assert found["stack"].found in ("CREATE_COMPLETE", "UPDATE_COMPLETE")


@pytest.fixture
def account(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """The same stack through the AWS target's code, which asks the engine: there is no account."""
    info = stack.target.endpoint
    assert info is not None
    monkeypatch.setenv("AWS_ENDPOINT_URL", info.endpoint_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", info.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", info.secret_access_key)
    return Stack(stack.name, target="aws", region="us-east-1")


def test_doctor_looks_at_an_account_line_by_line(stack: Stack, account: Stack) -> None:
    sender = stack_status(stack).parameters["SESIdentityName"]
    ses = stack.client("sesv2")
    ses.create_email_identity(EmailIdentity=sender)
    found = {check.name: check for check in run_doctor(account).checks}
    ses.delete_email_identity(EmailIdentity=sender)
    assert found["credentials"].ok
    assert account.target.account_id in found["credentials"].found
    assert found["region"].found == "us-east-1"
    assert found["stack"].ok
    assert found["Lambda"].ok
    assert found["mail account"].ok
    assert found["mail sender"].ok
    assert found["mail recipient"].ok
    new = Stack("not-there", target="aws", region="us-east-1")
    found = {check.name: check for check in run_doctor(new).checks}
    assert found["stack"].ok is None
    assert found["stack"].advice == "deploy it"


# ------------------------------------------------------------------------------------- preview


def _preview(stack: Stack, name: str, **parameters: Any) -> Preview:
    cfn = stack.client("cloudformation")
    body = cfn.get_template(StackName=stack.name)["TemplateBody"]
    text = body if isinstance(body, str) else json.dumps(body)
    change_set = change_sets.create_change_set(
        cfn,
        name,
        template_url=publish_template(stack.target, text),
        parameters=parameters,
        poll_s=stack.target.poll_s,
    )
    change_sets.discard_change_set(cfn, change_set)
    return preview_of(change_set)


def test_preview_names_what_would_change_and_changes_nothing(stack: Stack) -> None:
    cfn = stack.client("cloudformation")
    before, known = stack_status(stack), cfn.list_change_sets(StackName=stack.name)["Summaries"]
    preview = _preview(stack, stack.name, FileChunkSize=777)
    changed = {change.logical_id: change for change in preview.changes}
    assert "Environment" in changed["S3LambdaNotificationFunction"].properties
    assert "S3LambdaNotificationFunction" in str(preview)
    assert stack_status(stack) == before
    assert cfn.list_change_sets(StackName=stack.name)["Summaries"] == known


def test_preview_of_what_is_there_is_unchanged(stack: Stack) -> None:
    assert str(_preview(stack, stack.name)) == f"stack {stack.name}: unchanged"


def test_preview_of_a_new_stack_leaves_none(stack: Stack) -> None:
    mail = dict.fromkeys(("SESSender", "SESRecipient", "SESIdentityName"), "a@example.com")
    preview = _preview(stack, "previewed", **mail, LocalEngine="true")
    assert preview.creates
    assert {change.action for change in preview.changes} == {"Add"}
    assert describe_stack(stack.client("cloudformation"), "previewed") is None


# ----------------------------------------------------------------------------------- resources


def test_resources_are_a_frame_with_every_function(stack: Stack, project_root: Path) -> None:
    frame = resources(stack)
    assert list(frame.columns) == ["logical_id", "type", "physical_id", "status", "updated"]
    assert str(frame["updated"].dtype) == "datetime64[ms, UTC]"
    assert frame["logical_id"].is_monotonic_increasing
    table = frame.set_index("logical_id").loc["JobTable"]
    assert table["physical_id"] == stack.outputs["JobTableName"]
    folders = sorted(path.parent.name for path in (project_root / "source").glob("*/app.py"))
    assert list(functions(stack)) == folders


def test_status_tells_parameters_and_what_to_do(engine: LocalEngine, stack: Stack) -> None:
    status = stack_status(stack)
    assert status.deployed
    assert status.parameters["FileDelimiter"] == ","
    assert "FileDelimiter" in str(status)
    new = stack_status(Stack("not-there", engine=engine))
    assert not new.deployed
    assert str(new) == "stack not-there: NOT_DEPLOYED: deploy it"


def test_outputs_are_attributes_too(stack: Stack) -> None:
    outputs = Outputs(stack.outputs, stack.name)
    assert outputs.JobTableName == stack.outputs["JobTableName"]
    assert "JobTableName" in dir(outputs)
    with pytest.raises(AttributeError, match="no output 'Nothing'"):
        _ = outputs.Nothing


def test_holdings_count_objects_rows_and_jobs(stack: Stack, job: Job) -> None:
    holdings = count_holdings(stack)
    assert holdings.versions[stack.outputs["SourceBucketName"]] > 5
    assert holdings.rows[stack.outputs["ErrorRangesTableName"]] >= 2
    assert holdings.jobs == len(stack.jobs(limit=1_000))
    assert "objects: " in str(holdings)


def test_jobs_that_run_stand_in_the_way_of_a_destruction(stack: Stack) -> None:
    with unanswered(stack):
        job = stack.submit(to_csv([order()]), name="running.csv")
        wait_until(lambda: job.id in running_jobs(stack))
        with pytest.raises(StackBusyError, match=job.id):
            refuse_running(stack)
    job.wait(timeout_s=TIMEOUT_S)
    assert job.id not in running_jobs(stack)


# -------------------------------------------------------------------------------- logs, causes


def test_log_of_a_job_has_its_calls_only(stack: Stack, job: Job) -> None:
    frame = function_logs(stack, "validate-data", job=job.id)
    assert set(frame["job"]) <= {job.id, ""}
    lines = frame[frame["level"] == "INFO"]
    assert list(lines["message"]) == ["done"]
    assert list(lines["chunk"]) == [1]
    assert frame["request_id"].nunique() == 1
    assert frame["raw"].str.startswith("REPORT").sum() == 1
    assert len(function_logs(stack, "validate-data", since="1h", limit=2)) == 2
    assert (
        len(function_logs(stack, "validate-data", since=datetime.now(UTC) + timedelta(hours=1)))
        == 0
    )


def test_unknown_function_is_answered_with_the_known_ones(stack: Stack) -> None:
    for call in (
        lambda: function_logs(stack, "validate_data"),
        lambda: invoke_target(stack, "validate_data", {}),
        lambda: invoke_here(Project.find(), "validate_data", {}, stack=stack),
    ):
        with pytest.raises(InputError, match="validate-data"):
            call()


def test_why_counts_each_rule_with_an_example(job: Job) -> None:
    found = why(job)
    assert [(cause.kind, cause.count, cause.source_row) for cause in found.causes] == [
        ("rejection", 1, 3),
        ("rejection", 1, 4),
    ]
    assert {cause.value for cause in found.causes} == {"X", "<b>13/40/10</b>" * 9}


def test_why_of_a_wrong_delimiter_is_the_deployment_that_accepts_it(stack: Stack) -> None:
    data = to_csv([order(0)]).replace(b",", b":")
    job = finished(stack, data, "colons.csv", check=False)
    (cause,) = why(job).causes
    assert cause.kind == "failure"
    assert cause.next_call == "stack.deploy(FileDelimiter=':'); job.rerun(dry_run=False)"
    frame = steps(job)
    assert list(frame["state"])[-4:] == [
        "Record failure",
        "Announce the failed job",
        "Notify failure",
        "Job failed",
    ]
    assert frame["status"].iloc[-1] == "FAILED"


def test_steps_are_those_of_the_main_workflow(job: Job) -> None:
    frame = steps(job).set_index("state")
    assert set(frame["status"]) == {"SUCCEEDED"}
    wanted = [
        "Split Input File into chunks",
        "Call Step function for each chunk",
        "Merge all Files",
        "Email the file",
    ]
    assert [state for state in frame.index if state in wanted] == wanted
    assert frame.loc[wanted[0], "tries"] == 1
    assert (frame["ms"] >= 0).all()
    assert frame["start"].is_monotonic_increasing


# ----------------------------------------------------------------------------- one function


def test_functions_run_here_as_they_do_where_they_are_deployed(
    stack: Stack, job: Job, event: dict[str, Any]
) -> None:
    here = invoke_here(Project.find(), "validate-data", event, stack=stack)
    there = invoke_target(stack, "validate-data", event)
    assert isinstance(there, dict)
    # Each has stored a version of its own, at a time of its own.
    own = {"ms": 0, "versionId": "", "at": "", "cold": False}
    assert {**here, **own} == {**there, **own}
    assert here["rejected"] == 2
    # Another one in the same process, with another environment: it needs the API's id.
    validated = {**event, "validate": stored(stack, keys.valid(job.id, 1))}
    enriched = invoke_here(Project.find(), "enrich-data", validated, stack=stack)
    assert enriched["key"] == keys.enriched(job.id, 1)
    assert enriched["rejected"] == 0


def test_function_s_error_on_the_target_shows_what_it_wrote(
    stack: Stack, event: dict[str, Any]
) -> None:
    with pytest.raises(FunctionFailedError, match="KeyError: 'key'") as caught:
        invoke_target(stack, "validate-data", {**event, "read": {}})
    assert caught.value.function == "validate-data"


def test_functions_are_invoked_through_an_account_as_well(
    account: Stack, event: dict[str, Any]
) -> None:
    here = invoke_here(Project.find(), "validate-data", event, stack=account)
    there = invoke_target(account, "validate-data", event)
    assert isinstance(there, dict)
    assert here["rejected"] == there["rejected"] == 2


SCRIPT = """
import json, sys
from pathlib import Path
from batchops.local.engine import LocalEngine
from batchops.inspection.invoke_here import invoke_here
from batchops.core.project import Project
from batchops.stack import Stack

name, home, env_home, event = sys.argv[1:]
stack = Stack(name, engine=LocalEngine(Path(home), Path(env_home)))
answer = invoke_here(Project.find(), "validate-data", json.loads(event), stack=stack)
print(json.dumps(answer))
"""


@pytest.fixture
def debugged(
    stack: Stack, engine: LocalEngine, event: dict[str, Any], tmp_path: Path
) -> Iterator[tuple[Debugger, subprocess.Popen[str]]]:
    """A process that waits for a debugger, then invokes validate-data in itself."""
    script = tmp_path / "debugged.py"
    script.write_text(SCRIPT, encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    listen = ["-m", "debugpy", "--listen", f"127.0.0.1:{port}", "--wait-for-client"]
    arguments = [stack.name, str(engine.home), str(engine.env_home), json.dumps(event)]
    process = subprocess.Popen(
        [sys.executable, "-Xfrozen_modules=off", *listen, str(script), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        debugger = Debugger(port)
        yield debugger, process
        debugger.close()
    finally:
        process.kill()
        process.communicate()
        _end_adapter(port)


def _end_adapter(port: int) -> None:
    """End the process that listens for debugpy: it detaches itself, and may outlive a failure."""
    for each in psutil.process_iter(["cmdline"]):
        told = each.info["cmdline"] or []
        if "--for-server" in told and str(port) in told:
            with suppress(psutil.NoSuchProcess):
                each.kill()


def test_breakpoint_in_a_function_is_hit(
    debugged: tuple[Debugger, subprocess.Popen[str]], job: Job, project_root: Path
) -> None:
    """What docs/debugging.md describes for editors, done with the protocol that they speak."""
    debugger, process = debugged
    app = project_root / "source" / "validate-data" / "app.py"
    source = app.read_text(encoding="utf-8").splitlines()
    (line,) = (n for n, text in enumerate(source, 1) if "checked = reject_invalid(" in text)
    debugger.request("initialize", adapterID="debugpy", pathFormat="path")
    debugger.send("attach", justMyCode=True)
    debugger.event("initialized")
    answer = debugger.request(
        "setBreakpoints", source={"path": str(app)}, breakpoints=[{"line": line}]
    )
    assert [found["line"] for found in answer["breakpoints"]] == [line]
    debugger.send("configurationDone")
    thread = debugger.event("stopped")["threadId"]
    frame = debugger.request("stackTrace", threadId=thread)["stackFrames"][0]
    assert (Path(frame["source"]["path"]), frame["line"]) == (app, line)
    seen = debugger.request("evaluate", expression="event['jobId']", frameId=frame["id"])
    assert seen["result"] == repr(job.id)
    rows = debugger.request("evaluate", expression="len(found.rows)", frameId=frame["id"])
    assert rows["result"] == "3"
    debugger.request("continue", threadId=thread)
    debugger.event("terminated")
    # Until then the process stays, for whoever wants its exit code.
    debugger.send("disconnect")
    output, errors = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, errors
    assert json.loads(output)["rejected"] == 2
