"""Errors of two jobs, matched by row or key, column and rule."""

from __future__ import annotations

import pandas as pd
import pytest

from batchops.core.errors import InputError
from batchops.core.ledger import ErrorItem
from batchops.inspection import frames
from batchops.inspection.compare import compare

Spec = tuple[int, str, str, str]


def _errors(*specs: Spec) -> pd.DataFrame:
    """Return errors as `Job.errors` does, from (source row, uuid, column, rule)."""
    return frames.errors_frame(
        ErrorItem(
            {
                "sourceRow": row,
                "uuid": key,
                "column": column,
                "rule": rule,
                "value": "v",
                "message": f"{column} breaks {rule}",
                "limit": "",
                "stage": "validate",
                "raw": "",
                "chunk": 1,
                "attempt": 1,
                "time": "2026-11-23T06:00:00.000Z",
            }
        )
        for row, key, column, rule in specs
    )


def _rows(frame: pd.DataFrame) -> list[tuple[int, str]]:
    return list(zip(frame["source_row"], frame["rule"], strict=True))


BEFORE = _errors((2, "A", "x", "enum"), (2, "A", "y", "format"), (9, "B", "x", "enum"))
AFTER = _errors((9, "B", "x", "enum"), (9, "B", "x", "maxLength"), (12, "C", "", "encoding"))


def test_errors_are_fixed_newly_broken_or_the_same() -> None:
    found = compare(BEFORE, AFTER)
    assert _rows(found.fixed) == [(2, "enum"), (2, "format")]
    assert _rows(found.newly_broken) == [(9, "maxLength"), (12, "encoding")]
    assert _rows(found.same) == [(9, "enum")]


def test_every_error_is_in_exactly_one_part() -> None:
    found = compare(BEFORE, AFTER)
    assert len(found.fixed) + len(found.same) == len(BEFORE)
    assert len(found.newly_broken) + len(found.same) == len(AFTER)


def test_parts_have_the_columns_and_dtypes_of_errors() -> None:
    found = compare(BEFORE, _errors())
    for part in (found.fixed, found.newly_broken, found.same):
        pd.testing.assert_series_equal(part.dtypes, BEFORE.dtypes)


def test_rows_of_other_places_are_matched_by_key() -> None:
    moved = _errors((40, "A", "x", "enum"))
    assert _rows(compare(BEFORE, moved, by="uuid").same) == [(40, "enum")]
    assert _rows(compare(BEFORE, moved).same) == []


def test_rows_are_matched_by_the_key_s_own_name() -> None:
    before, moved = (
        errors.rename(columns={"uuid": "order"})
        for errors in (BEFORE, _errors((40, "A", "x", "enum")))
    )
    found = compare(before, moved, by="order")
    assert (found.by, _rows(found.same)) == ("order", [(40, "enum")])
    assert "rows matched by order" in str(found)
    with pytest.raises(InputError, match="give 'source_row' or 'order'"):
        compare(before, moved, by="uuid")


def test_stacks_may_call_the_key_otherwise() -> None:
    after = _errors((40, "A", "x", "enum")).rename(columns={"uuid": "order"})
    for by in ("uuid", "order"):
        assert _rows(compare(BEFORE, after, by=by).same) == [(40, "enum")]


def test_same_rule_twice_for_one_column_counts_twice() -> None:
    twice = _errors((2, "A", "x", "pattern"), (2, "A", "x", "pattern"))
    found = compare(twice, _errors((2, "A", "x", "pattern")))
    assert (len(found.fixed), len(found.same)) == (1, 1)


def test_rows_without_key_are_matched_as_often_as_they_occur() -> None:
    found = compare(
        _errors((2, "", "x", "enum"), (3, "", "x", "enum")),
        _errors((8, "", "x", "enum")),
        by="uuid",
    )
    assert (len(found.fixed), len(found.same), len(found.newly_broken)) == (1, 1, 0)


def test_errors_of_whole_rows_are_told_as_such() -> None:
    assert '<td style="text-align:left">(row)</td>' in compare(BEFORE, AFTER)._repr_html_()


def test_counts_tell_errors_by_column_and_rule() -> None:
    counts = compare(BEFORE, AFTER).counts()
    assert [tuple(line) for line in counts.itertuples(index=False, name=None)] == [
        ("", "encoding", 0, 1, 0),
        ("x", "enum", 1, 0, 1),
        ("x", "maxLength", 0, 1, 0),
        ("y", "format", 1, 0, 0),
    ]


def test_counts_of_nothing_keep_their_columns() -> None:
    counts = compare(_errors(), _errors()).counts()
    assert counts.empty
    assert list(counts.columns) == ["column", "rule", "fixed", "newly broken", "same"]


def test_text_says_errors_and_rows() -> None:
    text = str(compare(BEFORE, AFTER))
    assert "a against b, rows matched by source_row" in text
    assert "fixed: 2 errors in 1 row\n" in text
    assert "newly broken: 2 errors in 2 rows" in text
    assert "same: 1 error in 1 row" in text


@pytest.mark.parametrize(
    ("a", "b", "by", "message"),
    [
        (BEFORE, AFTER, "row", "matched by 'row'"),
        (BEFORE, 17, "source_row", "b is a int"),
        (pd.DataFrame({"x": [1]}), AFTER, "source_row", "a is a DataFrame"),
    ],
)
def test_what_cannot_be_compared_is_refused(a: object, b: object, by: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        compare(a, b, by=by)  # type: ignore[arg-type]
