"""DataFrames in a notebook: left-aligned, with whole texts, and no type below them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from batchops.show import markup

if TYPE_CHECKING:
    import pandas as pd

_STYLE = (
    "<style>.batchops-table table td, .batchops-table table th "
    "{text-align: left !important; vertical-align: top !important; white-space: normal; "
    "overflow-wrap: break-word; "
    "max-width: 28em}</style>"
)


def plain_tables() -> None:
    """Show DataFrames and Series in this notebook left-aligned, and cut no text in them.

    Numbers have no zeros behind the point.

    Without a notebook, nothing happens.
    """
    ipython = sys.modules.get("IPython")  # it is imported in every kernel
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None:
        return
    import pandas as pd

    formatter = shell.display_formatter.formatters["text/html"]
    formatter.for_type(pd.DataFrame, frame_html)
    formatter.for_type(pd.Series, series_html)


def frame_html(frame: pd.DataFrame) -> str:
    """Return a DataFrame as an HTML table; of a long one, pandas shows both ends."""
    import pandas as pd

    with pd.option_context("display.max_colwidth", None, "display.float_format", _number):
        table = frame._repr_html_()  # type: ignore[operator]
    return markup.without_formulas(f'<div class="batchops-table">{_STYLE}{table}</div>')


def _number(value: float) -> str:
    """Return a number with six digits behind the point at most, and no zeros at its end."""
    if (value and abs(value) < 1e-4) or abs(value) >= 1e15:
        return f"{value:.6g}"
    return f"{value:.6f}".rstrip("0").rstrip(".")


def series_html(series: pd.Series[Any]) -> str:
    """Return a Series as an HTML table, with its name above the values."""
    return frame_html(series.to_frame())
