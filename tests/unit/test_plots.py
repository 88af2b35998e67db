"""The plots, read back from their Axes."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import support
from batchcore import items, workflow
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch

from batchops.core.errors import InputError
from batchops.core.ledger import ChunkEntry
from batchops.inspection import frames
from batchops.inspection.chunk_grid import ChunkGrid, GridCell
from batchops.plots import axes, data_plots, error_plots, size_plots
from batchops.plots import chunk_plots as plots
from batchops.show.chunk_bars import MAX_BARS, STEP_COLOURS, chunk_bars
from batchops.show.marks import COLOURS, INK_ON, MARKS, mark_html
from batchops.show.stretches import bad_stretches, count_stretches
from batchops.show.timeline import Timeline

if TYPE_CHECKING:
    from matplotlib.axes import Axes

mpl.use("Agg")

SECOND = pd.Timedelta(seconds=1)
BEGIN = pd.Timestamp("2026-11-23T06:00:00Z")


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    import matplotlib.pyplot as plt

    yield
    plt.close("all")


def chunk(number: int, start: float | None, end: float | None, **changed: Any) -> ChunkEntry:
    """Return a chunk's ledger entry; times in seconds."""
    times = {"startTime": start, "endTime": end}
    entry: dict[str, Any] = {
        "entry": items.chunk_entry(number),
        "status": workflow.SUCCEEDED,
        "attempt": 1,
        "stepMs": {"read": 10 * number, "validate": 20, "enrich": 300, "write": 40},
    }
    entry |= {
        name: (BEGIN + value * SECOND).isoformat()
        for name, value in times.items()
        if value is not None
    }
    return ChunkEntry(entry | changed)


def chunks(*entries: ChunkEntry) -> pd.DataFrame:
    return frames.chunks_frame(entries)


def errors(*found: tuple[int, str, str, str]) -> pd.DataFrame:
    """Return errors of (row, column, rule, stage)."""
    return pd.DataFrame(found, columns=["source_row", "column", "rule", "stage"])


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def legend(ax: Axes) -> list[str]:
    shown = ax.get_legend()
    assert shown is not None
    return [text.get_text() for text in shown.get_texts()]


def bars(ax: Axes) -> list[tuple[float, float, float]]:
    """Return (place, from, to) of the horizontal bars, by place."""
    found = [
        (p.get_y() + p.get_height() / 2, p.get_x(), p.get_x() + p.get_width()) for p in rects(ax)
    ]
    return sorted((round(y), round(x, 3), round(end, 3)) for y, x, end in found)


def steps(ax: Axes) -> tuple[Any, Any]:
    """Return values and edges of the line in steps."""
    (line,) = [p for p in ax.patches if isinstance(p, StepPatch) and not p.get_fill()]
    values, edges, _ = line.get_data()
    return values, edges


def rects(ax: Axes) -> list[Any]:
    return [patch for patch in ax.patches if type(patch).__name__ == "Rectangle"]


def valued(*found: tuple[int, str, str, str]) -> pd.DataFrame:
    """Return errors of (row, column, value, stage)."""
    frame = pd.DataFrame(found, columns=["source_row", "column", "value", "stage"])
    return frame.assign(rule="enum")


SALES = pd.DataFrame(
    {"place": ["N", "S", "N", "W"], "kind": ["a", "a", "b", "b"], "money": [5.0, 9.0, 7.0, -2.0]}
)
SIZES = pd.DataFrame(
    {"chunk_rows": [100, 600], "chunks": [6, 1], "usd": [0.02, 0.01], "low_s": 1.0, "high_s": 9.0}
)
SPEEDS = pd.DataFrame({"chunk_rows": [100, 100, 600], "rows_per_s": [20.0, 40.0, 90.0]})
MIXED = chunks(
    chunk(1, 0, 2),
    chunk(2, 1, 4, status=workflow.FAILED, failed_step="Validate Data"),
    chunk(3, 2, None, status=workflow.RUNNING),
)
ALL = {
    "timeline": lambda ax: plots.chunk_timeline(MIXED, ax=ax),
    "concurrency": lambda ax: plots.concurrency(MIXED, ax=ax),
    "durations": lambda ax: plots.step_durations(MIXED, ax=ax),
    "rules": lambda ax: error_plots.errors_by_rule(errors((2, "A", "enum", "read")), ax=ax),
    "position": lambda ax: error_plots.errors_by_position(
        errors((2, "A", "enum", "read")), rows=9, ax=ax
    ),
    "columns": lambda ax: error_plots.errors_by_column(valued((2, "A", "v", "read")), ax=ax),
    "values": lambda ax: error_plots.errors_by_value(valued((2, "A", "v", "read")), ax=ax),
    "planned": lambda ax: size_plots.planned_sizes(SIZES, current=600, suggested=100, ax=ax),
    "measured": lambda ax: size_plots.measured_sizes(SPEEDS, ax=ax),
    "totals": lambda ax: data_plots.plot_totals(SALES, by="place", value="money", ax=ax),
}
NOTHING = {
    "timeline": lambda ax: plots.chunk_timeline(chunks(), ax=ax),
    "concurrency": lambda ax: plots.concurrency(chunks(), ax=ax),
    "durations": lambda ax: plots.step_durations(chunks(), ax=ax),
    "rules": lambda ax: error_plots.errors_by_rule(frames.errors_frame([]), ax=ax),
    "position": lambda ax: error_plots.errors_by_position(frames.errors_frame([]), rows=9, ax=ax),
    "columns": lambda ax: error_plots.errors_by_column(frames.errors_frame([]), ax=ax),
    "values": lambda ax: error_plots.errors_by_value(frames.errors_frame([]), ax=ax),
    "planned": lambda ax: size_plots.planned_sizes(SIZES[:0], current=1, suggested=1, ax=ax),
    "measured": lambda ax: size_plots.measured_sizes(SPEEDS[:0], ax=ax),
    "totals": lambda ax: data_plots.plot_totals(SALES[:0], by="place", value="money", ax=ax),
}


@pytest.mark.parametrize("name", ALL)
def test_every_plot_has_a_title_and_says_what_its_axes_count(name: str) -> None:
    ax = ALL[name](None)
    assert ax.get_title(loc="left")
    assert ax.get_xlabel()
    assert ax.get_ylabel()


@pytest.mark.parametrize("name", ALL)
def test_every_plot_draws_on_the_axes_that_it_is_given_and_opens_no_figure(name: str) -> None:
    import matplotlib.pyplot as plt

    given = Figure().subplots()
    assert ALL[name](given) is given
    assert plt.get_fignums() == []


@pytest.mark.parametrize("name", NOTHING)
def test_nothing_to_draw_is_said_in_words(name: str) -> None:
    ax = NOTHING[name](None)
    (said,) = texts(ax)
    assert said.startswith("no ")
    assert not rects(ax)


# The page's ground and its text in JupyterLab's themes, in that order.
THEMES = {"light": ("#FFFFFF", "#212121"), "dark": ("#111111", "#E0E0E0")}


@pytest.mark.parametrize("name", ALL)
def test_ink_is_the_page_s_in_a_notebook_and_reads_in_both_themes(name: str) -> None:
    figure: Any = ALL[name](None).get_figure()
    drawn = figure._repr_html_()
    tree = ET.fromstring(drawn)
    assert not re.search(r"fill: ?#", " ".join(_texts(tree)))
    assert all(contrast(ink, ground) >= 4.5 for ground, ink in THEMES.values())
    assert "currentColor" in drawn
    assert "<style" not in drawn  # it would hold for the whole page
    assert axes.INK.lower() not in drawn.lower()
    # No ground of its own.
    assert not re.search(r"<rect|fill: #ffffff; stroke: none", drawn.split('id="axes_1"')[0])


def _texts(tree: ET.Element) -> list[str]:
    return [part.get("style", "") for part in tree.iter() if part.tag.endswith("}text")]


@pytest.mark.parametrize("name", ALL)
def test_text_reads_where_a_figure_is_stored(name: str) -> None:
    ax = ALL[name](None)
    figure: Any = ax.get_figure()
    figure.canvas.draw()
    inks: set[Any] = {ax.xaxis.label.get_color(), ax.yaxis.label.get_color()}
    labels = (*ax.get_xticklabels(which="both"), *ax.get_yticklabels(which="both"))
    inks |= {label.get_color() for label in labels if label.get_text()}
    inks |= {text.get_color() for text in ax.texts}
    assert mpl.colors.to_hex(figure.get_facecolor()) == "#ffffff"
    for ink in inks:
        assert contrast(ink, "#FFFFFF") >= 4.5, ink
        # On Axes of somebody else, which may be dark.
        assert contrast(ink, "#000000") >= 4.5, ink


def test_colours_stand_out_from_white_and_from_black() -> None:
    used = {*STEP_COLOURS.values(), *error_plots.STAGE_COLOURS.values()}
    for colour in used.union(axes.PART_COLOURS):
        assert min(contrast(colour, "#FFFFFF"), contrast(colour, "#111111")) > 2.9, colour


@pytest.mark.parametrize("state", sorted(INK_ON))
def test_a_mark_reads_on_the_colour_of_its_state(state: str) -> None:
    assert contrast(INK_ON[state], COLOURS[state]) >= 4.5
    cell = GridCell(1, 1, **{name: int(name == state) for name in ("waiting", *INK_ON)})
    html = ChunkGrid("j", (cell,)).cells_html()
    assert f"color:{INK_ON[state]}" in html
    assert f"background:{COLOURS[state]};color:{INK_ON[state]}" in mark_html(state)


def test_mark_of_what_waits_has_the_ink_of_the_page() -> None:
    assert "color" not in mark_html("waiting")


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours (WCAG 2.2)."""

    def luminance(colour: str) -> float:
        linear = [
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
            for c in mpl.colors.to_rgb(colour)
        ]
        return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", THEMES)
def test_architecture_reads_in_both_themes(theme: str) -> None:
    text = (support.ROOT / "docs" / "architecture.svg").read_text(encoding="utf-8")
    light, dark = re.split(r"@media \(prefers-color-scheme: dark\) \{", text, maxsplit=1)
    rules = re.findall(r"([.\w ,]+)\{([^{}]*)\}", light if theme == "light" else dark)
    fills = {
        name.strip(): found[1]
        for names, body in rules
        for name in names.split(",")
        if (found := re.search(r"fill:(#\w+)", body))
    }
    grounds = [fills.pop(name) for name in (".ground", ".frame rect")]
    boxes = [fills.pop(f".{kind} rect") for kind in ("fn", "st", "sv", "sf")]
    assert fills.keys() == {".t", ".s", ".l", ".f", ".k", ".tip"}
    for name in (".t", ".s"):
        assert all(contrast(fills[name], box) >= 4.5 for box in boxes), name
    for name in (".l", ".f", ".k"):
        assert all(contrast(fills[name], ground) >= 4.5 for ground in grounds), name


# ------------------------------------------------------------------------------- chunks


def stepped(number: int, start: float, *, cold: str = "", **changed: Any) -> ChunkEntry:
    """Return a chunk whose steps began 0.5 s, 1, 2 and 3 s after its start."""
    begun = {"read": 0.5, "validate": 1, "enrich": 2, "write": 3}
    starts = {name: (BEGIN + (start + at) * SECOND).isoformat() for name, at in begun.items()}
    ms = {"read": 500, "validate": 800, "enrich": 1000, "write": 400}
    return chunk(
        number, start, start + 3.4, stepMs=ms, stepStarts=starts, coldSteps=cold, **changed
    )


def kinds(ax: Axes) -> dict[str, list[tuple[float, float, float]]]:
    """Return bars and lines by what the legend calls them."""
    lines = {
        str(each.get_label()).partition(" (")[0]: [
            (round(a[1]), round(a[0], 3), round(b[0], 3)) for a, b in each.get_segments()
        ]
        for each in ax.collections
        if isinstance(each, LineCollection)
    }
    return lines | {
        str(container.get_label()).partition(" (")[0]: [
            (
                round(bar.get_y() + bar.get_height() / 2),
                round(bar.get_x(), 3),
                round(bar.get_x() + bar.get_width(), 3),
            )
            for bar in container
        ]
        for container in ax.containers
    }


def test_timeline_tells_steps_cold_starts_and_waiting_apart() -> None:
    ax = plots.chunk_timeline(chunks(stepped(1, 0, cold="read"), stepped(2, 1)))
    assert kinds(ax) == {
        "waiting for its turn": [(2, 0, 1)],
        "cold start": [(1, 0, 0.5)],
        "between steps": [(1, 1.8, 2), (2, 1, 1.5), (2, 2.8, 3)],
        "read": [(1, 0.5, 1), (2, 1.5, 2)],
        "validate": [(1, 1, 1.8), (2, 2, 2.8)],
        "enrich": [(1, 2, 3), (2, 3, 4)],
        "write": [(1, 3, 3.4), (2, 4, 4.4)],
    }
    assert ax.get_title(loc="left") == "Chunks over time: 2 succeeded"


def test_timeline_of_an_earlier_version_has_the_time_between_steps_in_one() -> None:
    steps = {"read": 500, "validate": 500, "enrich": 500, "write": 500}
    found = kinds(plots.chunk_timeline(chunks(chunk(1, 0, 3, stepMs=steps))))
    assert found == {
        "between steps": [(1, 0, 1)],
        "read": [(1, 1, 1.5)],
        "validate": [(1, 1.5, 2)],
        "enrich": [(1, 2, 2.5)],
        "write": [(1, 2.5, 3)],
    }


def test_timeline_draws_running_chunks_up_to_the_latest_time_known() -> None:
    ax = plots.chunk_timeline(MIXED)
    assert kinds(ax)["running"] == [(3, 2, 4)]
    assert ax.get_title(loc="left") == "Chunks over time: 1 failed, 1 running, 1 succeeded"


def test_timeline_marks_failed_chunks_by_more_than_colour() -> None:
    ax = plots.chunk_timeline(MIXED)
    (mark,) = ax.lines
    assert mark.get_xydata().tolist() == [[4.0, 2.0]]
    hatched = [patch for patch in rects(ax) if patch.get_hatch() == "xxxx"]
    assert len(hatched) == 1


@pytest.mark.parametrize("status", sorted(workflow.ENDED - {workflow.TIMED_OUT}))
def test_plot_and_svg_mark_the_same_chunks(status: str) -> None:
    ended = chunks(chunk(1, 0, 2, status=status))
    marked = bool(plots.chunk_timeline(ended).lines)
    assert marked == (status != workflow.SUCCEEDED)
    assert (f">{MARKS['failed']}</text>" in Timeline.of(ended).to_svg()) == marked


def test_timeline_shows_a_chunk_that_failed_before_it_started() -> None:
    failed = chunk(2, None, 3, status=workflow.FAILED)
    ax = plots.chunk_timeline(chunks(chunk(1, 0, 2), failed))
    (mark,) = ax.lines
    assert mark.get_xydata().tolist() == [[3.0, 2.0]]


@given(
    times=st.lists(
        st.tuples(st.floats(0, 50), st.floats(0, 9), st.lists(st.floats(0, 9), max_size=4)),
        max_size=9,
    ),
    status=st.sampled_from([workflow.SUCCEEDED, workflow.FAILED, workflow.RUNNING, "ABORTED"]),
    cold=st.sampled_from(["", "read", "read write"]),
)
@settings(deadline=None, max_examples=40)
def test_parts_of_a_bar_follow_each_other_whatever_the_clocks_say(
    times: list[tuple[float, float, list[float]]], status: str, cold: str
) -> None:
    names = [step.name for step in workflow.CHUNK_STEPS]
    entries = [
        chunk(
            n,
            start,
            start + took,
            status=status,
            stepMs={name: round(1000 * ms) for name, ms in zip(names, steps, strict=False)},
            stepStarts={
                name: (BEGIN + (start + 2 * ms) * SECOND).isoformat()
                for name, ms in zip(names, steps, strict=False)
            },
            coldSteps=cold,
        )
        for n, (start, took, steps) in enumerate(times, 1)
    ]
    bars = chunk_bars(chunks(*entries))
    assert [bar.chunk for bar in bars] == list(range(1, len(times) + 1))
    for bar in bars:
        at = 0.0
        for span in bar.spans:
            assert span.start_s == at
            assert span.end_s > span.start_s
            at = span.end_s
    ET.fromstring(Timeline.of(chunks(*entries)).to_svg())


def test_one_chunk_is_a_bar_and_not_a_wall() -> None:
    ax = plots.chunk_timeline(chunks(chunk(1, 0, 2)))
    assert abs(np.diff(ax.get_ylim())[0]) > 5
    assert list(ax.get_yticks()) == [1]


def test_timeline_of_many_chunks_is_their_number_in_progress() -> None:
    many = chunks(*(chunk(n, n, n + 2) for n in range(1, MAX_BARS + 2)))
    assert plots.chunk_timeline(many).get_ylabel() == "chunks in progress"
    assert plots.chunk_timeline(many.head(MAX_BARS)).get_ylabel() == "chunk"


def test_concurrency_counts_the_chunks_between_their_start_and_end() -> None:
    ax = plots.concurrency(chunks(chunk(1, 0, 3), chunk(2, 1, 2), chunk(3, 1, 3)))
    values, edges = steps(ax)
    count = dict(zip(np.round((edges[:-1] + edges[1:]) / 2, 3), values, strict=True))
    at = {moment: count[min(count, key=lambda t: abs(t - moment))] for moment in (0.5, 1.5, 2.5)}
    assert at == pytest.approx({0.5: 1, 1.5: 3, 2.5: 2})
    assert legend(ax) == ["in progress (up to 3)"]


def test_concurrency_keeps_the_area_which_is_the_time_of_all_chunks() -> None:
    rng = np.random.default_rng(1)
    starts = rng.uniform(0, 100, 500)
    times = list(zip(starts, starts + rng.exponential(3, 500), strict=True))
    many = chunks(*(chunk(n, *pair) for n, pair in enumerate(times, 1)))
    values, edges = steps(plots.concurrency(many))
    seconds = (many["end"] - many["start"]).dt.total_seconds().sum()
    assert (values * np.diff(edges)).sum() == pytest.approx(seconds)


def test_concurrency_marks_when_chunks_failed() -> None:
    ax = plots.concurrency(MIXED)
    (mark,) = ax.lines
    assert mark.get_xydata().tolist() == [[4.0, 0.0]]
    assert legend(ax)[1] == "failed (1)"


def test_durations_label_each_steps_median() -> None:
    ax = plots.step_durations(chunks(*(chunk(n, 0, 1) for n in (1, 2, 6))))
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["read (3)", "validate (3)", "enrich (3)", "write (3)"]
    assert texts(ax) == ["median 20 ms", "median 20 ms", "median 300 ms", "median 40 ms"]


def test_durations_show_every_chunk_as_long_as_there_are_few() -> None:
    ax = plots.step_durations(chunks(*(chunk(n, 0, 1) for n in (1, 2, 6))))
    points = [
        line for line in ax.lines if line.get_marker() == "." and line.get_linestyle() == "None"
    ]
    assert sorted(points[0].get_xydata()[:, 0]) == [10, 20, 60]
    assert ax.get_xscale() == "linear"


def test_durations_that_lie_far_apart_get_a_logarithmic_scale() -> None:
    slow = chunk(9, 0, 1, stepMs={"read": 90_000, "validate": 0, "enrich": 1, "write": 1})
    ax = plots.step_durations(chunks(*(chunk(n, 0, 1) for n in (1, 2, 3)), slow))
    assert ax.get_xscale() == "symlog"
    assert ax.get_xlim()[0] == 0


def test_durations_do_not_count_waiting_as_a_step() -> None:
    queued = frames.chunks_frame([chunk(1, 5, 6)], job_start=BEGIN.isoformat())
    assert queued["queue_ms"].tolist() == [5_000]
    labels = [label.get_text() for label in plots.step_durations(queued).get_yticklabels()]
    assert labels == ["read (1)", "validate (1)", "enrich (1)", "write (1)"]


def test_durations_leave_out_chunks_that_have_none() -> None:
    failed = chunk(2, 0, 1, status=workflow.FAILED, stepMs={})
    ax = plots.step_durations(chunks(chunk(1, 0, 1), failed))
    assert ax.get_yticklabels()[0].get_text() == "read (1)"


# ------------------------------------------------------------------------------- errors


def test_rules_are_ordered_by_how_often_they_are_broken() -> None:
    ax = error_plots.errors_by_rule(
        errors(
            (2, "A", "enum", "validate"),
            (3, "B", "format", "validate"),
            (4, "B", "format", "validate"),
            (4, "", "fieldCount", "read"),
            (5, "B", "format", "validate"),
            (6, "A", "enum", "validate"),
        )
    )
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["B: format", "A: enum", "(row): fieldCount"]
    assert [end for _, _, end in bars(ax)] == [3, 2, 1]
    assert sorted(texts(ax)) == ["1", "2", "3"]
    assert legend(ax) == ["found by read", "found by validate"]
    assert ax.get_title(loc="left") == "6 errors in 5 rows, by rule"


def test_rules_beyond_the_top_are_counted_together() -> None:
    found = [(n, f"C{n % 9}", "enum", "validate") for n in range(90)]
    ax = error_plots.errors_by_rule(errors(*found), top=4)
    assert len(bars(ax)) == 5
    assert ax.get_yticklabels()[-1].get_text() == "5 other rules"
    assert bars(ax)[-1][2] == 50


def test_odd_names_are_drawn_as_text_on_one_line() -> None:
    odd = ["$price$ \\frac{", "two\n\x00lines", "<b>bold</b>", "x" * 300, "_{^"]
    ax = error_plots.errors_by_rule(errors(*((2, name, "$enum$", "validate") for name in odd)))
    ax.figure.canvas.draw()
    labels = {label.get_text() for label in ax.get_yticklabels()}
    assert "$price$ \\frac{: $enum$" in labels
    assert "two lines: $enum$" in labels
    assert "<b>bold</b>: $enum$" in labels
    assert max(map(len, labels)) == 40


def test_positions_count_each_rejected_row_once() -> None:
    found = [(2, "A", "enum", "read"), (2, "B", "enum", "read"), (101, "A", "enum", "read")]
    ax = error_plots.errors_by_position(errors(*found), rows=100)
    heights = [patch.get_height() for patch in rects(ax)]
    assert (len(heights), heights[0], heights[-1], sum(heights)) == (50, 1, 1, 2)
    assert ax.get_title(loc="left") == "2 of 100 rows rejected, by place in the file"
    assert ax.get_ylabel() == "rejected rows of each 2"
    assert tuple(ax.get_xlim()) == (1.5, 101.5)


def test_positions_reach_rows_that_blank_lines_have_moved_down() -> None:
    ax = error_plots.errors_by_position(errors((12, "A", "enum", "read")), rows=3)
    assert sum(patch.get_height() for patch in rects(ax)) == 1


@pytest.mark.parametrize("count", [1, 2, 49, 50, 51, 999, 1_000_000])
def test_positions_take_every_row_of_any_file_into_one_of_at_most_50_bars(count: int) -> None:
    ax = error_plots.errors_by_position(
        errors((2, "A", "enum", "read"), (count + 1, "A", "enum", "read")), rows=count
    )
    heights = [patch.get_height() for patch in rects(ax)]
    assert len(heights) <= 50
    assert sum(heights) == len({2, count + 1})


def test_positions_say_where_it_is_bad_with_a_count_for_each_stretch() -> None:
    rejected = [*range(2, 5_002, 50), *range(3_003, 3_043)]
    ax = error_plots.errors_by_position(
        errors(*((row, "A", "enum", "read") for row in rejected)), rows=5_000
    )
    title = ax.get_title(loc="left")
    assert title.endswith("by place in the file; rows 3,002 to 3,101: 42 of 100 rejected")
    (bad,) = [patch for patch in rects(ax) if patch.get_hatch()]
    assert (bad.get_x() + 0.5, bad.get_height()) == (3_002, 42)
    assert texts(ax).count("2") == 49
    assert "42" in texts(ax)
    assert legend(ax) == ["usual (49)", "far more than usual (1)"]


def test_stretches_that_follow_each_other_are_one_and_even_files_have_none() -> None:
    rejected = [*range(2, 1_002, 10), *range(203, 255)]
    found = count_stretches(sorted(set(rejected)), rows=1_000)
    assert [str(each) for each in bad_stretches(found)] == ["rows 202 to 261: 53 of 60 rejected"]
    even = count_stretches(range(2, 1_002), rows=1_000)
    assert bad_stretches(even) == []
    assert count_stretches([], rows=0) == []
    assert sum(each.rows for each in count_stretches([7], rows=1_001)) == 1_001


def test_shortened_text_keeps_both_ends() -> None:
    assert axes.fit_label("short") == "short"
    assert axes.fit_label("a" * 30 + "b" * 30, 11) == "aaaaa\N{HORIZONTAL ELLIPSIS}bbbbb"


def test_columns_part_their_errors_by_stage_in_the_order_of_the_stages() -> None:
    ax = error_plots.errors_by_column(
        valued(
            (2, "key", "x", "enrich"),
            (3, "key", "y", "validate"),
            (4, "key", "y", "validate"),
            (5, "", "9", "read"),
        )
    )
    assert [label.get_text() for label in ax.get_yticklabels()] == ["key", "(row)"]
    assert bars(ax) == [(0, 0, 2), (0, 2, 3), (1, 0, 1)]
    assert legend(ax) == ["found by read", "found by validate", "found by enrich"]
    assert sorted(texts(ax)) == ["1", "3"]


def test_values_are_counted_and_the_empty_one_is_named() -> None:
    found = [(2, "A", "$x$", "validate"), (3, "A", "$x$", "validate"), (4, "B", "", "validate")]
    ax = error_plots.errors_by_value(valued(*found))
    ax.figure.canvas.draw()
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["A: $x$", "B: (empty)"]
    assert [end for _, _, end in bars(ax)] == [2, 1]


def test_values_that_look_alike_when_shortened_are_not_added_up() -> None:
    long = "x" * 100
    found = [(2, "A", f"{long}1{long}", "validate"), (3, "A", f"{long}2{long}", "validate")]
    assert len(bars(error_plots.errors_by_value(valued(*found)))) == 2


def test_one_bar_is_a_bar_and_not_a_wall() -> None:
    for ax in (
        error_plots.errors_by_rule(errors((2, "A", "enum", "read"))),
        data_plots.plot_totals(SALES[:1], by="place", value="money"),
    ):
        assert abs(np.diff(ax.get_ylim())[0]) >= 5


# ------------------------------------------------------------------------------- sizes


def lines(ax: Axes) -> dict[str, list[tuple[float, float]]]:
    """Return the points of the lines, by what the legend calls them."""
    return {str(line.get_label()): list(map(tuple, line.get_xydata())) for line in ax.lines}


def test_planned_sizes_lie_between_best_and_worst_and_say_the_cost() -> None:
    ax = size_plots.planned_sizes(SIZES, current=600, suggested=100)
    found = lines(ax)
    assert found["in between, with its cost"] == [(100, 3), (600, 3)]
    assert texts(ax) == ["$0.020", "$0.010"]
    assert [place for place, _ in found["as deployed: 600"]] == [600, 600]
    assert [place for place, _ in found["suggested: 100"]] == [100, 100]


def test_size_that_is_the_suggested_one_already_is_marked_once() -> None:
    found = lines(size_plots.planned_sizes(SIZES, current=600, suggested=600))
    assert "as deployed: 600" in found
    assert not any(name.startswith("suggested") for name in found)


@pytest.mark.parametrize(("current", "sides"), [(120, ["right", "left"]), (600, ["left", "left"])])
def test_no_line_of_a_chunk_size_goes_through_a_cost(current: int, sides: list[str]) -> None:
    ax = size_plots.planned_sizes(SIZES, current=current, suggested=600)
    assert [text.get_horizontalalignment() for text in ax.texts] == sides


def test_sizes_that_were_measured_are_the_ticks_where_they_have_room() -> None:
    assert size_plots.measured_sizes(SPEEDS).get_xticks().tolist() == [100, 600]
    close = SPEEDS.assign(chunk_rows=SPEEDS["chunk_rows"].replace({600: 110}))
    assert 110 not in size_plots.measured_sizes(close).get_xticks()


def test_measured_sizes_show_each_job_and_the_median_of_each_size() -> None:
    found = lines(size_plots.measured_sizes(SPEEDS))
    assert found["a job"] == [(100, 20), (100, 40), (600, 90)]
    assert found["median of a size"] == [(100, 30), (600, 90)]


def test_measured_sizes_show_the_spread_of_those_that_were_repeated() -> None:
    ax = size_plots.measured_sizes(SPEEDS)
    (spread,) = [each for each in ax.collections if isinstance(each, LineCollection)]
    assert [each.tolist() for each in spread.get_segments()] == [[[100, 20], [100, 40]]]
    assert "slowest to fastest" in legend(ax)
    assert ax.get_title(loc="left") == "Speed of jobs by chunk size: 3 jobs, 1 or more of each size"


def test_jobs_of_one_size_still_have_a_number_on_the_scale() -> None:
    ax = size_plots.measured_sizes(SPEEDS[2:])
    ax.figure.canvas.draw()
    low, high = ax.get_xlim()
    assert [tick for tick in ax.get_xticks() if low <= tick <= high]


# ------------------------------------------------------------------------------- the data


def test_totals_add_up_and_the_largest_is_on_top() -> None:
    ax = data_plots.plot_totals(SALES, by="place", value="money", unit="EUR")
    assert [label.get_text() for label in ax.get_yticklabels()] == ["N", "S", "W"]
    assert bars(ax) == [(0, 0, 12), (1, 0, 9), (2, 0, -2)]
    assert ax.get_xlabel() == "money (EUR)"
    assert ax.get_legend() is None


def test_totals_are_parted_and_losses_go_to_the_other_side_of_zero() -> None:
    data = pd.DataFrame({"p": ["N"] * 3, "k": ["a", "b", "c"], "m": [5.0, -3.0, 2.0]})
    ax = data_plots.plot_totals(data, by="p", value="m", split="k")
    assert bars(ax) == [(0, 0, -3), (0, 0, 5), (0, 5, 7)]
    assert legend(ax) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "values",
    [
        pd.array([1.5, None, 2], dtype="Float64"),
        pd.array([1, None, 3], dtype="Int64"),
        [Decimal("1.50"), None, Decimal("2.0")],
    ],
    ids=["Float64", "Int64", "Decimal"],
)
def test_totals_are_drawn_of_the_numbers_that_typed_output_has(values: Any) -> None:
    data = pd.DataFrame({"p": ["a", "a", "b"], "m": values, "k": ["x", "y", "x"]})
    for split in (None, "k"):
        ax = data_plots.plot_totals(data, by="p", value="m", split=split)
        widths = sorted(bar.get_width() for bar in ax.patches if bar.get_width())
        assert widths == sorted(float(value) for value in values if not pd.isna(value))


def test_totals_keep_their_order_if_they_are_not_to_be_sorted() -> None:
    data = pd.DataFrame({"year": [2011, 2010, 2012], "money": [1, 5, 3]})
    ax = data_plots.plot_totals(data, by="year", value="money", sort=False)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["2010", "2011", "2012"]


def test_totals_beyond_the_top_are_added_up() -> None:
    data = pd.DataFrame({"place": list("abcdef"), "money": [6, 5, 4, 3, 2, 1]})
    ax = data_plots.plot_totals(data, by="place", value="money", top=4)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b", "c", "d", "2 others"]
    assert bars(ax)[-1] == (4, 0, 3)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"by": "nowhere", "value": "money"}, "no column 'nowhere': there are place"),
        ({"by": "place", "value": "kind"}, "'kind' has no numbers"),
        ({"by": "kind", "value": "money", "split": "n"}, "'n' has 6 values"),
    ],
)
def test_totals_say_which_column_will_not_do(options: dict[str, str], says: str) -> None:
    data = pd.DataFrame({"place": "N", "kind": "a", "money": 1.0, "n": list("abcdef")})
    with pytest.raises(InputError, match=says):
        data_plots.plot_totals(data, **options)


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (950, "950"), (1_500, "1.5 k"), (-2_500_000, "-2.5 M"), (3e9, "3 G")],
)
def test_large_numbers_fit_below_an_axis(number: float, text: str) -> None:
    assert data_plots.short_number(number) == text
