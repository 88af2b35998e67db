"""The benchmarks' arithmetic, inputs, stand-ins and pages; how fast anything is, is not tested."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from tools.benchmarks import cost, inputs, results
from tools.benchmarks.__main__ import SECTIONS, main
from tools.benchmarks.measure import Spread, growth_exponent
from tools.benchmarks.render import (
    HEADLINES,
    PAGE,
    README,
    marked_sections,
    render_headlines,
    render_page,
    render_table,
)
from tools.benchmarks.results import Goal, Section, Table
from tools.benchmarks.stand_ins import DynamoDbStandIn, S3StandIn
from tools.benchmarks.workloads import sample_workload

TABLE = Table("Speeds", ("step", "MB/s"), (("split", "1|2"), ("merge", "3")), note="Once.")
SECTION = Section(
    name="handlers",
    mode="full",
    machine="2 cores",
    tables=(TABLE,),
    goals=(Goal("split", ">= 2", "1", reached=False), Goal("merge", ">= 2", "3", True)),
    data={"row_us": {"read": 1.5}},
    date="2026-11-23",
)


# ------------------------------------------------------------------------------- numbers


def test_spread_is_the_median_and_the_range() -> None:
    spread = Spread.of([3.0, 1.0, 2.0])
    assert spread == Spread(2.0, 1.0, 3.0, 3)
    assert spread.share == 1.0
    assert spread.text(1) == "2.0 (1.0 to 3.0)"
    assert Spread.of([1234.5]).text(0) == "1,234 (once)"


def test_no_repeats_have_no_spread() -> None:
    with pytest.raises(ValueError, match="no repeats"):
        Spread.of([])


@given(st.floats(0.1, 3), st.floats(0.001, 1000))
def test_exponent_of_a_power_law_is_found(exponent: float, factor: float) -> None:
    sizes = [10.0, 1_000.0, 100_000.0]
    values = [factor * size**exponent for size in sizes]
    assert growth_exponent(sizes, values) == pytest.approx(exponent)


@pytest.mark.parametrize(("sizes", "values"), [([1, 1], [1, 2]), ([1, 2], [0, 1]), ([1], [1])])
def test_exponent_needs_different_positive_sizes(sizes: list[float], values: list[float]) -> None:
    with pytest.raises(ValueError, match="a fit needs"):
        growth_exponent(sizes, values)


# -------------------------------------------------------------------------------- inputs


def parsed(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))


@pytest.mark.parametrize("shape", inputs.SHAPES)
def test_input_has_the_rows_that_are_asked_for(tmp_path: Path, shape: str) -> None:
    path = tmp_path / "input" / "orders.csv"
    assert inputs.write_input(path, shape, rows=70) == 70
    assert len(parsed(path)) == 71


def test_input_is_as_large_as_asked_for_and_at_most_a_row_more(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    rows = inputs.write_input(path, "sample", size_bytes=3_000_000)
    assert len(parsed(path)) == rows + 1
    assert rows > inputs.DISTINCT_ROWS
    assert 3_000_000 <= path.stat().st_size < 3_000_300


def test_shapes_differ_in_quotes_alone() -> None:
    lines = {shape: b"".join(inputs.shape_lines(shape, 500)) for shape in inputs.SHAPES}
    rows = {
        shape: list(csv.reader(io.StringIO(data.decode(), newline="")))
        for shape, data in lines.items()
    }
    assert b'"' in lines["sample"]
    assert b'"' not in lines["plain"]
    assert lines["quoted"].count(b'"') >= 501 * 8 * 2
    assert rows["quoted"] == rows["sample"]
    assert [row[:-1] for row in rows["wide"]] == rows["sample"]


# ----------------------------------------------------------------------------- stand-ins


def test_object_comes_back_whole_in_portions_and_by_range(tmp_path: Path) -> None:
    s3 = S3StandIn(tmp_path)
    s3.put_object(Bucket="b", Key="a/b.csv", Body=b"0123456789")
    assert s3.get_object(Bucket="b", Key="a/b.csv")["Body"].read() == b"0123456789"
    assert list(s3.get_object(Bucket="b", Key="a/b.csv")["Body"].iter_chunks(4)) == [
        b"0123",
        b"4567",
        b"89",
    ]
    part = s3.get_object(Bucket="b", Key="a/b.csv", Range="bytes=2-4")
    assert part["Body"].read() == b"234"
    assert part["ContentRange"] == "bytes 2-4/10"
    assert s3.get_object(Key="a/b.csv", Range="bytes=8-")["Body"].read() == b"89"


def test_upload_in_parts_is_their_bytes_in_order(tmp_path: Path) -> None:
    s3 = S3StandIn(tmp_path)
    s3.put_object(Key="source", Body=b"abcdef")
    upload = s3.create_multipart_upload(Bucket="b", Key="whole")["UploadId"]
    s3.upload_part(UploadId=upload, PartNumber=2, Body=b"two", Key="whole")
    s3.upload_part(UploadId=upload, PartNumber=1, Body=io.BytesIO(b"one"), Key="whole")
    s3.upload_part_copy(
        UploadId=upload,
        PartNumber=3,
        CopySource={"Bucket": "b", "Key": "source"},
        CopySourceRange="bytes=1-3",
    )
    s3.complete_multipart_upload(Key="whole", UploadId=upload)
    assert b"".join(s3.content("whole")) == b"onetwobcd"


def test_file_object_is_uploaded_whole(tmp_path: Path) -> None:
    s3 = S3StandIn(tmp_path)
    for data in (b"", b"x" * 20_000_000):
        s3.upload_fileobj(io.BytesIO(data), "b", "whole")
        assert b"".join(s3.content("whole")) == data


def test_ledger_keeps_what_updates_set_from_one_process_to_the_next(tmp_path: Path) -> None:
    file = tmp_path / "ledger.json"
    tables = DynamoDbStandIn(file)
    key = {"jobId": {"S": "j"}, "entry": {"S": "CHUNK#000001"}}
    tables.update_item(
        TableName="t",
        Key=key,
        UpdateExpression="SET #0 = :0, #1 = :1 REMOVE #2",
        ExpressionAttributeNames={"#0": "attempt", "#1": "status", "#2": "error"},
        ExpressionAttributeValues={":0": {"N": "1"}, ":1": {"S": "DONE"}},
    )
    tables.save()
    again = DynamoDbStandIn(file)
    wanted = {**key, "attempt": {"N": "1"}, "status": {"S": "DONE"}}
    assert again.get_item(TableName="t", Key=key) == {"Item": wanted}
    prefix = {":job": {"S": "j"}, ":prefix": {"S": "CHUNK#"}}
    pages = again.get_paginator("query").paginate(ExpressionAttributeValues=prefix)
    assert [item for page in pages for item in page["Items"]] == [wanted]
    assert again.get_item(TableName="t", Key={"jobId": {"S": "k"}}) == {}


# --------------------------------------------------------------------------------- costs


def test_scaled_workload_is_proportional_to_its_rows() -> None:
    small, large = (sample_workload(rows, 5_000) for rows in (100_000, 10_000_000))
    assert large.chunks == 100 * small.chunks == 2_000
    for name in ("size_bytes", "rejected", "errors", "keys", "output_bytes"):
        assert getattr(large, name) == pytest.approx(100 * getattr(small, name), rel=0.001)


def test_row_by_row_costs_three_transitions_two_calls_and_a_request() -> None:
    # $25 and $0.20 and $3.50 for a million of each.
    assert cost.row_by_row_usd(1_000_000) == pytest.approx(3 * 25 + 2 * 0.20 + 3.50)


def test_slower_functions_cost_more_and_only_on_lambda() -> None:
    work = sample_workload(1_000_000, 5_000)
    usual, slower = cost.chunk_cost(work, {}), cost.chunk_cost(work, {"read": 100.0})
    differing = {k for k, usd in slower.by_service.items() if usd != usual.by_service[k]}
    assert differing == {"Lambda"}
    assert slower.total_usd > usual.total_usd


# ------------------------------------------------------------------------------- results


def test_results_come_back_as_they_were_saved(tmp_path: Path) -> None:
    SECTION.save(tmp_path)
    assert results.load("handlers", tmp_path) == SECTION
    assert results.load("growth", tmp_path) is None


def test_table_is_rendered_with_its_title_and_note() -> None:
    assert render_table(TABLE) == (
        "**Speeds**\n\n| step | MB/s |\n| --- | --- |\n| split | 1\\|2 |\n| merge | 3 |\n\nOnce."
    )


def test_only_what_stands_between_a_sections_markers_is_replaced() -> None:
    page = "Before.\n<!-- bench:handlers -->\nold\n<!-- /bench:handlers -->\nAfter.\n"
    other = "<!-- bench:growth -->\nstays\n<!-- /bench:growth -->\n"
    rendered = render_page(page + other, {"handlers": SECTION})
    assert rendered.startswith(
        "Before.\n<!-- bench:handlers -->\n\nMeasured on 2026-11-23: 2 cores."
    )
    assert "old" not in rendered
    assert "| split | >= 2 | 1 | **no** |" in rendered
    assert "| merge | >= 2 | 3 | yes |" in rendered
    assert rendered.endswith("<!-- /bench:handlers -->\nAfter.\n" + other)
    assert render_page(rendered, {"handlers": SECTION}) == rendered


def test_page_says_when_sizes_were_small() -> None:
    page = "<!-- bench:handlers -->\n<!-- /bench:handlers -->\n"
    quick = Section("handlers", "quick", "2 cores", (), date="2026-11-23")
    assert "mode `quick`" in render_page(page, {"handlers": quick})


def test_readme_says_what_full_runs_found_and_nothing_of_quick_ones() -> None:
    readme = README.read_text(encoding="utf-8")
    assert marked_sections(readme) == [HEADLINES]
    full = Section("cost", "full", "2 cores", (), headline="it is cheap")
    quick = Section("growth", "quick", "2 cores", (), headline="it grows")
    said = render_headlines(readme, [full, quick])
    assert "\nMeasured in one run: it is cheap.\n" in said
    assert render_headlines(said, [quick]) == said


def test_page_has_a_place_for_every_section() -> None:
    assert marked_sections(PAGE.read_text(encoding="utf-8")) == list(SECTIONS)


@pytest.mark.slow
def test_functions_are_measured_in_every_way_that_needs_no_extra(tmp_path: Path) -> None:
    asked = ["--tiny", "--results", str(tmp_path), "handlers"]
    run = CliRunner().invoke(main, asked, catch_exceptions=False)
    assert run.exit_code == 0
    section = results.load("handlers", tmp_path)
    assert section is not None
    measured = {(row[0], row[1]) for row in section.tables[0].rows}
    steps = ("split", "read", "validate", "write", "merge")
    tools = ("batchops", "csv, json, jsonschema", "copying the bytes")
    assert measured == {(step, tool) for step in steps for tool in tools}
    assert set(section.data["row_us"]) == set(steps)
