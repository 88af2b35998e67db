"""What a job costs on AWS, service by service: counts times prices.

Nothing is read from a bill. The prices are in `aws_facts`, and the counts in `workload`. A job on
the local engine costs nothing: its cost is what the same counts would cost on AWS.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchcore import workflow
from batchcore.aws import WORKERS, WRITE_BATCH

from batchops.planning import workload
from batchops.planning.aws_facts import price, priced_at
from batchops.planning.function_times import BEST, WORST, chunk_functions, function_seconds
from batchops.show import markup
from batchops.show.numbers import usd_text
from batchops.show.shown import Block, Shown

if TYPE_CHECKING:
    from batchops.planning.workload import Workload

NOT_COUNTED = (
    "storage, object tags, traffic to the internet, X-Ray, alarms, notices, events, tries that "
    "failed, watching the job, and what AWS's free tiers take off"
)

# Assumed: bytes that one call of a function writes to its log (its own line and Lambda's three),
# and that one call of the API writes to the access log.
LOG_BYTES = 1_000
API_LOG_BYTES = 400
_GB = 1e9

Seconds = Mapping[str, float]


@dataclass(frozen=True)
class CostLine:
    """One kind of charge: how much of it, and what that costs in USD."""

    service: str
    what: str
    quantity: float
    usd: float


@dataclass(frozen=True)
class Cost(Shown):
    """What a job costs.

    Attributes
    ----------
    lines : tuple of CostLine
        One for each kind of charge.
    low_usd, high_usd : float
        The total with the functions' times at best and at worst; the same where times are known.
    monthly_usd : float
        What the stack costs each month even if no job runs: its encryption key.
    basis : str
        Where the counts and prices are from.
    """

    _also_in_json = ("total_usd", "by_service", "not_counted")

    lines: tuple[CostLine, ...]
    low_usd: float
    high_usd: float
    monthly_usd: float
    basis: str

    @property
    def total_usd(self) -> float:
        """The sum of all lines."""
        return sum(line.usd for line in self.lines)

    @property
    def by_service(self) -> dict[str, float]:
        """The sum for each service in USD, the most expensive first."""
        sums: dict[str, float] = {}
        for line in self.lines:
            sums[line.service] = sums.get(line.service, 0.0) + line.usd
        return dict(sorted(sums.items(), key=lambda item: -item[1]))

    @property
    def not_counted(self) -> str:
        """What the cost leaves out."""
        return NOT_COUNTED

    def _blocks(self) -> Iterator[Block]:
        rows = [
            (line.service, line.what, f"{line.quantity:,.6g}", usd_text(line.usd))
            for line in self.lines
        ]
        total = ("total", "", "", usd_text(self.total_usd))
        columns = ("service", "what", "quantity", "USD")
        yield Block.table(columns, [*rows, total], lines=[self._summary()])
        note = (
            f"{self.basis}; not counted: {NOT_COUNTED}. The stack's key costs "
            f"{usd_text(self.monthly_usd)} a month."
        )
        yield Block(html=markup.paragraph(note))

    def _summary(self) -> str:
        text = usd_text(self.total_usd)
        if self.high_usd > self.low_usd:
            text += f" ({usd_text(self.low_usd)} to {usd_text(self.high_usd)})"
        parts = ", ".join(f"{name} {usd_text(usd)}" for name, usd in self.by_service.items())
        return f"{text}: {parts}; {self.basis}"


def estimate_cost(work: Workload) -> Cost:
    """Estimate what a job costs that succeeds at its first attempt."""
    best, worst = (lambda_seconds(work, side) for side in (BEST, WORST))
    middle = {name: (best[name] + worst[name]) / 2 for name in best}
    totals = [sum(line.usd for line in price_job(work, seconds)) for seconds in (best, worst)]
    return Cost(
        lines=price_job(work, middle),
        low_usd=totals[BEST],
        high_usd=totals[WORST],
        monthly_usd=price("kms.key_month"),
        basis=f"estimate, {priced_at(work.settings.region)}",
    )


def lambda_seconds(work: Workload, side: int) -> dict[str, float]:
    """Return how many seconds each function runs in the whole job, without cold starts."""
    calls = _invocations(work, work.chunks)
    each = function_seconds(work, side)
    return {name: count * each[name] for name, count in calls.items()}


def _invocations(work: Workload, runs: int, attempts: int = 1) -> dict[str, float]:
    chunk_calls: dict[str, float] = dict.fromkeys(chunk_functions(work), runs)
    return {
        workflow.NOTIFICATION: 1 + 2 * attempts,  # for the upload; each attempt's end comes twice
        # Each range is surveyed and cut. A survey writes nothing, but counts as if it did.
        workflow.SPLIT.function: 1 + (2 * work.ranges + 2 if work.ranges else 0),
        **chunk_calls,
        workflow.GET_DATA: work.calls_per_chunk * runs,
        workflow.MERGE.function: workload.merge_calls(work) * attempts,
        workflow.EMAIL.function: attempts,
    }


def price_job(
    work: Workload, seconds: Seconds, *, runs: int | None = None, attempts: int = 1
) -> tuple[CostLine, ...]:
    """Price a job with this many runs of chunks and attempts in all."""
    runs = work.chunks if runs is None else runs
    again = attempts - 1
    calls = _invocations(work, runs, attempts)
    lookups = calls[workflow.GET_DATA]
    transitions = (
        workload.transitions(work)
        + again * workload.RESUME_TRANSITIONS
        + (runs - work.chunks) * workload.CHUNK_TRANSITIONS
    )
    memory_mb = {name: work.settings.functions[name].memory_mb for name in calls}
    gb_seconds = sum(seconds[name] * memory_mb[name] / 1024 for name in calls)
    writes = workload.JOB_WRITES * attempts + workload.CHUNK_WRITES * runs + work.error_writes
    log_gb = (LOG_BYTES * sum(calls.values()) + API_LOG_BYTES * lookups) / _GB
    puts = workload.s3_puts(work) + work.chunk_puts * (runs - work.chunks)
    gets = workload.s3_gets(work) + work.chunk_gets * (runs - work.chunks)
    charged = (
        ("Step Functions", "state transitions", transitions, "step_functions.transition"),
        ("Lambda", "GB-seconds", gb_seconds, "lambda.gb_second"),
        ("Lambda", "requests", sum(calls.values()), "lambda.request"),
        ("API Gateway", "requests", lookups, "api_gateway.request"),
        ("DynamoDB", "write units", writes, "dynamodb.write_unit"),
        ("DynamoDB", "read units", _read_units(work), "dynamodb.read_unit"),
        ("S3", "PUT requests", puts, "s3.put"),
        ("S3", "GET requests", gets, "s3.get"),
        ("CloudWatch Logs", "GB", log_gb, "logs.gb"),
        ("SES", "mails", attempts, "ses.mail"),
    )
    return tuple(
        CostLine(service, what, quantity, quantity * price(name))
        for service, what, quantity, name in charged
    )


def _read_units(work: Workload) -> float:
    """Return the read units of DynamoDB.

    Each key takes half a unit. Merge and mail read the ledger, which the functions also ask before
    each file and before each round of errors that they write. The queue is read at the job's start,
    and for both events of its end.
    """
    ledger = -(-work.chunks * workload.CHUNK_ENTRY_BYTES // 4096)
    rounds = -(-work.errors // (WRITE_BATCH * WORKERS)) + work.chunks * bool(work.errors)
    return 0.5 * work.keys + ledger + rounds + 11
