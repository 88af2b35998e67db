"""One base for values that are shown: as text, as HTML in a notebook, as plain values for JSON.

A value lists its blocks once, and each block has both forms, so that text and HTML say the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from batchops.show import markup, terminal

if TYPE_CHECKING:
    import pandas as pd

# Fields that have a shorter name in JSON, where it is clear what the id or the name is of.
_JSON_NAMES = {"job_id": "job", "stack_name": "stack"}


@dataclass(frozen=True)
class Block:
    """A piece of what a value shows, in both forms; an empty form is left out.

    Attributes
    ----------
    text : str
        The lines for a terminal, without the last line break.
    html : str
        The markup, in which every text from data is escaped.
    """

    text: str = ""
    html: str = ""

    @classmethod
    def line(cls, text: object) -> Block:
        """Return a line; in HTML a paragraph."""
        return cls(str(text), markup.paragraph(text))

    @classmethod
    def facts(cls, lines: Iterable[object]) -> Block:
        """Return indented lines; in HTML a list. No lines show nothing."""
        found = [str(line) for line in lines]
        return cls("\n".join(f"  {line}" for line in found), markup.bullets(found))

    @classmethod
    def table(
        cls,
        columns: Sequence[str],
        rows: Iterable[Sequence[object]],
        *,
        lines: Iterable[str] | None = None,
        folded: str = "",
    ) -> Block:
        """Return a table; no rows show nothing.

        Parameters
        ----------
        columns, rows
            The header and the cells.
        lines
            What the text has in place of the table; an empty list for nothing.
        folded
            The summary under which the HTML folds the table; by default it is not folded.
        """
        cells = [[str(cell) for cell in row] for row in rows]
        html = markup.table(columns, cells)
        if lines is None:
            lines = [terminal.text_table(columns, cells)] if cells else []
        return cls("\n".join(lines), markup.folded(folded, html) if folded else html)

    @classmethod
    def value(cls, value: Shown) -> Block:
        """Return all that another value shows."""
        return cls(str(value), value._repr_html_())


class Shown:
    """Base of a value that is shown; a dataclass that lists its blocks in `_blocks`.

    Its JSON has the dataclass's fields, but for those with ``repr=False``, and the properties that
    `_also_in_json` names.
    """

    _also_in_json: ClassVar[tuple[str, ...]] = ()

    def _blocks(self) -> Iterable[Block]:
        """Return what the value shows, from top to bottom."""
        raise NotImplementedError

    def __str__(self) -> str:
        """Return the value as text for a terminal."""
        return "\n".join(block.text for block in self._blocks() if block.text)

    def _repr_html_(self) -> str:
        return "".join(block.html for block in self._blocks())

    def to_dict(self) -> dict[str, Any]:
        """Return the value as JSON knows it: times as ISO 8601, DataFrames as lists of objects."""
        found = _fields(self)
        found |= {name: as_json(getattr(self, name)) for name in self._also_in_json}
        return found


def as_json(value: Any) -> Any:
    """Return a value as JSON knows it, see `Shown.to_dict`.

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
        return {str(name): as_json(item) for name, item in value.items()}
    if isinstance(value, Sequence | set | frozenset) and not isinstance(value, str):
        return [as_json(item) for item in value]
    return _scalar_as_json(value)


def _scalar_as_json(value: Any) -> Any:
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"no JSON for a {type(value).__name__}")


def _fields(value: Any) -> dict[str, Any]:
    shown = [field.name for field in fields(value) if field.repr]
    return {_JSON_NAMES.get(name, name): as_json(getattr(value, name)) for name in shown}


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    # pandas itself writes missing values as null and times as ISO 8601.
    text = frame.to_json(orient="records", date_format="iso", date_unit="ms", index=False)
    records: list[dict[str, Any]] = json.loads(text)
    return records
