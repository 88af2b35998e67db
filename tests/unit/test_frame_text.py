"""Frames of pandas and polars, and Parquet files, as text."""

from __future__ import annotations

import io
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from support import SCHEMA

from batchops.core.errors import InputError
from batchops.planning.frame_text import (
    check_columns,
    frame_text,
    kind_of_frame,
    parquet_text,
)

DAY, MOMENT = datetime(2026, 1, 31), datetime(2026, 1, 31, 10)


class Orders(pd.DataFrame):
    """A frame of somebody's own kind."""


def test_pandas_values_keep_their_text() -> None:
    frame = pd.DataFrame(
        {
            "text": ["007", None],
            "Int64": pd.array([1, None], dtype="Int64"),
            "whole": [1.0, np.nan],
            "float32": np.array([0.1, 3], dtype="float32"),
            "bool": [True, False],
            "day": [DAY, pd.NaT],
            "moment": [DAY, MOMENT],
            7: pd.Categorical(["a", None]),
        }
    )
    found = frame_text(frame)
    assert found.columns == ("text", "Int64", "whole", "float32", "bool", "day", "moment", "7")
    assert list(found.rows) == [
        ("007", "1", "1", "0.1", "True", "2026-01-31", "2026-01-31T00:00:00", "a"),
        ("", "", "", "3", "False", "", "2026-01-31T10:00:00", ""),
    ]


@pytest.mark.parametrize("lazy", [False, True])
def test_polars_and_parquet_values_keep_their_text(lazy: bool) -> None:
    frame = pl.DataFrame(
        {
            "text": ["007", None],
            "whole": [1.0, None],
            "float32": pl.Series([0.1, 3], dtype=pl.Float32),
            "bool": [True, None],
            "day": [DAY, None],
            "moment": [DAY, MOMENT],
        }
    )
    file = io.BytesIO()
    frame.write_parquet(file)
    expected = [
        ("007", "1", "0.1", "true", "2026-01-31", "2026-01-31T00:00:00"),
        ("", "", "3", "", "", "2026-01-31T10:00:00"),
    ]
    assert list(frame_text(frame.lazy() if lazy else frame).rows) == expected
    assert list(parquet_text(file).rows) == expected


def test_rows_of_several_batches_stay_in_order() -> None:
    numbers = [str(n) for n in range(45_000)]
    frame = pd.DataFrame({"n": numbers}, dtype=object)
    assert [row[0] for row in frame_text(frame).rows] == numbers
    assert [row[0] for row in frame_text(pl.from_pandas(frame)).rows] == numbers


def test_frames_are_told_from_what_only_looks_like_one() -> None:
    frames = [pd.DataFrame(), Orders(), pl.DataFrame(), pl.LazyFrame()]
    assert [kind_of_frame(f) for f in frames] == ["pandas", "pandas", "polars", "polars"]
    assert [kind_of_frame(x) for x in ("a.csv", b"", pd.Series(["a"]))] == ["", "", ""]


BAD: dict[str, tuple[Any, str]] = {
    "named index": (pd.DataFrame({"a": [1]}).rename_axis("id"), "index 'id', .*reset_index"),
    "two names of one kind": (pd.DataFrame([[1, 2]], columns=["a", "a"]), "more than one .*'a'"),
    "numbers and texts": (pd.DataFrame([[1, 2]], columns=[7, "7"]), "more than one .*'7'"),
    "levels": (pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")])), "2 levels"),
    "surrogate": (pd.DataFrame({"a": ["b\udc80"]}, dtype=object), "row 1: .*U\\+DC80"),
    "surrogate in a name": (
        pd.DataFrame([[1]], columns=pd.Index(["\ud800"], dtype=object)),
        "lone",
    ),
    "list": (pd.DataFrame({"a": ["x", [1]]}), "the value of 'a' in row 2: it is a list"),
    "polars' list": (pl.DataFrame({"a": [[1]]}), "the value of 'a' in row 1"),
}


@pytest.mark.parametrize(("frame", "reason"), BAD.values(), ids=BAD)
def test_frame_that_a_csv_cannot_hold_is_refused(frame: Any, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        list(frame_text(frame).rows)


def test_numbers_that_may_have_lost_digits_are_noted() -> None:
    frame = pd.DataFrame({"id": [12345678901234567890, np.nan], "n": [1.0, 2.0]})
    assert frame_text(frame).notes == (
        "numbers of 'id' are so large that their last digits may be lost: read the column as text "
        "(dtype=str)",
    )


def test_broken_parquet_file_is_refused() -> None:
    with pytest.raises(InputError, match="Parquet file cannot be read"):
        parquet_text(io.BytesIO(b"PAR1"))


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pl.LazyFrame])
def test_frame_is_told_which_columns_it_lacks(make: Any) -> None:
    check_columns(make({name: [] for name in SCHEMA.columns}), SCHEMA)
    with pytest.raises(
        InputError, match=r"the DataFrame lacks 'uuid', .*: 'UUID' looks like 'uuid'"
    ):
        check_columns(make({"UUID": ["1"]}), SCHEMA)
