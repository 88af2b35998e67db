"""What the entries of jobs and of chunks in JobTable have in common.

An entry's attributes are read by the names that Python uses; `item` has them as they are stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from batchops.core.errors import explain_failure


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


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
