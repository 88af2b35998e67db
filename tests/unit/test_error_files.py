"""A chunk's errors as CSV, and their counts by cause, which are bounded whatever the schema."""

from __future__ import annotations

from typing import Any

import orjson
from batchcore.error_files import (
    HEADER,
    MAX_CAUSES_BYTES,
    CauseCounts,
    format_piece,
)
from hypothesis import given
from hypothesis import strategies as st

TIME = "2026-11-23T06:00:00.000Z"
CAUSES = st.tuples(st.sampled_from("rv"), st.sampled_from("ab"), st.sampled_from("xy"))


def rejected(row: int, *columns: str) -> dict[str, Any]:
    fault = {"stage": "validate", "rule": "enum", "value": "v", "limit": "l", "message": "m"}
    errors = [{**fault, "column": column} for column in columns]
    return {"row": row, "raw": "a,b\n", "key": "k", "errors": errors}


@given(st.lists(st.tuples(CAUSES, st.integers(2, 99)), max_size=30), st.integers(0, 30))
def test_counts_of_parts_are_the_counts_of_the_whole(
    errors: list[tuple[tuple[str, str, str], int]], cut_at: int
) -> None:
    def count(some: list[tuple[tuple[str, str, str], int]]) -> CauseCounts:
        counts = CauseCounts()
        for cause, row in some:
            counts.add(cause, 1, row)
        return counts

    joined = CauseCounts()
    for part in (errors[:cut_at], errors[cut_at:]):
        joined.add_text(count(part).dump())
    assert joined == count(errors)
    assert joined.errors == len(errors)
    for cause, found in joined.by_cause.items():
        assert found.first_row == min(row for other, row in errors if other == cause)


def test_counts_of_very_many_causes_are_cut_and_lose_no_error() -> None:
    columns = [f"column {n:04d}" for n in range(2_000)]
    records = [rejected(2, *columns), rejected(3, "column 1999")]
    text = format_piece(records, chunk=1, attempt=1, time=TIME).causes
    assert len(text.encode()) <= MAX_CAUSES_BYTES + 100
    counts = CauseCounts()
    counts.add_text(text)
    assert counts.errors == 2_001
    assert 0 < counts.others < 2_000
    # The most frequent causes stay.
    assert counts.by_cause["validate", "column 1999", "enum"].number == 2


def test_row_that_is_rejected_without_an_error_is_not_counted() -> None:
    piece = format_piece([rejected(2), rejected(3, "a")], chunk=2, attempt=1, time=TIME)
    assert piece.rows == 1
    assert piece.body.count(b"\r\n") == 1


def test_wide_row_that_breaks_every_rule_stands_in_the_file_once() -> None:
    record = {**rejected(2, *map(str, range(200))), "raw": "x" * 20_000}
    piece = format_piece([record], chunk=1, attempt=1, time=TIME)
    assert piece.body.startswith(HEADER)
    assert len(piece.body) < 2 * 20_000
    assert orjson.loads(piece.causes)["others"] == 0
