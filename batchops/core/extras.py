"""Packages that batchops does without until something needs them: its extras."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from batchops.core.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def from_extra(extra: str, *, needed_for: str) -> Iterator[None]:
    """Say which extra to install where the block imports a package that is not there.

    Parameters
    ----------
    extra
        Its name in pyproject.toml.
    needed_for
        What needs the package, as it reads before "needs": ``"a plot"``.

    Raises
    ------
    MissingExtraError
    """
    try:
        yield
    except ModuleNotFoundError as error:
        name = str(error.name).partition(".")[0]
        raise MissingExtraError(
            f"{needed_for} needs the package {name}: install 'batchops[{extra}]' in place of "
            "'batchops'",
            name=name,
        ) from error
