"""The stack that a drill spoils: deployed on a local engine, its functions behind the proxy."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from batchcore.workflow import ENRICH, GET_DATA

from batchops.core.errors import EngineError
from batchops.core.loopback import open_local
from batchops.local.engine import LocalEngine
from batchops.local.gate import HOSTS_PATH
from batchops.stack import Stack
from tools.drill.faults import STEPS
from tools.drill.injector import Injector
from tools.drill.proxy import FaultProxy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchops.local.engine import EngineInfo
    from batchops.samples.sample import Sample

# Seconds that a function may take, so that a hung one is soon given up. The function that calls the
# API needs more than the one that answers.
TIMEOUTS_S = dict.fromkeys(STEPS, 3) | {GET_DATA: 2, ENRICH.function: 8}
_QUEUE = "notices"
_ADMIN_TIMEOUT_S = 10
_METRIC_PERIOD_S = 60


class Rig:
    """A deployed stack with the proxy in front of the engine, and what a drill does to both.

    Parameters
    ----------
    stack
        The stack, deployed by `raised`.
    injector
        Decides which calls are spoilt.
    chunk_of_key
        See `tools.drill.calls.read_call`.
    """

    def __init__(self, stack: Stack, injector: Injector, chunk_of_key: Mapping[bytes, int]) -> None:
        self.stack = stack
        self.injector = injector
        self._info = self._connected()
        self.proxy = FaultProxy(
            STEPS,
            injector,
            upstream=lambda: self._info.port,
            engine_pid=lambda: self._info.pid,
            chunk_of_key=chunk_of_key,
        )
        self._notices: list[str] = []
        self._queue_url = ""
        self._started = time.time()

    def _connected(self) -> EngineInfo:
        return self.engine.start()

    @property
    def engine(self) -> LocalEngine:
        """The local engine."""
        engine = self.stack.target.engine
        if not isinstance(engine, LocalEngine):
            raise EngineError("a drill needs the local engine")
        return engine

    def admit_hosts(self, urls: Iterable[str]) -> None:
        """Let the engine's gate take requests that were sent to these addresses, and no others."""
        request = urllib.request.Request(  # noqa: S310  (an address of this computer)
            self._info.endpoint_url + HOSTS_PATH,
            data=json.dumps([url.removeprefix("http://") for url in urls]).encode(),
            headers=dict(self._info.request_headers),
        )
        with open_local(request, timeout_s=_ADMIN_TIMEOUT_S) as answer:
            answer.read()

    def restart_engine(self) -> None:
        """Stop the engine in order, and start it again."""
        self.engine.stop()
        self._info = self._connected()
        self.admit_hosts(map(self.proxy.url, STEPS))

    # ------------------------------------------------------------------- the functions

    def function_name(self, step: str) -> str:
        """Return the name that a function is deployed under."""
        return f"{self.stack.name}-{step}"

    def place_proxy(self) -> None:
        """Point each function to the proxy, and shorten its time-out."""
        self.admit_hosts(map(self.proxy.url, STEPS))
        client = self.stack.client("lambda")
        for step in STEPS:
            name = self.function_name(step)
            found = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
            client.update_function_configuration(
                FunctionName=name,
                Timeout=TIMEOUTS_S[step],
                Environment={"Variables": {**found, "AWS_ENDPOINT_URL": self.proxy.url(step)}},
            )

    def throttle(self, step: str) -> None:
        """Reserve no concurrency for a function, so that every invocation is refused."""
        self.stack.client("lambda").put_function_concurrency(
            FunctionName=self.function_name(step), ReservedConcurrentExecutions=0
        )

    def unthrottle(self, step: str) -> None:
        """Let a function be invoked again."""
        self.stack.client("lambda").delete_function_concurrency(
            FunctionName=self.function_name(step)
        )

    def throttled(self, step: str) -> int:
        """Count the invocations of a function that this drill had refused."""
        answer = self.stack.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/Lambda",
            MetricName="Throttles",
            Dimensions=[{"Name": "FunctionName", "Value": self.function_name(step)}],
            StartTime=self._started - _METRIC_PERIOD_S,
            EndTime=time.time() + _METRIC_PERIOD_S,
            Period=_METRIC_PERIOD_S,
            Statistics=["Sum"],
        )
        return int(sum(point["Sum"] for point in answer["Datapoints"]))

    # -------------------------------------------------------------------------- notices

    def subscribe(self) -> None:
        """Subscribe a queue to the stack's topic."""
        self._queue_url = subscribe_queue(self.stack, f"{self.stack.name}-{_QUEUE}")

    def noticed(self, job_id: str) -> bool:
        """Return whether the topic was told of a job."""
        for message in self._take(self._queue_url):
            self._notices.append(json.loads(message["Body"])["Message"])
        return any(job_id in notice for notice in self._notices)

    def _take(self, url: str) -> Iterator[Any]:
        sqs = self.stack.client("sqs")
        while found := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in found:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                yield message


@contextmanager
def raised(
    stack: Stack, sample: Sample, *, chunk_rows: int, chunk_of_key: Mapping[bytes, int]
) -> Iterator[Rig]:
    """Deploy a stack for a drill, and delete it afterwards."""
    rig = Rig(stack, Injector(), chunk_of_key)
    with TemporaryDirectory() as folder:
        files = sample.write(Path(folder))
        # One job at a time: whoever keeps a slot that is not theirs holds up the next case.
        stack.deploy(
            reference_data=files.reference,
            FileChunkSize=chunk_rows,
            MaxConcurrentJobs=1,
            replace=True,
        )
    try:
        with rig.proxy:
            rig.place_proxy()
            rig.subscribe()
            yield rig
    finally:
        rig.admit_hosts(())
        stack.destroy(dry_run=False, force=True)


def subscribe_queue(stack: Stack, name: str) -> str:
    """Create a queue that receives what the stack's topic is told, and return its URL."""
    sqs, sns = stack.client("sqs"), stack.client("sns")
    topic = stack.outputs["SNSTopicArn"]
    url: str = sqs.create_queue(QueueName=name)["QueueUrl"]
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    queue = answer["Attributes"]["QueueArn"]
    allow = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    return url
