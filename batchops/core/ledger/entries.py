"""The entries of JobTable, with their attributes by the names that Python uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from batchcore import items, keys, workflow
from batchcore.errors import TooManyRejectsError

from batchops.core.errors import explain_failure


def started_by(attempt: int) -> str:
    """Return the attribute of a JOB entry that says who started an attempt."""
    return f"startedBy{attempt}"


def stopped_by(attempt: int) -> str:
    """Return the attribute of a JOB entry that says who stopped an attempt."""
    return f"stoppedBy{attempt}"


@dataclass(frozen=True, slots=True)
class ErrorsPlace:
    """Where errors of a job or a chunk are in the bucket, and how many there are.

    Attributes
    ----------
    key, version_id : str
        The object and its version; both empty if there is no object, because there are no errors.
    size_bytes : int
        Its size.
    rows : int
        Rows that have errors.
    causes : str
        Their counts by cause, see `batchcore.error_files.CauseCounts`.
    """

    key: str
    version_id: str
    size_bytes: int
    rows: int
    causes: str

    @classmethod
    def of(cls, values: Mapping[str, Any], key: str) -> ErrorsPlace:
        """Return what an attribute of an entry says."""
        version = values.get("versionId", "")
        return cls(key, version, values["sizeBytes"], values["rows"], values["causes"])


@dataclass(frozen=True)
class Entry:
    """An entry of JobTable; what jobs and chunks have in common.

    Attributes
    ----------
    item : mapping
        The entry's attributes by their names in the table.
    """

    item: Mapping[str, Any]

    @property
    def status(self) -> str:
        """The status, see `batchcore.workflow`."""
        return str(self.item["status"])

    @property
    def attempt(self) -> int:
        """The attempt that wrote the entry last."""
        return int(self.item["attempt"])

    @property
    def started(self) -> datetime | None:
        """When the job was entered, or the chunk's workflow started."""
        return _moment(self.item.get("startTime"))

    @property
    def ended(self) -> datetime | None:
        """When it ended; None while it runs."""
        return _moment(self.item.get("endTime"))

    @property
    def error(self) -> str:
        """The name of the error that it ended with; empty if there is none."""
        return str(self.item.get("error", ""))

    @property
    def reason(self) -> str:
        """The error and its cause for a person; empty if there is none."""
        if "error" not in self.item:
            return ""
        return explain_failure(self.error, self.item.get("cause", ""))


@dataclass(frozen=True)
class ResultPlace:
    """Where a result file is, in which version and of which size.

    Attributes
    ----------
    key : str
        Its key.
    version_id : str or None
        The version that the merge wrote; None of a job of a stack that did not note it.
    size_bytes : int or None
        Its size; None as the version.
    """

    key: str
    version_id: str | None
    size_bytes: int | None


class JobEntry(Entry):
    """A job's JOB entry."""

    @property
    def job_id(self) -> str:
        """The job's id."""
        return str(self.item["jobId"])

    @property
    def bucket(self) -> str:
        """The bucket of the input and of all other files of the job."""
        return str(self.item["bucket"])

    @property
    def key(self) -> str:
        """The input's key."""
        return str(self.item["key"])

    @property
    def file(self) -> str:
        """The input's key without ``input/``."""
        return self.key.removeprefix(keys.INPUT_PREFIX)

    @property
    def version_id(self) -> str:
        """The input's version."""
        return str(self.item["versionId"])

    @property
    def size_bytes(self) -> int:
        """The input's size."""
        return int(self.item["sizeBytes"])

    @property
    def delimiter(self) -> str:
        """The delimiter that the input is read with."""
        return str(self.item["delimiter"])

    @property
    def chunk_rows(self) -> int:
        """Rows per chunk; 0 until the split if it chooses them."""
        return int(self.item.get("chunkRows", 0))

    @property
    def archive_folder(self) -> str:
        """The folder that the input is moved to."""
        return str(self.item["archiveFolder"])

    @property
    def arrived(self) -> str:
        """When the job was entered, as the ledger has it: its place in the queue."""
        return str(self.item["startTime"])

    @property
    def attempt_started(self) -> datetime:
        """When the last attempt was entered, or left the queue."""
        return datetime.fromisoformat(str(self.item.get("attemptTime") or self.item["startTime"]))

    @property
    def began(self) -> datetime | None:
        """When the first attempt left the queue or, after others, when the job was entered."""
        return self.attempt_started if self.attempt == 1 else self.started

    @property
    def attempt_token(self) -> str:
        """The token of the process that claimed the attempt; empty for the first attempt."""
        return str(self.item.get("attemptToken", ""))

    @property
    def attempt_s(self) -> float:
        """Seconds from the attempt's start to its end, or to now."""
        return ((self.ended or datetime.now(UTC)) - self.attempt_started).total_seconds()

    @property
    def took_s(self) -> float | None:
        """Seconds that the last attempt took; None if it has not ended."""
        return self.attempt_s if self.ended else None

    @property
    def rows_per_s(self) -> float | None:
        """Rows of the file a second; None unless the first attempt ran them all and succeeded."""
        if self.status != workflow.SUCCEEDED or self.attempt > 1 or not self.took_s:
            return None
        return self.rows_in / self.took_s

    @property
    def code(self) -> Mapping[str, str]:
        """Fingerprints of the functions when the attempt was claimed; empty for the first."""
        return dict(self.item.get("code", {}))

    @property
    def was_split(self) -> bool:
        """Whether the file has been split, in any attempt."""
        return "chunks" in self.item

    @property
    def chunks(self) -> int:
        """Chunks of the file; 0 until it is split for the first time."""
        return int(self.item.get("chunks", 0))

    @property
    def expires(self) -> bool:
        """Whether DynamoDB deletes the entry some day, and those of its chunks (before it)."""
        return "ttl" in self.item

    @property
    def rows_in(self) -> int:
        """Rows of the file; 0 until it is split for the first time."""
        return int(self.item.get("rowsIn", 0))

    @property
    def rows_out(self) -> int | None:
        """Rows of the completed file; None until this attempt has merged its results."""
        return self.item.get("rowsOut") if self.is_merged else None

    @property
    def rows_rejected(self) -> int | None:
        """Rows of the rejects file; None until this attempt has merged its results."""
        return self.item.get("rowsRejected") if self.is_merged else None

    @property
    def errors(self) -> int | None:
        """Errors of all rows; None until this attempt has merged its results."""
        return self.item.get("errors") if self.is_merged else None

    def started_by(self, attempt: int) -> str:
        """Who started an attempt; empty of one that an upload started, and of older ones."""
        return str(self.item.get(started_by(attempt), ""))

    def stopped_by(self, attempt: int) -> str:
        """Who stopped an attempt with batchops; empty if nobody did."""
        return str(self.item.get(stopped_by(attempt), ""))

    @property
    def manifest_key(self) -> str | None:
        """The key of the list of chunks that counts; None if the file was never split."""
        return self.item.get("manifestKey")

    @property
    def header_versions(self) -> Mapping[str, str]:
        """Versions of the result files' headers, by ``output`` and ``rejects``."""
        return dict(self.item.get("headers", {}))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What may be wrong with the file's header; empty until the file is split."""
        return tuple(self.item.get("warnings", {}).values())

    @property
    def is_merged(self) -> bool:
        """Whether the last attempt has merged its results; it may have failed for its rejects."""
        return self.status == workflow.SUCCEEDED or (
            self.status == workflow.FAILED and self.error == TooManyRejectsError.__name__
        )

    @property
    def completed_key(self) -> str | None:
        """The key of the completed file; None until the first merge."""
        return self.item.get("completedKey")

    @property
    def rejected_key(self) -> str | None:
        """The key of the rejects file; None until the first merge."""
        return self.item.get("rejectedKey")

    def result_file(self, *, rejected: bool) -> ResultPlace | None:
        """Return the place of the completed file or of the rejects; None until the first merge."""
        key = self.rejected_key if rejected else self.completed_key
        if key is None:
            return None
        found = self.item.get("rejectedFile" if rejected else "completedFile", {})
        return ResultPlace(key, found.get("versionId"), found.get("sizeBytes"))

    @property
    def ledger_format(self) -> int:
        """The format of the ledger when the job was entered, see `batchcore.items`."""
        return int(self.item.get("ledgerFormat", 1))

    @property
    def errors_file(self) -> ErrorsPlace | None:
        """The file of errors that this attempt has merged; None if it has not, or there is none."""
        found = self.item.get("errorsFile")
        if found is None or found["attempt"] != self.attempt:
            return None
        return ErrorsPlace.of(found, found["key"])

    @property
    def archive_key(self) -> str | None:
        """The key of the input's copy in the archive; None until the first merge."""
        return self.item.get("archiveKey")

    @property
    def mail_status(self) -> str:
        """PENDING, SENT, FAILED, or empty before the job has ended with files."""
        return str(self.item.get("mailStatus", ""))

    @property
    def mail_time(self) -> str:
        """When the mail was sent, ISO 8601; empty if it was not."""
        return str(self.item.get("mailTime", ""))

    @property
    def mail_reason(self) -> str:
        """Why the mail could not be sent; empty if it was, or was not tried."""
        if self.mail_status != workflow.MAIL_FAILED:
            return ""
        return explain_failure(self.item.get("mailError", ""), self.item.get("mailCause", ""))


class ChunkEntry(Entry):
    """A chunk's entry."""

    @property
    def name(self) -> str:
        """The chunk's sort key in the ledger."""
        return str(self.item["entry"])

    @property
    def number(self) -> int:
        """The chunk's number, from 1."""
        return int(self.name.removeprefix(items.CHUNK_PREFIX))

    @property
    def rows(self) -> int | None:
        """Rows of the chunk; None in its first attempt until it has ended."""
        return self.item.get("rows")

    @property
    def valid(self) -> int | None:
        """Rows in the output; None until the chunk has ended."""
        return self.item.get("valid")

    @property
    def rejected(self) -> int | None:
        """Rows that were rejected; None until the chunk has ended."""
        return self.item.get("rejected")

    @property
    def errors(self) -> int | None:
        """Errors of the rejected rows; None until the chunk has ended."""
        return self.item.get("errors")

    @property
    def execution_arn(self) -> str:
        """The execution of the chunk workflow that ran it last; empty if none has."""
        return str(self.item.get("executionArn", ""))

    @property
    def balances(self) -> bool:
        """Whether the chunk succeeded with each of its rows accepted or rejected."""
        return self.status == workflow.SUCCEEDED and self.rows == (self.valid or 0) + (
            self.rejected or 0
        )

    @property
    def error_piece(self) -> ErrorsPlace | None:
        """The chunk's errors, as the last attempt left them that has ended; None if it left none.

        An attempt in a stack of ledger format 1 did not.
        """
        found = self.item.get("errorPiece")
        if found is None:
            return None
        return ErrorsPlace.of(found, keys.error_piece(str(self.item["jobId"]), self.number))

    @property
    def rows_with_errors(self) -> int | None:
        """Rows that have errors in the chunk's piece; None if it has none, see `error_piece`."""
        found = self.item.get("errorPiece")
        return None if found is None else int(found["rows"])

    @property
    def piece_bytes(self) -> Mapping[str, int]:
        """Bytes of the pieces that the chunk wrote, by ``output`` and ``rejects``."""
        return dict(self.item.get("sizeBytes", {}))

    @property
    def piece_versions(self) -> Mapping[str, str]:
        """Versions of the pieces that the chunk wrote, by ``output`` and ``rejects``."""
        return dict(self.item.get("versions", {}))

    @property
    def step_ms(self) -> Mapping[str, int]:
        """Milliseconds that each step's function took."""
        return dict(self.item.get("stepMs", {}))

    @property
    def step_starts(self) -> Mapping[str, datetime]:
        """When each step's function began; empty if the stack's version does not note it."""
        starts: Mapping[str, str] = self.item.get("stepStarts", {})
        return {name: datetime.fromisoformat(text) for name, text in starts.items()}

    @property
    def cold_steps(self) -> tuple[str, ...]:
        """The steps whose function had to be started first."""
        return tuple(str(self.item.get("coldSteps", "")).split())

    @property
    def failed_step(self) -> str:
        """The state that failed; empty if none did."""
        return str(self.item.get("failedStep", ""))

    @property
    def failed_at(self) -> str:
        """The state that failed, with the function that it calls; empty if none did."""
        state = self.failed_step
        called = [step.function for step in workflow.CHUNK_STEPS if step.state == state]
        return f"{state} ({called[0]})" if called else state

    @property
    def cause(self) -> str:
        """The cause of the error as Step Functions has it; empty if there is none."""
        return str(self.item.get("cause", ""))


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
