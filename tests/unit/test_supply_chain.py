"""Pins and skipped checks say why; an audit that could not ask is not taken for a clean one."""

from __future__ import annotations

import importlib.util
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml
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
