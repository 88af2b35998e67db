"""Prices and quotas of AWS, read from ``aws_facts.json``, with the source and date of each."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any


def price(name: str) -> float:
    """Return a price in USD for one unit, such as ``price("lambda.request")``."""
    return _value("prices", name)


def quota(name: str) -> float:
    """Return a quota, such as ``quota("lambda.concurrency")``."""
    return _value("quotas", name)


def priced_at(region: str | None = None) -> str:
    """Say which prices these are: ``us-east-1 prices of 2026-05``.

    Parameters
    ----------
    region
        Where the stack is, if that is known. Of another region, prices may differ.
    """
    document = _document()
    text = f"{document['region']} prices of {document['prices_of']}"
    if region in (None, document["region"]):
        return text
    return f"{text}, which may differ from those of {region}, where the stack is"


def _value(kind: str, name: str) -> float:
    fact = _document()[kind][name]
    value: float = fact["value"] / fact.get("per", 1)
    return value


@cache
def _document() -> dict[str, Any]:
    text = resources.files(__package__).joinpath("aws_facts.json").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text)
    return document
