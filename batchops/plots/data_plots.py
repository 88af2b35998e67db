"""Plots of the data itself, whatever its columns are called."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

from batchcore.texts import number_of

from batchops.core.errors import InputError
from batchops.plots.axes import PART_COLOURS, finish, fit_label, make_axes, say_why_empty
from batchops.show.marks import INK

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_MAX_PARTS = len(PART_COLOURS)
# Leaves space, so that a single bar does not fill the figure.
_MIN_BAR_PLACES = 5
_HATCHES = ("", "///", "...", "xxx", "ooo")


def plot_totals(
    data: pd.DataFrame,
    *,
    by: str,
    value: str,
    split: str | None = None,
    unit: str = "",
    sort: bool = True,
    top: int = 15,
    ax: Axes | None = None,
) -> Axes:
    """Draw the sum of one column for each value of another, such as the profit of each region.

    Parameters
    ----------
    data
        The rows, such as ``job.output(typed=True)``.
    by, value
        The column to group by, and the column of numbers to add up.
    split
        A column with at most five values, which divides each bar.
    unit
        The unit of `value`, for the axis.
    sort
        Put the largest sum at the top; otherwise keep the order of the groups.
    top
        The most bars; one more bar has the sum of the rest.
    ax
        The Axes to draw on; by default those of a new figure.

    Raises
    ------
    InputError
        If there is no such column, `value` has no numbers, or `split` has too many values.
    """
    import pandas as pd

    data = _check(data, by, value, split)
    ax, title = make_axes(ax), fit_label(f"{value} by {by}", 80)
    if data.empty:
        return say_why_empty(ax, title, "no rows")
    parts = data.groupby([by, split] if split else [by])[value].sum()
    table = parts.unstack(fill_value=0) if split else parts.to_frame()
    if sort:
        table = table.loc[table.sum(axis=1).sort_values(ascending=False, kind="stable").index]
    labels = [fit_label(str(name)) for name in table.index[:top]]
    if len(table) > top:
        labels.append(number_of(len(table) - top, "other"))
        rest = table.iloc[top:].sum().to_frame().T
        table = pd.concat([table.iloc[:top], rest])
    _stack(ax, table, labelled=split is not None)
    ax.set_yticks(range(len(labels)), labels, parse_math=False)
    ax.set_ylim(max(len(labels), _MIN_BAR_PLACES) - 0.4, -0.6)
    ax.set_ylabel(fit_label(by), parse_math=False)
    ax.axvline(0, color=INK, linewidth=0.8)
    ax.xaxis.set_major_formatter(short_number)
    finish(ax, title, fit_label(f"{value} ({unit})" if unit else value), legend=split is not None)
    return ax


def _check(data: pd.DataFrame, by: str, value: str, split: str | None) -> pd.DataFrame:
    """Return the data with the values to add up as numbers that can be drawn."""
    for name in filter(None, (by, value, split)):
        if name not in data.columns:
            raise InputError(f"there is no column {name!r}: there are {', '.join(data.columns)}")
    if data[value].map(type).isin([Decimal, type(None)]).all():
        data = data.assign(**{value: data[value].astype("float64")})
    if data[value].dtype.kind not in "iuf":
        raise InputError(
            f"{value!r} has no numbers but {data[value].dtype}: use job.output(typed=True)"
        )
    if split and data[split].nunique() > _MAX_PARTS:
        raise InputError(
            f"{split!r} has {number_of(data[split].nunique(), 'value')}, and {_MAX_PARTS} colours "
            "can be told apart: split by another column"
        )
    return data


def _stack(ax: Axes, table: pd.DataFrame, *, labelled: bool) -> None:
    """Draw the parts side by side; gains to the right of zero, losses to the left."""
    right = left = table.sum(axis=1).to_numpy() * 0.0
    for place, name in enumerate(table):
        sums = table[name].to_numpy(dtype="float64")
        ax.barh(
            range(len(table)),
            sums,
            left=[r if s >= 0 else a for s, r, a in zip(sums, right, left, strict=True)],
            color=PART_COLOURS[place],
            hatch=_HATCHES[place],  # colour is not enough
            edgecolor="#FFFFFF",
            linewidth=0,
            # Matplotlib gives no place in the legend to what begins with an underscore.
            label=re.sub("^_", " _", fit_label(str(name))) if labelled else None,
        )
        right, left = right + sums.clip(min=0), left + sums.clip(max=0)


def short_number(number: float, _place: object = None) -> str:
    """Return a number short enough for an axis: 1,250,000 as ``1.25 M``."""
    for size, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(number) >= size:
            return f"{number / size:,.6g}{letter}"
    return f"{number:,.6g}"
