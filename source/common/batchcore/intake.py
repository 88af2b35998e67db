"""Check whether an uploaded file can be processed at all, and refuse it with a reason if not."""

from collections.abc import Iterator

from batchcore import csvtext, header_errors, headers, quoting
from batchcore.errors import (
    DuplicateColumnsError,
    EmptyFileError,
    HeaderTooLargeError,
    MalformedHeaderError,
    NoRowsError,
    NotTextError,
    Utf16Error,
)
from batchcore.schema import RecordSchema
from batchcore.texts import number_of

# How files that are not text begin, and what they are.
_MAGIC = {
    b"PK\x03\x04": "a spreadsheet or a ZIP archive",
    b"\x1f\x8b": "a gzip archive",
    b"PAR1": "a Parquet file",
    b"\xd0\xcf\x11\xe0": "an old Excel spreadsheet",
    b"%PDF": "a PDF",
    b"\x89PNG": "an image",
    b"GIF89a": "an image",
    b"\xff\xd8\xff": "an image",
    b"{\\rtf": "a document in RTF",
    b"SQLite format 3\0": "a database of SQLite",
    b"ARROW1\0": "a Feather file",
    b"BZh91AY&SY": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"Rar!": "a RAR archive",
    b"\x28\xb5\x2f\xfd": "a Zstandard archive",
}
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
# The first of these begins as a BOM of UTF-16 does.
_UTF32_BOMS = (b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")
_SNIFFED_BYTES = 4096

# Each chunk repeats the header, so it must not outweigh the rows.
MAX_HEADER_BYTES = 1024 * 1024

# A rejected row with too few fields is filled up with delimiters. A row of two bytes takes 0.6 KB
# in the bucket with 5 columns, 5 KB with so many, and 200 KB with 200,000.
MAX_COLUMNS = 4_096


def check_text(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the blocks, after checking that the first one looks like text in a known encoding.

    Raises
    ------
    EmptyFileError, NotTextError, Utf16Error
    """
    first = next(blocks, b"")
    head = first[:_SNIFFED_BYTES]
    if not head:
        raise EmptyFileError("the file has 0 bytes")
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            raise NotTextError(f"the file is {kind}, not text: export the data as CSV in UTF-8")
    if head.startswith(_UTF32_BOMS):
        raise Utf16Error(
            "the file is UTF-32 text: save it as UTF-8, or submit it with encoding utf-32"
        )
    if head.startswith(_UTF16_BOMS) or _looks_like_utf16(head):
        raise Utf16Error(
            "the file is UTF-16 text: save it as UTF-8 (in Excel: CSV UTF-8), or submit it with "
            "encoding utf-16"
        )
    yield first
    yield from blocks


def _looks_like_utf16(head: bytes) -> bool:
    """Return whether nearly every second byte, and no other, is NUL: UTF-16 without a BOM."""
    fewer, more = sorted((head[::2].count(0), head[1::2].count(0)))
    half = len(head) // 2
    return half > 1 and more > 0.4 * half and fewer < 0.05 * half


def find_header(splitter: csvtext.Splitter, schema: RecordSchema) -> bytes:
    """Return the header as `read_header` does, after finding the file's delimiter.

    If the header lacks required columns with the splitter's delimiter, and has them with exactly
    one other, the splitter goes on with that one.

    Raises
    ------
    EmptyFileError, NotTextError, NoHeaderError, WrongDelimiterError, MissingColumnsError
        And DuplicateColumnsError, MalformedHeaderError, HeaderTooLargeError.
    """
    header = splitter.header()
    _check_size(header)
    if header and not headers.has_all(schema.required, _text(header), splitter.delimiter):
        # With another delimiter, quotes may make the header longer.
        text = _text(header + splitter.ahead(header_errors.SEARCHED_BYTES))
        fitting = headers.fitting_delimiters(text, schema.required, delimiter=splitter.delimiter)
        if len(fitting) == 1:
            header = splitter.header_again(fitting[0])
    return _checked(header, splitter, schema, delimiter=splitter.delimiter)


def read_header(splitter: csvtext.Splitter, schema: RecordSchema, *, delimiter: str) -> bytes:
    """Return the header with a line end, after checking that it has the required columns.

    Raises
    ------
    EmptyFileError, NotTextError, NoHeaderError, WrongDelimiterError, MissingColumnsError
        And DuplicateColumnsError, MalformedHeaderError, HeaderTooLargeError.
    """
    return _checked(splitter.header(), splitter, schema, delimiter=delimiter)


def _checked(
    header: bytes, splitter: csvtext.Splitter, schema: RecordSchema, *, delimiter: str
) -> bytes:
    if not header:
        raise EmptyFileError("the file has only blank lines")
    if any(byte < 0x20 and byte not in b"\t\n\r" for byte in header[:_SNIFFED_BYTES]):
        raise NotTextError("the first row is not text: export the data as CSV in UTF-8")
    _check_size(header)
    # What comes next tells why a header is none: the columns may stand below a title.
    below = splitter.ahead(header_errors.SEARCHED_BYTES)
    map_header(header, schema, delimiter=delimiter, below=below, row=splitter.row - 1)
    # The rest only here: a job that was split before a rule must not fail when it is run again.
    if quoting.is_stray(_text(header), delimiter=delimiter):
        raise MalformedHeaderError(f"the header has text after a closing quote: {quoting.HINT}")
    columns = len(headers.names_of(_text(header), delimiter=delimiter))
    if columns > MAX_COLUMNS:
        raise HeaderTooLargeError(
            f"the header has {number_of(columns, 'column')}, and a file may have {MAX_COLUMNS:,}, "
            "because each rejected row is written with all of them: leave out columns, or turn "
            "them into rows"
        )
    return header if header.endswith((b"\n", b"\r")) else header + b"\n"


def _check_size(header: bytes) -> None:
    """Refuse a header that is too large, before it is parsed."""
    if len(header) <= MAX_HEADER_BYTES:
        return
    header_errors.refuse_markup(_text(header[:_SNIFFED_BYTES]))
    raise HeaderTooLargeError(
        f"the header has {number_of(len(header), 'byte')}, and a file may have "
        f"{MAX_HEADER_BYTES:,}, because each chunk repeats it: shorten the columns' names, leave "
        "out columns, or see whether a quote is never closed in row 1"
    )


def map_header(
    header: bytes, schema: RecordSchema, *, delimiter: str, below: bytes = b"", row: int = 1
) -> dict[str, int]:
    """Return the position in the file of each column of the schema.

    Parameters
    ----------
    header
        The file's first record.
    below, row
        The bytes after it and its row, which tell more if it is refused; see `header_error`.

    Raises
    ------
    NoHeaderError, WrongDelimiterError, MissingColumnsError, DuplicateColumnsError
        If a required column is missing, or a column of the schema occurs more than once.
    """
    text = _text(header)
    names = headers.names_of(text, delimiter=delimiter)
    missing = [column for column in schema.required if column not in names]
    if missing:
        raise header_errors.header_error(
            header.removeprefix(csvtext.BOM),
            missing,
            schema,
            delimiter=delimiter,
            below=below,
            row=row,
        )
    twice = [column for column in schema.columns if names.count(column) > 1]
    if twice:
        raise DuplicateColumnsError(f"the header names {headers.listed(twice)} more than once")
    return {column: names.index(column) for column in schema.columns if column in names}


def header_warnings(header: bytes, schema: RecordSchema, *, delimiter: str) -> dict[str, str]:
    """Return what may be wrong with a header that is accepted, in words, by a name for it.

    ``nearColumns``: columns that the file does not have, but nearly; their rules are not applied.
    ``doubledColumns``: columns that the enrichment adds and the file has already.
    """
    names = headers.names_of(_text(header), delimiter=delimiter)
    near = header_errors.in_other_encodings(header, schema, delimiter=delimiter)
    near |= headers.near_misses(schema.columns, names)
    doubled = [column for column in schema.enrichment if column in names]
    found = {}
    if near:
        found["nearColumns"] = (
            f"RULES NOT APPLIED: in the header {headers.spelt(near)} of the schema, but names are "
            "matched exactly: rename these columns, or their values are not checked"
        )
    if doubled:
        found["doubledColumns"] = (
            f"COLUMNS TWICE: the file has {headers.listed(doubled)} already, which the reference "
            "data adds: of each two in the completed file the last is the new one"
        )
    return found


def _text(header: bytes) -> str:
    return header.removeprefix(csvtext.BOM).decode("utf-8", "backslashreplace")


def no_rows() -> NoRowsError:
    """Return the error for a file that has no rows after its header."""
    return NoRowsError("the file has a header and no rows: upload a file with data")
