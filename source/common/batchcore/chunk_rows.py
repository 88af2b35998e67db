"""Hold the rows of a chunk as the steps of the chunk workflow hand them on: good ones by column.

Each step stores one JSON object. Its lists have an item for each good row, in order:

* ``rows``: the row's number in the uploaded file; ``raw``: its text with its terminator;
* ``fields``, after Read File: for each column of the schema that the file has, the values;
* ``keys``, after Validate Data: the values of the key; left out if the schema has no look-up;
* ``values``, after Get Financial Data: the enrichment's values of each row; the step, and with it
  the list, is left out if the schema has no look-up.

``rejected`` lists the rejected rows, in order, from the step that rejected them on: ``row``,
``raw`` (with ``raw64``, Base64, if the bytes are not UTF-8, and ``surplus`` if the number of fields
is wrong), ``key``, ``errors``. So no row leaves the file, and the last step can compare what it
writes with what came in. ``format`` and ``after`` say the number of this form and the last step.

Lists by column are what makes this quick: JSON of a column is read and written, and a column is
held against its rules, in one call, however many rows there are.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import merge
from itertools import compress
from operator import itemgetter
from typing import Any

import orjson

from batchcore.errors import BalanceError, RowsFormatError
from batchcore.texts import number_of

Record = dict[str, Any]

# 1 was an object for each row. A step refuses what a function of another version stored: it could
# take rows that nobody has checked for good ones.
FORMAT = 2


@dataclass(frozen=True)
class ChunkRows:
    """The rows of a chunk after a step: lists with an item for each good row, and the others.

    Raises
    ------
    BalanceError
        If a list has another number of items than there are good rows.
    """

    rows: Sequence[int]
    raw: Sequence[str]
    rejected: Sequence[Record] = ()
    fields: Mapping[str, Sequence[str]] = field(default_factory=dict)
    keys: Sequence[str] | None = None
    values: Sequence[Sequence[str]] | None = None

    def __post_init__(self) -> None:
        """Refuse lists that do not fit together: values would move to other rows."""
        of_step = [found for found in (self.keys, self.values) if found is not None]
        sizes = set(map(len, (self.rows, self.raw, *self.fields.values(), *of_step)))
        if len(sizes) > 1:
            raise BalanceError(
                f"a chunk has {number_of(len(self.rows), 'good row')}, but lists of {sorted(sizes)}"
            )

    def without(self, bad: Mapping[int, Record]) -> "ChunkRows":
        """Return the rows with some of the good ones rejected, given by their places."""
        if not bad:
            return self
        stays = [place not in bad for place in range(len(self.rows))]
        return ChunkRows(
            rows=list(compress(self.rows, stays)),
            raw=list(compress(self.raw, stays)),
            rejected=sorted([*self.rejected, *bad.values()], key=itemgetter("row")),
            fields={name: list(compress(found, stays)) for name, found in self.fields.items()},
            keys=None if self.keys is None else list(compress(self.keys, stays)),
            values=None if self.values is None else list(compress(self.values, stays)),
        )

    def row_fields(self, place: int) -> dict[str, str]:
        """Return the fields of one good row by column."""
        return {name: found[place] for name, found in self.fields.items()}

    def records(self) -> Iterator[Record]:
        """Yield each row as a record, in order: a good one has ``row``, ``raw`` and ``fields``."""
        names = tuple(self.fields)
        good = (
            {"row": row, "raw": raw, "fields": dict(zip(names, found, strict=True))}
            for row, raw, *found in zip(self.rows, self.raw, *self.fields.values(), strict=True)
        )
        return merge(good, self.rejected, key=itemgetter("row"))

    def dump(self, *, after: str) -> bytes:
        """Return the rows as a step stores them, given its name."""
        stored: dict[str, Any] = {
            "format": FORMAT,
            "after": after,
            "rows": self.rows,
            "raw": self.raw,
            "rejected": self.rejected,
        }
        of_step = {"fields": self.fields or None, "keys": self.keys, "values": self.values}
        stored |= {name: found for name, found in of_step.items() if found is not None}
        return orjson.dumps(stored)


def load_rows(data: bytes, *, after: str) -> ChunkRows:
    """Return the rows that a step has stored.

    Raises
    ------
    RowsFormatError
        If another step stored them, or a function of another version.
    """
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError:
        found = {}
    known = isinstance(found, dict)
    if not known or (found.pop("format", None), found.pop("after", None)) != (FORMAT, after):
        raise RowsFormatError(
            f"the chunk's rows are not in the form that they have after the step {after!r}: "
            "functions of another version were deployed while the job ran. Rerun the job, which "
            "then runs this chunk again"
        )
    return ChunkRows(**found)
