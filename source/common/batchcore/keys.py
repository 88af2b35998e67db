"""Where everything lies in the bucket: one function per kind of object."""

from pathlib import PurePosixPath

from batchcore.errors import NameTooLongError

# A key has at most 1,024 bytes of UTF-8 (Amazon S3 user guide, November 2026).
MAX_KEY_BYTES = 1_024

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


def merge_plan(job: str, plan: str) -> str:
    """Return the key of a plan to merge in groups: one item a group."""
    return _in_job(job, "merge", plan, "plan.json")


def merge_group(job: str, plan: str, number: int) -> str:
    """Return the key of a group of a plan: its pieces, and the numbers of their parts."""
    return _in_job(job, "merge", plan, f"group-{number:06d}.json")


def merge_parts(job: str, plan: str, number: int) -> str:
    """Return the key of the entity tags of a group's parts, once they are uploaded."""
    return _in_job(job, "merge", plan, f"parts-{number:06d}.json")


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


def check_name(job: str, input_key: str, archive_folder: str) -> None:
    """Refuse an input whose results or archived copy could not be stored under their keys.

    Raises
    ------
    NameTooLongError
    """
    wanted = (completed(job, input_key), archive(archive_folder, input_key))
    surplus = max(len(key.encode()) for key in wanted) - MAX_KEY_BYTES
    if surplus > 0:
        raise NameTooLongError(
            f"the file's name makes keys {surplus:,} bytes longer than the {MAX_KEY_BYTES:,} that "
            f"S3 allows: upload it under a name that is {surplus:,} bytes shorter"
        )
