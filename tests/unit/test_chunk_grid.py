"""The chunk grid: every chunk in one cell, few cells however many chunks, marks besides colours."""

from __future__ import annotations

import pytest
from batchcore import items, workflow
from hypothesis import given
from hypothesis import strategies as st

from batchops.core.ledger import ChunkEntry
from batchops.inspection.chunk_grid import (
    MAX_CELLS,
    ChunkGrid,
    GridCell,
    cell_size,
    grid_of,
    summarize_chunks,
)
from batchops.inspection.status import JobStatus
from batchops.inspection.tally import ChunkTally

JOB = "orders-0123456789ab"


@given(
    states=st.lists(st.sampled_from("dfrw"), max_size=700),
    max_cells=st.integers(1, 50),
)
def test_every_chunk_is_counted_once_in_the_cell_of_its_number(
    states: list[str], max_cells: int
) -> None:
    numbers = {letter: {n for n, s in enumerate(states, 1) if s == letter} for letter in "frw"}
    grid = summarize_chunks(
        JOB,
        len(states),
        failed=numbers["f"],
        running=numbers["r"],
        waiting=numbers["w"],
        max_cells=max_cells,
    )
    assert len(grid.cells) <= max_cells
    assert [n for c in grid.cells for n in range(c.first, c.last + 1)] == [
        *range(1, len(states) + 1)
    ]
    for cell in grid.cells:
        found = states[cell.first - 1 : cell.last]
        expected = [found.count(letter) for letter in "dfrw"]
        assert [cell.done, cell.failed, cell.running, cell.waiting] == expected
    assert list(grid.failed) == sorted(numbers["f"])


@pytest.mark.parametrize(
    ("chunks", "size"), [(0, 1), (300, 1), (301, 2), (601, 5), (3000, 10), (20_000, 100)]
)
def test_cells_stand_for_round_numbers_of_chunks(chunks: int, size: int) -> None:
    assert cell_size(chunks, max_cells=MAX_CELLS) == size


def test_grid_of_20000_chunks_stays_small_and_names_what_failed() -> None:
    grid = summarize_chunks(
        JOB,
        20_000,
        failed=range(3, 20_000, 7),
        running=range(1, 20_000, 7),
        waiting=range(2, 20_000, 7),
    )
    html = grid._repr_html_()
    assert len(grid.cells) <= MAX_CELLS
    assert len(html) < 100_000
    assert html.count("<span") <= MAX_CELLS
    assert "more" in str(grid)  # not all 2,857 numbers
    assert len(str(grid)) < 2_000


def test_a_cell_is_marked_by_what_asks_for_attention_first() -> None:
    assert GridCell(1, 4, done=2, failed=1, running=1, waiting=0).state == "failed"
    assert GridCell(1, 4, done=2, failed=0, running=1, waiting=1).state == "running"
    assert GridCell(1, 4, done=3, failed=0, running=0, waiting=1).state == "waiting"
    assert str(GridCell(1, 4, 2, 1, 1, 0)) == "chunks 1 to 4: 1 failed, 1 running, 2 done"
    assert str(GridCell(7, 7, 0, 0, 1, 0)) == "chunk 7: running"


def test_states_are_told_in_marks_and_words_as_well_as_colours() -> None:
    grid = summarize_chunks(JOB, 4, failed={2}, running={3}, waiting={4})
    assert str(grid).splitlines() == [
        "4 chunks: 1 failed, 1 running, 1 waiting, 1 done",
        "\N{CHECK MARK}\N{MULTIPLICATION X}\N{BLACK RIGHT-POINTING TRIANGLE}\N{MIDDLE DOT}",
        "failed: 2",
    ]
    html = grid._repr_html_()
    assert 'aria-label="4 chunks: 1 failed, 1 running, 1 waiting, 1 done"' in html
    assert 'title="chunk 2: failed"' in html


def test_one_failed_chunk_of_many_is_wide_enough_to_be_seen() -> None:
    (cell,) = summarize_chunks(JOB, 1000, failed={5}, max_cells=1).cells
    grid = ChunkGrid(JOB, (cell,), (5,))
    assert "#D55E00 0% 75%,#009E73 75% 100%" in grid._repr_html_()


def test_grid_before_the_split_says_so_and_escapes_the_job() -> None:
    grid = grid_of("<b>", JobStatus(workflow.SUBMITTED), None)
    assert str(grid) == "job <b>: no chunks yet"
    assert "><div>job &lt;b&gt;: no chunks yet</div></div>" in grid._repr_html_()


def test_grid_of_a_job_that_succeeded_needs_no_chunks_to_be_read() -> None:
    status = JobStatus(workflow.SUCCEEDED, chunks=3, chunks_done=3)
    assert grid_of(JOB, status, None).chunks_by_state["done"] == 3


def test_grid_knows_chunks_that_have_not_begun_from_those_that_failed() -> None:
    tally = ChunkTally(1)
    tally.take(
        ChunkEntry({"entry": items.chunk_entry(n), "status": status, "attempt": 1, "rows": 1})
        for n, status in [(1, workflow.SUCCEEDED), (2, workflow.FAILED), (4, workflow.RUNNING)]
    )
    grid = grid_of(JOB, JobStatus(workflow.RUNNING, chunks=6), tally)
    assert [cell.state for cell in grid.cells] == [
        "done",
        "failed",
        "waiting",
        "running",
        "waiting",
        "waiting",
    ]
