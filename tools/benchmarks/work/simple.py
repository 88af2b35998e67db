"""The steps as one would write them first: csv, json, jsonschema, everything in memory."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from batchcore import keys

from batchops.core.project import checkout_root
from tools.benchmarks.bucket import INPUT_KEY, JOB, read_manifest, record_lines
from tools.benchmarks.work import Work, nothing


def prepare(step: str, folder: Path, chunk_rows: int) -> Work:
    """Return a step's work, which writes beside the functions' results."""
    source, target = folder / INPUT_KEY, folder / "simple"
    target.mkdir(exist_ok=True)
    numbers = [chunk["number"] for chunk in read_manifest(folder)] if step != "split" else []
    places = {
        key_of: [folder / key_of(JOB, number) for number in numbers]
        for key_of in (keys.chunk, keys.output)
    }
    lines: list[Path] = []
    if step in ("validate", "write"):
        lines = record_lines(folder, keys.records if step == "validate" else keys.enriched)
    steps: dict[str, Callable[[], None]] = {
        "split": lambda: _split(source, target, chunk_rows),
        "read": lambda: _read(places[keys.chunk], target),
        "validate": lambda: _validate(lines, target),
        "write": lambda: _write(lines, target),
        "merge": lambda: _merge(places[keys.output], target / "merged.csv"),
    }
    return steps[step], nothing


def _split(source: Path, target: Path, chunk_rows: int) -> None:
    rows = list(csv.reader(io.StringIO(source.read_text(encoding="utf-8"), newline="")))
    for number, start in enumerate(range(1, len(rows), chunk_rows)):
        with (target / f"{number}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(rows[0])
            writer.writerows(rows[start : start + chunk_rows])


def _read(chunks: list[Path], target: Path) -> None:
    for place in chunks:
        with place.open(encoding="utf-8", newline="") as file:
            document = json.dumps(list(csv.DictReader(file)))
        (target / f"{place.stem}.json").write_text(document, encoding="utf-8")


def _validate(chunks: list[Path], target: Path) -> None:
    from jsonschema import Draft202012Validator, FormatChecker

    checker = FormatChecker()
    checker.checks("M/D/YY", ValueError)(_is_date)
    schema = json.loads((checkout_root() / "source" / "schema" / "record.schema.json").read_text())
    validator = Draft202012Validator(schema, format_checker=checker)
    for place in chunks:
        records = [json.loads(line) for line in place.read_text(encoding="utf-8").splitlines()]
        valid = [
            record
            for record in records
            if validator.is_valid(record["fields"]) and _is_in_order(record["fields"])
        ]
        (target / f"{place.stem}.valid").write_text(json.dumps(valid), encoding="utf-8")


def _is_in_order(fields: dict[str, str]) -> bool:
    return _date(fields["Ship Date"]) >= _date(fields["Order Date"])


def _is_date(text: Any) -> bool:
    return bool(_date(text))


def _date(text: str) -> date:
    month, day, year = map(int, text.split("/"))
    return date(2000 + year, month, day)


def _write(chunks: list[Path], target: Path) -> None:
    for place in chunks:
        records = [json.loads(line) for line in place.read_text(encoding="utf-8").splitlines()]
        with (target / f"{place.stem}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            for record in records:
                fields = next(csv.reader([record["raw"]]))
                writer.writerow([*fields, *record["values"]])


def _merge(pieces: list[Path], target: Path) -> None:
    target.write_bytes(b"".join(piece.read_bytes() for piece in pieces))
