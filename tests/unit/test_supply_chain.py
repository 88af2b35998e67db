"""Pins and skipped checks say why; an audit that could not ask is not taken for a clean one."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from support import ROOT, TEMPLATE

if TYPE_CHECKING:
    from types import ModuleType

# Files with one requirement a line, or as TOML strings a line.
PINNED = (
    "pyproject.toml",
    "source/common/requirements.txt",
    "batchops/local/engine-requirements.txt",
    "sam-requirements.txt",
    "scan-requirements.txt",
)
REQUIREMENT = re.compile(r'\s*"?(?P<name>[A-Za-z][\w.-]*)(\[[\w,]+\])?[\w.,>=]*(==|<)\d')


@pytest.mark.parametrize("path", PINNED)
def test_whatever_is_held_to_a_version_says_why(path: str) -> None:
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    held = [n for n, line in enumerate(lines) if REQUIREMENT.match(line)]
    assert held
    for number in held:
        above = lines[number - 1].lstrip()
        assert " # " in lines[number] or above.startswith("# "), lines[number]


# What was fixed in which version (GitHub Advisory Database, looked up in November 2026), of what
# serves pages to a browser here.
FIXED = {
    "jupyter-server": "2.21.0",
    "tornado": "6.5.8",
    "voila": "0.5.6",
}


@pytest.mark.parametrize("name", FIXED)
def test_no_version_with_a_known_hole_can_be_installed(name: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    lines = [*project["dependencies"], *extras]
    (found, *more) = [r for r in map(Requirement, lines) if canonicalize_name(r.name) == name]
    for requirement in (found, *more):
        floors = [s.version for s in requirement.specifier if s.operator == ">="]
        assert max(map(Version, floors)) >= Version(FIXED[name]), requirement
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert re.search(rf'"{name}.*(GHSA-\S+)|(GHSA-\S+).*\n\s*"{name}', text)


def test_each_environment_starts_with_a_current_pip_and_setuptools() -> None:
    lines = (ROOT / "Makefile").read_text(encoding="utf-8").splitlines()
    (installers,) = [line for line in lines if line.startswith("INSTALLERS := ")]
    assert "--upgrade 'pip>=26.2' 'setuptools>=83'" in installers
    first: dict[str, str] = {}
    for line in lines:
        for folder in ("BIN", "SAM", "SCAN"):
            if re.match(rf"\t\$\({folder}\)(/bin)?/python (-m pip|\$\(INSTALLERS\))", line):
                first.setdefault(folder, line.split("python ", 1)[1])
    assert first == dict.fromkeys(("BIN", "SAM", "SCAN"), "$(INSTALLERS)")


def test_checks_of_the_template_that_are_skipped_say_why() -> None:
    text = (ROOT / ".checkov.yaml").read_text(encoding="utf-8")
    lines = text.splitlines()
    skipped = yaml.safe_load(text)["skip-check"]
    for check in skipped:
        assert lines[lines.index(f"  - {check}") - 1].startswith("  # ")
    assert yaml.safe_load(text)["skip-download"] is True
    for name, resource in TEMPLATE["Resources"].items():
        for skip in resource.get("Metadata", {}).get("checkov", {}).get("skip", []):
            assert skip["id"] not in skipped, name
            assert len(skip["comment"]) > 20, name


# ---------------------------------------------------------------------- tools/audit.py


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit", ROOT / "tools" / "audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def package(name: str, *vulnerabilities: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "version": "1.0", "vulns": list(vulnerabilities)}


UNKNOWN = {"name": "b", "skip_reason": "Dependency not found on PyPI and could not be audited"}


def test_packages_without_known_vulnerabilities_pass(audit: Any) -> None:
    report = {"dependencies": [package("a"), package("b")]}
    assert audit.judge(report) == (0, "2 packages, no known vulnerabilities")


def test_vulnerabilities_are_listed_with_what_mends_them(audit: Any) -> None:
    found = {"id": "PYSEC-2026-1", "fix_versions": ["1.1"]}
    code, text = audit.judge({"dependencies": [package("a", found), UNKNOWN]})
    assert code == 1
    assert text == "1 known vulnerabilities\n  a 1.0: PYSEC-2026-1, fixed in 1.1"


def test_package_that_could_not_be_asked_about_is_not_a_sound_one(audit: Any) -> None:
    code, text = audit.judge({"dependencies": [package("a"), UNKNOWN]})
    assert code == 2
    assert text.startswith("NOT AUDITED")
    assert "1 of 2 packages" in text


def test_own_package_is_not_asked_about(audit: Any) -> None:
    own = {"name": "batchops", "skip_reason": "distribution marked as editable"}
    assert audit.judge({"dependencies": [package("a"), own]})[0] == 0


def test_audit_that_ended_without_a_report_says_so(audit: Any, tmp_path: Any) -> None:
    broken = tmp_path / "pip-audit"
    broken.write_text("#!/bin/sh\necho 'ConnectionError: no route' >&2\nexit 1\n")
    broken.chmod(0o755)
    assert audit.main(str(broken), [str(tmp_path)]) == 2
    assert "no route" in audit.judge(audit.audit(str(broken), str(tmp_path)))[1]
