"""The whole job with Frictionless, which names every rule that a row breaks; the rest is csv."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.benchmarks.work import Work, nothing
from tools.benchmarks.work.whole import DATE_FORMAT, Files, rules_of, shipped_schema

_ENDLESS = 10**9


def prepare(step: str, folder: Path, chunk_rows: int) -> Work:  # noqa: ARG001
    """Return the work; Frictionless reports errors by row, so the file is read once more."""
    import frictionless

    files, schema = Files.of(folder, step), shipped_schema()
    descriptor, check = _descriptor(), _comparison_check(frictionless)

    def work() -> None:
        resource = frictionless.Resource(
            path=files.orders.name,
            basepath=str(files.orders.parent),
            schema=frictionless.Schema.from_descriptor(descriptor),
            encoding="latin-1",  # it gives up a file at the first byte that is not UTF-8
        )
        report = resource.validate(checklist=check, limit_errors=_ENDLESS)
        reasons: dict[int, list[str]] = defaultdict(list)
        for row, column, kind, _ in report.flatten(["rowNumber", "fieldName", "type", "note"]):
            reasons[row].append(f"{column or 'row'}: {kind}")
        with files.reference.open(encoding="utf-8", newline="") as file:
            reference = {key: values for key, *values in csv.reader(file)}
        _write(files, reasons, reference, schema.key)

    return work, nothing


def _write(
    files: Files, reasons: dict[int, list[str]], reference: dict[str, list[str]], key: str
) -> None:
    good = bad = 0
    with (
        files.orders.open(encoding="latin-1", newline="") as orders,
        files.good.open("w", encoding="latin-1", newline="") as completed,
        files.bad.open("w", encoding="latin-1", newline="") as rejected,
    ):
        rows = csv.reader(orders)
        header = next(rows)
        key_at = header.index(key)
        to_good, to_bad = csv.writer(completed), csv.writer(rejected)
        to_good.writerow([*header, *reference[key]])
        to_bad.writerow([*header, "reasons"])
        for number, row in enumerate(rows, 2):
            found = reasons.get(number)
            if found is None and row[key_at] not in reference:
                found = [f"{key}: reference"]
            if found:
                bad += 1
                to_bad.writerow([*row, "; ".join(found)])
            else:
                good += 1
                to_good.writerow([*row, *reference[row[key_at]]])
    files.count(good, bad)


def _descriptor() -> dict[str, Any]:
    """Return the schema in Frictionless' form; its dates have no constraints on length."""
    schema = shipped_schema()
    fields: dict[str, dict[str, Any]] = {
        column: {"name": column, "type": "string", "constraints": {"required": True}}
        for column in schema.columns
    }
    for column, keyword, limit in rules_of(schema):
        if keyword == "format":
            fields[column] |= {"type": "date", "format": DATE_FORMAT}
        elif "format" not in schema.properties[column]:
            fields[column]["constraints"][keyword] = limit
    return {"fields": list(fields.values())}


def _comparison_check(frictionless: Any) -> Any:
    schema = shipped_schema()

    class Compared(frictionless.Check):  # type: ignore[misc]
        type = "compared"
        Errors = (frictionless.errors.RowConstraintError,)

        def validate_row(self, row: Any) -> Iterator[Any]:
            for c in schema.comparisons:
                value, than = row.get(c.column), row.get(c.other)
                if value is not None and than is not None and value < than:
                    yield frictionless.errors.RowConstraintError.from_row(row, note=c.limit)

    return frictionless.Checklist(checks=[Compared()])
