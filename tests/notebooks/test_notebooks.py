"""Every notebook runs top to bottom, unchanged, on the local engine, and shows what is true."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import nbformat
import pytest
from notebooks.executed import Bench, Executed

from batchops.core.project import checkout_root
from batchops.samples.sample import Sample, make_sample, sample_rows

FOLDER = checkout_root() / "notebooks"
PATHS = sorted(FOLDER.glob("*.ipynb"))
# Those without a number, such as the operations console.
OTHERS = [path.stem for path in PATHS if not path.stem[0].isdigit()]
ROWS = 5_000
BALANCE = "5,000 rows in = 4,850 out + 150 rejected, 150 rows with errors, 9 chunks: holds"


@pytest.fixture(scope="module")
def sample() -> Sample:
    return make_sample(ROWS)


def run(bench: Bench, name: str) -> Executed:
    """Return a notebook that ran without a word on the standard error."""
    executed = bench.run(name)
    assert executed.complaints() == []
    return executed


# ------------------------------------------------------------------- executed, in this order


def test_01_deploys_the_stack_and_shows_what_the_custom_resource_did(bench: Bench) -> None:
    found = run(bench, "01-deploy")
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


def test_02_job_comes_to_what_the_plan_foretells(bench: Bench, sample: Sample) -> None:
    found = run(bench, "02-submit")
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


def test_03_timings_name_every_step_and_three_chunk_sizes(bench: Bench) -> None:
    found = run(bench, "03-timings")
    assert found.plots() == 4
    steps = found.html("job.step_times()")
    for step in ("read", "validate", "enrich", "write", "between steps"):
        assert f"<td>{step}</td>" in steps
    assert "slowest_step" in found.html("job.stragglers(")
    speeds = found.shown('stack.speeds(name="sizes.csv")')
    jobs = [line.split()[2:5] for line in speeds.splitlines() if "sizes-" in line]
    assert jobs == [["2000", "2000", "1"], ["2000", "500", "4"], ["2000", "100", "20"]]
    assert "resources changed" in found.shown("FileChunkSize=usual")


def test_04_errors_are_drawn_tried_against_another_rule_and_mended(
    bench: Bench, sample: Sample
) -> None:
    found = run(bench, "04-errors")
    assert found.plots() == 4
    assert BALANCE in found.html("bo.sample_job(")
    rejected, accepted = what_if_by_hand()
    verdict = found.html("job.what_if(")
    assert f"{rejected:,} newly rejected, {accepted:,} newly accepted" in verdict
    assert "does not match" in found.html("verdict.rejected")
    outcomes = found.shown("repair = job.repair(bad)")
    fixed = [v for v in sample.bad if v.column == "Sales Channel" or v.value == "2010-05-28"]
    only = {v.source_row for v in fixed} - {v.source_row for v in sample.bad if v not in fixed}
    assert re.search(rf"mended +{len(only)}\b", outcomes)
    errors = sum(violation.source_row in only for violation in sample.bad)
    compared = found.html("bo.compare(")
    assert f"fixed: {errors} errors in {len(only)} rows" in compared
    assert "newly broken: 0 errors" in compared
    left = len(sample.bad_rows) - len(only)
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


def test_05_outputs_are_whole_and_regions_are_seven(bench: Bench) -> None:
    found = run(bench, "05-outputs")
    assert BALANCE in found.html("job.balance()")
    assert "2012-07-21" in found.html("typed=True")
    assert "source_row" in found.html("job.rejects()")
    assert "Rows rejected: 150" in found.html("job.email()")
    assert "/completed/orders.csv" in found.shown("job.link(")
    table = found.shown("millions =")
    assert len([line for line in table.splitlines() if re.search(r"0\.\d{3}$", line)]) == 7
    assert "Fruits" in found.html("losses =")
    assert found.plots() == 3


def test_06_failed_chunks_run_again_and_nothing_differs(bench: Bench, sample: Sample) -> None:
    found = run(bench, "06-rerun")
    assert "2 of 9 chunks have no result: 2, 5" in found.html("bo.sample_fault(")
    assert "AccessDenied" in found.html("job.why()")
    assert "2 failed" in found.shown("job.graph()", kind="image/svg+xml")
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


def test_07_function_answers_alike_here_and_where_it_is_deployed(bench: Bench) -> None:
    found = bench.run("07-debug-a-function")
    logged = [output.text for output in found.outputs() if output.get("name") == "stderr"]
    # Here, what a function logs goes to the standard error, and nothing else does.
    assert [json.loads(line)["message"] for line in logged] == ["done", "failed"]
    here = found.shown("event, here=True)")
    rejected = re.findall(r"'rejected': (\d+)", found.shown('invoke("validate-data", event'))
    assert len(rejected) == 2
    assert len(set(rejected)) == 1
    assert "valid/000001.jsonl" in here
    assert re.search(r"NoSuch(Key|Version)\b", found.shown("missing, here=True"))
    assert "validate-data failed with" in found.shown("bo.BatchOpsError")
    events = [path.name for path in (checkout_root() / "events").glob("*.json")]
    assert found.shown("events.glob").split() == sorted(events)
    assert "<td>done</td>" in found.html("stack.logs(")


def test_08_other_data_goes_through_a_stack_of_its_own(bench: Bench) -> None:
    found = run(bench, "08-bring-your-own-file")
    assert "Rejected: 3 rows" in found.html("own.plan(")
    balance = "400 rows in = 397 out + 3 rejected, 3 rows with errors, 4 chunks: holds"
    assert balance in found.html("own.submit(")
    errors = found.html("job.errors()")
    for value in ("31.11.2026", "12,5", "M-9999"):
        assert f"<td>{value}</td>" in errors
    assert "2026-10-31" in found.html("typed=True")
    assert found.plots() == 1
    assert "stack workshop-own is deleted" in found.html("own.destroy(")


def test_09_plans_grow_with_the_file(bench: Bench) -> None:
    found = run(bench, "09-scale-and-cost")
    assert "50,000 rows" in found.html("bo.write_sample(")
    assert found.plots() == 1
    table = found.shown("usd_per_million_rows")
    rows = [line.split()[1:4] for line in table.splitlines()[-3:]]
    assert [each[0] for each in rows] == ["1000", "10000", "50000"]
    assert sorted(rows, key=lambda each: float(each[2])) == rows
    assert "MaxConcurrency" in found.shown("plan.duration.bounds")
    assert "memory for a chunk" in found.html("plan.limits")
    assert "planned" in found.html("job.cost()")


@pytest.mark.parametrize("name", OTHERS)
def test_notebooks_without_a_number_run_as_well(name: str, bench: Bench) -> None:
    run(bench, name)


def test_10_takes_the_stack_away_and_stops_the_engine(bench: Bench) -> None:
    found = run(bench, "10-clean-up")
    assert "would be deleted" in found.html("stack.destroy())")
    assert "stack workshop is deleted" in found.html("dry_run=False")
    assert "NOT_DEPLOYED" in found.html("dry_run=False")
    assert "stopped: True" in found.shown("LocalEngine")


# ----------------------------------------------------------------------------- as they are kept


def code(path: Path) -> list[str]:
    notebook = nbformat.read(path, as_version=4)
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def names(source: str) -> list[str]:
    """Return what a cell assigns to."""
    targets = [node.targets for node in ast.parse(source).body if isinstance(node, ast.Assign)]
    return [target.id for (target,) in targets if isinstance(target, ast.Name)]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_notebook_is_kept_without_outputs_and_can_be_opened(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in cells)
    assert cells[0].metadata.tags == ["parameters"]
    assert notebook.metadata.kernelspec.name == "python3"


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_notebook_is_short_and_defines_no_function(path: Path) -> None:
    cells = code(path)
    assert len(cells) <= 15
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    for source in cells:
        assert not any(isinstance(node, kinds) for node in ast.walk(ast.parse(source)))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_first_cell_is_all_that_aws_takes(path: Path) -> None:
    first, *others = code(path)
    assert names(first)[:3] == ["target", "stack_name", "region"]
    # On AWS the stack wants mail addresses.
    assert names(first)[3:] == (["parameters"] if path.stem == "01-deploy" else [])
    assert not any(set(names(source)) & set(names(first)) for source in others)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_every_link_leads_to_a_notebook(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert [link for link in links if not (FOLDER / link).is_file()] == []


def test_notebooks_are_numbered_from_one_to_ten() -> None:
    numbered = [path.stem for path in PATHS if path.stem not in OTHERS]
    assert [int(name.partition("-")[0]) for name in numbered] == list(range(1, 11))
