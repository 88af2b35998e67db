"""Values as text: nothing of a value is lost, and nothing is added."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from batchops.core.errors import InputError
from batchops.planning.cell_text import PYTHON_BOOLEANS, cell_text, column_texts

TEXTS: dict[str, tuple[Any, str]] = {
    "text": ("007", "007"),
    "blanks": (" a ", " a "),
    "no value": (None, ""),
    "NaN": (float("nan"), ""),
    "NA": (pd.NA, ""),
    "NaT": (pd.NaT, ""),
    "integer": (12345678901234567890, "12345678901234567890"),
    "whole float": (1.0, "1"),
    "minus zero": (-0.0, "0"),
    "large float": (1e20, "100000000000000000000"),
    "float": (0.1, "0.1"),
    "small float": (1e-7, "0.0000001"),
    "tiny float": (1e-300, "1e-300"),
    "decimal": (Decimal("1.50"), "1.50"),
    "32-bit float": (np.float32(0.1), "0.1"),
    "numpy's integer": (np.int64(7), "7"),
    "numpy's boolean": (np.bool_(True), "true"),
    "boolean": (True, "true"),
    "date": (date(2026, 1, 31), "2026-01-31"),
    "date-time": (datetime(2026, 1, 31, 10, 30), "2026-01-31T10:30:00"),
    "date-time with a zone": (datetime(2026, 1, 31, tzinfo=UTC), "2026-01-31T00:00:00+00:00"),
    "time": (time(9, 5), "09:05:00"),
    "duration": (timedelta(hours=26, seconds=5), "26:00:05"),
    "bytes": ("ä".encode(), "ä"),
}


@pytest.mark.parametrize(("value", "text"), TEXTS.values(), ids=TEXTS)
def test_value_keeps_its_text(value: Any, text: str) -> None:
    assert cell_text(value) == text


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([1], "it is a list"),
        ({"a": 1}, "it is a dict"),
        (np.array([1]), "it is a ndarray"),
        ("a\ud800", r"its character 2 is the lone surrogate U\+D800"),
        (b"\xff", "can't decode"),
    ],
    ids=["list", "dict", "array", "surrogate", "bytes"],
)
def test_value_that_no_field_can_hold_is_refused_with_its_place(value: Any, reason: str) -> None:
    with pytest.raises(InputError, match=rf"the value of 'qty' in row 1,001: .*{reason}"):
        column_texts([value], name="qty", first_row=1001)


def test_booleans_are_called_as_where_they_come_from() -> None:
    assert cell_text(True, booleans=PYTHON_BOOLEANS) == "True"


def test_date_times_of_a_column_that_are_all_at_midnight_are_dates() -> None:
    days = [datetime(2026, 1, 31), None, datetime(2026, 2, 1)]
    assert column_texts(days, name="d") == ["2026-01-31", "", "2026-02-01"]
    mixed = [date(2026, 1, 31), datetime(2026, 2, 1, 12)]
    assert column_texts(mixed, name="d") == ["2026-01-31T00:00:00", "2026-02-01T12:00:00"]


def test_error_of_a_surrogate_can_itself_be_printed() -> None:
    with pytest.raises(InputError) as refused:
        column_texts(["\udcff"], name="a")
    assert re.fullmatch(r"[ -~]+", str(refused.value))
