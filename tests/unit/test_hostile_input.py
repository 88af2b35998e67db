"""Whatever a file holds, each of its rows ends once, in the output or in the rejects."""

from __future__ import annotations

import csv
import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from batchcore import csvtext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pipeline import Apps, Result, assert_conserved, bad_rows, rows_of, run, run_handlers
from support import HEADER, SCHEMA, Server, financials, row, values_of

from batchops.deployment.settings import shipped_settings
from batchops.planning.scan import scan_file

if TYPE_CHECKING:
    from support import Account, LoadApp

pytestmark = pytest.mark.slow

KEYS = [f"{n:09}" for n in range(1, 6)]
REFERENCE = {key: values_of(key) for key in KEYS}
COLUMNS = HEADER.decode().rstrip().split(",")


@pytest.fixture
def apps(load_app: LoadApp) -> Apps:
    return Apps.load(load_app)


def process(apps: Apps, data: bytes, **options: Any) -> Result:
    """Run a file, hold its results against the law, and return them."""
    result = run(apps, data, REFERENCE, **options)
    if not result.refused:
        delimiter = options.get("delimiter", ",")
        bad = assert_conserved(
            data, result.completed, result.rejects, REFERENCE, delimiter=delimiter
        )
        assert bad == set(bad_rows(data, REFERENCE, delimiter=delimiter))
        assert bad == {record["row"] for record in result.errors}
    return result


# ---------------------------------------------------------------------------- the law

JUNK = st.lists(
    st.sampled_from(
        [
            *(
                b"a",
                b" ",
                b"\xff",
                b"\x00",
                b"\x0b",
                b"\x1c",
                b"\x85",
                b"\xe2\x80\xa8",
                b"\xed\xa0\x80",
            ),
            *(b",", b";", b"\t", b"|", b'"', b'""', b'"q\nr",', b'"x\r\ny"', csvtext.BOM),
            *(b"\n", b"\r\n", b"\r", b"\n\n", b"=1+1", b"\x1b[31m", b"NaN", b"1e999"),
        ]
    ),
    max_size=12,
).map(b"".join)
ODD_TEXT = st.text(
    st.one_of(
        st.sampled_from(',;"\r\n\t|\0\x1b=+-@\u200b\u202e\ufeff\u0661é🐘'),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=8,
)
PLACES = st.sampled_from(range(len(COLUMNS)))
TERMINATORS = st.sampled_from(["\n", "\r\n", "\r"])


@st.composite
def written_rows(draw: st.DrawFn, delimiter: str) -> bytes:
    """A row as csv writes it: good, with one odd value, or a field too few or too many."""
    fields = row(draw(st.sampled_from([*KEYS, "999999999"]))).decode().rstrip().split(",")
    for place in draw(st.lists(PLACES, max_size=2)):
        fields[place] = draw(ODD_TEXT)
    fields += draw(st.sampled_from([[]] * 6 + [[""], ["more"], ["a\nb", "c"]]))
    fields = fields[: draw(st.sampled_from([len(fields)] * 6 + [1, 7]))]
    buffer = io.StringIO(newline="")
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    csv.writer(buffer, delimiter=delimiter, lineterminator="\r\n", quoting=quoting).writerow(fields)
    line = buffer.getvalue().removesuffix("\r\n") + draw(TERMINATORS)
    return line.encode()


@st.composite
def files(draw: st.DrawFn) -> tuple[bytes, str]:
    delimiter = draw(st.sampled_from(",;\t|"))
    names = draw(st.permutations(COLUMNS)) if draw(st.booleans()) else list(COLUMNS)
    names += draw(st.sampled_from([[], [], [""], ["note", "note"], ["=cmd()", "a\nb"]]))
    buffer = io.StringIO(newline="")
    csv.writer(buffer, delimiter=delimiter, lineterminator="\r\n").writerow(names)
    header = buffer.getvalue().removesuffix("\r\n") + draw(TERMINATORS)
    rows = draw(st.lists(st.one_of(written_rows(delimiter), JUNK), max_size=8))
    start = draw(st.sampled_from([b"", csvtext.BOM, b"\r\n\n"]))
    return start + header.encode() + b"".join(rows), delimiter


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(files(), st.integers(1, 5), st.integers(1, 200))
def test_every_row_of_any_file_ends_once(
    apps: Apps, file: tuple[bytes, str], chunk_rows: int, block: int
) -> None:
    data, delimiter = file
    result = process(apps, data, delimiter=delimiter, chunk_rows=chunk_rows, block=block)
    rows = [found for found in rows_of(data.removeprefix(csvtext.BOM), delimiter) if found]
    if result.refused == "NoRowsError":
        assert len(rows) == 1
    elif result.refused:
        assert result.refused == "UnterminatedQuoteError"
        assert rows_of(data + b"\n\x01", delimiter)[-1] != ["\x01"]


# -------------------------------------------------------------------------- the corpus


@dataclass(frozen=True)
class Case:
    """A file, and what comes of it: a named refusal, or the rows that are rejected."""

    data: bytes
    rejected: tuple[int, ...] = ()
    refused: str = ""
    delimiter: str = ","


A, B, C = row(KEYS[0]), row(KEYS[1]), row(KEYS[2])
ABC = HEADER + A + B + C
BOM = csvtext.BOM


def lines(*rows: bytes | str, header: bytes = HEADER) -> bytes:
    """Return a file of the given rows, with a good one before and behind them."""
    encoded = [r.encode() if isinstance(r, str) else r for r in rows]
    return b"".join([header, A, *encoded, B])


def changed(column: str, value: str) -> bytes:
    """Return a good row with another value, quoted, in one column."""
    fields = dict(zip(COLUMNS, A.decode().rstrip().split(","), strict=True))
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow({**fields, column: value}.values())
    return buffer.getvalue().encode()


def widened(count: int) -> bytes:
    """Return a file with `count` columns more."""
    more = b"".join(b",column %d" % n for n in range(count))
    cells = b",x" * count
    return (
        HEADER.rstrip() + more + b"\n" + A.rstrip() + cells + b"\n" + B.rstrip() + cells[2:] + b"\n"
    )


STRUCTURE = {
    "quotes in odd places": Case(lines(changed("Region", '"'), b'1,"2"3,4"5\n'), (4,)),
    "quote never closed": Case(lines(b'1,"2\n'), refused="UnterminatedQuoteError"),
    "lone CR ends a row": Case(lines(C.replace(b"\n", b"\r"), C)),
    "lone CRs throughout": Case(ABC.replace(b"\n", b"\r")),
    "line ends of all kinds": Case(
        HEADER + A.replace(b"\n", b"\r\n") + B.replace(b"\n", b"\r") + C
    ),
    "newlines inside quotes": Case(lines(changed("Region", "a\nb\r\nc\rd\n\n"))),
    "blank lines everywhere": Case(b"\n\r\n" + HEADER + b"\n\n" + A + b"\r\r\n" + B + b"\n\n"),
    "line of spaces": Case(lines(b"   \n"), (3,)),
    "line of delimiters": Case(lines(b",,,,,,,\n", b",\n"), (3, 4)),
    "nothing behind the last row": Case(ABC.rstrip()),
    "NUL bytes in values": Case(
        lines(changed("Region", "a\0b"), changed("uuid", "0000\0" + "0001")), (4,)
    ),
    "row of NUL bytes": Case(lines(b"\0" * 100 + b"\n"), (3,)),
    "field of 1 MB": Case(lines(changed("Region", "x" * 1_000_000), C), (3,)),
    "extra field of 1 MB": Case(
        HEADER.rstrip() + b",note\n" + A.rstrip() + b"," + b"y" * 1_000_000 + b"\n" + B, (3,)
    ),
    "1,000 columns": Case(widened(1_000), (3,)),
    "names twice that do not count": Case(
        HEADER.rstrip() + b",note,note,\n" + A.rstrip() + b",1,2,3\n" + B, (3,)
    ),
    "delimiter at the end of every line": Case(ABC.replace(b"\n", b",\n")),
    "delimiter at the end of the rows alone": Case(HEADER + A.replace(b"\n", b",\n") + B, (2,)),
    "delimiter at the end of the header alone": Case(HEADER.replace(b"\n", b",\n") + A + B, (2, 3)),
    "columns of an earlier rejects file": Case(
        HEADER.rstrip() + b",source_row,rules,messages\n" + A.rstrip() + b',7,"a: b","c"\n' + B,
        (3,),
    ),
    "columns of an earlier result": Case(
        HEADER.rstrip() + b",Units Sold\n" + A.rstrip() + b",1\n" + B, (3,)
    ),
    **{
        f"delimiter {delimiter!r}": Case(
            lines(b"1,2\n").replace(b",", delimiter.encode()), (3,), delimiter=delimiter
        )
        for delimiter in ";\t|~^"
    },
}
ENCODINGS = {
    "UTF-16 with BOM": Case(ABC.decode().encode("utf-16"), refused="Utf16Error"),
    "UTF-16 LE": Case(ABC.decode().encode("utf-16-le"), refused="Utf16Error"),
    "UTF-16 BE": Case(ABC.decode().encode("utf-16-be"), refused="Utf16Error"),
    "UTF-32": Case(ABC.decode().encode("utf-32"), refused="Utf16Error"),
    "UTF-32 without BOM": Case(ABC.decode().encode("utf-32-le"), refused="NotTextError"),
    "UTF-16 behind UTF-8": Case(ABC + C.decode().encode("utf-16-le"), (5, 6)),
    "EBCDIC": Case(ABC.decode().encode("cp037"), refused="NoHeaderError"),
    "Latin-1 among UTF-8": Case(
        lines(changed("Region", "é"), changed("Region", "é").decode().encode("latin-1")), (4,)
    ),
    "Latin-1 with surplus": Case(lines(b'\xe9,"a,b"' * 9 + b"\n"), (3,)),
    "Latin-1 in the header": Case(
        HEADER.rstrip() + b",Stra\xdfe\n" + A.rstrip() + b",x\n" + B.rstrip() + b",\xdf\n", (3,)
    ),
    "BOM": Case(BOM + ABC),
    "BOM and quotes": Case(BOM + b'"uuid"' + ABC.removeprefix(b"uuid")),
    "BOM twice": Case(BOM * 2 + ABC, refused="MissingColumnsError"),
    "BOM inside": Case(lines(BOM + C, C.replace(b"Ghana", BOM + b"Ghana")), (3,)),
    "BOM and blank lines": Case(BOM + b"\n\n" + ABC),
    "surrogates as bytes": Case(lines(changed("Region", "@").replace(b"@", b"\xed\xa0\x80")), (3,)),
    "overlong and cut sequences": Case(
        lines(changed("Region", "@").replace(b"@", b"\xc0\xaf"), b"\xf0\x9f\x90\n"), (3, 4)
    ),
}
HEADERS = {
    "quoted": Case(b",".join(b'"%s"' % name.encode() for name in COLUMNS) + b"\n" + A),
    "text after a closing quote": Case(b'"uuid" x,' + ABC, refused="MalformedHeaderError"),
    "spaces around names": Case(HEADER.replace(b",", b" ,\t") + A),
    "line breaks in another name": Case(
        HEADER.rstrip() + b',"no\nte"\n' + A.rstrip() + b",1\n" + B, (3,)
    ),
    "line break in a name that counts": Case(
        ABC.replace(b"Country", b'"Coun\ntry"'), refused="MissingColumnsError"
    ),
    "line breaks and none of the names": Case(b'a,"b\nc"\n1,2\n', refused="NoHeaderError"),
    "upper case": Case(HEADER.upper() + A, refused="MissingColumnsError"),
    "zero width character": Case(
        ABC.replace(b"uuid", "\u200buuid".encode()), refused="MissingColumnsError"
    ),
    "formula": Case(HEADER.rstrip() + b",=cmd()\n" + A.rstrip() + b",1\n" + B, (3,)),
    "name of 1 MB": Case(b"n" * 1_000_000 + b"," + HEADER + b"," + A + B, (3,)),
    "nothing but 1 MB": Case(b"n" * 1_000_000 + b"\n" + A, refused="NoHeaderError"),
    "name twice": Case(HEADER.rstrip() + b",Region\n" + A, refused="DuplicateColumnsError"),
    "control characters": Case(b"\x1b[31m," + HEADER + b"," + A, refused="NotTextError"),
    "separator line of a spreadsheet": Case(b"sep=,\n" + ABC, refused="NoHeaderError"),
    "JSON": Case(b'{"uuid": 1}\n{"uuid": 2}\n', refused="NoHeaderError"),
    "only NULs": Case(b"\0" * 5_000, refused="NotTextError"),
}
GOOD_REGIONS = (
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "@SUM(1+1)",
    "-2+3",
    "\x1b[2J\x1b[31mred",
    "ok\nERROR forged line of a log",
    "NaN",
    "Infinity",
    "9" * 100,
    "-0",
    "null",
    "\u200b",
    "\u202eright to left",
    "e\u0301 or \u00e9",
    "\U0001f1ec\U0001f1ed",
    "\ufffe\uffff",
    "' OR 1=1 --",
    "${jndi:ldap://x}",
    "{{7*7}}",
    "%s%n",
)
BAD_VALUES = (
    *(("Order Date", text) for text in ("2/30/15", "13/1/15", "0/0/00", "2/29/15", "1/9/2010", "")),
    *(
        ("Order Date", text)
        for text in (" 1/9/10", "1/9/10\n", "\u0661/9/10", "1\u20449/10", "1-9-10")
    ),
    *(
        ("uuid", text)
        for text in ("", "\u0661" * 9, "000000001\n", " 00000001", "+00000001", "1e8")
    ),
    *(("uuid", text) for text in ("00000000\u200b", "9" * 100, "NaN", "\uff10" * 9, "'; --")),
    *(("Order Priority", text) for text in ("h", "H ", "\u041d", "True")),
    *(("Region", text) for text in ("", "x" * 101, "\U0001f418" * 101)),
)
VALUES = {
    "texts that mean something elsewhere": Case(
        lines(*(changed("Region", text) for text in GOOD_REGIONS))
    ),
    "values that only look right": Case(
        HEADER + b"".join(changed(*bad) for bad in BAD_VALUES), tuple(range(2, 2 + len(BAD_VALUES)))
    ),
    "leap day": Case(lines(changed("Ship Date", "2/29/16"), changed("Order Date", "12/31/99"))),
    "shipped before ordered": Case(
        lines(changed("Order Date", "2/29/16"), changed("Ship Date", "12/31/99")), (3, 4)
    ),
}
CORPUS = {
    f"{group}: {name}": case
    for group, cases in {
        "structure": STRUCTURE,
        "encoding": ENCODINGS,
        "header": HEADERS,
        "value": VALUES,
    }.items()
    for name, case in cases.items()
}


@pytest.mark.parametrize("chunk_rows", [1, 600])
def test_each_file_of_the_corpus_ends_as_it_should(apps: Apps, chunk_rows: int) -> None:
    found = {
        name: process(apps, case.data, delimiter=case.delimiter, chunk_rows=chunk_rows)
        for name, case in CORPUS.items()
    }
    assert {name: result.refused for name, result in found.items()} == {
        name: case.refused for name, case in CORPUS.items()
    }
    assert {name: [e["row"] for e in result.errors] for name, result in found.items()} == {
        name: list(case.rejected) for name, case in CORPUS.items()
    }


def test_handlers_make_of_the_corpus_what_their_pure_parts_make_of_it(
    apps: Apps, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Server(financials(REFERENCE)) as api:
        monkeypatch.setenv("AWS_ENDPOINT_URL", api.url)
        for name, case in list(CORPUS.items())[::3]:  # calls of a mocked account take their time
            options: Any = {"delimiter": case.delimiter, "chunk_rows": 20}
            expected = run(apps, case.data, REFERENCE, **options)
            assert run_handlers(apps, account, name, case.data, **options) == expected, name


def test_twenty_files_at_once_are_twenty_jobs_that_do_not_mix(
    apps: Apps, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [lines(changed("Country", f"File {n}"), changed("uuid", f"bad {n}")) for n in range(20)]
    with Server(financials(REFERENCE)) as api, ThreadPoolExecutor(20) as pool:
        monkeypatch.setenv("AWS_ENDPOINT_URL", api.url)

        def process(n: int) -> Result:
            options: Any = {"delimiter": ",", "chunk_rows": 20}
            return run_handlers(apps, account, f"{n}/orders.csv", files[n], **options)

        found = list(pool.map(process, range(20)))
    assert found == [run(apps, data, REFERENCE) for data in files]


def test_record_of_10_mb_is_a_row(apps: Apps) -> None:
    note = b'"' + b"a\n,b " * 2_000_000 + b'"'
    data = HEADER.rstrip() + b",note\n" + A.rstrip() + b"," + note + b"\n" + B
    result = process(apps, data, block=1_000_000)
    assert [record["row"] for record in result.errors] == [3]


@pytest.mark.parametrize("name", CORPUS)
def test_plan_says_the_same_of_the_corpus(name: str) -> None:
    case = CORPUS[name]
    scan = scan_file(
        io.BytesIO(case.data),
        schema=SCHEMA,
        settings=replace(shipped_settings(), delimiter=case.delimiter, chunk_rows=2),
        known_keys=lambda wanted: set(wanted) & set(REFERENCE),
    )
    assert (scan.refusal.error if scan.refusal else "") == case.refused
    if not case.refused:
        assert scan.work.rejected == len(case.rejected)
