"""A job's JOB entry in JobTable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from batchcore import keys, workflow
from batchcore.errors import TooManyRejectsError

from batchops.core.errors import explain_failure
from batchops.core.ledger.entries import Entry, ErrorsPlace


def started_by(attempt: int) -> str:
    """Return the attribute of a JOB entry that says who started an attempt."""
    return f"startedBy{attempt}"


def stopped_by(attempt: int) -> str:
    """Return the attribute of a JOB entry that says who stopped an attempt."""
    return f"stoppedBy{attempt}"


@dataclass(frozen=True)
class ResultPlace:
    """The key, version and size of a result file.

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
