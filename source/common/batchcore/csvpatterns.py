"""Patterns of CSV records, and how to count records many at a time; for `batchcore.csvtext`.

A run of records is *orderly* if each quote in it is an opening or a closing one: no quote stands
within an unquoted field. Then quotes come in pairs, and a line ends a record where no pair is open.
"""

import re

# What is left of a window without these bytes are its quotes and LFs.
_NEITHER_QUOTE_NOR_LF = bytes(set(range(256)) - set(b'"\n'))
_QUOTED_LFS = re.compile(rb'"\n*+"')


def record_pattern(delimiter: str, *, open_at_start: bool = False) -> re.Pattern[bytes]:
    """Return a pattern that matches one whole record with its terminator.

    No match means that a quoted field is still open at the end of the data. Every repetition is
    possessive, so a match never backtracks and time is linear in the record's length.

    Parameters
    ----------
    open_at_start
        Match the rest of a record from within one of its quoted fields.
    """
    d = re.escape(delimiter).encode()
    quoted_rest = rb'[^"]*+(?:""[^"]*+)*+"[^' + d + rb"\r\n]*+"
    plain = rb'[^"' + d + rb"\r\n][^" + d + rb"\r\n]*+"
    field = rb'(?:"' + quoted_rest + rb"|" + plain + rb"|)"
    first = quoted_rest if open_at_start else field
    return re.compile(first + rb"(?:" + d + field + rb")*+(?:\r\n|\n|\r|\Z)")


def _orderly_patterns(delimiter: str) -> tuple[bytes, bytes]:
    """Return patterns of a quote that opens a field, and of the fields that follow from there.

    A quote opens a field where it begins one; that a doubled quote closes a field and opens the
    next is as good. Going on right after a delimiter needs no look back, which is faster.
    """
    d = re.escape(delimiter).encode()
    opening = rb"(?<![^" + d + rb'\r\n"])"'
    return opening, opening + rb'[^"]*+"(?:' + d + rb'"[^"]*+")*+'


def orderly_pattern(delimiter: str) -> re.Pattern[bytes]:
    """Return a pattern of records each of whose quotes is an opening or a closing one.

    It begins where a record begins, and may end anywhere.
    """
    opening, fields = _orderly_patterns(delimiter)
    return re.compile(rb'(?:[^"]*+%b)*+[^"]*+(?:%b[^"]*+)?+' % (fields, opening))


def run_pattern(delimiter: str, records: int) -> re.Pattern[bytes]:
    """Return a pattern of so many such records, none of them blank, each with an LF at its end."""
    _, fields = _orderly_patterns(delimiter)
    record = rb'(?=[^\r\n])(?:[^"\r\n]*+%b)*+[^"\r\n]*+\r?+\n' % fields
    return re.compile(rb"(?:%b){%d}+" % (record, records))


def is_odd(window: bytes) -> bool:
    """Tell whether lines and records may differ: blank lines, or CRs outside a CRLF."""
    if window[0] in b"\r\n" or b"\n\n" in window:
        return True
    if b"\r" not in window:
        return False
    return b"\n\r\n" in window or window.count(b"\r") != window.count(b"\r\n")


def count_lines(window: bytes, want: int) -> tuple[int, int]:
    """Return how many records a window of orderly ones holds, and how many lines they have.

    At most `want` records. What is left without the other bytes are quotes and LFs; two quotes in
    a row hold no LF, and of the others each first one opens a field, each second one closes it.
    """
    left = window.translate(None, _NEITHER_QUOTE_NOR_LF).replace(b'""', b"")
    if b'"' in left:
        left = _QUOTED_LFS.sub(lambda found: b"-" * (len(found[0]) - 2), left).partition(b'"')[0]
    rows = left.count(b"\n")
    if rows > want:
        return want, len(left) - len(left.split(b"\n", want)[-1])
    return rows, left.rfind(b"\n") + 1
