"""What the values of a column have in common, found in one pass over them, in bounded memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from batchcore.dates import date_reader
from batchcore.readings import Remembered, read_boolean, read_integer, read_number
from batchcore.schema import RecordSchema

# Kinds of values beside the formats, which are called by their names in a schema.
INTEGER, NUMBER, BOOLEAN = "integer", "number", "boolean"
NEGATIVE, LEADING_ZERO, EXPONENT = "negative", "leading zero", "exponent"
DECIMAL_COMMA, THOUSANDS, BLANKS = "decimal comma", "thousands", "blanks around"

# Numbers that are no numbers of the dialect, and the patterns that accept them.
WRITTEN_NUMBERS = {
    DECIMAL_COMMA: "^-?(?:[0-9]+|[0-9]{1,3}(?:[.][0-9]{3})+)(?:,[0-9]+)?$",
    THOUSANDS: "^-?(?:[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)(?:[.][0-9]+)?$",
}
# Formats of texts that are easily told from others, with what such a text always has.
TEXT_FORMATS = {
    "uuid": re.compile(r"[0-9A-Fa-f]{8}-.{27}"),
    "email": re.compile(r"\S+@\S+[.]\S+"),
    "ipv4": re.compile(r"[0-9]{1,3}([.][0-9]{1,3}){3}"),
    "uri": re.compile(r"[A-Za-z]+://\S+"),
    "date-time": re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d.*([Zz]|[+-]\d\d:\d\d)"),
}
_FORMATS = RecordSchema({"properties": {name: {"format": name} for name in TEXT_FORMATS}})

_DATE = re.compile(
    r"(?P<a>[0-9]{1,4})(?P<sign>[-./])(?P<b>[0-9]{1,2})(?P=sign)(?P<c>[0-9]{1,4})"
    r"(?:(?P<gap>[ T])(?P<hour>[0-9]{1,2}):[0-9]{2}(?P<second>:[0-9]{2})?)?"
)
_COMPACT_DATE = re.compile(r"(?:19|20)[0-9]{6}")

# More different values are no list, and more rows are not compared with each other.
MOST_LISTED = 20
MOST_COMPARED = 500_000

_TOKENS = re.compile(r"[0-9]+|[A-Z]+|[a-z]+|.", re.DOTALL)
_CLASSES = {"0": "[0-9]", "A": "[A-Z]", "a": "[a-z]"}
_SIGNS = " -_./:#+"
_MOST_TOKENS = 12


def kinds_of(text: str) -> frozenset[str]:
    """Return the kinds that a value is of: types, formats of dates and texts, ways of writing."""
    found: frozenset[str] = _KINDS[text]
    return found


def _find_kinds(text: str) -> frozenset[str]:
    return frozenset((*_number_kinds(text), *_date_formats(text), *_text_kinds(text)))


def _number_kinds(text: str) -> Iterator[str]:
    if read_number(text) is not None:
        yield NUMBER
        if read_integer(text) is not None:
            yield INTEGER
        if text.startswith("-"):
            yield NEGATIVE
        digits = text.removeprefix("-")
        if digits.startswith("0") and digits[1:2].isdigit():
            yield LEADING_ZERO
        if "e" in text.lower():
            yield EXPONENT
    for kind, pattern in WRITTEN_NUMBERS.items():
        if re.fullmatch(pattern[1:-1], text):
            yield kind


def _date_formats(text: str) -> Iterator[str]:
    candidates = ["YYYYMMDD"] if _COMPACT_DATE.fullmatch(text) else []
    if match := _DATE.fullmatch(text):
        found = match.groupdict()
        time = ""
        if found["gap"]:
            time = f"{found['gap']}h:mm" + (":ss" if found["second"] else "")
        candidates += _spelt(found["a"], found["b"], found["c"], found["sign"], time)
        if len(found["hour"] or "") == 2:
            padded = time.replace("h", "hh")
            candidates += _spelt(found["a"], found["b"], found["c"], found["sign"], padded)
    return (each for each in candidates if date_reader(each)(text) is not None)


def _spelt(first: str, second: str, third: str, sign: str, time: str) -> Iterator[str]:
    """Yield the formats that three numbers may be written in."""
    orders = ["YMD"] if len(first) == 4 else ["DMY", "MDY"]
    year, *others = (first, second, third) if len(first) == 4 else (third, first, second)
    if len(year) not in (2, 4) or max(map(len, others)) > 2:
        return
    for width in (2, 1):
        if width == 1 or all(len(each) == 2 for each in others):
            for order in orders:
                parts = ("Y" * len(year) if p == "Y" else p * width for p in order)
                yield sign.join(parts) + time


def _text_kinds(text: str) -> Iterator[str]:
    if text.lower() in ("true", "false") and read_boolean(text) is not None:
        yield BOOLEAN
    if text != text.strip():
        yield BLANKS
    for name, guard in TEXT_FORMATS.items():
        if guard.fullmatch(text) and not _FORMATS.column_violations(name, text):
            yield name


_KINDS: Any = Remembered(_find_kinds)


@dataclass
class Shape:
    """The one way in which all values are built of digits, letters and signs, if there is one."""

    classes: tuple[str, ...] | None = None
    texts: list[str] = field(default_factory=list)
    least: list[int] = field(default_factory=list)
    most: list[int] = field(default_factory=list)
    broken: bool = False

    def add(self, text: str) -> None:
        """Add a value."""
        if self.broken:
            return
        tokens = _TOKENS.findall(text)
        classes = tuple(_class_of(token) for token in tokens)
        if self.classes is None and len(tokens) <= _MOST_TOKENS and "" not in classes:
            self.classes, self.texts = classes, tokens
            self.least = self.most = [len(token) for token in tokens]
        if classes != self.classes:
            self.broken = True
            return
        sizes = [len(token) for token in tokens]
        self.least = list(map(min, self.least, sizes))
        self.most = list(map(max, self.most, sizes))
        pairs = zip(self.texts, tokens, strict=True)
        self.texts = [own if own == token else "" for own, token in pairs]

    @property
    def digits_only(self) -> bool:
        """Whether all values are digits and nothing else."""
        return not self.broken and self.classes == (_CLASSES["0"],)

    def pattern(self) -> str:
        """Return a pattern that accepts values built like this; empty if nothing speaks for one."""
        if self.broken or not self.classes or _CLASSES["0"] not in self.classes:
            return ""
        parts = []
        for place, of in enumerate(self.classes):
            low, high = self.least[place], self.most[place]
            if of in _CLASSES.values() and (of == _CLASSES["0"] or not self.texts[place]):
                parts.append(of + _times(low, high))
            else:
                # Letters that are always the same, and signs.
                parts.append("".join(f"[{c}]" if c in ".+" else c for c in self.texts[place]))
        return f"^{''.join(parts)}$"


def _times(low: int, high: int) -> str:
    """Return how often a class stands; where that differs, it may be more often, too."""
    if low == high:
        return "" if low == 1 else f"{{{low}}}"
    return "+" if low == 1 else f"{{{low},}}"


def _class_of(token: str) -> str:
    letter = token[0]
    if not letter.isascii():
        return ""
    for of, found in (("0", letter.isdigit()), ("A", letter.isupper()), ("a", letter.islower())):
        if found:
            return _CLASSES[of]
    return letter if letter in _SIGNS else ""


@dataclass
class ColumnFacts:
    """What is known of a column's values.

    Attributes
    ----------
    name : str
        The column.
    values, empty : int
        Values that are not empty, and empty ones.
    shortest, longest : int
        Characters of the values that are not empty.
    listed : dict of int or None
        How often each value occurs; None if more than `MOST_LISTED` differ.
    unique : bool
        Whether no value occurs twice among the first `MOST_COMPARED`.
    """

    name: str
    values: int = 0
    empty: int = 0
    shortest: int = 0
    longest: int = 0
    listed: dict[str, int] | None = field(default_factory=dict)
    unique: bool = True
    shape: Shape = field(default_factory=Shape)
    _seen: set[int] = field(default_factory=set, repr=False)
    # How many values are of exactly these kinds, and the first of them.
    _signatures: dict[frozenset[str], tuple[int, str]] = field(default_factory=dict, repr=False)

    def add(self, text: str, times: int = 1) -> None:
        """Add a value that occurs `times` times."""
        if not text:
            self.empty += times
            return
        size = len(text)
        self.longest = max(self.longest, size)
        self.shortest = min(self.shortest, size) if self.values else size
        self.values += times
        kinds = kinds_of(text)
        count, first = self._signatures.get(kinds, (0, text))
        self._signatures[kinds] = (count + times, first)
        if self.listed is not None:
            self.listed[text] = self.listed.get(text, 0) + times
            if len(self.listed) > MOST_LISTED:
                self.listed = None
        self.shape.add(text)
        if self.unique and self.values <= MOST_COMPARED:
            found = hash(text)
            self.unique = times == 1 and found not in self._seen
            self._seen.add(found)
            if not self.unique:
                self._seen.clear()

    def count(self, kind: str) -> int:
        """Return how many values are of a kind."""
        return sum(count for kinds, (count, _) in self._signatures.items() if kind in kinds)

    def every(self, kind: str) -> bool:
        """Return whether all values are of a kind, and there is one."""
        return self.values > 0 and all(kind in kinds for kinds in self._signatures)

    def kinds(self) -> set[str]:
        """Return all kinds that any value is of."""
        return set().union(*self._signatures)

    def first_without(self, kind: str) -> str:
        """Return the first value that is not of a kind."""
        return next(first for kinds, (_, first) in self._signatures.items() if kind not in kinds)
