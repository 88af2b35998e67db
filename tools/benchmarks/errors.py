"""Section ``errors``: time how a job's errors are read, beside pandas alone, on the local engine.

Jobs of very many errors take the engine many minutes, all of it in writing the table's items. So
these jobs did not run, see `tools.benchmarks.rejected_job`, and the table stays empty.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchcore import error_files, items, workflow
from batchcore.records import read_records, reject
from batchcore.schema import RecordSchema

from batchops.core.project import checkout_root
from batchops.samples.sample import make_sample
from tools.benchmarks.child import Measured, measure
from tools.benchmarks.jobs import local_stack
from tools.benchmarks.machine import describe_machine
from tools.benchmarks.measure import Spread, time_rounds
from tools.benchmarks.rejected_job import TIME, enter_job, records
from tools.benchmarks.results import Goal, Section, Table
from tools.benchmarks.settings import MB, Settings

if TYPE_CHECKING:
    from batchops.stack import Stack

CHUNK_ERRORS = 5_000
READS = ("read_csv", "errors()", "iter_errors()", "why()", "balance()", "first page")
QUICK = ("why()", "balance()", "first page")
REPAIR = "plan of a repair"
# Targets, by the number of errors: seconds.
QUICK_S = {100_000: 0.5, 1_000_000: 1.0}
READ_CSV_RATIO = 2.0
MILLION_S, MILLION_MB = 10.0, 500
MANY_CHUNKS_S = 5.0
REPAIR_S = 8.0
# What writing the errors as a file may add to what a chunk's functions compute.
WRITING_SHARE = 0.1
_BAD_SHARE = 0.03


@dataclass(frozen=True)
class Case:
    """A job, and the measurements of it by verb."""

    errors: int
    chunks: int
    megabytes: float
    found: dict[str, Measured]


def run(settings: Settings) -> Section:
    """Read the errors of jobs of every size, and of one with very many chunks."""
    cases = []
    with local_stack(100) as (stack, folder):
        for errors in settings.error_counts:
            kind: dict[str, Any] = {"errors": errors, "per_chunk": CHUNK_ERRORS, "verbs": READS}
            cases.append(_measure(stack, folder, settings, **kind))
        kind = {"errors": 2 * settings.many_chunks, "per_chunk": 2, "verbs": QUICK}
        cases.append(_measure(stack, folder, settings, **kind))
        kind = {"errors": settings.repaired_rows, "per_chunk": CHUNK_ERRORS, "verbs": (REPAIR,)}
        repaired = _measure(stack, folder, settings, **kind, repairable=True)
    written = _writing(settings.error_counts[0], settings.rounds)
    chunk, piece = _writing_of_chunk(settings.rounds)
    return Section(
        name="errors",
        mode=settings.mode,
        machine=describe_machine(),
        tables=(
            _table([*cases, repaired]),
            _writing_table(written, settings.error_counts[0], chunk, piece),
        ),
        goals=(*_goals(cases), *_other_goals(repaired, piece / chunk)),
    )


def _measure(
    stack: Stack,
    folder: Path,
    settings: Settings,
    *,
    errors: int,
    per_chunk: int,
    verbs: Sequence[str],
    repairable: bool = False,
) -> Case:
    job, size = enter_job(stack, folder, errors, per_chunk, repairable=repairable)
    found = {
        verb: measure(
            "job_reading", f"{verb}:{job}", folder, rounds=settings.rounds, chunk_rows=per_chunk
        )
        for verb in verbs
    }
    return Case(errors, -(-errors // per_chunk), size / MB, found)


def _writing(errors: int, rounds: int) -> dict[str, Spread]:
    """Time what a chunk computes for its errors: the items of the table, and the piece of CSV."""
    rejected = list(records(2, errors))

    def items_of_table() -> None:
        for record in rejected:
            for _ in items.error_items(record, job="j", chunk=2, attempt=1, time=TIME, ttl=1):
                pass

    def piece() -> None:
        error_files.format_piece(rejected, chunk=2, attempt=1, time=TIME)

    return {
        "items of the table": time_rounds(items_of_table, rounds),
        "piece of CSV and counts": time_rounds(piece, rounds),
    }


def _writing_of_chunk(rounds: int) -> tuple[float, float]:
    """Return the seconds to read, judge and write a sample's chunk, and those of its piece."""
    schema = RecordSchema.load(checkout_root() / "source" / "schema" / "record.schema.json")
    data = make_sample(CHUNK_ERRORS, bad_share=_BAD_SHARE).csv
    bad: list[dict[str, Any]] = []

    def chunk() -> None:
        bad.clear()
        for record in read_records(data, schema, delimiter=",", first_row=2):
            if "errors" in record:
                bad.append(record)
            elif not schema.is_valid(record["fields"]):
                faults = schema.violations(record["fields"])
                bad.append(reject(record, stage=workflow.VALIDATE.name, key="", faults=faults))
        for record in bad:
            for _ in items.error_items(record, job="j", chunk=2, attempt=1, time=TIME, ttl=1):
                pass

    def piece() -> None:
        error_files.format_piece(bad, chunk=2, attempt=1, time=TIME)

    return time_rounds(chunk, rounds).median, time_rounds(piece, rounds).median


def _table(cases: list[Case]) -> Table:
    rows = []
    for case in cases:
        alone = case.found.get("read_csv")
        for verb, measured in case.found.items():
            ratio = measured.seconds.median / alone.seconds.median if alone else 0.0
            rows.append(
                (
                    f"{case.errors:,} in {case.chunks:,} chunks, {case.megabytes:,.0f} MB",
                    verb,
                    measured.seconds.text(3),
                    f"{ratio:.2f}" if alone else "",
                    f"{measured.peak_bytes / MB:,.0f}",
                )
            )
    return Table(
        "Reading a job's errors",
        ("errors", "what", "seconds", "times read_csv", "memory, MB"),
        tuple(rows),
        note="read_csv is pandas alone on the same file on disk. The others fetch from the engine.",
    )


def _writing_table(found: dict[str, Spread], errors: int, chunk: float, piece: float) -> Table:
    rows = [(name, f"{spread.median / errors * 1e6:.1f}") for name, spread in found.items()]
    return Table(
        "What a chunk computes for its errors",
        ("what", "microseconds an error"),
        tuple(rows),
        note=f"Without the calls that store them; those of the table take 25 items each. A chunk "
        f"of {CHUNK_ERRORS:,} sample rows, {_BAD_SHARE:.0%} of them bad, is read, judged and made "
        f"into items in {chunk * 1e3:.1f} ms; its piece of CSV takes {piece * 1e3:.2f} ms more.",
    )


def _other_goals(repaired: Case, share: float) -> Iterator[Goal]:
    seconds = repaired.found[REPAIR].seconds.median
    yield _goal(repaired, REPAIR, f"{REPAIR_S:g} s", seconds, REPAIR_S)
    yield Goal(
        "writing the errors as a file, of what a chunk computes",
        f"<= {WRITING_SHARE:.0%}",
        f"{share:.1%}",
        share <= WRITING_SHARE,
    )


def _goals(cases: list[Case]) -> Iterator[Goal]:
    *counted, many = cases
    for case in counted:
        errors = case.found["errors()"]
        ratio = errors.seconds.median / case.found["read_csv"].seconds.median
        if case.errors <= 100_000:
            yield _goal(
                case, "errors()", f"{READ_CSV_RATIO:g} times read_csv", ratio, READ_CSV_RATIO
            )
        else:
            yield _goal(
                case, "errors(), seconds", f"{MILLION_S:g}", errors.seconds.median, MILLION_S
            )
            size = errors.peak_bytes / MB
            yield _goal(case, "errors(), memory", f"{MILLION_MB} MB", size, MILLION_MB)
        most = QUICK_S[100_000 if case.errors <= 100_000 else 1_000_000]
        for verb in QUICK:
            yield _goal(case, verb, f"{most:g} s", case.found[verb].seconds.median, most)
    for verb in QUICK:
        seconds = many.found[verb].seconds.median
        yield _goal(many, verb, f"{MANY_CHUNKS_S:g} s", seconds, MANY_CHUNKS_S)


def _goal(case: Case, what: str, wanted: str, found: float, most: float) -> Goal:
    name = f"{what} of {case.errors:,} errors in {case.chunks:,} chunks"
    return Goal(name, f"<= {wanted}", f"{found:.2f}", found <= most)
