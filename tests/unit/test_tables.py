"""DataFrames in notebooks: left-aligned, whole and escaped."""

from __future__ import annotations

import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell

import batchops as bo
from batchops.show.tables import frame_html, series_html

LONG = "the value is not one of " + ", ".join(map(str, range(100)))


def test_no_text_is_cut_and_none_is_html() -> None:
    shown = frame_html(pd.DataFrame({"message": [LONG, "<b>no</b>"]}))
    assert LONG in shown
    assert "&lt;b&gt;no" in shown
    assert "text-align: left !important" in shown


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (600.0, "600"),
        (16_777_216.0, "16777216"),
        (1073.7, "1073.7"),
        (0.018, "0.018"),
        (0.1 + 0.2, "0.3"),
        (-0.5, "-0.5"),
        (0.0, "0"),
        (100.0, "100"),
        (0.000039, "3.9e-05"),
        (1e300, "1e+300"),
        (float("inf"), "inf"),
        (float("nan"), "NaN"),
    ],
)
def test_numbers_have_no_zeros_at_their_end(number: float, shown: str) -> None:
    assert f"<td>{shown}</td>" in frame_html(pd.DataFrame({"a": [number, 1.5]}))
    assert f"<td>{shown}</td>" in frame_html(pd.DataFrame({"a": [number, "text"]}))


def test_a_series_is_a_table_without_its_type() -> None:
    shown = series_html(pd.Series([1, 2], name="count"))
    assert "<th>count</th>" in shown
    assert "dtype" not in shown


def test_a_notebook_shows_them_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("IPython.get_ipython", InteractiveShell.instance)
    bo.plain_tables()
    format_one = InteractiveShell.instance().display_formatter.format
    for value in (pd.DataFrame({"a": [1]}), pd.Series([1], name="a")):
        assert "batchops-table" in format_one(value)[0]["text/html"]
    InteractiveShell.clear_instance()


def test_without_a_notebook_nothing_happens() -> None:
    bo.plain_tables()
