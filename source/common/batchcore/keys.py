"""Make the S3 key of each kind of object in the bucket."""

from pathlib import PurePosixPath

from batchcore.errors import NameTooLongError
from batchcore.texts import number_of

# A key has at most 1,024 bytes of UTF-8 (Amazon S3 user guide, November 2026).
MAX_KEY_BYTES = 1_024

INPUT_PREFIX = "input/"
JOBS_PREFIX = "jobs/"

# The split writes the headers of the merged files as piece 0, so that the merge only concatenates
# pieces.
HEADER_PIECE = 0


def _in_job(job: str, *parts: str) -> str:
    return JOBS_PREFIX + "/".join((job, *parts))


def manifest(job: str, attempt: int) -> str:
    """Return the key of the list of all chunks of the job, as written by one attempt.

    Such an attempt has split the file, or put fixed rows into its chunks. The ledger names the
    manifest that is valid.
    """
    return _in_job(job, f"manifest-{attempt:04d}.json")


def resume_manifest(job: str, attempt: int) -> str:
    """Return the key of the list of chunks that a later attempt runs."""
    return _in_job(job, f"manifest-{attempt:04d}-resumed.json")


def chunk(job: str, number: int) -> str:
    """Return the key of a chunk: the input's header and consecutive records, byte for byte."""
    return _in_job(job, "chunks", f"{number:06d}.csv")


def survey(job: str, attempt: int, number: int) -> str:
    """Return the key of the survey of one range of a large input: JSON."""
    return _in_job(job, "ranges", f"{attempt:04d}", f"survey-{number:04d}.json")


def cuts(job: str, attempt: int) -> str:
    """Return the key of the list of cuts to make in a large input: JSON."""
    return _in_job(job, "ranges", f"{attempt:04d}", "cuts.json")


def cut_part(job: str, attempt: int, number: int) -> str:
    """Return the key of one cut's part of the manifest: JSON."""
    return _in_job(job, "ranges", f"{attempt:04d}", f"cut-{number:04d}.json")


def records(job: str, number: int) -> str:
    """Return the key of a chunk's rows after Read File: JSON, see `batchcore.chunk_rows`."""
    return _in_job(job, "records", f"{number:06d}.json")


def valid(job: str, number: int) -> str:
    """Return the key of a chunk's rows after Validate Data."""
    return _in_job(job, "valid", f"{number:06d}.json")


def enriched(job: str, number: int) -> str:
    """Return the key of a chunk's rows after Get Financial Data."""
    return _in_job(job, "enriched", f"{number:06d}.json")


def output(job: str, number: int) -> str:
    """Return the key of a chunk's part of the completed file, without a header."""
    return _in_job(job, "output", f"{number:06d}.csv")


def rejected_piece(job: str, number: int) -> str:
    """Return the key of a chunk's part of the rejects file, without a header."""
    return _in_job(job, "rejects", f"{number:06d}.csv")


def error_piece(job: str, number: int) -> str:
    """Return the key of a chunk's part of the file of errors; that of chunk 1 has the header."""
    return _in_job(job, "error-pieces", f"{number:06d}.csv")


def merge_plan(job: str, plan: str) -> str:
    """Return the key of a merge plan: a JSON list with one item per group."""
    return _in_job(job, "merge", plan, "plan.json")


def merge_group(job: str, plan: str, number: int) -> str:
    """Return the key of a group in a merge plan: its pieces and the numbers of its parts."""
    return _in_job(job, "merge", plan, f"group-{number:06d}.json")


def merge_parts(job: str, plan: str, number: int) -> str:
    """Return the key of the result of uploading a group: its parts' entity tags, or a fault."""
    return _in_job(job, "merge", plan, f"parts-{number:06d}.json")


def completed(job: str, input_key: str) -> str:
    """Return the key of the merged output."""
    return _in_job(job, "completed", _result_name(input_key))


def rejected(job: str, input_key: str) -> str:
    """Return the key of the merged rejects."""
    return _in_job(job, "rejected", _result_name(input_key))


def _result_name(input_key: str) -> str:
    """Return the name of the results: the input's, and as they are not packed, without ``.gz``."""
    name = PurePosixPath(input_key).name
    return name[: -len(".gz")] if name.lower().endswith(".gz") and len(name) > len(".gz") else name


def errors(job: str, input_key: str) -> str:
    """Return the key of the merged errors."""
    return _in_job(job, "errors", PurePosixPath(input_key).name)


def mail(job: str) -> str:
    """Return the key of the job's mail as JSON, whether or not it could be sent."""
    return _in_job(job, "mail.json")


def archive(folder: str, input_key: str) -> str:
    """Return the key of the archived input. Its path under ``input/`` is kept."""
    return f"{folder.strip('/')}/{input_key.removeprefix(INPUT_PREFIX)}"


def check_name(job: str, input_key: str, archive_folder: str) -> None:
    """Refuse an input if the keys of its results or its archived copy would be too long.

    Raises
    ------
    NameTooLongError
    """
    wanted = (completed(job, input_key), archive(archive_folder, input_key))
    surplus = max(len(key.encode()) for key in wanted) - MAX_KEY_BYTES
    if surplus > 0:
        raise NameTooLongError(
            f"the keys made from the file's name are {number_of(surplus, 'byte')} longer than the "
            f"{MAX_KEY_BYTES:,} that S3 allows: upload it under a name that is "
            f"{number_of(surplus, 'byte')} shorter"
        )
