"""Every line of the table "bad input, and what it gets" (DESIGN section 8), as a case."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from e2e.inbox import Inbox
from e2e.jobs import TIMEOUT_S, completed, finish_all, finished
from e2e.rows import COMPLETED_HEADER, HEADER, enriched, order, to_csv

from batchops.core.errors import JobFailedError
from batchops.job import Job
from batchops.stack import Stack

GOOD = to_csv([order(0), order(1)])

REFUSED = {
    "empty file": (b"", "EmptyFileError", "0 bytes"),
    "blank lines only": (b"\n\r\n\n", "EmptyFileError", "blank lines"),
    "header only": (HEADER.encode() + b"\n", "NoRowsError", "no rows"),
    "missing columns": (
        GOOD.replace(b"Country,", b"Land,", 1),
        "MissingColumnsError",
        "lacks 'Country'",
    ),
    "wrong delimiter": (
        GOOD.replace(b",", b":"),
        "WrongDelimiterError",
        "delimited by ':'",
    ),
    "not text": (b"PK\x03\x04" + bytes(range(256)) * 8, "NotTextError", "not text"),
    "unterminated quote": (
        GOOD + b'"' + to_csv([order(2)]),
        "UnterminatedQuoteError",
        "row 4",
    ),
    "UTF-16": (GOOD.decode().encode("utf-16"), "Utf16Error", "UTF-16"),
    "no header row": (
        to_csv([order(1), order(2)], header=",".join(order(0))),
        "NoHeaderError",
        "looks like data",
    ),
}


@pytest.fixture(scope="module")
def refused(stack: Stack, inbox: Inbox) -> dict[str, Job]:
    """The inbox was there before them, so it collects their notices."""
    jobs = finish_all(stack, {f"{n}.csv": data for n, (data, *_) in REFUSED.items()}, check=False)
    return dict(zip(REFUSED, jobs.values(), strict=True))


@pytest.mark.parametrize("name", REFUSED)
def test_unacceptable_file_ends_the_job_with_a_named_error_and_stays(
    name: str, refused: dict[str, Job], stack: Stack, bucket: str, inbox: Inbox
) -> None:
    job = refused[name]
    _, error, where = REFUSED[name]
    status = job.status()
    assert status.status == "FAILED"
    assert status.reason.startswith(f"{error}: ")
    assert where in status.reason
    stack.client("s3").head_object(Bucket=bucket, Key=f"input/{name}.csv")
    (notice,) = inbox.about(job.id)
    assert error in notice
    assert len(notice.splitlines()) == 1
    with pytest.raises(JobFailedError, match=error):
        job.output()


def test_name_of_a_file_writes_no_lines_into_the_notice(stack: Stack, inbox: Inbox) -> None:
    # The local engine's IAM matches no name with a line break, so the job fails in any case.
    (job,) = finish_all(stack, {'a\n\nForged: "well".csv': b"\n"}, check=False).values()
    (notice,) = inbox.about(job.id)
    assert len(notice.splitlines()) == 1
    assert r"a\n\nForged: \"well\".csv" in notice


@dataclass(frozen=True)
class Accepted:
    """A file that is accepted, its output, and the (row, column, rule) of each error."""

    data: bytes
    output: bytes
    errors: tuple[tuple[int, str, str], ...] = ()


def _line(row: list[str]) -> str:
    return to_csv([row]).decode().split("\n", 1)[1].rstrip("\n")


def _output(*lines: str, header: str = COMPLETED_HEADER, end: str = "\n") -> bytes:
    return "".join(line + end for line in (header, *lines)).encode()


A, B = _line(order(0)), _line(order(1))
A_OUT, B_OUT = enriched(A, 0), enriched(B, 1)
QUOTED = _line(order(1, Country='Korea, "South"', Region="East\r\nAsia"))

HTML = _line(order(2, Country="<img src=x onerror=alert(1)>", Region='=HYPERLINK("x")'))
LETTERS = _line(order(0, Country="Côte d'Ivoire 🐘", Region="亚洲"))
LONG = f"hello,{A},7,{'x' * 1_000_000}"
BAD_ROWS = (
    f"{A},surplus\n".encode(),
    f"{B}\n".encode(),
    f"{A[:-7]}\n".encode(),
    B.replace("Kenya", "Kenÿa").encode("latin-1") + b"\n",
    *(
        f"{_line(row)}\n".encode()
        for row in (
            order(1, Sales_Channel="Marketplace", Order_Date="2/30/15", Country=""),
            order(1, uuid="999999999"),
            *(order(0), order(0), order(0, Country=""), order(0, Country="")),
        )
    ),
)

# What does not get in each other's way is in one file.
ACCEPTED = {
    "bad rows of all kinds, duplicate rows and keys": Accepted(
        f"{HEADER}\n".encode() + b"".join(BAD_ROWS),
        _output(B_OUT, A_OUT, A_OUT),
        (
            (2, "", "fieldCount"),
            (4, "", "fieldCount"),
            (5, "", "encoding"),
            (6, "Country", "minLength"),
            (6, "Order Date", "format"),
            (6, "Sales Channel", "enum"),
            (6, "Sales Channel", "maxLength"),
            (7, "uuid", "reference"),
            (10, "Country", "minLength"),
            (11, "Country", "minLength"),
        ),
    ),
    "columns in another order": Accepted(
        to_csv(
            [order(0)[::-1], order(1, Region="x" * 101)[::-1]],
            header=",".join(HEADER.split(",")[::-1]),
        ),
        _output(
            enriched(",".join(order(0)[::-1]), 0),
            header=",".join([*HEADER.split(",")[::-1], *COMPLETED_HEADER.split(",")[8:]]),
        ),
        ((3, "Region", "maxLength"),),
    ),
    "extra columns and long rows": Accepted(
        f"note,{HEADER},Ünits,text\n{LONG}\n".encode(),
        _output(
            enriched(LONG, 0),
            header=f"note,{HEADER},Ünits,text,{COMPLETED_HEADER.removeprefix(HEADER + ',')}",
        ),
    ),
    "blank lines": Accepted(
        f"{HEADER}\n\n{A}\n\r\n\n{_line(order(1, Order_Priority='X'))}\n\n\n".encode(),
        _output(A_OUT),
        ((6, "Order Priority", "enum"),),
    ),
    "only bad rows": Accepted(to_csv([order(0, uuid="x")]), _output(), ((2, "uuid", "pattern"),)),
    "quotes, commas, newlines, any UTF-8, HTML in fields, no newline at the end": Accepted(
        f"{HEADER}\n{A}\n{QUOTED}\n{LETTERS}\n{HTML}".encode(),
        _output(A_OUT, enriched(QUOTED, 1), enriched(LETTERS, 0), enriched(HTML, 2)),
    ),
    "BOM and CRLF": Accepted(
        f"\ufeff{HEADER}\r\n{A}\r\n{B}\r\n".encode(),
        b"\xef\xbb\xbf" + _output(A_OUT, B_OUT, end="\r\n"),
    ),
}


@pytest.fixture(scope="module")
def accepted(stack: Stack, inbox: Inbox) -> dict[str, Job]:
    jobs = finish_all(stack, {f"{n}.csv": c.data for n, c in ACCEPTED.items()}, check=False)
    return dict(zip(ACCEPTED, jobs.values(), strict=True))


@pytest.mark.parametrize("name", ACCEPTED)
def test_acceptable_file_keeps_its_bytes_and_loses_only_its_bad_rows(
    name: str, accepted: dict[str, Job]
) -> None:
    job, case = accepted[name], ACCEPTED[name]
    ended = "FAILED" if name == "only bad rows" else "SUCCEEDED"
    assert job.status().status == ended, job.status().reason
    found = job.errors()[["source_row", "column", "rule"]]
    assert tuple(found.itertuples(index=False, name=None)) == case.errors
    assert completed(job) == case.output
    assert job.balance(deep=True).holds
    assert sorted({int(row) for row in job.rejects()["source_row"]}) == sorted(
        {row for row, *_ in case.errors}
    )


def test_job_of_only_bad_rows_fails_by_name_and_is_repaired(
    accepted: dict[str, Job], inbox: Inbox
) -> None:
    job = accepted["only bad rows"]
    status = job.status()
    assert (status.rows_done, status.rows_rejected, status.mail) == (1, 1, "SENT")
    assert status.reason.startswith("TooManyRejectsError: the only row was rejected")
    assert ["TooManyRejectsError" in notice for notice in inbox.about(job.id)] == [True]
    assert job.email().subject == "Failed: only bad rows.csv"
    assert "nothing to rerun" in str(job.rerun(dry_run=False))
    bad = job.rejects()
    bad["uuid"] = order(0)[0]
    assert job.repair(bad, dry_run=False).started
    assert job.wait(timeout_s=TIMEOUT_S).status == "SUCCEEDED"
    assert completed(job) == _output(A_OUT)
    assert job.balance().holds


def test_bad_rows_with_one_key_or_none_are_each_kept(stack: Stack) -> None:
    """Also a row that is the same to the byte as another."""
    bad = [order(0, uuid=""), order(1, uuid=""), order(2, Country=""), order(2, Country="")]
    data = to_csv([*bad, order(2, Order_Priority="X"), order(3)])
    job = finished(stack, data, "keyless.csv")
    found = job.errors()[["source_row", "column", "uuid"]]
    key = order(2)[0]
    assert list(found.itertuples(index=False, name=None)) == [
        (2, "uuid", ""),
        (3, "uuid", ""),
        (4, "Country", key),
        (5, "Country", key),
        (6, "Order Priority", key),
    ]
    assert list(job.rejects()["source_row"]) == [2, 3, 4, 5, 6]
    assert job.balance(deep=True).holds
