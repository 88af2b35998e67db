"""Notebooks as they are kept: without outputs, short, and ready for AWS by their first cell."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from support import ROOT

from batchops.core.project import Project

FOLDER = ROOT / "notebooks"
PATHS = sorted(FOLDER.glob("*.ipynb"))
# Those without a number, such as the operations console.
OTHERS = [path.stem for path in PATHS if not path.stem[0].isdigit()]


def code(path: Path) -> list[str]:
    notebook = nbformat.read(path, as_version=4)
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def links(path: Path) -> list[str]:
    """Return where the links of a notebook's texts lead."""
    notebook = nbformat.read(path, as_version=4)
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    return re.findall(r"\]\(([^)]+)\)", text)


def headings(page: Path) -> set[str]:
    """Return the headings of a page as links name them."""
    found = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in found}


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with copies of the notebooks."""
    return Project.shipped().lay_out_notebooks(tmp_path_factory.mktemp("copies"))


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
    assert names(first)[:4] == ["environment", "target", "stack_name", "region"]
    # On AWS the stack wants mail addresses.
    assert names(first)[4:] == (["parameters"] if path.stem == "01-deploy" else [])
    assert not any(set(names(source)) & set(names(first)) for source in others)


@pytest.mark.parametrize(
    ("environment", "found"),
    [(None, ("workshop", "local", None)), ("dev", ("orders-dev", "aws", "eu-west-1"))],
)
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_first_cell_may_name_an_environment_instead(
    path: Path,
    environment: str | None,
    found: tuple[str, str, str | None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "batchops.toml").write_text(
        '[environments.dev]\nstack = "orders-dev"\ntarget = "aws"\nregion = "eu-west-1"\n'
        "parameters = {FileChunkSize = 900}\n"
    )
    monkeypatch.chdir(tmp_path)
    first, second, *others = code(path)
    known: dict[str, Any] = {}
    exec(first, known)
    known["environment"] = environment
    # Imports and the choice: what follows asks the stack.
    cell = ast.parse(second).body
    place = next(n for n, node in enumerate(cell) if isinstance(node, ast.If)) + 1
    exec(compile(ast.Module(cell[:place], []), path.name, "exec"), known)
    stack = known["stack"]
    assert (stack.name, stack.target.name, stack.target.given_region) == found
    # Nothing later asks the variables that the environment stands in for.
    later = [*cell[place:], *(node for source in others for node in ast.parse(source).body)]
    used = {each.id for node in later for each in ast.walk(node) if isinstance(each, ast.Name)}
    assert not used & {"target", "stack_name", "region"}


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_every_link_leads_to_a_notebook_or_to_a_place_in_the_docs(path: Path) -> None:
    for link in links(path):
        name, _, place = link.partition("#")
        assert (FOLDER / name).is_file(), link
        assert not place or place in headings(FOLDER / name), link


@pytest.mark.parametrize(
    "path", [path for path in PATHS if path.stem not in OTHERS], ids=lambda path: path.stem
)
def test_notebook_links_its_place_in_the_walkthrough(path: Path) -> None:
    first = nbformat.read(path, as_version=4).cells[0].source
    assert "](../docs/walkthrough.md#" in first


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_links_of_a_copy_lead_to_the_docs_beside_it(path: Path, copies: Path) -> None:
    for link in links(copies / path.name):
        assert (copies / link.partition("#")[0]).is_file(), link


def test_notebooks_are_numbered_from_one_to_ten() -> None:
    numbered = [path.stem for path in PATHS if path.stem not in OTHERS]
    assert [int(name.partition("-")[0]) for name in numbered] == list(range(1, 11))


def test_the_console_as_an_app_shows_no_python() -> None:
    # Voila shows what is no code, and what the code shows.
    notebook = nbformat.read(FOLDER / "operations-console.ipynb", as_version=4)
    shown = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert not re.search(r"\w\(|\w=", shown)
