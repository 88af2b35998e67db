"""Which changes of an edited row are listed, which are held, and by what names they pass."""

from __future__ import annotations

import pytest
from batchcore.csvtext import iter_records
from batchcore.schema import RecordSchema
from support import ROOT

from batchops.cli.base import in_verbs
from batchops.core.errors import InputError
from batchops.recovery.damage import KINDS
from batchops.recovery.repair_changes import FieldChange, check_kinds
from batchops.recovery.repair_check import CheckedRow, RowOutcome, check_rows
from batchops.recovery.repair_plan import RepairPlan
from batchops.recovery.repair_rows import ChunkText, read_edited
from batchops.recovery.rerun_plan import RerunPlan

CASE = ROOT / "tests" / "data" / "cases" / "repair-silent-damage"
COLUMNS = ["id", "qty", "zip", "ordered", "shipped"]
SCHEMA = RecordSchema(
    {
        "required": ["id", "qty"],
        "properties": {
            "id": {"pattern": "^[0-9]{3}$"},
            "qty": {"type": "number", "maximum": 100},
            "zip": {"pattern": "^[0-9]{4,5}$", "x-empty": True},
            "ordered": {"format": "D/M/YYYY"},
            "shipped": {"format": "D/M/YYYY", "x-empty": True},
        },
        "x-compare": [{"column": "shipped", ">=": "ordered"}],
        "x-key": "id",
        "x-enrichment": ["price"],
    }
)
GOOD = "007,1.50,01069,3/4/2026,"


def checked(old: str, new: str, *, accept: tuple[str, ...] = ()) -> CheckedRow:
    edited = f"{','.join(COLUMNS)},source_row\n{new},2\n".encode()
    (row,) = read_edited(edited, columns=COLUMNS, delimiter=",")
    (found,) = check_rows(
        [row],
        ChunkText(f"{','.join(COLUMNS)}\n{old}\n".encode(), delimiter=",", first_row=2),
        number=1,
        rejected=(2,),
        done=True,
        schema=SCHEMA,
        delimiter=",",
        names=COLUMNS,
        accept=accept,
    )
    return found


def listed(found: CheckedRow) -> list[tuple[str, str, str, tuple[str, ...]]]:
    return [(c.column, c.before, c.after, c.damage) for c in found.changes]


def test_damage_beside_a_fix_is_listed_and_holds_the_row() -> None:
    found = checked("007,ten,01069,3/4/2026,", "7,10,1069,3/4/2026,")
    assert found.outcome.outcome == "still failing"  # 7 is no id
    found = checked("007,ten,01069,3/4/2026,", "007,10,1069,3/4/2026,")
    assert (found.outcome.outcome, found.record) == ("held", b"")
    assert found.outcome.message == "looks like damage: zip: leading-zeros"
    assert listed(found) == [
        ("qty", "ten", "10", ()),
        ("zip", "01069", "1069", ("leading-zeros",)),
    ]
    assert [change.rules for change in found.changes] == ["type", ""]


def test_kind_that_is_accepted_by_name_goes_through_and_others_do_not() -> None:
    new = "007,10,1069,4/3/2026,"
    assert checked("007,ten,01069,3/4/2026,", new, accept=("leading-zeros",)).record == b""
    both = checked("007,ten,01069,3/4/2026,", new, accept=("leading-zeros", "dates"))
    assert (both.outcome.outcome, both.record) == ("fixed", f"{new}\n".encode())
    assert [change.damage for change in both.changes] == [(), ("leading-zeros",), ("dates",)]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        # The value breaks a rule, and what repairs it looks like damage.
        ('007,"1,50",01069,3/4/2026,', "007,1.5,01069,3/4/2026,"),
        ("007, 1.50,01069,3/4/2026,", "007,1.50,01069,3/4/2026,"),
        ("007,1000.00,01069,3/4/2026,", "007,10,01069,3/4/2026,"),
        ("007,1.50,NA,3/4/2026,", "007,1.50,,3/4/2026,"),
        ("007,1.50,001069,3/4/2026,", "007,1.50,01069,3/4/2026,"),
        ("007,1.50,01069,2026-04-03,", "007,1.50,01069,3/4/2026,"),
        ("007,1.50,01069,3/4/2026,NULL", "007,1.50,01069,3/4/2026,"),
        # No rule objects, so the reference data did.
        ("070,1.50,01069,3/4/2026,", "007,1.50,01069,3/4/2026,"),
        # An earlier day was shipped: emptying it is a fix.
        ("007,1.50,01069,3/4/2026,1/4/2026", "007,1.50,01069,3/4/2026,"),
        ("007,1.50,01069,3/4/2026,1/4/2026", "007,1.50,01069,3/4/2026,5/4/2026"),
        ("007,1.50,01069,3/4/2026,1/4/2026", "007,1.50,01069,1/4/2026,1/4/2026"),
        # A change that no rule asked for, and that looks like no damage.
        ("007,ten,01069,3/4/2026,", "007,10,01067,5/4/2026,6/4/2026"),
    ],
)
def test_fix_is_no_damage(old: str, new: str) -> None:
    found = checked(old, new)
    assert found.outcome.outcome == "fixed"
    assert [change for change in found.changes if change.damage] == []


def test_value_that_only_had_blanks_too_many_must_not_lose_its_zeros_with_them() -> None:
    assert checked("007, 1.50,01069,3/4/2026,", "007,1.5,01069,3/4/2026,").record == b""
    found = checked("007,1.50,01069 ,3/4/2026,", "007,1.50,1069,3/4/2026,")
    assert listed(found) == [("zip", "01069 ", "1069", ("leading-zeros",))]
    assert found.outcome.outcome == "held"
    assert checked("007,1.50,01069 ,3/4/2026,", "007,1.50,01069,3/4/2026,").record


def test_two_dates_that_are_wrong_together_are_not_fixed_by_turning_them() -> None:
    found = checked("007,1.50,01069,3/4/2026,1/4/2026", "007,1.50,01069,3/4/2026,4/1/2026")
    assert found.outcome.outcome == "still failing"
    found = checked("007,1.50,01069,3/4/2026,2/4/2026", "007,1.50,01069,4/3/2026,2/4/2026")
    assert (found.outcome.outcome, found.changes[0].damage) == ("held", ("dates",))


@pytest.mark.parametrize(
    ("old", "new", "outcome"),
    [
        ("2026-01-02", "2/1/2026", "fixed"),
        ("2026-01-02", "1/2/2026", "held"),  # as a spreadsheet in the US writes it
        ("2026-01-02", "3/1/2026", "fixed"),
        ("13.1.2026", "13/1/2026", "fixed"),
        ("Jan 2, 2026", "2/1/2026", "fixed"),
        ("Jan 2, 2026", "1/2/2026", "held"),
        ("1.2.2026", "2/1/2026", "fixed"),  # nobody can say which day it was
        ("46024", "2/1/2026", "fixed"),
    ],
)
def test_date_of_another_format_is_fixed_to_the_same_day(old: str, new: str, outcome: str) -> None:
    found = checked(f'007,1.50,01069,"{old}",', f"007,1.50,01069,{new},")
    assert found.outcome.outcome == outcome


@pytest.mark.parametrize(
    ("new", "outcome"),
    [
        ("007,1.50,01069,3/4/2026,", "fixed"),
        ("007,1.5,01069,3/4/2026,", "held"),
        ("007,1.50,1069,3/4/2026,", "held"),
        ("007,1.50,01069,4/3/2026,", "held"),
    ],
)
def test_values_of_a_row_with_a_field_too_many_may_move_but_not_change(
    new: str, outcome: str
) -> None:
    assert checked("007,,1.50,01069,3/4/2026,", new).outcome.outcome == outcome


def test_field_that_is_not_utf_8_is_there_to_be_written_anew() -> None:
    chunk = ChunkText(b"id,qty,zip,note\n007,1,01069,K\xff\n", delimiter=",", first_row=2)
    (row,) = read_edited(
        "id,qty,zip,note,source_row\n007,1,01069,Kä,2\n".encode(),
        columns=["id", "qty", "zip", "note"],
        delimiter=",",
    )
    schema = RecordSchema({**SCHEMA.document, "x-compare": []})
    (found,) = check_rows(
        [row],
        chunk,
        number=1,
        rejected=(2,),
        done=True,
        schema=schema,
        delimiter=",",
        names=["id", "qty", "zip", "note"],
    )
    assert found.outcome.outcome == "fixed"
    assert listed(found) == [("note", "K\\xff", "Kä", ())]


def test_case_that_went_through_in_silence() -> None:
    """Only qty was meant to change, but zeros, NA and 1.50 went too."""
    schema = RecordSchema.load(CASE / "schema.json")
    header, record = iter_records((CASE / "input.csv").read_bytes(), delimiter=",")
    columns = header.decode().strip().split(",")
    rows = read_edited((CASE / "edited.csv").read_bytes(), columns=columns, delimiter=",")

    def check(*accept: str) -> CheckedRow:
        (found,) = check_rows(
            rows,
            ChunkText(header + record, delimiter=",", first_row=2),
            number=1,
            rejected=(2,),
            done=True,
            schema=schema,
            delimiter=",",
            names=columns,
            accept=accept,
        )
        return found

    found = check()
    assert listed(found) == [
        ("qty", "ten", "10", ()),
        ("postcode", "01069", "1069", ("leading-zeros",)),
        ("region", "NA", "", ("missing-values",)),
        ("ean", "0012345678905", "12345678905", ("leading-zeros",)),
        ("ratio", "1.50", "1.5", ("trailing-zeros",)),
    ]
    assert (found.outcome.outcome, found.record) == ("held", b"")
    assert check("leading-zeros", "missing-values").outcome.outcome == "held"
    accepted = check("leading-zeros", "missing-values", "trailing-zeros")
    assert accepted.record.startswith(b"000002,Bo,DE,10,9.99,")


# ---------------------------------------------------------------------------- the plan

CHANGES = (
    FieldChange(2, "qty", "ten", "10", "type"),
    FieldChange(2, "zip", "01069", "1069", "", ("leading-zeros",)),
    FieldChange(3, "zip", "007", "7", "", ("leading-zeros",)),
)
RERUN = RerunPlan("job-1", 2, "ended SUCCEEDED", False, (), (), (), "joins all")
ROWS = (RowOutcome(2, 1, "held", "", "looks like damage: zip: leading-zeros"),)


def test_plan_lists_changes_and_names_each_kind() -> None:
    plan = RepairPlan("job-1", ROWS, "the deployed schema", CHANGES, (), RERUN, {})
    assert (plan.held, plan.fixed, plan.damage) == ((2,), (), {"leading-zeros": 2})
    assert not plan.needed
    text = str(plan)
    assert "1 held" in text
    assert "changed fields: 3, in 2 rows" in text
    assert "zip     '01069'  '1069'  leading-zeros" in text
    assert "leading-zeros (fields: 2): zeros in front are gone" in text
    assert "accept each kind by its name: accept={...}" in text
    assert "accept each kind by its name: --accept KIND" in in_verbs(text)
    assert "&#x27;01069&#x27;" in plan._repr_html_()


def test_changes_are_a_dataframe_and_json() -> None:
    plan = RepairPlan("job-1", ROWS, "the deployed schema", CHANGES, ("leading-zeros",), RERUN, {})
    frame = plan.changes_frame()
    assert list(frame.columns) == ["source_row", "column", "before", "after", "rules", "damage"]
    assert frame["source_row"].dtype == "int64"
    assert frame["damage"].tolist() == ["", "leading-zeros", "leading-zeros"]
    assert plan.to_dict()["changes"][1] == {
        "source_row": 2,
        "column": "zip",
        "before": "01069",
        "after": "1069",
        "rules": "",
        "damage": ["leading-zeros"],
    }
    assert "zeros in front are gone, accepted" in str(plan)
    empty = RepairPlan("job-1", (), "the deployed schema", (), (), RERUN, {}).changes_frame()
    assert list(empty.columns) == list(frame.columns)
    assert list(empty.dtypes) == list(frame.dtypes)


def test_damage_is_shown_before_other_changes_and_the_rest_is_counted() -> None:
    many = tuple(FieldChange(row, "qty", "ten", "10", "type") for row in range(2, 100))
    plan = RepairPlan("job-1", ROWS, "", many + CHANGES[1:2], (), RERUN, {})
    lines = str(plan).splitlines()
    table = next(n for n, line in enumerate(lines) if line.startswith("row"))
    assert "01069" in lines[table + 1]
    assert "and 49 more changed fields: see changes_frame()" in str(plan)


def test_name_that_is_no_kind_is_refused_with_the_kinds_there_are() -> None:
    assert check_kinds(list(KINDS)) == set(KINDS)
    assert check_kinds("leading-zeros") == {"leading-zeros"}
    with pytest.raises(InputError, match=r"'zeros'; the kinds are leading-zeros, trailing-zeros"):
        check_kinds({"zeros"})
