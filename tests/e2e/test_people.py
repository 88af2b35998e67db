"""With their policies people can do all that their verbs do, and nothing else.

One user for each role runs all of the verbs of the role on one stack. The calls of each verb are
recorded, and the table in `batchops.deployment.people` is held to them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from batchcore import workflow
from e2e.jobs import TIMEOUT_S, finished, wait_until
from e2e.persons import as_user
from e2e.rows import order, to_csv
from e2e.test_roles import all_probes, is_allowed

from batchops.core.loopback import open_local
from batchops.deployment import people
from batchops.inspection.compare import compare
from batchops.job import Job
from batchops.local.engine import LocalEngine
from batchops.samples.sample import Sample
from batchops.stack import Stack

# Actions of the table that no verb makes here, each with the reason.
UNRECORDED = {
    "s3:ListBucket": "nobody calls it: with it S3 says of an object that is gone 404, and not 403",
    "s3:GetObject": "of an uploader: the list of a rerun's chunks, read while the rerun goes on",
    "states:DescribeExecution": "asked only of a job that runs at the moment when it is looked at",
}
# Two bad rows, one of which a repair fixes.
FILE = to_csv([order(0), order(1, Order_Priority="X"), order(2, uuid="999999999")])

_KINDS = ("header of output", "output", "header of rejects", "rejects", "records", "valid")
_KINDS += ("enriched", "chunks", "survey", "cuts", "cut part", "manifest", "resumed manifest")
_KINDS += ("merge plan", "merge group", "merge parts", "completed", "rejected", "piece of errors")
_KINDS += ("errors", "mail")
_READ_LEDGER = {f"{verb} JobTable" for verb in ("get", "batch get", "query")}
_ASK = {"list bucket", "batch get FinancialTable", *_READ_LEDGER}
_READ = {f"{verb} {kind}" for verb in ("get", "get version") for kind in _KINDS}
_ERRORS = {"query ErrorRangesTable", "query ErrorTable"}
_CALLED = {f"invoke {n}Function" for n in ("SplitIpFile", "ReadFile", "ValidateData", "EnrichData")}
_CALLED |= {f"invoke {n}Function" for n in ("WriteOutputChunk", "MergeS3Files", "SendEmail")}
_CALLED |= {"invoke GetDataFunction", "invoke S3LambdaNotificationFunction"}
# What the credentials of each role are allowed, of all that is tried; by hand.
MAY = {
    "uploader": {*_ASK, "get manifest", "get resumed manifest", "put input"},
    "reader": {*_ASK, *_READ, *_ERRORS},
    "operator": {
        *_ASK,
        *_READ,
        *_CALLED,
        *_ERRORS,
        *(f"put {kind}" for kind in ("input", "manifest", "resumed manifest", "chunks")),
        *(f"{verb} JobTable" for verb in ("put", "update", "delete")),
        "start BlogBatchMainOrchestrator",
        "stop BlogBatchMainOrchestrator",
        "stop BlogBatchProcessChunk",
        "receive from UnstartedUploadsQueue",
    },
}


class Things(NamedTuple):
    """What verbs work on: a job that has ended, a file with many rows, a folder."""

    done: Job
    sample: Sample
    folder: Path


def _calls(stack: Stack, things: Things) -> dict[str, Callable[[], Any]]:
    """Return what each verb does, on somebody's stack with a job that has ended."""
    done, sample, folder = things
    job, started = Job(stack, done.id), []

    def submit() -> None:
        started.append(stack.submit(FILE, name="people.csv"))
        frame = done.output().iloc[:, :8]
        started.append(stack.submit(frame, name="frame.csv"))

    def open_link() -> None:
        with open_local(job.link(), timeout_s=TIMEOUT_S) as answer:
            assert answer.read()

    def whole(found: Any) -> None:
        assert found.missing == ()

    def follow(how: str) -> None:
        for each in started or [job]:
            getattr(each, how)(timeout_s=TIMEOUT_S)

    def stop() -> None:
        uploaded = done.stack.submit(sample.csv, name="stopped.csv")  # by somebody else
        started.append(Job(stack, uploaded.id))
        wait_until(lambda: started[-1].status().status == workflow.RUNNING)
        started[-1].status()
        started[-1].stop()

    def rerun() -> None:
        job.rerun(everything=True, dry_run=False)
        job.wait(timeout_s=TIMEOUT_S)
        if len(started) > 2:
            started[-1].rerun(dry_run=False)
            started[-1].wait(timeout_s=TIMEOUT_S)

    def repair() -> None:
        rows = job.rejects()
        rows["Order Priority"] = "M"
        job.repair(rows, dry_run=False)
        job.wait(timeout_s=TIMEOUT_S)

    def plot() -> None:
        job.graph()
        job.plot_errors()
        job.timeline()

    event = {"httpMethod": "GET", "pathParameters": {"uuid": order(0)[0]}}
    return {
        "outputs": lambda: stack.outputs,
        "plan": lambda: stack.plan(FILE, name="plan.csv", check_keys=True),
        "submit": submit,
        "show": job.status,
        "wait": lambda: follow("wait"),
        "watch": lambda: follow("watch"),
        "status": stack.status,
        "resources": stack.resources,
        "jobs": stack.jobs,
        "why": job.why,
        "errors": lambda: (job.errors(column="Region"), job.error_page()),
        "rejects": job.rejects,
        "output": lambda: (job.output(typed=True), job.output(source_row=True)),
        "download": lambda: job.download(folder),
        "link": open_link,
        "email": job.email,
        "balance": lambda: job.balance(deep=True),
        "duplicates": job.duplicates,
        "chunks": lambda: (job.chunks(), job.chunk_grid()),
        "steps": job.steps,
        "lineage": job.lineage,
        "cost": job.cost,
        "plot": plot,
        "report": lambda: whole(job.report(folder / "report.html")),
        "compare": lambda: compare(job, job),
        "what-if": lambda: job.what_if(stack.schema()),
        "schema explain": stack.schema,
        "stop": stop,
        "rerun": rerun,
        "repair": repair,
        "redeliver": lambda: stack.redeliver(dry_run=False),
        "reconcile": lambda: stack.reconcile(dry_run=False),
        "logs": lambda: stack.logs("read-file", job=job.id),
        "event": lambda: job.event("validate-data", chunk=1),
        "chunk": lambda: whole(job.chunk(1)),
        "invoke": lambda: [stack.invoke("get-data", event, here=here) for here in (False, True)],
    }


@pytest.fixture
def things(done: Job, sample: Sample, tmp_path: Path) -> Things:
    return Things(done, sample, tmp_path)


@pytest.fixture(scope="module")
def done(stack: Stack) -> Job:
    """A job that has ended, and two messages that wait in the queue for `redeliver`."""
    job = finished(stack, FILE, "done.csv")
    entry = job.entry()
    upload = {"key": entry["key"], "size": 1, "versionId": entry["versionId"]}
    event = {"Records": [{"s3": {"bucket": {"name": entry["bucket"]}, "object": upload}}]}
    for body in (json.dumps({"requestPayload": event}), "something else"):
        url = stack.outputs["UnstartedUploadsQueueUrl"]
        stack.client("sqs").send_message(QueueUrl=url, MessageBody=body)
    return job


@pytest.mark.parametrize("role", people.ROLES)
def test_role_can_do_its_verbs_and_nothing_else(
    stack: Stack, engine: LocalEngine, things: Things, role: str
) -> None:
    recorded: dict[str, set[str]] = {}
    policy = f"arn:aws:iam::{stack.target.account_id}:policy/{stack.name}-{role}"
    with as_user(stack, engine, role, policy) as (theirs, target):
        calls = _calls(theirs, things)
        # Last what others wait for: a job is stopped before it is rerun, and repaired after that.
        last = [verb for verb in ("stop", "rerun", "repair") if verb in people.ROLES[role]]
        for verb in [*(v for v in people.ROLES[role] if v not in last), *last]:
            theirs._outputs = None  # as in a process of its own
            with target.recording() as actions:
                calls[verb]()
                recorded[verb] = set(actions)
        probes = all_probes(stack)
        allowed = {name for name, probe in probes.items() if is_allowed(probe, target.client)}
    table = {verb: set().union(*people.VERBS[verb].values()) for verb in people.ROLES[role]}
    assert {
        verb: found - table[verb] for verb, found in recorded.items() if found - table[verb]
    } == {}
    unused = set().union(*table.values()) - set().union(*recorded.values())
    assert unused <= UNRECORDED.keys()
    assert allowed == MAY[role]


def test_every_exception_stands_in_the_table() -> None:
    granted = {
        action for calls in people.VERBS.values() for each in calls.values() for action in each
    }
    assert granted >= UNRECORDED.keys()
