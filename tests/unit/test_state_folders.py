"""The folders for state: nobody else reads them, and nobody else could have filled them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from support import ROOT

from batchops.core.errors import InputError
from batchops.core.project import make_private
from batchops.deployment import packaging
from batchops.local import engine_env
from batchops.local.engine import LocalEngine


def test_folders_for_state_are_the_users_own(tmp_path: Path) -> None:
    made = make_private(tmp_path / ".batchops" / "build" / "artifacts")
    for folder in (made, made.parent, made.parent.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    tmp_path.chmod(0o755)
    make_private(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


@pytest.mark.parametrize("mode", [0o775, 0o777, 0o1777, 0o2775, 0o722])
def test_folder_for_state_that_others_may_write_to_is_refused(tmp_path: Path, mode: int) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(mode)
    with pytest.raises(InputError, match=r"others may write to .*chmod go-w.*BATCHOPS_HOME"):
        make_private(shared)
    assert stat.S_IMODE(shared.stat().st_mode) == mode  # it may be shared on purpose, or be /tmp
    with pytest.raises(InputError, match="others may write"):
        engine_env.install(shared)
    (shared / "engine").mkdir()
    (shared / "engine").chmod(mode)
    with pytest.raises(InputError, match="others may write"):
        LocalEngine(shared / "engine", tmp_path / "env").stop()
    with pytest.raises(InputError, match="others may write"):
        packaging.build_layer(ROOT / "source" / "common", shared, platform="host")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_folder_for_state_of_another_user_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir(mode=0o755)
    os.chown(other, 12_345, -1)
    with pytest.raises(InputError, match=r"belongs to another user \(id 12345\).*BATCHOPS_HOME"):
        make_private(other)
    # An environment that somebody put there before the folder was closed is run by nobody.
    folder = engine_env.env_folder(tmp_path)
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").touch(mode=0o755)
    (folder / "complete").touch()
    os.chown(folder, 12_345, -1)
    with pytest.raises(InputError, match="belongs to another user"):
        engine_env.install(tmp_path)
