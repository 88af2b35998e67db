"""The faults that a drill injects: what each does, what it stands for on AWS, where it strikes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from batchcore.workflow import JOB_FUNCTIONS, NOTIFICATION

# How a fault is carried out: by the proxy, or by the drill through calls of AWS.
Action = Literal[
    "refuse",
    "hold",
    "slow",
    "kill",
    "cut",
    "lose",
    "late",
    "leave",
    "throttle",
    "restart",
    "stop",
    "queue",
]

# The functions of a job, by their folder in source/, in the order of their work.
STEPS = (NOTIFICATION, *JOB_FUNCTIONS)
# Places that are no function. The job, or the engine, is stopped as a whole.
WORKFLOW = "workflow"
ENGINE = "engine"
# The queue of jobs.
QUEUE = "queue"
PLACES = (*STEPS, WORKFLOW, ENGINE, QUEUE)


@dataclass(frozen=True)
class Kind:
    """A kind of fault.

    Attributes
    ----------
    name : str
        Its name on the command line.
    action : str
        How it is carried out.
    meaning : str
        What it stands for on AWS; ``--help`` shows it.
    service : str
        The service whose calls it spoils, by its name in signatures; empty for any.
    operations : tuple of str
        The calls that it spoils; empty for any.
    status, code : int, str
        The answer in place of the true one.
    """

    name: str
    action: Action
    meaning: str
    service: str = ""
    operations: tuple[str, ...] = ()
    status: int = 0
    code: str = ""


_KINDS = (
    Kind(
        "exception",
        "refuse",
        "an error that the function does not handle, here a refused call",
        status=403,
        code="AccessDenied",
    ),
    Kind("timeout", "hold", "a call that is never answered, until the function times out"),
    Kind("kill", "kill", "the function's process dies: out of memory, or its host is lost"),
    Kind("partial-write", "cut", "the process dies when some of its writes are done"),
    Kind("lost-answer", "lose", "a write is done, but its answer is lost, so the SDK repeats it"),
    Kind("late-write", "late", "the function times out, and one of its writes arrives afterwards"),
    Kind("slow", "slow", "a slow answer, within the time-out"),
    Kind("throttle", "throttle", "Lambda refuses the invocation because concurrency is used up"),
    Kind("s3-slowdown", "refuse", "S3 throttles", service="s3", status=503, code="SlowDown"),
    Kind("s3-error", "refuse", "a fault of S3", service="s3", status=500, code="InternalError"),
    Kind(
        "dynamodb-throttle",
        "refuse",
        "a table throttles",
        service="dynamodb",
        status=400,
        code="ProvisionedThroughputExceededException",
    ),
    Kind(
        "dynamodb-error",
        "refuse",
        "a fault of DynamoDB",
        service="dynamodb",
        status=500,
        code="InternalServerError",
    ),
    Kind(
        "unprocessed",
        "leave",
        "a batch of which DynamoDB does nothing: UnprocessedItems, UnprocessedKeys",
        service="dynamodb",
        operations=("BatchWriteItem", "BatchGetItem"),
    ),
    Kind("api-throttle", "refuse", "API Gateway throttles", service="execute-api", status=429),
    Kind("api-error", "refuse", "a fault of API Gateway", service="execute-api", status=503),
    Kind(
        "mail-refused",
        "refuse",
        "SES does not take the mail",
        service="ses",
        status=400,
        code="MessageRejected",
    ),
    Kind(
        "mail-throttle",
        "refuse",
        "SES throttles",
        service="ses",
        status=429,
        code="TooManyRequestsException",
    ),
    Kind("stop", "stop", "somebody stops the job while a chunk is at work"),
    Kind("restart", "restart", "only locally: the engine is stopped in order and started again"),
    Kind("dead-holder", "queue", "a process dies that took a slot and has not started its job"),
    Kind("lost-end", "queue", "EventBridge loses the end of the job before, so its slot is held"),
    Kind("event-twice", "queue", "an upload's event is delivered several times at once"),
)
KINDS = {kind.name: kind for kind in _KINDS}


@dataclass(frozen=True)
class Fault:
    """One fault, and where it strikes.

    Attributes
    ----------
    step : str
        The function, by its folder; or ``workflow``, ``engine`` or ``queue``.
    kind : str
        A name of `KINDS`.
    chunk : int or None
        The chunk; None for a step that works on the whole job.
    times : int or None
        How many calls it strikes; None for every call until it is lifted.
    operation : str
        The call that it strikes, such as ``PutObject``; empty for the first of any kind.
    after_writes : int
        Which write of the step it strikes, counted from 1; 0 if writes are not counted.
    at : str
        The function at work when a job or the engine is stopped; empty for the step itself.
    """

    step: str
    kind: str
    chunk: int | None = None
    times: int | None = 1
    operation: str = ""
    after_writes: int = 0
    at: str = ""

    @property
    def function(self) -> str:
        """The function whose calls it strikes."""
        return self.at or self.step

    @property
    def lasting(self) -> bool:
        """Whether it strikes until it is lifted."""
        return self.times is None

    @property
    def name(self) -> str:
        """The name of the file of its case, without the ending."""
        parts = [self.step, self.kind]
        parts += ["lasting"] if self.lasting else []
        parts += [str(self.after_writes)] if self.after_writes else []
        return "-".join(parts)

    @property
    def detail(self) -> str:
        """Which call it strikes, for people."""
        words = [f"during {self.at}"] if self.at else []
        words += [self.operation] if self.operation else []
        words += [f"write {self.after_writes}"] if self.after_writes else []
        return ", ".join(words)
