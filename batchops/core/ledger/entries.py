"""What the ledger's entries and the error table's items hold, by the names that Python uses."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from batchcore import items, keys, workflow

from batchops.core.errors import explain_failure

# Columns of the errors' DataFrame: the attribute of the item, and the dtype. A new attribute of an
# error is written in batchcore.items and named here.
ERROR_COLUMNS = {
    "source_row": ("sourceRow", "int64"),
    "column": ("column", "str"),
    "rule": ("rule", "str"),
    "value": ("value", "str"),
    "message": ("message", "str"),
    "limit": ("limit", "str"),
    "stage": ("stage", "str"),
    "uuid": ("uuid", "str"),
    "raw": ("raw", "str"),
    "chunk": ("chunk", "int64"),
    "attempt": ("attempt", "int64"),
    "time": ("time", "datetime64[ms, UTC]"),
}


class Entry(dict[str, Any]):
    """An entry of JobTable, with what jobs and chunks have in common; see `JobEntry`."""

    @property
    def status(self) -> str:
        """The status; see `batchcore.workflow`."""
        return str(self["status"])

    @property
    def attempt(self) -> int:
        """The attempt that wrote the entry last."""
        return int(self["attempt"])

    @property
    def started(self) -> datetime | None:
        """When the job was entered, or the chunk's workflow started."""
        return _moment(self.get("startTime"))

    @property
    def ended(self) -> datetime | None:
        """When it ended; None while it runs."""
        return _moment(self.get("endTime"))

    @property
    def error(self) -> str:
        """The name of the error that it ended with; empty if there is none."""
        return str(self.get("error", ""))

    @property
    def reason(self) -> str:
        """The error and its cause for a person; empty if there is none."""
        return explain_failure(self.error, self.get("cause", "")) if "error" in self else ""


class JobEntry(Entry):
    """A job's JOB entry; as a dict it has the attributes as the table names them."""

    @property
    def job_id(self) -> str:
        """The job's id."""
        return str(self["jobId"])

    @property
    def bucket(self) -> str:
        """The bucket of the input, and of all that is made of it."""
        return str(self["bucket"])

    @property
    def key(self) -> str:
        """The input's key."""
        return str(self["key"])

    @property
    def file(self) -> str:
        """The input's name: its key without ``input/``."""
        return self.key.removeprefix(keys.INPUT_PREFIX)

    @property
    def version_id(self) -> str:
        """The input's version."""
        return str(self["versionId"])

    @property
    def size_bytes(self) -> int:
        """The input's size."""
        return int(self["sizeBytes"])

    @property
    def delimiter(self) -> str:
        """The delimiter that the input is read with."""
        return str(self["delimiter"])

    @property
    def chunk_rows(self) -> int:
        """Rows a chunk; 0 until the split, where it chooses."""
        return int(self["chunkRows"])

    @property
    def archive_folder(self) -> str:
        """The folder that the input is moved to."""
        return str(self["archiveFolder"])

    def start_input(self, settings: Mapping[str, str | int]) -> dict[str, Any]:
        """Return what another attempt's execution is told of the job.

        Parameters
        ----------
        settings
            Parameters of the job that are to be others: ``chunkRows``, ``delimiter``,
            ``archiveFolder``.
        """
        kept = {name: self[name] for name in ("chunkRows", "delimiter", "archiveFolder")}
        return {
            **{name: self[name] for name in ("bucket", "key", "versionId", "sizeBytes")},
            "parameters": {**kept, **settings},
        }

    @property
    def attempt_started(self) -> datetime:
        """When the last attempt was entered."""
        return datetime.fromisoformat(str(self.get("attemptTime") or self["startTime"]))

    @property
    def attempt_token(self) -> str:
        """What the process that claimed the attempt knows its claim by; empty for the first."""
        return str(self.get("attemptToken", ""))

    @property
    def attempt_s(self) -> float:
        """Seconds from the attempt's start to its end, or to now."""
        return ((self.ended or datetime.now(UTC)) - self.attempt_started).total_seconds()

    @property
    def code(self) -> Mapping[str, str]:
        """Fingerprints of the functions that the attempt was claimed with; empty for the first."""
        return dict(self.get("code", {}))

    @property
    def was_split(self) -> bool:
        """Whether the split has come to its end in any attempt."""
        return "chunks" in self

    @property
    def chunks(self) -> int:
        """Chunks of the file; 0 until it is split."""
        return int(self.get("chunks", 0))

    @property
    def rows_in(self) -> int:
        """Rows of the file; 0 until it is split."""
        return int(self.get("rowsIn", 0))

    @property
    def rows_out(self) -> int | None:
        """Rows of the completed file; None until the merge."""
        return self.get("rowsOut")

    @property
    def rows_rejected(self) -> int | None:
        """Rows of the rejects file; None until the merge."""
        return self.get("rowsRejected")

    @property
    def errors(self) -> int | None:
        """Errors of all rows; None until the merge."""
        return self.get("errors")

    @property
    def manifest_key(self) -> str | None:
        """The key of the list of chunks that counts; None if the file was never split."""
        return self.get("manifestKey")

    @property
    def header_versions(self) -> Mapping[str, str]:
        """Versions of the result files' headers, by ``output`` and ``rejects``."""
        return dict(self.get("headers", {}))

    @property
    def completed_key(self) -> str | None:
        """The key of the completed file; None until the merge."""
        return self.get("completedKey")

    @property
    def rejected_key(self) -> str | None:
        """The key of the rejects file; None until the merge."""
        return self.get("rejectedKey")

    @property
    def archive_key(self) -> str | None:
        """The key of the input's copy in the archive; None until the merge."""
        return self.get("archiveKey")

    @property
    def mail_status(self) -> str:
        """SENT, FAILED, or empty if no mail was tried yet."""
        return str(self.get("mailStatus", ""))

    @property
    def mail_time(self) -> str:
        """When the mail was sent, ISO 8601; empty if it was not."""
        return str(self.get("mailTime", ""))

    @property
    def mail_reason(self) -> str:
        """Why the mail could not be sent; empty if it was, or was not tried."""
        if self.mail_status != workflow.MAIL_FAILED:
            return ""
        return explain_failure(self.get("mailError", ""), self.get("mailCause", ""))


class ChunkEntry(Entry):
    """A chunk's entry; as a dict it has the attributes as the table names them."""

    @property
    def name(self) -> str:
        """The ledger's sort key of the chunk."""
        return str(self["entry"])

    @property
    def number(self) -> int:
        """The chunk's number, from 1."""
        return int(self.name.removeprefix(items.CHUNK_PREFIX))

    @property
    def rows(self) -> int | None:
        """Rows of the chunk; None until it has ended."""
        return self.get("rows")

    @property
    def valid(self) -> int | None:
        """Rows that went into the output; None until it has ended."""
        return self.get("valid")

    @property
    def rejected(self) -> int | None:
        """Rows that were rejected; None until it has ended."""
        return self.get("rejected")

    @property
    def errors(self) -> int | None:
        """Errors of the rejected rows; None until it has ended."""
        return self.get("errors")

    @property
    def balances(self) -> bool:
        """Whether the chunk succeeded with each of its rows accepted or rejected."""
        return self.status == workflow.SUCCEEDED and self.rows == (self.valid or 0) + (
            self.rejected or 0
        )

    @property
    def piece_bytes(self) -> Mapping[str, int]:
        """Bytes of the pieces it wrote, by ``output`` and ``rejects``."""
        return dict(self.get("sizeBytes", {}))

    @property
    def piece_versions(self) -> Mapping[str, str]:
        """Versions of the pieces it wrote, by ``output`` and ``rejects``."""
        return dict(self.get("versions", {}))

    @property
    def step_ms(self) -> Mapping[str, int]:
        """Milliseconds inside the function of each step."""
        return dict(self.get("stepMs", {}))

    @property
    def failed_step(self) -> str:
        """The state that failed; empty if none did."""
        return str(self.get("failedStep", ""))

    @property
    def cause(self) -> str:
        """The cause of the error as Step Functions has it; empty if there is none."""
        return str(self.get("cause", ""))


class ErrorItem(dict[str, Any]):
    """One rule that one row breaks; as a dict it has the attributes as the table names them."""

    @property
    def error_id(self) -> str:
        """The sort key: row, column and rule."""
        return str(self["errorId"])

    @property
    def source_row(self) -> int:
        """The row in the uploaded file, the header being row 1."""
        return int(self["sourceRow"])

    @property
    def stage(self) -> str:
        """The step that found it."""
        return str(self["stage"])

    @property
    def column(self) -> str:
        """The column; empty for the row as a whole."""
        return str(self["column"])

    @property
    def rule(self) -> str:
        """The rule."""
        return str(self["rule"])

    @property
    def value(self) -> str:
        """The value that breaks it."""
        return str(self["value"])


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
