"""The HTML form of values: whatever comes from data is escaped here, and only here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from batchops.views.texts import shorten


def paragraph(text: object) -> str:
    """Return a text as a paragraph."""
    return f"<p>{escape(str(text))}</p>"


def bullets(lines: Iterable[object]) -> str:
    """Return lines as a list; no lines give nothing."""
    found = "".join(f"<li>{escape(str(line))}</li>" for line in lines)
    return f"<ul>{found}</ul>" if found else ""


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return rows as a table with a header; no rows give nothing."""
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    lines = ("".join(f"<td>{escape(shorten(str(cell)))}</td>" for cell in row) for row in rows)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    if not body:
        return ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
