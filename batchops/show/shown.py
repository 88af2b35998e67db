"""The base of values that are shown: as text, as HTML in a notebook, as plain values for JSON.

A value lists its blocks once; each block has a text and an HTML form, so that both say the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from batchcore.texts import printable, visible

from batchops.show import markup, terminal

if TYPE_CHECKING:
    import pandas as pd

# Fields that have a shorter name in JSON.
_JSON_NAMES = {"job_id": "job", "stack_name": "stack"}


@dataclass(frozen=True)
class Block:
    """A part of what a value shows, in both forms; an empty form is left out.

    Attributes
    ----------
    text : str
        The lines for a terminal, without the last line break.
    html : str
        The markup, in which all text from data is escaped.
    """

    text: str = ""
    html: str = ""

    @classmethod
    def line(cls, text: object) -> Block:
        """Return a line of text, a paragraph in HTML."""
        return cls(printable(str(text)), markup.paragraph(text))

    @classmethod
    def facts(cls, lines: Iterable[object]) -> Block:
        """Return indented lines of text, a list in HTML; without lines an empty block."""
        found = [str(line) for line in lines]
        return cls("\n".join(f"  {printable(line)}" for line in found), markup.bullets(found))

    @classmethod
    def table(
        cls,
        columns: Sequence[str],
        rows: Iterable[Sequence[object]],
        *,
        lines: Iterable[str] | None = None,
        folded: str = "",
    ) -> Block:
        """Return a table; without rows an empty block.

        Parameters
        ----------
        columns, rows
            The header and the cells.
        lines
            The lines of the text form in place of the table; an empty list leaves it out.
        folded
            The summary under which HTML folds the table; by default it is not folded.
        """
        cells = [[str(cell) for cell in row] for row in rows]
        html = markup.table(columns, cells)
        if lines is None:
            lines = (
                [terminal.text_table(columns, cells, width=terminal.width_of_output())]
                if cells
                else []
            )
            text = "\n".join(lines)
        else:
            text = "\n".join(map(printable, lines))
        return cls(text, markup.folded(folded, html) if folded else html)

    @classmethod
    def value(cls, value: Shown) -> Block:
        """Return all that another value shows, as one block."""
        return cls(str(value), value._repr_html_())


class Shown:
    """The base of a value that is shown: a dataclass that lists its blocks in `_blocks`.

    Its JSON has the fields of the dataclass, except those with ``repr=False``, and the properties
    that `_also_in_json` names.
    """

    _also_in_json: ClassVar[tuple[str, ...]] = ()

    def _blocks(self) -> Iterable[Block]:
        """Return the blocks from top to bottom."""
        raise NotImplementedError

    def __str__(self) -> str:
        """Return the value as text for a terminal."""
        return visible("\n".join(block.text for block in self._blocks() if block.text))

    def _repr_html_(self) -> str:
        return markup.without_formulas("".join(block.html for block in self._blocks()))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: times as ISO 8601, DataFrames as lists of objects."""
        found = _fields(self)
        found |= {name: plain_values(getattr(self, name)) for name in self._also_in_json}
        return found


def plain_values(value: Any) -> Any:
    """Return a value as plain values for JSON, see `Shown.to_dict`.

    Raises
    ------
    TypeError
        If JSON has no form for it.
    """
    if hasattr(value, "to_csv"):
        return _records(value)
    if isinstance(value, Shown):
        return value.to_dict()
    if is_dataclass(value) and not isinstance(value, type):
        return _fields(value)
    if isinstance(value, Mapping):
        return {str(name): plain_values(item) for name, item in value.items()}
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, str):
        return [plain_values(item) for item in value]
    return _plain_scalar(value)


def _plain_scalar(value: Any) -> Any:
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"no JSON for a {type(value).__name__}")


def _fields(value: Any) -> dict[str, Any]:
    shown = [field.name for field in fields(value) if field.repr]
    return {_JSON_NAMES.get(name, name): plain_values(getattr(value, name)) for name in shown}


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    # pandas itself writes missing values as null and times as ISO 8601.
    text = frame.to_json(orient="records", date_format="iso", date_unit="ms", index=False)
    records: list[dict[str, Any]] = json.loads(text)
    return records
