"""Where everything lies in the bucket: one function per kind of object."""

from pathlib import PurePosixPath

INPUT_PREFIX = "input/"
JOBS_PREFIX = "jobs/"

# The header of the merged files is written by the split as piece 0, so that a merge is nothing but
# the pieces one after the other.
HEADER_PIECE = 0


def _in_job(job: str, *parts: str) -> str:
    return JOBS_PREFIX + "/".join((job, *parts))


def manifest(job: str) -> str:
    """Return the key of the list of the job's chunks."""
    return _in_job(job, "manifest.json")


def resume_manifest(job: str, attempt: int) -> str:
    """Return the key of the list of chunks that a later attempt runs."""
    return _in_job(job, f"manifest-{attempt:04d}.json")


def chunk(job: str, number: int) -> str:
    """Return the key of a chunk: the input's header and some of its records, byte for byte."""
    return _in_job(job, "chunks", f"{number:06d}.csv")


def survey(job: str, number: int) -> str:
    """Return the key of what a range of a large input holds: JSON."""
    return _in_job(job, "ranges", f"survey-{number:04d}.json")


def cuts(job: str) -> str:
    """Return the key of the list of what is cut from a large input: JSON."""
    return _in_job(job, "ranges", "cuts.json")


def cut_part(job: str, number: int) -> str:
    """Return the key of the part of the manifest that one cut gave: JSON."""
    return _in_job(job, "ranges", f"cut-{number:04d}.json")


def records(job: str, number: int) -> str:
    """Return the key of a chunk's records as JSON lines, after Read File."""
    return _in_job(job, "records", f"{number:06d}.jsonl")


def valid(job: str, number: int) -> str:
    """Return the key of a chunk's records after Validate Data."""
    return _in_job(job, "valid", f"{number:06d}.jsonl")


def enriched(job: str, number: int) -> str:
    """Return the key of a chunk's records after Get Financial Data."""
    return _in_job(job, "enriched", f"{number:06d}.jsonl")


def output(job: str, number: int) -> str:
    """Return the key of a chunk's part of the completed file, without a header."""
    return _in_job(job, "output", f"{number:06d}.csv")


def rejected_piece(job: str, number: int) -> str:
    """Return the key of a chunk's part of the rejects file, without a header."""
    return _in_job(job, "rejects", f"{number:06d}.csv")


def completed(job: str, input_key: str) -> str:
    """Return the key of the merged output."""
    return _in_job(job, "completed", PurePosixPath(input_key).name)


def rejected(job: str, input_key: str) -> str:
    """Return the key of the merged rejects."""
    return _in_job(job, "rejected", PurePosixPath(input_key).name)


def mail(job: str) -> str:
    """Return the key of the mail as it was, or was to be, sent: JSON."""
    return _in_job(job, "mail.json")


def archive(folder: str, input_key: str) -> str:
    """Return where the input goes when its job has succeeded; its path under ``input/`` is kept."""
    return f"{folder.strip('/')}/{input_key.removeprefix(INPUT_PREFIX)}"
