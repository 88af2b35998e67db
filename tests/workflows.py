"""Both workflows on moto's interpreter of the states language, with the real functions.

The definitions are the deployed ones. Stood in for are Lambda, for which moto needs Docker (the
functions are called in this process), the events of S3 and EventBridge (`Workflows` hands them on),
and waiting, which takes no time. moto has no Distributed Map that fails because its children did.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

import support
from asl import CHUNK, CHUNK_ARN, MAIN, definition
from batchcore import jobs, workflow
from support import SESSION

from batchops.core.executions import execution_arn
from batchops.core.histories import read_history
from batchops.job import Job

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import ModuleType

    import pytest
    from support import Account, Answer, LoadApp, Received

    from batchops.core.stack_ref import StackRef

# An execution takes a fraction of a second. This is for machines that are busy.
TIMEOUT_S = 600

# What a call ends with instead of its result, by its event: an error's name, or none.
Fault = Callable[[dict[str, Any]], str | None]


def first(*errors: str) -> Fault:
    """Return a fault of the first calls, one after the other."""
    left = list(errors)
    return lambda _event: left.pop(0) if left else None


def always(error: str) -> Fault:
    """Return a fault of every call."""
    return lambda _event: error


def of_chunk(number: int, fault: Fault) -> Fault:
    """Return a fault that strikes the calls of one chunk only."""
    return lambda event: fault(event) if event["chunk"]["number"] == number else None


@dataclass
class Workflows:
    """The stack's workflows and functions in a mocked account.

    Attributes
    ----------
    calls
        How often the workflows called each function, by its folder.
    faults
        What calls of a function end with instead of their result, by its folder.
    events
        S3's event for each job's upload, by the job's id.
    naps
        How long each retry would have waited, in seconds.
    """

    account: Account
    apps: Mapping[str, ModuleType]
    calls: Counter[str] = field(default_factory=Counter)
    faults: dict[str, Fault] = field(default_factory=dict)
    events: dict[str, dict[str, Any]] = field(default_factory=dict)
    naps: list[float] = field(default_factory=list)
    _one_at_a_time: Any = field(default_factory=threading.Lock)

    # ------------------------------------------------------------------------ functions

    def invoke(self, parameters: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Call a task's function, as Lambda answers its workflow."""
        folder = FOLDERS[parameters["FunctionName"].rpartition(":")[2]]
        event = json.loads(parameters["Payload"])
        self.calls[folder] += 1
        error = self.faults[folder](event) if folder in self.faults else None
        if error == "States.Timeout":
            raise TimeoutError
        if error is None:
            try:
                with self._one_at_a_time:  # as in an environment of Lambda
                    result = self.apps[folder].lambda_handler(event, support.context())
                return {"StatusCode": 200, "Payload": json.loads(json.dumps(result))}
            except Exception as raised:
                error, cause = type(raised).__name__, str(raised)
        else:
            cause = "as the test wants"
        payload = {"errorType": error, "errorMessage": cause}
        return {"StatusCode": 200, "FunctionError": "Unhandled", "Payload": payload}

    def answer(self, request: Received) -> Answer:
        """Answer a call of the API with the function behind it."""
        event = {"httpMethod": request.method, "body": request.body.decode()}
        found = self.apps[workflow.GET_DATA].lambda_handler(event, support.context())
        return found["statusCode"], found["body"].encode()

    # ----------------------------------------------------------------------------- jobs

    def upload(self, data: bytes, name: str = "orders.csv") -> Job:
        """Upload a file and hand on the event, which may start its job."""
        key = f"input/{name}"
        version = self.account.put(key, data)
        job = Job(self.stack, jobs.job_id(support.BUCKET, key, version))
        s3_object = {"key": quote_plus(key, safe="/"), "versionId": version, "size": len(data)}
        self.events[job.id] = {
            "Records": [{"s3": {"bucket": {"name": support.BUCKET}, "object": s3_object}}]
        }
        self.tell(self.events[job.id])
        return job

    def tell(self, event: dict[str, Any]) -> dict[str, Any]:
        """Hand an event of S3 or EventBridge to the function that is told."""
        app = self.apps[workflow.NOTIFICATION]
        told: dict[str, Any] = app.lambda_handler(event, support.context())
        return told

    def finish(self, job: Job, *, attempt: int = 1) -> dict[str, Any]:
        """Wait for an attempt's end, hand on the event, and return the execution."""
        deadline = time.monotonic() + TIMEOUT_S
        while (found := self.execution(job, attempt=attempt))["status"] == "RUNNING":
            assert time.monotonic() < deadline, f"{found['name']} still runs"
            time.sleep(0.02)
        detail = {"name": found["name"], "status": found["status"]}
        self.tell({"source": "aws.states", "detail": detail})
        return found

    def run(self, data: bytes, name: str = "orders.csv") -> Job:
        """Upload a file and wait until its job has ended."""
        job = self.upload(data, name)
        self.finish(job)
        return job

    def execution(self, job: Job, *, attempt: int = 1) -> dict[str, Any]:
        """Return what Step Functions says of an attempt."""
        found: dict[str, Any] = self.account.states.describe_execution(
            executionArn=execution_arn(job.stack, job.id, attempt)
        )
        return found

    def states_of(self, job: Job, *, attempt: int = 1) -> list[str]:
        """Return the names of the states that an attempt entered, in order."""
        events = read_history(job.stack, job.id, attempt)
        entered = (event.get("stateEnteredEventDetails") for event in events)
        return [details["name"] for details in entered if details]

    @property
    def stack(self) -> StackRef:
        """The stack, as the client sees it."""
        outputs = {
            "JobTableName": support.JOB_TABLE,
            **support.ERROR_TABLES,
            "FinancialTableName": support.FINANCIAL_TABLE,
            "SourceBucketName": support.BUCKET,
            "MainOrchestratorArn": support.MACHINE_ARN,
            "ProcessChunkArn": CHUNK_ARN,
        }
        clients = {
            "s3": self.account.s3,
            "dynamodb": self.account.dynamodb,
            "stepfunctions": self.account.states,
            "lambda": _Deployed(),
        }
        return support.stack_ref(outputs=outputs, **clients)

    # --------------------------------------------------------------------------- others

    def mails(self) -> int:
        """Return how many mails SES has sent."""
        return int(SESSION.client("ses").get_send_quota()["SentLast24Hours"])

    def notices(self) -> list[str]:
        """Return the messages that the topic has sent."""
        (queue,) = SESSION.client("sqs").list_queues()["QueueUrls"]
        found = SESSION.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
        return [json.loads(message["Body"])["Message"] for message in found.get("Messages", [])]


class _Deployed:
    """What the client asks of Lambda before another attempt: which code is deployed."""

    def get_function_configuration(self, **_: Any) -> dict[str, Any]:
        return {"CodeSha256": "AAA=", "Layers": [], "LastModified": "2026-11-01T00:00:00+00:00"}


# Logical id of a function -> its folder.
FOLDERS = {
    name: function["Properties"]["CodeUri"].rpartition("/")[2]
    for name, function in support.resources("AWS::Serverless::Function").items()
}

MOTO_CONFIG = {"stepfunctions": {"execute_state_machine": True}}


@contextmanager
def interpreted(
    account: Account, load_app: LoadApp, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Workflows]:
    """Put both workflows, the topic and the API into an account with `MOTO_CONFIG`."""
    apps = {folder: load_app(folder) for folder in (*workflow.JOB_FUNCTIONS, workflow.NOTIFICATION)}
    found = Workflows(account, apps)
    _interpret(found, monkeypatch)
    SESSION.client("sesv2").create_email_identity(EmailIdentity=support.SENDER)
    topic = SESSION.client("sns").create_topic(Name=support.TOPIC_ARN.rpartition(":")[2])
    SESSION.client("sqs").create_queue(QueueName="subscriber")
    arn = f"arn:aws:sqs:{support.REGION}:{support.ACCOUNT_ID}:subscriber"
    SESSION.client("sns").subscribe(TopicArn=topic["TopicArn"], Protocol="sqs", Endpoint=arn)
    account.states.update_state_machine(
        stateMachineArn=support.MACHINE_ARN, definition=json.dumps(definition(MAIN))
    )
    account.states.create_state_machine(
        name=CHUNK_ARN.rpartition(":")[2],
        definition=json.dumps(definition(CHUNK)),
        roleArn=f"arn:aws:iam::{support.ACCOUNT_ID}:role/chunk",
    )
    with support.Server(found.answer) as api:
        # For the functions' look-ups. No client goes there.
        monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
        monkeypatch.setenv("AWS_ENDPOINT_URL", api.url)
        yield found


@cache
def _parse() -> Callable[[str], Any]:
    """Return moto's parser. It takes longer than most jobs, and a definition does not change."""
    from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser

    return cache(AmazonStateLanguageParser.parse)


def _interpret(found: Workflows, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fill in what moto lacks, and have nothing wait."""
    # Imported here: it takes a second, in which the tests are only collected.
    from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
    from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
        state_task_service_callback as service_callback,
    )
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
        state_task_service_sfn as service_sfn,
    )
    from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser

    monkeypatch.setattr(AmazonStateLanguageParser, "parse", staticmethod(_parse()))
    monkeypatch.setattr(lambda_eval_utils, "_invoke_lambda_function", found.invoke)
    monkeypatch.setattr(retrier_decl, "time", SimpleNamespace(sleep=found.naps.append))
    monkeypatch.setattr(service_callback, "_DELAY_SECONDS_SYNC_CONDITION_CHECK", 0.03)
    task = service_sfn.StateTaskServiceSfn
    evaluate = task._eval_service_task

    def start(self: Any, env: Any, *, normalised_parameters: dict[str, Any], **given: Any) -> None:
        # moto hands boto3 the names of the states language, and expects them of its answer.
        names = {f"{name[0].lower()}{name[1:]}": v for name, v in normalised_parameters.items()}
        evaluate(self, env=env, normalised_parameters=names, **given)
        answer = env.stack.pop()
        env.stack.append({f"{name[0].upper()}{name[1:]}": v for name, v in answer.items()})

    monkeypatch.setattr(task, "_eval_service_task", start)
