"""The whole job by the code of the stack's functions in one process, and a plan of it."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO

from batchcore import csvtext, intake
from batchcore.records import REJECT_COLUMNS, RowWriter, read_chunk, reject_invalid, reject_unknown

from batchops.deployment.settings import shipped_settings
from batchops.planning.scan import scan_file
from tools.benchmarks.work import Work, nothing
from tools.benchmarks.work.whole import Files, shipped_schema

_BLOCK_BYTES = 1024 * 1024


def prepare(step: str, folder: Path, chunk_rows: int) -> Work:
    """Return the work of ``plan``, which writes nothing, or of the ``functions``."""
    files, schema = Files.of(folder, step), shipped_schema()
    settings = replace(shipped_settings(), chunk_rows=chunk_rows)

    def plan() -> None:
        known = _reference(files).keys()
        with files.orders.open("rb") as file:
            found = scan_file(file, schema=schema, settings=settings, known_keys=known.__and__)
        files.count(found.work.rows - found.work.rejected, found.work.rejected)

    def functions() -> None:
        values_of = _reference(files)
        writer, counts = RowWriter(delimiter=","), [0, 0]
        with files.orders.open("rb") as orders, files.good.open("wb") as good:
            splitter = csvtext.Splitter(_blocks(orders), delimiter=",", chunk_rows=chunk_rows)
            header = intake.read_header(splitter, schema, delimiter=",")
            good.write(writer.header(header, schema.enrichment))
            with files.bad.open("wb") as bad:
                bad.write(writer.header(header, REJECT_COLUMNS))
                for chunk in splitter.chunks():
                    data, first = header + chunk.data, chunk.first_row
                    read = read_chunk(data, schema, delimiter=",", first_row=first)
                    valid = reject_invalid(read, schema)
                    rows = reject_unknown(valid, values_of, schema)
                    good.write(writer.completed(rows.raw, [values_of[k] for k in rows.keys or ()]))
                    bad.writelines(map(writer.rejected, rows.rejected))
                    counts[0] += len(rows.rows)
                    counts[1] += len(rows.rejected)
        files.count(*counts)

    steps: dict[str, Callable[[], None]] = {"plan": plan, "functions": functions}
    return steps[step], nothing


def _reference(files: Files) -> dict[str, list[str]]:
    with files.reference.open(encoding="utf-8", newline="") as file:
        return {key: values for key, *values in csv.reader(file)}


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    while block := file.read(_BLOCK_BYTES):
        yield block
