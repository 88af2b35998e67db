"""Prices and quotas of AWS, read from the one file that keeps them with source and date."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

_FILE = "aws_facts.json"


@dataclass(frozen=True)
class Fact:
    """A number that AWS sets.

    Attributes
    ----------
    value : float
        The number for one unit: a price in USD for one request, not for a million.
    unit : str
        What is counted, and for prices how AWS quotes it.
    source, grade, date : str
        Where it is from, how good that is (A: AWS itself, B: a third party quoting AWS), and when
        it was looked up or published.
    """

    value: float
    unit: str
    source: str
    grade: str
    date: str


def price(name: str) -> float:
    """Return a price in USD for one unit, such as ``price("lambda.request")``."""
    return _facts("prices")[name].value


def quota(name: str) -> float:
    """Return a quota, such as ``quota("lambda.concurrency")``."""
    return _facts("quotas")[name].value


def all_facts() -> dict[str, Fact]:
    """Return every price and quota by name."""
    return {**_facts("prices"), **_facts("quotas")}


def priced_at() -> str:
    """Say which prices these are: ``us-east-1 prices of 2026-05``."""
    document = _document()
    return f"{document['region']} prices of {document['prices_of']}"


@cache
def _document() -> dict[str, Any]:
    text = resources.files(__package__).joinpath(_FILE).read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text)
    return document


@cache
def _facts(kind: str) -> dict[str, Fact]:
    return {
        name: Fact(
            value=entry["value"] / entry.get("per", 1),
            **{part: entry[part] for part in ("unit", "source", "grade", "date")},
        )
        for name, entry in _document()[kind].items()
    }
