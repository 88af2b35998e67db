"""environment.yml and pyproject.toml name the same packages."""

from __future__ import annotations

import tomllib

import yaml

from batchops.core.project import checkout_root


def test_conda_environment_has_the_dependencies_of_the_package() -> None:
    root = checkout_root()
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    environment = yaml.safe_load((root / "environment.yml").read_text())["dependencies"]
    (from_pip,) = (entry["pip"] for entry in environment if isinstance(entry, dict))
    lab = project["optional-dependencies"]["lab"]
    options = ["--constraint constraints.txt", "--editable ."]
    assert sorted(from_pip) == sorted([*project["dependencies"], *lab, *options])
    assert f"python{project['requires-python']}" in environment
