"""Regular expressions for CSV records, and fast counting of records; used by `batchcore.csvtext`.

A run of records is *orderly* if every quote in it opens or closes a field, so that no quote occurs
inside an unquoted field. Quotes then come in pairs, and a line break ends a record if no pair is
open there.
"""

import re

# Deleting these bytes from a window leaves its quotes and LFs.
_NEITHER_QUOTE_NOR_LF = bytes(set(range(256)) - set(b'"\n'))
# Maps them to one byte, which keeps what tells a blank line from another.
_OTHERS_ALIKE = bytes(byte if byte in b'"\n' else ord("x") for byte in range(256))
# A NUL stands for the LF of a blank line.
_QUOTED_LFS = re.compile(rb'"[\n\0]*+"')


def record_pattern(delimiter: str, *, open_at_start: bool = False) -> re.Pattern[bytes]:
    """Return a pattern that matches one whole record with its terminator.

    If it does not match, a quoted field is still open at the end of the data. Every repetition is
    possessive, so that a match never backtracks and takes time linear in the record's length.

    Parameters
    ----------
    open_at_start
        Match the rest of a record, starting inside one of its quoted fields.
    """
    d = re.escape(delimiter).encode()
    quoted_rest = rb'[^"]*+(?:""[^"]*+)*+"[^' + d + rb"\r\n]*+"
    plain = rb'[^"' + d + rb"\r\n][^" + d + rb"\r\n]*+"
    field = rb'(?:"' + quoted_rest + rb"|" + plain + rb"|)"
    first = quoted_rest if open_at_start else field
    return re.compile(first + rb"(?:" + d + field + rb")*+(?:\r\n|\n|\r|\Z)")


def _orderly_patterns(delimiter: str) -> tuple[bytes, bytes]:
    """Return a pattern for an opening quote, and one for the quoted fields that start with it.

    A quote opens a field if it is the field's first character. A doubled quote is treated as one
    that closes a field and one that opens the next, which gives the same result. A quoted field
    right after a delimiter needs no lookbehind, which is faster.
    """
    d = re.escape(delimiter).encode()
    opening = rb"(?<![^" + d + rb'\r\n"])"'
    return opening, opening + rb'[^"]*+"(?:' + d + rb'"[^"]*+")*+'


def orderly_pattern(delimiter: str) -> re.Pattern[bytes]:
    """Return a pattern that matches orderly records.

    It must start at the beginning of a record and may end anywhere.
    """
    opening, fields = _orderly_patterns(delimiter)
    return re.compile(rb'(?:[^"]*+%b)*+[^"]*+(?:%b[^"]*+)?+' % (fields, opening))


def run_pattern(delimiter: str, records: int) -> re.Pattern[bytes]:
    """Return a pattern that matches this many orderly records, none blank, each ending in LF."""
    _, fields = _orderly_patterns(delimiter)
    record = rb'(?=[^\r\n])(?:[^"\r\n]*+%b)*+[^"\r\n]*+\r?+\n' % fields
    return re.compile(rb"(?:%b){%d}+" % (record, records))


def has_lone_cr(window: bytes) -> bool:
    """Return whether the window has CRs that are not part of a CRLF."""
    return b"\r" in window and window.count(b"\r") != window.count(b"\r\n")


def has_blank_lines(window: bytes) -> bool:
    """Return whether the window, which has no lone CR, has blank lines."""
    return window[0] in b"\r\n" or b"\n\n" in window or b"\n\r\n" in window


def count_breaks(window: bytes) -> int:
    """Return the number of line ends (LF, CRLF or lone CR)."""
    return window.count(b"\n") + window.count(b"\r") - window.count(b"\r\n")


def count_lines(window: bytes, want: int, *, blank: bool) -> tuple[int, int, int]:
    """Return how many records, blank lines, and lines in all a window of orderly records holds.

    Lines in all are more if records have line breaks inside quotes. It counts `want` records at
    most, and no blank line after the last of those. After all other bytes are deleted, quotes and
    LFs remain. Two quotes in a row have no LF between them; the others alternately open and close a
    field.

    Parameters
    ----------
    blank
        Whether there are blank lines, which are lines and no records.
    """
    if blank:
        # The LF before it makes a blank line of one at the start.
        alike = b"\n" + window.translate(_OTHERS_ALIKE, b"\r")
        marked = alike.replace(b"\n\n", b"\n\0").replace(b"\0\n", b"\0\0")
        left = marked[1:].translate(None, b"x").replace(b'""', b"")
    else:
        left = window.translate(None, _NEITHER_QUOTE_NOR_LF).replace(b'""', b"")
    if b'"' in left:
        left = _QUOTED_LFS.sub(lambda found: b"-" * (len(found[0]) - 2), left).partition(b'"')[0]
    rows = left.count(b"\n")
    if rows >= want:
        rows, lines = want, len(left) - len(left.split(b"\n", want)[-1])
    else:
        lines = len(left.rstrip(b"-"))
    return rows, left.count(b"\0", 0, lines), lines
