"""An error of a rejected row, and which errors to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from batchcore import items
from batchcore.error_files import COLUMNS

from batchops.core.errors import InputError

_DTYPES = {
    "source_row": "int64",
    "chunk": "int64",
    "attempt": "int64",
    "time": "datetime64[ms, UTC]",
}
# The columns of the errors' DataFrame, each with the item's attribute and the dtype. A new
# attribute is set by `batchcore.records.reject` and listed in `batchcore.error_files`; earlier
# items lack it.
ERROR_COLUMNS = {name: (attribute, _DTYPES.get(name, "str")) for name, attribute in COLUMNS.items()}


@dataclass(frozen=True)
class ErrorItem:
    """One rule that one row breaks.

    Attributes
    ----------
    item : mapping
        The error's attributes by their names in the table, see `ERROR_COLUMNS`.
    """

    item: Mapping[str, Any]

    @classmethod
    def of_line(cls, values: Sequence[str]) -> ErrorItem:
        """Return the error that a line of the errors' file describes."""
        item: dict[str, str | int] = dict(zip(COLUMNS.values(), values, strict=True))
        return cls(item | {name: int(item[name]) for name in ("sourceRow", "chunk", "attempt")})

    @property
    def error_id(self) -> str:
        """The sort key: row, column and rule."""
        return str(self.item["errorId"])

    @property
    def source_row(self) -> int:
        """The row in the uploaded file, the header being row 1."""
        return int(self.item["sourceRow"])

    @property
    def stage(self) -> str:
        """The step that found it."""
        return str(self.item["stage"])

    @property
    def column(self) -> str:
        """The column; empty for the row as a whole."""
        return str(self.item["column"])

    @property
    def rule(self) -> str:
        """The rule."""
        return str(self.item["rule"])

    @property
    def value(self) -> str:
        """The value that breaks it."""
        return str(self.item["value"])

    @property
    def raw(self) -> str:
        """The row's text; in the errors' file only the row's first error has it."""
        return str(self.item.get("raw", ""))


@dataclass(frozen=True)
class ErrorFilter:
    """Which errors to read; a criterion that is None selects all.

    Attributes
    ----------
    first_row, last_row : int or None
        Rows of the uploaded file, both inclusive, the header being row 1. Only this criterion saves
        reads; the others are applied to what was read.
    column, rule, stage : str or None
        Exactly as in `Job.errors`.
    chunk : int or None
        The chunk's number.
    """

    first_row: int | None = None
    last_row: int | None = None
    column: str | None = None
    rule: str | None = None
    stage: str | None = None
    chunk: int | None = None

    def selects(self, error: ErrorItem) -> bool:
        """Return whether an error fits all criteria but the rows."""
        wanted = ((name, getattr(self, name)) for name in ("column", "rule", "stage", "chunk"))
        return all(value is None or error.item[name] == value for name, value in wanted)

    def keys(self) -> tuple[str, str]:
        """Return the lowest and the highest sort key that fit the rows.

        Raises
        ------
        InputError
            If the rows are not a range.
        """
        first = 1 if self.first_row is None else self.first_row
        last = items.LAST_ROW if self.last_row is None else self.last_row
        if not 1 <= first <= last <= items.LAST_ROW:
            raise InputError(f"rows {first} to {last} are no range: give the lower one first, 1 up")
        return items.row_range(first, last)

    def condition(self) -> dict[str, Any]:
        """Return what a query is asked for besides the rows; empty if it is all."""
        wanted: dict[str, Any] = {
            name: {"S": text}
            for name in ("column", "rule", "stage")
            if (text := getattr(self, name)) is not None
        }
        if self.chunk is not None:
            wanted["chunk"] = {"N": str(self.chunk)}
        if not wanted:
            return {}
        return {  # "column" and "rule" are reserved words
            "FilterExpression": " AND ".join(f"#{name} = :{name}" for name in wanted),
            "ExpressionAttributeNames": {f"#{name}": name for name in wanted},
            "ExpressionAttributeValues": {f":{name}": value for name, value in wanted.items()},
        }
