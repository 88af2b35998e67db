"""Plots of a job's errors, from the DataFrame that ``Job.errors()`` returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchcore import workflow
from batchcore.texts import number_of

from batchops.plots.axes import (
    count_on,
    finish,
    fit_label,
    make_axes,
    say_why_empty,
)
from batchops.show.chunk_bars import STEP_COLOURS
from batchops.show.marks import BLUE, INK, VERMILLION, WHOLE_ROW
from batchops.show.stretches import bad_stretches, count_stretches

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd
    from matplotlib.axes import Axes

    from batchops.show.stretches import Stretch

_STAGES = [step.name for step in workflow.REJECTING_STEPS]
STAGE_COLOURS = {stage: STEP_COLOURS[stage] for stage in _STAGES}

TOP = 15
# Leaves space, so that a single bar does not fill the figure.
_MIN_BAR_PLACES = 5
# Counts of more digits would overlap.
_WIDEST_COUNT = 999


def errors_by_rule(errors: pd.DataFrame, *, ax: Axes | None = None, top: int = TOP) -> Axes:
    """Draw how often each rule of each column is broken, the most frequent at the top.

    Parameters
    ----------
    errors
        As ``Job.errors()`` returns it; the columns source_row, column, rule and stage.
    ax
        The Axes to draw on; by default those of a new figure.
    top
        The most bars; one more bar counts the rest.
    """
    return _bars(
        errors,
        by=("column", "rule"),
        label=lambda column, rule: f"{column or WHOLE_ROW}: {rule}",
        what="rule",
        axis="column: rule",
        ax=ax,
        top=top,
    )


def errors_by_column(errors: pd.DataFrame, *, ax: Axes | None = None, top: int = TOP) -> Axes:
    """Draw how many errors each column has; for the parameters see `errors_by_rule`."""
    return _bars(
        errors,
        by=("column",),
        label=lambda column: column or WHOLE_ROW,
        what="column",
        axis="column",
        ax=ax,
        top=top,
    )


def errors_by_value(errors: pd.DataFrame, *, ax: Axes | None = None, top: int = TOP) -> Axes:
    """Draw which values break rules, the most frequent at the top.

    For the parameters see `errors_by_rule`; `errors` needs the column value, too. A value that
    breaks several rules counts once for each. For an error of the whole row, the value is the
    number of its fields, or empty.
    """
    return _bars(
        errors,
        by=("column", "value"),
        label=lambda column, value: f"{column or WHOLE_ROW}: {value or '(empty)'}",
        what="value",
        axis="column: value",
        ax=ax,
        top=top,
    )


def errors_by_position(errors: pd.DataFrame, *, rows: int, ax: Axes | None = None) -> Axes:
    """Draw how many rows were rejected in each stretch of the file, and where it is bad.

    A stretch is bad if it has far more rejected rows than most; such bars are hatched, and the
    title names the worst one.

    Parameters
    ----------
    errors
        As ``Job.errors()`` returns it; the column source_row.
    rows
        The number of rows of the file, without the header.
    ax
        The Axes to draw on; by default those of a new figure.
    """
    ax = make_axes(ax)
    if errors.empty:
        return say_why_empty(ax, "Rejected rows, by place in the file", "no errors")
    at = errors["source_row"].unique()
    stretches = count_stretches(at.tolist(), rows=rows)
    each = stretches[0].rows
    for bad, name in ((False, "usual"), (True, "far more than usual")):
        found = [stretch for stretch in stretches if stretch.bad == bad]
        if found:
            ax.bar(
                [stretch.first_row - 0.5 for stretch in found],
                [stretch.rejected for stretch in found],
                width=each,
                align="edge",
                color=VERMILLION if bad else BLUE,
                edgecolor="white" if bad else INK,
                hatch="////" if bad else None,
                linewidth=0 if bad else 0.5,
                label=f"{name} ({len(found):,})",
            )
    short = max(stretch.rejected for stretch in stretches) <= _WIDEST_COUNT
    for stretch in stretches:
        if stretch.rejected and (stretch.bad or short):
            _write_count(ax, stretch.first_row - 0.5 + each / 2, stretch)
    ax.set_xlim(1.5, stretches[-1].first_row - 0.5 + each)
    ax.margins(y=0.12)
    ax.set_ylabel("rejected rows" if each == 1 else f"rejected rows of each {each:,}")
    count_on(ax.yaxis)
    title = f"{len(at):,} of {number_of(rows, 'row')} rejected, by place in the file"
    worst = max(bad_stretches(stretches), key=lambda found: found.rejected, default=None)
    if worst is not None:
        title += f"; {worst}"
    x_label = "row of the file (the header is row 1)"
    return finish(ax, title, x_label, legend=worst is not None, counts=True)


def _write_count(ax: Axes, place: float, stretch: Stretch) -> None:
    ax.annotate(
        f"{stretch.rejected:,}",
        (place, stretch.rejected),
        xytext=(0, 2),
        textcoords="offset points",
        ha="center",
        size=9 if stretch.bad else 7,
        weight="bold" if stretch.bad else "normal",
        color=INK,
    )


def _bars(
    errors: pd.DataFrame,
    *,
    by: Sequence[str],
    label: Callable[..., str],
    what: str,
    axis: str,
    ax: Axes | None,
    top: int,
) -> Axes:
    """Draw a bar for each group of errors, with a part for each stage that found errors."""
    ax = make_axes(ax)
    if errors.empty:
        return say_why_empty(ax, f"Errors by {what}", "no errors")
    counts = errors.groupby([*by, "stage"], sort=True).size().unstack(fill_value=0)
    order = counts.sum(axis=1).sort_values(ascending=False, kind="stable").index
    shown, others = counts.loc[order[:top]], counts.loc[order[top:]]
    labels = [fit_label(label(*_parts(group))) for group in shown.index]
    _stack(ax, shown)
    if len(others):
        labels.append(f"{len(others):,} other {what}s")
        total = int(others.to_numpy().sum())
        ax.barh([len(shown)], [total], color=INK, hatch="///", label="all others")
        _write_total(ax, len(shown), total)
    # As text, not as formulas: names may have dollar signs.
    ax.set_yticks(range(len(labels)), labels, parse_math=False)
    ax.set_ylim(max(len(labels), _MIN_BAR_PLACES) - 0.4, -0.6)
    ax.set_ylabel(axis)
    ax.margins(x=0.1)
    rows = errors["source_row"].nunique()
    title = f"{number_of(len(errors), 'error')} in {number_of(rows, 'row')}, by {what}"
    return finish(ax, title, "errors", legend=True, counts=True)


def _stack(ax: Axes, counts: pd.DataFrame) -> None:
    """Draw the counts of the groups, the stages side by side, and write each group's sum."""
    left = counts.sum(axis=1) * 0
    # In bars and legend the stages come in the order in which they check a row.
    others = sorted(set(map(str, counts)) - set(STAGE_COLOURS))
    stages = [*STAGE_COLOURS, *others]
    for stage in [stage for stage in stages if stage in counts and counts[stage].any()]:
        found = counts[stage] > 0
        places = [place for place, some in enumerate(found) if some]
        ax.barh(
            places,
            counts[stage][found],
            left=left[found],
            color=STAGE_COLOURS.get(stage, INK),
            label=f"found by {fit_label(stage)}",
        )
        left += counts[stage]
    for place, total in enumerate(left):
        _write_total(ax, place, int(total))


def _write_total(ax: Axes, place: int, total: int) -> None:
    ax.annotate(
        f"{total:,}",
        (total, place),
        xytext=(3, 0),
        textcoords="offset points",
        va="center",
        color=INK,
    )


def _parts(group: Any) -> tuple[str, ...]:
    return group if isinstance(group, tuple) else (group,)
