"""Headers held against the names that they must have: near misses and other delimiters."""

from __future__ import annotations

import pytest
from batchcore.headers import near_misses, other_delimiter, spelt


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("unit_price", "Unit_Price"),
        ("ship_date", "ship date"),
        ("Ship Date", "ship-date"),
        ("Größe", "Gro\u0308ße"),
        ("Größe", "GRÖSSE"),
        ("status", "st\u0430tus"),  # a Cyrillic letter
        ("uuid", "\u200buuid"),
        ("order_date", "orderdate "),
        ("quantity", "quantitiy"),
        ("amount", "'amount'"),
        ("ﬁeld", "field"),
    ],
)
def test_near_misses_are_found(column: str, name: str) -> None:
    assert near_misses([column, "other"], ["x", name]) == {column: name}


@pytest.mark.parametrize(
    ("column", "name"),
    [("address1", "address2"), ("price", "place"), ("id", "ID2"), ("note", ""), ("a", "b")],
)
def test_other_names_are_not_near(column: str, name: str) -> None:
    assert near_misses([column], [name]) == {}


def test_name_that_is_there_is_not_missed_and_one_that_is_wanted_is_not_near() -> None:
    assert near_misses(["amount"], ["amount", "Amount"]) == {}
    assert near_misses(["amount", "Amount"], ["Amount"]) == {}
    assert near_misses([], ["a"]) == {}


def test_near_misses_are_in_the_order_of_the_wanted_names() -> None:
    found = near_misses(["b c", "a"], ["A", "B_C", "b-c"])
    assert list(found.items()) == [("b c", "B_C"), ("a", "A")]
    assert spelt(found) == "'B_C' looks like 'b c', 'A' looks like 'a'"


def test_another_delimiter_is_one_that_gives_more_of_the_names() -> None:
    assert other_delimiter("a;b\n", ["a", "b"], delimiter=",") == ";"
    assert other_delimiter("a,b\n", ["a", "b"], delimiter=",") is None
    assert other_delimiter("x y\n", ["a", "b"], delimiter=",") is None
