"""Rows with the same key are found, named by row, whatever the size of the file."""

from __future__ import annotations

from collections import defaultdict
from contextlib import closing

from hypothesis import given
from hypothesis import strategies as st
from support import HEADER, SCHEMA, row

from batchops.deployment.settings import shipped_settings
from batchops.inspection.duplicates import Duplicates, KeyRow, KeyRows
from batchops.planning.plan import Plan
from batchops.planning.planner import plan_file


def found(*chunks: list[str], limit: int = 100, part_hashes: int = 1_000) -> Duplicates:
    """Return the duplicates of keys that stand in the rows from 2 on, in chunks."""
    number = 2
    with closing(KeyRows("id", part_hashes=part_hashes)) as keys:
        for chunk in chunks:
            keys.add(zip(range(number, number + len(chunk)), chunk, strict=True))
            number += len(chunk)
        return keys.find(limit=limit)


def plan(*rows: bytes) -> Plan:
    return plan_file(HEADER + b"".join(rows), schema=SCHEMA, settings=shipped_settings())


def test_rows_of_a_key_are_named_in_the_order_of_its_first_row() -> None:
    assert found(["b", "a", "c"], ["a", "b", "a"]) == Duplicates(
        "id",
        2,
        5,
        tuple(KeyRow(*each) for each in [("b", 2), ("b", 6), ("a", 3), ("a", 5), ("a", 7)]),
    )


def test_keys_are_compared_letter_by_letter_and_empty_ones_not_at_all() -> None:
    assert found(["a", "A", "a ", "\u00e9", "e\u0301", "7", "07", "", "", "a\0"]).keys == 0


@given(
    st.lists(st.lists(st.sampled_from(["a", "b", "c", "d", "", "\u20ac\n", "\0"]), max_size=9)),
    st.integers(1, 30),
    st.integers(1, 5),
)
def test_duplicates_are_those_found_by_hand(
    chunks: list[list[str]], limit: int, part_hashes: int
) -> None:
    rows: dict[str, list[int]] = defaultdict(list)
    for number, key in enumerate((key for chunk in chunks for key in chunk), 2):
        rows[key].append(number)
    twice = {key: where for key, where in rows.items() if key and len(where) > 1}
    named = [KeyRow(k, n) for k, where in sorted(twice.items(), key=lambda i: i[1]) for n in where]
    assert found(*chunks, limit=limit, part_hashes=part_hashes) == Duplicates(
        "id", len(twice), sum(map(len, twice.values())), tuple(named[:limit])
    )


def test_empty_keys_are_none() -> None:
    with closing(KeyRows("id")) as keys:
        keys.add([(2, ""), (3, "a")])
        keys.add([(4, "")])
        keys.add([])
        assert keys.find().keys == 0


def test_frame_has_a_row_number_that_joins_and_the_key_s_own_name() -> None:
    frame = found(["a", "b", "a"]).frame()
    assert frame.to_dict("list") == {"source_row": [2, 4], "id": ["a", "a"]}
    assert found(["a"]).frame().dtypes.astype("str").to_dict() == {
        "source_row": "int64",
        "id": "str",
    }


def test_text_names_keys_and_rows_and_cuts_both() -> None:
    assert str(found(["a"])) == "every key in 'id' stands in one row only"
    text = str(found([f"k{n % 30}" for n in range(60)], ["k0"] * 20))
    assert text.splitlines()[0].startswith(
        "30 keys stand in more than one row of 'id', 80 rows in all: 'k0' in rows 2, 32, 62"
    )
    assert "and 12 more" in text.splitlines()[0]
    assert text.splitlines()[-1] == "  and 10 keys more"
    assert "\x1b" not in str(found(["\x1b[31m"] * 2))


# ------------------------------------------------------------------------------------ plan


def test_plan_names_rows_with_the_same_key_accepted_or_not() -> None:
    given = plan(
        row("271828183"), row("314159265"), row("271828183", Country=""), row("", Country="")
    )
    assert given.duplicates == Duplicates(
        "uuid", 1, 2, (KeyRow("271828183", 2), KeyRow("271828183", 4))
    )
    assert given.can_succeed
    note = (
        "note: 1 key stands in more than one row of 'uuid', 2 rows in all: '271828183' in rows 2, 4"
    )
    assert note in str(given)
    assert given.to_dict()["duplicates"]["named"][1] == {"key": "271828183", "source_row": 4}


def test_plan_without_duplicates_says_nothing_of_them() -> None:
    given = plan(row("271828183"), row("314159265"))
    assert given.duplicates == Duplicates("uuid", 0, 0, ())
    assert "more than one row" not in str(given)


def test_refused_file_has_no_duplicates() -> None:
    given = plan_file(b"", schema=SCHEMA, settings=shipped_settings())
    assert given.duplicates is None
