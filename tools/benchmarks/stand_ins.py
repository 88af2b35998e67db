"""Stand in for S3 and DynamoDB within the process, so that a function's own work is timed.

An object is a file; an object that was uploaded in parts is a folder of them, since joining them is
S3's work. Nothing is checked, and only what the functions call is there.

moto, which the tests use, would cost more than what is measured. Processor time with each over the
same 3 MB of sample orders (42,477 rows, chunks of 5,000; moto 5.2, November 2026): the split 44 ms
with moto, 11 with these; the validation 151 and 76; the writing of results 169 and 88; the merge 68
and 4. moto also keeps every version of every object in memory, so that neither the functions' peak
memory nor a file of 1 GB could be measured.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from itertools import count, islice
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

_READ_BYTES = 1024 * 1024
_UPLOAD_PART_BYTES = 8 * 1024 * 1024
# A page of a query has at most 1 MB; the ledger's entries have some 450 bytes.
_PAGE_ITEMS = 2_000
_ASSIGNMENT = re.compile(r"(#\w+) = (:\w+)")
# Every object has this one version: the functions ask for the one that they were told of.
_VERSION = {"ETag": '"1"', "VersionId": "v1"}


class Body:
    """The content of an object, to be read once."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._left = file, size

    def read(self, amt: int | None = None) -> bytes:
        """Return the next bytes; all that are left if no number is given."""
        wanted = self._left if amt is None else min(amt, self._left)
        data = self._file.read(wanted)
        self._left -= len(data)
        if not self._left:
            self._file.close()
        return data

    def iter_chunks(self, chunk_size: int = 1024) -> Iterator[bytes]:
        """Yield the content in portions."""
        while self._left:
            yield self.read(chunk_size)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class S3StandIn:
    """One bucket, backed by a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._uploads = count(1)

    def path(self, key: str) -> Path:
        """Return the path of an object."""
        return self.folder / key

    def content(self, key: str) -> Iterator[bytes]:
        """Yield the content of an object, part by part."""
        path = self.path(key)
        for part in sorted(path.iterdir()) if path.is_dir() else [path]:
            if part.suffix != ".copy":
                yield part.read_bytes()
                continue
            source = json.loads(part.read_text(encoding="utf-8"))
            data = self.path(source["key"]).read_bytes()
            yield data[source["first"] : source["last"] + 1]

    def get_object(self, *, Key: str, Range: str | None = None, **_: Any) -> dict[str, Any]:
        """Return an object, or a range of its bytes."""
        path = self.path(Key)
        size = path.stat().st_size
        first, last = _range(Range, size)
        file = path.open("rb")
        file.seek(first)
        length = last - first + 1
        answer = {"Body": Body(file, length), "ContentLength": length, **_VERSION}
        return answer | ({"ContentRange": f"bytes {first}-{last}/{size}"} if Range else {})

    def head_object(self, *, Key: str, **_: Any) -> dict[str, Any]:
        """Return an object's size."""
        return {"ContentLength": self.path(Key).stat().st_size, **_VERSION}

    def put_object(self, *, Key: str, Body: Any, **_: Any) -> dict[str, Any]:
        """Store an object."""
        _write(self.path(Key), Body)
        return dict(_VERSION)

    def upload_fileobj(
        self,
        Fileobj: IO[bytes],
        Bucket: str,  # noqa: ARG002
        Key: str,
        Config: Any = None,
        **_: Any,
    ) -> None:
        """Store the content of a file in parts, as boto3's managed transfer does."""
        size = Config.multipart_chunksize if Config is not None else _UPLOAD_PART_BYTES
        upload = self.create_multipart_upload(Key=Key)["UploadId"]
        for number in count(1):
            part = Fileobj.read(size)
            if part or number == 1:
                self.upload_part(UploadId=upload, PartNumber=number, Body=part)
            if len(part) < size:
                break
        self.complete_multipart_upload(Key=Key, UploadId=upload)

    def create_multipart_upload(self, *, Key: str, **_: Any) -> dict[str, Any]:  # noqa: ARG002
        """Start an upload in parts."""
        upload = f".uploads/{next(self._uploads)}"
        shutil.rmtree(self.path(upload), ignore_errors=True)
        self.path(upload).mkdir(parents=True)
        return {"UploadId": upload}

    def upload_part(
        self,
        *,
        UploadId: str,
        PartNumber: int,
        Body: Any,
        **_: Any,
    ) -> dict[str, Any]:
        """Store a part."""
        _write(self.path(UploadId) / f"{PartNumber:05}", Body)
        return {"ETag": f'"{PartNumber}"', "ChecksumCRC32": "AAAAAA=="}

    def upload_part_copy(
        self,
        *,
        UploadId: str,
        PartNumber: int,
        CopySource: Mapping[str, str],
        CopySourceRange: str | None = None,
        **_: Any,
    ) -> dict[str, Any]:
        """Record a part that S3 would copy from another object itself."""
        key = CopySource["Key"]
        first, last = _range(CopySourceRange, self.path(key).stat().st_size)
        note = json.dumps({"key": key, "first": first, "last": last})
        _write(self.path(UploadId) / f"{PartNumber:05}.copy", note.encode())
        return {"CopyPartResult": {"ETag": f'"{PartNumber}"'}}

    def complete_multipart_upload(self, *, Key: str, UploadId: str, **_: Any) -> dict[str, Any]:
        """Turn the parts of an upload into an object."""
        target = self.path(Key)
        if target.is_dir():
            shutil.rmtree(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        self.path(UploadId).rename(target)
        return dict(_VERSION)

    def abort_multipart_upload(self, *, UploadId: str, **_: Any) -> dict[str, Any]:
        """Forget an upload."""
        shutil.rmtree(self.path(UploadId))
        return {}

    def copy(self, *_: Any, **__: Any) -> None:
        """Copy nothing, because S3 does the work of a copy."""

    def delete_object(self, **_: Any) -> dict[str, Any]:
        """Delete nothing, because the next round needs the object."""
        return {}


class DynamoDbStandIn:
    """Tables that keep what updates set, by partition and sort key, and drop what is put.

    Parameters
    ----------
    file
        The file that the entries are read from, and that `save` writes.
    """

    exceptions = SimpleNamespace(
        ConditionalCheckFailedException=type("ConditionalCheckFailedError", (Exception,), {}),
        ResourceNotFoundException=type("ResourceNotFoundError", (Exception,), {}),
    )
    # Nothing is sent, so there are no events to be told of.
    meta = SimpleNamespace(events=SimpleNamespace(register=lambda *_: None))

    def __init__(self, file: Path) -> None:
        self._file = file
        self._items: dict[str, dict[str, Any]] = {}
        if file.exists():
            self._items = json.loads(file.read_text(encoding="utf-8"))

    def save(self) -> None:
        """Store the entries for the next process."""
        self._file.write_text(json.dumps(self._items), encoding="utf-8")

    def update_item(
        self,
        *,
        Key: Mapping[str, Any],
        UpdateExpression: str,
        ExpressionAttributeNames: Mapping[str, str],
        ExpressionAttributeValues: Mapping[str, Any],
        **_: Any,
    ) -> dict[str, Any]:
        """Set what the expression sets; what it removes was never set."""
        item = self._items.setdefault(_name(Key), dict(Key))
        for name, value in _ASSIGNMENT.findall(UpdateExpression):
            item[ExpressionAttributeNames[name]] = ExpressionAttributeValues[value]
        return {}

    def get_item(self, *, Key: Mapping[str, Any], **_: Any) -> dict[str, Any]:
        """Return an entry."""
        name = _name(Key)
        return {"Item": self._items[name]} if name in self._items else {}

    def batch_write_item(self, **_: Any) -> dict[str, Any]:
        """Accept all requests, and drop them."""
        return {"UnprocessedItems": {}}

    def get_paginator(self, operation: str) -> DynamoDbStandIn:
        """Return a paginator of queries."""
        if operation != "query":
            raise NotImplementedError(f"no stand-in for pages of {operation}")
        return self

    def paginate(
        self,
        *,
        ExpressionAttributeValues: Mapping[str, Any],
        **_: Any,
    ) -> Iterator[dict[str, Any]]:
        """Yield the ledger's entries whose sort key has the given prefix."""
        prefix = ExpressionAttributeValues[":prefix"]["S"]
        found = (item for _, item in sorted(self._items.items()))
        while page := list(islice(found, _PAGE_ITEMS)):
            yield {"Items": [item for item in page if item["entry"]["S"].startswith(prefix)]}


def _name(key: Mapping[str, Any]) -> str:
    return "/".join(next(iter(value.values())) for value in key.values())


def _range(text: str | None, size: int) -> tuple[int, int]:
    """Return the first and the last byte of a Range header."""
    if text is None:
        return 0, size - 1
    first, _, last = text.removeprefix("bytes=").partition("-")
    return int(first), min(int(last), size - 1) if last else size - 1


def _write(path: Path, body: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        if hasattr(body, "read"):
            shutil.copyfileobj(body, file, _READ_BYTES)
        else:
            file.write(body)
