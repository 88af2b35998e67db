"""Unpack the one file in a ZIP archive or a gzip file, into a file that goes when it is closed."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import IO, Any

from batchcore import gzipped, headers
from batchcore.errors import GzipError
from batchcore.texts import number_of, visible

from batchops.core.errors import InputError

_BLOCK_BYTES = 1024 * 1024
_IN_MEMORY_BYTES = 16 * 1024 * 1024


def blocks_of(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the bytes of a file in blocks."""
    return iter(lambda: file.read(_BLOCK_BYTES), b"")


def stored(blocks: Iterable[bytes]) -> tuple[IO[bytes], int]:
    """Store bytes in a file that goes when it is closed; return it with its number of LFs."""
    file: Any = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115
    lines = 0
    try:
        for block in blocks:
            file.write(block)
            lines += block.count(b"\n")
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file, lines


def ungzip(file: IO[bytes], name: str) -> tuple[IO[bytes], str]:
    """Unpack a gzip file, and return what is in it with its name.

    Raises
    ------
    InputError
    """
    try:
        unpacked, _ = stored(gzipped.Unpacker(blocks_of(file)))
    except GzipError as error:
        raise InputError(f"{name}: {error}") from error
    return unpacked, PurePosixPath(name).stem


def unzip(file: IO[bytes], name: str) -> tuple[IO[bytes], str]:
    """Unpack the one file in a ZIP archive, and return it with its name, without folders.

    Raises
    ------
    InputError
        If there is no file in it, or more than one; or it is damaged, protected or too large; or
        its name would harm.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            member = _only_member(archive, name)
            inner = _inner_name(member, name)
            free = shutil.disk_usage(tempfile.gettempdir()).free
            if member.file_size > free:
                raise InputError(
                    f"{name} unpacks to {number_of(member.file_size, 'byte')}, and {free:,} are "
                    f"free in {tempfile.gettempdir()}"
                )
            with archive.open(member) as content:
                unpacked, _ = stored(blocks_of(content))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error) as error:
        raise InputError(f"{name} cannot be unpacked ({error}): make it again") from error
    return unpacked, inner


def _inner_name(member: zipfile.ZipInfo, name: str) -> str:
    """Return the name of the file in an archive, without folders; it may be that of an upload."""
    # Some programs of Windows part folders by backslashes.
    found = PurePosixPath(member.filename.replace("\\", "/")).name
    if found in ("", "..") or visible(found) != found or set(found) & set("\n\t"):
        raise InputError(
            f"{name} holds a file called {member.filename!r}, which cannot be the name of an "
            "upload: unpack it, and rename it"
        )
    return found


def _only_member(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    # What macOS adds is no file of anybody's.
    found = [
        each
        for each in archive.infolist()
        if not each.is_dir()
        and not each.filename.startswith("__MACOSX/")
        and PurePosixPath(each.filename).name != ".DS_Store"
    ]
    if not found:
        raise InputError(f"{name} holds no file")
    if len(found) > 1:
        names = headers.listed([each.filename for each in found])
        raise InputError(
            f"{name} holds {number_of(len(found), 'file')}, and one is wanted: {names}"
        )
    if found[0].filename.lower().endswith(".zip"):
        raise InputError(f"{name} holds another archive, {found[0].filename!r}: unpack it first")
    if found[0].flag_bits & 1:
        raise InputError(f"{name} is protected by a password: unpack it first")
    return found[0]
