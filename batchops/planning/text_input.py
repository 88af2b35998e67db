"""Read text as UTF-8: out of Python's texts, out of other encodings, and without lines above it."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterable, Iterator
from typing import IO

from batchcore.texts import number_of

from batchops.core.errors import InputError

# Lines above a header are titles; more text than this is none.
_MAX_SKIPPED_BYTES = 16 * 1024 * 1024


def encoded(text: str) -> io.BytesIO:
    """Return CSV text as a file of bytes.

    Raises
    ------
    InputError
        If it has a lone surrogate.
    """
    try:
        return io.BytesIO(text.encode())
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise InputError(
            f"the text has a lone surrogate in line {line:,}, which no UTF-8 file can hold: read "
            "it with its right encoding"
        ) from error


def encoded_file(source: io.TextIOBase) -> IO[bytes]:
    """Return the CSV text in a `io.StringIO` as a file of bytes.

    Raises
    ------
    InputError
        If it is another file that is open as text, whose bytes cannot be told any more.
    """
    text = source.read() if isinstance(source, io.StringIO) else ""
    if "\n" not in text and "\r" not in text:
        raise InputError(
            "the file is open as text, which loses its line ends and its encoding: open it in "
            "binary mode, or give its path"
        )
    return encoded(text)


def as_utf8(
    blocks: Iterator[bytes], *, encoding: str | None, skip_rows: int
) -> tuple[Iterable[bytes], tuple[str, ...]]:
    """Return the bytes of a text file as UTF-8, without lines at its beginning; and what was done.

    Raises
    ------
    InputError
        If there is no such encoding; and while the bytes are read, if they are not in it, or there
        are fewer lines.
    """
    notes: tuple[str, ...] = ()
    if encoding is not None:
        blocks = _decoded(blocks, encoding, _decoder(encoding))
        notes = (f"read as {encoding}, written as UTF-8",)
    if skip_rows:
        blocks = _without_lines(blocks, skip_rows)
    return blocks, (*notes, *said_skipped(skip_rows, "line"))


def said_skipped(count: int, what: str) -> tuple[str, ...]:
    """Say how many lines or rows were left out, and what that does to the numbers of rows.

    Parameters
    ----------
    what
        ``"line"`` or ``"row"``.
    """
    if not count:
        return ()
    left_out = number_of(count, what)
    return (f"{left_out} left out at the beginning, so row N of the job was row N+{count:,}",)


def _decoder(encoding: str) -> codecs.IncrementalDecoder:
    try:
        if codecs.lookup(encoding)._is_text_encoding:
            return codecs.getincrementaldecoder(encoding)()
    except LookupError:
        pass
    raise InputError(
        f"unknown encoding {encoding!r}: give one such as cp1252, utf-16, iso8859-2 or mac_roman"
    )


def _decoded(
    blocks: Iterator[bytes], encoding: str, decoder: codecs.IncrementalDecoder
) -> Iterator[bytes]:
    offset = 0  # of what the decoder has not given back yet
    try:
        for block in blocks:
            text = decoder.decode(block)
            offset += len(block)
            yield text.encode()
        yield decoder.decode(b"", final=True).encode()
    except UnicodeError as error:
        raise InputError(
            f"the file is not {encoding}: {getattr(error, 'reason', error)}, behind byte {offset:,}"
        ) from error


def _without_lines(blocks: Iterator[bytes], count: int) -> Iterator[bytes]:
    """Yield the bytes after the first `count` lines, which end in LF, CRLF or a lone CR."""
    ends = re.compile(rb"(?:[^\r\n]*+(?:\r\n|\n|\r(?=[^\n]))){%d}" % count)
    head = b""
    for block in blocks:
        head += block
        found = ends.match(head)
        if found and len(head) > found.end():
            yield head[found.end() :]
            yield from blocks
            return
        if len(head) > _MAX_SKIPPED_BYTES:
            break
    raise InputError(f"the file has no text below {number_of(count, 'line')}")
