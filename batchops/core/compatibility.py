"""How this version of the package fits a stack that another version deployed."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from batchcore import items
from packaging.version import InvalidVersion, Version

from batchops.core.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

# The formats of the ledger that this version reads, as stacks say them.
_READABLE = {str(number) for number in range(1, items.LEDGER_FORMAT + 1)}


class VersionWarning(UserWarning):
    """A stack was deployed by another version of batchops than the one that uses it."""


def is_newer(outputs: Mapping[str, str]) -> bool:
    """Return whether a stack was deployed by a later version than this one.

    A stack without a version, or with one that is no version number, is taken for an older one.

    Parameters
    ----------
    outputs
        The stack's outputs by name.
    """
    try:
        return Version(outputs.get("Version", "0")) > Version(__version__)
    except InvalidVersion:
        return False


def misfit(outputs: Mapping[str, str]) -> str | None:
    """Return how a stack and this version do not fit, and what to do; None where they fit.

    Parameters
    ----------
    outputs
        The stack's outputs by name.
    """
    deployed = outputs.get("Version")
    if deployed == __version__:
        return None
    if not is_newer(outputs):
        named = f"version {deployed}" if deployed else "a version before 0.2.0"
        return (
            f"the stack was deployed by {named} of batchops, and this is {__version__}: jobs can "
            "be read and run; deploy it to bring it up to date"
        )
    unread = outputs.get("LedgerFormat", "1") not in _READABLE
    what = "it keeps its jobs in a format that this version cannot read: " if unread else ""
    return (
        f"the stack was deployed by version {deployed} of batchops, and this is {__version__}: "
        f"{what}upgrade batchops to {deployed} or later"
    )


def warn_of_misfit(outputs: Mapping[str, str]) -> None:
    """Warn with a VersionWarning where a stack and this version do not fit."""
    text = misfit(outputs)
    if text is not None:
        warnings.warn(text, VersionWarning, stacklevel=3)
