"""Rows of sales orders that a test writes itself, good ones unless it says otherwise."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from batchops.samples.sample_orders import COLUMNS, ENRICHMENT, enrichment, key_at

HEADER = ",".join(COLUMNS)


def order(place: int = 0, **changes: str) -> list[str]:
    """Return a good row whose key the reference data knows, with some fields changed.

    Names of columns are given with underscores: ``order(1, Item_Type="Snacks")``.
    """
    fields = {
        "uuid": key_at(place),
        "Country": "Kenya",
        "Item Type": "Snacks",
        "Sales Channel": "Online",
        "Order Priority": "M",
        "Order Date": "5/28/10",
        "Region": "Sub-Saharan Africa",
        "Ship Date": "6/1/10",
    }
    fields.update({name.replace("_", " "): value for name, value in changes.items()})
    return list(fields.values())


def to_csv(rows: Iterable[list[str]], *, header: str = HEADER, delimiter: str = ",") -> bytes:
    """Return a file with a header and LF line ends."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return f"{header}\n{text.getvalue()}".encode()


def enriched(line: str, place: int, *, delimiter: str = ",") -> str:
    """Return a row's line as it stands in the completed file."""
    return line + delimiter + delimiter.join(enrichment(key_at(place)))


COMPLETED_HEADER = HEADER + "," + ",".join(ENRICHMENT)
