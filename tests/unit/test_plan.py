"""Plans: what one pass over a file finds, and what they say of it."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from batchcore.csvtext import MAX_CHUNK_BYTES
from batchcore.sizing import HEAD_BYTES, LEAST_ROWS, choose_chunk_rows
from hypothesis import given, settings
from hypothesis import strategies as st
from support import HEADER, SCHEMA, row

from batchops.core.errors import InputError
from batchops.deployment.settings import shipped_settings
from batchops.planning.plan import Plan
from batchops.planning.planner import plan_file
from batchops.planning.scan import write_units
from batchops.samples.sample import make_sample
from batchops.samples.sample_orders import key_at

SAMPLE = make_sample(3_000, bad_share=0.1)
GOOD = HEADER + row() + row("314159265")


def plan(source: Any, *, chunk_rows: int = 600, delimiter: str = ",", **options: Any) -> Plan:
    settings = replace(shipped_settings(), delimiter=delimiter, chunk_rows=chunk_rows)
    return plan_file(source, schema=SCHEMA, settings=settings, **options)


# ------------------------------------------------------------------------------- counts


def test_rows_chunks_and_columns_are_counted() -> None:
    found = plan(SAMPLE.csv)
    assert (found.rows, found.chunks, found.size_bytes) == (3_000, 5, len(SAMPLE.csv))
    assert found.columns == SCHEMA.columns
    assert (found.missing, found.extra, found.blank_lines) == ((), (), 0)
    assert found.can_succeed
    assert found.refusal is None


def expected_rules(*, stages: set[str]) -> dict[tuple[str, str, str], tuple[int, int]]:
    """Return how many rows of the sample break each rule, and the first of them."""
    broken = [v for v in SAMPLE.bad if v.stage in stages]
    counts = Counter((v.stage, v.column, v.rule) for v in broken)
    first = {
        rule: min(v.source_row for v in broken if (v.stage, v.column, v.rule) == rule)
        for rule in counts
    }
    return {rule: (counts[rule], first[rule]) for rule in counts}


def rules(found: Plan) -> dict[tuple[str, str, str], tuple[int, int]]:
    return {(r.stage, r.column, r.rule): (r.rows, r.source_row) for r in found.rules}


def test_rows_that_would_be_rejected_are_the_samples_bad_ones_by_rule() -> None:
    found = plan(SAMPLE.csv)
    assert rules(found) == expected_rules(stages={"read", "validate"})
    assert [rule.rows for rule in found.rules] == sorted(
        (r.rows for r in found.rules), reverse=True
    )
    known_later = {v.source_row for v in SAMPLE.bad if v.stage == "enrich"}
    assert found.rejected == len(set(SAMPLE.bad_rows) - known_later)
    assert not found.keys_checked
    assert "keys not looked up" in str(found)


def test_unknown_keys_are_found_if_they_can_be_looked_up() -> None:
    reference = {key_at(place) for place in range(SAMPLE.rows)}
    asked: list[int] = []

    def known(keys: Any) -> set[str]:
        asked.append(len(keys))
        return reference & set(keys)

    found = plan(SAMPLE.csv, known_keys=known)
    assert rules(found) == expected_rules(stages={"read", "validate", "enrich"})
    assert (found.rejected, found.errors) == (len(SAMPLE.bad_rows), len(SAMPLE.bad))
    assert found.keys_checked
    assert len(asked) == found.chunks
    assert max(asked) <= 600


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 700))
def test_findings_do_not_depend_on_the_chunk_size(chunk_rows: int) -> None:
    found = plan(SAMPLE.csv[:20_000].rsplit(b"\n", 1)[0], chunk_rows=chunk_rows)
    whole = plan(SAMPLE.csv[:20_000].rsplit(b"\n", 1)[0], chunk_rows=20_000)
    assert found.rules == whole.rules
    assert (found.rows, found.rejected, found.errors) == (whole.rows, whole.rejected, whole.errors)
    assert found.chunks == -(-found.rows // chunk_rows)


def test_chunk_size_that_is_left_to_the_file_is_the_splits() -> None:
    head = SAMPLE.csv[:HEAD_BYTES]
    fitting = choose_chunk_rows(len(SAMPLE.csv), head, delimiter=",")
    found = plan(SAMPLE.csv, chunk_rows=0)
    assert found.chunk_rows == fitting == LEAST_ROWS
    assert found == plan(SAMPLE.csv, chunk_rows=fitting)
    # Also of a file that is read from a place behind its beginning.
    file = io.BytesIO(b"passed over" + SAMPLE.csv)
    file.seek(len(b"passed over"))
    assert plan(file, chunk_rows=0, name=found.name) == found


def test_chunk_size_cannot_be_left_to_a_stream_of_unknown_size() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    with pytest.raises(InputError, match="give its path"):
        plan(Pipe(GOOD), chunk_rows=0)


def test_row_that_breaks_several_rules_is_one_row_with_several_errors() -> None:
    bad = row(Country="", Region="x" * 101, **{"Order Date": "soon"})
    found = plan(HEADER + bad + row())
    assert (found.rejected, found.errors, len(found.rules)) == (1, 3, 3)
    assert {rule.source_row for rule in found.rules} == {2}
    assert "Country is empty" in {rule.message for rule in found.rules}


def test_blank_lines_before_the_last_row_are_counted() -> None:
    found = plan(HEADER + b"\n" + row() + b"\r\n\n" + row() + b"\n\n")
    assert (found.rows, found.blank_lines) == (2, 3)
    assert "3 blank lines" in str(found)
    assert plan(b"\n\n" + GOOD).blank_lines == 2


def test_chunks_end_early_where_their_bytes_are_full() -> None:
    note = b"x" * 6_000_000
    data = HEADER.replace(b"\n", b",note\n") + (row()[:-1] + b"," + note + b"\n") * 4
    found = plan(data)
    assert found.chunks == 2
    assert found.extra == ("note",)
    (size,) = [limit for limit in found.limits if limit.name == "chunk size"]
    assert size.value > MAX_CHUNK_BYTES
    assert found.can_succeed
    assert any("chunk size" in warning for warning in found.warnings)


def test_write_units_of_an_item_are_its_kilobytes() -> None:
    assert write_units({"a": "x"}) == 1
    assert write_units({"raw": "x" * 1_021}) == 1
    assert write_units({"raw": "x" * 1_022}) == 2
    assert write_units({"raw": "x" * 1_016, "row": 123}) == 2
    assert write_units({"raw": "é" * 1_000}) == 2


def test_errors_of_long_rows_take_more_write_units() -> None:
    data = HEADER.replace(b"\n", b",note\n") + row(Country="")[:-1] + b"," + b"x" * 5_000 + b"\n"
    lines = {line.what: line.quantity for line in _cost_lines(plan(data))}
    short = {line.what: line.quantity for line in _cost_lines(plan(HEADER + row(Country="")))}
    assert lines["write units"] - short["write units"] == 5


def _cost_lines(found: Plan) -> Any:
    assert found.cost is not None
    return found.cost.lines


# ------------------------------------------------------------------------------ sources


def test_path_bytes_frame_and_open_file_give_the_same_plan(tmp_path: Path) -> None:
    path = tmp_path / "upload.csv"
    path.write_bytes(GOOD)
    frame = pd.read_csv(path, dtype=str)
    file = io.BytesIO(GOOD)
    plans = [plan(path), plan(str(path)), plan(GOOD), plan(frame), plan(file)]
    assert all(found == plans[0] for found in plans)
    assert not file.closed


def test_frame_with_a_column_called_read_is_a_frame() -> None:
    frame = pd.read_csv(io.BytesIO(GOOD), dtype=str).assign(read="x")
    assert plan(frame).extra == ("read",)


def test_frame_without_a_column_is_refused_as_a_frame() -> None:
    frame = pd.DataFrame([["1"]], columns=["UUID"])
    found = plan(frame)
    assert found.refusal is not None
    assert found.refusal.message.startswith("the DataFrame lacks 'uuid', 'Country', ")
    assert "'UUID' looks like 'uuid'" in found.refusal.message


def test_plan_of_a_packed_file_counts_what_is_in_it() -> None:
    packed = gzip.compress(SAMPLE.csv)
    plain, found = plan(SAMPLE.csv), plan(packed, name="orders.csv.gz")
    assert (found.size_bytes, found.name) == (len(packed), "orders.csv.gz")
    assert (found.rows, found.chunks, found.rules) == (plain.rows, plain.chunks, plain.rules)
    sizes = [(option.chunk_rows, option.chunks) for option in plain.options]
    assert [(option.chunk_rows, option.chunks) for option in found.options] == sizes
    assert found.notes == ("gzip: the split unpacks it in one pass",)
    assert "read: gzip" in str(found)
    cut_off = plan(packed[:-20], name="orders.csv.gz")
    assert cut_off.obstacles[0].startswith("GzipError: the gzip file ends in the middle")


def test_delimiter_that_the_header_fits_is_taken_and_said() -> None:
    found = plan(SAMPLE.csv.replace(b",", b";").replace(b'"', b""))
    assert found.columns == SCHEMA.columns
    assert found.can_succeed
    assert found.notes == ("delimited by ';': the job takes that instead of the stack's ','",)


def test_name_is_the_files_unless_another_is_given(tmp_path: Path) -> None:
    path = tmp_path / "orders 2026.csv"
    path.write_bytes(GOOD)
    assert plan(path).name == "orders 2026.csv"
    assert plan(path, name="a/b.csv").name == "a/b.csv"
    assert plan(GOOD).name == "upload.csv"


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file"):
        plan(tmp_path / "none.csv")
    with pytest.raises(InputError, match="binary mode"):
        plan(io.StringIO("a"))
    with pytest.raises(InputError, match="cannot upload a int"):
        plan(7)


class LongFile(io.RawIOBase):
    """A file of rows of two kilobytes that is nowhere whole."""

    header = HEADER.replace(b"\n", b",note\n")
    line = row()[:-1] + b"," + b"x" * 2_000 + b"\n"

    def __init__(self, rows: int) -> None:
        self._head, self._rows = self.header, rows

    def read(self, size: int = -1) -> bytes:
        lines = min(self._rows, size // len(self.line))
        self._rows -= lines
        head, self._head = self._head, b""
        return bytes(head + self.line * lines)


def peak_bytes(rows: int) -> int:
    tracemalloc.start()
    try:
        assert plan(LongFile(rows)).rows == rows
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_file() -> None:
    plan(GOOD)
    small, large = peak_bytes(3_500), peak_bytes(14_000)
    # The larger has some twenty megabytes more.
    assert large - small < 1_000_000
    assert large < 14_000 * len(LongFile.line) / 2


# ----------------------------------------------------------------------------- refusals

REFUSED = {
    "empty": (b"", "EmptyFileError", "0 bytes"),
    "blank lines": (b"\n\r\n\n", "EmptyFileError", "blank lines"),
    "header only": (HEADER, "NoRowsError", "no rows"),
    "archive": (b"PK\x03\x04" + bytes(range(256)) * 8, "NotTextError", "not text"),
    "UTF-16": (GOOD.decode().encode("utf-16"), "Utf16Error", "UTF-16"),
    "no header": (row() + row(), "NoHeaderError", "looks like data"),
    "delimiter": (
        GOOD.replace(b",Region", b"", 1).replace(b",", b";"),
        "WrongDelimiterError",
        "looks delimited by ';' instead of ',', but then it lacks 'Region'",
    ),
    "column missing": (GOOD.replace(b"Region,", b"Area,", 1), "MissingColumnsError", "'Region'"),
    "column twice": (
        GOOD.replace(b"Ship Date", b"Ship Date,Region", 1),
        "DuplicateColumnsError",
        "'Region'",
    ),
    "open quote": (GOOD + b'"' + row(), "UnterminatedQuoteError", "row 4"),
    "long record": (GOOD + b'"' + b"x\n" * 10_000_000, "RecordTooLongError", "row 4"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_file_that_would_be_refused_is_said_to_be_and_why(name: str) -> None:
    data, error, text = REFUSED[name]
    found = plan(data)
    assert found.refusal is not None
    assert found.refusal.error == error
    assert text in found.refusal.message
    assert not found.can_succeed
    assert found.size_bytes == len(data)
    assert (found.cost, found.duration, found.limits) == (None, None, ())
    if name == "column missing":
        assert (found.missing, found.extra) == (("Region",), ("Area",))
    assert f"CANNOT SUCCEED: {error}" in str(found)
    assert error in found._repr_html_()
    assert json.loads(json.dumps(found.to_dict()))["refusal"]["error"] == error


def test_first_row_that_is_data_is_not_repeated() -> None:
    found = plan(row(Country="Ruritania") + row())
    assert found.columns == ()
    assert "Ruritania" not in str(found) + found._repr_html_() + json.dumps(found.to_dict())


@pytest.mark.slow
def test_file_of_too_many_chunks_is_refused_and_told_of_a_size_that_suits() -> None:
    found = plan(HEADER + row() * 80_001, chunk_rows=1)
    assert found.refusal is not None
    assert found.refusal.error == "TooManyChunksError"
    assert found.chunks == 80_001
    assert found.suggested_chunk_rows > 1
    assert found.rows // found.suggested_chunk_rows < 1_000
    assert any(f"FileChunkSize={found.suggested_chunk_rows} " in line for line in found.warnings)


# -------------------------------------------------------------------------------- views


def test_text_is_about_a_dozen_lines_and_says_what_it_rests_on() -> None:
    text = str(plan(SAMPLE.csv))
    assert len(text.splitlines()) <= 15
    assert "3,000 rows" in text
    assert "estimate, us-east-1 prices of 2026-05" in text
    assert "time on AWS: " in text
    assert "not measured there" in text
    assert "nearest limits: " in text


def test_control_characters_of_a_name_are_shown_and_not_sent() -> None:
    assert "\x1b" not in str(plan(GOOD, name="a\x1b[31m.csv"))


def test_dict_has_its_keys_for_every_plan() -> None:
    keys = set(plan(GOOD).to_dict())
    assert keys == set(plan(b"").to_dict())
    assert {"rows", "rules", "limits", "cost", "duration", "can_succeed", "basis"} <= keys
    found = json.loads(json.dumps(plan(SAMPLE.csv).to_dict()))
    assert found["limits"][0].keys() >= {"name", "value", "limit", "share", "says", "fatal"}
    assert found["rules"][0].keys() >= {"stage", "column", "rule", "rows", "source_row"}


def test_file_that_is_mostly_bad_is_warned_of() -> None:
    found = plan(HEADER + row(Country="") * 3 + row())
    assert any("75 % of the rows would be rejected" in warning for warning in found.warnings)


def test_saving_by_another_chunk_size_is_told_where_it_is_worth_it() -> None:
    large = plan(HEADER + row() * 40_000, chunk_rows=100)
    assert any("FileChunkSize=" in warning for warning in large.warnings)
    assert large.can_succeed
    assert plan(GOOD).warnings == ()


def test_chunk_size_that_the_template_refuses_cannot_succeed() -> None:
    found = plan(GOOD, chunk_rows=20_001)
    assert not found.can_succeed
    assert "rows a chunk" in found.obstacles[0]
    assert plan(GOOD, chunk_rows=20_000).can_succeed
