"""A schema drafted from a file accepts the file, and says what it is unsure of."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from batchcore.records import read_records
from batchcore.schema_check import check_schema
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from support import SCHEMA

from batchops.cli import main
from batchops.core.errors import InputError
from batchops.planning.schema_draft import SchemaDraft, infer_schema
from batchops.planning.schema_report import check_schema_file
from batchops.samples.sample import make_sample

if TYPE_CHECKING:
    from pathlib import Path


def column(*values: str, name: str = "a") -> bytes:
    """Return a file of one column, and a second that says nothing."""
    return (f"{name};rest\n" + "".join(f"{value};\n" for value in values)).encode()


def rules_of(*values: str, name: str = "a") -> dict[str, Any]:
    rules: dict[str, Any] = infer_schema(column(*values, name=name)).schema["properties"][name]
    return rules


def notes_of(draft: SchemaDraft, of: str = "a") -> str:
    return "; ".join(note.text for note in draft.notes if note.column == of)


def rejected_rows(draft: SchemaDraft, data: bytes) -> list[Any]:
    """Return the rows that the draft rejects, of those that any schema could accept."""
    schema = check_schema(draft.schema)
    records = read_records(data, schema, delimiter=draft.delimiter, first_row=2)
    fields = [record["fields"] for record in records if "fields" in record]
    return [row for row in fields if schema.violations(row) or not schema.is_valid(row)]


# ------------------------------------------------------------------------------ the law

KINDS = [
    st.integers().map(str),
    st.integers(0, 10**6).map("{:08d}".format),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.floats().map(str),
    st.dates().map(str),
    st.dates().map(lambda day: f"{day.day}/{day.month}/{day.year:04d}"),
    st.dates().map(lambda day: f"{day.month:02d}/{day.day:02d}/{day.year % 100:02d}"),
    st.dates().map(lambda day: day.isoformat().replace("-", "")),
    st.datetimes().map(lambda at: at.isoformat(" ", "seconds")),
    st.datetimes().map(lambda at: at.isoformat("T", "minutes") + ":00Z"),
    st.sampled_from(["true", "False", "TRUE", "yes", "0", "1"]),
    st.sampled_from(["new", "open", "done", "Köln", "a.b", "[x]"]),
    st.from_regex(r"[A-Z]{2}[-_./+ ][0-9]{1,3}", fullmatch=True),
    st.from_regex(r"-?[0-9]{1,3}([.,][0-9]{3}){0,2}([.,][0-9]{1,2})?", fullmatch=True),
    st.from_regex(r"[+]?[0-9 ()/-]{5,12}", fullmatch=True),
    st.uuids().map(str),
    st.emails(),
    st.text(max_size=60),
    st.just(""),
]
# Mostly columns whose values are alike, since those are the ones that get rules.
COLUMNS = st.one_of(
    st.lists(st.one_of(*KINDS), min_size=30, max_size=30),
    st.sampled_from(KINDS).flatmap(
        lambda kind: st.lists(kind | st.just(""), min_size=30, max_size=30)
    ),
    st.sampled_from(KINDS).flatmap(lambda kind: st.lists(kind, min_size=30, max_size=30)),
    st.lists(st.sampled_from(["7", "x", "A-1"]), min_size=30, max_size=30),
)


@settings(max_examples=60, deadline=None)
@given(
    columns=st.lists(COLUMNS, min_size=1, max_size=4),
    rows=st.integers(1, 30),
    delimiter=st.sampled_from(",;\t|"),
    names=st.permutations(["phone", "Qty", "order date", "x_id", "Größe"]),
)
def test_draft_is_no_mistake_and_accepts_every_row_that_it_was_drafted_from(
    columns: list[list[str]], rows: int, delimiter: str, names: list[str]
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow([*names[: len(columns)], "end"])
    writer.writerows([*row[:rows], "-"] for row in zip(*columns, strict=True))
    data = text.getvalue().encode("utf-8", "replace")
    draft = infer_schema(data, delimiter=delimiter)
    assert draft.rows > 0
    assert rejected_rows(draft, data) == []
    assert json.loads(draft.to_json()) == draft.schema


def test_draft_of_the_sample_accepts_it_and_finds_its_shape() -> None:
    sample = make_sample(500, bad_share=0.0)
    draft = infer_schema(sample.csv)
    assert rejected_rows(draft, sample.csv) == []
    rules = draft.schema["properties"]
    assert rules["Order Date"] == rules["Ship Date"] == {"format": "M/D/YY"}
    assert set(rules["Order Priority"]["enum"]) == {"C", "H", "L", "M"}
    assert rules["uuid"] == {"pattern": "^[0-9]{9}$"}
    assert draft.key == "uuid"
    assert draft.schema["required"] == list(SCHEMA.columns)


# ---------------------------------------------------------------------------- the rules


@pytest.mark.parametrize(
    ("values", "rules"),
    [
        (("1", "2", "30"), {"type": "integer", "minimum": 0}),
        (("1", "-2"), {"type": "integer"}),
        (("1.5", "2"), {"type": "number", "minimum": 0}),
        (("true", "False"), {"type": "boolean"}),
        (("007", "012"), {"pattern": "^[0-9]{3}$"}),
        (("007", "12"), {"pattern": "^[0-9]{2,}$"}),
        (("+49 30 1", "+49 30 2"), {"pattern": "^[+][0-9]{2} [0-9]{2} [0-9]$"}),
        (("2026-01-31", "2026-02-01"), {"format": "YYYY-MM-DD"}),
        (("31.01.2026", "01.02.2026"), {"format": "DD.MM.YYYY"}),
        (("31/1/2026", "1/12/2026"), {"format": "D/M/YYYY"}),
        (("1/31/26", "12/1/26"), {"format": "M/D/YY"}),
        (("20260131", "20251201"), {"format": "YYYYMMDD"}),
        (("2026-01-31 23:59:59",), {"format": "YYYY-MM-DD hh:mm:ss"}),
        (("2026-01-31T3:05",), {"format": "YYYY-MM-DDTh:mm"}),
        (("2026-01-31T23:59:59Z",), {"format": "date-time"}),
        (("ada@example.com",), {"format": "email"}),
        (("123e4567-e89b-12d3-a456-426614174000",), {"format": "uuid"}),
        (("192.0.2.1", "192.0.2.255"), {"format": "ipv4"}),
        (("2026-02-31", "2026-01-01"), {"pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}),
        (("12345678901234567", "2"), {"pattern": "^[0-9]+$"}),
        (("1E5", "2E7"), {"pattern": "^[0-9]E[0-9]$"}),
        (("SKU-1", "SKU-22"), {"pattern": "^SKU-[0-9]+$"}),
        (("abc", "Äöü"), {"type": "string", "minLength": 1, "maxLength": 10}),
        (("abc", ""), {"type": "string", "maxLength": 10, "x-empty": True}),
        (("3", ""), {"type": "integer", "minimum": 0, "x-empty": True}),
        (("", ""), {}),
        (("a", "b") * 5, {"enum": ["a", "b"]}),
        (("a", "b") * 4, {"type": "string", "minLength": 1, "maxLength": 10}),
        (("x" * 11,), {"type": "string", "minLength": 1, "maxLength": 20}),
    ],
    ids=lambda value: "-".join(value)[:30] if isinstance(value, tuple) else "",
)
def test_rules_are_those_of_the_values(values: tuple[str, ...], rules: dict[str, Any]) -> None:
    assert rules_of(*values) == rules


@pytest.mark.parametrize("name", ["phone", "customer_id", "PLZ", "orderNo", "Zip Code", "tel."])
def test_digits_in_a_column_called_like_an_identifier_are_no_amounts(name: str) -> None:
    assert rules_of("123", "45", name=name) == {"pattern": "^[0-9]{2,}$"}


@pytest.mark.parametrize("name", ["quantity", "paid", "notes", "numbers"])
def test_digits_in_other_columns_are_integers(name: str) -> None:
    assert rules_of("123", "45", name=name) == {"type": "integer", "minimum": 0}


def test_numbers_with_a_decimal_comma_get_a_pattern_and_a_note() -> None:
    draft = infer_schema(column("1,50", "12", "1.204,00"))
    rules = draft.schema["properties"]["a"]
    assert list(rules) == ["pattern"]
    assert "a comma before the decimals" in notes_of(draft)
    assert check_schema(draft.schema).column_violations("a", "1,5.0")


# ---------------------------------------------------------------------------- the notes


def test_days_and_months_that_may_be_either_are_told() -> None:
    draft = infer_schema(column("01/02/2026", "03/04/2026"))
    assert draft.schema["properties"]["a"] == {"format": "DD/MM/YYYY"}
    assert "could be MM/DD/YYYY as well" in notes_of(draft)
    assert "a guess" in notes_of(draft)


def test_another_column_tells_whether_days_come_first() -> None:
    draft = infer_schema(b"a,b\n01/02/2026,01/31/2026\n03/04/2026,02/28/2026\n")
    assert draft.schema["properties"]["a"] == {"format": "MM/DD/YYYY"}
    assert "as in other columns" in notes_of(draft)
    assert not notes_of(draft, "b")


def test_few_values_that_are_not_like_the_others_are_told() -> None:
    draft = infer_schema(column(*map(str, range(20)), "n/a"))
    assert rejected_rows(draft, column(*map(str, range(20)), "n/a")) == []
    assert """20 of 21 values are integers, but not 'n/a'""" in notes_of(draft)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (("", ""), "empty in every row"),
        (("x", "x"), "same value in every row"),
        ((" x", "y"), "blanks around 1 value"),
        (("007", "012"), "2 values with a 0 in front"),
        (("10000", "10001"), "taken as an identifier"),
        (("a", "b") * 5, "lists the 2 values that occur"),
        (("20260131", "20251201"), "digits taken as dates"),
        (("1E5", "2E7"), "may be codes"),
    ],
    ids=["empty", "constant", "blanks", "zeros", "identifier", "enum", "date", "exponent"],
)
def test_what_is_unsure_is_told(values: tuple[str, ...], told: str) -> None:
    assert told in notes_of(infer_schema(column(*values)))


def test_first_rows_only_is_said_and_rows_that_no_schema_accepts_are_counted() -> None:
    draft = infer_schema(b"a,b\n1,2\n3\n5,6\n7,8\n", rows=3)
    assert (draft.rows, draft.unreadable) == (3, 1)
    told = notes_of(draft, "")
    assert "only the first 3 rows were read" in told
    assert "rejected whatever the schema says: 1 row, not UTF-8" in told
    assert "only the first" not in notes_of(infer_schema(b"a,b\n1,2\n", rows=1), "")


def test_names_that_no_rule_can_have_are_left_out_and_told() -> None:
    draft = infer_schema(b"a,a,,b\n1,2,3,4\n")
    assert list(draft.schema["properties"]) == ["b"]
    assert "'a' stand twice" in notes_of(draft, "")
    assert "1 column without a name" in notes_of(draft, "")


def test_header_that_looks_like_a_row_is_told() -> None:
    assert "is row 1 a header?" in notes_of(infer_schema(b"1,2026-01-31\n2,2026-02-01\n"), "")


# ------------------------------------------------------------------------ key and file


def test_reference_data_tell_the_key(tmp_path: Path) -> None:
    prices = tmp_path / "prices.csv"
    prices.write_text("item,price\nnut,10\n", encoding="utf-8")
    draft = infer_schema(b"n,item\n1,nut\n2,bolt\n", reference_data=prices)
    assert (draft.schema["x-key"], draft.schema["x-enrichment"]) == ("item", ["price"])
    assert check_schema(draft.schema).looks_up
    assert draft.key == "item"


@pytest.mark.parametrize(
    ("header", "data", "why"),
    [
        ("x,price", b"n,item\n1,nut\n", "shares none"),
        ("n,item,price", b"n,item\n1,nut\n", "shares 'n', 'item'"),
        ("item", b"n,item\n1,nut\n", "would add none"),
        ("item,price", b"n,item\n1,\n", "is empty in 1 row,"),
    ],
    ids=["none", "two", "nothing", "empty"],
)
def test_reference_data_that_do_not_fit_are_refused(
    header: str, data: bytes, why: str, tmp_path: Path
) -> None:
    path = tmp_path / "reference.csv"
    path.write_text(f"{header}\n", encoding="utf-8")
    with pytest.raises(InputError, match=why):
        infer_schema(data, reference_data=path)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiter_is_found(delimiter: str) -> None:
    lines = [["a", "b", "c"], ["1,5", "x; y", "p|q"], ["2,5", "z", "r\ts"]]
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(lines)
    draft = infer_schema(text.getvalue().encode())
    assert draft.delimiter == delimiter
    assert list(draft.schema["properties"]) == ["a", "b", "c"]


def test_frame_is_drafted_without_its_index() -> None:
    draft = infer_schema(pd.DataFrame({"a": ["007", "012"], "b": [1, 2]}))
    assert draft.schema["properties"]["a"] == {"pattern": "^[0-9]{3}$"}
    assert draft.schema["properties"]["b"] == {"type": "integer", "minimum": 0}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "0 bytes"),
        (b"a,b\n", "no rows"),
        (b"PK\x03\x04zip", "not text"),
        (b"Report of May\na,b\n1,2\n3,4\n", "row 1 of upload.csv is no header"),
        (b"# Orders, May\na,b,c\n1,2,3\n3,4,5\n", "it has 2 fields, and they have 3"),
        (b"# May\n# 2\na,b,c\n1,2,3\n3,4,5\n", "it has 1 field, and they have 3"),
        (b",\n1,2\n", "no name that occurs once"),
        ("Größe,b\n1,2\n".encode("cp1252"), "the header is not UTF-8"),
        (b"<html>\n<body>\n", "looks like HTML"),
        (b'{"a": 1}\n{"a": 2}\n', "looks like HTML, XML or JSON"),
        (b"sep=;\na;b\n1;2\n", "'sep=' line"),
        (b'a,b\n"1,2\n', "still open"),
    ],
    ids=[
        "empty",
        "no rows",
        "zip",
        "title",
        "comment",
        "comments",
        "no names",
        "cp1252",
        "html",
        "json",
        "sep",
        "quote",
    ],
)
def test_file_without_columns_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(InputError, match=why):
        infer_schema(data)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(InputError, match="read at least 1"):
        infer_schema(b"a,b\n1,2\n", rows=0)
    with pytest.raises(InputError, match="cannot delimit fields"):
        infer_schema(b"a,b\n1,2\n", delimiter='"')


def test_large_file_is_read_in_blocks_of_bounded_size() -> None:
    reads: list[int] = []

    class Watched(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            reads.append(size or -1)
            return super().read(size)

    data = b"a,b\n" + b"12345,x\n" * 200_000
    assert infer_schema(Watched(data), rows=10).rows == 10
    assert 0 < max(reads) <= 1024 * 1024
    assert min(reads) > 0
    assert sum(reads) < 3 * 1024 * 1024


# --------------------------------------------------------------------- the command line


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    path = tmp_path / "orders.csv"
    path.write_text("id;n\nA1;1\nA2;2\n", encoding="utf-8")
    return path


def test_draft_goes_to_standard_output_and_its_notes_beside_it(orders: Path) -> None:
    done = CliRunner().invoke(main, ["schema", "infer", str(orders)])
    assert done.exit_code == 0
    assert json.loads(done.stdout)["properties"]["n"] == {"type": "integer", "minimum": 0}
    assert "'id' is unique" in done.stderr


def test_draft_is_written_checked_and_replaces_no_file(orders: Path, tmp_path: Path) -> None:
    path = str(tmp_path / "mine.json")
    run = CliRunner().invoke
    assert run(main, ["schema", "infer", str(orders), "-o", path]).exit_code == 0
    again = run(main, ["schema", "infer", str(orders), "-o", path])
    assert again.exit_code == 1
    assert again.stderr == f"error: {path} is there already: --force replaces it\n"
    assert run(main, ["schema", "infer", str(orders), "-o", path, "--force"]).exit_code == 0
    checked = run(main, ["schema", "check", path, "--against", str(orders)])
    assert checked.exit_code == 0
    assert "2 rows, 0 rejected" in checked.stdout
    assert run(main, ["schema", "infer", str(orders), "--rows", "0"]).exit_code == 2
    assert run(main, ["schema", "infer", str(orders), "--delimiter", "xy"]).exit_code == 2
    assert run(main, ["schema", "infer", str(tmp_path / "none.csv")]).exit_code == 1


def test_check_against_a_file_tells_each_rule_with_an_example(orders: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(
        json.dumps({"required": ["id", "n"], "properties": {"id": {}, "n": {"maximum": 1}}}),
        encoding="utf-8",
    )
    done = CliRunner().invoke(main, ["schema", "check", str(path), "--against", str(orders)])
    assert done.exit_code == 3
    assert "n: maximum: 1 row, first in row 3: '2': n is more than 1" in done.stdout
    data = json.loads(
        CliRunner()
        .invoke(main, ["schema", "check", str(path), "--against", str(orders), "--json"])
        .stdout
    )
    assert data["ok"] is True
    assert data["against"]["ok"] is False
    assert data["against"]["rules"][0]["value"] == "2"


def test_file_that_would_be_refused_as_a_whole_is_told(orders: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(
        json.dumps({"required": ["id", "x"], "properties": {"id": {}, "x": {}}}), encoding="utf-8"
    )
    report = check_schema_file(path, against=orders)
    assert report.against is not None
    assert not report.against.ok
    assert "MissingColumnsError" in str(report)


def test_schema_with_mistakes_is_held_against_nothing(orders: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"properties": {"id": {"enu": []}}}), encoding="utf-8")
    report = check_schema_file(path, against=orders)
    assert report.against is None
    assert not report.ok
