"""A data set of quite another shape goes through the stack, with no change of code."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from batchcore.csvtext import iter_records
from e2e.jobs import TIMEOUT_S, finished

from batchops.core.errors import InputError
from batchops.core.ledger import ErrorFilter
from batchops.job import Job
from batchops.local.engine import LocalEngine
from batchops.stack import Stack

DATA = Path(__file__).parents[1] / "data"
SCHEMA = DATA / "parts.schema.json"
REFERENCE = DATA / "parts.reference.csv"

# Semicolons, CRLF, umlauts, decimal commas; delimiters, quotes and line ends inside quotes.
PARTS = (
    "Teilenummer;Bezeichnung;Größe;Menge;Prüfdatum;Bemerkung\r\n"
    "T-00001;Sechskantschraube M8;klein;250;03.02.2026;\r\n"
    'T-00002;"Dichtung ""Öl""; NBR";mittel;12,5;29.02.2024;gelagert in Köln\r\n'
    "T-00003;Welle;riesig;zwei;31.04.2026;Rückläufer\r\n"
    "T-99999;Lager;groß;4;01.01.2026;\r\n"
    "X-1;;groß;1;1.1.2026;\r\n"
    'T-00003;"Flansch\r\nzweiteilig";groß;1,125;28.02.2026;"sagt ""ja"", heißt nein"\r\n'
    "T-00001;Mutter;klein;5;03.02.2026\r\n"
)
COMPLETED = (
    "Teilenummer;Bezeichnung;Größe;Menge;Prüfdatum;Bemerkung;Lieferant;Stückpreis\r\n"
    "T-00001;Sechskantschraube M8;klein;250;03.02.2026;;Müller & Söhne GmbH;12,50\r\n"
    'T-00002;"Dichtung ""Öl""; NBR";mittel;12,5;29.02.2024;gelagert in Köln;"Grün; Weiß KG";0,99'
    "\r\n"
    'T-00003;"Flansch\r\nzweiteilig";groß;1,125;28.02.2026;"sagt ""ja"", heißt nein"'
    ';"Walzwerk ""Süd""";1.204,00\r\n'
)
FIXED = 'T-00003;Welle;groß;2;30.04.2026;Rückläufer;"Walzwerk ""Süd""";1.204,00\r\n'
REJECTED = (
    "Teilenummer;Bezeichnung;Größe;Menge;Prüfdatum;Bemerkung;source_row;rules;messages\r\n"
    "T-00003;Welle;riesig;zwei;31.04.2026;Rückläufer;4;"
    '"Größe: enum; Menge: pattern; Prüfdatum: format";'
    '"Größe is not one of klein, mittel, groß; '
    "Menge does not match ^[0-9]{1,6}(,[0-9]{1,3})?$; "
    'Prüfdatum is not a date in the format DD.MM.YYYY"\r\n'
)
ERRORS = [
    (4, "Größe", "enum", "riesig"),
    (4, "Menge", "pattern", "zwei"),
    (4, "Prüfdatum", "format", "31.04.2026"),
    (5, "Teilenummer", "reference", "T-99999"),
    (6, "Bezeichnung", "minLength", ""),
    (6, "Prüfdatum", "format", "1.1.2026"),
    (6, "Teilenummer", "pattern", "X-1"),
    (8, "", "fieldCount", "5"),
]


@pytest.fixture(scope="module")
def stack(engine: LocalEngine) -> Iterator[Stack]:
    stack = Stack("parts", engine=engine)
    stack.deploy(
        schema=SCHEMA, reference_data=REFERENCE, FileDelimiter="semicolon", FileChunkSize=3
    )
    yield stack
    stack.destroy(dry_run=False)


@pytest.fixture(scope="module")
def parts(stack: Stack) -> Job:
    return _run(stack, "Bestände März.csv")


def _run(stack: Stack, name: str, text: str = PARTS) -> Job:
    return finished(stack, text.encode(), name)


def _completed(job: Job, folder: Path, *, rejected: bool = False) -> str:
    return job.download(folder / "result.csv", rejected=rejected).read_bytes().decode()


def test_completed_file_is_the_input_and_the_enrichment_to_the_byte(
    parts: Job, tmp_path: Path
) -> None:
    assert _completed(parts, tmp_path) == COMPLETED
    assert parts.balance(deep=True).holds
    assert len(parts.chunks()) == 3
    assert list(parts.output()["Stückpreis"]) == ["12,50", "0,99", "1.204,00"]


def test_every_broken_rule_is_told_by_row_and_column(parts: Job) -> None:
    found = parts.errors()[["source_row", "column", "rule", "value"]]
    assert list(found.itertuples(index=False, name=None)) == ERRORS


def test_rejects_are_the_bad_rows_with_reasons_in_the_files_own_delimiter(
    parts: Job, tmp_path: Path
) -> None:
    text = _completed(parts, tmp_path, rejected=True)
    assert text.startswith(REJECTED)
    rejects = parts.rejects()
    assert list(rejects["source_row"]) == [4, 5, 6, 8]
    # The row that lacks a field: its reasons stand in their columns all the same.
    assert list(rejects["Prüfdatum"])[-1] == "03.02.2026"
    assert list(rejects["rules"])[-1] == "fieldCount"


def test_plan_foretells_what_comes_of_the_file(stack: Stack, parts: Job) -> None:
    plan = stack.plan(PARTS.encode(), check_keys=True)
    entry = parts.entry()
    assert (plan.rows, plan.chunks, plan.rejected) == (7, 3, 4)
    assert (plan.rows, plan.rejected) == (entry["rowsIn"], entry["rowsRejected"])
    assert plan.errors == len(ERRORS)
    foretold = {(found.column, found.rule): found.rows for found in plan.rules}
    counted = parts.errors().groupby(["column", "rule"])["source_row"].nunique()
    assert foretold == counted.to_dict()


def test_file_of_another_delimiter_is_refused_by_plan_and_by_job(stack: Stack) -> None:
    colons = PARTS.replace(";", ":")
    plan = stack.plan(colons.encode())
    assert "delimited by ':'" in plan.obstacles[0]
    job = finished(stack, colons.encode(), "colons.csv", check=False)
    assert "WrongDelimiterError" in job.status().reason


def test_delimiter_of_a_packed_file_is_taken_by_every_step_and_attempt(
    stack: Stack, tmp_path: Path
) -> None:
    rows = csv.reader(io.StringIO(PARTS, newline=""), delimiter=";")
    text = io.StringIO(newline="")
    csv.writer(text, delimiter="|").writerows(rows)
    data = gzip.compress(text.getvalue().encode())
    plan = stack.plan(data, name="Rohre.csv.gz", check_keys=True)
    assert (plan.rows, plan.rejected, plan.chunks) == (7, 4, 3)
    assert plan.notes[1] == "delimited by '|': the job takes that instead of the stack's ';'"
    job = finished(stack, data, "Rohre.csv.gz")
    assert job.entry()["delimiter"] == "|"
    assert job.balance().holds
    completed = job.download(tmp_path)
    assert completed.name == "Rohre.csv"
    header, first, *_ = completed.read_text(encoding="utf-8").splitlines()
    assert header == COMPLETED.splitlines()[0].replace(";", "|")
    assert first == COMPLETED.splitlines()[1].replace(";", "|")
    job.rerun(everything=True, dry_run=False)
    job.wait(timeout_s=TIMEOUT_S)
    assert job.download(tmp_path / "again").read_bytes() == completed.read_bytes()
    fixed = job.rejects()
    fixed.loc[fixed["source_row"] == 4, ["Größe", "Menge", "Prüfdatum"]] = "groß", "2", "30.04.2026"
    job.repair(fixed[fixed["source_row"] == 4], dry_run=False)
    job.wait(timeout_s=TIMEOUT_S)
    assert FIXED.replace(";", "|").strip() in job.download(tmp_path / "fixed").read_text("utf-8")


def test_column_that_the_schema_does_not_require_may_be_missing(
    stack: Stack, tmp_path: Path
) -> None:
    text = "Menge;Größe;Prüfdatum;Teilenummer;Bezeichnung\r\n7;klein;01.12.2025;T-00001;Öse\r\n"
    job = _run(stack, "ohne Bemerkung.csv", text)
    header, row, _ = _completed(job, tmp_path).split("\r\n")
    assert header == "Menge;Größe;Prüfdatum;Teilenummer;Bezeichnung;Lieferant;Stückpreis"
    assert row == "7;klein;01.12.2025;T-00001;Öse;Müller & Söhne GmbH;12,50"


def test_reasons_name_the_columns_of_this_data(parts: Job) -> None:
    why = parts.why()
    counts = {cause.what: cause.count for cause in why.causes}
    assert counts["validate: Prüfdatum breaks format"] == 2
    assert counts["enrich: Teilenummer breaks reference"] == 1
    assert sum(counts.values()) == len(ERRORS)
    assert "row 4: '31.04.2026'" in str(why)


def test_frames_join_by_row_and_call_the_key_by_its_name(stack: Stack, parts: Job) -> None:
    output, errors = parts.output(source_row=True), parts.errors()
    assert output["source_row"].tolist() == [2, 3, 7]
    assert errors.loc[errors["source_row"] == 5, "Teilenummer"].tolist() == ["T-99999"]
    assert {row for row, *_ in ERRORS} == set(errors["source_row"])
    assert len(parts.rejects().merge(errors, on="source_row")) == len(ERRORS)
    assert stack.outputs["KeyColumn"] == '"Teilenummer"'
    found = parts.duplicates()  # the row that lacks a field has no key that can be told
    assert found.frame().to_dict("list") == {
        "source_row": [4, 7],
        "Teilenummer": ["T-00003", "T-00003"],
    }
    assert stack.plan(PARTS.encode()).duplicates == found
    with pytest.raises(InputError, match="did you mean 'Teilenummer'"):
        parts.error_page(where=ErrorFilter(column="Teilenumer"))


def test_fixed_row_takes_its_place_among_the_others(stack: Stack, tmp_path: Path) -> None:
    job = _run(stack, "Reparatur.csv")
    bad = job.rejects().iloc[[0]]
    fixed = bad.assign(Größe="groß", Menge="2", Prüfdatum="30.04.2026")
    assert job.repair(bad.assign(Größe="groß")).failing == (4,)
    assert job.repair(fixed, dry_run=False).fixed == (4,)
    job.wait(timeout_s=TIMEOUT_S)
    records = [r.decode() for r in iter_records(COMPLETED.encode(), delimiter=";")]
    assert _completed(job, tmp_path) == "".join([*records[:3], FIXED, *records[3:]])
    assert set(job.errors()["source_row"]) == {5, 6, 8}
    assert job.balance(deep=True).holds


def test_later_deployment_keeps_schema_and_reference_data(
    stack: Stack, parts: Job, tmp_path: Path
) -> None:
    stack.deploy(MaxConcurrency=1)
    assert stack.outputs["FileDelimiter"] == "semicolon"
    job = _run(stack, "danach.csv")
    assert _completed(job, tmp_path) == COMPLETED
    assert len(job.errors()) == len(parts.errors())


def test_schema_that_the_kept_reference_data_does_not_fit_is_refused(
    stack: Stack, tmp_path: Path
) -> None:
    changed = tmp_path / "enger.json"
    text = SCHEMA.read_text(encoding="utf-8").replace('"Stückpreis"]', '"Stückpreis", "Rabatt"]')
    changed.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"lacks the columns 'Rabatt'") as caught:
        stack.deploy(schema=changed)
    assert str(changed) in str(caught.value)
    assert stack.status().status.endswith("_COMPLETE")


def test_schema_that_the_shipped_reference_data_does_not_fit_is_refused(
    engine: LocalEngine,
) -> None:
    stack = Stack("never", engine=engine)
    with pytest.raises(InputError, match="reference_data") as caught:
        stack.deploy(schema=SCHEMA)
    assert str(SCHEMA) in str(caught.value)
    assert stack.status().status == "NOT_DEPLOYED"


def test_later_reference_data_is_held_against_the_schema_that_is_kept(
    stack: Stack, tmp_path: Path
) -> None:
    changed = tmp_path / "preise.csv"
    changed.write_text(REFERENCE.read_text(encoding="utf-8").replace("12,50", "13,75"), "utf-8")
    stack.deploy(reference_data=changed)
    job = _run(stack, "teurer.csv")
    assert _completed(job, tmp_path) == COMPLETED.replace("12,50", "13,75")


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("schema", ('"Teilenummer": {', "Teilenummer: {"), "cannot read the schema"),
        ("schema", ('"x-key": "Teilenummer"', '"x-key": "Bemerkung"'), "'x-key' must name"),
        ("schema", ("DD.MM.YYYY", "DD.MM.JJJJ"), "unknown format 'DD.MM.JJJJ'"),
        ("schema", ('["Lieferant", "Stückpreis"]', '["Menge"]'), "'Menge' is in 'properties' too"),
        ("reference", ("Stückpreis", "Preis"), "lacks the columns 'Stückpreis'"),
        ("reference", ("T-00002", "T-2"), "row 3: malformed Teilenummer"),
        ("reference", (',"0,99"', ""), "row 3: too few fields"),
        ("reference", ("Müller", "\udcfc"), "row 2: byte 9 is 0xFC, which is not UTF-8"),
    ],
)
def test_file_that_does_not_fit_is_refused_by_its_name(
    name: str, change: tuple[str, str], says: str, engine: LocalEngine, tmp_path: Path
) -> None:
    files = {"schema": SCHEMA, "reference": REFERENCE}
    text = files[name].read_text(encoding="utf-8")
    assert change[0] in text
    broken = tmp_path / f"falsch {files[name].name}"
    broken.write_text(text.replace(*change, 1), encoding="utf-8", errors="surrogateescape")
    files[name] = broken
    stack = Stack("never", engine=engine)
    with pytest.raises(InputError) as caught:
        stack.deploy(schema=files["schema"], reference_data=files["reference"])
    assert says in str(caught.value)
    assert str(broken) in str(caught.value)
    assert stack.status().status == "NOT_DEPLOYED"
