"""The counts of rows that CloudWatch reads from the functions' logs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from batchcore.metrics import publish_rows


@pytest.fixture(autouse=True)
def service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "workshop")


def published(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_first_counts_are_published_in_the_embedded_metric_format(
    capsys: pytest.CaptureFixture[str],
) -> None:
    publish_rows({"rowsOut": 5, "rowsRejected": 2}, {})
    (line,) = published(capsys)
    assert line["_aws"]["CloudWatchMetrics"] == [
        {
            "Namespace": "batchops",
            "Dimensions": [["service"]],
            "Metrics": [
                {"Name": "RowsOut", "Unit": "Count"},
                {"Name": "RowsRejected", "Unit": "Count"},
            ],
        }
    ]
    assert (line["service"], line["RowsOut"], line["RowsRejected"]) == ("workshop", [5.0], [2.0])


def test_rows_that_a_repair_got_through_move_from_rejected_to_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    publish_rows({"rowsOut": 9, "rowsRejected": 1}, {"rowsOut": 7, "rowsRejected": 3})
    (line,) = published(capsys)
    assert (line["RowsOut"], line["RowsRejected"]) == ([2.0], [-2.0])


def test_step_that_is_repeated_counts_nothing_again(capsys: pytest.CaptureFixture[str]) -> None:
    counts = {"rowsIn": 5, "rowsOut": 4, "rowsRejected": 1}
    publish_rows(counts, counts)
    assert published(capsys) == []


def test_what_has_not_changed_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    publish_rows({"rowsOut": 4, "rowsRejected": 0}, {"rowsOut": 3})
    (line,) = published(capsys)
    assert "RowsRejected" not in line
