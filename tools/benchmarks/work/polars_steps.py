"""The steps with polars, in one process on all cores; it parses the bytes and writes new ones."""

from __future__ import annotations

from functools import reduce
from operator import and_
from pathlib import Path
from typing import Any

from batchcore import keys
from batchcore.schema import RecordSchema

from batchops.core.project import checkout_root
from tools.benchmarks.bucket import INPUT_KEY, JOB, read_manifest, record_lines
from tools.benchmarks.work import Work, nothing


def prepare(step: str, folder: Path, chunk_rows: int) -> Work:
    """Return a step's work, which writes beside the functions' results."""
    import polars as pl

    target = folder / "polars"
    target.mkdir(exist_ok=True)
    schema = RecordSchema.load(checkout_root() / "source" / "schema" / "record.schema.json")

    def split() -> None:
        frame = pl.read_csv(folder / INPUT_KEY, infer_schema=False)
        for number, part in enumerate(frame.iter_slices(chunk_rows)):
            part.write_csv(target / f"{number}.csv")

    def read(place: Path) -> None:
        pl.read_csv(place, infer_schema=False).write_ndjson(target / f"{place.stem}.jsonl")

    def validate(place: Path) -> None:
        frame = pl.read_ndjson(place)
        good = frame.filter(reduce(and_, _rules(pl, schema)))
        good.write_ndjson(target / f"{place.stem}.valid")

    def write(place: Path) -> None:
        frame = pl.read_ndjson(place)
        added = [pl.col("values").list.get(n).alias(c) for n, c in enumerate(schema.enrichment)]
        raw = pl.col("raw").str.strip_chars_end("\n")
        line = pl.concat_str([raw, *added], separator=",")
        text = frame.select(line)["raw"].str.join("\n").item()
        (target / f"{place.stem}.csv").write_text(text + "\n", encoding="utf-8")

    def merge() -> None:
        pieces = [folder / keys.output(JOB, n) for n in numbers]
        frames = pl.scan_csv(pieces, has_header=False, infer_schema=False)
        frames.sink_csv(target / "merged.csv", include_header=False)

    if step == "split":
        return split, nothing
    numbers = [chunk["number"] for chunk in read_manifest(folder)]
    if step == "merge":
        return merge, nothing
    one = {"read": read, "validate": validate, "write": write}[step]
    if step == "read":
        places = [folder / keys.chunk(JOB, n) for n in numbers]
    else:
        places = record_lines(folder, keys.records if step == "validate" else keys.enriched)
    return (lambda: [one(place) for place in places]), nothing


def _rules(pl: Any, schema: RecordSchema) -> list[Any]:
    """Return the schema's rules for each column as expressions."""
    found = []
    for column, rules in schema.properties.items():
        value = pl.col("fields").struct.field(column)
        found.append(value.str.len_chars() <= rules["maxLength"])
        if "minLength" in rules:
            found.append(value.str.len_chars() >= rules["minLength"])
        if "pattern" in rules:
            found.append(value.str.contains(rules["pattern"]))
        if "enum" in rules:
            found.append(value.is_in(rules["enum"]))
        if "format" in rules:
            found.append(_date(pl, column).is_not_null())
    found += [_date(pl, c.column) >= _date(pl, c.other) for c in schema.comparisons]
    return found


def _date(pl: Any, column: str) -> Any:
    return pl.col("fields").struct.field(column).str.to_date("%-m/%-d/%y", strict=False)
