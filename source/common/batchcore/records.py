"""Read, reject and write the records of a chunk.

The steps of the chunk workflow pass a chunk's records on as JSON lines, one object per record. From
Read File to Write output file, every record stays in the file, in order, whether it is good or
rejected. So the last step can compare what it writes with what came in.

* good, after Read File: ``row`` (number in the uploaded file), ``raw`` (the record's text with its
  terminator), ``fields`` (column -> value, for the schema's columns only);
* good, after Get Financial Data: ``row``, ``raw``, ``values`` (the enrichment's values, in order);
  this step is left out if the schema has no look-up;
* rejected, from the step that rejected it on: ``row``, ``raw`` (with ``raw64``, Base64, if the
  bytes are not UTF-8, and ``surplus`` if the number of fields is wrong), ``key``, ``errors``.
"""

import base64
import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

import orjson

from batchcore import csvtext, quoting
from batchcore.intake import map_header
from batchcore.schema import RecordSchema, Violation
from batchcore.workflow import READ

Record = dict[str, Any]

REJECT_COLUMNS = ("source_row", "rules", "messages")


def read_records(
    data: bytes, schema: RecordSchema, *, delimiter: str, first_row: int
) -> Iterator[Record]:
    """Yield the records of a chunk, good and rejected, in order.

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
    records = csvtext.iter_records(data.removeprefix(csvtext.BOM), delimiter=delimiter)
    header = next(records)
    positions = map_header(header, schema, delimiter=delimiter)
    header_text = header.decode("utf-8", "backslashreplace")
    width = len(csvtext.parse_row(header_text, delimiter=delimiter))
    terminator = header[len(header.rstrip(b"\r\n")) :].decode() or "\n"

    raws = list(records)
    numbers = [row for row, raw in enumerate(raws, first_row) if not csvtext.is_blank(raw)]
    raws = [raw for raw in raws if not csvtext.is_blank(raw)]
    texts, all_utf8 = _decode_all(raws)
    rows = quoting.parse_rows(texts, delimiter=delimiter)
    names, key_at = tuple(positions), positions.get(schema.key)
    # One call per row instead of one per field. For a single column, itemgetter would not return a
    # tuple, so it gets the first field as well.
    pick = itemgetter(*positions.values(), *[0] * (len(names) == 1))
    for row, raw, text, fields in zip(numbers, raws, texts, rows, strict=True):
        # Only the last record of the file can lack its terminator.
        line = text if text[-1] in "\n\r" else text + terminator
        utf8 = all_utf8 or line.isascii() or _is_utf8(line)
        if utf8 and len(fields) == width:
            values = dict(zip(names, pick(fields), strict=False))
            yield {"row": row, "raw": line, "fields": values}
            continue
        faults = [] if utf8 else [_not_utf8(raw)]
        stray = fields is quoting.STRAY_TEXT
        found = csvtext.parse_row(text, delimiter=delimiter) if stray else fields
        if stray:
            faults.append(_stray_text(line, delimiter))
        if len(found) != width:
            faults.insert(0, _field_count(len(found), width))
        key = found[key_at] if key_at is not None and key_at < len(found) else ""
        shown = {"row": row, "raw": line, "surplus": len(found) - width}
        if not utf8:
            shown["raw64"] = base64.b64encode(line.encode("utf-8", "surrogateescape")).decode()
            shown["raw"] = raw.decode("utf-8", "backslashreplace")
            key = _readable(key)
        yield reject(shown, stage=READ.name, key=key, faults=faults)


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
        f"has {found} fields, but the header has {expected}",
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


def dump_counted(records: Iterable[Record]) -> tuple[bytes, int, int]:
    """Return records as JSON lines, their number, and the number of rejected ones.

    No record is kept after it is encoded, because the garbage collector would scan all of them
    again and again.
    """
    newline = orjson.OPT_APPEND_NEWLINE
    lines, rejected = [], 0
    for record in records:
        lines.append(orjson.dumps(record, option=newline))
        rejected += "errors" in record
    return b"".join(lines), len(lines), rejected


def load_lines(data: bytes) -> Iterator[Record]:
    """Yield the records in JSON lines."""
    return map(orjson.loads, data.splitlines())


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
        body = header.rstrip(b"\r\n")
        return body + self._tail(columns) + (header[len(body) :] or b"\n")

    def completed(self, record: Mapping[str, Any]) -> bytes:
        """Return a good record's original bytes with the enrichment's values appended.

        Without look-up, there are no values.
        """
        raw: bytes = record["raw"].encode()
        body = raw.rstrip(b"\r\n")
        return body + self._tail(record.get("values", ())) + raw[len(body) :]

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
        return body + self._tail(why) + raw[len(raw.rstrip(b"\r\n")) :]

    def _tail(self, values: Sequence[str]) -> bytes:
        return (self._delimiter + self._format(values)).encode() if values else b""

    def _format(self, values: Iterable[str]) -> str:
        line: str = self._writer.writerow(values)
        return line[:-2]
