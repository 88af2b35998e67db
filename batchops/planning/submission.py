"""Submit a file: upload it into the stack's input, and find the version that was uploaded."""

from __future__ import annotations

import glob
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from batchcore import jobs, keys
from batchcore.aws import CHECKSUM
from batchcore.texts import number_of

from batchops.core.errors import InputError, translated
from batchops.core.uploads import UNVERSIONED
from batchops.planning.conversion import AS_IT_IS, PlainFile, Reading, open_plain
from batchops.planning.plan import Plan

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from batchops.core.stack_ref import StackRef
    from batchops.planning.conversion import Source

# Called with what was made of a source before it was uploaded, a line at a time.
OnNote = Callable[[str], None]

# A key has at most 1,024 bytes of UTF-8 (Amazon S3 user guide), the job's prefixes included.
MAX_NAME_BYTES = 800

_TOKEN = "batchops-upload"  # noqa: S105  (the name of a metadata field)


def submit_file(
    stack: StackRef,
    source: Source | Plan,
    *,
    name: str | None = None,
    reading: Reading = AS_IT_IS,
    force: bool = False,
    on_note: OnNote | None = None,
) -> str:
    """Upload a file, which starts its job, and return the job's id.

    Parameters
    ----------
    source
        A path, bytes, CSV text, an open file or a DataFrame, see `open_plain`; an object
        (``s3://bucket/key``), which is copied as it is; or a plan, whose file it is.
    name
        The name to upload it under, ``upload.csv`` for bytes and DataFrames; it may have folders
        (``2026/orders.csv``).
    reading
        How to read it; that of a plan is the plan's.
    force
        Submit a plan's file even if the plan says that the job cannot succeed.
    on_note
        Called with what was made of the source, if its bytes are not uploaded as they are.

    Raises
    ------
    InputError, StackNotFoundError, AwsError
    """
    planned = source if isinstance(source, Plan) else None
    given: Source = source.source if isinstance(source, Plan) else source
    if planned is not None:
        check_submittable(planned, force=force)
        reading.check("a plan, which has its own")
        name, reading = name or planned.name, planned.reading
    s3, bucket = stack.client("s3"), stack.outputs["SourceBucketName"]
    if isinstance(given, str) and given.startswith("s3://"):
        reading.check("an object, which is copied as it is")
        key, version = copy_object(s3, bucket, given, name=name)
        return jobs.job_id(bucket, key, version)
    delimiter = jobs.parse_delimiter(stack.outputs["FileDelimiter"])
    plain = open_plain(given, delimiter=delimiter, name=name, reading=reading)
    try:
        if planned is not None:
            _check_unchanged(planned, plain)
        key, version = upload(s3, bucket, plain.file, _checked(plain.name))
    finally:
        plain.close()
    if on_note is not None:
        for note in plain.notes:
            on_note(note)
    return jobs.job_id(bucket, key, version)


def check_submittable(plan: Plan, *, force: bool = False) -> None:
    """Refuse a plan whose job cannot succeed, unless forced.

    Raises
    ------
    InputError
    """
    if not force and not plan.can_succeed:
        raise InputError(
            f"{plan.name} would fail: {'; '.join(plan.obstacles)}. Fix it and plan it again, or "
            "submit it with force=True"
        )


def _check_unchanged(plan: Plan, plain: PlainFile) -> None:
    """Refuse a file that has changed since its plan, or cannot be read again."""
    size_bytes = plain.size_bytes
    if size_bytes is None:
        raise InputError(f"{plan.name} was read by its plan: submit the file itself")
    if size_bytes != plan.size_bytes:
        raise InputError(
            f"{plan.name} has {number_of(size_bytes, 'byte')}, but {plan.size_bytes:,} when it was "
            "planned: plan it again"
        )


def matching_files(patterns: Sequence[str | Path]) -> list[str]:
    """Return the files that patterns such as ``in/*.csv`` match, each once, in order.

    A path without ``*``, ``?`` or ``[``, one that is there as it stands, and an object
    (``s3://bucket/key``) stand for themselves.

    Raises
    ------
    InputError
        If a pattern matches no file.
    """
    found: dict[str, None] = {}
    for each in map(str, patterns):
        if each.startswith("s3://") or not glob.has_magic(each) or Path(each).exists():
            found[each] = None
            continue
        found_here = glob.glob(each, recursive=True)  # noqa: PTH207  (the pattern may be absolute)
        matches = sorted(path for path in found_here if Path(path).is_file())
        if not matches:
            raise InputError(f"no file matches {each!r}")
        found.update(dict.fromkeys(matches))
    for path in found:
        if not path.startswith("s3://") and not Path(path).is_file():
            raise InputError(f"no file {path}: nothing was submitted")
    return list(found)


def _checked(name: str) -> str:
    parts = name.split("/")
    if not name or any(part in ("", ".", "..") for part in parts):
        raise InputError(f"{name!r} cannot be the name of an upload: give a file name, or a/b.csv")
    if len(name.encode()) > MAX_NAME_BYTES:
        raise InputError(
            f"the name has {number_of(len(name.encode()), 'byte')}, at most {MAX_NAME_BYTES} fit"
        )
    return name


class _Kept:
    """A file that stays open when the transfer, which closes what it has sent, is done."""

    def __init__(self, file: IO[bytes]) -> None:
        self.read, self.seekable = file.read, file.seekable
        self.seek, self.tell = file.seek, file.tell

    def close(self) -> None:
        """Leave the file open."""


def upload(s3: S3Client, bucket: str, file: IO[bytes], name: str) -> tuple[str, str]:
    """Upload a file under ``input/`` and return its key and version id.

    Raises
    ------
    InputError
        The bucket gives no versions. The file is uploaded all the same.
    """
    key, token = keys.INPUT_PREFIX + name, uuid.uuid4().hex
    kept: Any = _Kept(file)
    with translated(f"uploading {name!r}"):
        _watch(s3)
        s3.upload_fileobj(kept, bucket, key, ExtraArgs=_marked(token))
    return key, _version_made(token, bucket, key)


def copy_object(s3: S3Client, bucket: str, source: str, *, name: str | None) -> tuple[str, str]:
    """Copy an object ``s3://bucket/key`` to ``input/`` and return its new key and version id.

    Raises
    ------
    InputError
        If `source` is not such an address, or the bucket gives no versions.
    """
    from_bucket, _, from_key = source.removeprefix("s3://").partition("/")
    if not from_bucket or not from_key:
        raise InputError(f"{source!r} is not an object: give s3://bucket/key")
    key = keys.INPUT_PREFIX + _checked(name or from_key.rsplit("/", 1)[-1])
    token = uuid.uuid4().hex
    extra = {**_marked(token), "MetadataDirective": "REPLACE"}
    with translated(f"copying {source}"):
        _watch(s3)
        s3.copy({"Bucket": from_bucket, "Key": from_key}, bucket, key, ExtraArgs=extra)
    return key, _version_made(token, bucket, key)


# ------------------------------------------------------------- the version that a transfer makes

# boto3's managed transfer does not return the version that it made, but S3 names it in its answer
# to the request that creates the object. The object's metadata has a token, which tells a
# transfer's requests from those of others by the same client. To ask S3 for the version afterwards
# would take rights to read, which whoever uploads need not have.
_CREATING = ("PutObject", "CopyObject", "CreateMultipartUpload", "CompleteMultipartUpload")

# The version by the transfer's token, and the token by the id of an upload in parts.
_versions: dict[str, str] = {}
_uploads: dict[str, str] = {}


def _marked(token: str) -> dict[str, Any]:
    return {"Metadata": {_TOKEN: token}, "ChecksumAlgorithm": CHECKSUM}


def _watch(s3: S3Client) -> None:
    """Have a client note the versions that its marked transfers make."""
    for operation in _CREATING:
        for event, hook in (("provide-client-params", _mark), ("after-call", _note)):
            name = f"{event}.s3.{operation}"
            s3.meta.events.register(name, hook, unique_id=f"{_TOKEN}-{name}")


def _mark(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    token = params.get("Metadata", {}).get(_TOKEN) or _uploads.get(params.get("UploadId", ""))
    if token:
        context[_TOKEN] = token


def _note(parsed: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    token = context.get(_TOKEN)
    if token and "UploadId" in parsed:
        _uploads[parsed["UploadId"]] = token
    if token and "VersionId" in parsed:
        _versions[token] = parsed["VersionId"]


def _version_made(token: str, bucket: str, key: str) -> str:
    for upload in [upload for upload, owner in list(_uploads.items()) if owner == token]:
        del _uploads[upload]
    version = _versions.pop(token, UNVERSIONED)
    if version == UNVERSIONED:
        raise InputError(
            f"{key} was uploaded, but without a version, so that its job would not be told from "
            f"another's: turn the versioning of the bucket {bucket} on again, and submit it once "
            "more"
        )
    return version
