"""Check a record schema, before it is deployed, and hold a file's rows against it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from batchcore.schema_check import read_checked
from batchcore.sizing import MAX_CHUNK_ROWS
from batchcore.texts import number_of

from batchops.core.errors import InputError
from batchops.deployment.settings import shipped_settings
from batchops.planning.conversion import Reading, open_plain
from batchops.planning.file_head import BLOCK_BYTES, choose_delimiter
from batchops.planning.scan import RuleCount, scan_file
from batchops.show.shown import Block, Shown

if TYPE_CHECKING:
    import pandas as pd
    from batchcore.schema import RecordSchema

_SHOWN_CHARACTERS = 60


@dataclass(frozen=True)
class Mistake:
    """A mistake in a schema, and its place as a JSON pointer, which is empty for the whole."""

    place: str
    message: str


@dataclass(frozen=True)
class HeldAgainst(Shown):
    """What a schema makes of a file's rows, without their look-up.

    Attributes
    ----------
    file : str
        The file's name.
    rows, rejected : int
        All rows, and those that are rejected.
    refusal : str
        Why the file as a whole would be refused; else empty.
    warnings : tuple of str
        What may be wrong with its header.
    rules : tuple of RuleCount
        The broken rules, the most frequent first, each with the first row and value that break it.
    """

    file: str
    rows: int
    rejected: int
    refusal: str
    warnings: tuple[str, ...]
    rules: tuple[RuleCount, ...]

    _also_in_json = ("ok",)

    @property
    def ok(self) -> bool:
        """Whether every row is accepted."""
        return not self.refusal and not self.rejected

    def _blocks(self) -> Iterator[Block]:
        if self.refusal:
            yield Block.line(f"{self.file} would be refused: {self.refusal}")
            return
        yield Block.line(f"{self.file}: {number_of(self.rows, 'row')}, {self.rejected:,} rejected")
        yield Block.facts(self.warnings)
        rows = [
            (each.column or "(row)", each.rule, f"{each.rows:,}", each.source_row, _shown(each))
            for each in self.rules
        ]
        lines = [
            f"  {each.column or '(row)'}: {each.rule}: {number_of(each.rows, 'row')}, "
            f"first in row {each.source_row}: {_shown(each)}"
            for each in self.rules
        ]
        yield Block.table(("column", "rule", "rows", "first row", "there"), rows, lines=lines)


def _shown(rule: RuleCount) -> str:
    value = rule.value[:_SHOWN_CHARACTERS]
    return f"{value!r}: {rule.message}" if rule.column else rule.message


@dataclass(frozen=True)
class SchemaReport(Shown):
    """Whether a record schema means what it says.

    Attributes
    ----------
    file : str
        The schema's path.
    columns : tuple of str
        Its columns; none if it has mistakes.
    mistakes : tuple of Mistake
        What `deploy` would refuse it for.
    against : HeldAgainst or None
        What it makes of a file, if one was given and there are no mistakes.
    """

    file: str
    columns: tuple[str, ...]
    mistakes: tuple[Mistake, ...]
    against: HeldAgainst | None = None

    _also_in_json = ("ok",)

    @property
    def ok(self) -> bool:
        """Whether the schema can be deployed."""
        return not self.mistakes

    def _blocks(self) -> Iterator[Block]:
        if self.ok:
            yield Block.line(f"{self.file}: no mistakes, {number_of(len(self.columns), 'column')}")
            if self.against is not None:
                yield Block.value(self.against)
            return
        yield Block.line(f"{self.file}: {number_of(len(self.mistakes), 'mistake')}")
        rows = [(each.place or "/", each.message) for each in self.mistakes]
        lines = [f"  {place}: {message}" for place, message in rows]
        yield Block.table(("place", "message"), rows, lines=lines)


def check_schema_file(
    path: str | Path,
    *,
    against: str | Path | bytes | pd.DataFrame | None = None,
    delimiter: str | None = None,
) -> SchemaReport:
    """Return the mistakes in a schema file; if it has none, check a file's rows against it.

    Nothing is uploaded, and no stack is asked, so keys are not looked up.

    Parameters
    ----------
    path
        The schema file.
    against
        A file whose rows are judged as a stack with this schema would.
    delimiter
        What delimits that file's fields, or its name; by default it is found.

    Raises
    ------
    InputError
        If there is no such file.
    """
    if not Path(path).is_file():
        raise InputError(f"no schema file {path}: give the path of a JSON Schema")
    schema, found = read_checked(Path(path))
    mistakes = tuple(Mistake(place, message) for place, message in found)
    held = None
    if schema is not None and against is not None:
        held = _hold(schema, against, delimiter)
    return SchemaReport(str(path), schema.columns if schema else (), mistakes, held)


def _hold(
    schema: RecordSchema, source: str | Path | bytes | pd.DataFrame, delimiter: str | None
) -> HeldAgainst:
    plain = open_plain(source, delimiter=",", reading=Reading(unpacks=True))
    file, name = plain.file, plain.name
    try:
        found = choose_delimiter(file.read(BLOCK_BYTES), name, given=delimiter)
        file.seek(0)
        # The largest chunks, so that the number of them is no reason to refuse a file.
        settings = replace(shipped_settings(), delimiter=found, chunk_rows=MAX_CHUNK_ROWS)
        scan = scan_file(file, schema=schema, settings=settings, name=name)
    finally:
        plain.close()
    return HeldAgainst(
        file=name,
        rows=scan.work.rows,
        rejected=scan.work.rejected,
        refusal=str(scan.refusal or ""),
        warnings=scan.header_warnings,
        rules=scan.rules,
    )
