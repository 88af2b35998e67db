"""Validate Data: every rule that a row breaks, and good lines passed on as they are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from batchcore import keys
from batchcore.records import read_records
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import BUCKET, HEADER, SCHEMA, chunk_event, context, dump_lines, row

if TYPE_CHECKING:
    from types import ModuleType

    from support import Account, LoadApp

JOB = "orders-000000000001"
FUNCTION_SCOPED = [HealthCheck.function_scoped_fixture]


@pytest.fixture
def app(load_app: LoadApp) -> ModuleType:
    return load_app("validate-data")


def records(*rows: bytes) -> bytes:
    data = HEADER + b"".join(rows)
    return dump_lines(read_records(data, SCHEMA, delimiter=",", first_row=2))


def parse(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.splitlines()]


def test_good_lines_pass_byte_for_byte(app: ModuleType) -> None:
    lines = records(row("111111111"), row("222222222", Country='"Côte d\'Ivoire, ""CI"""'))
    assert app.validate(lines) == (lines, 0)


def test_bad_row_gets_every_reason_and_keeps_its_place(app: ModuleType) -> None:
    bad = row("12345678X9", **{"Sales Channel": "Retail", "Ship Date": "2/30/15"})
    checked, rejected = app.validate(records(row(), bad, row()))
    assert rejected == 1
    first, second, third = parse(checked)
    assert "fields" in first
    assert "fields" in third
    assert (second["row"], second["raw"], second["key"]) == (3, bad.decode(), "12345678X9")
    assert [(e["column"], e["rule"], e["value"]) for e in second["errors"]] == [
        ("uuid", "maxLength", "12345678X9"),
        ("uuid", "pattern", "12345678X9"),
        ("Sales Channel", "enum", "Retail"),
        ("Ship Date", "format", "2/30/15"),
    ]
    assert {e["stage"] for e in second["errors"]} == {"validate"}
    assert second["errors"][3]["message"] == "Ship Date is not a date in the format M/D/YY"
    assert "fields" not in second


def test_rows_rejected_before_pass_and_are_not_counted_again(app: ModuleType) -> None:
    lines = records(b"short\n", b"\xff" + row())
    assert app.validate(lines) == (lines, 0)


def test_rows_with_the_same_key_are_each_checked(app: ModuleType) -> None:
    bad = row(Country="")
    checked, rejected = app.validate(records(bad, bad, row(), row()))
    assert rejected == 2
    assert [("errors" in r) for r in parse(checked)] == [True, True, False, False]


@settings(max_examples=60, deadline=None, suppress_health_check=FUNCTION_SCOPED)
@given(
    st.lists(
        st.fixed_dictionaries(
            {column: st.sampled_from(["", "x", "1/1/10", "H"]) for column in SCHEMA.columns}
        ),
        max_size=6,
    )
)
def test_no_row_is_lost_doubled_or_moved(app: ModuleType, rows: list[dict[str, str]]) -> None:
    lines = dump_lines(
        {"row": number, "raw": f"{number}\n", "fields": fields}
        for number, fields in enumerate(rows, 2)
    )
    checked, rejected = app.validate(lines)
    assert [(r["row"], r["raw"]) for r in parse(checked)] == [
        (r["row"], r["raw"]) for r in parse(lines)
    ]
    assert rejected == sum(not SCHEMA.is_valid(fields) for fields in rows)
    assert app.validate(checked) == (checked, 0)


def test_handler_stores_the_records_beside_what_it_read(app: ModuleType, account: Account) -> None:
    account.put(keys.records(JOB, 2), records(row(), row("x")))
    result = app.lambda_handler(account.stored(chunk_event(JOB, number=2, rows=2)), context())
    assert result.pop("ms") >= 0
    assert result.pop("at")
    assert result.pop("cold") in (True, False)
    head = account.s3.head_object(Bucket=BUCKET, Key=keys.valid(JOB, 2))
    assert result == {
        "key": keys.valid(JOB, 2),
        "versionId": head["VersionId"],
        "rejected": 1,
    }
    assert len(account.lines(keys.valid(JOB, 2))) == 2
    assert account.tags(keys.valid(JOB, 2)) == {"kind": "intermediate"}
    before = account.get(keys.valid(JOB, 2))
    app.lambda_handler(account.stored(chunk_event(JOB, number=2, rows=2)), context())
    assert account.get(keys.valid(JOB, 2)) == before


def test_records_are_those_that_read_file_stored_whatever_is_written_over_them(
    app: ModuleType, account: Account
) -> None:
    account.put(keys.records(JOB, 1), records(row()))
    event = account.stored(chunk_event(JOB))
    # A call of an earlier attempt that went on though its attempt was given up.
    account.put(keys.records(JOB, 1), records(row("x")))
    assert app.lambda_handler(event, context())["rejected"] == 0


def test_empty_chunk_is_no_trouble(app: ModuleType) -> None:
    assert app.validate(b"") == (b"", 0)
