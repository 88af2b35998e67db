"""Sales-order CSV files with known bad rows, for the demo, the workshop and the tests.

A sample with ``bad_share=0`` is the same file with every bad row repaired: the seed decides only
which rows are bad, and how. `batchops.samples.sample_orders` makes the good rows.
"""

import csv
import string
from collections.abc import Callable, Iterable, Iterator
from dataclasses import astuple, dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, NamedTuple

from batchcore import workflow

from batchops.samples.sample_orders import (
    COLUMNS,
    ENRICHMENT,
    KEY,
    KEY_SPACE,
    enrichment,
    key_at,
    order_fields,
)

# Of the job that people look at in the demo and the workshop. The size that fits so small a file
# makes two chunks of it; these are enough to see how they run side by side and are merged.
ROWS, CHUNK_ROWS = 5_000, 600

MAX_ROWS = 100_000_000
# Unknown keys come from the last 10^8 places, which are in no sample and no reference data.
_FIRST_UNKNOWN = KEY_SPACE - MAX_ROWS
_NO_DELIMITERS = string.ascii_letters + string.digits + '"\r\n\0'
_NO_FAULT = (-1, "")


_READ_FAULTS: dict[str, Callable[[list[str]], list[str]]] = {
    "too few fields": lambda fields: fields[:6],
    "too many fields": lambda fields: [*fields[:2], " Republic of", *fields[2:]],
    # A lone surrogate stands for a byte that is not UTF-8: Latin-1's no-break space.
    "bad encoding": lambda fields: [fields[0], fields[1] + "\udca0", *fields[2:]],
}
# Column, new value ({} is the old one), and the keywords of the schema that it violates.
_VALIDATE_FAULTS: dict[str, tuple[tuple[str, str, tuple[str, ...]], ...]] = {
    "key with a letter": ((KEY, "{:.8}O", ("pattern",)),),
    "key too long": ((KEY, "{}0", ("maxLength", "pattern")),),
    "key empty": ((KEY, "", ("pattern",)),),
    "country empty": (("Country", "", ("minLength",)),),
    "country too long": (
        ("Country", "United Kingdom of Great Britain and Northern Ireland", ("maxLength",)),
    ),
    "item type too long": (("Item Type", "{}, returned and not yet inspected", ("maxLength",)),),
    "channel unknown": (("Sales Channel", "Retail", ("enum",)),),
    "channel too long": (("Sales Channel", "Marketplace", ("enum", "maxLength")),),
    "priority unknown": (("Order Priority", "X", ("enum",)),),
    "order date out of range": (("Order Date", "13/40/10", ("format",)),),
    "order date not in calendar": (("Order Date", "2/30/15", ("format",)),),
    # Later than every order, so that it can be rewritten as it is.
    "ship date in ISO form": (("Ship Date", "2018-02-28", ("format",)),),
    "ship date in words": (("Ship Date", "unknown", ("format",)),),
    # No order is older than 2010.
    "shipped before ordered": (("Ship Date", "12/31/09", ("x-compare",)),),
    "region too long": (("Region", "{}" + ", region to be confirmed" * 5, ("maxLength",)),),
    "several columns": (
        ("Sales Channel", "Retail", ("enum",)),
        ("Order Priority", "X", ("enum",)),
        ("Order Date", "13/40/10", ("format",)),
    ),
}
KINDS = (*_READ_FAULTS, *_VALIDATE_FAULTS, "key unknown")


@dataclass(frozen=True, slots=True)
class ExpectedError:
    """One rule that one row breaks.

    ``source_row`` is the record's number in the file, the header being row 1. ``column`` is empty
    if the whole row is bad. ``rule`` is a keyword of the schema, or ``fieldCount``,
    ``encoding`` or ``reference``.
    """

    source_row: int
    stage: str
    column: str
    rule: str
    value: str


class SampleRow(NamedTuple):
    """One record of the file with its line end; ``kind`` is empty unless the row is bad."""

    source_row: int
    line: bytes
    kind: str = ""
    violations: tuple[ExpectedError, ...] = ()


@dataclass(frozen=True)
class SampleFiles:
    """The paths of the files of a sample."""

    orders: Path
    reference: Path
    expected: Path


@dataclass(frozen=True)
class Sample:
    """A sample in memory: the file, its reference data, and what is wrong with it."""

    rows: int
    csv: bytes = field(repr=False)
    reference: bytes = field(repr=False)
    bad: tuple[ExpectedError, ...] = field(repr=False)

    @property
    def bad_rows(self) -> tuple[int, ...]:
        """The bad source rows, each once, in the order of the file."""
        return tuple(sorted({violation.source_row for violation in self.bad}))

    def write(self, folder: Path, *, name: str = "orders.csv") -> SampleFiles:
        """Write the file as `name`, ``reference.csv`` and ``expected.csv`` into `folder`.

        Raises
        ------
        ValueError
            If `name` is not a plain file name, or is that of one of the other two files.
        """
        files = _prepare_files(folder, name)
        files.orders.write_bytes(self.csv)
        files.reference.write_bytes(self.reference)
        _write_expected(files.expected, self.bad)
        return files


def make_sample(
    rows: int,
    *,
    bad_share: float = 0.03,
    seed: int = 1,
    delimiter: str = ",",
    reference_rows: int | None = None,
) -> Sample:
    """Make a sample in memory; the same arguments give the same bytes.

    Parameters
    ----------
    rows
        Data rows, good and bad; the header comes on top.
    bad_share
        Share of the rows that are bad, from 0 to 1; their number is rounded.
    seed
        Decides which rows are bad, and how. The good rows do not depend on it.
    delimiter
        One character. The reference data always has commas.
    reference_rows
        Keys that the reference data holds, at least `rows`; as many as `rows` if not given.

    Raises
    ------
    ValueError
        If an argument is out of its range.
    """
    stream = sample_rows(rows, bad_share=bad_share, seed=seed, delimiter=delimiter)
    held = _check_reference_rows(rows, reference_rows)
    lines: list[bytes] = []
    bad: list[ExpectedError] = []
    for row in stream:
        lines.append(row.line)
        bad += row.violations
    return Sample(rows, b"".join(lines), b"".join(_reference_lines(held)), tuple(bad))


def write_sample(
    folder: Path,
    rows: int,
    *,
    name: str = "orders.csv",
    bad_share: float = 0.03,
    seed: int = 1,
    delimiter: str = ",",
    reference_rows: int | None = None,
) -> SampleFiles:
    """Write what ``make_sample(...).write(folder)`` writes, but in bounded memory.

    Raises
    ------
    ValueError
        If an argument is out of its range; nothing is written then.
    """
    stream = sample_rows(rows, bad_share=bad_share, seed=seed, delimiter=delimiter)
    held = _check_reference_rows(rows, reference_rows)
    files = _prepare_files(folder, name)
    with files.orders.open("wb") as orders:
        _write_expected(files.expected, _copy_lines(stream, orders))
    with files.reference.open("wb") as reference:
        reference.writelines(_reference_lines(held))
    return files


def sample_rows(
    rows: int, *, bad_share: float = 0.03, seed: int = 1, delimiter: str = ","
) -> Iterator[SampleRow]:
    """Generate the records of a sample, header first; the parameters are those of `make_sample`.

    Raises
    ------
    ValueError
        If an argument is out of its range; raised at once, not with the first record.
    """
    if not 1 <= rows <= MAX_ROWS:
        raise ValueError(f"rows is {rows}: give a number from 1 to {MAX_ROWS:,}")
    if not 0 <= bad_share <= 1:
        raise ValueError(f"bad_share is {bad_share}: give a share from 0 to 1, such as 0.03")
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter in _NO_DELIMITERS:
        raise ValueError(f"delimiter is {delimiter!r}: give one character, such as ',' or ';'")
    return _generate(rows, round(rows * bad_share), seed, delimiter)


def _generate(rows: int, bad: int, seed: int, delimiter: str) -> Iterator[SampleRow]:
    to_line = csv.writer(_Echo(), delimiter=delimiter, lineterminator="\n").writerow
    yield SampleRow(1, _encode(to_line(COLUMNS)))
    faults = _choose_faults(rows, bad, seed)
    next_bad, kind = next(faults, _NO_FAULT)
    for place in range(rows):
        fields = order_fields(key_at(place))
        if place != next_bad:
            yield SampleRow(place + 2, _encode(to_line(fields)))
            continue
        spoilt, violations = _spoil(fields, kind, place)
        yield SampleRow(place + 2, _encode(to_line(spoilt)), kind, violations)
        next_bad, kind = next(faults, _NO_FAULT)


def _choose_faults(rows: int, bad: int, seed: int) -> Iterator[tuple[int, str]]:
    """Choose `bad` places in the order of the file, and each kind equally often."""
    kinds: list[str] = []
    for part, (first, end) in enumerate(_parts(rows, bad)):
        if not kinds:
            kinds = sorted(KINDS, key=lambda kind: _chance(seed, part, kind))
        yield first + _chance(seed, part) % (end - first), kinds.pop()


def _parts(rows: int, bad: int) -> Iterator[tuple[int, int]]:
    """Yield a part of the file, from its first place to the one after it, for each bad row.

    A fifth of the bad rows is in a fiftieth of the file, as if something had been broken there for
    a while; the parts are as long as each other before it and after it.
    """
    broken = bad // 5
    stretch = max(broken, rows // 50)
    before, before_rows = ((n * 3) // 5 for n in (bad - broken, rows - stretch))
    after, after_rows = bad - broken - before, rows - stretch - before_rows
    start = 0
    for number, length in ((before, before_rows), (broken, stretch), (after, after_rows)):
        for part in range(number):
            yield start + part * length // number, start + (part + 1) * length // number
        start += length


def _chance(*of: object) -> int:
    # The random module promises the same numbers in every Python for random() alone.
    return int.from_bytes(blake2b(repr(of).encode(), digest_size=8).digest())


def _spoil(fields: list[str], kind: str, place: int) -> tuple[list[str], tuple[ExpectedError, ...]]:
    row = place + 2
    if kind in _READ_FAULTS:
        spoilt = _READ_FAULTS[kind](fields)
        if kind == "bad encoding":
            return spoilt, (ExpectedError(row, workflow.READ.name, "", "encoding", ""),)
        return spoilt, (ExpectedError(row, workflow.READ.name, "", "fieldCount", str(len(spoilt))),)
    values = dict(zip(COLUMNS, fields, strict=True))
    if kind == "key unknown":
        values[KEY] = key_at(_FIRST_UNKNOWN + place)
        return list(values.values()), (
            ExpectedError(row, workflow.ENRICH.name, KEY, "reference", values[KEY]),
        )
    found: list[ExpectedError] = []
    for column, template, rules in _VALIDATE_FAULTS[kind]:
        values[column] = template.format(values[column])
        value = values[column]
        found += (ExpectedError(row, workflow.VALIDATE.name, column, rule, value) for rule in rules)
    return list(values.values()), tuple(found)


def _reference_lines(rows: int) -> Iterator[bytes]:
    yield _encode(",".join((KEY, *ENRICHMENT)) + "\n")
    for place in range(rows):
        key = key_at(place)
        yield _encode(",".join((key, *enrichment(key))) + "\n")


class _Echo:
    """A file whose ``write`` returns the text, so that ``writerow`` returns the line."""

    def write(self, text: str) -> str:
        return text


def _encode(line: str) -> bytes:
    return line.encode("utf-8", "surrogateescape")


def _check_reference_rows(rows: int, reference_rows: int | None) -> int:
    held = rows if reference_rows is None else reference_rows
    if not rows <= held <= _FIRST_UNKNOWN:
        raise ValueError(
            f"reference_rows is {held}: give a number from {rows} (rows), so that every good row's "
            f"key is known, to {_FIRST_UNKNOWN:,}"
        )
    return held


def _prepare_files(folder: Path, name: str) -> SampleFiles:
    if name != Path(name).name or name.lower() in {"", "..", "reference.csv", "expected.csv"}:
        raise ValueError(f"name is {name!r}: give a plain file name, such as 'orders.csv'")
    folder.mkdir(parents=True, exist_ok=True)
    return SampleFiles(folder / name, folder / "reference.csv", folder / "expected.csv")


def _copy_lines(stream: Iterable[SampleRow], file: BinaryIO) -> Iterator[ExpectedError]:
    for row in stream:
        file.write(row.line)
        yield from row.violations


def _write_expected(path: Path, violations: Iterable[ExpectedError]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("source_row", "stage", "column", "rule", "value"))
        writer.writerows(astuple(violation) for violation in violations)
