"""Pins and skipped checks say why; an audit that could not ask is not taken for a clean one."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tomllib
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from support import ROOT, TEMPLATE

from batchops.core.errors import EngineInstallError
from batchops.core.project import state_home
from batchops.local import engine_env
from tools import licences

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

# Files with one requirement a line, or as TOML strings a line.
PINNED = (
    "pyproject.toml",
    "source/common/requirements.in",
    "batchops/local/engine-requirements.in",
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


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PROJECT_LINES = [
    *PROJECT["dependencies"],
    *(line for lines in PROJECT["optional-dependencies"].values() for line in lines),
]

# What was fixed in which version (GitHub Advisory Database, looked up in November 2026), of what
# serves pages to a browser here.
FIXED = {
    "jupyter-server": "2.21.0",
    "tornado": "6.5.8",
    "voila": "0.5.6",
}


@pytest.mark.parametrize("name", FIXED)
def test_no_version_with_a_known_hole_can_be_installed(name: str) -> None:
    (found, *more) = [
        r for r in map(Requirement, PROJECT_LINES) if canonicalize_name(r.name) == name
    ]
    for requirement in (found, *more):
        floors = [s.version for s in requirement.specifier if s.operator == ">="]
        assert max(map(Version, floors)) >= Version(FIXED[name]), requirement
    assert Version(CONSTRAINTS[name][0]) >= Version(FIXED[name])
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


# --------------------------------------------------------------- hashes and constraints

# What the files with hashes were made from.
HASHED = {
    "source/common/requirements.txt": "source/common/requirements.in",
    "batchops/local/engine-requirements.txt": "batchops/local/engine-requirements.in",
}


def pinned(path: str) -> dict[str, list[str]]:
    """Return the versions of each package in a file, one for each of its markers."""
    found: dict[str, list[str]] = {}
    for name, version in re.findall(
        r"^([\w.-]+)==([\w.]+)", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE
    ):
        found.setdefault(canonicalize_name(name), []).append(version)
    return found


CONSTRAINTS = pinned("constraints.txt")


@pytest.mark.parametrize("path", HASHED)
def test_each_package_that_is_installed_by_hash_has_one_and_is_the_one_that_was_chosen(
    path: str,
) -> None:
    text = (ROOT / path).read_text(encoding="utf-8").replace("\\\n", "")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert lines
    for line in lines:
        # A wheel and a source archive at least, or a wheel alone.
        assert re.fullmatch(r"[\w.-]+==[\w.]+( +--hash=sha256:[0-9a-f]{64})+", line), line
    for name, versions in pinned(HASHED[path]).items():
        assert pinned(path)[name] == versions, f"{name}: make pins"


@pytest.mark.parametrize("path", [*HASHED, *HASHED.values(), "constraints.txt", "environment.yml"])
def test_files_of_what_is_installed_name_no_host(path: str) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"--(extra-)?index-url|--find-links|--trusted-host|(?m:^-i )", text)


@pytest.mark.parametrize("line", sorted(set(PROJECT_LINES)))
def test_constraints_hold_each_dependency_to_a_version_within_its_range(line: str) -> None:
    requirement = Requirement(line)
    versions = CONSTRAINTS[canonicalize_name(requirement.name)]
    assert versions
    assert all(map(requirement.specifier.contains, versions)), "make pins"


def test_constraints_agree_with_the_layer() -> None:
    for name, versions in pinned("source/common/requirements.txt").items():
        assert CONSTRAINTS[name] == versions, f"{name}: make pins"


def test_whatever_make_installs_for_the_package_keeps_to_the_constraints() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    installs = re.findall(r"^\t\$\(BIN\)/python .*--editable.*$", text, re.MULTILINE)
    assert len(installs) == 4
    assert all("$(INSTALL) " in line for line in installs)
    assert re.search(r"^INSTALL := -m pip install .*--constraint constraints\.txt$", text, re.M)
    # CI sets up by make alone.
    assert "pip install" not in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def forge(folder: Path, name: str, version: str) -> None:
    """Put a wheel of that name and version into a folder that pip takes packages from."""
    stem = f"{name.replace('-', '_')}-{version}"
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as wheel:
        info = f"{stem}.dist-info"
        wheel.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}"
        )
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\nRoot-Is-Purelib: true"
        )
        wheel.writestr(f"{info}/RECORD", "")


@pytest.fixture
def forged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make pip find other packages of the same names and versions, and nothing else."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for path in HASHED:
        for name, versions in pinned(path).items():
            forge(folder, name, versions[0])
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_package_with_other_content_does_not_get_into_the_layer(
    forged: Path, tmp_path: Path
) -> None:
    command = [sys.executable, str(ROOT / "source/common/build_layer.py"), str(tmp_path / "layer")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in done.stderr
    assert not list((tmp_path / "layer" / "python").iterdir())


def test_package_with_other_content_does_not_get_into_the_engine(
    forged: Path, tmp_path: Path
) -> None:
    with pytest.raises(EngineInstallError, match="THESE PACKAGES DO NOT MATCH THE HASHES"):
        engine_env.install(tmp_path / "env")
    assert not engine_env.is_installed(tmp_path / "env")


def test_environment_of_the_engine_brings_no_installers_of_its_own() -> None:
    # Those that Python brings may be years old, and functions could import them.
    engine_env.install(state_home())
    folder = engine_env.env_folder(state_home())
    found = {path.name for path in folder.glob("lib/python3*/site-packages/*")}
    assert "ministack" in found
    assert found.isdisjoint({"pip", "setuptools"})


# ---------------------------------------------------------------------------- licences


def licence_rows() -> dict[str, tuple[str, list[str]]]:
    text = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    cells = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {name: (licence, places.split(", ")) for name, licence, places in cells[1:]}


def test_licence_of_each_package_that_is_installed_is_listed() -> None:
    listed = {name: places for name, (_, places) in licence_rows().items()}
    assert listed == licences.packages(), "make licences"


def test_no_package_has_a_licence_of_a_kind_that_nobody_looked_at() -> None:
    for name, (licence, _) in licence_rows().items():
        assert list(licences.kinds(licence)), name


@pytest.mark.slow
def test_packages_that_are_installed_have_the_licences_that_are_listed() -> None:
    found = licences.declared()
    listed = {name: licence for name, (licence, _) in licence_rows().items()}
    # Of which Python decides over the version, another version may say it in other words.
    here = {name for name in found.keys() & listed.keys() if len(CONSTRAINTS.get(name, "")) == 1}
    assert len(here) > 100
    assert {name: found[name] for name in here} == {name: listed[name] for name in here}


@pytest.mark.parametrize("licence", ["AGPL-3.0-only", "MIT AND GPL-3.0-or-later", "none", "Other"])
def test_new_kind_of_licence_is_not_taken_for_a_known_one(licence: str) -> None:
    with pytest.raises(KeyError):
        list(licences.kinds(licence))


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


def test_vulnerabilities_are_listed_with_what_fixes_them(audit: Any) -> None:
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
