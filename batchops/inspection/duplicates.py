"""Find rows with the same key, in bounded memory: the keys lie in temporary files."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

import orjson
from batchcore.records import read_chunk
from batchcore.texts import number_of, printable

from batchops.core.column_names import key_name
from batchops.core.errors import InputError
from batchops.core.manifest import read_piece, require_manifest
from batchops.show.shown import Block, Shown
from batchops.show.terminal import shorten

if TYPE_CHECKING:
    import pandas as pd
    from batchcore.schema import RecordSchema

    from batchops.core.job_ref import JobRef

# How many hashes are compared at a time; each takes some 50 bytes then.
_PART_HASHES = 1_000_000
_NAMED_ROWS = 10_000
_SHOWN_KEYS = 20
_SHOWN_ROWS = 10
_MAX_KEY_CHARACTERS = 60


@dataclass(frozen=True)
class KeyRow:
    """A row whose key another row has too."""

    key: str
    source_row: int


@dataclass(frozen=True)
class Duplicates(Shown):
    """The rows of a file that have the same key.

    Attributes
    ----------
    column : str
        The key's column.
    keys, rows : int
        Keys that stand in more than one row, and the rows that have them.
    named : tuple of KeyRow
        The rows, key by key, in the order of each key's first row; at most so many as were asked
        for.
    """

    column: str
    keys: int
    rows: int
    named: tuple[KeyRow, ...]

    def frame(self) -> pd.DataFrame:
        """Return the rows that are named.

        Returns
        -------
        DataFrame
            One line per row: ``source_row`` (int64, the header being row 1) and the key's column
            (str), key by key.
        """
        import pandas as pd

        rows, keys = [r.source_row for r in self.named], [r.key for r in self.named]
        columns = {"source_row": pd.Series(rows, dtype="int64")}
        return pd.DataFrame({**columns, self.column: pd.Series(keys, dtype="str")})

    def summary(self) -> str:
        """Return the counts in a line, with the first key and its rows."""
        if not self.keys:
            return f"every key in {self.column!r} stands in one row only"
        count = number_of(self.keys, "key") + (" stands" if self.keys == 1 else " stand")
        first = next(self._by_key(), "")
        return (
            f"{count} in more than one row of {self.column!r}, {number_of(self.rows, 'row')} in "
            f"all: {first}"
        )

    def _by_key(self) -> Iterator[str]:
        for key, found in groupby(self.named, key=lambda row: row.key):
            rows = [f"{row.source_row:,}" for row in found]
            more = f" and {len(rows) - _SHOWN_ROWS:,} more" if len(rows) > _SHOWN_ROWS else ""
            shown = shorten(key, _MAX_KEY_CHARACTERS)
            yield f"{shown!r} in rows {', '.join(rows[:_SHOWN_ROWS])}{more}"

    def _blocks(self) -> Iterator[Block]:
        yield Block.line(printable(self.summary()))
        shown = [line for _, line in zip(range(_SHOWN_KEYS), self._by_key(), strict=False)]
        yield Block.facts(map(printable, shown[1:]))
        if self.keys > len(shown):
            yield Block.facts([f"and {number_of(self.keys - len(shown), 'key')} more"])


class KeyRows:
    """The keys of a file and their rows, as they are read, until `close`.

    Keys lie in temporary files that nobody else can open, and so do their hashes, which `find`
    compares a part at a time. So a file of any size takes the same memory.

    Parameters
    ----------
    column
        What the key's column is called.
    part_hashes
        How many hashes are compared at a time.
    """

    def __init__(self, column: str, *, part_hashes: int = _PART_HASHES) -> None:
        self._column = column
        self._part_hashes = part_hashes
        self._hashes, self._texts = TemporaryFile(), TemporaryFile()  # noqa: SIM115  (see `close`)
        # Where each block of keys begins: its place in the file, and the number of keys before it.
        self._blocks: list[tuple[int, int]] = []
        self._count = 0

    def add(self, keys: Iterable[tuple[int, str]]) -> None:
        """Add the keys of rows; empty keys are left out."""
        found = [(row, key) for row, key in keys if key]
        if not found:
            return
        self._blocks.append((self._texts.tell(), self._count))
        self._texts.write(orjson.dumps(found))
        self._hashes.write(array("q", [hash(value) for _, value in found]).tobytes())
        self._count += len(found)

    def find(self, *, limit: int = _NAMED_ROWS) -> Duplicates:
        """Return the rows that share a key.

        Parameters
        ----------
        limit
            The most rows to name.
        """
        import numpy as np

        keys = rows = 0
        named = np.empty((2, 0), dtype="int64")  # the place of each key's first row, and the row's
        parts = self._count // self._part_hashes + 1
        for part in range(parts):
            places, hashes = self._part(part, parts)
            found, counts = _repeated(places, hashes)
            keys, rows = keys + len(counts), rows + int(counts.sum())
            named = np.concatenate([named, found], axis=1)
            named = named[:, np.lexsort(named[::-1])][:, :limit]
        return Duplicates(self._column, keys, rows, tuple(self._at(named[1].tolist())))

    def close(self) -> None:
        """Remove the files."""
        self._hashes.close()
        self._texts.close()

    def _part(self, part: int, parts: int) -> tuple[Any, Any]:
        """Return the places and the hashes of those keys that fall into a part."""
        import numpy as np

        places, hashes, start = [], [], 0
        self._hashes.seek(0)
        while block := self._hashes.read(8 * self._part_hashes):
            values = np.frombuffer(block, dtype="int64")
            chosen = np.flatnonzero(values % parts == part)
            places.append(chosen + start)
            hashes.append(values[chosen])
            start += len(values)
        if not places:
            return np.empty(0, dtype="int64"), np.empty(0, dtype="int64")
        return np.concatenate(places), np.concatenate(hashes)

    def _at(self, places: list[int]) -> Iterator[KeyRow]:
        """Yield the keys at some places, each block read once."""
        starts = [count for _, count in self._blocks]
        by_block: dict[int, list[int]] = {}
        for place in places:
            by_block.setdefault(bisect_right(starts, place) - 1, []).append(place)
        found = {}
        for number, wanted in by_block.items():
            self._texts.seek(self._blocks[number][0])
            following = self._blocks[number + 1 : number + 2]
            size = following[0][0] - self._blocks[number][0] if following else -1
            block = orjson.loads(self._texts.read(size))
            found.update({place: block[place - starts[number]] for place in wanted})
        return (KeyRow(key, row) for row, key in map(found.__getitem__, places))


def _repeated(places: Any, hashes: Any) -> tuple[Any, Any]:
    """Return what occurs more than once: (first place, place) of each, and the counts by hash.

    Two keys have one hash of 64 bits, by chance, in one of a thousand files of 200 million rows.
    """
    import numpy as np

    order = np.argsort(hashes, kind="stable")
    ordered, at = hashes[order], places[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)])
    counts = np.diff(np.append(starts, len(ordered)))
    twice = counts > 1
    rows = at[np.repeat(twice, counts)]
    return np.stack([np.repeat(at[starts[twice]], counts[twice]), rows]), counts[twice]


def job_duplicates(job: JobRef, schema: RecordSchema, *, limit: int = _NAMED_ROWS) -> Duplicates:
    """Return the rows of a job's file that have the same key; its chunks are read one by one.

    Parameters
    ----------
    schema
        Says which column has the key.
    limit
        The most rows to name.

    Raises
    ------
    InputError
        If `limit` is below 1, or the schema has no key.
    JobError
        If the job has no chunks, or no longer.
    JobNotFoundError, AwsError
    """
    if limit < 1:
        raise InputError(f"limit={limit}: give 1 or more")
    if not schema.key:
        raise InputError("the schema has no x-key, so no column says which rows are the same")
    entry = job.ledger_entry()
    with closing(KeyRows(key_name(job.stack))) as found:
        for chunk in require_manifest(job, entry):
            data = read_piece(job, entry.bucket, chunk.key, chunk.version_id)
            rows = read_chunk(data, schema, delimiter=entry.delimiter, first_row=chunk.first_row)
            found.add(zip(rows.rows, rows.fields[schema.key], strict=True))
        return found.find(limit=limit)
