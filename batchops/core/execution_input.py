"""The input of an execution of the main workflow, as a client starts it and reads it back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchcore import jobs

if TYPE_CHECKING:
    from batchops.core.ledger import JobEntry
    from batchops.core.stack_ref import Outputs

# Parameters of a job, by the names that the ledger and the workflow have for them.
Settings = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Resume:
    """What an attempt that does not split its input runs.

    Attributes
    ----------
    by : str
        What the attempt is called: ``rerun`` or ``repair``.
    manifest_key : str
        The key of the list of its chunks.
    """

    by: str
    manifest_key: str


def split_settings(outputs: Outputs) -> dict[str, str | int]:
    """Return the parameters of a job as a stack's outputs have them now."""
    return {
        "chunkRows": outputs.number("FileChunkSize"),
        "delimiter": jobs.parse_delimiter(outputs["FileDelimiter"]),
        "archiveFolder": outputs["InputArchiveFolder"],
    }


def execution_input(
    entry: JobEntry, attempt: int, *, settings: Settings | None, resume: Resume | None
) -> str:
    """Return the input of the execution of a job's next attempt.

    Parameters
    ----------
    entry
        The job's entry.
    settings
        The parameters that change, see `split_settings`; None if none does.
    resume
        The chunks that it runs; None to split the input again.
    """
    document: dict[str, Any] = {
        "jobId": entry.job_id,
        "attempt": attempt,
        "bucket": entry.bucket,
        "key": entry.key,
        "versionId": entry.version_id,
        "sizeBytes": entry.size_bytes,
        "parameters": {
            "chunkRows": entry.chunk_rows,
            "delimiter": entry.delimiter,
            "archiveFolder": entry.archive_folder,
            **(settings or {}),
        },
    }
    if resume is not None:
        document["resume"] = {"manifestKey": resume.manifest_key, "by": resume.by}
    return json.dumps(document, sort_keys=True)


def read_resume(text: str) -> Resume | None:
    """Return what an execution runs, from its input; None if it splits the input."""
    found = json.loads(text).get("resume")
    # Those who start the workflow by hand need not say what the attempt is called.
    return Resume(found.get("by", "rerun"), found["manifestKey"]) if found else None
