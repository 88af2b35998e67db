"""Read a chunk's rows, reject them, and write the rows of the result files."""

import base64
import csv
import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any

from batchcore import csvtext, quoting
from batchcore.chunk_rows import ChunkRows, Record
from batchcore.intake import map_header
from batchcore.reference import unknown_key
from batchcore.schema import RecordSchema, Violation
from batchcore.texts import number_of
from batchcore.workflow import ENRICH, READ, VALIDATE

REJECT_COLUMNS = ("source_row", "rules", "messages")

# So many rows are parsed at a time. Whole chunks of lists would keep the garbage collector busy.
_PARSED_ROWS = 500

_BLANK = frozenset((b"\n", b"\r\n", b"\r"))


def read_chunk(data: bytes, schema: RecordSchema, *, delimiter: str, first_row: int) -> ChunkRows:
    """Return the rows of a chunk, the good ones with the fields of the schema's columns.

    Parameters
    ----------
    data
        The chunk's bytes: the file's header and whole records.
    first_row
        The number of the first record after the header in the uploaded file.

    Notes
    -----
    Records are rejected here if they are not UTF-8 (rule ``encoding``), have text after a closing
    quote (rule ``quoting``), or another number of fields than the header (rule ``fieldCount``).
    """
    header, *raws = csvtext.iter_records(data.removeprefix(csvtext.BOM), delimiter=delimiter)
    positions = map_header(header, schema, delimiter=delimiter)
    header_text = header.decode("utf-8", "backslashreplace")
    width = len(csvtext.parse_row(header_text, delimiter=delimiter))
    numbers: Sequence[int] = range(first_row, first_row + len(raws))
    if not _BLANK.isdisjoint(raws):
        numbers = [row for row, raw in zip(numbers, raws, strict=True) if raw not in _BLANK]
        raws = [raw for raw in raws if raw not in _BLANK]
    if raws and raws[-1][-1:] not in (b"\n", b"\r"):  # only the last record of the file can lack it
        raws[-1] += csvtext.line_end(header) or b"\n"
    texts, all_utf8 = _decode_all(raws)
    columns: dict[str, list[str]] = {name: [] for name in positions}
    bad: dict[int, Record] = {}
    for start in range(0, len(texts), _PARSED_ROWS):
        found = quoting.parse_all(texts[start : start + _PARSED_ROWS], delimiter=delimiter)
        if not all_utf8 or not {width}.issuperset(map(len, found)):
            for place, fields in enumerate(found, start):
                text = texts[place]
                utf8 = all_utf8 or text.isascii() or _is_utf8(text)
                if utf8 and len(fields) == width:
                    continue
                bad[place] = _rejected(
                    {"row": numbers[place], "raw": text},
                    raws[place],
                    fields,
                    utf8=utf8,
                    delimiter=delimiter,
                    width=width,
                    key_at=positions.get(schema.key),
                )
            found = [fields for place, fields in enumerate(found, start) if place not in bad]
        values = list(zip(*found, strict=True)) or [()] * width
        for name, place in positions.items():
            columns[name].extend(values[place])
    good = ChunkRows(list(numbers), texts).without(bad)
    return ChunkRows(good.rows, good.raw, good.rejected, columns)


def _rejected(
    row: Record,
    raw: bytes,
    fields: Sequence[str],
    *,
    utf8: bool,
    delimiter: str,
    width: int,
    key_at: int | None,
) -> Record:
    """Return a row that cannot be read as a rejected one, given its bytes and its fields."""
    text = row["raw"]
    faults = [] if utf8 else [_not_utf8(raw)]
    if fields is quoting.STRAY_TEXT:
        fields = csvtext.parse_row(text, delimiter=delimiter)
        faults.append(_stray_text(text, delimiter))
    surplus = len(fields) - width
    if surplus:
        faults.insert(0, _field_count(len(fields), width))
    key = fields[key_at] if key_at is not None and key_at < len(fields) else ""
    shown = {**row, "surplus": surplus}
    if not utf8:
        shown["raw64"] = base64.b64encode(raw).decode()
        shown["raw"] = raw.decode("utf-8", "backslashreplace")
        key = _readable(key)
    return reject(shown, stage=READ.name, key=key, faults=faults)


def read_records(
    data: bytes, schema: RecordSchema, *, delimiter: str, first_row: int
) -> Iterator[Record]:
    """Return the records of a chunk one by one, good and rejected, in order; see `read_chunk`."""
    return read_chunk(data, schema, delimiter=delimiter, first_row=first_row).records()


def _decode_all(raws: list[bytes]) -> tuple[list[str], bool]:
    """Return the text of each record, and whether all records are UTF-8."""
    try:
        return [raw.decode() for raw in raws], True
    except UnicodeDecodeError:
        return [raw.decode("utf-8", "surrogateescape") for raw in raws], False


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # an escaped byte
        return False
    return True


def _field_count(found: int, expected: int) -> Violation:
    return Violation(
        "",
        "fieldCount",
        str(found),
        str(expected),
        f"has {number_of(found, 'field')}, but the header has {expected}",
    )


def _not_utf8(raw: bytes) -> Violation:
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        where = f"byte {error.start + 1} is 0x{raw[error.start]:02X}"
        return Violation("", "encoding", "", "UTF-8", f"is not UTF-8: {where}")
    raise AssertionError("called for a row that is UTF-8")


def _stray_text(text: str, delimiter: str) -> Violation:
    number, field = quoting.stray_field(text, delimiter=delimiter)
    return Violation(
        "",
        "quoting",
        _readable(field),
        "",
        f"has text after the closing quote of field {number}: {quoting.HINT}",
    )


def _readable(text: str) -> str:
    """Return text that can be encoded: a byte that is not UTF-8 becomes an escape."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def reject(record: Mapping[str, Any], *, stage: str, key: str, faults: list[Violation]) -> Record:
    """Return a record as a rejected one, with every rule that it breaks."""
    kept = {name: record[name] for name in ("row", "raw", "raw64", "surplus") if name in record}
    errors = [
        {
            "stage": stage,
            "column": fault.column,
            "rule": fault.rule,
            "value": fault.value,
            "limit": fault.limit,
            "message": f"{fault.column or 'the row'} {fault.message}",
        }
        for fault in faults
    ]
    return {**kept, "key": key, "errors": errors}


_SPECIAL = re.compile(r'["\r\n]')


def reject_invalid(found: ChunkRows, schema: RecordSchema) -> ChunkRows:
    """Return the rows, as they were read, with those rejected that break rules of the schema.

    The good ones have their keys, if the schema has a look-up, and no other fields any more.
    """
    bad = {}
    for place in schema.broken_rows(found.fields, rows=len(found.rows)):
        fields = found.row_fields(place)
        bad[place] = reject(
            {"row": found.rows[place], "raw": found.raw[place]},
            stage=VALIDATE.name,
            key=schema.key_of(fields),
            faults=schema.violations(fields),
        )
    # Without the key's column, no row is good.
    keys = found.fields.get(schema.key, [""] * len(found.rows)) if schema.looks_up else None
    return ChunkRows(found.rows, found.raw, found.rejected, keys=keys).without(bad)


def reject_unknown(found: ChunkRows, known: Container[str], schema: RecordSchema) -> ChunkRows:
    """Return the rows, with their keys, with those rejected whose key is unknown."""
    bad = {
        place: reject(
            {"row": found.rows[place], "raw": found.raw[place]},
            stage=ENRICH.name,
            key=key,
            faults=[unknown_key(key, schema)],
        )
        for place, key in enumerate(found.keys or ())
        if key not in known
    }
    return found.without(bad)


class _Echo:
    """A file for `csv.writer`, whose writerow() then returns the formatted line."""

    write = staticmethod(str)


class RowWriter:
    """Formats rows of the completed file and of the rejects, and keeps the input's bytes."""

    def __init__(self, *, delimiter: str) -> None:
        self._delimiter = delimiter
        # csv quotes a field with a line break only if the writer's own terminator contains it.
        self._writer = csv.writer(_Echo(), delimiter=delimiter, lineterminator="\r\n")

    def header(self, header: bytes, columns: Sequence[str]) -> bytes:
        """Return the file's header with more columns appended."""
        end = csvtext.line_end(header)
        return header.removesuffix(end) + self._tail(columns) + (end or b"\n")

    def completed(self, raws: Sequence[str], values: Sequence[Sequence[str]] | None) -> bytes:
        """Return good rows with the enrichment's values behind each, their bytes unchanged.

        Parameters
        ----------
        raws
            The rows' texts, each with its terminator.
        values
            The values of each row; None without look-up.
        """
        whole = "".join(raws)
        if not values or not values[0]:
            return whole.encode()
        tails = self._tails(values)
        if "\r" in whole:
            bodies = [raw.rstrip("\r\n") for raw in raws]
            ends = [raw[len(body) :] for raw, body in zip(raws, bodies, strict=True)]
            rows = zip(bodies, tails, ends, strict=True)
            return "".join([f"{body}{tail}{end}" for body, tail, end in rows]).encode()
        lines = [f"{raw[:-1]}{tail}\n" for raw, tail in zip(raws, tails, strict=True)]
        return "".join(lines).encode()

    def _tails(self, values: Sequence[Sequence[str]]) -> list[str]:
        """Return the values of each row as text to append to it."""
        mark = self._delimiter
        tails = [mark + mark.join(row) for row in values]
        whole = "".join(tails)
        fields = len(tails) * len(values[0])
        # One empty field is written with quotes, as is one that has any of these.
        if len(values[0]) > 1 and whole.count(mark) == fields and not _SPECIAL.search(whole):
            return tails
        return [mark + self._format(row) for row in values]

    def rejected(self, record: Mapping[str, Any]) -> bytes:
        """Return a rejected record's original bytes with its row number, rules and messages.

        A record with too few fields is padded, so that these three are in their columns. If a
        record has too many fields, the surplus ones come after them.
        """
        raw = base64.b64decode(record["raw64"]) if "raw64" in record else record["raw"].encode()
        errors = record["errors"]
        why = (
            str(record["row"]),
            "; ".join(f"{e['column']}: {e['rule']}" if e["column"] else e["rule"] for e in errors),
            "; ".join(e["message"] for e in errors),
        )
        body = raw.rstrip(b"\r\n")
        surplus = record.get("surplus", 0)
        if surplus < 0:
            body += self._delimiter.encode() * -surplus
        elif surplus > 0:
            # Latin-1 maps every byte to one character and back, whatever the record's encoding.
            fields = list(quoting.match_fields(body.decode("latin-1"), delimiter=self._delimiter))
            end = fields[-surplus - 1].end()
            return body[:end] + self._tail(why) + body[end:] + raw[len(body) :]
        return body + self._tail(why) + csvtext.line_end(raw)

    def _tail(self, values: Sequence[str]) -> bytes:
        return (self._delimiter + self._format(values)).encode() if values else b""

    def _format(self, values: Iterable[str]) -> str:
        line: str = self._writer.writerow(values)
        return line[:-2]
