"""Regular expressions for CSV records, and fast counting of records; used by `batchcore.csvtext`.

A run of records is *orderly* if every quote in it opens or closes a field, so that no quote occurs
inside an unquoted field. Quotes then come in pairs, and a line break ends a record if no pair is
open there.
"""

import re

# Deleting these bytes from a window leaves its quotes and LFs.
_NEITHER_QUOTE_NOR_LF = bytes(set(range(256)) - set(b'"\n'))
_QUOTED_LFS = re.compile(rb'"\n*+"')


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


def is_odd(window: bytes) -> bool:
    """Tell whether the window has blank lines, or CRs that are not part of a CRLF."""
    if window[0] in b"\r\n" or b"\n\n" in window:
        return True
    if b"\r" not in window:
        return False
    return b"\n\r\n" in window or window.count(b"\r") != window.count(b"\r\n")


def count_lines(window: bytes, want: int) -> tuple[int, int]:
    """Return how many records a window of orderly records holds, and how many lines they take.

    It counts `want` records at most. After all other bytes are deleted, quotes and LFs remain. Two
    quotes in a row have no LF between them; the others alternately open and close a field.
    """
    left = window.translate(None, _NEITHER_QUOTE_NOR_LF).replace(b'""', b"")
    if b'"' in left:
        left = _QUOTED_LFS.sub(lambda found: b"-" * (len(found[0]) - 2), left).partition(b'"')[0]
    rows = left.count(b"\n")
    if rows > want:
        return want, len(left) - len(left.split(b"\n", want)[-1])
    return rows, left.rfind(b"\n") + 1
