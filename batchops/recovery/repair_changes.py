"""The fields that an edited row changes, and which of the changes look like damage.

A rejected row is edited where a rule objects to it. Elsewhere nobody may have meant a change: what
a spreadsheet did to a value there is damage, until somebody accepts it by name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchcore.comparisons import KEYWORD
from batchcore.texts import number_of

from batchops.core.errors import InputError
from batchops.inspection.cell_readings import certain_day
from batchops.recovery.damage import KINDS, damage
from batchops.show.shown import Block

if TYPE_CHECKING:
    from datetime import date

    import pandas as pd
    from batchcore.chunk_rows import Record
    from batchcore.schema import RecordSchema

_SHOWN = 50
_SHOWN_COLUMNS = ("row", "column", "before", "after", "damage")
_COLUMNS = ("source_row", "column", "before", "after", "rules", "damage")


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of a row, as it is in the job and as it came back.

    Attributes
    ----------
    source_row, column
        The row in the uploaded file, and the column as `Job.rejects` calls it.
    before, after
        The two values.
    rules
        The rules that the value broke; empty where no rule objected to it.
    damage
        The kinds of damage that the change looks like, see `batchops.recovery.damage.KINDS`.
    """

    source_row: int
    column: str
    before: str
    after: str
    rules: str = ""
    damage: tuple[str, ...] = ()


@dataclass(frozen=True)
class Objections:
    """What the rules object to in a row.

    Attributes
    ----------
    rules
        Place of a field -> the rules that it breaks. A change there is a fix.
    compared
        Places of fields that are wrong together only: emptying one is a fix, writing it in another
        way is none.
    moved
        All fields of a row that has another number of them than the header: values may move.
    """

    rules: Mapping[int, str] = field(default_factory=dict)
    compared: Collection[int] = ()
    moved: Sequence[str] = ()


def objections_to(
    record: Record,
    schema: RecordSchema,
    *,
    places: Mapping[str, int],
    fields: Sequence[str],
    spoilt: Mapping[int, str],
) -> Objections:
    """Return what the rules object to in a rejected row.

    Parameters
    ----------
    record
        The row as it is in the job, as the stack reads it.
    places
        Column of the schema -> its place.
    fields
        All fields of the row, as they are shown.
    spoilt
        Place -> rule of the fields that cannot be read, see `repair_rows.spoilt_fields`.
    """
    if "errors" in record:
        shifted = any(error["rule"] == "fieldCount" for error in record["errors"])
        return Objections(spoilt, moved=fields if shifted else ())
    rules: dict[int, list[str]] = {}
    together: set[int] = set()
    for column, rule in schema.broken_rules(record["fields"]):
        if rule == KEYWORD:
            pair = [c for c in schema.comparisons if c.column == column]
            together |= {places[name] for c in pair for name in (c.column, c.other)}
        if column in places:
            rules.setdefault(places[column], []).append(rule)
    if not rules and schema.key in places:
        # No rule objects, so the reference data did.
        rules = {places[schema.key]: ["reference"]}
    alone = {place for place, names in rules.items() if set(names) - {KEYWORD}}
    return Objections(
        {place: "; ".join(names) for place, names in rules.items()}, frozenset(together - alone)
    )


def changed_fields(
    source_row: int,
    before: Sequence[str],
    after: Sequence[str],
    *,
    names: Iterable[str],
    objections: Objections,
    keeps_rules: Callable[[int, str], bool],
    read_day: Callable[[int, str], date | None],
) -> tuple[FieldChange, ...]:
    """Return the fields that differ, in the order of the columns.

    Parameters
    ----------
    before, after
        The fields under the header.
    names
        The columns, each by a name of its own.
    keeps_rules
        Tells whether a value at a place would keep the rules of its column.
    read_day
        Returns the day that a value at a place is in the format of its column.
    """
    found = []
    for place, (old, new, name) in enumerate(zip(before, after, names, strict=False)):
        if old != new:
            kinds = _damage_at(place, old, new, objections, keeps_rules)
            if place in objections.rules and _is_another_day(old, new, read_day(place, new)):
                kinds = ("dates",)
            if objections.moved:
                kinds = _damage_moved(old, new, after, objections)
            rules = objections.rules.get(place, "")
            found.append(FieldChange(source_row, name, old, new, rules, kinds))
    return tuple(found)


def _damage_moved(
    old: str, new: str, after: Collection[str], objections: Objections
) -> tuple[str, ...]:
    """Return the damage to a value of a row whose values may have moved to other places."""
    if new and new in objections.moved:
        return ()
    gone = [value for value in (old, *objections.moved) if value and value not in after]
    found = ([k for k in damage(value, new) if k != "emptied"] for value in gone)
    return tuple(next(filter(None, found), ()))


def _damage_at(
    place: int,
    old: str,
    new: str,
    objections: Objections,
    keeps_rules: Callable[[int, str], bool],
) -> tuple[str, ...]:
    if place in objections.compared:
        return tuple(kind for kind in damage(old, new) if kind != "emptied")
    if place not in objections.rules:
        return damage(old, new)
    # Where taking the blanks away is all that was needed, the rest is no fix.
    bare = old.strip()
    return damage(bare, new) if bare != old and new and keeps_rules(place, bare) else ()


def unaccepted(changes: Iterable[FieldChange], accept: Collection[str]) -> str:
    """Return which columns look damaged in a way that is not accepted, and how; for a message."""
    found = [(c.column, [kind for kind in c.damage if kind not in accept]) for c in changes]
    return "; ".join(f"{column}: {', '.join(kinds)}" for column, kinds in found if kinds)


def _is_another_day(old: str, new: str, day: date | None) -> bool:
    """Return whether fixing the format of a date has turned it into another day."""
    meant = None if day is None else certain_day(old)
    if day is None or meant is None or "dates" not in damage(old, new):
        return False
    return meant != (day.year, day.month, day.day)


def changes_frame(changes: Iterable[FieldChange]) -> pd.DataFrame:
    """Return changes as a DataFrame, see `RepairPlan.changes_frame`."""
    import pandas as pd

    rows = [
        (*(getattr(change, name) for name in _COLUMNS[:-1]), "; ".join(change.damage))
        for change in changes
    ]
    dtypes = {name: "int64" if name == "source_row" else "str" for name in _COLUMNS}
    return pd.DataFrame(rows, columns=list(_COLUMNS)).astype(dtypes)


def count_kinds(changes: Iterable[FieldChange]) -> dict[str, int]:
    """Return how many fields look like damage, by kind, in the order of `KINDS`."""
    counts = Counter(kind for change in changes for kind in change.damage)
    return {kind: counts[kind] for kind in KINDS if counts[kind]}


def change_blocks(
    changes: Sequence[FieldChange], *, accepted: Collection[str], held: int
) -> Iterator[Block]:
    """Yield what is shown of changes, those that look like damage first, and what to do about them.

    Parameters
    ----------
    accepted
        The kinds of damage that are let through.
    held
        How many rows are not put in because of others.
    """
    if not changes:
        return
    rows = len({change.source_row for change in changes})
    yield Block.line(f"changed fields: {len(changes):,}, in {number_of(rows, 'row')}")
    shown = sorted(changes, key=lambda change: not change.damage)[:_SHOWN]
    cells = [
        [c.source_row, c.column, repr(c.before), repr(c.after), ", ".join(c.damage)] for c in shown
    ]
    yield Block.table(_SHOWN_COLUMNS, cells)
    if rest := len(changes) - len(shown):
        yield Block.facts([f"and {rest:,} more changed fields: see changes_frame()"])
    counts = count_kinds(changes)
    if counts:
        yield Block.line("some look like the damage of a spreadsheet, not like a fix:")
        yield Block.facts(
            f"{kind} (fields: {count:,}): {KINDS[kind]}{', accepted' if kind in accepted else ''}"
            for kind, count in counts.items()
        )
    if held:
        yield Block.line(
            f"held, so not put in: {number_of(held, 'row')}. Put the values back "
            "in the file, or accept each kind by its name: accept={...}"
        )


def check_kinds(accept: Iterable[str]) -> frozenset[str]:
    """Return the kinds of damage to accept.

    Raises
    ------
    InputError
        If one of them is no kind, with those that there are.
    """
    given = (accept,) if isinstance(accept, str) else tuple(accept)
    unknown = sorted({str(kind) for kind in given} - KINDS.keys())
    if unknown:
        raise InputError(
            f"no kind of damage is called {', '.join(map(repr, unknown))}; the kinds are "
            f"{', '.join(KINDS)}"
        )
    return frozenset(given)
