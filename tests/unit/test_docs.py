"""The documentation speaks of what there is, and of all of it."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import fields
from datetime import date
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

import click
import pytest
from batchcore import workflow
from packaging.version import Version
from support import TEMPLATE

import batchops
from batchops.cli import main
from batchops.core import errors
from batchops.deployment.deletion import Destruction
from batchops.deployment.deploy import Deployment
from batchops.deployment.drift import Drift
from batchops.deployment.holdings import Holdings
from batchops.deployment.stack_status import StackStatus
from batchops.inspection import frames
from batchops.inspection.balance import Balance
from batchops.inspection.checks import Check, Diagnosis
from batchops.inspection.chunk_detail import ChunkDetail
from batchops.inspection.email import Email
from batchops.inspection.report import JobReport
from batchops.inspection.status import JobStatus
from batchops.inspection.steps import steps_frame
from batchops.inspection.why import Cause, Why
from batchops.planning.actual_cost import CostComparison
from batchops.planning.cost import Cost
from batchops.planning.schema_draft import Note, SchemaDraft
from batchops.planning.schema_explain import ColumnExplanation, SchemaExplanation
from batchops.planning.schema_report import HeldAgainst, Mistake, SchemaReport
from batchops.planning.what_if import WhatIf
from batchops.recovery.purge import Purge
from batchops.recovery.reconcile import Reconciliation
from batchops.recovery.redelivery import Redelivery, WaitingUpload
from batchops.recovery.rerun_plan import RerunPlan
from batchops.recovery.stopping import Stopped
from tools.pictures import NOTEBOOKS

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(batchops.__file__).parents[1]
DOCS = ROOT / "docs"
ERRORS = {
    name
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, errors.BatchOpsError)
}
PAGES = [*sorted(DOCS.rglob("*.md")), ROOT / "README.md"]


def commands(group: click.Group, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield each verb as it is typed, and its command."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


COMMANDS = dict(commands(main))


@cache
def sections() -> dict[str, str]:
    """Return what docs/cli.md says of each verb."""
    _, *parts = re.split(r"^#{2,3} (.+)\n", (DOCS / "cli.md").read_text(), flags=re.MULTILINE)
    verbs = re.findall(r"^### (.+)$", (DOCS / "cli.md").read_text(), flags=re.MULTILINE)
    said = dict(zip(parts[::2], parts[1::2], strict=True))
    return {verb: said[verb] for verb in verbs}


def options(verb: str) -> set[str]:
    """Return the long options of a verb."""
    params = COMMANDS[verb].params
    found = {text for param in params for text in (*param.opts, *param.secondary_opts)}
    return {text for text in found if text.startswith("--")}


def document(verb: str) -> Any:
    """Return the shape of the JSON that docs/cli.md gives for a verb; None where it gives none."""
    found = re.findall(r"^```json\n(.+?)^```", sections().get(verb, ""), re.MULTILINE | re.DOTALL)
    return json.loads(found[0]) if found else None


def keys(shape: Any) -> set[str]:
    """Return the keys of an object, or of each object in a list."""
    return set(shape[0] if isinstance(shape, list) else shape)


def names(kind: Any) -> set[str]:
    """Return the names of a dataclass's fields."""
    return {field.name for field in fields(kind)}


def shown(kind: Any) -> set[str]:
    """Return the fields that scripts see, as they see them: a job is ``job``, a stack ``stack``."""
    short = {"job_id": "job", "stack_name": "stack"}
    return {short.get(field.name, field.name) for field in fields(kind) if field.repr}


def test_every_verb_is_described_and_no_other() -> None:
    headings = re.findall(r"^### (.+)$", (DOCS / "cli.md").read_text(), flags=re.MULTILINE)
    assert sorted(headings) == sorted(COMMANDS)


@pytest.mark.parametrize("verb", COMMANDS)
def test_every_option_of_a_verb_is_described_and_no_other(verb: str) -> None:
    usage = sections()[verb].split("```json")[0]
    # Behind the shape of its JSON a section may speak of other verbs, and what they take.
    mentioned = set(re.findall(r"--[a-z][a-z-]*", usage))
    everywhere = {"--json", "--help"}
    assert mentioned - everywhere == options(verb) - everywhere


@pytest.mark.parametrize("verb", COMMANDS)
def test_verbs_with_json_have_its_shape_described(verb: str) -> None:
    described = document(verb) is not None
    # What a function gets and returns is the function's own.
    assert described == ("--json" in options(verb) and verb not in ("event", "invoke"))


@pytest.mark.parametrize(
    ("verb", "wanted"),
    [
        ("balance", names(Balance) | {"holds"}),
        ("deploy", names(Deployment)),
        ("destroy", shown(Destruction)),
        ("drift", shown(Drift) | {"in_sync"}),
        ("email", names(Email)),
        ("reconcile", names(Reconciliation)),
        ("purge", names(Purge)),
        ("redeliver", names(Redelivery)),
        ("rerun", shown(RerunPlan) | {"needed"}),
        ("show", names(JobStatus) | {"job"}),
        ("status", shown(StackStatus)),
        ("stop", shown(Stopped)),
        ("wait", names(JobStatus) | {"job"}),
        ("watch", names(JobStatus) | {"job"}),
        ("why", set(Why("a", "FAILED", ()).to_dict())),
        ("what-if", names(WhatIf)),
        ("schema check", names(SchemaReport) | {"ok"}),
        ("schema explain", names(SchemaExplanation)),
        ("schema infer", names(SchemaDraft)),
        ("doctor", set(Diagnosis("a", ()).to_dict())),
        ("cost", set(CostComparison(*[Cost((), 0, 0, 0, "")] * 2).to_dict())),
        ("chunks", set(frames.chunks_frame([]))),
        ("chunk", shown(ChunkDetail)),
        ("report", shown(JobReport)),
        ("errors", set(frames.errors_frame([]))),
        ("jobs", set(frames.jobs_frame([]))),
        ("steps", set(steps_frame([]))),
    ],
)
def test_documents_have_the_keys_that_are_described(verb: str, wanted: set[str]) -> None:
    assert keys(document(verb)) == wanted


def test_parts_of_documents_have_the_keys_that_are_described() -> None:
    assert keys(document("destroy")["holdings"]) == names(Holdings)
    assert keys(document("doctor")["checks"]) == names(Check)
    assert keys(document("schema check")["mistakes"]) == names(Mistake)
    against = re.findall(r"\w+", document("schema check")["against"])
    assert set(against) == names(HeldAgainst) | {"ok", "null", "or"}
    assert keys(document("schema explain")["columns"]) == names(ColumnExplanation)
    assert keys(document("schema infer")["notes"]) == names(Note)
    assert keys(document("why")["causes"]) == names(Cause)
    assert keys(document("redeliver")["uploads"]) == names(WaitingUpload)
    assert keys(document("cost")["planned"]) == set(Cost((), 0, 0, 0, "").to_dict())


def test_public_names_are_those_that_can_be_loaded() -> None:
    assert sorted(batchops.__all__) == sorted([*batchops._HOMES, "__version__"])
    for name, home in batchops._HOMES.items():
        assert getattr(batchops, name).__module__ == home
        assert getattr(batchops, name) is getattr(import_module(home), name)


def referenced() -> set[str]:
    """Return the paths that docs/reference.md takes docstrings from."""
    text = (DOCS / "reference.md").read_text()
    return set(re.findall(r"^::: (\S+)$", text, flags=re.MULTILINE))


def test_every_public_name_is_in_the_reference() -> None:
    shown = {name for name in batchops.__all__ if name not in ERRORS | {"__version__"}}
    assert {f"batchops.{name}" for name in shown} <= referenced()


@pytest.mark.parametrize("path", sorted(referenced()))
def test_what_the_reference_names_is_there(path: str) -> None:
    assert resolve_name(path).__doc__


def test_every_error_is_public_and_in_the_reference() -> None:
    text = (DOCS / "reference.md").read_text()
    listed = set(re.findall(r"^        - (\w+)$", text, flags=re.MULTILINE))
    assert listed | {"BatchOpsError"} == ERRORS
    assert set(batchops.__all__) >= ERRORS


def test_every_module_of_batchcore_is_in_the_reference() -> None:
    folder = ROOT / "source" / "common" / "batchcore"
    modules = {f"batchcore.{path.stem}" for path in folder.glob("[a-z]*.py")}
    assert modules == {path for path in referenced() if path.startswith("batchcore.")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    relative = [link.split("#")[0] for link in links if "://" not in link]
    assert [link for link in relative if not (page.parent / link).exists()] == []


def test_every_picture_is_on_a_page_and_says_what_it_shows() -> None:
    shown = {}
    for page in PAGES:
        for text, link in re.findall(r"!\[([^\]]*)\]\(([^)\s]+)\)", page.read_text()):
            shown[(page.parent / link).resolve()] = text
    pictures = set((DOCS / "pictures").iterdir())
    assert pictures == {path for path in shown if path.parent == DOCS / "pictures"}
    assert all(len(text) > 10 for text in shown.values())
    assert max(path.stat().st_size for path in pictures) < 200_000


def test_make_pictures_makes_every_picture() -> None:
    made = {f"{stem}.png" for shots in NOTEBOOKS.values() for stem in shots}
    assert made == {path.name for path in (DOCS / "pictures").iterdir()}


def test_every_page_is_in_the_navigation() -> None:
    pages = re.findall(r"^ +- .+: (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    assert sorted(pages) == sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md"))


def typed_commands(page: Path) -> list[str]:
    """Return the commands of batchops that a page shows, in blocks and in its lines."""
    text = page.read_text().replace("\\\n", " ")
    blocks = re.findall(r"^```\n(.+?)^```", text, re.MULTILINE | re.DOTALL)
    lines = re.findall(r"^batchops .+$", "".join(blocks), re.MULTILINE)
    return [*lines, *re.findall(r"`(batchops [^`]+)`", text)]


@pytest.mark.parametrize(
    "page",
    # In these two, lines of blocks begin with the word and are no commands.
    [page for page in PAGES if page.name not in ("architecture.md", "cli.md")],
    ids=lambda page: page.name,
)
def test_commands_of_a_page_are_understood(page: Path) -> None:
    for line in typed_commands(page):
        command: click.Command = main
        rest = shlex.split(re.split(r" [>|] ", line)[0], comments=True)[1:]
        while isinstance(command, click.Group):
            _, rest, _ = command.make_parser(click.Context(command)).parse_args(rest)
            if not rest:  # options that stand for any verb
                break
            command = command.commands[rest.pop(0)]
        given, left, _ = command.make_parser(click.Context(command)).parse_args(rest)
        assert left == [], line
        for param in command.params:
            value = given.get(param.name)
            if isinstance(param.type, click.Choice) and isinstance(value, str):
                param.type.convert(value, param, None)
            assert value is not None or not param.required, line


def test_every_task_is_shown_by_commands() -> None:
    assert all(len(typed_commands(page)) >= 5 for page in (DOCS / "tasks").glob("*.md"))


@pytest.mark.parametrize("page", ["README.md", "docs/walkthrough.md"])
def test_table_of_parameters_has_all_that_people_set(page: str) -> None:
    rows = [line for line in (ROOT / page).read_text(encoding="utf-8").splitlines() if "|" in line]
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert set(TEMPLATE["Parameters"]) - named == {"LocalEngine"}


def test_glossary_has_every_step_and_status() -> None:
    text = (DOCS / "glossary.md").read_text()
    for step in (*workflow.JOB_STEPS, *workflow.CHUNK_STEPS):
        assert f"| `{step.name}` | {step.state} | `{step.function}` |" in text
    assert all(status in text for status in workflow.JOB_STATUSES)


def test_changelog_has_the_version_and_orders_releases() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    first, *releases = re.findall(r"^## (.+)$", text, flags=re.MULTILINE)
    assert first == "Unreleased"
    found = [re.fullmatch(r"(\d+\.\d+\.\d+), (\d{4}-\d\d-\d\d)", each) for each in releases]
    assert all(found)
    versions = [Version(each[1]) for each in found if each]
    dates = [date.fromisoformat(each[2]) for each in found if each]
    assert str(versions[0]) == batchops.__version__
    assert versions == sorted(set(versions), reverse=True)
    assert dates == sorted(dates, reverse=True)


def test_architecture_places_each_long_module_and_names_none_that_is_gone() -> None:
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    parts = text[text.index("## Parts") : text.index("## A file's way")]
    rows = "".join(re.findall(r"^\|.*\n", parts, re.MULTILINE))
    named = set(re.findall("`([a-z_0-9]+)/?`", rows))
    folders = ("batchops", "source/common/batchcore", "tools")
    modules = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    long = {path.stem for path in modules if len(path.read_text().splitlines()) > 100}
    assert long - named == {"__init__"}
    there = {name for path in modules for name in (path.stem, path.parent.name)}
    assert named - there == {"translated"}  # a function


def test_debugging_page_stops_where_the_rejected_rows_are_known() -> None:
    page = (DOCS / "debugging.md").read_text(encoding="utf-8")
    (found,) = re.findall(r"source/(validate-data/app\.py):(\d+)", page)
    code = (ROOT / "source" / found[0]).read_text(encoding="utf-8").splitlines()
    assert code[int(found[1]) - 2].strip().startswith("checked = ")
