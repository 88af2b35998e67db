"""The files that a job ends with, as they lie in S3."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchops.errors import translated
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
