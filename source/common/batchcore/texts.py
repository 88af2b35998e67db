"""Text that others chose, made fit to be shown; numbers with the nouns that they count."""

import re

# C0 and C1 controls but tab and line feed, and Unicode's marks of direction (UAX 9, explicit ones).
_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)


def visible(text: str) -> str:
    """Return a text with its lines, but nothing that steers a terminal.

    Control characters (with them escape sequences) and those that turn the direction of writing
    are shown as Python writes them; every other character stays.
    """
    return _STEERING.sub(lambda found: repr(found[0])[1:-1], text)


def printable(text: str) -> str:
    """Return a text on one line, with characters that are not printable as Python writes them.

    For texts of several lines there is `visible`.
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def number_of(count: int, noun: str) -> str:
    """Return a number with its noun: ``1 row``, ``2 rows``, ``1,000 entries``."""
    if count == 1:
        return f"1 {noun}"
    many = f"{noun[:-1]}ies" if re.search("[^aeiou]y$", noun) else f"{noun}s"
    return f"{count:,} {many}"
