"""Check a record schema, before it is deployed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from batchcore.schema_check import read_checked

from batchops.core.errors import InputError
from batchops.show.shown import Block, Shown


@dataclass(frozen=True)
class Mistake:
    """A mistake in a schema, and its place as a JSON pointer, which is empty for the whole."""

    place: str
    message: str


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
    """

    file: str
    columns: tuple[str, ...]
    mistakes: tuple[Mistake, ...]

    _also_in_json = ("ok",)

    @property
    def ok(self) -> bool:
        """Whether the schema can be deployed."""
        return not self.mistakes

    def _blocks(self) -> Iterator[Block]:
        if self.ok:
            yield Block.line(f"{self.file}: no mistakes, {len(self.columns)} columns")
            return
        count = len(self.mistakes)
        yield Block.line(f"{self.file}: {count} mistake{'s' if count > 1 else ''}")
        rows = [(each.place or "/", each.message) for each in self.mistakes]
        lines = [f"  {place}: {message}" for place, message in rows]
        yield Block.table(("place", "message"), rows, lines=lines)


def check_schema_file(path: str | Path) -> SchemaReport:
    """Return the mistakes in a schema file.

    Raises
    ------
    InputError
        If there is no such file.
    """
    if not Path(path).is_file():
        raise InputError(f"no schema file {path}: give the path of a JSON Schema")
    schema, found = read_checked(Path(path))
    mistakes = tuple(Mistake(place, message) for place, message in found)
    return SchemaReport(str(path), schema.columns if schema else (), mistakes)
