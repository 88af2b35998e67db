"""The sizes of inputs, and the repeats of measurements, by mode."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tools.benchmarks.results import FOLDER

MB = 1_000_000


@dataclass(frozen=True)
class Settings:
    """The sizes of one mode.

    Attributes
    ----------
    mode : str
        ``"tiny"`` shows that everything runs, ``"quick"`` takes about a minute, ``"full"`` gives
        the figures of docs/performance.md.
    rounds : int
        Repeats of each measurement that is short enough.
    shapes : tuple of str
        Kinds of files of the section ``handlers``, of `tools.benchmarks.inputs.SHAPES`.
    sizes_bytes : tuple of int
        Files of the section ``handlers``, for the steps that see a whole file.
    row_sizes_bytes : tuple of int
        The same for the steps that see one chunk at a time.
    simple_bytes, frames_bytes : int
        The largest file for the straightforward versions, and for polars and DuckDB.
    per_row_bytes : int
        The largest file that is validated with jsonschema in pure Python.
    chunk_rows : int
        Rows a chunk in the sections ``handlers`` and ``growth``.
    job_rows : tuple of int
        Rows of the jobs of the section ``end-to-end``.
    job_chunk_rows : tuple of int
        Chunk sizes of the smallest of those jobs.
    growth_rows : tuple of int
        Rows of the section ``growth``.
    uploads : int
        Files of the section ``uploads``.
    reference_rows : int
        Reference data that the section ``deployment`` loads.
    listed_jobs : tuple of int
        Jobs in the ledger when they are listed.
    simulated_rows : tuple of int
        Rows of the simulated jobs.
    error_counts : tuple of int
        Errors of the jobs of the section ``errors``.
    many_chunks : int
        Chunks of a job of that section.
    repaired_rows : int
        Rows of the job of that section whose repair is planned.
    alternative_rows : int
        Rows of the section ``alternatives``.
    rejected_rows : int
        Rows of the larger file of the section ``rejects``.
    folder : Path
        The folder of the results.
    """

    mode: str
    rounds: int
    shapes: tuple[str, ...]
    sizes_bytes: tuple[int, ...]
    row_sizes_bytes: tuple[int, ...]
    simple_bytes: int
    frames_bytes: int
    per_row_bytes: int
    chunk_rows: int
    job_rows: tuple[int, ...]
    job_chunk_rows: tuple[int, ...]
    growth_rows: tuple[int, ...]
    uploads: int
    reference_rows: int
    listed_jobs: tuple[int, ...]
    simulated_rows: tuple[int, ...]
    error_counts: tuple[int, ...]
    many_chunks: int
    repaired_rows: int
    alternative_rows: int
    rejected_rows: int
    folder: Path = FOLDER


_SHAPES = ("sample", "plain", "quoted", "wide")
_DECADES = (100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000)

MODES = {
    "tiny": Settings(
        mode="tiny",
        rounds=1,
        shapes=("sample",),
        sizes_bytes=(20_000,),
        row_sizes_bytes=(20_000,),
        simple_bytes=20_000,
        frames_bytes=0,
        per_row_bytes=20_000,
        chunk_rows=100,
        job_rows=(200,),
        job_chunk_rows=(100,),
        growth_rows=(100, 1_000),
        uploads=3,
        reference_rows=300,
        listed_jobs=(2, 20),
        simulated_rows=(10_000,),
        error_counts=(1_000,),
        many_chunks=20,
        repaired_rows=500,
        alternative_rows=500,
        rejected_rows=1000,
    ),
    "quick": Settings(
        mode="quick",
        rounds=3,
        shapes=_SHAPES,
        sizes_bytes=(MB, 10 * MB),
        row_sizes_bytes=(MB,),
        simple_bytes=MB,
        frames_bytes=MB,
        per_row_bytes=MB // 10,
        chunk_rows=5_000,
        job_rows=(10_000,),
        job_chunk_rows=(600, 5_000),
        growth_rows=(1_000, 10_000, 100_000),
        uploads=12,
        reference_rows=5_000,
        listed_jobs=(10, 200),
        simulated_rows=_DECADES[:3],
        error_counts=(100_000,),
        many_chunks=2_000,
        repaired_rows=20_000,
        alternative_rows=10_000,
        rejected_rows=20_000,
    ),
    "full": Settings(
        mode="full",
        rounds=5,
        shapes=_SHAPES,
        sizes_bytes=(MB, 10 * MB, 100 * MB, 1_000 * MB),
        row_sizes_bytes=(MB, 10 * MB, 100 * MB),
        simple_bytes=100 * MB,
        frames_bytes=100 * MB,
        per_row_bytes=MB,
        chunk_rows=5_000,
        job_rows=(10_000, 100_000),
        job_chunk_rows=(600, 2_500, 5_000),
        growth_rows=(10_000, 100_000, 1_000_000),
        uploads=60,
        reference_rows=100_000,
        listed_jobs=(10, 1_000),
        simulated_rows=_DECADES,
        error_counts=(100_000, 1_000_000),
        many_chunks=50_000,
        repaired_rows=81_000,
        alternative_rows=100_000,
        rejected_rows=500_000,
    ),
}
