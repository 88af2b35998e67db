"""Columns' names: distinct as pandas makes them, and what the job added keeps its own."""

from __future__ import annotations

import csv
import io

import pandas as pd
from hypothesis import example, given
from hypothesis import strategies as st

from batchops.core.column_names import distinct, result_columns

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
