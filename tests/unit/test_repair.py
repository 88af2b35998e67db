"""Fixed rows: how they are read, compared, checked and put into their chunk's bytes."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pandas as pd
import pytest
from batchcore.csvtext import BOM, parse_row
from batchcore.schema import RecordSchema
from hypothesis import given
from hypothesis import strategies as st

from batchops.core.errors import InputError
from batchops.inspection.frames import rejects_frame
from batchops.recovery.repair_check import (
    CheckedRow,
    RowOutcome,
    check_rows,
    hold_against_reference,
    patches_of,
)
from batchops.recovery.repair_plan import RepairPlan
from batchops.recovery.repair_rows import (
    ChunkText,
    EditedRow,
    StoredRow,
    is_untouched,
    join_fields,
    read_edited,
)
from batchops.recovery.rerun_plan import RerunPlan

COLUMNS = ["id", "name", "note"]
SCHEMA = RecordSchema(
    {
        "type": "object",
        "required": ["id", "name"],
        "properties": {
            "id": {"type": "string", "pattern": "^[0-9]{3}$"},
            "name": {"type": "string", "minLength": 1, "maxLength": 10},
        },
        "x-key": "id",
        "x-enrichment": ["price"],
    }
)
HEADER = b"id,name,note\n"


def _chunk(*records: bytes, first_row: int = 2) -> ChunkText:
    return ChunkText(HEADER + b"".join(records), delimiter=",", first_row=first_row)


def _check(
    row: EditedRow, *records: bytes, rejected: tuple[int, ...] = (2,), done: bool = True
) -> CheckedRow:
    (found,) = check_rows(
        [row],
        _chunk(*records),
        number=1,
        rejected=rejected,
        done=done,
        schema=SCHEMA,
        delimiter=",",
        names=COLUMNS,
    )
    return found


def _edited(source_row: int, *fields: str, surplus: tuple[str, ...] = ()) -> EditedRow:
    return EditedRow(source_row, fields, surplus)


# ------------------------------------------------------------------------- patching


def test_patch_replaces_its_record_and_no_other_byte() -> None:
    records = [b"001,a,x\r\n", b"\n", b'"002","b\nb","y"\r\n', b"003,c,\xa0\n", b"004,d,z"]
    chunk = ChunkText(BOM + HEADER + b"".join(records), delimiter=",", first_row=7)
    assert list(chunk.records) == [7, 8, 9, 10, 11]
    records[2] = b"005,e,\r\n"
    patched = chunk.patched({9: b"005,e,\r\n"})
    assert patched == BOM + HEADER + b"".join(records)


def test_patching_nothing_gives_the_same_bytes() -> None:
    data = BOM + HEADER + b"001,a,\r\n\r\n\n002,b,x"
    assert ChunkText(data, delimiter=",", first_row=2).patched({}) == data


@given(
    fields=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), min_size=2),
    end=st.sampled_from([b"\n", b"\r\n", b"\r", b""]),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
)
def test_written_record_is_one_record_with_the_same_fields_and_line_end(
    fields: list[str], end: bytes, delimiter: str
) -> None:
    fields = [field.replace("\0", "") for field in fields]
    record = join_fields(fields, like=b"x" + delimiter.encode() + b"y" + end, delimiter=delimiter)
    assert record.endswith(end)
    assert parse_row(record.decode().removesuffix(end.decode()), delimiter=delimiter) == fields
    header = delimiter.join("abc").encode() + b"\n"
    chunk = ChunkText(header + record, delimiter=delimiter, first_row=2)
    assert list(chunk.records.values()) == [record]


# -------------------------------------------------------------------------- reading


def _rejects(*lines: str) -> bytes:
    return "\n".join(["id,name,note,source_row,rules,messages", *lines, ""]).encode()


def test_file_and_dataframe_of_it_give_the_same_rows(tmp_path: Path) -> None:
    data = _rejects('001,"a, b",x,2,why,because', "002,c,,9,why,because,left,over")
    path = tmp_path / "rejected.csv"
    path.write_bytes(data)
    frame = rejects_frame(io.BytesIO(data), delimiter=",")
    expected = [
        _edited(2, "001", "a, b", "x"),
        _edited(9, "002", "c", "", surplus=("left", "over")),
    ]
    for source in (data, BOM + data, path, str(path), frame):
        assert read_edited(source, columns=COLUMNS, delimiter=",") == expected


def test_columns_in_another_order_and_more_of_them_are_matched_by_name() -> None:
    frame = pd.DataFrame(
        {
            "mine": [1.5],
            "source_row": [4],
            "note": [None],
            "name": ["b"],
            "id": [7],
        }
    )
    assert read_edited(frame, columns=COLUMNS, delimiter=",") == [_edited(4, "7", "b", "")]


def test_rejects_that_were_uploaded_again_have_two_source_rows_and_the_last_counts() -> None:
    columns = [*COLUMNS, "source_row", "rules", "messages"]
    header = ",".join([*columns, "source_row", "rules", "messages"])
    data = f"{header}\n001,a,x,900,old,old,3,new,new\n".encode()
    found = read_edited(data, columns=columns, delimiter=",")
    assert found == [_edited(3, "001", "a", "x", "900", "old", "old")]


def test_empty_lines_of_a_spreadsheet_are_no_rows() -> None:
    data = _rejects("001,a,x,2,why,because", ",,,,,", "")
    assert len(read_edited(data, columns=COLUMNS, delimiter=",")) == 1


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"idXnameXnoteXsource_row\n1XaXbX2\n", "delimited by ','"),
        (b"id,name,source_row\n1,a,2\n", "'note'"),
        (_rejects("001,a,x,two,,"), "'two' in source_row"),
        (_rejects("001,a,x,2,,", "001,b,x,2,,"), "more than once: 2"),
        ("no such file.csv", "no file"),
        (17, "from a int"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(source: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_edited(source, columns=COLUMNS, delimiter=",")  # type: ignore[arg-type]


# ------------------------------------------------------------------------- comparing


@pytest.mark.parametrize(
    ("row", "record"),
    [
        (_edited(2, "001", "a", "x"), b"001,a,x\n"),
        (_edited(2, "001", "a", "x"), b'"001","a",x\r\n'),
        (_edited(2, "001", "", ""), b"001\n"),
        (_edited(2, "001", "a", "x", surplus=("y",)), b"001,a,x,y\n"),
        (_edited(2, "001", "a\\xa0", "x"), b"001,a\xa0,x\n"),
        (_edited(2, "001", "a\udca0", "x"), b"001,a\xa0,x\n"),
        # What was fixed before has nothing left to drop.
        (_edited(2, "001", "a", "x", surplus=("y",)), b"001,a,x\n"),
    ],
)
def test_row_that_says_what_its_record_says_is_untouched(row: EditedRow, record: bytes) -> None:
    assert is_untouched(row, StoredRow(record, delimiter=","))


@pytest.mark.parametrize(
    ("row", "record"),
    [
        (_edited(2, "001", "b", "x"), b"001,a,x\n"),
        (_edited(2, "001", "a", "x"), b"001,a,x,y\n"),
        # Empty fields too many cannot be seen to be there, so nobody could take them out.
        (_edited(2, "001", "a", "x"), b"001,a,x,,\n"),
    ],
)
def test_row_that_says_something_else_is_touched(row: EditedRow, record: bytes) -> None:
    assert not is_untouched(row, StoredRow(record, delimiter=","))


# -------------------------------------------------------------------------- checking


def test_fixed_row_becomes_a_record_with_the_line_end_of_the_old_one() -> None:
    found = _check(_edited(2, "001", "a, b", "x"), b"001,,x\r\n")
    assert (found.outcome.outcome, found.record) == ("fixed", b'001,"a, b",x\r\n')
    assert patches_of([found]) == {1: {2: b'001,"a, b",x\r\n'}}


@pytest.mark.parametrize("order", [(2, 3), (3, 2)], ids=["in order", "last row first"])
def test_rows_are_each_judged_alone_in_whatever_order_they_come(order: tuple[int, int]) -> None:
    # The last row of the file has no line end, and the other one begins with a line in quotes.
    text = b'note,id,name\n"a\nb",001,\n' + b"y,002,"
    edited = {2: _edited(2, "a\nb", "001", "name"), 3: _edited(3, "y", "002", "ten digits")}
    found = check_rows(
        [edited[row] for row in order],
        ChunkText(text, delimiter=",", first_row=2),
        number=1,
        rejected=(2, 3),
        done=True,
        schema=SCHEMA,
        delimiter=",",
        names=["note", "id", "name"],
    )
    assert {row.outcome.source_row: row.outcome.rules for row in found} == {2: "", 3: ""}
    assert patches_of(found) == {1: {2: b'"a\nb",001,name\n', 3: b"y,002,ten digits"}}


def test_row_that_still_breaks_rules_says_which_and_is_not_written() -> None:
    found = _check(_edited(2, "1", "much too long", "x"), b"001,,x\n")
    assert found.outcome.outcome == "still failing"
    assert found.outcome.rules == "id: pattern; name: maxLength"
    assert "has 13 characters, but at most 10" in found.outcome.message
    assert patches_of([found]) == {}


def test_row_that_nobody_changed_stays_rejected() -> None:
    found = _check(_edited(2, "001", "", "x"), b"001,,x\n")
    assert (found.outcome.outcome, found.record) == ("unchanged", b"")


def test_row_that_got_through_before_is_done() -> None:
    found = _check(_edited(2, "001", "a", "x"), b"001,a,x\n", rejected=())
    assert (found.outcome.outcome, found.record) == ("done", b"")


def test_row_that_is_in_a_chunk_which_has_not_run_since_waits_for_it() -> None:
    found = _check(_edited(2, "001", "a", "x"), b"001,a,x\n", done=False)
    assert (found.outcome.outcome, found.record) == ("waiting", b"")


def test_accepted_row_is_never_changed() -> None:
    found = _check(_edited(2, "001", "b", "x"), b"001,a,x\n", rejected=())
    assert "accepted" in found.refused
    assert found.record == b""


def test_row_of_a_chunk_that_never_ran_is_not_changed_either() -> None:
    found = _check(_edited(2, "001", "b", "x"), b"001,a,x\n", rejected=(), done=False)
    assert "rerun the job first" in found.refused


@pytest.mark.parametrize("source_row", [3, 99])
def test_blank_line_and_row_beyond_the_end_are_no_rows(source_row: int) -> None:
    found = _check(_edited(source_row, "001", "b", "x"), b"001,a,x\n", b"\n")
    assert "blank line" in found.refused


def test_surplus_is_dropped_from_a_fixed_row_and_that_is_said() -> None:
    found = _check(_edited(2, "001", "a b", "x", surplus=("y",)), b"001,a,b,x,y\n")
    assert found.record == b"001,a b,x\n"
    assert "['x', 'y']" in found.outcome.message


@pytest.mark.parametrize("shown", ["a\\xa0", "a\udca0"])
def test_byte_that_is_no_utf_8_is_not_written_down_as_it_is_shown(shown: str) -> None:
    found = _check(_edited(2, "002", shown, "x"), b"001,a\xa0,x\n")
    assert found.outcome.outcome == "still failing"
    assert "encoding" in found.outcome.rules


def test_byte_that_is_no_utf_8_is_fixed_by_writing_its_field_anew() -> None:
    found = _check(_edited(2, "001", "ä", "x"), b"001,a\xa0,x\n")
    assert (found.outcome.outcome, found.record) == ("fixed", "001,ä,x\n".encode())


def test_spreadsheet_that_saves_another_encoding_does_not_get_through() -> None:
    data = _rejects("001,#,x,2,why,because").replace(b"#", "ä".encode("latin-1"))
    (row,) = read_edited(data, columns=COLUMNS, delimiter=",")
    found = _check(row, b"001,,x\n")
    assert (found.outcome.outcome, found.outcome.rules) == ("still failing", "encoding")


def test_key_that_the_reference_data_lacks_fails_as_it_will_in_the_stack() -> None:
    good = _check(_edited(2, "001", "a", "x"), b"001,,x\n")
    bad = _check(_edited(2, "002", "a", "x"), b"001,,x\n")
    found = hold_against_reference([good, bad], {"001"}, SCHEMA)
    assert [row.outcome.outcome for row in found] == ["fixed", "still failing"]
    assert found[1].outcome.rules == "id: reference"
    assert patches_of(found) == {1: {2: b"001,a,x\n"}}


def test_record_written_from_pandas_is_what_csv_reads_back() -> None:
    record = join_fields(["001", 'say "a\r\nb"', ""], like=b"x\n", delimiter=",")
    assert StoredRow(record, delimiter=",").fields == ["001", 'say "a\r\nb"', ""]
    assert next(csv.reader(io.StringIO(record.decode(), newline=""))) == ["001", 'say "a\r\nb"', ""]


# ------------------------------------------------------------------------------ plan


def _plan(*rows: RowOutcome) -> RepairPlan:
    rerun = RerunPlan("job-1", 2, "ended SUCCEEDED", False, (), (), (), "joins all")
    return RepairPlan("job-1", rows, "the deployed schema", (), (), rerun, {})


def test_plan_counts_rows_by_what_becomes_of_them() -> None:
    plan = _plan(
        RowOutcome(2, 1, "fixed"),
        RowOutcome(3, 1, "still failing", "name: enum", "name is not one of A, B"),
        RowOutcome(4, 1, "unchanged"),
        RowOutcome(5, 2, "waiting"),
    )
    assert (plan.fixed, plan.failing, plan.unchanged) == ((2, 5), (3,), (4,))
    assert "1 fixed, 1 waiting, 1 still failing, 1 unchanged" in str(plan)
    assert "row 3 is still failing: name is not one of A, B" in str(plan)
    assert list(plan.frame()["source_row"]) == [2, 3, 4, 5]


def test_plan_without_fixed_rows_starts_nothing() -> None:
    plan = _plan(RowOutcome(3, 1, "still failing", "name: enum", "no"), RowOutcome(4, 1, "done"))
    assert not plan.needed
    assert "nothing is started" in str(plan)


def test_empty_plan_has_a_frame_with_all_columns() -> None:
    frame = _plan().frame()
    assert list(frame.columns) == ["source_row", "chunk", "outcome", "rules", "message"]
    assert frame.empty


# ------------------------------------------------------------------ text after a quote

STRAY = b'001,"a" b,x\n'


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        ('001,"a" b,x,2,quoting,', "unchanged"),  # as the rejects file has it
        ('001,"""a"" b",x,2,quoting,', "unchanged"),  # as rejects() shows it, saved
        ('001,"a" b,y,2,quoting,', "still failing"),
        ('001,"""a"" b",y,2,quoting,', "still failing"),
        ('001,"a" c,x,2,quoting,', "still failing"),
        ("001,a b,x,2,quoting,", "fixed"),
        ('001,"a ""b""",x,2,quoting,', "fixed"),
    ],
)
@pytest.mark.parametrize("frame", [False, True])
def test_text_after_a_quote_is_fixed_by_writing_the_field_anew(
    line: str, outcome: str, frame: bool
) -> None:
    source = _rejects(line)
    edited = rejects_frame(io.BytesIO(source), delimiter=",") if frame else source
    (row,) = read_edited(edited, columns=COLUMNS, delimiter=",")
    if frame and '"a" c' in line:
        outcome = "fixed"  # in a DataFrame, that is a text with quotes
    found = _check(row, STRAY)
    assert found.outcome.outcome == outcome
    if outcome == "fixed":
        assert found.outcome.message == (
            'writes the row again, which had text after a closing quote: "a" b'
        )
    if outcome == "still failing":
        assert found.outcome.rules == "quoting"


def test_rejects_show_text_after_a_quote_as_it_stands() -> None:
    found = rejects_frame(io.BytesIO(_rejects('001,"a" b,"c, d",2,quoting,')), delimiter=",")
    assert found.iloc[0].tolist() == ["001", '"a" b', "c, d", 2, "quoting", ""]


def test_quote_that_never_ends_is_refused() -> None:
    with pytest.raises(InputError, match=r"cannot read the rows: .* still open"):
        read_edited(_rejects('001,"a,x,2,,'), columns=COLUMNS, delimiter=",")
