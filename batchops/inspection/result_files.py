"""The result files of a job in S3: the completed file and the rejects."""

from __future__ import annotations

import csv
import io
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

from batchcore import workflow
from batchcore.texts import number_of

from batchops.core.column_names import input_columns
from batchops.core.errors import (
    InputError,
    JobError,
    JobFailedError,
    JobRunningError,
    translated,
)
from batchops.deployment.deployed import deployed_schema
from batchops.inspection import frames
from batchops.inspection.source_rows import accepted_rows
from batchops.inspection.spreadsheet_csv import write_frame_quoted, write_quoted
from batchops.inspection.status import settle
from batchops.show.shown import Block, Shown

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd
    from batchcore.schema import RecordSchema

    from batchops.core.job_ref import JobRef
    from batchops.core.ledger import JobEntry


@dataclass(frozen=True)
class ResultFile(Shown):
    """A job's completed file, or its rejects.

    Attributes
    ----------
    bucket, key : str
        The file's place in S3.
    size_bytes : int
        The file's size.
    modified : datetime
        The time when it was written, in UTC.
    """

    bucket: str
    key: str
    size_bytes: int
    modified: datetime

    @property
    def name(self) -> str:
        """The file's name, without folders."""
        return self.key.rsplit("/", 1)[-1]

    def _blocks(self) -> Iterator[Block]:
        when = f"{self.modified:%Y-%m-%d %H:%M} UTC"
        place = f"s3://{self.bucket}/{self.key}"
        yield Block.line(f"{self.name}: {number_of(self.size_bytes, 'byte')}, of {when}, {place}")


def result_key(job: JobRef, *, rejected: bool) -> str:
    """Return the key of a job's completed file, or of its rejects.

    Raises
    ------
    JobNotFoundError, AwsError
    JobRunningError
        If the job has not ended.
    JobFailedError
        If the job ended without a result.
    """
    entry = job.ledger_entry()
    key = entry.rejected_key if rejected else entry.completed_key
    if key is not None and entry.is_merged:
        return key
    status, reason = settle(job.stack, entry)
    if status in workflow.ENDED:
        raise JobFailedError(
            f"job {job.id} ended {status}, so it has no result: {reason}", job_id=job.id
        )
    raise JobRunningError(
        f"job {job.id} is {status}: wait for its end, the result is there then",
        job_id=job.id,
    )


def fetch(
    job: JobRef, key: str, file: IO[bytes], on_bytes: Callable[[int], None] | None = None
) -> None:
    """Copy one of a job's files from the bucket into an open file.

    Raises
    ------
    AwsError
    """
    bucket = job.stack.outputs["SourceBucketName"]
    with translated(f"fetching {key}"):
        job.stack.client("s3").download_fileobj(bucket, key, file, Callback=on_bytes)


def read_output(
    job: JobRef, *, schema: RecordSchema | None = None, source_row: bool = False
) -> pd.DataFrame:
    """Return the completed file; for the columns see `Job.output`."""
    file, entry = _open_result(job, rejected=False)
    names = frames.header_names(file, delimiter=entry.delimiter)
    # Who has added which column matters only for names that occur twice.
    every = [*names, frames.SOURCE_ROW] if source_row else names
    twice = len(set(every)) < len(every)
    added = len(names) - len(_uploaded(job, entry, names)) if twice else 0

    def rows_of(lines: int) -> list[int]:
        rejected = read_rejects(job)[frames.SOURCE_ROW]
        return accepted_rows(job, entry, rejected=set(rejected), lines=lines)

    return frames.completed_frame(
        file,
        delimiter=entry.delimiter,
        added=added,
        schema=schema,
        rows_of=rows_of if source_row else None,
    )


def _uploaded(job: JobRef, entry: JobEntry, names: list[str]) -> list[str]:
    """Return those of a completed file's columns that the upload had."""
    try:
        return input_columns(job, entry)
    except JobError:
        # The job's intermediate files have expired; the schema may be another by now.
        count = len(deployed_schema(job.stack).enrichment)
        return names[: len(names) - count]


def read_rejects(job: JobRef) -> pd.DataFrame:
    """Return the rejected rows; for the columns see `Job.rejects`."""
    file, entry = _open_result(job, rejected=True)
    return frames.rejects_frame(file, delimiter=entry.delimiter)


def _open_result(job: JobRef, *, rejected: bool) -> tuple[IO[bytes], JobEntry]:
    """Return the content of a result file, and the job's entry."""
    file = io.BytesIO()
    fetch(job, result_key(job, rejected=rejected), file)
    file.seek(0)
    return file, job.ledger_entry()


def find_result(job: JobRef, *, rejected: bool) -> ResultFile:
    """Look up a result file in S3.

    Raises
    ------
    JobNotFoundError, JobRunningError, JobFailedError, AwsError
    """
    key, bucket = result_key(job, rejected=rejected), job.stack.outputs["SourceBucketName"]
    with translated(f"looking up {key}"):
        answer = job.stack.client("s3").head_object(Bucket=bucket, Key=key)
    return ResultFile(bucket, key, answer["ContentLength"], answer["LastModified"])


def download(
    job: JobRef,
    path: str | Path,
    *,
    rejected: bool,
    spreadsheet: bool = False,
    replace: bool = True,
    on_bytes: Callable[[int], None] | None = None,
) -> Path:
    """Store a result file at a path, or in a folder, and return its path; see `Job.download`.

    Parameters
    ----------
    spreadsheet
        Store a CSV in which a spreadsheet changes and runs nothing, see `spreadsheet_csv`.
    replace
        Replace a file that is there, rather than raise.

    Raises
    ------
    InputError
        If the folder does not exist, the uploader's name for the file cannot be used here, a file
        is there that is not to be replaced, or the file does not fit into a spreadsheet.
    JobNotFoundError, JobRunningError, JobFailedError, AwsError
    """
    key = result_key(job, rejected=rejected)
    target = Path(path)
    if target.is_dir():
        target /= local_name(key, rejected=rejected)
    with whole_file(target, replace=replace) as part:
        with part.open("wb") as file:
            fetch(job, key, file, on_bytes)
        if spreadsheet:
            _quote_file(part, delimiter=job.ledger_entry().delimiter, rejected=rejected)
    return target


@contextmanager
def whole_file(target: Path, *, replace: bool = True) -> Iterator[Path]:
    """Give a path to write to; what was written becomes the file if the block does not raise.

    Parameters
    ----------
    replace
        Replace a file that is there, rather than raise.

    Raises
    ------
    InputError
        If the folder does not exist, or a file is there that is not to be replaced.
    """
    if not target.parent.is_dir():
        raise InputError(f"no folder {target.parent}: make it first, or give another path")
    # A name that nobody has, so that no file is removed and no symbolic link followed.
    part = target.with_name(f".batchops-{secrets.token_hex(8)}.part")
    if not replace:
        _claim(target)
    stored = False
    try:
        part.touch(exist_ok=False)
        yield part
        part.replace(target)
        stored = True
    except OSError as error:
        if error.errno is None or error.filename not in (None, str(part)):
            raise
        # Such as that of a full disk, which names no file.
        raise OSError(error.errno, error.strerror, str(target)) from error
    finally:
        part.unlink(missing_ok=True)
        if not (replace or stored):
            target.unlink(missing_ok=True)


def _quote_file(path: Path, *, delimiter: str, rejected: bool) -> None:
    """Write a result file again, for spreadsheets."""
    quoted = path.with_suffix(".quoted")
    try:
        with path.open("rb") as file, quoted.open("x", encoding="utf-8", newline="") as out:
            if rejected:
                frame = frames.rejects_frame(file, delimiter=delimiter)
                write_frame_quoted(frame, out, delimiter=delimiter, marked=True)
            else:
                text = io.TextIOWrapper(
                    file, encoding="utf-8-sig", errors="backslashreplace", newline=""
                )
                rows = csv.reader(text, delimiter=delimiter)
                write_quoted(next(rows, []), filter(None, rows), out, delimiter=delimiter)
        quoted.replace(path)
    finally:
        quoted.unlink(missing_ok=True)


def _claim(path: Path) -> None:
    """Make an empty file at a path, at which there must be none."""
    try:
        path.touch(exist_ok=False)
    except FileExistsError as error:
        raise InputError(f"{path} is there already: move it away first") from error


def local_name(key: str, *, rejected: bool) -> str:
    """Return the name of a result file in a folder on this computer.

    In the bucket both result files have the input's name; here one must not replace the other.

    Raises
    ------
    InputError
        If the uploader chose a name that is hidden, or leads elsewhere.
    """
    name = key.rsplit("/", 1)[-1]
    if name.startswith(".") or "\\" in name or not name.isprintable() or not name:
        raise InputError(
            f"the file is called {name!r}, which cannot be its name in a folder: "
            "give the path of a file"
        )
    path = PurePosixPath(name)
    return f"{path.stem}-rejected{path.suffix}" if rejected else name
