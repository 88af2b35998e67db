"""The whole job with polars, on all cores; each rule is an expression that names itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tools.benchmarks.work import Work, nothing
from tools.benchmarks.work.whole import COMPARED, Files, rules_of, shipped_schema


def prepare(step: str, folder: Path, chunk_rows: int) -> Work:  # noqa: ARG001
    """Return the work; surplus fields are dropped, and bytes are not kept."""
    import polars as pl

    files, schema = Files.of(folder, step), shipped_schema()
    reasons = [
        pl.when(~holds.fill_null(value=False)).then(pl.lit(f"{name}; ")).otherwise(pl.lit(""))
        for name, holds in _rules(pl).items()
    ]

    def work() -> None:
        frame = pl.read_csv(
            files.orders, infer_schema=False, truncate_ragged_lines=True, encoding="utf8-lossy"
        )
        reference = pl.read_csv(files.reference, infer_schema=False).with_columns(found=pl.lit(1))
        checked = frame.with_columns(reasons=pl.concat_str(reasons)).join(
            reference, how="left", on=schema.key, maintain_order="left"
        )
        unknown = (pl.col("reasons") == "") & pl.col("found").is_null()
        checked = checked.with_columns(
            pl.when(unknown).then(pl.lit("reference; ")).otherwise("reasons").alias("reasons")
        )
        good = checked.filter(pl.col("reasons") == "").drop("reasons", "found")
        bad = checked.filter(pl.col("reasons") != "").select(*frame.columns, "reasons")
        good.write_csv(files.good)
        bad.write_csv(files.bad)
        files.count(len(good), len(bad))

    return work, nothing


def _rules(pl: Any) -> dict[str, Any]:
    """Return the schema's rules as expressions, by the reason that a row has if it breaks one."""
    schema = shipped_schema()

    def date(column: str) -> Any:
        return pl.col(column).str.to_date("%-m/%-d/%y", strict=False)

    found = {}
    for column, keyword, limit in rules_of(schema):
        value = pl.col(column)
        match keyword:
            case "maxLength":
                holds = value.str.len_chars() <= limit
            case "minLength":
                holds = value.str.len_chars() >= limit
            case "pattern":
                holds = value.str.contains(limit)
            case "enum":
                holds = value.is_in(limit)
            case "format":
                holds = date(column).is_not_null()
            case _:
                raise NotImplementedError(keyword)
        found[f"{column}: {keyword}"] = holds
    for c in schema.comparisons:
        # Of a date that cannot be read, its own column's rule says so.
        found[f"{c.column}: {COMPARED}"] = (date(c.column) >= date(c.other)).fill_null(value=True)
    return found
