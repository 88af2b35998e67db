"""Rows that are no records are one cause each, whatever they break; all others count by rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from batchcore.errors import FileError
from batchcore.records import read_records, reject
from batchcore.schema import RecordSchema

from batchops.core.ledger import ErrorItem
from batchops.inspection.frames import errors_frame
from batchops.inspection.row_causes import (
    BLANK,
    FOOTER,
    HEADER_AGAIN,
    NOTE,
    RowLook,
    group_rows,
)
from batchops.inspection.why import rejection_causes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

COLUMNS = ["id", "country", "qty", "day"]
SCHEMA = RecordSchema(
    {
        "required": ["id"],
        "properties": {
            "id": {"pattern": "^[0-9]{3}$"},
            "country": {"enum": ["DE", "FR"]},
            "qty": {"type": "integer", "maximum": 500},
            "day": {"format": "YYYY-MM-DD"},
            "note": {},
        },
        "x-key": "id",
        "x-enrichment": ["price"],
    }
)
GOOD = "001,DE,5,2026-01-31"


def errors_of(*lines: str, header: str = ",".join(COLUMNS)) -> Iterator[ErrorItem]:
    """Yield the errors of a file's rows as the functions find them, in the order of ErrorTable."""
    data = "\n".join([header, *lines, ""]).encode()
    for record in read_records(data, SCHEMA, delimiter=",", first_row=2):
        if "fields" in record:
            faults = SCHEMA.violations(record["fields"])
            if not faults:
                continue
            record = reject(record, stage="validate", key="", faults=faults)  # noqa: PLW2901
        for error in record["errors"]:
            yield ErrorItem({**error, "sourceRow": record["row"], "raw": record["raw"]})


def broken(row: Mapping[str, str]) -> Iterator[str]:
    return (violation.column for violation in SCHEMA.violations(row))


LOOK = RowLook(COLUMNS, ",", broken)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("id,country,qty,day", HEADER_AGAIN),
        (" ID ,Country,QTY,Day", HEADER_AGAIN),
        ('"id","country","qty","day"', HEADER_AGAIN),
        (",,,", BLANK),
        (" , ,,  ", BLANK),
        (",,", BLANK),
        (",,,,,,", BLANK),
        ('"","","",""', BLANK),
        ("TOTAL,,1234,", FOOTER),
        ("Total: 3", FOOTER),
        ("Grand total,,,1234", FOOTER),
        ("(3 rows affected)", FOOTER),
        ("Record count: 12", FOOTER),
        ("--- end of file ---", FOOTER),
        ("Summe,,1234,", FOOTER),
        ("# exported by somebody", NOTE),
        ("exported on Monday,,,", NOTE),
        ("001;DE;5;2026-01-31", "is delimited by ';', not by ','"),
        ("001\tDE\t5\t2026-01-31", "is delimited by '\\t', not by ','"),
        ("001|DE|1,5|2026-01-31", "is delimited by '|', not by ','"),
        ("001,x,DE,5", "has its values shifted by one column, from 'country' on"),
        (",001,DE,5", "has its values shifted by one column, from 'id' on"),
        ("DE,5,2026-01-31,", "has its values shifted by one column, from 'id' on"),
        ("001,5,2026-01-31,", "has its values shifted by one column, from 'country' on"),
    ],
    ids=str,
)
def test_row_that_is_no_record_is_one_cause(line: str, what: str) -> None:
    groups, rules = group_rows(errors_of(GOOD, line, GOOD), LOOK)
    assert [(each.what, each.rows, each.first_row, each.last_row) for each in groups] == [
        (what, 1, 3, 3)
    ]
    assert rules == []


@pytest.mark.parametrize(
    ("line", "rules"),
    [
        ("1,DE,5,2026-01-31", ["id pattern"]),
        ("Total,DE,5,2026-01-31", ["id pattern"]),
        ("Total SA,DE,5,soon", ["id pattern", "day format"]),
        ("001,XX,x,2026-01-31", ["country enum", "qty type"]),
        ("001,DE,5,2026-01-31,more", [" fieldCount"]),
        ("001,DE,5", [" fieldCount"]),
        ("x,XX,x,x", ["id pattern", "country enum", "qty type", "day format"]),
    ],
    ids=str,
)
def test_row_that_is_a_record_with_mistakes_counts_by_rule(line: str, rules: list[str]) -> None:
    groups, found = group_rows(errors_of(GOOD, line), LOOK)
    assert groups == []
    assert {f"{column} {rule}" for _, column, rule in (each.rule for each in found)} == set(rules)


def broken_rows(*rows: tuple[int, int]) -> Iterator[ErrorItem]:
    """Yield the errors of rows that break so many rules, from the first on."""
    for row, rules in rows:
        for rule in range(rules):
            item = {"stage": "validate", "column": f"c{rule}", "rule": "enum", "value": f"v{row}"}
            yield ErrorItem({**item, "sourceRow": row})


def test_rows_that_break_five_rules_alike_are_one_cause() -> None:
    (group,), rules = group_rows(broken_rows((2, 5), (3, 4), (4, 6), (7, 5)))
    assert group.what == "breaks the same 5 rules: c0 enum, c1 enum, c2 enum, c3 enum and 1 more"
    assert (group.rows, group.first_row, group.last_row) == (2, 2, 7)
    assert [(each.rule[1], each.errors, each.source_row, each.value) for each in rules] == [
        *((f"c{n}", 2, 3, "v3") for n in range(4)),
        *((f"c{n}", 1, 4, "v4") for n in (4, 5)),
    ]


def test_every_error_is_in_a_group_or_counted_once() -> None:
    bad = ["x,XX,x,2026-01-31", "x,XX,5,soon", ",,,", "id,country,qty,day", "x,DE,x,x", "1,DE,5,x"]
    groups, rules = group_rows(errors_of(*bad * 2), LOOK)
    assert sum(each.rows for each in groups) == 2 * 2
    assert sum(each.errors for each in rules) == 2 * (3 + 3 + 3 + 2)


def test_first_row_and_value_of_a_rule_are_those_of_the_first_row_that_counts_for_it() -> None:
    bad = [",,,", "1,XX,x,2026-01-31", "2,DE,5,2026-01-31", "0,DE,5,2026-01-31"]
    _, rules = group_rows(errors_of(*bad), LOOK)
    assert [(each.source_row, each.value) for each in rules if each.rule[1] == "id"] == [(3, "1")]


def test_errors_may_come_as_lines_of_a_frame() -> None:
    bad = [",,,", "id,country,qty,day", "x,XX,x,2026-01-31", "1,DE,5,x", "y,YY,y,2026-01-31"]
    more: dict[str, Any] = dict.fromkeys(("message", "limit", "uuid"), "")
    more |= {"chunk": 1, "attempt": 1, "time": "2026-11-23T06:00:00.000Z"}
    frame = errors_frame(ErrorItem({**more, **error.item}) for error in errors_of(*bad))
    found = group_rows(frame.itertuples(index=False), LOOK)  # type: ignore[arg-type]
    assert found == group_rows(errors_of(*bad), LOOK)


def test_stretch_with_another_delimiter_is_one_cause_with_its_rows() -> None:
    lines = [GOOD, *["001;DE;5;2026-01-31"] * 30, GOOD]
    (cause,) = rejection_causes(*group_rows(errors_of(*lines), LOOK), succeeded=True)
    assert (cause.kind, cause.count, cause.value) == ("rows", 30, "rows 3 to 32")
    assert str(cause).splitlines()[0] == "is delimited by ';', not by ',': 30 rows"
    assert "job.repair" in cause.next_call


def test_header_in_the_file_is_told_in_words() -> None:
    found = group_rows(errors_of("id,country,qty,day"), LOOK)
    (cause,) = rejection_causes(*found, succeeded=True)
    assert str(cause).splitlines()[:2] == ["looks like the header again: 1 row", "    row 2"]


def test_row_that_was_cut_is_not_judged_by_its_text() -> None:
    item: dict[str, Any] = {"stage": "read", "column": "", "rule": "fieldCount", "value": ""}
    cut = ErrorItem(
        {**item, "sourceRow": 2, "raw": "," * 32_000 + " ... (99,999 characters in all)"}
    )
    groups, _ = group_rows([cut], LOOK)
    assert groups == []


@pytest.mark.parametrize("raw", ["", "\n", '"', '"a" b,c', "\x00,", "a\r\nb", "\\xff,,,"], ids=repr)
def test_any_text_can_be_looked_at(raw: str) -> None:
    rules = (("read", "", "quoting"), ("read", "", "encoding"))
    try:
        assert isinstance(LOOK.describe(raw, rules), str)
    except FileError:
        pytest.fail("a row's look is no reason to fail")


def test_memory_grows_with_the_causes_only() -> None:
    def errors() -> Iterator[ErrorItem]:
        for row in range(2, 10_000):
            for column in range(5):
                rule = f"r{row if column == 4 else 0}"
                yield ErrorItem(
                    {
                        "stage": "v",
                        "column": str(column),
                        "rule": rule,
                        "value": "",
                        "sourceRow": row,
                    }
                )

    _, rules = group_rows(errors())
    assert sum(each.errors for each in rules) == 9_998 * 5
