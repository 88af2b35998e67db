"""Where the project's files are: template, sources, and the folder for what is made from them."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from batchops.core.errors import InputError, ProjectError

HOME_VARIABLE = "BATCHOPS_HOME"


def checkout_root() -> Path:
    """Return the folder that the package lies in."""
    return Path(__file__).resolve().parents[2]


def state_home(root: Path | None = None) -> Path:
    """Return the folder for state: BATCHOPS_HOME, or ``.batchops`` in the project's root."""
    chosen = os.environ.get(HOME_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    return (root or checkout_root()) / ".batchops"


def make_private(folder: Path) -> Path:
    """Make a folder, and those above it that are missing, for this user alone; return it.

    What lies in the folder for state may be somebody's data, or open the local engine, or be code
    that is run and deployed. So a folder that is there already is checked.

    Raises
    ------
    InputError
        The folder belongs to another user, or others may write to it.
    """
    for missing in reversed([folder, *folder.parents]):
        if not missing.exists():
            missing.mkdir(mode=0o700, exist_ok=True)
    check_private(folder)
    return folder


def check_private(folder: Path) -> None:
    """Refuse a folder of state in which another user could have put something, or still can.

    Nothing is changed: a folder that is shared on purpose stays so, and another is to be named.

    Raises
    ------
    InputError
        The folder belongs to another user, or others may write to it.
    """
    check_owner(folder)
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise InputError(
            f"others may write to {folder} (mode {mode:o}), which holds code that is run and "
            f"deployed: run 'chmod go-w' on it, or set {HOME_VARIABLE} to a folder of your own"
        )


def check_owner(path: Path) -> None:
    """Refuse a file or folder of state that belongs to another user.

    Raises
    ------
    InputError
        It belongs to another user.
    """
    owner = path.stat().st_uid
    if owner != os.geteuid():
        raise InputError(
            f"{path} belongs to another user (id {owner}), who could change what is run and "
            f"deployed from it: set {HOME_VARIABLE} to a folder of your own"
        )


@dataclass(frozen=True)
class Project:
    """A checkout: the folder that holds template.yaml and source/.

    Parameters
    ----------
    root
        The folder; `Project.find` checks that it is one.
    """

    root: Path

    @classmethod
    def find(cls, root: str | Path | None = None) -> Project:
        """Find the project at a given path, or around the installed package.

        Raises
        ------
        ProjectError
            The folder holds no template.yaml, or no source/.
        """
        folder = Path(root).expanduser().resolve() if root is not None else checkout_root()
        lacking = [name for name in ("template.yaml", "source") if not (folder / name).exists()]
        if lacking:
            raise ProjectError(
                f"no {' and no '.join(lacking)} in {folder}: pass the path of a checkout, "
                "or install batchops from one with 'pip install -e'"
            )
        return cls(folder)

    @property
    def template(self) -> Path:
        """The SAM template."""
        return self.root / "template.yaml"

    @property
    def source(self) -> Path:
        """What runs in AWS."""
        return self.root / "source"

    @property
    def state(self) -> Path:
        """The folder for builds, caches and the local engine; nothing in it is committed."""
        return state_home(self.root)

    @property
    def build(self) -> Path:
        """The folder for built artifacts."""
        return self.state / "build"
