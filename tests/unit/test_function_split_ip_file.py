"""Split Input File: chunks of whole records under the header, or a file that is refused by name."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from batchcore import csvtext, errors, items, keys, sizing, splitting, workflow
from batchcore.errors import TransientError
from batchcore.schema import RecordSchema
from botocore.response import StreamingBody
from botocore.stub import Stubber
from support import BUCKET, HEADER, PARAMETERS, SCHEMA, context, job_event, row

if TYPE_CHECKING:
    from types import ModuleType

    from support import Account, LoadApp

JOB = "orders-000000000001"
KEY = "input/orders.csv"


@pytest.fixture
def app(load_app: LoadApp) -> ModuleType:
    return load_app("split-ip-file")


def rows(count: int) -> list[bytes]:
    return [row(f"{n:09}") for n in range(1, count + 1)]


def split(
    app: ModuleType,
    account: Account,
    data: bytes,
    *,
    key: str = KEY,
    **parameters: Any,
) -> dict[str, Any]:
    version = account.put(key, data)
    event = job_event(
        JOB,
        key=key,
        versionId=version,
        sizeBytes=len(data),
        parameters={**PARAMETERS, "chunkRows": 2, **parameters},
    )
    result: dict[str, Any] = app.lambda_handler(event, context())
    return result


def failure(app: ModuleType, account: Account, data: bytes, **parameters: Any) -> tuple[str, str]:
    """Return the outcome of a file that is refused; nothing may come of it."""
    result = split(app, account, data, **parameters)
    assert keys.manifest(JOB, 1) not in account.keys("jobs/")
    assert account.entry(JOB) == {}
    # The input stays where it is.
    assert account.get(KEY) == data
    return result["failure"]["Error"], result["failure"]["Cause"]


# ------------------------------------------------------------------------------- chunks


def _version(account: Account, key: str) -> str:
    """Return which version of an object is there now."""
    version: str = account.s3.head_object(Bucket=BUCKET, Key=key)["VersionId"]
    return version


def test_chunks_hold_the_records_under_the_header(app: ModuleType, account: Account) -> None:
    lines = rows(5)
    result = split(app, account, HEADER + b"".join(lines))
    assert result.pop("ms") >= 0
    assert result == {"manifestKey": keys.manifest(JOB, 1), "rows": 5, "chunks": 3}
    assert account.get(keys.chunk(JOB, 1)) == HEADER + lines[0] + lines[1]
    assert account.get(keys.chunk(JOB, 2)) == HEADER + lines[2] + lines[3]
    assert account.get(keys.chunk(JOB, 3)) == HEADER + lines[4]


def test_manifest_says_what_each_chunk_holds(app: ModuleType, account: Account) -> None:
    split(app, account, HEADER + b"\n" + b"".join(rows(3)))
    (manifest,) = account.lines(keys.manifest(JOB, 1))
    versions = [_version(account, keys.chunk(JOB, number)) for number in (1, 2)]
    assert manifest == [
        {
            "number": 1,
            "entry": "CHUNK#000001",
            "key": f"jobs/{JOB}/chunks/000001.csv",
            "firstRow": 3,
            "lastRow": 4,
            "rows": 2,
            "sizeBytes": len(HEADER + row() * 2),
            "addedColumns": SCHEMA.added_columns,
            "versionId": versions[0],
        },
        {
            "number": 2,
            "entry": "CHUNK#000002",
            "key": f"jobs/{JOB}/chunks/000002.csv",
            "firstRow": 5,
            "lastRow": 5,
            "rows": 1,
            "sizeBytes": len(HEADER + row()),
            "addedColumns": SCHEMA.added_columns,
            "versionId": versions[1],
        },
    ]


def test_ledger_says_that_the_job_runs(app: ModuleType, account: Account) -> None:
    account.put_entry(JOB, items.JOB_ENTRY, status=workflow.SUBMITTED, key=KEY)
    split(app, account, HEADER + b"".join(rows(3)))
    assert account.entry(JOB) == {
        "jobId": JOB,
        "entry": "JOB",
        "key": KEY,
        "attempt": 1,
        "status": workflow.RUNNING,
        "chunkRows": 2,
        "rowsIn": 3,
        "chunks": 2,
        "manifestKey": keys.manifest(JOB, 1),
        "headers": {
            "output": _version(account, keys.output(JOB, 0)),
            "rejects": _version(account, keys.rejected_piece(JOB, 0)),
        },
    }


def test_ledger_says_what_may_be_wrong_with_the_header_and_forgets_it_with_the_header(
    app: ModuleType, account: Account
) -> None:
    header = HEADER.rstrip() + b",Units Sold\n"
    split(app, account, header + row().rstrip() + b",1\n")
    assert list(account.entry(JOB)["warnings"]) == ["doubledColumns"]
    split(app, account, HEADER + row())
    assert "warnings" not in account.entry(JOB)


def test_rows_in_are_counted_once_however_often_it_runs(
    app: ModuleType, account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        split(app, account, HEADER + b"".join(rows(3)))
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["RowsIn"] == [3.0]


def test_headers_of_the_merged_files_are_their_piece_0(app: ModuleType, account: Account) -> None:
    split(app, account, HEADER + row())
    columns = HEADER.decode().rstrip("\n")
    enrichment = ",".join(SCHEMA.enrichment)
    assert account.get(keys.output(JOB, 0)).decode() == f"{columns},{enrichment}\n"
    assert account.get(keys.rejected_piece(JOB, 0)).decode() == (
        f"{columns},source_row,rules,messages\n"
    )


def test_everything_it_writes_expires(app: ModuleType, account: Account) -> None:
    split(app, account, HEADER + row())
    written = account.keys("jobs/")
    assert len(written) == 4
    assert all(account.tags(key) == {"kind": "intermediate"} for key in written)


def test_repeated_step_writes_the_same(app: ModuleType, account: Account) -> None:
    version = account.put(KEY, HEADER + b"".join(rows(7)))
    event = job_event(JOB, versionId=version, parameters={**PARAMETERS, "chunkRows": 2})
    first = app.lambda_handler(event, context())
    before = _contents(account)
    second = app.lambda_handler(event, context())
    assert _contents(account) == before
    assert {**first, "ms": 0} == {**second, "ms": 0}


def _contents(account: Account) -> dict[str, Any]:
    """Return what lies under the job; of lists of chunks all but which versions they name."""
    found: dict[str, Any] = {key: account.get(key) for key in account.keys("jobs/")}
    for key in found:
        if "/manifest-" in key or "/cut-" in key:
            (chunks,) = account.lines(key)
            listed = chunks["chunks"] if isinstance(chunks, dict) else chunks
            found[key] = [chunk | {"versionId": ""} for chunk in listed]
    return found


def test_more_chunks_than_uploads_in_flight_all_arrive(app: ModuleType, account: Account) -> None:
    lines = rows(60)
    split(app, account, HEADER + b"".join(lines), chunkRows=1)
    chunks = account.keys(f"jobs/{JOB}/chunks/")
    assert [account.get(key) for key in chunks] == [HEADER + line for line in lines]
    (manifest,) = account.lines(keys.manifest(JOB, 1))
    versions = [_version(account, key) for key in chunks]
    assert [chunk["versionId"] for chunk in manifest] == versions


def test_no_version_but_its_own_is_read(app: ModuleType, account: Account) -> None:
    version = account.put(KEY, HEADER + row("111111111"))
    account.put(KEY, HEADER + row("222222222") * 9)
    app.lambda_handler(job_event(JOB, versionId=version), context())
    assert account.get(keys.chunk(JOB, 1)) == HEADER + row("111111111")


@pytest.mark.parametrize("key", ["input/a b+c/Bestellungen März (1).v2.csv", "input/x=1&y=%20.csv"])
def test_file_may_be_called_anything(app: ModuleType, account: Account, key: str) -> None:
    assert split(app, account, HEADER + row(), key=key)["rows"] == 1


# ---------------------------------------------------------------------------- variants


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "^"])
def test_any_delimiter_will_do(app: ModuleType, account: Account, delimiter: str) -> None:
    data = (HEADER + row(Region="a\nb").replace(b"a\nb", b'"a\nb"') + row()).replace(
        b",", delimiter.encode()
    )
    assert split(app, account, data, delimiter=delimiter)["rows"] == 2
    assert account.get(keys.chunk(JOB, 1)) == data
    (header,) = csv.reader(
        io.StringIO(account.get(keys.output(JOB, 0)).decode()), delimiter=delimiter
    )
    assert header == [*SCHEMA.columns, *SCHEMA.enrichment]


def test_bom_stays(app: ModuleType, account: Account) -> None:
    split(app, account, csvtext.BOM + HEADER + b"".join(rows(3)))
    assert account.get(keys.chunk(JOB, 2)) == csvtext.BOM + HEADER + row("000000003")
    assert account.get(keys.output(JOB, 0)).startswith(csvtext.BOM + b"uuid,")
    assert account.get(keys.rejected_piece(JOB, 0)).startswith(csvtext.BOM + b"uuid,")


@pytest.mark.parametrize("terminator", [b"\r\n", b"\r"])
def test_terminator_of_the_header_stays(
    app: ModuleType, account: Account, terminator: bytes
) -> None:
    data = (HEADER + b"".join(rows(2))).replace(b"\n", terminator)
    split(app, account, data)
    assert account.get(keys.chunk(JOB, 1)) == data
    assert account.get(keys.output(JOB, 0)).endswith(b"Total Profit" + terminator)


def test_columns_may_stand_in_another_order_beside_others(
    app: ModuleType, account: Account
) -> None:
    names = ["Note", *reversed(SCHEMA.columns), "Note"]
    data = ",".join(names).encode() + b"\n" + b",".join([b"x"] * len(names)) + b"\n"
    assert split(app, account, data)["rows"] == 1
    assert account.get(keys.output(JOB, 0)).decode().startswith(",".join(names) + ",Units Sold")


def test_header_may_be_latin1_beyond_the_columns_that_count(
    app: ModuleType, account: Account
) -> None:
    data = HEADER.rstrip() + b",Gr\xf6\xdfe\n" + row().rstrip() + b",1\n"
    assert split(app, account, data)["rows"] == 1
    assert b",Gr\xf6\xdfe,Units Sold" in account.get(keys.output(JOB, 0))


def test_file_of_several_blocks_is_split_where_records_end(
    app: ModuleType, account: Account
) -> None:
    lines = [row(f"{n:09}", Country='"Tonga\r\n, Oceania"') for n in range(1, 110_001)]
    data = csvtext.BOM + HEADER + b"".join(lines)
    assert len(data) > 2 * splitting.BLOCK_BYTES
    split(app, account, data, chunkRows=20_000)
    chunks = [account.get(key) for key in account.keys(f"jobs/{JOB}/chunks/")]
    assert [chunk.count(b"Tonga") for chunk in chunks] == [20_000] * 5 + [10_000]
    head = len(csvtext.BOM + HEADER)
    assert b"".join(chunk[head:] for chunk in chunks) == b"".join(lines)


def test_size_of_the_chunks_may_be_left_to_the_file(app: ModuleType, account: Account) -> None:
    data = HEADER + b"".join(rows(10_100))
    split(app, account, data, chunkRows=0)
    (manifest,) = account.lines(keys.manifest(JOB, 1))
    assert [chunk["rows"] for chunk in manifest] == [5_000, 5_000, 100]
    # So that a rerun cuts it alike, and people know.
    assert account.entry(JOB)["chunkRows"] == 5_000


# ---------------------------------------------------------------- a file split in ranges


def in_ranges(
    app: ModuleType, account: Account, monkeypatch: pytest.MonkeyPatch, data: bytes, size: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Go through the phases as the workflow does; return the last result and its event."""
    monkeypatch.setenv("SPLIT_RANGE_BYTES", str(size))
    found = split(app, account, data)
    version = account.s3.head_object(Bucket=BUCKET, Key=KEY)["VersionId"]
    parameters = {**PARAMETERS, "chunkRows": 2}
    event = job_event(JOB, versionId=version, sizeBytes=len(data), parameters=parameters)
    for each, then in (("survey", "number"), ("cut", "collect")):
        if "failure" in found:
            break
        event["split"] = found
        for number in found["ranges"]:
            child = event | {"phase": each, "range": number}
            assert app.lambda_handler(child, context()).keys() == {"ms"}
        found = app.lambda_handler(event | {"phase": then}, context())
    return found, event


LARGE = (
    csvtext.BOM
    + b"\n"
    + HEADER
    + b"\n".join(
        row(f"{n:09}", Country='"Ton\nga, ""x"""' if n % 3 else "Tonga") for n in range(1, 24)
    )
)


@pytest.mark.parametrize("size", [40, 333])
def test_large_file_gives_the_rows_of_a_split_in_one_call(
    app: ModuleType, account: Account, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    whole = split(app, account, LARGE)
    expected = numbered_rows(account)
    names = (keys.output(JOB, 0), keys.rejected_piece(JOB, 0))
    headers = [account.get(key) for key in names]
    found, _ = in_ranges(app, account, monkeypatch, LARGE, size)
    assert (found["manifestKey"], found["rows"]) == (keys.manifest(JOB, 1), whole["rows"])
    assert found["chunks"] >= whole["chunks"]
    assert numbered_rows(account) == expected
    assert [account.get(key) for key in names] == headers
    entry = account.entry(JOB)
    assert (entry["rowsIn"], entry["chunks"], entry["chunkRows"]) == (23, found["chunks"], 2)


def numbered_rows(account: Account) -> list[tuple[int, bytes]]:
    """Return the records of the manifest's chunks with their row numbers."""
    (manifest,) = account.lines(keys.manifest(JOB, 1))
    assert [chunk["number"] for chunk in manifest] == list(range(1, len(manifest) + 1))
    found = []
    for chunk in manifest:
        header, *records = csvtext.iter_records(account.get(chunk["key"]), delimiter=",")
        assert header == csvtext.BOM + HEADER
        numbered = enumerate(records, chunk["firstRow"])
        own = [(n, record.rstrip()) for n, record in numbered if not csvtext.is_blank(record)]
        assert (chunk["rows"], chunk["lastRow"] >= own[-1][0]) == (len(own), True)
        found += own
    return found


def test_repeated_phases_write_the_same(
    app: ModuleType, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_ranges(app, account, monkeypatch, LARGE, 300)
    before = _contents(account)
    in_ranges(app, account, monkeypatch, LARGE, 300)
    assert _contents(account) == before
    assert all(account.tags(key) == {"kind": "intermediate"} for key in before)


@pytest.mark.parametrize("phase", ["survey", "cut"])
def test_version_that_goes_while_its_ranges_are_split_is_an_outcome(
    app: ModuleType, account: Account, monkeypatch: pytest.MonkeyPatch, phase: str
) -> None:
    _, event = in_ranges(app, account, monkeypatch, LARGE, 300)
    account.s3.delete_object(Bucket=BUCKET, Key=KEY, VersionId=event["versionId"])
    if phase == "survey":
        event["split"] = {**event["split"], "ranges": [0, 1, 2]}
    app.lambda_handler(event | {"phase": phase, "range": 1}, context())
    then = {"survey": "number", "cut": "collect"}[phase]
    result = app.lambda_handler(event | {"phase": then}, context())
    assert result["failure"]["Error"] == "InputGoneError"


def test_range_that_is_not_what_was_surveyed_is_an_outcome(
    app: ModuleType, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, event = in_ranges(app, account, monkeypatch, LARGE, 300)
    (cuts,) = account.lines(keys.cuts(JOB, 1))
    cuts[1]["chunks"] += 1
    account.s3.put_object(Bucket=BUCKET, Key=keys.cuts(JOB, 1), Body=json.dumps(cuts))
    app.lambda_handler(event | {"phase": "cut", "range": 1}, context())
    result = app.lambda_handler(event | {"phase": "collect"}, context())
    assert result["failure"]["Error"] == "BalanceError"
    assert "range 1 " in result["failure"]["Cause"]


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (HEADER + row() * 9 + b'2,"open\n' + row() * 9, "UnterminatedQuoteError"),
        (HEADER + b"\n" * 400, "NoRowsError"),
        (HEADER.replace(b",Region", b"").replace(b",", b";") + row() * 9, "WrongDelimiterError"),
    ],
)
def test_large_file_is_refused_as_a_small_one(
    app: ModuleType,
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
    data: bytes,
    error: str,
) -> None:
    expected = failure(app, account, data)
    found, _ = in_ranges(app, account, monkeypatch, data, 150)
    assert (found["failure"]["Error"], found["failure"]["Cause"]) == expected
    assert expected[0] == error
    assert account.entry(JOB) == {}


@pytest.mark.parametrize("ranges", [False, True])
def test_delimiter_that_was_found_is_returned_and_recorded(
    app: ModuleType, account: Account, monkeypatch: pytest.MonkeyPatch, ranges: bool
) -> None:
    data = (HEADER + row() * 9).replace(b",", b";")
    found = split(app, account, data)
    if ranges:
        found, _ = in_ranges(app, account, monkeypatch, data, 150)
    assert (found["delimiter"], found["rows"]) == (";", 9)
    assert account.entry(JOB)["delimiter"] == ";"
    header = HEADER.replace(b",", b";")
    assert account.get(keys.chunk(JOB, 1)).startswith(header + row().replace(b",", b";"))
    assert account.get(keys.rejected_piece(JOB, 0)) == (
        header.rstrip() + b";source_row;rules;messages\n"
    )


def test_packed_file_is_split_in_one_call(
    app: ModuleType, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPLIT_RANGE_BYTES", "10")
    data = gzip.compress(HEADER + row() * 3, mtime=0)
    found = split(app, account, data, key="input/orders.csv.gz")
    assert (found["rows"], found["chunks"]) == (3, 2)
    assert account.get(keys.chunk(JOB, 1)) == HEADER + row() * 2


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(HEADER + row() * 3, mtime=0)[:-4],
        gzip.compress(HEADER + row() * 3, mtime=0) + b"more",
    ],
    ids=["cut off", "more after it"],
)
def test_packed_file_that_is_not_whole_is_an_outcome(
    app: ModuleType, account: Account, data: bytes
) -> None:
    result = split(app, account, data, key="input/orders.csv.gz")
    assert result["failure"]["Error"] == "GzipError"


def _read_all(account: Account) -> tuple[list[Any], list[bytes]]:
    """Return the list of chunks that the ledger names, and the bytes that it names."""
    entry = account.entry(JOB)
    (manifest,) = account.lines(entry["manifestKey"])
    named = [(chunk["key"], chunk["versionId"]) for chunk in manifest]
    named.append((keys.output(JOB, 0), entry["headers"]["output"]))
    named.append((keys.rejected_piece(JOB, 0), entry["headers"]["rejects"]))
    return manifest, [
        account.s3.get_object(Bucket=BUCKET, Key=key, VersionId=version)["Body"].read()
        for key, version in named
    ]


@pytest.mark.parametrize("ended", [True, False])
def test_split_of_an_earlier_attempt_that_goes_on_changes_nothing_of_a_later_one(
    app: ModuleType, account: Account, ended: bool
) -> None:
    """It had chunks of another size, and another delimiter."""
    data = (HEADER + b"".join(rows(5))).replace(b"\n", b",Note;uuid\n")
    event = job_event(JOB, versionId=account.put(KEY, data), sizeBytes=len(data))
    later = {**event, "attempt": 2, "parameters": {**PARAMETERS, "chunkRows": 2}}
    app.lambda_handler(later, context())
    if ended:
        account.put_entry(JOB, items.JOB_ENTRY, status=workflow.SUCCEEDED, endTime="then")
    entry, before = account.entry(JOB), _read_all(account)
    assert [chunk["rows"] for chunk in before[0]] == [2, 2, 1]
    other = {**PARAMETERS, "chunkRows": 3, "delimiter": ";"}
    app.schema = RecordSchema(
        {
            "properties": {"uuid": {"type": "string"}},
            "required": ["uuid"],
            "x-key": "uuid",
            "x-enrichment": ["Price"],
        }
    )
    with pytest.raises(errors.StaleAttemptError):
        app.lambda_handler({**event, "parameters": other}, context())
    # It wrote over the chunks and headers, and its own list of them.
    (manifest,) = account.lines(keys.manifest(JOB, 1))
    assert [chunk["rows"] for chunk in manifest] == [3, 2]
    assert account.get(keys.chunk(JOB, 1)) != before[1][0]
    assert account.get(keys.output(JOB, 0)) != before[1][-2]
    assert account.entry(JOB) == entry
    assert _read_all(account) == before


@pytest.mark.parametrize("phase", ["survey", "number", "cut"])
def test_phase_of_an_earlier_attempt_that_goes_on_changes_nothing_that_a_later_one_reads(
    app: ModuleType, account: Account, monkeypatch: pytest.MonkeyPatch, phase: str
) -> None:
    _, event = in_ranges(app, account, monkeypatch, LARGE, 300)
    begun = {**event, "attempt": 2, "parameters": {**event["parameters"], "chunkRows": 3}}
    split_ = app.lambda_handler(begun, context())
    for each, then in (("survey", "number"), ("cut", "collect")):
        begun["split"] = split_
        for number in split_["ranges"]:
            app.lambda_handler(begun | {"phase": each, "range": number}, context())
        if phase in (each, "number"):
            for number in event["split"]["ranges"]:
                app.lambda_handler(event | {"phase": phase, "range": number}, context())
        split_ = app.lambda_handler(begun | {"phase": then}, context())
    manifest, bodies = _read_all(account)
    assert sum(chunk["rows"] for chunk in manifest) == 23
    read = [len(list(csvtext.iter_records(body, delimiter=","))) - 1 for body in bodies[:-2]]
    blank = [body.count(b"\n\n") for body in bodies[:-2]]
    assert [n - b for n, b in zip(read, blank, strict=True)] == [c["rows"] for c in manifest]


# ------------------------------------------------------------------- files that are refused


def xlsx() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("[Content_Types].xml", "<x/>")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "error", "cause"),
    [
        (b"", "EmptyFileError", "0 bytes"),
        (b"\n\r\n\n", "EmptyFileError", "blank lines"),
        (csvtext.BOM, "EmptyFileError", "blank lines"),
        (HEADER, "NoRowsError", "no rows"),
        (HEADER.rstrip(), "NoRowsError", "no rows"),
        (HEADER + b"\n\n\r\n", "NoRowsError", "no rows"),
        (HEADER.replace(b",Region", b"").replace(b",", b";"), "WrongDelimiterError", "';'"),
        (HEADER.replace(b",", b":") + row(), "WrongDelimiterError", "delimited by ':'"),
        (HEADER.replace(b",Region", b"") + row(), "MissingColumnsError", "'Region'"),
        (HEADER.replace(b"Region", b"region") + row(), "MissingColumnsError", "'Region'"),
        (HEADER.rstrip() + b",Region\n" + row(), "DuplicateColumnsError", "'Region'"),
        (row() * 3, "NoHeaderError", "looks like data"),
        ((HEADER + row()).decode().encode("utf-16"), "Utf16Error", "UTF-16"),
        ((HEADER + row()).decode().encode("utf-16-le"), "Utf16Error", "UTF-16"),
        ((HEADER + row()).decode().encode("utf-16-be"), "Utf16Error", "UTF-16"),
        (b"\x1f\x8b\x08\x00" + bytes(range(256)), "NotTextError", "archive"),
        (b"%PDF-1.7\n" + HEADER, "NotTextError", "not text"),
        (b"PAR1" + bytes(range(250)), "NotTextError", "not text"),
        (b"\x7fELF\x02\x01\x01" + b"\x03\x3e" * 40 + b"\n" + row(), "NotTextError", "not text"),
        (b"\x01\x02\x03" * 9 + b"\n" + row(), "NotTextError", "first row is not text"),
        (HEADER + row() + b'2,"open\n' + row(), "UnterminatedQuoteError", "row 3 "),
        (b'"' + HEADER + row(), "UnterminatedQuoteError", "row 1 "),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else None,
)
def test_file_that_cannot_be_accepted_is_an_outcome_by_name(
    app: ModuleType, account: Account, data: bytes, error: str, cause: str
) -> None:
    name, text = failure(app, account, data)
    assert name == error
    assert cause in text
    assert issubclass(getattr(errors, name), errors.FileError)


@pytest.mark.parametrize(
    "data",
    [xlsx(), b"PAR1" + bytes(100), b"\xd0\xcf\x11\xe0" + bytes(600), b"\x7fELF" + bytes(100)],
    ids=["xlsx", "parquet", "xls", "elf"],
)
def test_binary_file_with_many_nuls_is_not_taken_for_utf16(
    app: ModuleType, account: Account, data: bytes
) -> None:
    assert failure(app, account, data)[0] == "NotTextError"


def test_file_whose_results_could_not_be_stored_is_refused_before_it_is_read(
    app: ModuleType, account: Account
) -> None:
    key = "input/" + "n" * 1_000
    result = app.lambda_handler(job_event(JOB, key=key, versionId="unread"), context())
    assert result["failure"]["Error"] == "NameTooLongError"
    assert account.keys() == []


def test_unclosed_quote_in_a_large_file_names_its_row(app: ModuleType, account: Account) -> None:
    data = HEADER + row() + b'2,"open' + row() * (17 * 1024 * 1024 // len(row()) + 40_000)
    name, text = failure(app, account, data)
    assert name in {"RecordTooLongError", "UnterminatedQuoteError"}
    assert "row 3 " in text


def test_file_with_too_many_chunks_is_refused_before_they_are_uploaded(
    app: ModuleType, account: Account
) -> None:
    beyond = csvtext.SplitChunk(sizing.MAX_CHUNKS + 1, 2, 2, 1, row())
    with pytest.raises(errors.TooManyChunksError, match="a larger FileChunkSize"):
        splitting.upload_chunks(app.s3, job_event(JOB), iter([beyond]), SCHEMA)
    assert account.keys() == []


def test_version_that_is_gone_is_an_outcome(app: ModuleType, account: Account) -> None:
    version = account.put(KEY, HEADER + row())
    account.s3.delete_object(Bucket=BUCKET, Key=KEY, VersionId=version)
    result = app.lambda_handler(job_event(JOB, versionId=version), context())
    assert result["failure"]["Error"] == "InputGoneError"
    assert KEY in result["failure"]["Cause"]


def test_refused_file_puts_no_content_into_the_outcome_beyond_its_header(
    app: ModuleType, account: Account
) -> None:
    _, text = failure(app, account, row(Country="SECRET") * 2)
    assert "SECRET" not in text


@pytest.mark.parametrize("honoured", [True, False])
@pytest.mark.parametrize("end", [None, 7, 10, 12])
def test_range_is_read_also_from_a_server_that_gives_the_whole_object(
    app: ModuleType, monkeypatch: pytest.MonkeyPatch, end: int | None, honoured: bool
) -> None:
    monkeypatch.setattr(splitting, "BLOCK_BYTES", 3)
    data = b"0123456789ab"
    body = data[5:end] if honoured else data
    answer: dict[str, Any] = {"Body": StreamingBody(io.BytesIO(body), len(body))}
    if honoured:
        answer["ContentRange"] = f"bytes 5-{(end or len(data)) - 1}/{len(data)}"
    with Stubber(app.s3) as stub:
        wanted = {"Bucket": BUCKET, "Key": KEY, "VersionId": "v1"}
        wanted["Range"] = f"bytes=5-{'' if end is None else end - 1}"
        stub.add_response("get_object", answer, wanted)
        event = job_event(JOB, key=KEY, versionId="v1")
        assert b"".join(splitting.read_blocks(app.s3, event, 5, end)) == data[5:end]


def test_trouble_of_s3_asks_for_a_retry(app: ModuleType, account: Account) -> None:
    with Stubber(app.s3) as stub:
        stub.add_client_error("get_object", "SlowDown", http_status_code=503)
        with pytest.raises(TransientError):
            app.lambda_handler(job_event(JOB), context())
