"""The queue of jobs, with processes that interleave and die at any call, as one state machine.

Each process (a call of the function, or a client) runs in a thread of its own and stops before each
call of AWS until the test lets it go on, fail or die. The table and the workflow are in memory.
"""

from __future__ import annotations

import copy
import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from batchcore import items, queueing, tickets, workflow
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from support import MACHINE_ARN, stack_ref

from batchops.core import ledger
from batchops.core.errors import BatchOpsError
from batchops.core.executions import attempt_state
from batchops.core.job_ref import JobRef
from batchops.recovery.attempts import claimed_attempt
from batchops.recovery.stopping import stop

Key = tuple[str, str]

# What happens to a process at a call: it goes on; it dies, or the call fails, before or after the
# call has had its effect.
FATES = ("go", "go", "go", "die", "die after", "fail", "fail after")


class Died(BaseException):
    """The process is no more; no handler of exceptions sees that."""


class RefusedError(ClientError):
    def __init__(self) -> None:
        super().__init__({"Error": {"Code": type(self).__name__}}, "call")


class TakenError(RefusedError):
    pass


class UnknownError(RefusedError):
    pass


class NoTableError(RefusedError):
    pass


class UnreachableError(ClientError):
    def __init__(self) -> None:
        super().__init__({"Error": {"Code": "ServiceUnavailable"}}, "call")


# ------------------------------------------------------------------------------ in memory


class Table:
    """JobTable: what conditional calls of DynamoDB do to it."""

    exceptions = SimpleNamespace(
        ConditionalCheckFailedException=RefusedError,
        ResourceNotFoundException=NoTableError,
    )

    def __init__(self) -> None:
        self.items: dict[Key, dict[str, Any]] = {}

    @staticmethod
    def _key(item: dict[str, Any]) -> Key:
        return item["jobId"]["S"], item["entry"]["S"]

    def entry(self, job: str) -> dict[str, Any]:
        return items.plain(self.items.get((job, items.JOB_ENTRY), {}))

    def tickets(self) -> list[dict[str, Any]]:
        found = [k for k in sorted(self.items) if k[1].startswith(tickets.TICKET_PREFIX)]
        return [items.plain(self.items[key]) for key in found]

    def _check(self, key: Key, request: dict[str, Any]) -> None:
        condition = request.get("ConditionExpression", "True")
        item, values = self.items.get(key, {}), request.get("ExpressionAttributeValues", {})
        names = request.get("ExpressionAttributeNames", {})
        text = re.sub(r"attribute_not_exists\(([#\w]+)\)", r"(not has('\1'))", condition)
        text = re.sub(r"([#\w]+) (<=|<|=) (:\w+)", r"compare('\1', '\2', '\3')", text)
        text = text.replace("AND", "and").replace("OR", "or")

        def has(name: str) -> bool:
            return names.get(name, name) in item

        def compare(name: str, operator: str, value: str) -> bool:
            if not has(name):
                return False
            left = items.plain({"x": item[names.get(name, name)]})["x"]
            right = items.plain({"x": values[value]})["x"]
            return {"=": left == right, "<": left < right, "<=": left <= right}[operator]

        if not eval(text, {"has": has, "compare": compare}):
            raise RefusedError

    def put_item(self, **request: Any) -> dict[str, Any]:
        key = self._key(request["Item"])
        self._check(key, request)
        self.items[key] = copy.deepcopy(request["Item"])
        return {}

    def get_item(self, **request: Any) -> dict[str, Any]:
        found = self.items.get(self._key(request["Key"]))
        return {"Item": copy.deepcopy(found)} if found else {}

    def delete_item(self, **request: Any) -> dict[str, Any]:
        self.items.pop(self._key(request["Key"]), None)
        return {}

    def update_item(self, **request: Any) -> dict[str, Any]:
        key = self._key(request["Key"])
        self._check(key, request)
        item = self.items.setdefault(key, copy.deepcopy(request["Key"]))
        names = request.get("ExpressionAttributeNames", {})
        sets, _, removes = request["UpdateExpression"].removeprefix("SET ").partition(" REMOVE ")
        for part in sets.split(", "):
            name, value = part.split(" = ")
            item[names.get(name, name)] = request["ExpressionAttributeValues"][value]
        for name in filter(None, removes.split(", ")):
            item.pop(names.get(name, name), None)
        return {}

    def query(self, **request: Any) -> dict[str, Any]:
        values = items.plain(request["ExpressionAttributeValues"])
        partition, first, *last = values.values()
        found = [
            self.items[key]
            for key in sorted(self.items)
            if key[0] == partition
            and (first <= key[1] <= last[0] if last else key[1].startswith(first))
        ]
        return {"Items": copy.deepcopy(found[: request.get("Limit")])}

    def get_paginator(self, _name: str) -> Any:
        return SimpleNamespace(paginate=lambda **request: [self.query(**request)])


class Machine:
    """The main workflow's executions, and what was wrong with how they were started."""

    exceptions = SimpleNamespace(
        ExecutionAlreadyExists=TakenError, ExecutionDoesNotExist=UnknownError
    )

    def __init__(self, table: Table, limit: int) -> None:
        self.table, self.limit = table, limit
        self.executions: dict[str, str] = {}
        self.wrong: list[str] = []

    def running(self) -> list[str]:
        return [name for name, status in self.executions.items() if status == "RUNNING"]

    def start_execution(self, **request: Any) -> dict[str, Any]:
        name = request["name"]
        job = name.partition("-a")[0]
        if name in self.executions:
            if self.executions[name] != "RUNNING":
                raise TakenError
            return {}
        entry = self.table.entry(job)
        if entry["status"] not in (workflow.SUBMITTED, workflow.RUNNING):
            self.wrong.append(f"{name} started though its job is {entry['status']}")
        self.executions[name] = "RUNNING"
        if len(self.running()) > self.limit:
            self.wrong.append(f"{self.running()} run at once")
        return {}

    def describe_execution(self, **request: Any) -> dict[str, Any]:
        name = request["executionArn"].rsplit(":", 1)[-1]
        if name not in self.executions:
            raise UnknownError
        return {"status": self.executions[name], "name": name}

    def stop_execution(self, **request: Any) -> dict[str, Any]:
        name = request["executionArn"].rsplit(":", 1)[-1]
        if name not in self.executions:
            raise UnknownError
        if self.executions[name] == "RUNNING":
            self.executions[name] = "ABORTED"
        return {}

    def list_map_runs(self, **_request: Any) -> dict[str, Any]:
        return {"mapRuns": []}

    def get_paginator(self, _name: str) -> Any:
        return SimpleNamespace(paginate=lambda **_request: [{"executions": []}])


# ----------------------------------------------------------------------------- processes


class Gated:
    """A client whose calls wait at a process's gate."""

    def __init__(self, client: Any, process: Process) -> None:
        self._client, self._process = client, process
        self.exceptions = client.exceptions

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._client, name)
        if name == "get_paginator":
            return call
        return lambda **request: self._process.pass_gate(lambda: call(**request))


class Process:
    """Something that runs, call by call."""

    def __init__(self, work: Callable[[Process], None]) -> None:
        self._may_go, self._waits = threading.Semaphore(0), threading.Semaphore(0)
        self._fate, self.over = "go", False
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()
        self._waits.acquire()

    def _run(self, work: Callable[[Process], None]) -> None:
        try:
            work(self)
        except (Died, ClientError, BatchOpsError):
            pass
        except BaseException as error:
            self.error = error
        self.over = True
        self._waits.release()

    def pass_gate(self, call: Callable[[], Any]) -> Any:
        self._waits.release()
        self._may_go.acquire()
        fate = self._fate
        if fate in ("die", "fail"):
            raise Died if fate == "die" else UnreachableError
        answer = call()
        if fate in ("die after", "fail after"):
            raise Died if fate == "die after" else UnreachableError
        return answer

    def step(self, fate: str = "go") -> None:
        """Let the process make its next call."""
        self._fate = fate
        self._may_go.release()
        self._waits.acquire()
        if self.error is not None:
            raise self.error

    def finish(self) -> None:
        while not self.over:
            self.step()


class QueueModel(RuleBasedStateMachine):
    """Uploads, ends, stops and reruns, each by a process that may die at any call."""

    @initialize(limit=st.integers(1, 2))
    def begin(self, limit: int) -> None:
        self.table = Table()
        self.machine = Machine(self.table, limit)
        self.limit = limit
        self.processes: list[Process] = []
        self.uploads: dict[str, str] = {}

    def _start(self, work: Callable[[tickets.Queue, Any], None]) -> None:
        def run(process: Process) -> None:
            dynamodb, states = Gated(self.table, process), Gated(self.machine, process)
            queue: Any = tickets.Queue(dynamodb, states, "jobs", MACHINE_ARN, self.limit)  # type: ignore[arg-type]
            outputs = {
                "JobTableName": "jobs",
                "MainOrchestratorArn": MACHINE_ARN,
                "ProcessChunkArn": MACHINE_ARN,
                "MaxConcurrentJobs": str(self.limit),
            }
            work(queue, stack_ref(outputs=outputs, dynamodb=dynamodb, stepfunctions=states))

        process = Process(run)
        if not process.over:
            self.processes.append(process)

    # ---------------------------------------------------------------------------- rules

    @rule()
    def upload(self) -> None:
        job = f"job{len(self.uploads):02d}-{0:012d}"
        arrived = datetime.now(UTC) + timedelta(milliseconds=len(self.uploads))
        self.uploads[job] = items.timestamp(arrived)
        self._tell_of(job)

    @rule(data=st.data())
    def tell_again(self, data: st.DataObject) -> None:
        if self.uploads:
            self._tell_of(data.draw(st.sampled_from(sorted(self.uploads))))

    def _tell_of(self, job: str) -> None:
        def work(queue: tickets.Queue, _stack: Any) -> None:
            entry = {
                "jobId": job,
                "entry": items.JOB_ENTRY,
                "status": workflow.QUEUED,
                "attempt": 1,
                "startTime": self.uploads[job],
                "bucket": "b",
                "key": f"input/{job}",
                "versionId": "v",
                "sizeBytes": 1,
                "chunkRows": 1,
                "delimiter": ",",
                "archiveFolder": "a",
            }
            enter(queue, entry)
            queueing.advance(queue)

        self._start(work)

    @rule()
    def look(self) -> None:
        self._start(lambda queue, _stack: void(queueing.advance(queue)))

    @rule(data=st.data(), told=st.integers(0, 2), entered=st.booleans())
    def end(self, data: st.DataObject, told: int, entered: bool) -> None:
        """An execution ends; its end may be told never or twice, and not be in the ledger."""
        if not self.machine.running():
            return
        name = data.draw(st.sampled_from(sorted(self.machine.running())))
        self._end(name, entered=entered)
        for _ in range(told):
            self._start(lambda queue, _stack: void(queueing.release(queue, name)) or advance(queue))

    def _end(self, name: str, *, entered: bool) -> None:
        self.machine.executions[name] = "SUCCEEDED" if entered else "FAILED"
        job, _, attempt = name.partition("-a")
        entry = self.table.items[(job, items.JOB_ENTRY)]
        if entered and items.plain(entry)["attempt"] <= int(attempt or 1):
            entry |= items.attributes({"status": workflow.SUCCEEDED, "endTime": items.utc_now()})

    @rule(data=st.data())
    def split(self, data: st.DataObject) -> None:
        if not self.machine.running():
            return
        name = data.draw(st.sampled_from(sorted(self.machine.running())))
        job, _, attempt = name.partition("-a")
        entry = self.table.items[(job, items.JOB_ENTRY)]
        if "endTime" not in entry and items.plain(entry)["attempt"] == int(attempt or 1):
            entry |= items.attributes({"status": workflow.RUNNING})

    @rule(data=st.data())
    def stop_job(self, data: st.DataObject) -> None:
        if self.uploads:
            job = data.draw(st.sampled_from(sorted(self.uploads)))
            self._start(
                lambda _queue, stack: void(
                    stop(JobRef(stack, job), timeout_s=20, sleep=lambda _s: None)
                )
            )

    @rule(data=st.data())
    def rerun(self, data: st.DataObject) -> None:
        if not self.uploads:
            return
        job = data.draw(st.sampled_from(sorted(self.uploads)))

        def work(_queue: tickets.Queue, stack: Any) -> None:
            ref = JobRef(stack, job)
            with claimed_attempt(ref, after=ref.ledger_entry().attempt, chunks=None) as attempt:
                pass
            attempt.start(by="rerun")

        self._start(work)

    @rule()
    def pass_time(self) -> None:
        """More than the patience with a start passes."""
        slots = self.table.items.get((tickets.QUEUE, queueing.SLOTS))
        if slots is None:
            return
        long_ago = {"S": "2026-01-01T00:00:00.000Z"}
        slots["checked"] = long_ago
        for holder in slots["holders"]["M"].values():
            holder["M"]["since"] = long_ago

    @rule(data=st.data(), fate=st.sampled_from(FATES), calls=st.integers(1, 6))
    def step(self, data: st.DataObject, fate: str, calls: int) -> None:
        """A process makes some calls; something may befall it at the last of them."""
        if not self.processes:
            return
        process = data.draw(st.sampled_from(self.processes))
        for number in range(calls):
            if not process.over:
                process.step(fate if number == calls - 1 else "go")
        if process.over:
            self.processes.remove(process)

    # ----------------------------------------------------------------------------- laws

    @invariant()
    def nothing_started_that_should_not(self) -> None:
        if hasattr(self, "machine"):
            assert self.machine.wrong == []

    def teardown(self) -> None:
        """Every job that was not stopped ends, whoever died, if somebody looks now and then."""
        if not hasattr(self, "machine"):
            return
        for job in self.uploads:  # Lambda repeats the event of a call that failed
            self._tell_of(job)
        for process in self.processes:
            process.finish()
        for _ in range(3 * len(self.uploads) + 3):
            for name in self.machine.running():
                self._end(name, entered=True)
            self.pass_time()
            self._start(lambda queue, _stack: advance(queue))
            self.processes[-1].finish()
        assert self.machine.wrong == []
        assert self.table.tickets() == []
        assert self.machine.running() == []
        stack = stack_ref(
            outputs={"MainOrchestratorArn": MACHINE_ARN, "JobTableName": "jobs"},
            dynamodb=self.table,
            stepfunctions=self.machine,
        )
        for job in self.uploads:
            entry = ledger.job_entry(stack, job)
            assert entry is not None
            state = attempt_state(stack, entry)
            if entry.attempt == 1:
                # The end of an execution whose stop died is known to Step Functions alone.
                assert state.ended, (job, state)
            else:
                # The process that claimed a rerun may have died before it wrote the ticket.
                assert state.ended or not state.started, (job, state)


def enter(queue: tickets.Queue, entry: dict[str, Any]) -> None:
    """Enter an upload, as s3-lambda-notification does."""
    dynamodb: Any = queue.dynamodb
    try:
        dynamodb.put_item(
            Item=items.attributes(entry), ConditionExpression="attribute_not_exists(jobId)"
        )
    except RefusedError:
        key = {name: entry[name] for name in ("jobId", "entry")}
        entry = items.plain(dynamodb.get_item(Key=items.attributes(key))["Item"])
    if (entry["status"], entry["attempt"]) == (workflow.QUEUED, 1):
        job = entry["jobId"]
        tickets.put_ticket(queue, tickets.Ticket(job, 1, entry["startTime"], "{}"))


def advance(queue: tickets.Queue) -> None:
    queueing.advance(queue)


def void(_value: object) -> None:
    """Leave a result out."""


TestQueue = pytest.mark.slow(QueueModel.TestCase)
TestQueue.settings = settings(
    max_examples=120,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
