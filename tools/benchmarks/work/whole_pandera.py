"""The whole job with pandas and pandera, which names every check that a row fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tools.benchmarks.work import Work, nothing
from tools.benchmarks.work.whole import COMPARED, DATE_FORMAT, Files, rules_of, shipped_schema


def prepare(step: str, folder: Path, chunk_rows: int) -> Work:  # noqa: ARG001
    """Return the work; lines that pandas cannot read are skipped, and bytes are not kept."""
    import pandas as pd
    import pandera.pandas as pa

    files, schema = Files.of(folder, step), shipped_schema()
    checks = _schema(pa, pd)

    def work() -> None:
        frame = pd.read_csv(
            files.orders,
            dtype=str,
            keep_default_na=False,
            on_bad_lines="skip",
            encoding_errors="replace",
        )
        reasons = pd.Series(dtype=str)
        try:
            checks.validate(frame, lazy=True)
        except pa.errors.SchemaErrors as error:
            cases = error.failure_cases.dropna(subset=["index"])
            named = cases["column"].astype(str) + ": " + cases["check"].astype(str)
            once = pd.DataFrame({"index": cases["index"], "reason": named}).drop_duplicates()
            reasons = once.groupby("index")["reason"].agg("; ".join)
        valid = frame.drop(index=reasons.index)
        reference = pd.read_csv(files.reference, dtype=str, keep_default_na=False)
        joined = valid.merge(reference, how="left", on=schema.key, indicator="found")
        known = joined["found"] == "both"
        good = joined[known].drop(columns="found")
        good.to_csv(files.good, index=False)
        unknown = joined.loc[~known, frame.columns].assign(reasons=f"{schema.key}: reference")
        bad = frame.loc[reasons.index].assign(reasons=reasons)
        pd.concat([bad, unknown]).to_csv(files.bad, index=False)
        files.count(len(good), len(bad) + len(unknown))

    return work, nothing


def _schema(pa: Any, pd: Any) -> Any:
    schema = shipped_schema()
    checks: dict[str, list[Any]] = {column: [] for column in schema.columns}

    def dates(texts: Any) -> Any:
        return pd.to_datetime(texts, format=DATE_FORMAT, errors="coerce")

    for column, keyword, limit in rules_of(schema):
        match keyword:
            case "maxLength":
                check = pa.Check.str_length(max_value=limit)
            case "minLength":
                check = pa.Check.str_length(min_value=limit)
            case "pattern":
                check = pa.Check.str_matches(limit)
            case "enum":
                check = pa.Check.isin(limit)
            case "format":
                check = pa.Check(lambda texts: dates(texts).notna(), name="format")
            case _:
                raise NotImplementedError(keyword)
        checks[column].append(check)
    rows = [
        pa.Check(
            lambda frame, c=c: ~(dates(frame[c.column]) < dates(frame[c.other])), name=COMPARED
        )
        for c in schema.comparisons
    ]
    columns = {column: pa.Column(str, of, nullable=False) for column, of in checks.items()}
    return pa.DataFrameSchema(columns, checks=rows)
