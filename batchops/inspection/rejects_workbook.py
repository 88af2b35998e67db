"""The rejected rows as a workbook: every cell text, with the reasons at the cells.

A workbook is the way for people. A spreadsheet that opens a CSV takes texts for numbers, dates and
formulas; in a workbook each cell says that it is text, and stays as it is.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from batchcore.texts import number_of

from batchops.core.errors import InputError
from batchops.inspection.frames import SOURCE_ROW
from batchops.inspection.result_files import whole_file
from batchops.inspection.spreadsheet_csv import (
    MAX_CHARACTERS,
    characters,
    check_columns,
    check_row,
)
from batchops.show.shown import Block, Shown

if TYPE_CHECKING:
    import pandas as pd
    from batchcore.schema import RecordSchema

SHEET = "rejects"
_ABOUT, _CHOICES = "about", "choices"
# A comment is a drawing: with very many of them a workbook opens slowly.
_MAX_COMMENTS = 5_000
# Excel specifications and limits, support.microsoft.com, read 2026-11.
_MAX_LINE_FEEDS = 253
_LISTED = 20


@dataclass(frozen=True)
class LeftOut:
    """A rejected row that no workbook can hold, and why."""

    source_row: int
    reason: str


@dataclass(frozen=True)
class RejectsWorkbook(Shown):
    """A workbook of rejected rows that was stored.

    Attributes
    ----------
    path : Path
        Where it is.
    rows : int
        How many rows it has.
    left_out : tuple of LeftOut
        The rows that it cannot hold; they are in the rejects file, and stay rejected.
    """

    path: Path
    rows: int
    left_out: tuple[LeftOut, ...] = ()

    def _blocks(self) -> Iterator[Block]:
        yield Block.line(f"{number_of(self.rows, 'rejected row')} stored as {self.path}")
        if self.left_out:
            yield Block.line(
                f"{number_of(len(self.left_out), 'row')} left out, which no workbook holds: take "
                "them from the CSV"
            )
            yield Block.facts(_listed(self.left_out))


def _listed(left_out: Sequence[LeftOut]) -> list[str]:
    lines = [f"row {each.source_row}: {each.reason}" for each in left_out[:_LISTED]]
    rest = len(left_out) - len(lines)
    return lines + ([f"and {rest:,} more"] if rest else [])


def store_workbook(
    path: str | Path,
    rejects: pd.DataFrame,
    errors: pd.DataFrame,
    schema: RecordSchema,
    *,
    replace: bool = True,
) -> RejectsWorkbook:
    """Store rejected rows as a workbook.

    Parameters
    ----------
    path
        Ends in ``.xlsx``.
    rejects, errors
        As `Job.rejects` and `Job.errors` return them.
    schema
        Columns with an ``enum`` get a list of choices.
    replace
        Replace a file that is there, rather than raise.

    Raises
    ------
    InputError
        If the path is none for a workbook, a file is there that is not to be replaced, there are
        more rows or columns than a sheet has, or XlsxWriter is not installed.
    """
    target = Path(path)
    if target.suffix.lower() != ".xlsx":
        raise InputError(f"{target} does not end in .xlsx, which a workbook is called")
    book = io.BytesIO()  # a zip file on a full disk complains once more when it is collected
    left_out = write_workbook(book, rejects, errors, schema)
    with whole_file(target, replace=replace) as part:
        part.write_bytes(book.getbuffer())
    return RejectsWorkbook(target, len(rejects) - len(left_out), tuple(left_out))


def write_workbook(
    file: IO[bytes], rejects: pd.DataFrame, errors: pd.DataFrame, schema: RecordSchema
) -> list[LeftOut]:
    """Write rejected rows into an open file, see `store_workbook`; return those left out."""
    try:
        import xlsxwriter
    except ImportError as error:
        raise InputError(
            "writing workbooks needs XlsxWriter: pip install 'batchops[excel]'"
        ) from error
    names = [str(name) for name in rejects.columns]
    check_columns(names)
    check_row(len(rejects) + 1)
    book = xlsxwriter.Workbook(file, {"in_memory": True})
    writer = _Writer(book, names, _reasons(errors, names))
    left_out = writer.write_rows(rejects.astype("str").itertuples(index=False, name=None))
    notes = [*writer.offer_choices(schema), *writer.notes(), *_left_out_notes(left_out)]
    writer.write_about(notes)
    book.close()
    return left_out


def _left_out_notes(left_out: Sequence[LeftOut]) -> list[str]:
    if not left_out:
        return []
    return [
        f"left out, since too large: {number_of(len(left_out), 'rejected row')}:",
        *_listed(left_out),
    ]


def _reasons(errors: pd.DataFrame, names: Sequence[str]) -> Mapping[tuple[int, int], str]:
    """Return the messages by row and place; those about a whole row stand at its rules."""
    width = names.index(SOURCE_ROW)
    places = {name.strip().removesuffix(" (uploaded)"): n for n, name in enumerate(names[:width])}
    found: dict[tuple[int, int], list[str]] = {}
    for row, column, message in zip(
        errors["source_row"], errors["column"], errors["message"], strict=True
    ):
        place = places.get(str(column), width + 1)
        found.setdefault((int(row), place), []).append(str(message))
    return {at: "\n".join(messages) for at, messages in found.items()}


class _Writer:
    """Writes the sheets of one workbook."""

    def __init__(
        self, book: Any, names: Sequence[str], reasons: Mapping[tuple[int, int], str]
    ) -> None:
        self._book, self._names, self._reasons = book, names, reasons
        self._sheet = book.add_worksheet(SHEET)
        # The format of text, "@": what is typed into such a cell stays text, too.
        self._text = book.add_format({"num_format": 49})
        self._marked = book.add_format({"num_format": 49, "bg_color": "#FFD9D9"})
        self._head = book.add_format({"num_format": 49, "bold": True, "bottom": 1})
        self._rows, self._comments, self._unsaid = 0, 0, 0

    def write_rows(self, rows: Iterator[tuple[str, ...]]) -> list[LeftOut]:
        """Write the header and the rows, and return the rows that do not fit."""
        sheet, width = self._sheet, self._names.index(SOURCE_ROW)
        for place, name in enumerate(self._names):
            sheet.set_column(place, place, min(max(len(name) + 2, 12), 40), self._text)
            sheet.write_string(0, place, name, self._head)
        sheet.freeze_panes(1, 0)
        left_out = []
        for values in rows:
            source_row = int(values[width])
            if reason := self._why_not(values, reasons_at=(width + 1, width + 2)):
                left_out.append(LeftOut(source_row, reason))
                continue
            self._rows += 1
            for place, value in enumerate(values):
                reason = self._reasons.get((source_row, place), "")
                shown = _cut(value) if width < place <= width + 2 else value
                form = self._marked if reason else self._text
                sheet.write_string(self._rows, place, shown, form)
                if reason:
                    self._comment(place, reason)
        if self._rows:
            sheet.autofilter(0, 0, self._rows, len(self._names) - 1)
        return left_out

    def _why_not(self, values: Sequence[str], *, reasons_at: Sequence[int]) -> str:
        for place, value in enumerate(values):
            if place not in reasons_at and (reason := _unfit(value)):
                return f"{self._names[place]!r} {reason}"
        return ""

    def _comment(self, place: int, reason: str) -> None:
        if self._comments == _MAX_COMMENTS:
            self._unsaid += 1
            return
        self._comments += 1
        lines = reason.count("\n") + len(reason) // 40 + 1
        form = {"x_scale": 2, "y_scale": min(max(lines / 4, 0.5), 4)}
        self._sheet.write_comment(self._rows, place, _cut(reason), form)

    def offer_choices(self, schema: RecordSchema) -> list[str]:
        """Offer the members of each enum as a list; return what cannot be offered."""
        notes: list[str] = []
        width, sheet, used = self._names.index(SOURCE_ROW), None, 0
        for place, name in enumerate(self._names[:width]):
            rules = schema.properties.get(name.strip().removesuffix(" (uploaded)"))
            members = rules.get("enum") if isinstance(rules, dict) else None
            if not members or not self._rows:
                continue
            texts = [text for text in map(_member, members) if text]
            if not texts or any(map(_unfit, texts)):
                notes.append(f"{name!r} has no list of choices, because one does not fit a cell")
                continue
            # In cells of their own: a list within the rule may have 255 characters, and no commas.
            if sheet is None:
                sheet = self._book.add_worksheet(_CHOICES)
                sheet.hide()
            for number, text in enumerate(texts):
                sheet.write_string(number, used, text, self._text)
            rule = {
                "validate": "list",
                "source": f"={_CHOICES}!{_range(used, len(texts))}",
                "error_title": "Not one of the choices",
                "error_message": "The schema allows only the values of the list.",
            }
            self._sheet.data_validation(1, place, self._rows, place, rule)
            used += 1
        return notes

    def notes(self) -> list[str]:
        """Return what a reader of the workbook should know of its comments."""
        if not self._unsaid:
            return []
        return [
            f"The first {_MAX_COMMENTS:,} marked cells have a comment; for the others see the "
            "column messages."
        ]

    def write_about(self, notes: Sequence[str]) -> None:
        """Write the sheet that says how to use the first one."""
        sheet = self._book.add_worksheet(_ABOUT)
        sheet.set_column(0, 0, 100, self._text)
        lines = [
            "The rejected rows of a job, as they came. Marked cells break a rule: see the comment.",
            "Fix them, leave source_row as it is, save as .xlsx, and hand the file to repair.",
            "Every cell is text: zeros in front stay, and nothing is a formula.",
            *notes,
        ]
        for number, line in enumerate(lines):
            sheet.write_string(number, 0, line, self._text)


def _unfit(value: str) -> str:
    """Return why a cell cannot hold a text; empty if it can."""
    if (length := characters(value)) > MAX_CHARACTERS:
        return f"has {number_of(length, 'character')}, and a cell holds {MAX_CHARACTERS:,}"
    if (count := value.count("\n")) > _MAX_LINE_FEEDS:
        return f"has {count:,} line feeds, and a cell holds {_MAX_LINE_FEEDS}"
    odd = next((c for c in value if c in "\ufffe\uffff" or "\ud800" <= c <= "\udfff"), "")
    return f"has the character U+{ord(odd):04X}, which no workbook can hold" if odd else ""


def _cut(reason: str) -> str:
    """Return reasons as a cell can hold them; what is left out is said."""
    if not _unfit(reason):
        return reason
    lines = "".join(c if not _unfit(c) else "?" for c in reason).replace("\n", " ")
    return (
        f"{lines[:16_000]} ... ({number_of(len(reason), 'character')}: for all of it see the CSV)"
    )


def _member(member: Any) -> str:
    if isinstance(member, bool):
        return str(member).lower()
    return str(member)


def _range(column: int, count: int) -> str:
    from xlsxwriter.utility import xl_range_abs

    return str(xl_range_abs(0, column, count - 1, column))
