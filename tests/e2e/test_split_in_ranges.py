"""A file too large for one call of the split gives what it gives where it is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.jobs import completed, finished, rejected

from batchops.local.engine import LocalEngine
from batchops.samples.sample import Sample
from batchops.stack import Stack

# What is chosen for the sample.
CHUNK_ROWS = 5_000
RANGES = ["Survey each range", "Number the ranges", "Cut each range", "Collect the manifest"]


@pytest.fixture(scope="module")
def ranged(engine: LocalEngine, reference: Path) -> Iterator[Stack]:
    """A stack that splits in ranges what has more than 100,000 bytes, in chunks that fit it."""
    stack = Stack("ranges", engine=engine)
    stack.deploy(reference_data=reference, FileChunkSize=0, SplitRangeBytes=100_000)
    yield stack
    stack.destroy(dry_run=False)


def test_job_split_in_ranges_ends_as_any_other(stack: Stack, ranged: Stack, sample: Sample) -> None:
    # Every range has its quoted fields, with line ends in some of them.
    data = sample.csv
    assert len(data) > 3 * 100_000
    one, many = (finished(each, data, "large.csv") for each in (stack, ranged))
    assert completed(many) == completed(one)
    assert rejected(many) == rejected(one)
    assert many.balance(deep=True).holds
    numbers = ["source_row", "column", "rule", "value"]
    errors = [job.errors()[numbers].sort_values(numbers).values.tolist() for job in (one, many)]
    assert errors[0] == errors[1]
    states = many.steps()["state"].tolist()
    assert [name for name in states if name in RANGES] == RANGES
    assert not set(RANGES).intersection(one.steps()["state"])
    assert RANGES[0] in str(many.graph())
    assert many.entry()["chunkRows"] == ranged.plan(data, name="large.csv").chunk_rows == CHUNK_ROWS
    # Each range ends with a short chunk, and what it holds follows on the one before.
    chunks = many.chunks()
    assert len(chunks) > sample.rows / CHUNK_ROWS
    assert (chunks["rows"] < CHUNK_ROWS).sum() > 1


def test_large_file_that_is_refused_says_why(ranged: Stack, sample: Sample) -> None:
    lines = sample.csv.splitlines(keepends=True)
    data = b"".join(lines) + b'"open\n' + lines[1] * 50
    status = finished(ranged, data, "open.csv", check=False).status()
    assert status.status == "FAILED"
    assert status.reason.startswith(f"UnterminatedQuoteError: the record in row {sample.rows + 2} ")
