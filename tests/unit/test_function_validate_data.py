"""Validate Data: every rule that a row breaks, and good rows passed on with their text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from batchcore import keys
from batchcore.chunk_rows import ChunkRows
from batchcore.errors import BalanceError, RowsFormatError
from batchcore.records import read_chunk, reject_invalid
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import BUCKET, HEADER, SCHEMA, chunk_event, chunk_rows, context, row

if TYPE_CHECKING:
    from types import ModuleType

    from support import Account, LoadApp

JOB = "orders-000000000001"
FUNCTION_SCOPED = [HealthCheck.function_scoped_fixture]


@pytest.fixture
def app(load_app: LoadApp) -> ModuleType:
    return load_app("validate-data")


def read(*rows: bytes) -> ChunkRows:
    return read_chunk(HEADER + b"".join(rows), SCHEMA, delimiter=",", first_row=2)


def records(*rows: bytes) -> bytes:
    return read(*rows).dump(after="read")


def test_good_rows_pass_with_their_text_and_key(app: ModuleType) -> None:
    rows = [row("111111111"), row("222222222", Country='"Côte d\'Ivoire, ""CI"""')]
    checked = reject_invalid(read(*rows), app.schema)
    assert checked == ChunkRows(
        [2, 3], [each.decode() for each in rows], keys=["111111111", "222222222"]
    )


def test_bad_row_gets_every_reason_and_keeps_its_number(app: ModuleType) -> None:
    bad = row("12345678X9", **{"Sales Channel": "Retail", "Ship Date": "2/30/15"})
    checked = reject_invalid(read(row(), bad, row()), app.schema)
    assert (checked.rows, len(checked.keys), len(checked.raw)) == ([2, 4], 2, 2)
    (found,) = checked.rejected
    assert (found["row"], found["raw"], found["key"]) == (3, bad.decode(), "12345678X9")
    assert [(e["column"], e["rule"], e["value"]) for e in found["errors"]] == [
        ("uuid", "maxLength", "12345678X9"),
        ("uuid", "pattern", "12345678X9"),
        ("Sales Channel", "enum", "Retail"),
        ("Ship Date", "format", "2/30/15"),
    ]
    assert {e["stage"] for e in found["errors"]} == {"validate"}
    assert found["errors"][3]["message"] == "Ship Date is not a date in the format M/D/YY"
    assert "fields" not in found


def test_rows_rejected_before_pass_and_are_not_counted_again(app: ModuleType) -> None:
    before = read(b"short\n", b"\xff" + row())
    assert reject_invalid(before, app.schema).rejected == before.rejected
    assert len(before.rejected) == 2


def test_rows_with_the_same_key_are_each_checked(app: ModuleType) -> None:
    bad = row(Country="")
    checked = reject_invalid(read(bad, bad, row(), row()), app.schema)
    assert [record["row"] for record in checked.rejected] == [2, 3]
    assert checked.rows == [4, 5]


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
    named = enumerate(rows, 2)
    found = chunk_rows({"row": n, "raw": f"{n}\n", "fields": fields} for n, fields in named)
    checked = reject_invalid(found, app.schema)
    bad = [number for number, fields in enumerate(rows, 2) if not SCHEMA.is_valid(fields)]
    assert [(r["row"], r["raw"]) for r in checked.rejected] == [(n, f"{n}\n") for n in bad]
    good = [n for n in range(2, 2 + len(rows)) if n not in bad]
    assert (checked.rows, checked.raw) == (good, [f"{n}\n" for n in good])
    assert checked.keys == [rows[n - 2]["uuid"] for n in good]


@pytest.mark.parametrize(
    "stored",
    [
        b'{"row":2,"raw":"a\\n","fields":{"uuid":"1"}}\n{"row":3,"raw":"b\\n","fields":{}}\n',
        b'{"row":2,"raw":"a\\n","fields":{"uuid":"1"}}\n',
        b'{"format":3,"after":"read","rows":[],"raw":[],"rejected":[]}',
        b'{"format":2,"after":"validate","rows":[2],"raw":["a\\n"],"rejected":[],"keys":["1"]}',
        b"[]",
        b"",
    ],
    ids=["format-1", "format-1-one-row", "later-format", "other-step", "no-object", "empty"],
)
def test_rows_that_functions_of_another_version_stored_are_refused(
    app: ModuleType, account: Account, stored: bytes
) -> None:
    account.put(keys.records(JOB, 1), stored)
    with pytest.raises(RowsFormatError, match="Rerun the job"):
        app.lambda_handler(account.stored(chunk_event(JOB)), context())
    assert account.keys("jobs/") == [keys.records(JOB, 1)]


@pytest.mark.parametrize("fields", [{"uuid": "1"}, {}], ids=["another column", "no column"])
def test_schema_that_requires_a_column_since_the_chunk_was_read_rejects_its_rows(
    app: ModuleType, fields: dict[str, str]
) -> None:
    found = chunk_rows({"row": n, "raw": "x\n", "fields": fields} for n in (2, 3))
    checked = reject_invalid(found, app.schema)
    assert (checked.rows, checked.keys) == ([], [])
    assert {e["rule"] for record in checked.rejected for e in record["errors"]} >= {"required"}


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
    assert len(account.rows(keys.valid(JOB, 2))) == 2
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
    assert reject_invalid(read(), app.schema) == ChunkRows([], [], keys=[])


@pytest.mark.parametrize(
    "lists",
    [
        {"raw": ["a\n"]},
        {"fields": {"a": ["1", "2"], "b": ["1"]}},
        {"keys": ["1", "2", "3"]},
        {"values": [["1"]]},
    ],
    ids=["raw", "fields", "keys", "values"],
)
def test_lists_that_do_not_fit_together_are_refused(lists: dict[str, Any]) -> None:
    with pytest.raises(BalanceError, match="2 good rows"):
        ChunkRows(**{"rows": [2, 3], "raw": ["a\n", "b\n"], **lists})
