"""HTML of paragraphs, lists and tables; all text is made one printable line and escaped here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

from batchcore.texts import printable

from batchops.show.terminal import shorten

# An amount, perhaps with its unit: 1,234; $0.0012; <0.1 %; 12 s.
_AMOUNT = re.compile(r"[-<$]*[0-9][0-9.,e-]*( ?[%a-zA-Z]{1,3})?")

_LONGEST_WORD = 40


def without_formulas(html: str) -> str:
    """Return markup in which no notebook takes what stands between two dollar signs for TeX.

    Long words in it are broken rather than cut.
    """
    if not html:
        return ""
    # For MathJax 3, as in JupyterLab, and for MathJax 2.
    names = "mathjax_ignore tex2jax_ignore"
    return f'<div class="{names}" style="overflow-wrap: break-word">{html}</div>'


def one_line(text: object) -> str:
    """Return a text as markup that shows it on one line, whatever is in it."""
    return escape(printable(str(text)))


def paragraph(text: object) -> str:
    """Return a text as a paragraph."""
    return f"<p>{one_line(text)}</p>"


def bullets(lines: Iterable[object]) -> str:
    """Return lines as a list; without lines nothing."""
    found = "".join(f"<li>{one_line(line)}</li>" for line in lines)
    return f"<ul>{found}</ul>" if found else ""


def folded(summary: str, content: str) -> str:
    """Return markup that shows on a click; without content nothing."""
    if not content:
        return ""
    return f"<details><summary>{one_line(summary)}</summary>{content}</details>"


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return rows as a table with a header, amounts to the right; without rows nothing."""
    texts = [[str(cell) for cell in row] for row in rows]
    if not texts:
        return ""
    sides = [_side(column) for column in zip(*texts, strict=True)]
    lines = [
        "".join(_cell("td", text, side) for text, side in zip(row, sides, strict=True))
        for row in texts
    ]
    head = "".join(_cell("th", name, side) for name, side in zip(columns, sides, strict=True))
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _side(column: Iterable[str]) -> str:
    found = [text for text in column if text]
    return "right" if found and all(map(_AMOUNT.fullmatch, found)) else "left"


def _cell(tag: str, text: str, side: str) -> str:
    shown = shorten(text)
    # A longer word, such as an ARN or a path, would make the table wider than the page. Others
    # stay whole, or a narrow column would break them letter by letter.
    long = any(len(word) > _LONGEST_WORD for word in shown.split())
    style = ";overflow-wrap:anywhere;min-width:16em" if long else ""
    # In each cell, because notebooks align all cells to the right.
    return f'<{tag} style="text-align:{side}{style}">{one_line(shown)}</{tag}>'
