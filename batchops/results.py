"""The files that a job ends with, as they lie in S3."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from batchops.errors import InputError, translated
from batchops.views import markup

if TYPE_CHECKING:
    from datetime import datetime

    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class ResultFile:
    """A job's completed file, or its rejects.

    Attributes
    ----------
    bucket, key : str
        Where it lies.
    size_bytes : int
        Its size.
    modified : datetime
        When it was written, in UTC.
    """

    bucket: str
    key: str
    size_bytes: int
    modified: datetime

    @property
    def name(self) -> str:
        """The file's name, without folders."""
        return self.key.rsplit("/", 1)[-1]

    def __str__(self) -> str:
        """Say it in a line."""
        when = f"{self.modified:%Y-%m-%d %H:%M} UTC"
        return f"{self.name}: {self.size_bytes:,} bytes, of {when}, s3://{self.bucket}/{self.key}"

    def _repr_html_(self) -> str:
        return markup.paragraph(self)


def head_result(s3: S3Client, bucket: str, key: str) -> ResultFile:
    """Return what S3 says of a result.

    Raises
    ------
    AwsError
    """
    with translated(f"looking up {key}"):
        answer = s3.head_object(Bucket=bucket, Key=key)
    return ResultFile(bucket, key, answer["ContentLength"], answer["LastModified"])


def local_name(key: str, *, rejected: bool) -> str:
    """Return the name to store a result under in a folder of this computer.

    Both results have the input's name in the bucket; here one must not take the other's place.

    Raises
    ------
    InputError
        If its uploader chose a name that would be hidden, or lead elsewhere.
    """
    name = key.rsplit("/", 1)[-1]
    if name.startswith(".") or "\\" in name or not name.isprintable() or not name:
        raise InputError(
            f"the file is called {name!r}, which is not a name to store it under in a folder: "
            "give the path of a file"
        )
    path = PurePosixPath(name)
    return f"{path.stem}-rejected{path.suffix}" if rejected else name
