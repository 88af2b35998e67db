"""The steps with DuckDB, in one process on all cores; it parses the bytes and writes new ones."""

from __future__ import annotations

from pathlib import Path

from batchcore import keys
from batchcore.schema import RecordSchema

from batchops.core.project import checkout_root
from tools.benchmarks.bucket import INPUT_KEY, JOB, read_manifest, record_lines
from tools.benchmarks.work import Work, nothing


def prepare(step: str, folder: Path, chunk_rows: int) -> Work:
    """Return a step's work, which writes beside the functions' results."""
    import duckdb

    target = folder / "duckdb"
    target.mkdir(exist_ok=True)
    schema = RecordSchema.load(checkout_root() / "source" / "schema" / "record.schema.json")
    connection = duckdb.connect()
    connection.execute("SET preserve_insertion_order = true")
    if step == "split":
        source = folder / INPUT_KEY
        sql = (
            f"COPY (SELECT *, (row_number() OVER () - 1) // {chunk_rows} AS chunk "
            f"FROM read_csv('{source}', all_varchar = true, header = true)) "
            f"TO '{target}/split' (FORMAT csv, PARTITION_BY (chunk), OVERWRITE_OR_IGNORE)"
        )
        return (lambda: connection.execute(sql)), nothing
    numbers = [chunk["number"] for chunk in read_manifest(folder)]
    if step == "merge":
        pieces = [str(folder / keys.output(JOB, n)) for n in numbers]
        sql = (
            f"COPY (FROM read_csv({pieces}, all_varchar = true, header = false)) "
            f"TO '{target}/merged.csv' (FORMAT csv, HEADER false)"
        )
        return (lambda: connection.execute(sql)), nothing
    template = {"read": _READ, "validate": _validate(schema), "write": _write(schema)}[step]
    if step == "read":
        places = [folder / keys.chunk(JOB, n) for n in numbers]
    else:
        places = record_lines(folder, keys.records if step == "validate" else keys.enriched)
    orders = [
        template.format(source=place, target=target / f"{step}-{place.stem}") for place in places
    ]
    return (lambda: [connection.execute(order) for order in orders]), nothing


_READ = (
    "COPY (FROM read_csv('{source}', all_varchar = true, header = true)) "
    "TO '{target}' (FORMAT json)"
)


def _validate(schema: RecordSchema) -> str:
    """Return the schema's rules for each column as a query over the record lines."""
    wanted = []
    for column, rules in schema.properties.items():
        value = f'fields."{column}"'
        wanted.append(f"length({value}) <= {rules['maxLength']}")
        if "minLength" in rules:
            wanted.append(f"length({value}) >= {rules['minLength']}")
        if "pattern" in rules:
            pattern = rules["pattern"].replace("{", "{{").replace("}", "}}")
            wanted.append(f"regexp_matches({value}, '{pattern}')")
        if "enum" in rules:
            wanted.append(f"{value} IN {tuple(rules['enum'])}")
        if "format" in rules:
            wanted.append(f"{_date(column)} IS NOT NULL")
    wanted += [f"{_date(c.column)} >= {_date(c.other)}" for c in schema.comparisons]
    columns = ", ".join(f'"{column}" VARCHAR' for column in schema.columns)
    shape = "{{row: 'BIGINT', raw: 'VARCHAR', fields: 'STRUCT(" + columns + ")'}}"
    return (
        "COPY (FROM read_json('{source}', format = 'newline_delimited', columns = "
        + shape
        + ") WHERE "
        + " AND ".join(wanted)
        + ") TO '{target}' (FORMAT json)"
    )


def _date(column: str) -> str:
    return f"try_strptime(fields.\"{column}\", '%-m/%-d/%y')"


def _write(schema: RecordSchema) -> str:
    added = ", ".join(
        f'"values"[{number}] AS "{column}"' for number, column in enumerate(schema.enrichment, 1)
    )
    return (
        "COPY (SELECT rtrim(raw, chr(10)) AS raw, " + added + " FROM read_json('{source}', "
        "format = 'newline_delimited', columns = {{row: 'BIGINT', raw: 'VARCHAR', "
        "values: 'VARCHAR[]'}})) TO '{target}' (FORMAT csv, HEADER false)"
    )
