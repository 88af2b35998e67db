"""Sales-order CSV files with known bad rows, for the demo, the workshop and the tests.

Everything about a good row follows from its key, and its key from its place in the file. So a
larger sample begins with the rows of a smaller one, reference data for M rows serves every sample
of up to M rows, and a sample with ``bad_share=0`` is the same file with every bad row repaired.
The seed decides only which rows are bad, and how.
"""

import csv
import string
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import astuple, dataclass
from datetime import date, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, NamedTuple

KEY = "uuid"
COLUMNS = (
    KEY,
    "Country",
    "Item Type",
    "Sales Channel",
    "Order Priority",
    "Order Date",
    "Region",
    "Ship Date",
)
ENRICHMENT = (
    "Units Sold",
    "Unit Price",
    "Unit Cost",
    "Total Revenue",
    "Total Cost",
    "Total Profit",
)

MAX_ROWS = 100_000_000
_KEY_SPACE = 10**9
# Unknown keys come from the last 10^8 places, which no sample and no reference data reaches.
_FIRST_UNKNOWN = _KEY_SPACE - MAX_ROWS
_NO_DELIMITERS = string.ascii_letters + string.digits + '"\r\n\0'
_NO_FAULT = (-1, "")


class _Item(NamedTuple):
    name: str
    price_cents: int
    cost_cents: int
    largest_order: int
    share: int


# Fruits leave so little that the discount on the largest orders turns them into a loss.
_ITEMS = (
    _Item("Baby Food", 24_950, 15_920, 6_000, 6),
    _Item("Beverages", 4_785, 3_130, 10_000, 14),
    _Item("Cereal", 19_840, 11_565, 8_000, 8),
    _Item("Clothes", 10_990, 3_655, 7_000, 12),
    _Item("Cosmetics", 43_520, 26_145, 4_000, 7),
    _Item("Fruits", 945, 850, 10_000, 11),
    _Item("Household", 66_275, 49_990, 5_000, 7),
    _Item("Meat", 41_860, 36_115, 6_000, 5),
    _Item("Office Supplies", 64_930, 52_340, 5_000, 8),
    _Item("Personal Care", 8_265, 5_710, 9_000, 9),
    _Item("Snacks", 15_235, 9_805, 9_000, 9),
    _Item("Vegetables", 15_410, 9_150, 8_000, 4),
)
_ITEM_PICKS = tuple(item for item in _ITEMS for _ in range(item.share))
_DISCOUNTS = ((8_000, 12), (5_000, 8), (2_000, 4), (0, 0))  # units from, percent off

_MENA = "Middle East and North Africa"
_CARIBBEAN = "Central America and the Caribbean"
_COUNTRIES_BY_REGION = {
    "Asia": "China|India|Indonesia|Japan|Malaysia|Mongolia|Thailand|Vietnam",
    "Australia and Oceania": "Australia|Fiji|New Zealand|Samoa",
    _CARIBBEAN: "Costa Rica|Cuba|Guatemala|Honduras|Jamaica|Panama",
    "Europe": "Austria|France|Germany|Greece|Italy|Norway|Poland|Portugal|Spain|United Kingdom",
    _MENA: "Egypt|Israel|Jordan|Lebanon|Morocco|Tunisia",
    "North America": "Canada|Greenland|Mexico|United States of America",
    "Sub-Saharan Africa": "Ghana|Kenya|Namibia|Nigeria|Rwanda|Senegal|South Africa|Zambia",
}
_PLACES = tuple(
    (country, region)
    for region, countries in _COUNTRIES_BY_REGION.items()
    for country in countries.split("|")
)
# Valid all the same: commas, quotes, letters beyond ASCII, newlines inside a field.
_AWKWARD_PLACES = (
    ("Korea, Republic of", "Asia"),
    ("Tanzania, United Republic of", "Sub-Saharan Africa"),
    ('Myanmar ("Burma")', "Asia"),
    ("Côte d'Ivoire", "Sub-Saharan Africa"),
    ("Türkiye", _MENA),
    ("Curaçao", _CARIBBEAN),
    ("Kuwait", "Middle East\nand North Africa"),
    ("Tonga", "Australia\nand Oceania"),
)
_AWKWARD_ONE_IN = 32

_FIRST_DAY = date(2010, 1, 1)
_LAST_DAY = date(2017, 12, 31)
_MONTH_WEIGHTS = (3, 3, 4, 4, 5, 5, 4, 3, 5, 6, 8, 9)  # orders peak before the year ends
_LONGEST_SHIPPING_DAYS = {"C": 10, "H": 20, "M": 35, "L": 50}
_PRIORITY_PICKS = "CHHMMMMLLL"


def _date_text(days: int) -> str:
    day = _FIRST_DAY + timedelta(days=days)
    return f"{day.month}/{day.day}/{day.year % 100:02}"


_ORDER_DAYS = (_LAST_DAY - _FIRST_DAY).days + 1
_DATE_TEXTS = tuple(_date_text(days) for days in range(_ORDER_DAYS + 50))
_DAY_PICKS = tuple(
    days
    for days in range(_ORDER_DAYS)
    for _ in range(_MONTH_WEIGHTS[(_FIRST_DAY + timedelta(days=days)).month - 1])
)

_READ_FAULTS: dict[str, Callable[[list[str]], list[str]]] = {
    "too few fields": lambda fields: fields[:6],
    "too many fields": lambda fields: [*fields[:2], " Republic of", *fields[2:]],
    # A lone surrogate stands for a byte that is no UTF-8: Latin-1's no-break space.
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
    "ship date in ISO form": (("Ship Date", "2010-05-28", ("format",)),),
    "ship date in words": (("Ship Date", "unknown", ("format",)),),
    "region too long": (("Region", "{}" + ", region to be confirmed" * 5, ("maxLength",)),),
    "several columns": (
        ("Sales Channel", "Retail", ("enum",)),
        ("Order Priority", "X", ("enum",)),
        ("Order Date", "13/40/10", ("format",)),
    ),
}
KINDS = (*_READ_FAULTS, *_VALIDATE_FAULTS, "key unknown")


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule that one row breaks.

    ``source_row`` is the record's number in the file, the header being row 1. ``column`` is empty
    where the whole row is at fault. ``rule`` is a keyword of the JSON Schema, or ``fieldCount``,
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
    violations: tuple[Violation, ...] = ()


@dataclass(frozen=True)
class SampleFiles:
    """Where the files of a sample lie."""

    orders: Path
    reference: Path
    expected: Path


@dataclass(frozen=True)
class Sample:
    """A sample in memory: the file, its reference data, and what is wrong with it."""

    rows: int
    csv: bytes
    reference: bytes
    bad: tuple[Violation, ...]

    @property
    def bad_rows(self) -> tuple[int, ...]:
        """The source rows that are bad, each once, in the file's order."""
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
    bad: list[Violation] = []
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
    """Write what ``make_sample(...).write(folder)`` writes, in memory that does not grow.

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


def read_expected(path: Path) -> tuple[Violation, ...]:
    """Read an ``expected.csv`` back."""
    with path.open(encoding="utf-8", newline="") as file:
        lines = csv.reader(file)
        next(lines)
        return tuple(Violation(int(row), *rest) for row, *rest in lines)


def sample_rows(
    rows: int, *, bad_share: float = 0.03, seed: int = 1, delimiter: str = ","
) -> Iterator[SampleRow]:
    """Generate the records of a sample, header first; the parameters are those of `make_sample`.

    Raises
    ------
    ValueError
        If an argument is out of its range; at once, not when the first record is taken.
    """
    if not 1 <= rows <= MAX_ROWS:
        raise ValueError(f"rows is {rows}: give a number from 1 to {MAX_ROWS:,}")
    if not 0 <= bad_share <= 1:
        raise ValueError(f"bad_share is {bad_share}: give a share from 0 to 1, such as 0.03")
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter in _NO_DELIMITERS:
        raise ValueError(f"delimiter is {delimiter!r}: give one character, such as ',' or ';'")
    return _generate(rows, round(rows * bad_share), seed, delimiter)


def key_at(place: int) -> str:
    """Return the key of the row at `place` (from 0); no key comes twice below 10^9."""
    # Coprime multiplier and modulus make this a permutation of the nine-digit numbers.
    return f"{(place * 618_033_989 + 271_828_183) % _KEY_SPACE:09}"


def _generate(rows: int, bad: int, seed: int, delimiter: str) -> Iterator[SampleRow]:
    to_line = csv.writer(_Echo(), delimiter=delimiter, lineterminator="\n").writerow
    yield SampleRow(1, _encode(to_line(COLUMNS)))
    faults = _choose_faults(rows, bad, seed)
    next_bad, kind = next(faults, _NO_FAULT)
    for place in range(rows):
        fields = _order_fields(key_at(place))
        if place != next_bad:
            yield SampleRow(place + 2, _encode(to_line(fields)))
            continue
        spoilt, violations = _spoil(fields, kind, place)
        yield SampleRow(place + 2, _encode(to_line(spoilt)), kind, violations)
        next_bad, kind = next(faults, _NO_FAULT)


def _choose_faults(rows: int, bad: int, seed: int) -> Iterator[tuple[int, str]]:
    """Choose one place in each of `bad` equal parts of the file; every kind comes equally often."""
    kinds: list[str] = []
    for part in range(bad):
        if not kinds:
            kinds = sorted(KINDS, key=lambda kind: _chance(seed, part, kind))
        first, end = part * rows // bad, (part + 1) * rows // bad
        yield first + _chance(seed, part) % (end - first), kinds.pop()


def _chance(*of: object) -> int:
    # The random module promises the same numbers in every Python for random() alone.
    return int.from_bytes(blake2b(repr(of).encode(), digest_size=8).digest())


def _spoil(fields: list[str], kind: str, place: int) -> tuple[list[str], tuple[Violation, ...]]:
    row = place + 2
    if kind in _READ_FAULTS:
        spoilt = _READ_FAULTS[kind](fields)
        if kind == "bad encoding":
            return spoilt, (Violation(row, "read", "", "encoding", ""),)
        return spoilt, (Violation(row, "read", "", "fieldCount", str(len(spoilt))),)
    values = dict(zip(COLUMNS, fields, strict=True))
    if kind == "key unknown":
        values[KEY] = key_at(_FIRST_UNKNOWN + place)
        return list(values.values()), (Violation(row, "enrich", KEY, "reference", values[KEY]),)
    violations: list[Violation] = []
    for column, template, rules in _VALIDATE_FAULTS[kind]:
        values[column] = template.format(values[column])
        violations += (Violation(row, "validate", column, rule, values[column]) for rule in rules)
    return list(values.values()), tuple(violations)


class _Draws(NamedTuple):
    """The numbers below 2^32 that decide everything about one key."""

    place: int
    item: int
    channel: int
    priority: int
    day: int
    shipping: int
    size: int
    scale: int

    def choose_item(self) -> _Item:
        return _ITEM_PICKS[self.item % len(_ITEM_PICKS)]

    def is_online(self) -> bool:
        return self.channel % 5 < 3


_unpack_draws = struct.Struct("<8I").unpack


def _draw(key: str) -> _Draws:
    return _Draws._make(_unpack_draws(blake2b(key.encode(), digest_size=32).digest()))


def _order_fields(key: str) -> list[str]:
    draws = _draw(key)
    awkward, pick = draws.place % _AWKWARD_ONE_IN == 0, draws.place // _AWKWARD_ONE_IN
    places = _AWKWARD_PLACES if awkward else _PLACES
    country, region = places[pick % len(places)]
    priority = _PRIORITY_PICKS[draws.priority % len(_PRIORITY_PICKS)]
    ordered = _DAY_PICKS[draws.day % len(_DAY_PICKS)]
    shipped = ordered + draws.shipping % (_LONGEST_SHIPPING_DAYS[priority] + 1)
    item = draws.choose_item().name
    channel = "Online" if draws.is_online() else "Offline"
    dates = _DATE_TEXTS[ordered], _DATE_TEXTS[shipped]
    return [key, country, item, channel, priority, dates[0], region, dates[1]]


def _reference_lines(rows: int) -> Iterator[bytes]:
    yield _encode(",".join((KEY, *ENRICHMENT)) + "\n")
    for place in range(rows):
        key = key_at(place)
        yield _encode(f"{key},{_enrichment(key)}\n")


def _enrichment(key: str) -> str:
    draws = _draw(key)
    item = draws.choose_item()
    largest = item.largest_order // 4 if draws.is_online() else item.largest_order
    # The product of two even draws is skewed: many small orders, few large ones.
    units = 1 + (draws.size * draws.scale * largest >> 64)
    percent_off = next(percent for least, percent in _DISCOUNTS if units >= least)
    price = item.price_cents * (100 - percent_off) // 100
    revenue, cost = units * price, units * item.cost_cents
    amounts = (price, item.cost_cents, revenue, cost, revenue - cost)
    # Cents are exact; dividing by 100 for the text errs by far less than half a cent.
    return ",".join([str(units), *(f"{cents / 100:.2f}" for cents in amounts)])


class _Echo:
    """A file that hands back what is written, so that ``writerow`` returns the line."""

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


def _copy_lines(stream: Iterable[SampleRow], file: BinaryIO) -> Iterator[Violation]:
    for row in stream:
        file.write(row.line)
        yield from row.violations


def _write_expected(path: Path, violations: Iterable[Violation]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("source_row", "stage", "column", "rule", "value"))
        writer.writerows(astuple(violation) for violation in violations)
