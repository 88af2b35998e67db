"""Write a chunk's errors as a piece of CSV, and count them by cause.

The pieces of all chunks, one after the other, are the file of a job's errors, which the merge makes
of them. Its text is what ErrorRangesTable has, in the same order.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, NamedTuple

import orjson

from batchcore.items import found_errors

# The columns of the file and of ``Job.errors``, each with the item's attribute in the table.
COLUMNS = {
    "source_row": "sourceRow",
    "column": "column",
    "rule": "rule",
    "value": "value",
    "message": "message",
    "limit": "limit",
    "stage": "stage",
    "uuid": "uuid",
    "raw": "raw",
    "chunk": "chunk",
    "attempt": "attempt",
    "time": "time",
}
_PICK = itemgetter(*COLUMNS.values())
HEADER = (",".join(COLUMNS) + "\r\n").encode()

# The piece of this chunk begins with the header.
FIRST_CHUNK = 1

# An entry of the ledger may have 400 KB (Amazon DynamoDB quotas), and each write costs by its size.
# This is room for some 500 causes.
MAX_CAUSES_BYTES = 32_000

# The piece is made as text up to this size, which is then encoded.
_TEXT_CHARACTERS = 1024 * 1024

# A cause of errors: stage, column and rule.
Cause = tuple[str, str, str]


class Occurrence(NamedTuple):
    """How many errors have a cause, and the row of the first."""

    number: int
    first_row: int


@dataclass
class CauseCounts:
    """Counts errors by stage, column and rule.

    Attributes
    ----------
    by_cause : dict
        Cause -> its count, with the first row that has it. No values: the ledger holds nothing of
        a row.
    others : int
        Errors whose causes did not fit into the text that was loaded.
    """

    by_cause: dict[Cause, Occurrence] = field(default_factory=dict)
    others: int = 0

    @property
    def errors(self) -> int:
        """All errors that were counted."""
        return sum(found.number for found in self.by_cause.values()) + self.others

    def add(self, cause: Cause, number: int, first_row: int) -> None:
        """Count errors of one cause, given the first row that has them."""
        known = self.by_cause.get(cause, Occurrence(0, first_row))
        first = min(known.first_row, first_row)
        self.by_cause[cause] = Occurrence(known.number + number, first)

    def add_text(self, text: str) -> None:
        """Count what another one has dumped."""
        found = orjson.loads(text)
        for stage, column, rule, number, first_row in found["causes"]:
            self.add((stage, column, rule), number, first_row)
        self.others += found["others"]

    def dump(self) -> str:
        """Return the counts as JSON of at most 32,000 bytes, the most frequent causes first.

        Those that do not fit are counted as others.
        """
        causes, size, others = [], 0, self.others
        ordered = sorted(self.by_cause.items(), key=lambda item: -item[1].number)
        for place, (cause, found) in enumerate(ordered):
            one = [*cause, *found]
            size += len(orjson.dumps(one)) + 1
            if size > MAX_CAUSES_BYTES:
                others += sum(found.number for _, found in ordered[place:])
                break
            causes.append(one)
        return orjson.dumps({"causes": causes, "others": others}).decode()


class ErrorPiece(NamedTuple):
    """A chunk's piece of the file of errors, and its counts for the ledger."""

    body: bytes
    rows: int
    causes: str


def format_piece(
    rejected: Iterable[Mapping[str, Any]], *, chunk: int, attempt: int, time: str
) -> ErrorPiece:
    """Return the errors of a chunk's rejected records as CSV, with their counts.

    Of a row's errors the first has the row's text in ``raw``, and the others have none: a long row
    that breaks many rules would make the piece many times as large as the chunk.
    """
    body, text, rows = io.BytesIO(), io.StringIO(newline=""), 0
    body.write(HEADER if chunk == FIRST_CHUNK else b"")
    # With the default line end, csv quotes each field that has any part of it.
    writer = csv.writer(text)
    numbers: Counter[Cause] = Counter()
    firsts: dict[Cause, int] = {}
    for record in rejected:
        rows += bool(record["errors"])
        for error in _lines(record, chunk=chunk, attempt=attempt, time=time):
            writer.writerow(_PICK(error))
            cause = (error["stage"], error["column"], error["rule"])
            firsts.setdefault(cause, record["row"])
            numbers[cause] += 1
        if text.tell() > _TEXT_CHARACTERS:
            body.write(text.getvalue().encode())
            text.seek(0)
            text.truncate()
    body.write(text.getvalue().encode())
    counts = CauseCounts()
    for cause, first_row in firsts.items():
        counts.add(cause, numbers[cause], first_row)
    return ErrorPiece(body.getvalue(), rows, counts.dump())


def _lines(record: Mapping[str, Any], **of_chunk: Any) -> list[dict[str, Any]]:
    """Return a row's errors in the order of the table."""
    found = list(found_errors(record, **of_chunk))
    if len(found) > 1:
        found.sort(key=itemgetter("errorId"))
        for error in found[1:]:
            error["raw"] = ""
    return found
