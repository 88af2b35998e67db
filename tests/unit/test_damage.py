"""What spreadsheets and pandas do to values is told from what a person means."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import ROOT

from batchops.recovery.damage import KINDS, damage

SAVED = [
    # zeros and digits
    ("01069", "1069", "leading-zeros"),
    ("007", "7", "leading-zeros"),
    ("007", "7.0", "leading-zeros"),
    ("00", "0", "leading-zeros"),
    ("-01", "-1", "leading-zeros"),
    ("00123456789012345678", "1.23457E+17", "leading-zeros digits-lost"),
    ("1.50", "1.5", "trailing-zeros"),
    ("1.0", "1", "trailing-zeros"),
    ("1.00", "1.0", "trailing-zeros"),
    ("1.500", "1.5", "trailing-zeros"),
    ("1,50", "1.5", "trailing-zeros"),
    ("0.50", "0.5", "trailing-zeros"),
    ("01.50", "1.5", "leading-zeros trailing-zeros"),
    ("1234567890123456789", "1.23457E+18", "digits-lost"),
    ("1234567890123456", "1234567890123450", "digits-lost"),
    ("12345678901234567890", "12345678901234567000", "digits-lost"),
    ("4111111111111111", "4.11111E+15", "digits-lost"),
    ("3.14159", "3.14", "digits-lost"),
    ("9.99", "10", "digits-lost"),
    ("9.99", "9", "digits-lost"),
    ("0.1", "0.10000000000000001", "digits-lost"),
    ("0.1", "0.10000000149011612", "digits-lost"),
    ("0.1", "0.10000000149", "digits-lost"),
    ("16777217", "16777216", "digits-lost"),
    ("1" * 400, "inf", "digits-lost"),
    # the same number
    ("1,000", "1000", "thousands-separators"),
    ("1000", "1,000", "thousands-separators"),
    ("1 000", "1000", "thousands-separators"),
    ("1'000", "1000", "thousands-separators"),
    ("1.234,56", "1234.56", "thousands-separators"),
    ("1,000.50", "1000.5", "trailing-zeros thousands-separators"),
    ("1E5", "100000", "number-format"),
    ("1e5", "1E+05", "number-format"),
    ("12e3", "12000.0", "number-format"),
    ("5", "5.0", "number-format"),
    ("1.", "1", "number-format"),
    (".5", "0.5", "number-format"),
    ("+49123", "49123", "number-format"),
    ("-0", "0", "number-format"),
    ("(5)", "-5", "number-format"),
    ("5%", "0.05", "number-format"),
    ("5%", "5.00%", "number-format"),
    ("$5", "5", "number-format"),
    ("1,5", "1.5", "number-format"),
    ("1 1/2", "1.5", "number-format"),
    ("Infinity", "inf", "number-format"),
    # dates and times
    ("2026-01-02", "02/01/2026", "dates"),
    ("2026-01-02", "1/2/26", "dates"),
    ("2026-01-02", "2026-02-01", "dates"),
    ("2026-01-02", "46024", "dates"),
    ("2026-01-02", "44562", "dates"),  # counted from 1904
    ("2026-01-02", "2026-01-02 00:00:00", "dates"),
    ("2026-01-02", "2-Jan-26", "dates"),
    ("2026-01-02", "Friday, January 2, 2026", "dates"),
    ("2026-01-02", "2 janvier 2026", "dates"),
    ("03/04/2026", "04/03/2026", "dates"),
    ("1/2/30", "1930-01-02", "dates"),
    ("02.01.2026", "2026-01-02", "dates"),
    ("20260102", "2026-01-02", "dates"),
    ("46024", "2026-01-02", "dates"),
    ("1/2/26", "2-Jan", "dates"),
    ("MAR1", "1-Mar", "dates"),
    ("SEPT2", "2-Sep", "dates"),
    ("DEC1", "46357", "dates"),
    ("1-2", "2-Jan", "dates"),
    ("1/2", "01. Feb", "dates"),
    ("3-4-5", "2005-03-04", "dates"),
    ("10-11-12", "10/11/2012", "dates"),
    ("12-2026", "Dec-26", "dates"),
    ("1.5", "01. Mai", "dates"),
    ("1.5", "46143", "dates"),
    ("9:00", "09:00:00", "dates"),
    ("9:00", "9:00:00 AM", "dates"),
    ("9:00", "0.375", "dates"),
    ("16:9", "16:09", "dates"),
    ("25:30", "1.0625", "dates"),
    ("24:30", "1900-01-01 00:30:00", "dates"),
    ("9:00", "2026-11-28 09:00:00+00:00", "dates"),
    ("2026-01-02T23:30:00+01:00", "2026-01-02 22:30:00+00:00", "dates"),
    ("2026-01-02T00:30:00+01:00", "2026-01-01 23:30:00", "dates"),
    # truth values, nothing
    ("true", "TRUE", "booleans"),
    ("true", "True", "booleans"),
    ("false", "FALSCH", "booleans"),
    ("true", "VRAI", "booleans"),
    ("true", "1", "booleans"),
    ("true", "1.0", "booleans"),
    ("NA", "", "missing-values"),
    ("N/A", "", "missing-values"),
    ("NULL", "", "missing-values"),
    ("None", "", "missing-values"),
    ("nan", "", "missing-values"),
    ("<NA>", "", "missing-values"),
    ("null", "None", "missing-values"),
    ("", "nan", "missing-values"),
    ("", "None", "missing-values"),
    ("", "NaT", "missing-values"),
    ("Bo", "", "emptied"),
    # texts
    ("a ", "a", "whitespace"),
    ("a  b", "a b", "whitespace"),
    ("a\xa0b", "a b", "whitespace"),
    ("a\u200bb", "ab", "whitespace"),
    ("a\x01b", "ab", "whitespace"),
    ("  ", "", "whitespace"),
    (" 007", "7", "leading-zeros whitespace"),
    ("a\r\nb", "a\nb", "line-breaks"),
    ("a\rb", "a\nb", "line-breaks"),
    ("a\nb", "a b", "whitespace"),
    ("a\nb", "a_x000D_b", "line-breaks"),
    ("\u00e9", "e\u0301", "unicode"),
    ("\ufb01", "fi", "unicode"),
    ("don't", "don\u2019t", "quotes"),
    ('"a"', "\u201ca\u201d", "quotes"),
    ("'007", "007", "quotes"),
    ("a - b", "a \u2013 b", "quotes"),
    ("--", "\u2014", "quotes"),
    ("...", "\u2026", "unicode"),
    ("Zürich", "ZÃ¼rich", "mojibake"),
    ("ZÃ¼rich", "Zürich", "mojibake"),
    ("Zürich", "Z³rich", "mojibake"),
    ("Zürich", "Zï¿½rich", "mojibake"),
    ("Zürich", "Z\ufffdrich", "mojibake"),
    ("Zürich", "Z?rich", "mojibake"),
    ("Zürich", "Zrich", "mojibake"),
    ("Zürich", "Zurich", "mojibake"),
    ("東京", "æ\x9d±äº¬", "mojibake"),
    ("東京", "??", "mojibake"),
    # formulas, ends
    ("=1+1", "2", "formulas"),
    ("@SUM(A1)", "#NAME?", "formulas"),
    ("-a", "#NAME?", "formulas"),
    ("+1-2", "-1", "formulas"),
    ("x", "#REF!", "formulas"),
    ("2026-01-02", "########", "formulas"),
    ("x" * 300, "x" * 255, "cut"),
]
MEANT = [
    ("", "DE"),
    ("Bo", "Bob"),
    ("Bo", "bo"),
    ("12", "10"),
    ("10", "100"),
    ("10", "1"),
    ("1000", "100"),
    ("7", "007"),  # somebody has put the zeros back
    ("1069", "01069"),
    ("000001", "000002"),
    ("100000001", "100000002"),
    ("9.99", "10.99"),
    ("3.11", "11.3"),
    ("1.5", "121"),
    ("2026-01-02", "2026-01-05"),
    ("2026-01-02", "2027-01-02"),
    ("9:00", "10:30"),
    ("2026-01-02 10:00", "2026-01-05 10:00"),
    ("true", "false"),
    ("東京", "京都"),
    ("Bjorn", "Björn"),
    ("ab", "a"),
    ("555-1234", "555-1235"),
    ("-5", "-6"),
]


def _ids(pairs: list[tuple[str, ...]]) -> list[str]:
    return [f"{old!a:.20}-{new!a:.20}" for old, new, *_ in pairs]


@pytest.mark.parametrize(("old", "new", "kinds"), SAVED, ids=_ids(SAVED))
def test_value_that_was_saved_again_looks_damaged(old: str, new: str, kinds: str) -> None:
    assert " ".join(damage(old, new)) == kinds


@pytest.mark.parametrize(("old", "new"), MEANT, ids=_ids(MEANT))
def test_value_that_a_person_writes_does_not_look_damaged(old: str, new: str) -> None:
    assert damage(old, new) == ()


def test_documentation_lists_each_kind_with_examples_that_are_of_it() -> None:
    text = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    lines = re.findall(r"^\| `([a-z-]+)` \| (.* → .*|[^`]+) \|$", text, re.MULTILINE)
    assert [kind for kind, _ in lines if kind in KINDS] == list(KINDS)
    for kind, examples in lines:
        for old, new in re.findall(r"`([^`]+)` → `([^`]+)`", examples):
            assert kind in damage(old, new), (old, new)


def test_each_kind_of_damage_is_shown_by_an_example() -> None:
    assert {kind for *_, kinds in SAVED for kind in kinds.split()} == set(KINDS)


@given(*[st.text("0123456789eE+-.,%/: ()$'JanAPM", max_size=14)] * 2)
def test_any_two_texts_can_be_compared_and_a_text_is_no_damage_to_itself(
    old: str, new: str
) -> None:
    assert set(damage(old, new)) <= set(KINDS)
    assert damage(old, old) == ()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1E999999", "2E999999"),
        ("12345E999999", "1E-999999"),
        ("9" * 1500, "9" * 1499),
        ("1" * 5000, "x"),
        ("9999-12-31", "2958465"),
        ("99999:59", "1E999999"),
        ("0/0", "0"),
        ("1 1/0", "1"),
    ],
)
def test_extreme_numbers_and_dates_can_be_compared(old: str, new: str) -> None:
    assert set(damage(old, new)) | set(damage(new, old)) <= set(KINDS)
