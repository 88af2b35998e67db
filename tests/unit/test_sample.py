"""Samples: the same each time, and wrong exactly where they say."""

import calendar
import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import jsonschema_rs
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from batchops.samples import workshop
from batchops.samples.sample import (
    COLUMNS,
    ENRICHMENT,
    KEY,
    KINDS,
    MAX_ROWS,
    ExpectedError,
    key_at,
    make_sample,
    sample_rows,
    write_sample,
)
from batchops.samples.workshop import sample_stack

SOURCE = Path(__file__).parents[2] / "source"
SCHEMA: dict[str, Any] = json.loads((SOURCE / "schema" / "record.schema.json").read_text())
KEY_SPACE = 10**9


def is_short_date(text: str) -> bool:
    match = re.fullmatch(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{2})", text)
    if match is None:
        return False
    month, day, short_year = map(int, match.groups())
    year = short_year + (1900 if short_year >= 69 else 2000)
    return 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]


VALIDATOR = jsonschema_rs.Draft202012Validator(
    SCHEMA, validate_formats=True, formats={"M/D/YY": is_short_date}
)


def parse(data: bytes, delimiter: str = ",") -> list[list[str]]:
    text = io.StringIO(data.decode("utf-8", "surrogateescape"), newline="")
    return list(csv.reader(text, delimiter=delimiter, strict=True))


def keys(reference: bytes) -> set[str]:
    return {row[0] for row in parse(reference)[1:]}


def shipped_before_ordered(record: dict[str, str]) -> set[str]:
    days = []
    for column in ("Ship Date", "Order Date"):
        if not is_short_date(record[column]):
            return set()
        month, day, year = map(int, record[column].split("/"))
        days.append(date(year + (1900 if year >= 69 else 2000), month, day))
    return {record["Ship Date"]} if days[0] < days[1] else set()


def check_record(row: int, fields: list[str], known: set[str]) -> set[ExpectedError]:
    if any("\ud800" <= letter <= "\udfff" for field in fields for letter in field):
        return {ExpectedError(row, "read", "", "encoding", "")}
    if len(fields) != len(COLUMNS):
        return {ExpectedError(row, "read", "", "fieldCount", str(len(fields)))}
    record = dict(zip(COLUMNS, fields, strict=True))
    found = {
        ExpectedError(
            row, "validate", str(error.instance_path[0]), error.kind.name, str(error.instance)
        )
        for error in VALIDATOR.iter_errors(record)
    }
    found |= {
        ExpectedError(row, "validate", "Ship Date", "x-compare", value)
        for value in shipped_before_ordered(record)
    }
    if not found and record[KEY] not in known:
        return {ExpectedError(row, "enrich", KEY, "reference", record[KEY])}
    return found


def check_file(data: bytes, reference: bytes, delimiter: str = ",") -> set[ExpectedError]:
    known = keys(reference)
    found: set[ExpectedError] = set()
    for row, fields in enumerate(parse(data, delimiter)[1:], start=2):
        found |= check_record(row, fields, known)
    return found


# --- the file and its violations -------------------------------------------------------------


def test_columns_are_those_of_the_schema() -> None:
    assert list(COLUMNS) == list(SCHEMA["properties"])
    assert SCHEMA["x-key"] == KEY
    assert list(ENRICHMENT) == SCHEMA["x-enrichment"]
    sample = make_sample(1)
    assert sample.csv.startswith(",".join(SCHEMA["properties"]).encode() + b"\n")
    assert sample.reference.startswith(",".join([KEY, *SCHEMA["x-enrichment"]]).encode() + b"\n")


def test_lines_end_in_lf() -> None:
    sample = make_sample(2_000)
    for data in (sample.csv, sample.reference):
        assert b"\r" not in data
        assert data.endswith(b"\n")


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 200),
    bad_share=st.floats(0, 1),
    seed=st.integers(),
    delimiter=st.sampled_from(",;\t|: /-'"),
    extra=st.integers(0, 20),
)
@example(rows=2_000, bad_share=1, seed=-7, delimiter=",", extra=0)
def test_any_sample_is_wrong_exactly_where_it_says(
    rows: int, bad_share: float, seed: int, delimiter: str, extra: int
) -> None:
    sample = make_sample(
        rows, bad_share=bad_share, seed=seed, delimiter=delimiter, reference_rows=rows + extra
    )
    assert len(parse(sample.csv, delimiter)) == rows + 1
    assert len(sample.bad_rows) == round(rows * bad_share)
    assert len(set(sample.bad)) == len(sample.bad)
    assert set(sample.bad) == check_file(sample.csv, sample.reference, delimiter)


def test_violations_come_in_the_order_of_the_file_and_bad_rows_once() -> None:
    sample = make_sample(1_000, bad_share=0.2)
    rows = [violation.source_row for violation in sample.bad]
    assert rows == sorted(rows)
    assert list(sample.bad_rows) == sorted(set(rows))
    assert len(sample.bad_rows) == 200 < len(rows)


def test_share_may_be_none_or_all() -> None:
    assert make_sample(3_000, bad_share=0).bad == ()
    assert make_sample(500, bad_share=1).bad_rows == tuple(range(2, 502))


@pytest.mark.parametrize(("rows", "bad_share"), [(5_000, 0.03), (len(KINDS) * 10, 0.1)])
def test_every_kind_comes_about_equally_often(rows: int, bad_share: float) -> None:
    counts = Counter(row.kind for row in sample_rows(rows, bad_share=bad_share) if row.kind)
    assert set(counts) == set(KINDS)
    assert sum(counts.values()) == round(rows * bad_share)
    assert max(counts.values()) - min(counts.values()) <= 1


def test_kinds_break_the_rules_that_they_are_there_for() -> None:
    broken: dict[str, set[tuple[str, ...]]] = {}
    for row in sample_rows(2_000, bad_share=1):
        if row.kind:
            rules = tuple(f"{v.stage}:{v.column}:{v.rule}" for v in row.violations)
            broken.setdefault(row.kind, set()).add(rules)
    assert all(len(rules) == 1 for rules in broken.values())
    assert broken["too few fields"] == broken["too many fields"] == {("read::fieldCount",)}
    assert broken["bad encoding"] == {("read::encoding",)}
    assert broken["key unknown"] == {("enrich:uuid:reference",)}
    assert broken["key too long"] == {("validate:uuid:maxLength", "validate:uuid:pattern")}
    assert broken["shipped before ordered"] == {("validate:Ship Date:x-compare",)}
    assert broken["several columns"] == {
        (
            "validate:Sales Channel:enum",
            "validate:Order Priority:enum",
            "validate:Order Date:format",
        )
    }


def test_bad_rows_are_spread_over_the_file_but_for_a_broken_stretch() -> None:
    rows = make_sample(5_000).bad_rows
    stretch = [row for row in rows if 2_942 <= row < 3_042]
    assert len(stretch) == 30
    tenths = Counter((row - 2) // 500 for row in rows if row not in stretch)
    assert len(tenths) == 10
    assert max(tenths.values()) - min(tenths.values()) <= 3


def test_sample_of_the_demo_has_the_counts_that_the_docs_name() -> None:
    sample = make_sample(5_000)
    assert (len(sample.bad_rows), len(sample.bad)) == (150, 179)


# --- what depends on what --------------------------------------------------------------------


def test_seed_decides_which_rows_are_bad_and_nothing_else() -> None:
    one, again, two = (make_sample(1_000, seed=seed) for seed in (1, 1, 2))
    assert one == again
    assert one.bad_rows != two.bad_rows
    assert one.reference == two.reference


def test_larger_sample_begins_with_the_smaller_one() -> None:
    small, large = make_sample(50, bad_share=0), make_sample(500, bad_share=0)
    assert large.csv.startswith(small.csv)
    assert large.reference.startswith(small.reference)


def test_sample_without_bad_rows_is_the_repaired_one() -> None:
    bad, good = make_sample(800, bad_share=0.2), make_sample(800, bad_share=0)
    pairs = enumerate(zip(parse(bad.csv), parse(good.csv), strict=True), start=1)
    assert tuple(row for row, (left, right) in pairs if left != right) == bad.bad_rows


@given(place=st.integers(0, KEY_SPACE - 1))
def test_keys_are_a_permutation(place: int) -> None:
    key = key_at(place)
    assert re.fullmatch("[0-9]{9}", key)
    inverse = pow(618_033_989, -1, KEY_SPACE)
    assert (int(key) - 271_828_183) * inverse % KEY_SPACE == place


def test_some_keys_begin_with_zero() -> None:
    assert any(key_at(place).startswith("0") for place in range(30))


def test_unknown_keys_are_in_no_reference_data() -> None:
    inverse = pow(618_033_989, -1, KEY_SPACE)
    sample = make_sample(2_000, bad_share=0.5)
    unknown = [int(v.value) for v in sample.bad if v.rule == "reference"]
    assert unknown
    assert all((key - 271_828_183) * inverse % KEY_SPACE >= 900_000_000 for key in unknown)


# --- good rows --------------------------------------------------------------------------------


def test_awkward_rows_are_there_and_valid() -> None:
    rows = parse(make_sample(1_000, bad_share=0).csv)[1:]
    countries = {row[1] for row in rows}
    assert {"Korea, Republic of", 'Myanmar ("Burma")', "Côte d'Ivoire", "Türkiye"} <= countries
    assert 0 < sum("\n" in row[6] for row in rows) < 20
    awkward = sum(bool(re.search(r"[^A-Za-z -]", row[1] + row[6])) for row in rows)
    assert 10 < awkward < 60


def test_each_country_has_one_region() -> None:
    rows = parse(make_sample(5_000, bad_share=0).csv)[1:]
    regions = {(row[1], row[6]) for row in rows}
    assert len(regions) == len({country for country, _ in regions}) > 40
    assert ("Kenya", "Sub-Saharan Africa") in regions
    assert len({region.replace("\n", " ") for _, region in regions}) == 7


def test_goods_ship_within_fifty_days_of_the_order() -> None:
    def to_ordinal(text: str) -> int:
        month, day, year = map(int, text.split("/"))
        return date(2000 + year, month, day).toordinal()

    rows = parse(make_sample(3_000, bad_share=0).csv)[1:]
    days = {to_ordinal(row[7]) - to_ordinal(row[5]) for row in rows}
    assert min(days) == 0
    assert 45 < max(days) <= 50
    assert not any(re.search(r"(^|/)0[0-9]*/", row[5]) for row in rows)


def test_orders_peak_late_in_the_year() -> None:
    rows = parse(make_sample(5_000, bad_share=0).csv)[1:]
    months = Counter(row[5].split("/")[0] for row in rows)
    assert months["12"] > 2 * months["1"]


# --- reference data ---------------------------------------------------------------------------


def test_reference_covers_every_good_row_in_order_and_may_hold_more() -> None:
    sample = make_sample(300, bad_share=0)
    reference = [row[0] for row in parse(sample.reference)[1:]]
    assert reference == [row[0] for row in parse(sample.csv)[1:]]
    assert make_sample(10, reference_rows=300).reference == sample.reference


def to_cents(amount: str) -> int:
    assert re.fullmatch(r"-?[0-9]+\.[0-9]{2}", amount)
    return int(amount.replace(".", ""))


def test_amounts_add_up_to_the_cent() -> None:
    for _, units, *amounts in parse(make_sample(3_000).reference)[1:]:
        price, unit_cost, revenue, cost, profit = map(to_cents, amounts)
        assert int(units) >= 1
        assert revenue == int(units) * price
        assert cost == int(units) * unit_cost
        assert profit == revenue - cost


def test_unit_cost_goes_with_the_item_type() -> None:
    sample = make_sample(3_000, bad_share=0)
    orders, reference = parse(sample.csv)[1:], parse(sample.reference)[1:]
    costs = {(order[2], row[3]) for order, row in zip(orders, reference, strict=True)}
    assert len(costs) == len({item for item, _ in costs}) == 12


def test_units_are_skewed_to_small_orders() -> None:
    units = sorted(int(row[1]) for row in parse(make_sample(3_000).reference)[1:])
    assert sum(units) / len(units) > 1.4 * units[len(units) // 2]
    assert units[-1] > 5_000


def test_shipped_reference_data_is_what_the_generator_gives() -> None:
    shipped = (SOURCE / "reference" / "reference.csv").read_bytes()
    assert shipped == make_sample(1_000).reference


# --- files ------------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_streamed_files_equal_those_from_memory(tmp_path: Path, delimiter: str) -> None:
    sample = make_sample(900, bad_share=0.3, seed=9, delimiter=delimiter, reference_rows=950)
    memory = sample.write(tmp_path / "memory")
    streamed = write_sample(
        tmp_path / "new" / "streamed",
        900,
        bad_share=0.3,
        seed=9,
        delimiter=delimiter,
        reference_rows=950,
    )
    assert streamed.orders.read_bytes() == memory.orders.read_bytes() == sample.csv
    assert streamed.reference.read_bytes() == memory.reference.read_bytes() == sample.reference
    assert streamed.expected.read_bytes() == memory.expected.read_bytes()


def test_expected_violations_survive_the_file(tmp_path: Path) -> None:
    sample = make_sample(900, bad_share=0.3)
    head, *lines = parse(sample.write(tmp_path).expected.read_bytes())
    assert head == ["source_row", "stage", "column", "rule", "value"]
    assert tuple(ExpectedError(int(row), *rest) for row, *rest in lines) == sample.bad


def test_files_are_named_as_asked(tmp_path: Path) -> None:
    files = make_sample(3).write(tmp_path, name="März 1.csv")
    assert files.orders == tmp_path / "März 1.csv"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "März 1.csv",
        "expected.csv",
        "reference.csv",
    ]


def test_rows_can_be_taken_from_a_huge_sample_at_once() -> None:
    rows = sample_rows(MAX_ROWS)
    assert [next(rows).source_row for _ in range(3)] == [1, 2, 3]


# --- arguments --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rows": 0}, "rows is 0: give a number from 1"),
        ({"rows": -1}, "rows is -1: give a number from 1"),
        ({"rows": MAX_ROWS + 1}, "rows is 100000001: give a number from 1 to 100,000,000"),
        ({"bad_share": -0.1}, r"bad_share is -0\.1: give a share from 0 to 1"),
        ({"bad_share": 3}, "bad_share is 3: give a share from 0 to 1"),
        ({"bad_share": float("nan")}, "bad_share is nan"),
        ({"reference_rows": 9}, r"reference_rows is 9: give a number from 10"),
        ({"reference_rows": KEY_SPACE}, "reference_rows is 1000000000"),
        ({"delimiter": ""}, "delimiter is '': give one character"),
        ({"delimiter": ",,"}, "delimiter is ',,'"),
        ({"delimiter": '"'}, "delimiter is '\"'"),
        ({"delimiter": "\n"}, "delimiter is "),
        ({"delimiter": "7"}, "delimiter is '7'"),
        ({"delimiter": "é"}, "delimiter is 'é'"),
    ],
)
@pytest.mark.parametrize("maker", ["make", "write"])
def test_arguments_out_of_range_are_refused(
    tmp_path: Path, maker: str, options: dict[str, Any], message: str
) -> None:
    folder = tmp_path / "none"

    def write(rows: int, **others: Any) -> object:
        return write_sample(folder, rows, **others)

    make: Callable[..., object] = write if maker == "write" else make_sample
    with pytest.raises(ValueError, match=message):
        make(**{"rows": 10, **options})
    assert not folder.exists()


@pytest.mark.parametrize("name", ["", ".", "..", "a/b.csv", "reference.csv", "Expected.csv"])
def test_names_that_are_no_free_file_names_are_refused(tmp_path: Path, name: str) -> None:
    sample = make_sample(3)
    with pytest.raises(ValueError, match="give a plain file name"):
        sample.write(tmp_path / "none", name=name)
    with pytest.raises(ValueError, match="give a plain file name"):
        write_sample(tmp_path / "none", 3, name=name)
    assert not (tmp_path / "none").exists()


class Undeployed:
    """A stack that is not there, and what it is deployed with."""

    target = SimpleNamespace(engine=None)

    def __init__(self) -> None:
        self.known_keys: set[str] = set()

    def status(self) -> SimpleNamespace:
        return SimpleNamespace(deployed=False)

    def deploy(self, *, reference_data: Path, **_: object) -> None:
        with reference_data.open(encoding="utf-8", newline="") as file:
            self.known_keys = {row["uuid"] for row in csv.DictReader(file)}


def test_stack_of_the_sample_knows_every_key_of_its_job(tmp_path: Path) -> None:
    # Or the jobs of the notebooks would reject nearly all of their rows.
    stack = Undeployed()
    sample_stack(cast("Any", stack))
    files = make_sample(workshop.ROWS).write(tmp_path)
    with files.reference.open(encoding="utf-8", newline="") as file:
        assert stack.known_keys == {row["uuid"] for row in csv.DictReader(file)}
