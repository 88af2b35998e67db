"""What is installed from the wheel, without a checkout and with an empty home, runs the demo."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from support import ROOT

from batchops.core.project import Project
from batchops.local import engine_env

# Where packages come from is the user's choice, here too.
KEPT = ("PIP_", "UV_", "SSL_", "REQUESTS_", "HTTP_", "HTTPS_", "NO_PROXY", "LANG")


def build(kind: str, checkout: Path, folder: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory"]
    subprocess.run([*command, str(folder)], cwd=checkout, check=True, capture_output=True)
    (built,) = folder.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", ROOT, tmp_path_factory.mktemp("dist"))


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_wheel_holds_everything_that_is_laid_out_here(wheel: Path, tmp_path: Path) -> None:
    files = contents(wheel)
    inside = "batchops/project/"
    shipped = {n.removeprefix(inside): c for n, c in files.items() if n.startswith(inside)}
    folder = Project.shipped().lay_out(tmp_path / "own")
    laid_out = [path for path in folder.rglob("*") if path.is_file()]
    assert shipped == {str(path.relative_to(folder)): path.read_bytes() for path in laid_out}
    for path in (ROOT / "source" / "common" / "batchcore").glob("*.py"):
        assert files[f"batchcore/{path.name}"] == path.read_bytes()
    assert {"batchops/py.typed", "batchcore/py.typed"} < set(files)
    assert "batchops/local/engine-requirements.txt" in files


def test_description_has_no_link_that_is_dead_without_the_repository(wheel: Path) -> None:
    files = contents(wheel)
    (metadata,) = (files[name].decode() for name in files if name.endswith(".dist-info/METADATA"))
    description = metadata.partition("\n\n")[2]
    targets = re.findall(r"\]\(([^)]*)\)", description)
    assert [target for target in targets if not target.startswith("https://")] == []
    assert "`docs/install.md`, are in the source distribution" in description
    named = re.findall(r"`((?:docs|notebooks|source)/[\w./-]+|[A-Z]+\.md)`", description)
    assert "docs/tasks/deploy.md" in named
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_source_distribution_makes_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    archive = build("sdist", ROOT, tmp_path / "dist")
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    assert (unpacked / "Makefile").exists()
    assert (unpacked / "tests" / "integration" / Path(__file__).name).exists()
    assert contents(build("wheel", unpacked, tmp_path / "again")) == contents(wheel)


@dataclass(frozen=True)
class Home:
    """A user's home in which nothing is set up."""

    path: Path

    def run(self, *command: str | Path, folder: str = "") -> str:
        """Run a command in a folder of the home; return what it printed."""
        # Downloads may be those of before; nothing else of this machine's user is seen.
        cache = Path.home() / ".cache"
        caches = {"UV_CACHE_DIR": cache / "uv", "PIP_CACHE_DIR": cache / "pip"}
        env = {name: value for name, value in os.environ.items() if name.upper().startswith(KEPT)}
        env |= {name: str(value) for name, value in caches.items()}
        # Where a proxy stands before the index, its certificate is in the system's store.
        env["UV_SYSTEM_CERTS"] = "true"
        done = subprocess.run(
            list(map(str, command)),
            cwd=self.path / folder,
            env=env | {"HOME": str(self.path), "PATH": "/usr/bin:/bin", "COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def installed_files(environment: Path) -> dict[Path, int]:
    """Return the files of an environment with their times; Python keeps compiled ones beside."""
    files = (path for path in environment.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {path: path.stat().st_mtime_ns for path in files}


def check_demo(home: Home, batchops: Path, environment: Path) -> None:
    before = installed_files(environment)
    (home.path / "empty").mkdir()
    try:
        said = home.run(batchops, "demo", "--rows", "1000", folder="empty")
    finally:
        stopped = home.run(batchops, "engine", "stop")
    assert "balance: 1,000 rows in = 970 out + 30 rejected" in said
    assert "every one of 1,000 rows is where it belongs" in said
    assert stopped.startswith("stopped; its state is kept in ")
    assert [path.name for path in (home.path / "empty").iterdir()] == ["demo-output"]
    assert installed_files(environment) == before


@pytest.mark.slow
def test_demo_runs_from_the_wheel_that_pip_installed(wheel: Path, home: Home) -> None:
    environment = home.path / "env"
    home.run(sys.executable, "-m", "venv", environment)
    home.run(environment / "bin" / "python", "-m", "pip", "install", "--quiet", wheel)
    batchops = environment / "bin" / "batchops"
    # The engine's own environment is the checkout's; the other test installs one.
    state = home.path / ".local" / "state" / "batchops"
    state.mkdir(parents=True, mode=0o700)
    name = engine_env.env_folder(ROOT / ".batchops").name
    (state / name).symlink_to(ROOT / ".batchops" / name)
    check_demo(home, batchops, environment)
    home.run(batchops, "init", "own")
    diagnosis = json.loads(home.run(batchops, "doctor", "--json", folder="own/events"))
    projects = [check["found"] for check in diagnosis["checks"] if check["name"] == "project"]
    assert projects == [str(home.path / "own")]
    home.run(batchops, "notebooks", "lessons")
    assert (home.path / "lessons" / "01-deploy.ipynb").exists()


@pytest.mark.slow
def test_demo_runs_from_the_wheel_that_uv_installed(wheel: Path, home: Home) -> None:
    uv = Path(sys.executable).with_name("uv")
    home.run(uv, "tool", "install", "--quiet", "--python", sys.executable, wheel)
    environment = home.path / ".local" / "share" / "uv" / "tools" / "batchops"
    check_demo(home, home.path / ".local" / "bin" / "batchops", environment)
