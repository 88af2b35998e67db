"""Which folder a stack is deployed from, what is laid out in one, and where state is kept."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from support import ROOT

from batchops.core.errors import InputError, ProjectError
from batchops.core.project import Project, state_home
from batchops.local.engine import LocalEngine
from batchops.stack import Stack


def test_state_of_a_checkout_is_kept_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BATCHOPS_HOME", raising=False)
    assert state_home() == ROOT / ".batchops"


def test_folder_for_state_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCHOPS_HOME", str(tmp_path / "other"))
    assert state_home() == tmp_path / "other"
    assert Project.shipped().build == tmp_path / "other" / "build"


def test_project_that_is_laid_out_is_found_from_the_folders_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Project.find().root == ROOT
    folder = Project.shipped().lay_out(tmp_path / "own")
    monkeypatch.chdir(folder / "notebooks")
    assert Project.find().root == folder
    assert Project.find(ROOT).root == ROOT


def test_what_is_laid_out_is_what_is_shipped(tmp_path: Path) -> None:
    folder = Project.shipped().lay_out(tmp_path / "own")
    copies = [path for path in folder.rglob("*") if path.is_file()]
    for copy in copies:
        assert copy.read_bytes() == (ROOT / copy.relative_to(folder)).read_bytes()
    names = {str(path.relative_to(folder)) for path in copies}
    assert names > {
        "template.yaml",
        "samconfig.toml",
        "docs/architecture.svg",
        "events/read-file.json",
        "notebooks/01-deploy.ipynb",
        "source/common/batchcore/schema.py",
        "source/common/build_layer.py",
        "source/reference/reference.csv",
        "source/schema/record.schema.json",
        "source/split-ip-file/app.py",
        "source/statemachine/main-orchestrator.asl.json",
    }
    assert not [name for name in names if "__pycache__" in name or "notebooks/data" in name]


def test_nothing_that_is_there_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "template.yaml").write_text("mine")
    with pytest.raises(InputError, match=r"own has template\.yaml already: name another folder"):
        Project.shipped().lay_out(tmp_path / "own")
    assert [path.name for path in (tmp_path / "own").iterdir()] == ["template.yaml"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_could_not_be_laid_out_is_taken_away_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "notes.txt").write_text("mine")
    copy, left = shutil.copyfile, iter(range(9))

    def copyfile(old: Path, new: Path) -> None:
        if next(left, None) is None:
            new.touch()
            raise error
        copy(old, new)

    monkeypatch.setattr(shutil, "copyfile", copyfile)
    with pytest.raises(type(error)):
        Project.shipped().lay_out(tmp_path / "own")
    assert [path.name for path in (tmp_path / "own").iterdir()] == ["notes.txt"]
    monkeypatch.undo()
    assert Project.shipped().lay_out(tmp_path / "own") == tmp_path / "own"


@pytest.mark.skipif(sys.platform == "win32", reason="its users are others")
@pytest.mark.parametrize("chosen", ["~nosuchuser/state", ""])
def test_user_without_a_home_folder_is_told_to_name_one(
    chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BATCHOPS_HOME", chosen)
    monkeypatch.setattr("batchops.core.project._shipped_root", lambda: Path("/usr"))
    monkeypatch.setattr("platformdirs.user_state_path", lambda *_, **__: Path("~nosuchuser/state"))
    with pytest.raises(InputError, match="set BATCHOPS_HOME to a folder of your own"):
        state_home()


def test_notebooks_are_copied_alone(tmp_path: Path) -> None:
    folder = Project.shipped().lay_out_notebooks(tmp_path / "notebooks")
    names = {path.name for path in folder.iterdir()}
    assert names >= {"01-deploy.ipynb", "operations-console.ipynb", "voila.json"}
    with pytest.raises(InputError, match=r"has 01-deploy\.ipynb, .* already"):
        Project.shipped().lay_out_notebooks(folder)


def test_folder_with_a_template_of_another_kind_is_not_deployed_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "template.yaml").write_text("Resources: {}")
    (tmp_path / "source").mkdir()
    monkeypatch.chdir(tmp_path)
    assert Project.find().root == ROOT


@pytest.mark.parametrize("what", ["schema", "reference_data", "project"])
def test_nothing_is_installed_or_started_for_what_cannot_be_deployed(
    tmp_path: Path, what: str
) -> None:
    engine = LocalEngine(tmp_path / "engine", tmp_path / "env")
    root = tmp_path if what == "project" else None
    given = {} if what == "project" else {what: tmp_path / "missing"}
    stack = Stack("new", engine=engine, project=root)
    for call in (stack.preview, stack.deploy):
        with pytest.raises((InputError, ProjectError), match=r"no file .* to take as|no template"):
            call(**given)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="only root can give a folder away"
)
def test_project_of_another_user_is_deployed_from_only_when_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Project.shipped().lay_out(tmp_path / "theirs")
    os.chown(folder, 12_345, -1)
    monkeypatch.chdir(folder)
    with pytest.raises(ProjectError, match="belongs to another user"):
        Project.find()
    assert Project.find(folder).root == folder
