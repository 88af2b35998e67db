"""The whole job with DuckDB, on all cores; each rule is an expression that names itself."""

from __future__ import annotations

from pathlib import Path

from batchcore.schema import RecordSchema

from tools.benchmarks.work import Work, nothing
from tools.benchmarks.work.whole import COMPARED, Files, rules_of, shipped_schema


def prepare(step: str, folder: Path, chunk_rows: int) -> Work:  # noqa: ARG001
    """Return the work; lines that DuckDB cannot read are skipped, and bytes are not kept."""
    import duckdb

    files, schema = Files.of(folder, step), shipped_schema()
    cases = ", ".join(_cases(schema))
    columns = ", ".join(f'o."{column}"' for column in schema.columns)
    added = ", ".join(f'r."{column}"' for column in schema.enrichment)
    read = "read_csv('{}', all_varchar = true, header = true, delim = ',', quote = '\"'{})"
    orders = read.format(files.orders, ", ignore_errors = true")
    checked = (
        f"CREATE OR REPLACE TEMP TABLE checked AS SELECT {columns}, {added}, "
        f"concat_ws('; ', {cases}, CASE WHEN r.\"{schema.key}\" IS NULL THEN 'reference' END) "
        f"AS reasons FROM {orders} o LEFT JOIN {read.format(files.reference, '')} r "
        f'ON o."{schema.key}" = r."{schema.key}"'
    )
    bad = ", ".join([*(f'"{column}"' for column in schema.columns), "reasons"])
    copies = [
        f"COPY (SELECT * EXCLUDE (reasons) FROM checked WHERE reasons = '') TO '{files.good}' "
        "(FORMAT csv, HEADER)",
        f"COPY (SELECT {bad} FROM checked WHERE reasons <> '') TO '{files.bad}' "
        "(FORMAT csv, HEADER)",
    ]

    def work() -> None:
        with duckdb.connect() as connection:
            connection.execute(checked)
            counts = [connection.execute(copy).fetchall()[0][0] for copy in copies]
        files.count(*counts)

    return work, nothing


def _cases(schema: RecordSchema) -> list[str]:
    """Return an expression for each rule: the rule's name if a row breaks it."""
    found = []
    for column, keyword, limit in rules_of(schema):
        value = f'o."{column}"'
        holds = {
            "maxLength": f"length({value}) <= {limit}",
            "minLength": f"length({value}) >= {limit}",
            "pattern": f"regexp_matches({value}, '{limit}')",
            "enum": f"{value} IN {tuple(limit) if isinstance(limit, list) else ()}",
            "format": f"{_date(column)} IS NOT NULL",
        }[keyword]
        found.append(f"CASE WHEN NOT coalesce({holds}, false) THEN '{column}: {keyword}' END")
    found += [
        f"CASE WHEN {_date(c.column)} < {_date(c.other)} THEN '{c.column}: {COMPARED}' END"
        for c in schema.comparisons
    ]
    return found


def _date(column: str) -> str:
    return f"try_strptime(o.\"{column}\", '%-m/%-d/%y')"
