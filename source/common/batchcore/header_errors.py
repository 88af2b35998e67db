"""Say why a header is refused: what is seen in its place, and what to do."""

import re
import unicodedata
from collections.abc import Sequence

from batchcore import headers
from batchcore.errors import FileError, MissingColumnsError, NoHeaderError, WrongDelimiterError
from batchcore.schema import RecordSchema
from batchcore.texts import number_of

# How much of a file is searched for columns below its first row.
SEARCHED_BYTES = 64 * 1024
_SEARCHED_LINES = 50

# Spreadsheets write such a line above the header to name the delimiter.
_SEP_LINE = re.compile(r'"?sep=(.?)"?[,;\t|]*', re.IGNORECASE)

# Encodings of files from Windows, DOS and old Macs, as people and as Python and iconv call them.
_ENCODINGS = (
    ("Windows-1252", "cp1252", "WINDOWS-1252"),
    ("DOS code page 850", "cp850", "CP850"),
    ("Mac Roman", "mac_roman", "MACINTOSH"),
    ("Windows-1250", "cp1250", "WINDOWS-1250"),
    ("Windows-1251", "cp1251", "WINDOWS-1251"),
    ("Windows-1253", "cp1253", "WINDOWS-1253"),
    ("Windows-1254", "cp1254", "WINDOWS-1254"),
    ("Windows-1257", "cp1257", "WINDOWS-1257"),
    ("ISO-8859-2", "iso8859-2", "ISO-8859-2"),
    ("KOI8-R", "koi8-r", "KOI8-R"),
    ("Shift JIS", "shift_jis", "SHIFT_JIS"),
    ("EUC-JP", "euc_jp", "EUC-JP"),
    ("GB 18030", "gb18030", "GB18030"),
    ("Big5", "big5", "BIG5"),
    ("EUC-KR", "euc_kr", "EUC-KR"),
)
# What a value looks like, and hardly a name: a number or date, with a unit or a currency perhaps.
_VALUE = re.compile(r"\W*\d[\d.,:/ T+-]*\W*")
_MARKUP = {"<": "HTML or XML", "{": "JSON", "[": "JSON"}


def header_error(
    header: bytes,
    missing: Sequence[str],
    schema: RecordSchema,
    *,
    delimiter: str,
    below: bytes = b"",
    row: int = 1,
) -> FileError:
    """Return the error for a header that lacks required columns.

    Parameters
    ----------
    header
        The file's first record, without a BOM.
    missing
        The required columns that it lacks.
    below
        Bytes of the records after it, at most `SEARCHED_BYTES`.
    row
        The row of the header in the file.
    """
    text = header.decode("utf-8", "backslashreplace")
    names = headers.names_of(text, delimiter=delimiter)
    return (
        _lines_above(text, below, row, schema, delimiter)
        or _fitting_delimiters(text, schema, delimiter)
        or _other_encoding(header, schema, delimiter)
        or _nearly_other_delimiter(text, schema, delimiter)
        or _no_header(text, names, schema)
        or _missing_columns(names, missing, schema)
    )


def refuse_markup(text: str) -> None:
    """Raise an error if a text begins as HTML, XML or JSON does.

    Raises
    ------
    NoHeaderError
    """
    markup = _MARKUP.get(text.lstrip()[:1])
    if markup:
        raise NoHeaderError(f"the file looks like {markup}: export the data as CSV in UTF-8")


def _lines_above(
    text: str, below: bytes, row: int, schema: RecordSchema, delimiter: str
) -> FileError | None:
    """Return the error for a header that stands below other lines."""
    sep = _SEP_LINE.fullmatch(text.strip())
    place = _find_columns(text, below, schema, delimiter)
    if not sep and not place:
        return None
    what = "the first row is a spreadsheet's 'sep=' line, which is no header" if sep else ""
    if place is None:
        return NoHeaderError(f"{what}: delete it, and put the names of the columns first")
    at, other = row + 1 + place[0], place[1]
    above = number_of(at - 1, "line")
    found = f"the columns stand in row {at}, with {above} above them"
    lines = "it" if sep and at == row + 1 else "the lines above the columns"
    advice = f"delete {lines}, so that the file begins with the columns"
    advice += f", or skip {above} when it is submitted"
    if other != delimiter:
        found += f", and are delimited by {other!r}, but the stack expects {delimiter!r}"
    return NoHeaderError(f"{what + '; ' if what else ''}{found}: {advice}")


def _find_columns(
    text: str, below: bytes, schema: RecordSchema, delimiter: str
) -> tuple[int, str] | None:
    """Return the line that looks like the header, counted from 0, and its delimiter."""
    wanted = set(schema.required)
    delimiters = (delimiter, *headers.OTHER_DELIMITERS)
    # Half of the names, but no less than three, or all of them.
    enough = min(len(wanted), max(3, -(-len(wanted) // 2)))
    enough = max(enough, 1 + max(_count(wanted, text, each) for each in delimiters))
    lines = below.decode("utf-8", "backslashreplace").splitlines()
    for number, line in enumerate(lines[:_SEARCHED_LINES]):
        for each in delimiters:
            if _count(wanted, line, each) >= enough:
                return number, each
    return None


def _count(wanted: set[str], line: str, delimiter: str) -> int:
    return len(wanted & set(headers.names_of(line, delimiter=delimiter)))


def _fitting_delimiters(text: str, schema: RecordSchema, delimiter: str) -> FileError | None:
    """Return the error for a header that has all columns with other delimiters."""
    found = headers.fitting_delimiters(text, schema.required, delimiter=delimiter)
    if not found:
        return None
    if len(found) == 1:
        return WrongDelimiterError(
            f"the header is delimited by {found[0]!r}, but the stack expects {delimiter!r}: "
            "convert the file, or deploy with another FileDelimiter"
        )
    return WrongDelimiterError(
        f"the header has the columns {headers.listed(schema.required)} with each of the delimiters "
        f"{', '.join(map(repr, found))}, and not with {delimiter!r}: convert the file, or deploy "
        "with the right FileDelimiter"
    )


def _nearly_other_delimiter(text: str, schema: RecordSchema, delimiter: str) -> FileError | None:
    """Return the error for a header that has some columns with another delimiter."""
    other = headers.other_delimiter(text, schema.columns, delimiter=delimiter)
    if other is None:
        return None
    names = headers.names_of(text, delimiter=other)
    missing = [column for column in schema.required if column not in names]
    if other not in headers.OTHER_DELIMITERS and missing:
        return None  # words of a row of data, perhaps
    if not missing:
        return WrongDelimiterError(
            f"the header is delimited by {other!r}, but the stack expects {delimiter!r}: "
            "convert the file, or deploy with another FileDelimiter"
        )
    return WrongDelimiterError(
        f"the header looks delimited by {other!r} instead of {delimiter!r}, but then it lacks "
        f"{headers.listed(missing)}: {_what_is_near(names, missing, schema)}"
    )


def _other_encoding(header: bytes, schema: RecordSchema, delimiter: str) -> FileError | None:
    """Return the error for a header that has the names, but in another encoding than UTF-8."""
    if header.isascii():
        return None
    for each in (delimiter, *headers.OTHER_DELIMITERS.replace(delimiter, "")):
        names = headers.names_of(header.decode("utf-8", "backslashreplace"), delimiter=each)
        missing = [column for column in schema.required if column not in names]
        found = _encoding_of(header, missing, each)
        if found:
            return found
    return None


def _encoding_of(header: bytes, missing: Sequence[str], delimiter: str) -> FileError | None:
    for name, codec, iconv in _ENCODINGS:
        if headers.has_all(missing, _decoded(header, codec), delimiter):
            return MissingColumnsError(
                f"the header lacks {headers.listed(missing)} in UTF-8, but has them in {name}: "
                f"save the file as UTF-8 (in Excel: CSV UTF-8), submit it with encoding {codec}, "
                f"or convert it: iconv -f {iconv} -t UTF-8 FILE > NEW"
            )
        twice = _decoded(_encoded(header, codec), "utf-8")
        if headers.has_all(missing, twice, delimiter):
            return MissingColumnsError(
                f"the header lacks {headers.listed(missing)}: it was in UTF-8, was read as {name}, "
                "and saved again: take the file from before that"
            )
    return None


def in_other_encodings(header: bytes, schema: RecordSchema, *, delimiter: str) -> dict[str, str]:
    """Return the names that are columns of the schema in another encoding, by the column."""
    if header.isascii():
        return {}
    names = headers.names_of(header.decode("utf-8", "backslashreplace"), delimiter=delimiter)
    wanted = [each for each in schema.columns if each not in names and not each.isascii()]
    found: dict[str, str] = {}
    for _, codec, _ in _ENCODINGS if wanted else ():
        texts = (_decoded(header, codec), _decoded(_encoded(header, codec), "utf-8"))
        for others in (headers.names_of(text, delimiter=delimiter) for text in texts):
            pairs = zip(others, names, strict=True) if len(others) == len(names) else ()
            for other, name in pairs:
                if other in wanted:
                    found.setdefault(other, name)
    return found


def _decoded(data: bytes, codec: str) -> str:
    try:
        return data.decode(codec)
    except UnicodeDecodeError:
        return ""


def _encoded(data: bytes, codec: str) -> bytes:
    try:
        return data.decode().encode(codec)
    except UnicodeError:
        return b""


def _no_header(text: str, names: Sequence[str], schema: RecordSchema) -> FileError | None:
    """Return the error for a first row that has none of the names, nor similar ones."""
    if headers.any_alike(schema.columns, names):
        return None
    refuse_markup(text)
    # The message does not quote the row, because it may be somebody's data.
    lacking = f"the first row names none of the columns {headers.listed(schema.required)}"
    if len(names) == 1 and headers.any_alike(schema.columns, re.split(r"[,;\t|]", names[0])):
        return NoHeaderError(
            f"{lacking}: the whole row stands in quotes, as one field: export the data again, "
            "without quotes around whole lines"
        )
    if any(_VALUE.fullmatch(name) for name in names):
        return NoHeaderError(f"{lacking}: it looks like data, so put a header above it")
    return NoHeaderError(
        f"{lacking}: if it is data, put a header above it; if it is a header, rename its columns, "
        "or see whether this is another kind of file"
    )


def _missing_columns(
    names: Sequence[str], missing: Sequence[str], schema: RecordSchema
) -> FileError:
    return MissingColumnsError(
        f"the header lacks {headers.listed(missing)}: {_what_is_near(names, missing, schema)}"
    )


def _what_is_near(names: Sequence[str], missing: Sequence[str], schema: RecordSchema) -> str:
    """Say which names are nearly those that are missing, and then which there are."""
    near = headers.near_misses(schema.columns, names)
    near = {column: near[column] for column in missing if column in near}
    notes = [f"{headers.spelt(near)}"] if near else []
    if any(name == f"'{column}'" for column, name in near.items()):
        notes.append("names and values are in single quotes, but CSV has double quotes")
    if any(_same_letters(column, name) for column, name in near.items()):
        notes.append("the same letters are written in another Unicode normalisation: use NFC")
    notes.append("columns are matched by their exact names")
    return f"{'; '.join(notes)}, and the file has {headers.listed(names)}"


def _same_letters(column: str, name: str) -> bool:
    return column != name and unicodedata.normalize("NFC", column) == unicodedata.normalize(
        "NFC", name
    )
