"""The folder that the console reads files from and stores files in, and nothing outside it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from batchops.core.errors import InputError

# What people hand over and get back. Nothing that a program runs has such a name.
DATA_SUFFIXES = (".csv", ".tsv", ".txt")
# What installs or builds something, for all that: pip and CMake read these.
_SET_UP = re.compile(r"(requirements|constraints|cmakelists).*\.txt", re.IGNORECASE)


class RootFolder:
    """A folder, the places in it that the console may use, and the files that it stored there.

    Whoever has the console's address fills in its fields, so each path is followed through all
    symbolic links before it is held against the folder.

    Parameters
    ----------
    root
        The folder; None for the current working directory.

    Raises
    ------
    InputError
        There is no such folder.
    """

    def __init__(self, root: str | Path | None = None) -> None:
        with _worded(str(root)):
            self.path = (Path.cwd() if root is None else Path(root).expanduser()).resolve()
            if not self.path.is_dir():
                raise InputError(f"no folder {self.path}: make it first, or give another one")
        self._stored: dict[Path, tuple[int, int, int, int]] = {}

    def find_file(self, text: str) -> Path:
        """Return the data file at a path that somebody typed.

        Raises
        ------
        InputError
            The path leads out of the folder, or to no data file.
        """
        path = self._inside(text)
        if path.suffix.lower() not in DATA_SUFFIXES:
            raise InputError(
                f"{text!r} is no data file: the console reads files that end in {_suffixes()}"
            )
        with _worded(text):
            if not path.is_file():
                raise InputError(f"no file {text!r} in {self.path}: check the path")
        return path

    def find_place(self, folder: str, name: str, *, made: str = "") -> Path:
        """Return the path at which a file can be stored in a folder that somebody typed.

        Parameters
        ----------
        made
            The suffix, such as ``.xlsx``, of a file that batchops makes itself; no file of an
            uploader may be called so.

        Raises
        ------
        InputError
            The folder leads out of the root or does not exist, the name is not that of a data
            file or leads elsewhere, or a file is there that the console did not store.
        """
        place = self._inside(folder or ".")
        with _worded(folder):
            if not place.is_dir():
                raise InputError(f"no folder {place}: make it first, or give another one")
        path = place / name
        if name != path.name or name.startswith(".") or _SET_UP.fullmatch(name):
            raise InputError(
                f"the file is called {name!r}, which may lead elsewhere or be read by a program: "
                "press Link to get it in the browser"
            )
        if path.suffix.lower() not in ((made,) if made else DATA_SUFFIXES):
            raise InputError(
                f"the file is called {name!r}, and the console stores only files that end in "
                f"{_suffixes()}: press Link to get it in the browser"
            )
        if os.path.lexists(path) and not self.holds_stored(path):
            raise InputError(
                f"{path} is there already, and the console did not store it: move it away, or "
                "give another folder"
            )
        return path

    def holds_stored(self, path: Path) -> bool:
        """Return whether the file at a path is still the one that the console stored there."""
        return path in self._stored and self._stored[path] == _identity(path)

    def note_stored(self, path: Path) -> None:
        """Note that the console has stored a file, which it may replace from now on."""
        found = _identity(path)
        if found is not None:
            self._stored[path] = found

    def _inside(self, text: str) -> Path:
        with _worded(text):
            path = (self.path / text).resolve()
        if not path.is_relative_to(self.path):
            raise InputError(
                f"{text!r} leads out of {self.path}, the only folder that the console uses: move "
                "the file there, or have the console opened with another folder"
            )
        # Such as .ssh and .venv, where the folder is somebody's home or a checkout.
        if any(part.startswith(".") for part in path.relative_to(self.path).parts):
            raise InputError(f"{text!r} is hidden: the console uses no hidden files and folders")
        return path


@contextmanager
def _worded(text: str) -> Iterator[None]:
    """Say in words that what was typed cannot be a path."""
    try:
        yield
    except InputError:
        raise
    # A loop of links, a name that is too long, a null, a user who does not exist.
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(f"{text[:100]!r} cannot be the path of a file or folder") from error


def _identity(path: Path) -> tuple[int, int, int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _suffixes() -> str:
    return f"{', '.join(DATA_SUFFIXES[:-1])} or {DATA_SUFFIXES[-1]}"
