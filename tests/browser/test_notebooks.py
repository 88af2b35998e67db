"""Every notebook runs top to bottom, unchanged, on the local engine, and shows what is true.

They run in JupyterLab, in a browser, in their order: what a notebook holds after its run and how
its page looks are two things of one run. Where there is no browser, they run without one, and no
page is looked at.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from browser.desk import Desk, Shown
from browser.executed import Bench, Executed
from browser.required import required_browser

from batchops.core.project import HOME_VARIABLE, checkout_root
from batchops.local.engine import LocalEngine
from batchops.samples.sample import Sample, make_sample, sample_rows
from tools.lab import LIGHT, find_browser, make_home

# Gives a notebook as it is after its run.
Execute = Callable[[str], Executed]

# What they look like: by default the light theme, "JupyterLab Dark" the other.
THEME_VARIABLE = "BATCHOPS_THEME"
ROWS = 5_000
BALANCE = "5,000 rows in = 4,850 out + 150 rejected, 150 rows with errors, 9 chunks: holds"
# Mermaid's text is 16 pixels high: what is smaller than 10 cannot be read.
READABLE = 10 / 16


@dataclass(frozen=True)
class Expected:
    """What a notebook has to show: texts, how many pictures, and what comes after its cells."""

    facts: tuple[str, ...]
    plots: int = 0
    drawings: int = 0
    wait_for: str = ""


# In this order: the first deploys the stack, and the last takes it away.
NOTEBOOKS = {
    "01-deploy": Expected(("nothing stands in the way", "CREATE_COMPLETE", "FinancialTable")),
    "02-submit": Expected(("planned: 150 rejected; job: 150 rejected", BALANCE), drawings=1),
    "03-timings": Expected(("between steps", "resources changed"), plots=4),
    "04-errors": Expected((BALANCE, "newly broken: 0 errors", "Marketplace"), plots=4),
    "05-outputs": Expected((BALANCE, "Rows rejected: 150", "source_row"), plots=3),
    "06-rerun": Expected(("AccessDenied", "same output: True", BALANCE), drawings=1),
    "07-debug-a-function": Expected(("validate-data failed with", "NoSuch", "'rejected': ")),
    "08-bring-your-own-file": Expected(("400 rows in = 397 out + 3 rejected", "M-9999"), plots=1),
    "09-scale-and-cost": Expected(("usd_per_million_rows", "memory for a chunk"), plots=1),
    "operations-console": Expected(
        ("Operations console", "succeeded", "orders.csv"), wait_for="the job has 179"
    ),
    "10-clean-up": Expected(
        ("stack workshop is deleted", "NOT_DEPLOYED", "the emulator is stopped")
    ),
}


@pytest.fixture(scope="module")
def look(request: pytest.FixtureRequest) -> Callable[[str], Shown]:
    """Give a function that runs a notebook in JupyterLab, once, and gives what its page shows."""
    required_browser()
    lab = request.getfixturevalue("lab")
    lab.choose_theme(os.environ.get(THEME_VARIABLE, LIGHT))
    named = (request.getfixturevalue(name) for name in ("context", "screenshots"))
    desk = Desk(lab, *named)

    def look(name: str) -> Shown:
        expected = NOTEBOOKS[name]
        return desk.run(name, drawings=expected.drawings, wait_for=expected.wait_for)

    return look


@pytest.fixture(scope="module")
def execute(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Execute]:
    """Give a function that runs a notebook, once, and gives what it then holds."""
    if find_browser():
        look = request.getfixturevalue("look")
        yield lambda name: look(name).executed
        return
    home = make_home(tmp_path_factory.mktemp("notebooks"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(HOME_VARIABLE, str(home))
        yield Bench(checkout_root() / "notebooks", home).run
    LocalEngine(home / "engine", home).stop()


@pytest.fixture(scope="module")
def sample() -> Sample:
    return make_sample(ROWS)


# ------------------------------------------------------------------------------- what they hold


def run(execute: Execute, name: str) -> Executed:
    """Return a notebook that ran without a word on the standard error."""
    executed = execute(name)
    assert executed.complaints() == []
    return executed


def test_01_deploys_the_stack_and_shows_what_the_custom_resource_did(execute: Execute) -> None:
    found = run(execute, "01-deploy")
    assert "nothing stands in the way" in found.html("stack.doctor()")
    assert "<svg" in found.shown("architecture.svg", kind="image/svg+xml")
    assert "stack workshop would be created" in found.html("stack.preview(")
    deployed = found.html("stack.deploy(")
    assert "CREATE_COMPLETE" in deployed
    assert "resources changed" in deployed
    assert "s3-lambda-notification" in found.shown("notification_configuration")
    assert f"{ROWS} items in the first page" in found.shown("dynamodb.scan")
    assert "AWS::Lambda::Function" in found.shown("value_counts")
    assert "<td" in found.html("stack.status()")
    assert "CREATE_COMPLETE" in found.html("stack.status()")


def test_02_job_comes_to_what_the_plan_foretells(execute: Execute, sample: Sample) -> None:
    found = run(execute, "02-submit")
    assert sample.csv.decode("utf-8", "replace").splitlines()[1] in found.shown("read_text")
    bad = len(sample.bad_rows)
    assert f"{bad:,} rows" in found.html("stack.plan(")
    assert f"planned: {bad:,} rejected; job: {bad:,} rejected" in found.shown("plan.rejected")
    assert "succeeded" in found.html("job.watch(")
    assert "9 done" in found.html("job.watch(")
    assert BALANCE in found.html("job.balance()")
    assert "Split Input File" in found.shown("job.graph()", kind="image/svg+xml")
    assert "flowchart" in found.shown("job.graph()", kind="text/vnd.mermaid")
    assert "Merge all Files" in found.html("job.steps()")
    assert "orders.csv" in found.html("stack.jobs(")


def test_03_timings_name_every_step_and_three_chunk_sizes(execute: Execute) -> None:
    found = run(execute, "03-timings")
    assert found.plots() == 4
    steps = found.html("job.step_times()")
    for step in ("read", "validate", "enrich", "write", "between steps"):
        assert f"<td>{step}</td>" in steps
    assert "slowest_step" in found.html("job.stragglers(")
    chunk = found.html("job.chunk(1)")
    for part in ("rows 2 to 601 of the file", "/chunks/000001.csv", "/output/000001.csv", "log, "):
        assert part in chunk
    speeds = found.shown('stack.speeds(name="sizes.csv")')
    jobs = [line.split()[2:5] for line in speeds.splitlines() if "sizes-" in line]
    sizes = [["5000", "2500", "2"], ["5000", "1000", "5"], ["5000", "250", "20"]]
    assert jobs == [size for size in sizes for _ in range(3)]
    assert "resources changed" in found.shown("FileChunkSize=usual")


def test_04_errors_are_drawn_tried_against_another_rule_and_fixed(
    execute: Execute, sample: Sample
) -> None:
    found = run(execute, "04-errors")
    assert found.plots() == 4
    assert BALANCE in found.html("bo.sample_job(")
    rejected, accepted = what_if_by_hand()
    verdict = found.html("job.what_if(")
    assert f"{rejected:,} newly rejected, {accepted:,} newly accepted" in verdict
    assert "does not match" in found.html("verdict.rejected")
    outcomes = found.shown("repair = job.repair(bad)")
    fixed = [v for v in sample.bad if v.column == "Sales Channel" or v.value == "2018-02-28"]
    only = {v.source_row for v in fixed} - {v.source_row for v in sample.bad if v not in fixed}
    assert re.search(rf"fixed +{len(only)}\b", outcomes)
    assert "Marketplace" in found.html("repair.changes_frame()")
    errors = sum(violation.source_row in only for violation in sample.bad)
    compared = found.html("bo.compare(")
    assert f"fixed: {errors} errors in {len(only)} rows" in compared
    assert "newly broken: 0 errors" in compared
    left = len(sample.bad_rows) - len(only)
    workbook = found.shown("job.rejects_workbook(")
    assert re.search(rf"{left} rejected rows? stored as data/orders-\w+/rejects\.xlsx", workbook)
    assert re.search(rf"unchanged +{left}\b", workbook)
    assert f"{left} rows in = {left} out + 0 rejected" in found.html("again.balance()")


def what_if_by_hand() -> tuple[int, int]:
    """Return which rows the notebook's schema changes, counted without any of the stack's code."""
    rejected = accepted = 0
    for row in list(sample_rows(ROWS))[1:]:
        broken = {(v.column, v.value) for v in row.violations}
        parted = b"\n" in row.line.rstrip(b"\n")  # the sample breaks lines in regions only
        rejected += not broken and parted
        accepted += broken == {("Sales Channel", "Retail")} and not parted
    return rejected, accepted


def test_05_outputs_are_whole_and_regions_are_seven(execute: Execute) -> None:
    found = run(execute, "05-outputs")
    assert BALANCE in found.html("job.balance()")
    assert "2012-07-21" in found.html("typed=True")
    assert "source_row" in found.html("job.rejects()")
    assert "Rows rejected: 150" in found.html("job.email()")
    assert "/completed/orders.csv" in found.shown("job.link(")
    table = found.shown("millions =")
    assert len([line for line in table.splitlines() if re.search(r"0\.\d{3}$", line)]) == 7
    margins = found.shown("items =").splitlines()
    assert next(line for line in margins if re.search(r"0\.\d", line)).startswith("Fruits")
    assert found.plots() == 3
    assert "is stored as data/report.html" in found.html("job.report(")


def test_06_failed_chunks_run_again_and_nothing_differs(execute: Execute, sample: Sample) -> None:
    found = run(execute, "06-rerun")
    assert "2 of 9 chunks have no result: 2, 5" in found.html("bo.sample_fault(")
    assert "AccessDenied" in found.html("job.why()")
    assert "2 failed" in found.shown("job.graph()", kind="image/svg+xml")
    assert "failed in Read File" in found.html("job.chunk(2)")
    assert "Traceback" in found.shown('stack.logs("read-file"')
    assert "explicit deny" in found.shown('stack.logs("read-file"')
    assert "reuses results: 7 chunks" in found.html("job.rerun()")
    assert "succeeded" in found.html("job.rerun(dry_run=False)")
    assert "rerun" in found.html("job.lineage()")
    same = f"same: {len(sample.bad)} errors in {len(sample.bad_rows)} rows"
    compared = found.html("bo.compare(")
    assert same in compared
    assert compared.count(": 0 errors in 0 rows") == 2
    assert "same output: True" in found.shown("undisturbed.output()")
    assert BALANCE in found.html("undisturbed.output()")


def test_07_function_answers_alike_here_and_where_it_is_deployed(execute: Execute) -> None:
    found = execute("07-debug-a-function")
    logged = [output.text for output in found.outputs() if output.get("name") == "stderr"]
    # Here, what a function logs goes to the standard error, and nothing else does.
    assert [json.loads(line)["message"] for line in logged] == ["done", "failed"]
    here = found.shown("event, here=True)")
    rejected = re.findall(r"'rejected': (\d+)", found.shown('invoke("validate-data", event'))
    assert len(rejected) == 2
    assert len(set(rejected)) == 1
    assert "valid/000003.json" in here
    assert re.search(r"NoSuch(Key|Version)\b", found.shown("missing, here=True"))
    assert "validate-data failed with" in found.shown("bo.BatchOpsError")
    events = [path.name for path in (checkout_root() / "events").glob("*.json")]
    assert found.shown("events.glob").split() == sorted(events)
    assert "<td>done</td>" in found.html("stack.logs(")


def test_08_other_data_goes_through_a_stack_of_its_own(execute: Execute) -> None:
    found = run(execute, "08-bring-your-own-file")
    assert "399 of 400 values are integers" in found.html("bo.infer_schema(")
    assert "the key" in found.html("bo.explain_schema(")
    assert "400 rows, 2 rejected" in found.html("bo.check_schema_file(")
    assert "rejected: 3 rows" in found.html("own.plan(")
    balance = "400 rows in = 397 out + 3 rejected, 3 rows with errors, 4 chunks: holds"
    assert balance in found.html("own.submit(")
    errors = found.html("job.errors()")
    for value in ("31.09.2026", "n/a", "M-9999"):
        assert f"<td>{value}</td>" in errors
    assert "2026-09-01" in found.html("typed=True")
    assert found.plots() == 1
    assert "stack workshop-own is deleted" in found.html("own.destroy(")


def test_09_plans_grow_with_the_file(execute: Execute) -> None:
    found = run(execute, "09-scale-and-cost")
    assert "50,000 rows" in found.html("bo.write_sample(")
    assert found.plots() == 1
    table = found.shown("usd_per_million_rows")
    rows = [line.split()[1:4] for line in table.splitlines()[-3:]]
    assert [each[0] for each in rows] == ["1000", "10000", "50000"]
    assert sorted(rows, key=lambda each: float(each[2])) == rows
    assert "MaxConcurrency" in found.shown("plan.duration.bounds")
    assert "memory for a chunk" in found.html("plan.limits")
    assert "planned" in found.html("job.cost()")


def test_operations_console_runs_as_well(execute: Execute) -> None:
    run(execute, "operations-console")


def test_10_takes_the_stack_away_and_stops_the_engine(execute: Execute) -> None:
    found = run(execute, "10-clean-up")
    assert "would be deleted" in found.html("stack.destroy())")
    assert "stack workshop is deleted" in found.html("dry_run=False")
    assert "NOT_DEPLOYED" in found.shown("dry_run=False")
    assert "the emulator is stopped" in found.shown("LocalEngine")


# ------------------------------------------------------------------------------- how they look


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_runs_and_is_whole_in_jupyterlab(name: str, look: Callable[[str], Shown]) -> None:
    expected = NOTEBOOKS[name]
    shown = look(name)
    assert wrong_with(shown, name) == []
    assert [fact for fact in expected.facts if fact not in shown.text] == []
    assert (shown.plots, len(shown.drawings)) == (expected.plots, expected.drawings)
    assert all(scale >= READABLE for scale in shown.drawings), shown.drawings
    assert bool(shown.widgets) == (name == "operations-console")
    assert shown.picture.stat().st_size > 0


def wrong_with(shown: Shown, name: str) -> list[str]:
    """Return what nobody should see, and what should be seen and is not."""
    # There, what a function logs goes to the standard error, a line a call.
    logged = [text for text in shown.wrong if name.startswith("07") and '"level":' in text]
    found = [text for text in shown.wrong if text not in logged]
    for what in ("Error displaying widget", "Javascript Error"):
        found += [what] * (what in shown.text)
    found += [f"{shown.unrun} cells did not run"] * bool(shown.unrun)
    return [*found, *shown.cut, *shown.dialogs, *shown.console]


def test_every_notebook_is_looked_at() -> None:
    paths = (checkout_root() / "notebooks").glob("*.ipynb")
    assert sorted(NOTEBOOKS) == sorted(path.stem for path in paths)
