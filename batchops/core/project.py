"""Where the project's files are: template, sources, and the folder for what is made from them."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from batchops.core.errors import InputError, ProjectError

HOME_VARIABLE = "BATCHOPS_HOME"

# What makes a folder one that a stack can be deployed from.
_NEEDED = ("template.yaml", "source")
# What `batchops init` lays out: what is deployed, and what the notebooks read or link.
_LAID_OUT = (*_NEEDED, "samconfig.toml", "events", "notebooks", "docs")
_NOT_COPIED = {"__pycache__", "data"}  # notebooks write into data/


def checkout_root() -> Path:
    """Return the folder that the package lies in."""
    return Path(__file__).resolve().parents[2]


def _shipped_root() -> Path:
    """Return where the files are that come with the package: its checkout, or inside the package.

    pyproject.toml puts them there in the wheel.
    """
    root = checkout_root()
    return root if _lacking(root) == [] else root / "batchops" / "project"


def _lacking(folder: Path) -> list[str]:
    return [name for name in _NEEDED if not (folder / name).exists()]


def _around(folder: Path) -> Path | None:
    """Return the nearest folder at or above one that `batchops init` has laid out, or a clone."""
    for each in (folder, *folder.parents):
        if not _lacking(each) and (each / "source" / "common" / "batchcore").is_dir():
            return each
    return None


def state_home() -> Path:
    """Return the folder for state: BATCHOPS_HOME, ``.batchops`` in a checkout, or the user's own.

    The user's own is where the system keeps such: ``~/.local/state/batchops`` on Linux,
    ``~/Library/Application Support/batchops`` on macOS.

    Raises
    ------
    InputError
        This user has no home folder, as in some containers.
    """
    chosen = os.environ.get(HOME_VARIABLE)
    if not chosen and _shipped_root() == checkout_root():
        return checkout_root() / ".batchops"
    own = platformdirs.user_state_path("batchops", appauthor=False)
    try:
        folder = Path(chosen).expanduser().absolute() if chosen else own.expanduser()
    except RuntimeError as error:
        raise InputError(
            f"{chosen or own} names a home folder that this system does not know: set "
            f"{HOME_VARIABLE} to a folder of your own"
        ) from error
    return folder


def make_private(folder: Path) -> Path:
    """Make a folder, and those above it that are missing, for this user alone; return it.

    What lies in the folder for state may be somebody's data, or open the local engine, or be code
    that is run and deployed. So a folder that is there already is checked.

    Raises
    ------
    InputError
        The folder cannot be made, belongs to another user, or others may write to it.
    """
    try:
        for missing in reversed([folder, *folder.parents]):
            if not missing.exists():
                missing.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"the folder {folder} cannot be made ({error.strerror}: {error.filename}): set "
            f"{HOME_VARIABLE} to a folder of your own"
        ) from error
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
    if sys.platform == "win32":  # its folders have lists of who may do what, and no such mode
        return
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
    if sys.platform == "win32":  # it has no such ids
        return
    owner = path.stat().st_uid
    if owner != os.geteuid():
        raise InputError(
            f"{path} belongs to another user (id {owner}), who could change what is run and "
            f"deployed from it: set {HOME_VARIABLE} to a folder of your own"
        )


@dataclass(frozen=True)
class Project:
    """A folder that a stack is deployed from: it holds template.yaml and source/.

    Parameters
    ----------
    root
        The folder; `Project.find` checks that it is one.
    """

    root: Path

    @classmethod
    def find(cls, root: str | Path | None = None) -> Project:
        """Find the project at a given path, around the current folder, or in the package.

        Raises
        ------
        ProjectError
            The folder holds no template.yaml, or no source/; or the one around the current folder
            belongs to another user.
        """
        if root is not None:
            folder = Path(root).expanduser().resolve()
            if lacking := _lacking(folder):
                raise ProjectError(
                    f"no {' and no '.join(lacking)} in {folder}: name a folder that "
                    "'batchops init' has laid out, or a checkout"
                )
            return cls(folder)
        around = _around(Path.cwd())
        if around is None or around == _shipped_root():  # whose code runs already
            return cls.shipped()
        try:
            check_owner(around)
        except InputError as error:
            raise ProjectError(
                f"{around} has a template, but belongs to another user, whose code would be run "
                "and deployed: name the project's folder yourself, or go to another folder"
            ) from error
        return cls(around)

    @classmethod
    def shipped(cls) -> Project:
        """Return the project as it came with the package, or the checkout that it runs from.

        Raises
        ------
        ProjectError
            The installation is not complete.
        """
        folder = _shipped_root()
        if lacking := _lacking(folder):
            raise ProjectError(
                f"no {' and no '.join(lacking)} in {folder}: this installation of batchops is not "
                "complete, so install it again"
            )
        return cls(folder)

    def lay_out(self, folder: Path) -> Path:
        """Copy what a stack is made from into a folder, to be changed there, and return it.

        Raises
        ------
        InputError
            The folder has a part of it already.
        """
        return _copy({self.root / name: folder / name for name in _LAID_OUT}, folder)

    def lay_out_notebooks(self, folder: Path) -> Path:
        """Copy the notebooks into a folder with the docs that they link, and return the folder.

        Raises
        ------
        InputError
            The folder has one of them already.
        """
        paths = [path for path in (self.root / "notebooks").iterdir() if path.is_file()]
        places = {path: folder / path.name for path in paths}
        _copy({**places, self.root / "docs": folder / "docs"}, folder)
        for copy in places.values():  # the docs are in this folder, and not beside it
            text = copy.read_text("utf-8").replace("](../docs/", "](docs/")
            copy.write_text(text, "utf-8", newline="")
        return folder

    @property
    def template(self) -> Path:
        """The SAM template."""
        return self.root / "template.yaml"

    @property
    def source(self) -> Path:
        """What runs in AWS."""
        return self.root / "source"

    @property
    def build(self) -> Path:
        """The folder for built artifacts; nothing in it is committed."""
        return state_home() / "build"


def _copy(places: dict[Path, Path], folder: Path) -> Path:
    """Copy files and folders, each to its place in a folder; nothing that is there is replaced."""
    there = sorted(str(new.relative_to(folder)) for new in places.values() if new.exists())
    if there:
        raise InputError(f"{folder} has {', '.join(there)} already: name another folder")
    try:
        _copy_all(places)
    except BaseException:  # half of it would be in the way of the next try
        for new in places.values():
            shutil.rmtree(new, ignore_errors=True)
            if new.is_file():
                new.unlink(missing_ok=True)
        raise
    return folder


def _copy_all(places: dict[Path, Path]) -> None:
    for old, new in places.items():
        for path in sorted(old.rglob("*")) if old.is_dir() else [old]:
            parts = path.relative_to(old).parts
            if path.is_file() and not any(p.startswith(".") or p in _NOT_COPIED for p in parts):
                copy = new.joinpath(*parts)
                copy.parent.mkdir(parents=True, exist_ok=True)
                # Without its mode: what is installed may be read-only.
                shutil.copyfile(path, copy)
