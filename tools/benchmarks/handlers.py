"""Section ``handlers``: measure each function's own work, beside other ways to do it."""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path

from tools.benchmarks import inputs
from tools.benchmarks.bucket import INPUT_KEY
from tools.benchmarks.child import measure
from tools.benchmarks.handler_lines import STEPS, Line, goals, headline, plain_data
from tools.benchmarks.machine import describe_machine
from tools.benchmarks.results import Section, Table
from tools.benchmarks.settings import MB, Settings

TOOLS = {
    "ours": "batchops",
    "simple": "csv, json, jsonschema",
    "copying": "copying the bytes",
    "polars_steps": "polars",
    "duckdb_steps": "DuckDB",
}


def run(settings: Settings) -> Section:
    """Measure every step of every file."""
    lines: list[Line] = []
    for shape in settings.shapes:
        for size in settings.sizes_bytes:
            steps = _steps(shape, size, settings)
            if steps:
                lines += _measure_file(shape, size, steps, settings)
    return Section(
        name="handlers",
        mode=settings.mode,
        machine=describe_machine(),
        tables=(_tools_table(lines), _sizes_table(lines), _shapes_table(lines)),
        goals=tuple(goals(lines)),
        data=plain_data(lines),
        headline=headline(lines),
    )


def _steps(shape: str, size: int, settings: Settings) -> tuple[str, ...]:
    """Return the steps that are measured for a file.

    Steps that see one chunk at a time do not know how large the file is, so of the largest files
    only wide rows, which are few, go all the way to the merge.
    """
    if shape == "sample" and size in settings.row_sizes_bytes:
        return STEPS
    if shape == "wide":
        largest = size == max(settings.sizes_bytes)
        return STEPS if largest and size not in settings.row_sizes_bytes else ()
    return ("split",)


def _measure_file(shape: str, size: int, steps: tuple[str, ...], settings: Settings) -> list[Line]:
    lines = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = inputs.write_input(folder / INPUT_KEY, shape, size_bytes=size)
        found = (folder / INPUT_KEY).stat().st_size
        for step in steps:
            if step == "write":
                measure("ours", "enrich", folder, rounds=1, chunk_rows=settings.chunk_rows)
            for tool in TOOLS:
                if _is_measured(tool, step, shape, size, settings):
                    measured = measure(
                        tool, step, folder, rounds=settings.rounds, chunk_rows=settings.chunk_rows
                    )
                    lines.append(Line(step, tool, shape, found, rows, measured))
        if shape == "sample":
            measured = measure(
                "copying", "reading", folder, rounds=settings.rounds, chunk_rows=settings.chunk_rows
            )
            lines.append(Line("reading", "copying", shape, found, rows, measured))
    return lines


def _is_measured(tool: str, step: str, shape: str, size: int, settings: Settings) -> bool:
    if tool == "ours":
        return True
    if shape != "sample":
        return False
    if tool == "simple":
        # In pure Python a row takes some 100 microseconds.
        return size <= (settings.per_row_bytes if step == "validate" else settings.simple_bytes)
    if tool == "copying":
        return True
    module = tool.removesuffix("_steps")
    return size <= settings.frames_bytes and importlib.util.find_spec(module) is not None


def _tools_table(lines: list[Line]) -> Table:
    """Tabulate each step by tool, for the largest sample file that the tool was given."""
    rows = []
    for step in STEPS:
        for tool, name in TOOLS.items():
            found = [
                line
                for line in lines
                if (line.step, line.tool, line.shape) == (step, tool, "sample")
            ]
            if found:
                line = max(found, key=lambda line: line.size_bytes)
                ours = next(o for o in lines if o.tool == "ours" and _same_file(o, line))
                rows.append((step, name, *_cells(line), f"{line.row_us / ours.row_us:.1f}"))
    return Table(
        "Each step with other tools, for the largest sample file that each was given",
        (
            "step",
            "with",
            "file",
            "MB/s",
            "rows/s",
            "µs a row",
            "peak memory, MB",
            "time, batchops = 1",
        ),
        tuple(rows),
    )


def _same_file(one: Line, other: Line) -> bool:
    return (one.step, one.shape, one.size_bytes) == (other.step, other.shape, other.size_bytes)


def _sizes_table(lines: list[Line]) -> Table:
    """Tabulate the functions by the size of the file."""
    ours = [line for line in lines if line.tool == "ours" and line.shape in ("sample", "wide")]
    reading = [line for line in lines if line.step == "reading"]
    rows = [
        (line.step, line.shape, *_cells(line))
        for line in sorted(ours, key=lambda line: (STEPS.index(line.step), line.shape))
    ]
    rows += [("reading the bytes once", line.shape, *_cells(line)) for line in reading]
    return Table(
        "The functions by size of the file",
        ("step", "rows", "file", "MB/s", "rows/s", "µs a row", "peak memory, MB"),
        tuple(rows),
    )


def _shapes_table(lines: list[Line]) -> Table:
    found = [line for line in lines if (line.step, line.tool) == ("split", "ours")]
    rows = [(inputs.SHAPES[line.shape], *_cells(line)) for line in found]
    return Table(
        "The split by kind of file",
        ("rows", "file", "MB/s", "rows/s", "µs a row", "peak memory, MB"),
        tuple(rows),
    )


def _cells(line: Line) -> tuple[str, ...]:
    seconds = line.measured.seconds
    megabytes = line.size_bytes / MB
    fastest, slowest = line.size_bytes / seconds.low / MB, line.size_bytes / seconds.high / MB
    spread = f" ({slowest:,.0f} to {fastest:,.0f})" if seconds.repeats > 1 else " (once)"
    return (
        f"{megabytes:,.0f} MB" if megabytes >= 1 else f"{megabytes * 1000:,.0f} kB",
        f"{line.mb_per_s:,.0f}{spread}",
        f"{line.rows / seconds.median:,.0f}",
        f"{line.row_us:.2f}",
        f"{line.memory_mb:.0f}",
    )
