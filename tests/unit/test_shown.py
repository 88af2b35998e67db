"""The base of what is shown: one list of blocks gives text, HTML and, by its fields, JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pandas as pd
import pytest

from batchops.plots.axes import make_axes
from batchops.show import markup
from batchops.show.numbers import format_duration
from batchops.show.shown import Block, Shown, plain_values
from batchops.show.tables import frame_html
from batchops.show.terminal import shorten, text_table
from batchops.stack import ShownOutputs


@dataclass(frozen=True)
class Chapter:
    number: int
    pages: tuple[int, ...]


@dataclass(frozen=True)
class Book(Shown):
    """A value with something of everything."""

    _also_in_json = ("length",)

    job_id: str
    chapters: tuple[Chapter, ...]
    frame: Any = field(default=None, repr=False)

    @property
    def length(self) -> int:
        return sum(len(chapter.pages) for chapter in self.chapters)

    def _blocks(self) -> Iterator[Block]:
        yield Block.line(f"book <{self.job_id}>")
        yield Block.facts(f"chapter {chapter.number}" for chapter in self.chapters)
        yield Block.table(("n", "pages"), [(c.number, len(c.pages)) for c in self.chapters])


BOOK = Book("a", (Chapter(1, (1, 2)), Chapter(2, (3,))), frame="left out")


def test_text_has_the_blocks_in_order_facts_indented() -> None:
    assert str(BOOK).splitlines() == [
        "book <a>",
        "  chapter 1",
        "  chapter 2",
        "n  pages",
        "1  2",
        "2  1",
    ]


def test_html_says_the_same_escaped() -> None:
    html = BOOK._repr_html_()
    assert "><p>book &lt;a&gt;</p><ul><li>chapter 1</li><li>chapter 2</li></ul>" in html
    assert html.count("<tr>") == 3


def test_blocks_of_nothing_show_nothing() -> None:
    assert str(Book("a", ())) == "book <a>"
    assert Book("a", ())._repr_html_() == markup.without_formulas("<p>book &lt;a&gt;</p>")


def test_table_can_be_lines_in_text_and_folded_in_html() -> None:
    block = Block.table(("a",), [("x",)], lines=["one line"], folded="1 row")
    assert block.text == "one line"
    assert block.html.startswith("<details><summary>1 row</summary><table>")
    assert Block.table(("a",), [("x",)], lines=[]).text == ""


def test_value_shows_all_that_another_shows() -> None:
    assert Block.value(BOOK) == Block(str(BOOK), BOOK._repr_html_())


def test_json_has_the_fields_by_their_short_names_and_what_is_named_beside() -> None:
    assert BOOK.to_dict() == {
        "job": "a",
        "chapters": [{"number": 1, "pages": [1, 2]}, {"number": 2, "pages": [3]}],
        "length": 3,
    }


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (datetime(2026, 11, 23, tzinfo=UTC), "2026-11-23T00:00:00+00:00"),
        (Path("a/b"), "a/b"),
        ({1: (2, None)}, {"1": [2, None]}),
        (frozenset({"x"}), ["x"]),
        (pd.DataFrame({"n": pd.Series([1, None], dtype="Int64")}), [{"n": 1}, {"n": None}]),
        (BOOK, BOOK.to_dict()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_become_what_json_knows(value: Any, found: Any) -> None:
    assert plain_values(value) == found
    assert json.loads(json.dumps(plain_values(value))) == found


def test_value_that_json_does_not_know_is_refused() -> None:
    with pytest.raises(TypeError, match="no JSON for a complex"):
        plain_values({"number": 1j})


# ------------------------------------------------------------------------------- tables


def test_text_table_wraps_long_cells_and_writes_control_characters_out() -> None:
    table = text_table(("a", "b"), [("\x1b[31mred\n", "word " * 40)])
    lines = table.splitlines()
    assert lines[1].startswith(r"\x1b[31mred\n")
    assert len(lines) > 3
    assert max(map(len, lines)) <= 80
    assert sum(line.count("word") for line in lines) == 40


@pytest.mark.parametrize(
    ("width", "longest"), [(None, 60 + 2 + 60), (100, 100), (60, 60), (20, 22), (1, 22)]
)
def test_text_table_is_narrowed_to_the_terminal(width: int | None, longest: int) -> None:
    table = text_table(("a", "b"), [("w" * 200, "x" * 200)], width=width)
    assert max(map(len, table.splitlines())) == longest
    assert table.count("x") == 200


def test_text_table_that_fits_is_as_wide_as_ever() -> None:
    rows = [("one", "two " * 9)]
    assert text_table(("a", "b"), rows, width=100) == text_table(("a", "b"), rows)


def test_html_table_cuts_what_is_endless() -> None:
    assert len(markup.table(("a",), [("x" * 10_000,)])) < 500


def test_html_table_puts_amounts_to_the_right_and_text_to_the_left() -> None:
    rows = [("a", "1,200", "<0.1 %"), ("b", "", "12 %")]
    document = markup.table(("what", "rows", "share"), rows)
    sides = [part.partition(">")[0] for part in document.split("text-align:")[1:]]
    assert [side.strip('"') for side in sides] == ["left", "right", "right"] * 3


def test_text_is_cut_to_a_length_and_says_so() -> None:
    assert shorten("abcdefgh", 8) == "abcdefgh"
    assert shorten("abcdefghi", 8) == "abcd ..."


# ------------------------------------------------------------------------------ numbers


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (80, "1 min 20 s"),
        (3600, "1 h 00 min"),
        (7500, "2 h 05 min"),
        (86_400_000, "24,000 h 00 min"),
    ],
)
def test_durations_are_said_in_the_units_that_people_use(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_amounts_of_money_are_no_formulas_in_a_notebook() -> None:
    # Nothing that is shown is TeX, and JupyterLab sets what stands between two dollar signs.
    shown = (
        Book("$0.0033 ($0.0032 to $0.0034)", ())._repr_html_(),
        frame_html(pd.DataFrame({"message": ["uuid does not match ^a$ nor ^b$"]})),
        ShownOutputs({"Price": "$1 or $2"}, stack_name="a")._repr_html_(),
        cast("Any", make_axes(None).figure)._repr_html_(),
    )
    for html in shown:
        assert html.startswith('<div class="mathjax_ignore tex2jax_ignore"')
        assert html.endswith("</div>")


def test_what_shows_nothing_has_no_markup() -> None:
    assert markup.without_formulas("") == ""


@pytest.mark.parametrize(
    ("text", "broken"),
    [("a" * 40, False), ("a" * 41, True), ("two words " * 10, False), ("x arn:" + "b" * 40, True)],
)
def test_only_words_that_are_wider_than_a_page_are_broken(text: str, broken: bool) -> None:
    assert ("overflow-wrap:anywhere" in markup.table(("message",), [(text,)])) is broken
