"""Who may import what, and that the layer carries what the package is tested with."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from support import ROOT, SOURCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
APPS = sorted(SOURCE.glob("*/app.py"))
LAYER = sorted((SOURCE / "common" / "batchcore").glob("*.py"))

# What the Lambda runtime brings (AWS Lambda developer guide, Python runtimes), so no layer has to.
RUNTIME = {"boto3", "botocore", "urllib3", "jmespath", "s3transfer"}
MODULES = {"aws_lambda_powertools": "aws-lambda-powertools", "jsonschema_rs": "jsonschema-rs"}


def str_of(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def folder_of(path: Path) -> str:
    return path.parent.name


def read_requirements(path: Path) -> list[Requirement]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


PINS = {canonicalize_name(r.name): r for r in read_requirements(SOURCE / "common/requirements.in")}


def project_requirements() -> Iterator[Requirement]:
    extras = PROJECT["optional-dependencies"].values()
    yield from map(Requirement, [*PROJECT["dependencies"], *(r for e in extras for r in e)])


def imports(path: Path, *, typing: bool = False) -> set[str]:
    """Return the top-level modules that a file imports, those for type checking on demand."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for statement in node.body
        for inner in ast.walk(statement)
    }
    found = set()
    for node in ast.walk(tree):
        if id(node) in for_types and not typing:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            found.add(node.module or "")
    return {name.split(".")[0] for name in found}


def test_layer_is_pinned_to_the_last_digit() -> None:
    for name, requirement in PINS.items():
        assert re.fullmatch(r"==\d+(\.\d+)+", str(requirement.specifier)), name
        assert not requirement.extras
        assert requirement.marker is None


def test_pins_of_the_layer_satisfy_the_ranges_of_the_package() -> None:
    checked = set()
    for requirement in project_requirements():
        name = canonicalize_name(requirement.name)
        if name in PINS:
            (pin,) = PINS[name].specifier
            assert requirement.specifier.contains(pin.version), requirement
            checked.add(name)
    assert checked >= {"aws-lambda-powertools", "jsonschema-rs", "orjson"}


def test_whatever_batchcore_imports_is_in_the_layer_and_in_the_package() -> None:
    third_party = set().union(*map(imports, LAYER)) - sys.stdlib_module_names - {"batchcore"}
    needed = {canonicalize_name(MODULES.get(name, name)) for name in third_party - RUNTIME}
    assert needed <= PINS.keys()
    # The package installs batchcore, but not what the functions alone use of it.
    own = {canonicalize_name(Requirement(r).name) for r in PROJECT["dependencies"]}
    assert needed - {"aws-lambda-powertools"} <= own
    assert [path.name for path in LAYER if "aws_lambda_powertools" in imports(path)] == [
        "metrics.py",
        "runtime.py",
    ]


@pytest.mark.parametrize("path", LAYER, ids=lambda path: path.name)
def test_layer_imports_the_standard_library_the_sdk_and_its_own_packages(path: Path) -> None:
    third_party = imports(path) - sys.stdlib_module_names - RUNTIME - {"batchcore"}
    assert {canonicalize_name(MODULES.get(name, name)) for name in third_party} <= PINS.keys()


@pytest.mark.parametrize("path", APPS, ids=folder_of)
def test_function_imports_nothing_but_the_layer_and_the_runtime(path: Path) -> None:
    third_party = imports(path) - sys.stdlib_module_names - RUNTIME - {"batchcore"}
    assert {canonicalize_name(MODULES.get(name, name)) for name in third_party} <= PINS.keys()


@pytest.mark.parametrize("path", [*APPS, *LAYER], ids=str_of)
def test_what_runs_in_aws_knows_neither_the_package_nor_another_function(path: Path) -> None:
    assert not {"batchops", "app"} & imports(path, typing=True)


@pytest.mark.parametrize("path", [*APPS, *LAYER], ids=str_of)
def test_stubs_are_imported_for_type_checking_only(path: Path) -> None:
    assert not [name for name in imports(path) if name.startswith("mypy_boto3")]


@pytest.mark.parametrize("path", APPS, ids=folder_of)
def test_function_is_one_file(path: Path) -> None:
    assert [p.name for p in path.parent.iterdir() if p.name != "__pycache__"] == ["app.py"]


@pytest.mark.parametrize("path", [*APPS, *LAYER], ids=str_of)
def test_no_code_names_a_column(path: Path) -> None:
    # A team with other data brings its own schema file, and everything follows. The key's name in
    # the API and the tables, "uuid", is a name of ours, whatever the column is called.
    columns = {"Country", "Item Type", "Sales Channel", "Order Priority", "Order Date", "Region"}
    columns |= {"Ship Date", "Units Sold", "Unit Price", "Unit Cost", "Total Revenue"}
    tree = ast.parse(path.read_text(encoding="utf-8"))
    texts = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)]
    assert not columns & {text for text in texts if isinstance(text, str)}
