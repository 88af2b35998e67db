"""Read what a job came to, byte by byte, and say how it differs from the job without faults."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from batchcore import items

from batchops.core import ledger
from batchops.inspection.frames import errors_frame

if TYPE_CHECKING:
    from batchops.job import Job

# Columns of Job.errors that depend on the run and not on the data.
_OF_THE_RUN = ["attempt", "time"]
_JOB_COUNTS = ("status", "rows_in", "rows_out", "rows_rejected", "errors", "chunks")
_CHUNK_COUNTS = ("status", "rows", "valid", "rejected", "errors", "piece_bytes")


@dataclass(frozen=True)
class JobOutcome:
    """The results of a job that succeeded.

    Attributes
    ----------
    completed, rejects : bytes
        The two result files.
    errors : tuple of dict
        The errors in the tables, in order, without the columns that depend on the run.
    errors_agree : bool
        Whether the file of errors says the same as the tables.
    counts : dict
        The ledger's counts, by the name of the entry.
    balanced, archived : bool
        Whether the balance holds; whether the input is in the archive and gone from input/.
    """

    completed: bytes = field(repr=False)
    rejects: bytes = field(repr=False)
    errors: tuple[Mapping[Any, Any], ...] = field(repr=False)
    counts: Mapping[str, Mapping[str, Any]]
    balanced: bool
    archived: bool
    errors_agree: bool


def read_outcome(job: Job) -> JobOutcome:
    """Read the results of a job that succeeded.

    Raises
    ------
    JobFailedError, JobRunningError, AwsError
        If there are no results.
    """
    entry = job.ledger_entry()
    errors = errors_frame(ledger.stored_errors(job.stack, job.id))
    counts = {items.JOB_ENTRY: {name: getattr(entry, name) for name in _JOB_COUNTS}}
    for chunk in job.chunk_entries():
        counts[chunk.name] = {name: getattr(chunk, name) for name in _CHUNK_COUNTS}
    return JobOutcome(
        completed=_object(job, entry.completed_key),
        rejects=_object(job, entry.rejected_key),
        errors=tuple(errors.drop(columns=_OF_THE_RUN).to_dict("records")),
        counts=counts,
        balanced=job.balance(deep=True).holds,
        archived=_sizes(job, entry.archive_key) == [entry.size_bytes]
        and not _sizes(job, entry.key),
        errors_agree=entry.errors_file is not None and job.errors().equals(errors),
    )


def _object(job: Job, key: str | None) -> bytes:
    s3, bucket = job.stack.client("s3"), job.stack.outputs["SourceBucketName"]
    body: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return body


def _sizes(job: Job, key: str | None) -> list[int]:
    s3, bucket = job.stack.client("s3"), job.stack.outputs["SourceBucketName"]
    found = s3.list_objects_v2(Bucket=bucket, Prefix=key).get("Contents", ())
    return [item["Size"] for item in found if item["Key"] == key]


def differences(reference: JobOutcome, found: JobOutcome) -> list[str]:
    """Say how an outcome differs from that of the job without faults; empty if it does not."""
    said = []
    for name in ("completed", "rejects"):
        wanted, got = getattr(reference, name), getattr(found, name)
        if wanted != got:
            said.append(f"the {name} file differs: {len(got):,} bytes, not {len(wanted):,}")
    if reference.errors != found.errors:
        said.append(
            f"the recorded errors differ: {len(found.errors):,}, not {len(reference.errors):,}"
        )
    if not found.errors_agree:
        said.append("the file of errors says other than the tables")
    for entry in sorted({*reference.counts, *found.counts}):
        if reference.counts.get(entry) != found.counts.get(entry):
            said.append(f"the ledger's entry {entry} differs: {found.counts.get(entry)}")
    if not found.balanced:
        said.append("the balance does not hold")
    if not found.archived:
        said.append("the input is not in the archive, or still in input/")
    return said


@dataclass(frozen=True)
class RowEnds:
    """Count where the rows of a file ended.

    Attributes
    ----------
    rows_in, rows_out, rows_rejected : int
        Rows of the file, of the completed file and of the rejects.
    lost, doubled : int
        Rows that ended nowhere; ends of rows beyond their first.
    strange : int
        Rows of the completed file that are not in the input.
    """

    rows_in: int
    rows_out: int
    rows_rejected: int
    lost: int
    doubled: int
    strange: int = 0

    def faults(self) -> list[str]:
        """Say what went wrong; empty if each row ended exactly once."""
        counts = {"lost": self.lost, "doubled": self.doubled, "unlike the input's": self.strange}
        return [f"{count:,} rows {what}" for what, count in counts.items() if count]


def count_row_ends(lines: Sequence[bytes], completed: bytes, rejects: bytes) -> RowEnds:
    """Find each row of a file in the result files.

    Parameters
    ----------
    lines
        The file's records, the header first; no two are alike.
    completed, rejects
        The result files.
    """
    header, *rows = _parse(b"".join(lines))
    width = len(header)
    number_of = {tuple(fields): number for number, fields in enumerate(rows, start=2)}
    ends: Counter[int] = Counter()
    strange = out = rejected = 0
    for fields in _body(completed):
        out += 1
        number = number_of.get(tuple(fields[:width]))
        if number is None:
            strange += 1
        else:
            ends[number] += 1
    for fields in _body(rejects):
        rejected += 1
        ends[int(fields[width])] += 1
    numbers = number_of.values()
    return RowEnds(
        rows_in=len(rows),
        rows_out=out,
        rows_rejected=rejected,
        lost=sum(number not in ends for number in numbers),
        doubled=sum(count - 1 for count in ends.values()),
        strange=strange,
    )


def _parse(data: bytes) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(data.decode("utf-8", "surrogateescape"), newline=""))


def _body(data: bytes) -> Iterable[list[str]]:
    records = _parse(data)
    next(records, None)
    return records
