"""Columns' names: distinct as pandas makes them, and what the job added keeps its own."""

from __future__ import annotations

import csv
import io
import json

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support import stack_ref

from batchops.core.column_names import distinct, key_column, key_name, result_columns, with_key_name
from batchops.inspection.frames import errors_frame

NAMES = st.lists(
    st.sampled_from(["a", "b", "a.1", "a.2", "a.1.1", "", "Unnamed: 0", "Unnamed: 1", "x y"]),
    min_size=2,
    max_size=7,
)


@given(NAMES)
@example(["a", "a", "a.1", "a"])
@example(["", "Unnamed: 0", ""])
def test_names_are_made_distinct_as_pandas_does(names: list[str]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([names, ["1"] * len(names)])
    found = distinct(names)
    assert found == list(pd.read_csv(io.StringIO(text.getvalue())).columns)
    assert len(set(found)) == len(names)


@given(NAMES)
def test_columns_that_a_job_adds_keep_their_names(uploaded: list[str]) -> None:
    found = result_columns(uploaded, ["a", "b"])
    assert found[-2:] == ["a", "b"]
    assert len(set(found)) == len(found)


def test_columns_of_an_earlier_result_are_told_apart() -> None:
    assert result_columns(["id", "a", "a"], ["a", "b"]) == [
        "id",
        "a (uploaded)",
        "a (uploaded).1",
        "a",
        "b",
    ]


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("order", "order"),
        ("uuid", "uuid"),
        ("Größe ✓", "Größe ✓"),
        ("column", "column (uploaded)"),
        ("source_row", "source_row (uploaded)"),
        ("", "key"),
    ],
)
def test_key_has_the_name_of_its_column(column: str, name: str) -> None:
    stack = stack_ref(outputs={"KeyColumn": json.dumps(column)})
    assert key_name(stack) == name
    found = with_key_name(errors_frame([]), stack)
    assert [*found.columns][7] == name
    assert key_column(found) == key_column(found.assign(note="mine")) == name
    assert found.columns.is_unique


def test_stack_that_does_not_say_its_key_calls_it_as_it_did() -> None:
    assert key_name(stack_ref(outputs={})) == "uuid"
