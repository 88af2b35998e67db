"""Records through the chunk workflow: read, rejected, written, with the input's bytes kept."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from batchcore.chunk_rows import load_rows
from batchcore.csvtext import BOM
from batchcore.errors import (
    DuplicateColumnsError,
    MissingColumnsError,
    NoHeaderError,
    RowsFormatError,
    UnterminatedQuoteError,
    WrongDelimiterError,
)
from batchcore.intake import map_header
from batchcore.records import REJECT_COLUMNS, RowWriter, read_chunk, read_records, reject
from batchcore.schema import RecordSchema, Violation
from hypothesis import given, settings
from hypothesis import strategies as st
from support import chunk_rows

# A schema of nobody's: what is tested here must not depend on the one that is shipped.
SCHEMA = RecordSchema(
    {
        "type": "object",
        "required": ["id", "Name"],
        "properties": {"id": {"type": "string"}, "Name": {"type": "string"}, "Note": {}},
        "x-key": "id",
        "x-enrichment": ["Price", "Place"],
    }
)
HEADER = b"id,Name\n"


def read(data: bytes, *, delimiter: str = ",", first_row: int = 2) -> list[dict[str, Any]]:
    return list(read_records(data, SCHEMA, delimiter=delimiter, first_row=first_row))


def parse(data: bytes, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("latin-1"), newline=""), delimiter=delimiter))


# ------------------------------------------------------------------------------- header


def test_columns_are_mapped_by_name_in_any_order() -> None:
    header = b"Name,other,id,Note\r\n"
    assert map_header(header, SCHEMA, delimiter=",") == {"id": 2, "Name": 0, "Note": 3}


def test_columns_that_are_not_required_may_be_missing() -> None:
    assert map_header(b"id,Name", SCHEMA, delimiter=",") == {"id": 0, "Name": 1}


def test_header_may_have_a_bom_quotes_and_spaces_around_names() -> None:
    assert map_header(BOM + b'"id" ; Name\n', SCHEMA, delimiter=";") == {"id": 0, "Name": 1}


def test_missing_columns_are_named() -> None:
    with pytest.raises(MissingColumnsError, match=r"lacks 'Name':.*the file has 'id', 'name'"):
        map_header(b"id,name\n", SCHEMA, delimiter=",")


@pytest.mark.parametrize("other", [";", "\t", "|"])
def test_header_with_another_delimiter_is_told_so(other: str) -> None:
    header = f"id{other}Name\n".encode()
    with pytest.raises(WrongDelimiterError) as caught:
        map_header(header, SCHEMA, delimiter=",")
    assert repr(other) in str(caught.value)


def test_comma_where_the_stack_expects_another_delimiter_is_told_so() -> None:
    with pytest.raises(WrongDelimiterError, match=r"delimited by ',', but the stack expects ';'"):
        map_header(HEADER, SCHEMA, delimiter=";")


def test_first_row_that_is_data_is_told_so_and_not_repeated() -> None:
    with pytest.raises(NoHeaderError) as caught:
        map_header(b"4711,Jane Doe\n", SCHEMA, delimiter=",")
    assert "Jane" not in str(caught.value)


def test_column_named_twice_is_refused_if_the_schema_has_it() -> None:
    with pytest.raises(DuplicateColumnsError, match="'Name' more than once"):
        map_header(b"id,Name,Name\n", SCHEMA, delimiter=",")
    assert map_header(b"id,Name,x,x\n", SCHEMA, delimiter=",") == {"id": 0, "Name": 1}


@pytest.mark.parametrize("terminator", ["\n", "\r\n", "\r"])
def test_header_with_line_breaks_in_its_names_is_told_what_it_lacks(terminator: str) -> None:
    # Split at another delimiter, what stood inside quotes stands outside.
    header = f'a,"b{terminator}c",id{terminator}'.encode()
    with pytest.raises(MissingColumnsError, match="lacks 'Name'"):
        map_header(header, SCHEMA, delimiter=",")


def test_header_with_many_columns_is_not_listed_whole() -> None:
    header = ",".join(["id", *(f"column{n}" * 20 for n in range(1000))]).encode()
    with pytest.raises(MissingColumnsError, match="and 989 more") as caught:
        map_header(header, SCHEMA, delimiter=",")
    assert len(str(caught.value)) < 1500


# --------------------------------------------------------------------------------- read


def test_records_carry_row_raw_text_and_the_fields_of_the_schema() -> None:
    records = read(b'x,Name,id\r\n1,"a ""b""\n",2\r\n', first_row=7)
    assert records == [
        {"row": 7, "raw": '1,"a ""b""\n",2\r\n', "fields": {"id": "2", "Name": 'a "b"\n'}}
    ]


def test_blank_lines_are_skipped_and_counted() -> None:
    assert [record["row"] for record in read(HEADER + b"1,a\n\n\r\n2,b\n\n")] == [2, 5]


@pytest.mark.parametrize("terminator", ["\n", "\r\n", "\r"])
def test_last_record_gets_the_terminator_of_the_header(terminator: str) -> None:
    data = f"id,Name{terminator}1,a{terminator}2,b".encode()
    assert [record["raw"][-len(terminator) :] for record in read(data)] == [terminator] * 2


def test_fields_of_a_wrong_number_reject_the_row_alone() -> None:
    records = read(HEADER + b"1\n2,b,c,d\n3,c\n")
    assert [len(record.get("errors", [])) for record in records] == [1, 1, 0]
    (few,), (many,) = (record["errors"] for record in records[:2])
    assert (few["rule"], few["value"], few["limit"]) == ("fieldCount", "1", "2")
    assert (many["rule"], many["value"], many["limit"]) == ("fieldCount", "4", "2")
    assert few["message"] == "the row has 1 field, but the header has 2"
    assert [record["key"] for record in records[:2]] == ["1", "2"]


def test_key_of_a_row_that_ends_before_it_is_empty() -> None:
    (record,) = read(b"Name,id\nonly\n")
    assert record["key"] == ""


def test_bytes_that_are_not_utf8_reject_the_row_alone_and_are_kept() -> None:
    records = read(HEADER + b"1,caf\xe9\n2,caf\xc3\xa9\n")
    assert "errors" not in records[1]
    (error,) = records[0]["errors"]
    assert (error["rule"], error["message"]) == (
        "encoding",
        "the row is not UTF-8: byte 6 is 0xE9",
    )
    assert RowWriter(delimiter=",").rejected(records[0]).startswith(b"1,caf\xe9,2,encoding,")


def test_row_with_both_faults_has_both_errors() -> None:
    (record,) = read(HEADER + b"1,caf\xe9,x\n")
    assert [error["rule"] for error in record["errors"]] == ["fieldCount", "encoding"]


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        (b'1,"Ada" Inc\n', 2, '"Ada" Inc'),
        (b'"1"2,"x"\n', 1, '"1"2'),
        (b'1,"5\\" pipe"\r\n', 2, '"5\\" pipe"'),
        (b'1,"a ""b"" \n" \r', 2, '"a ""b"" \n" '),
        (b'1,"a"', 0, ""),
        (b'1,a "b" c\n', 0, ""),
        (b'1,"a ""b"""\n', 0, ""),
        (b'1,""\n', 0, ""),
        (b'1,"caf\xe9" x\n', 2, '"caf\\xe9" x'),
    ],
)
def test_text_after_a_closing_quote_rejects_the_row_alone_and_its_bytes_are_kept(
    line: bytes, field: int, value: str
) -> None:
    records = read(HEADER + b"1,a\n" + line)
    assert "errors" not in records[0]
    found = [e for e in records[1].get("errors", []) if e["rule"] == "quoting"]
    assert [(e["column"], e["value"]) for e in found] == [("", value)] * (field > 0)
    if field:
        assert f"has text after the closing quote of field {field}: " in found[0]["message"]
        body = line.rstrip(b"\r\n")
        assert RowWriter(delimiter=",").rejected(records[1]).startswith(body + b",3,")


def test_text_after_a_closing_quote_and_surplus_fields_keep_their_bytes() -> None:
    (record,) = read(HEADER + b'1,"a" b,c,"d""" e\n')
    assert [error["rule"] for error in record["errors"]] == ["fieldCount", "quoting"]
    line = RowWriter(delimiter=",").rejected(record)
    assert line.startswith(b'1,"a" b,2,fieldCount; quoting,')
    assert line.endswith(b',c,"d""" e\n')


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text('ab" ,\n', max_size=8), min_size=2, max_size=2), st.booleans())
def test_every_accepted_row_is_read_alike_by_a_strict_reader(
    fields: list[str], orderly: bool
) -> None:
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(fields)
    data = buffer.getvalue() if orderly else ",".join(fields) + "\n"
    try:
        records = read(HEADER + data.encode())
    except UnterminatedQuoteError:
        return
    accepted = [record["raw"] for record in records if "errors" not in record]
    rows = list(csv.reader(io.StringIO("".join(accepted), newline=""), strict=True))
    assert rows == [list(r["fields"].values()) for r in records if "errors" not in r]
    assert not orderly or len(rows) == 1


def test_nul_and_characters_that_cut_lines_elsewhere_are_data() -> None:
    text = "1,a\0b\x0b\x0c\x1c\x85\u2028c\n"
    (record,) = read(HEADER + text.encode())
    assert record["fields"]["Name"] == "a\0b\x0b\x0c\x1c\x85\u2028c"
    found = read_chunk(HEADER + text.encode(), SCHEMA, delimiter=",", first_row=2)
    assert list(load_rows(found.dump(after="read"), after="read").records()) == [record]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from([b"1,a\n", b"2\n", b"\n", b'3,"b\n\n""",c\r\n', b"\xff,d\r", b'4"5,"e"f\n'])
    ),
    st.integers(2, 10**9),
)
def test_every_row_is_read_once_under_its_number(rows: list[bytes], first_row: int) -> None:
    records = read(HEADER + b"".join(rows), first_row=first_row)
    # A CR and the LF of a blank line behind it are one terminator.
    numbered = enumerate(parse(b"".join(rows)), first_row)
    expected = [(row, fields[0]) for row, fields in numbered if fields]
    assert all(  # `"e"f`: text after a closing quote
        ("quoting" in str(record.get("errors"))) == ('"e"f' in record["raw"]) for record in records
    )
    found = [(r["row"], r["fields"]["id"] if "fields" in r else r["key"]) for r in records]
    assert found == [(row, key.replace("\xff", "\\xff")) for row, key in expected]


# ------------------------------------------------------------------------------- reject


def test_rejected_record_keeps_its_text_and_every_reason() -> None:
    faults = [Violation("Name", "enum", "x", '["a"]', "is not one of a"), Violation(*"abcde")]
    record = {"row": 3, "raw": "1,x\n", "fields": {"id": "1"}}
    bad = reject(record, stage="validate", key="1", faults=faults)
    assert (bad["row"], bad["raw"], bad["key"]) == (3, "1,x\n", "1")
    assert "fields" not in bad
    assert [error["column"] for error in bad["errors"]] == ["Name", "a"]
    assert bad["errors"][0]["message"] == "Name is not one of a"
    assert {error["stage"] for error in bad["errors"]} == {"validate"}


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.text(max_size=8), st.text(max_size=3)), max_size=5))
def test_steps_hand_on_whatever_text_there_is(rows: list[tuple[bool, str, str]]) -> None:
    records = [
        {"row": number, "raw": raw, "fields": {"id": value, "Name": raw}}
        if good
        else {"row": number, "raw": raw, "key": value, "errors": []}
        for number, (good, raw, value) in enumerate(rows, 2)
    ]
    found = load_rows(chunk_rows(records).dump(after="read"), after="read")
    assert list(found.records()) == records
    for after in ("validate", "enrich"):
        with pytest.raises(RowsFormatError):
            load_rows(found.dump(after="read"), after=after)


# -------------------------------------------------------------------------------- write


def bad(raw: str, *, surplus: int = 0, row: int = 9) -> dict[str, Any]:
    errors = [
        {"column": "Name", "rule": "enum", "message": "Name is not one of a, b"},
        {"column": "", "rule": "fieldCount", "message": "the row has 1"},
    ]
    return {"row": row, "raw": raw, "surplus": surplus, "errors": errors}


def test_completed_row_is_the_input_with_the_values_behind_it() -> None:
    raw, values = ' 1, "x" ,"a\nb"\r\n', ["1.50", "Bonn, Rhein"]
    line = RowWriter(delimiter=",").completed([raw], [values])
    assert line == b' 1, "x" ,"a\nb",1.50,"Bonn, Rhein"\r\n'


@pytest.mark.parametrize("terminator", [b"\n", b"\r\n", b"\r"])
def test_header_keeps_bom_and_terminator(terminator: bytes) -> None:
    line = RowWriter(delimiter=";").header(BOM + b"id;Name" + terminator, ["Price", "a;b"])
    assert line == BOM + b'id;Name;Price;"a;b"' + terminator


def test_header_without_terminator_gets_one() -> None:
    assert RowWriter(delimiter=",").header(b"id", ["x"]) == b"id,x\n"


def test_rejected_row_says_where_and_why() -> None:
    line = RowWriter(delimiter=",").rejected(bad("1,x\r\n"))
    assert line == b'1,x,9,Name: enum; fieldCount,"Name is not one of a, b; the row has 1"\r\n'


def test_short_rejected_row_is_padded_to_the_columns_of_the_reasons() -> None:
    header = parse(RowWriter(delimiter=",").header(b"id,Name,Note,Other\n", REJECT_COLUMNS))[0]
    (fields,) = parse(RowWriter(delimiter=",").rejected(bad("1\n", surplus=-3)))
    row = dict(zip(header, fields, strict=True))
    assert (row["id"], row["Name"], row["Other"], row["source_row"]) == ("1", "", "", "9")


def test_surplus_fields_of_a_rejected_row_stand_behind_the_reasons() -> None:
    (fields,) = parse(RowWriter(delimiter=",").rejected(bad('1,"a,b",c,d\n', surplus=2)))
    assert fields[:3] == ["1", "a,b", "9"]
    assert fields[-2:] == ["c", "d"]
    assert len(fields) == 2 + len(REJECT_COLUMNS) + 2


def test_line_break_in_a_field_that_is_written_again_stays_in_its_field() -> None:
    line = RowWriter(delimiter=",").rejected(bad('1,"a\nb","c\rd",e\n', surplus=2))
    (fields,) = parse(line)
    assert fields[:3] == ["1", "a\nb", "9"]
    assert fields[-2:] == ["c\rd", "e"]


def test_line_break_in_an_enrichment_value_stays_in_its_field() -> None:
    line = RowWriter(delimiter=",").completed(["1,x\n"], [["two\nlines", "a\rb"]])
    assert parse(line) == [["1", "x", "two\nlines", "a\rb"]]


FIELDS = st.lists(st.text("ab,;\"'\r\n\t é=+@", max_size=6), min_size=1, max_size=5)


@settings(max_examples=300, deadline=None)
@given(FIELDS, st.integers(-3, 4), st.sampled_from(",;\t|"), st.sampled_from(["\n", "\r\n"]))
def test_rejected_row_has_each_field_in_its_column(
    fields: list[str], surplus: int, delimiter: str, terminator: str
) -> None:
    # Line breaks in surplus rows have a test of their own, above.
    if surplus > 0:
        fields = [field.replace("\r", "").replace("\n", "") for field in fields]
    surplus = min(surplus, len(fields) - 1)
    buffer = io.StringIO(newline="")
    csv.writer(
        buffer, delimiter=delimiter, lineterminator=terminator, quoting=csv.QUOTE_ALL
    ).writerow(fields)
    record = bad(buffer.getvalue(), surplus=surplus)
    writer = RowWriter(delimiter=delimiter)
    text = writer.rejected(record).decode()
    assert text.endswith(terminator)
    (found,) = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    width = len(fields) - surplus
    assert found[:width] == (fields + [""] * max(0, -surplus))[:width]
    assert found[width] == "9"
    assert found[width + len(REJECT_COLUMNS) :] == (fields[-surplus:] if surplus > 0 else [])


ROWS = st.lists(
    st.tuples(st.lists(st.text("ab,;\"'\r\n\t é", max_size=6), min_size=2, max_size=2), st.text()),
    min_size=1,
    max_size=5,
)


@settings(max_examples=300, deadline=None)
@given(ROWS, st.integers(0, 3), st.sampled_from(",;\t|"), st.sampled_from(["\n", "\r\n", "\r"]))
def test_completed_rows_are_the_input_with_what_csv_writes_behind_each(
    rows: list[tuple[list[str], str]], width: int, delimiter: str, terminator: str
) -> None:
    def line(fields: list[str], end: str, quoting: int) -> str:
        buffer = io.StringIO(newline="")
        options: Any = {"delimiter": delimiter, "lineterminator": "\r\n", "quoting": quoting}
        csv.writer(buffer, **options).writerow(fields)
        return buffer.getvalue().removesuffix("\r\n") + end

    raws = [line(fields, terminator, csv.QUOTE_ALL) for fields, _ in rows]
    values = [[value, *fields][:width] for fields, value in rows]
    found = RowWriter(delimiter=delimiter).completed(raws, values)
    tails = [line(row, "", csv.QUOTE_MINIMAL) for row in values]
    end = len(terminator)
    assert found.decode() == "".join(
        raw[:-end] + (delimiter + tail if width else "") + terminator
        for raw, tail in zip(raws, tails, strict=True)
    )


def test_last_row_may_end_otherwise_than_the_others() -> None:
    raws = ["1,a\n", '2,"b\n"\r\n', "3,c\r", "4,d\n"]
    found = RowWriter(delimiter=",").completed(raws, [["x", "y"]] * 4)
    assert found == b'1,a,x,y\n2,"b\n",x,y\r\n3,c,x,y\r4,d,x,y\n'
