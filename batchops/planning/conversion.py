"""Convert the files that people have into the plain CSV that a stack takes, and say how."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any

from batchcore import gzipped
from batchcore.texts import number_of

from batchops.core.errors import InputError
from batchops.planning import archives, text_input, workbooks
from batchops.planning.csv_text import write_csv
from batchops.planning.frame_text import FrameText, frame_text, kind_of_frame, parquet_text
from batchops.planning.json_lines import json_text

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

    Source = str | Path | bytes | IO[bytes] | io.StringIO | pd.DataFrame | pl.DataFrame

UPLOAD_NAME = "upload.csv"

_PARQUET, _JSON_LINES = (".parquet", ".pq"), (".jsonl", ".ndjson")
_TABLES = (*workbooks.SUFFIXES, *_PARQUET, *_JSON_LINES)
_ZIP = ".zip"


@dataclass(frozen=True)
class Reading:
    """How to read a source, where its name and content do not say it.

    Attributes
    ----------
    sheet : str or None
        The sheet of a workbook that has several.
    encoding : str or None
        The encoding of a text file that is not UTF-8, such as ``cp1252`` or ``utf-16``.
    skip_rows : int
        Lines of a text file, or rows of a sheet, to leave out at its beginning.
    known_as : str or None
        The name that tells what bytes hold, if it is not the one that they are uploaded under.
    unpacks : bool
        Whether a gzip file of text is unpacked, which a stack takes as it is.
    """

    sheet: str | None = None
    encoding: str | None = None
    skip_rows: int = 0
    known_as: str | None = None
    unpacks: bool = False

    @property
    def changes_text(self) -> bool:
        """Whether a text file is not uploaded as it is."""
        return self.encoding is not None or self.skip_rows > 0

    def check(self, what: str, *, usable: Sequence[str] = ()) -> None:
        """Refuse options that say nothing of a source.

        Raises
        ------
        InputError
        """
        if self.skip_rows < 0:
            raise InputError(f"skip_rows is {self.skip_rows}: give 0 or more")
        for option in ("sheet", "encoding", "skip_rows"):
            value = getattr(self, option)
            if value and option not in usable:
                raise InputError(f"{option}={value!r} says nothing of {what}: leave it out")


AS_IT_IS = Reading()


@dataclass(frozen=True)
class PlainFile:
    """A source as plain CSV.

    Attributes
    ----------
    file : file
        Its bytes, at their beginning.
    name : str
        The name that they are uploaded under.
    notes : tuple of str
        What was made of the source, one line each; empty if its bytes are as they were.
    """

    file: IO[bytes]
    name: str
    notes: tuple[str, ...]
    _close: Callable[[], object] = field(repr=False, compare=False)

    def close(self) -> None:
        """Close what was opened here; set a file that the caller opened back to its position."""
        self._close()

    @property
    def size_bytes(self) -> int | None:
        """The bytes from the file's position to its end; None if that cannot be told."""
        if not self.file.seekable():
            return None
        at = self.file.tell()
        end = self.file.seek(0, io.SEEK_END)
        self.file.seek(at)
        return end - at


def open_plain(
    source: Source, *, delimiter: str, name: str | None = None, reading: Reading = AS_IT_IS
) -> PlainFile:
    """Open a source as plain CSV.

    Parameters
    ----------
    source
        A path, bytes, CSV text (which has line ends), an open file, or a DataFrame of pandas or
        polars. The ending of the path, or of the name of bytes or a file, tells what it holds:
        ``.xlsx``, ``.parquet``, ``.jsonl``, ``.zip`` with one file; anything else is text.
    delimiter
        The delimiter to write where the source has none.
    name
        The name to upload it under.
    reading
        How to read it.

    Raises
    ------
    InputError
        If it cannot be read, or a CSV cannot hold it.
    """
    if kind_of_frame(source):
        reading.check("a DataFrame")
        made = frame_text(source)
        return _written(made, "DataFrame", name or UPLOAD_NAME, delimiter)
    file, own_name, close = _open(source)
    # Bytes have no name but the one that they are uploaded under.
    known = own_name or reading.known_as or name or UPLOAD_NAME
    opened = _Opened(file, known, name or known)
    try:
        found = _converted(opened, delimiter, reading)
    except BaseException:
        close()
        raise
    if found is None:
        return PlainFile(file, opened.wanted, (), close)
    close()
    return found


@dataclass(frozen=True)
class _Opened:
    """An open source: its own name, by which it is read, and the name of the upload."""

    file: IO[bytes]
    known: str
    wanted: str

    def named(self, ending: str | tuple[str, ...]) -> bool:
        return self.known.lower().endswith(ending)

    def seekable(self) -> IO[bytes]:
        return self.file if self.file.seekable() else io.BytesIO(self.file.read())


def _open(source: Any) -> tuple[IO[bytes], str, Callable[[], object]]:
    """Return a source as a file of bytes, its own name if any, and what to do after reading it."""
    if isinstance(source, str) and ("\n" in source or "\r" in source):
        source = text_input.encoded(source).getvalue()
    if isinstance(source, str | Path):
        path = Path(source)
        if not path.is_file():
            raise InputError(f"no file {path}: give the path of a CSV file, bytes or a DataFrame")
        opened = path.open("rb")
        return opened, path.name, opened.close
    if isinstance(source, bytes | bytearray | memoryview):
        return io.BytesIO(source), "", _nothing
    if isinstance(source, io.TextIOBase):
        return text_input.encoded_file(source), "", _nothing
    # Look at the type, because a DataFrame shows its columns as attributes.
    if hasattr(type(source), "read"):
        name = getattr(source, "name", None)
        own_name = Path(name).name if isinstance(name, str) else ""
        if not source.seekable():
            return source, own_name, _nothing
        at = source.tell()
        return source, own_name, lambda: source.seek(at)
    raise InputError(
        f"cannot upload a {type(source).__name__}: give a path, bytes, text, an open file, or a "
        "DataFrame of pandas or polars"
    )


def _nothing() -> None:
    pass


def _converted(source: _Opened, delimiter: str, reading: Reading) -> PlainFile | None:
    """Return what a source is turned into; None if it is uploaded as it is."""
    if source.named(_ZIP):
        return _unpacked(source, delimiter, reading)
    if source.named(workbooks.SUFFIXES):
        reading.check(f"the workbook {source.known}", usable=("sheet", "skip_rows"))
        return _sheet(source, delimiter, reading)
    if source.named(_PARQUET + _JSON_LINES):
        reading.check(source.known)
        read = parquet_text if source.named(_PARQUET) else json_text
        return _written(read(source.seekable()), source.known, _as_csv(source.wanted), delimiter)
    reading.check(f"{source.known}, which is text", usable=("encoding", "skip_rows"))
    packed_table = source.named(tuple(f"{each}{gzipped.SUFFIX}" for each in _TABLES))
    if source.named(gzipped.SUFFIX) and (packed_table or reading.changes_text or reading.unpacks):
        return _unpacked(source, delimiter, reading)
    if not reading.changes_text:
        return None
    blocks, notes = text_input.as_utf8(
        archives.blocks_of(source.file), encoding=reading.encoding, skip_rows=reading.skip_rows
    )
    file, lines = archives.stored(blocks)
    said = (f"{source.known}: {number_of(lines, 'line')}", *notes)
    return PlainFile(file, source.wanted, ("; ".join(said),), file.close)


def _written(made: FrameText, what: str, name: str, delimiter: str, *, above: int = 0) -> PlainFile:
    """Write rows of text as CSV.

    Parameters
    ----------
    above
        Blank lines above the header.
    """
    counted = _Counted(made.rows)
    file, _ = archives.stored(write_csv(made.columns, counted, delimiter=delimiter, above=above))
    said = (
        f"{what}: {number_of(counted.count, 'row')} of "
        f"{number_of(len(made.columns), 'column')}, written as CSV"
    )
    return PlainFile(file, name, (said, *made.notes), file.close)


class _Counted:
    """Rows that are counted as they are read, but for those without fields."""

    def __init__(self, rows: Iterable[Sequence[str]]) -> None:
        self.count, self._rows = 0, rows

    def __iter__(self) -> Iterator[Sequence[str]]:
        for row in self._rows:
            self.count += bool(row)
            yield row


def _as_csv(name: str) -> str:
    """Return a name with the ending of what is made of the file."""
    path = PurePosixPath(name)
    while path.suffix.lower() in (*_TABLES, _ZIP, gzipped.SUFFIX):
        path = path.with_suffix("")
    return str(path if path.suffix else f"{path}.csv")


def _sheet(source: _Opened, delimiter: str, reading: Reading) -> PlainFile:
    found = workbooks.read_sheet(source.file, sheet=reading.sheet)
    rows = found.rows[reading.skip_rows :]
    above = next((number for number, row in enumerate(rows) if any(row)), None)
    if above is None:
        raise InputError(
            f"sheet {found.sheet!r} has nothing below {number_of(reading.skip_rows, 'row')}"
        )
    # Blank rows stay, as blank lines, so that the rows have the numbers of the sheet.
    notes = (*text_input.said_skipped(reading.skip_rows, "row"), *found.notes)
    below = (row if any(row) else () for row in rows[above + 1 :])
    made = FrameText(tuple(rows[above]), below, notes)
    what = f"sheet {found.sheet!r} of {source.known}"
    return _written(made, what, _as_csv(source.wanted), delimiter, above=above)


def _unpacked(source: _Opened, delimiter: str, reading: Reading) -> PlainFile:
    """Return what is made of the file in an archive."""
    unpack, ending = archives.ungzip, gzipped.SUFFIX
    if source.named(_ZIP):
        unpack, ending = archives.unzip, _ZIP
    file, inner = unpack(source.seekable(), source.known)
    wanted = inner
    if source.wanted != source.known:
        wanted = source.wanted.removesuffix(ending)
        wanted += "" if PurePosixPath(wanted).suffix else PurePosixPath(inner).suffix
    try:
        found = _converted(_Opened(file, inner, wanted), delimiter, reading)
    except BaseException:
        file.close()
        raise
    said = f"{inner} out of {source.known}"
    if found is None:
        return PlainFile(file, wanted, (said,), file.close)
    file.close()
    return PlainFile(found.file, found.name, (said, *found.notes), found.file.close)
