"""What befalls the queue of jobs: its holder dies, an end is not told, an event comes again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from batchcore import queueing
from batchcore.workflow import NOTIFICATION

from batchops.core.ledger import job_entry, stack_queue
from batchops.inspection.invoke import invoke_target
from tools.drill.faults import Fault

if TYPE_CHECKING:
    from batchops.job import Job
    from batchops.stack import Stack

_TIMES = 3
_TIMEOUT_S = 180.0

# The events of ends go through this rule.
_RULE = "EndedJobRule"


@contextmanager
def queue_spoilt(stack: Stack, fault: Fault, file: bytes) -> Iterator[Callable[[Job], None]]:
    """Spoil the queue before a job is submitted; yield what spoils it afterwards.

    Parameters
    ----------
    file
        What a job is given that runs before, where the fault needs one.
    """
    if fault.kind == "dead-holder":
        # As a process leaves it that dies between taking the slot and starting the job, and whose
        # ticket somebody has deleted.
        queueing.hold(stack_queue(stack), "nobody-000000000000", arrived="")
        yield _nothing
    elif fault.kind == "lost-end":
        events, name = stack.client("events"), _rule_name(stack)
        events.disable_rule(Name=name)
        try:
            before = stack.submit(file, name=f"{fault.name}-before.csv")
            before.wait(timeout_s=_TIMEOUT_S)
            yield _nothing
        finally:
            events.enable_rule(Name=name)
    elif fault.kind == "event-twice":
        yield lambda job: _repeat_event(stack, job)
    else:
        yield _nothing


def _nothing(_job: Job) -> None:
    """Leave the queue as it is."""


def _repeat_event(stack: Stack, job: Job) -> None:
    """Deliver the event of a job's upload again, several times at once."""
    while (entry := job_entry(stack, job.id)) is None:
        time.sleep(stack.target.poll_s)
    record: dict[str, Any] = {
        "bucket": {"name": stack.outputs["SourceBucketName"]},
        "object": {
            "key": quote_plus(entry.key, safe="/"),
            "versionId": entry.version_id,
            "size": entry.size_bytes,
        },
    }
    event = {"Records": [{"s3": record}]}
    with ThreadPoolExecutor(_TIMES) as pool:
        list(pool.map(lambda _: invoke_target(stack, NOTIFICATION, event), range(_TIMES)))


def _rule_name(stack: Stack) -> str:
    answer = stack.client("cloudformation").describe_stack_resource(
        StackName=stack.name, LogicalResourceId=_RULE
    )
    name: str = answer["StackResourceDetail"]["PhysicalResourceId"]
    return name.rsplit("/", 1)[-1]
