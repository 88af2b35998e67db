"""What another schema would do to rows."""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from batchcore.schema import RecordSchema

from batchops.core.errors import InputError
from batchops.planning import what_if
from batchops.planning.what_if import WhatIf, apply_schemas, chunk_files, load_schema

NOW: dict[str, Any] = {
    "type": "object",
    "required": ["id", "size"],
    "properties": {
        "id": {"type": "string", "pattern": "^[a-z]+$"},
        "size": {"type": "string", "enum": ["S", "M"]},
        "note": {"type": "string", "maxLength": 5},
    },
    "x-key": "id",
    "x-enrichment": ["price"],
}


def changed(**rules: dict[str, Any]) -> dict[str, Any]:
    """Return the schema with other rules for some columns."""
    document = copy.deepcopy(NOW)
    for column, rule in rules.items():
        document["properties"][column] |= rule
    return document


def apply(
    text: str,
    then: dict[str, Any],
    *,
    known: Sequence[str] = "abcdefgh",
    asked: list[str] | None = None,
) -> WhatIf:
    """Hold the rows against both schemas; `asked` takes in the keys that are looked up."""
    now = RecordSchema(NOW)

    def known_keys(keys: Sequence[str]) -> list[str]:
        if asked is not None:
            asked.extend(keys)
        return [key for key in keys if key in known]

    return apply_schemas(
        chunk_files(io.BytesIO(text.encode()), now, delimiter=","),
        name="sizes.csv",
        now=now,
        then=load_schema(then),
        delimiter=",",
        known_keys=known_keys,
    )


def counts(found: WhatIf) -> tuple[int, int, int, int]:
    return found.rows, found.newly_rejected, found.newly_accepted, found.rejected_by_both


def test_same_schema_changes_nothing_and_asks_for_no_key() -> None:
    asked: list[str] = []
    found = apply("id,size,note\na,S,\nb,XL,\nc,M,longer\n", NOW, asked=asked)
    assert counts(found) == (3, 0, 0, 2)
    assert found.rules == ()
    assert asked == []


def test_stricter_rule_tells_the_rows_that_it_would_reject() -> None:
    found = apply("id,size,note\na,S,\nb,M,\nc,S,\nd,XL,\n", changed(size={"enum": ["S"]}))
    assert counts(found) == (4, 1, 0, 1)
    assert found.rules == (("size", "enum", 1, 2),)
    (line,) = found.rejected.to_dict(orient="records")
    assert line == {
        "source_row": 3,
        "column": "size",
        "rule": "enum",
        "value": "M",
        "message": "size is not one of S",
        "raw": "b,M,\n",
    }
    assert found.accepted.empty
    assert found.accepted.dtypes.equals(found.rejected.dtypes)


def test_laxer_rule_tells_the_rows_that_it_would_accept_and_what_no_longer_counts() -> None:
    lax = changed(size={"enum": ["S", "M", "XL"]})
    found = apply("id,size,note\na,XL,\nB,XL,\nc,M,\n", lax)
    assert counts(found) == (3, 0, 1, 1)
    assert list(found.accepted["source_row"]) == [2]
    assert list(found.accepted["rule"]) == ["enum"]


def test_row_whose_key_is_unknown_is_rejected_either_way() -> None:
    text = "id,size,note\na,XL,\nb,M,\n"
    lax, strict = changed(size={"enum": ["S", "M", "XL"]}), changed(size={"enum": ["S"]})
    assert counts(apply(text, lax, known="b")) == (2, 0, 0, 1)
    assert counts(apply(text, strict, known="a")) == (2, 0, 0, 2)


def test_only_keys_of_rows_whose_verdict_changes_are_asked_for() -> None:
    asked: list[str] = []
    apply("id,size,note\na,S,\nb,M,\nc,S,\n", changed(size={"enum": ["S"]}), asked=asked)
    assert asked == ["b"]


def test_rows_that_no_schema_can_read_are_rejected_by_both() -> None:
    found = apply("id,size,note\na,S\nb,M,,\nc,S,\n", changed(size={"enum": ["M"]}))
    assert counts(found) == (3, 1, 0, 2)


def test_rows_are_numbered_through_all_chunks() -> None:
    rows = 2 * what_if._CHUNK_ROWS + 10
    text = "id,size,note\n" + "a,S,\n" * rows + "b,M,\n"
    found = apply(text, changed(size={"enum": ["S"]}))
    assert found.rows == rows + 1
    assert list(found.rejected["source_row"]) == [rows + 2]


def test_lines_are_kept_up_to_a_limit_and_counted_beyond() -> None:
    rows = what_if.MAX_LINES + 50
    found = apply("id,size,note\n" + "a,M,\n" * rows, changed(size={"enum": ["S"]}))
    assert found.newly_rejected == rows
    assert len(found.rejected) == what_if.MAX_LINES


def test_column_that_only_the_other_schema_knows_is_judged_by_it() -> None:
    document = changed()
    document["properties"]["colour"] = {"type": "string", "enum": ["red"]}
    found = apply("id,size,note,colour\na,S,,red\nb,S,,blue\n", document)
    assert counts(found) == (2, 1, 0, 0)
    assert found.rules == (("colour", "enum", 0, 1),)


def test_file_that_the_other_schema_would_refuse_is_said_to_be() -> None:
    document = changed()
    document["required"] = ["id", "size", "note"]
    with pytest.raises(InputError, match=r"sizes.csv would be refused as a whole.*'note'"):
        apply("id,size\na,S\n", document)


def test_it_says_what_would_change_rule_by_rule() -> None:
    found = apply("id,size,note\na,S,\nb,M,\n", changed(size={"enum": ["S"]}))
    assert str(found) == (
        "sizes.csv, 2 rows: 1 newly rejected, 0 newly accepted, 0 rejected by both\n"
        "  size: enum: 0 rows now, 1 then"
    )


def test_plain_values_hold_all_that_it_says() -> None:
    found = apply("id,size,note\na,S,\nb,M,\n", changed(size={"enum": ["S"]})).to_dict()
    assert json.loads(json.dumps(found)) == found
    assert found["rules"] == [{"column": "size", "rule": "enum", "now": 0, "then": 1}]
    assert found["rejected"][0]["source_row"] == 3


def test_schema_comes_from_a_document_or_a_file(tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    path.write_text(json.dumps(NOW), encoding="utf-8")
    assert load_schema(path).columns == load_schema(NOW).columns
    assert load_schema(str(path)).key == "id"


@pytest.mark.parametrize("wrong", [{}, {"properties": {"a": {}}, "x-key": "a"}])
def test_schema_that_cannot_be_used_is_an_input_error(wrong: Any) -> None:
    with pytest.raises(InputError, match="fix the schema"):
        load_schema(wrong)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x-key": "size"}, "x-key is 'size' instead of 'id'"),
        ({"x-enrichment": ["price", "place"]}, "x-enrichment has 'place' as well"),
        ({"x-enrichment": ["place"]}, "has 'place' as well; x-enrichment lacks 'price'"),
    ],
)
def test_schema_that_needs_other_reference_data_is_not_judged(
    change: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=f"cannot tell which rows .*{message}, so that"):
        apply("id,size\na,S\n", NOW | change)


def test_order_of_the_enrichment_changes_no_verdict() -> None:
    then = NOW | {"x-enrichment": ["price"], "title": "the same"}
    assert counts(apply("id,size\na,S\nb,XL\n", then)) == (2, 0, 0, 1)
