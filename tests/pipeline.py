"""A file through the functions in this process, and the law that must then hold.

`run` chains their pure parts; `run_handlers` has the handlers work on a mocked account, as the
workflows call them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import support
from batchcore import csvtext, intake, jobs, keys
from batchcore.chunk_rows import Record, load_rows
from batchcore.errors import FileError, NoRowsError
from batchcore.records import REJECT_COLUMNS, RowWriter, read_chunk, reject_invalid
from support import SCHEMA, Account

Values = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Apps:
    """The functions of both workflows."""

    split: ModuleType
    read: ModuleType
    validate: ModuleType
    enrich: ModuleType
    write: ModuleType
    merge: ModuleType

    @classmethod
    def load(cls, load_app: support.LoadApp) -> Apps:
        """Import them as Lambda would."""
        folders = (
            "split-ip-file",
            "read-file",
            "validate-data",
            "enrich-data",
            "write-output-chunk",
            "merge-s3-files",
        )
        return cls(*map(load_app, folders))


@dataclass(frozen=True)
class Result:
    """What a file came to: its outcome's name if it was refused, or both files and its errors."""

    refused: str
    completed: bytes
    rejects: bytes
    errors: tuple[Record, ...]


def run(
    apps: Apps,
    data: bytes,
    reference: Values,
    *,
    delimiter: str = ",",
    chunk_rows: int = 3,
    block: int = 4096,
) -> Result:
    """Split, read, validate, enrich, write and join a file, as the workflow does."""
    blocks = (data[start : start + block] for start in range(0, len(data), block))
    splitter = csvtext.Splitter(
        intake.check_text(blocks), delimiter=delimiter, chunk_rows=chunk_rows
    )
    try:
        header = intake.read_header(splitter, SCHEMA, delimiter=delimiter)
        chunks = list(splitter.chunks())
        if not chunks:
            raise NoRowsError("no rows")
    except FileError as error:
        return Result(type(error).__name__, b"", b"", ())
    writer = RowWriter(delimiter=delimiter)
    completed = [writer.header(header, SCHEMA.enrichment)]
    rejects = [writer.header(header, REJECT_COLUMNS)]
    errors: list[Record] = []
    for chunk in chunks:
        data_of = header + chunk.data
        found = read_chunk(data_of, SCHEMA, delimiter=delimiter, first_row=chunk.first_row)
        read = load_rows(found.dump(after="read"), after="read")
        checked = load_rows(
            reject_invalid(read, apps.validate.schema).dump(after="validate"), after="validate"
        )
        stored = apps.enrich.enrich(checked, reference).dump(after="enrich")
        pieces = apps.write.format_pieces(load_rows(stored, after="enrich"), delimiter)
        apps.write.check_complete(
            pieces.rows,
            {
                "number": chunk.number,
                "firstRow": chunk.first_row,
                "lastRow": chunk.last_row,
                "rows": chunk.rows,
            },
        )
        completed.append(pieces.output)
        rejects.append(pieces.rejects)
        errors += pieces.rejected
    return Result("", b"".join(completed), b"".join(rejects), tuple(errors))


def run_handlers(
    apps: Apps, account: Account, name: str, data: bytes, *, delimiter: str, chunk_rows: int
) -> Result:
    """Have the handlers process an upload, passing on what the workflows pass on."""
    key = f"input/{name}"
    version = account.put(key, data)
    job = jobs.job_id(support.BUCKET, key, version)
    parameters = {**support.PARAMETERS, "delimiter": delimiter, "chunkRows": chunk_rows}
    event = support.job_event(job, key=key, versionId=version, parameters=parameters)
    context = support.context()
    split = apps.split.lambda_handler(event, context)
    if "failure" in split:
        assert account.get(key) == data
        return Result(split["failure"]["Error"], b"", b"", ())
    (manifest,) = account.lines(split["manifestKey"])
    for chunk in manifest:
        state: dict[str, Any] = {
            **support.chunk_event(job, number=chunk["number"], delimiter=delimiter),
            "chunk": chunk,
        }
        steps = {"read": apps.read, "validate": apps.validate, "enrich": apps.enrich}
        for step, app in steps.items():
            state[step] = app.lambda_handler(state, context)
        apps.write.lambda_handler(state, context)
    merged = apps.merge.lambda_handler(event, context)
    assert "failure" not in merged
    assert merged["rowsIn"] == merged["rowsOut"] + merged["rowsRejected"] == split["rows"]
    assert account.get(merged["archiveKey"]) == data
    found = [
        record
        for chunk in manifest
        for record in account.rows(keys.enriched(job, chunk["number"]))
        if "errors" in record
    ]
    stored = [each for each in account.errors() if each.startswith(f"{job}/")]
    assert len(stored) == sum(len(record["errors"]) for record in found)
    return Result(
        "", account.get(merged["completedKey"]), account.get(merged["rejectedKey"]), tuple(found)
    )


def rows_of(data: bytes, delimiter: str) -> list[list[str]]:
    """Return what Python's csv reads; Latin-1 maps each byte to a character and back."""
    text = io.StringIO(data.decode("latin-1"), newline="")
    return list(csv.reader(text, delimiter=delimiter))


def assert_conserved(
    data: bytes, completed: bytes, rejects: bytes, reference: Values, *, delimiter: str = ","
) -> set[int]:
    """Hold both results against what Python's csv reads of the input; return the rejected rows.

    Every row is in the output, in the input's order, with its own bytes and the values of its key
    behind them, or in the rejects, once, under its number.
    """
    body = data.removeprefix(csvtext.BOM)
    numbered = {number: row for number, row in enumerate(rows_of(body, delimiter), 1) if row}
    header_row = min(numbered)
    header = numbered.pop(header_row)
    records = dict(enumerate(csvtext.iter_records(body, delimiter=delimiter), 1))
    assert b"".join(records.values()) == body

    rejects_header, *rejected = rows_of(rejects.removeprefix(csvtext.BOM), delimiter)
    assert rejects_header == [*header, *REJECT_COLUMNS]
    width = len(header)
    bad = [int(row[width]) for row in rejected]
    assert bad == sorted(set(bad))
    for number, row in zip(bad, rejected, strict=True):
        padded = numbered[number] + [""] * (width - len(numbered[number]))
        assert row[:width] + row[width + 3 :] == padded
        assert row[width + 1]
        assert row[width + 2]

    head = records[header_row]
    end = head[len(head.rstrip(b"\r\n")) :] or b"\n"
    good = [number for number in numbered if number not in set(bad)]
    key = [name.strip() for name in header].index(SCHEMA.key)
    expected = bytearray()
    for number in good:
        line = records[number].rstrip(b"\r\n")
        values = delimiter.join(["", *reference[numbered[number][key]].values()])
        expected += line + values.encode() + (records[number][len(line) :] or end)
    first_line = (data[: len(data) - len(body)] + head).rstrip(b"\r\n")
    tail = (delimiter + delimiter.join(SCHEMA.enrichment)).encode()
    assert completed == first_line + tail + end + expected
    return set(bad)


def bad_rows(data: bytes, reference: Values, *, delimiter: str = ",") -> Iterator[int]:
    """Yield the rows that have to be rejected, by the schema and Python's csv alone."""
    rows = rows_of(data.removeprefix(csvtext.BOM), delimiter)
    numbered = [(number, row) for number, row in enumerate(rows, 1) if row]
    header = [name.strip() for name in numbered[0][1]]
    for number, row in numbered[1:]:
        try:
            fields = [field.encode("latin-1").decode() for field in row]
        except UnicodeDecodeError:
            yield number
            continue
        named = dict(zip(header, fields, strict=False))
        known = {column: named[column] for column in SCHEMA.columns if column in named}
        fits = len(row) == len(header) and SCHEMA.is_valid(known)
        if not fits or known[SCHEMA.key] not in reference:
            yield number
