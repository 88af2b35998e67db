"""What a check of the set-up finds, and all of them together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchops.core.errors import (
    AccessDeniedError,
    AwsError,
    BatchOpsError,
    EngineNotRunningError,
    translated,
)
from batchops.deployment.resources import NOT_DEPLOYED, stack_status
from batchops.show.shown import Block, Shown

if TYPE_CHECKING:
    from batchops.core.stack_ref import StackRef


_COLUMNS = ("", "check", "found", "what to do")
_MARKS = {True: "ok", False: "NO", None: "?"}


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes
    ----------
    name : str
        What was looked at.
    ok : bool or None
        None: it cannot be told, or there is nothing yet to be judged.
    found : str
        What is there.
    advice : str
        What to do next; empty where nothing is to be done.
    """

    name: str
    ok: bool | None
    found: str
    advice: str = ""


@dataclass(frozen=True)
class Diagnosis(Shown):
    """What was looked at, in order.

    Attributes
    ----------
    stack_name : str
        The stack that it is about.
    checks : tuple of Check
        One for each thing.
    """

    _also_in_json = ("ok",)

    stack_name: str
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing was found that has to be mended."""
        return not any(check.ok is False for check in self.checks)

    def _blocks(self) -> Iterator[Block]:
        wrong = [check.name for check in self.checks if check.ok is False]
        verdict = f"to be mended: {', '.join(wrong)}" if wrong else "nothing stands in the way"
        yield Block.line(f"stack {self.stack_name}: {verdict}")
        rows = [(_MARKS[c.ok], c.name, c.found, c.advice) for c in self.checks]
        yield Block.table(_COLUMNS, rows)


def run_check(name: str, check: Callable[[], Check]) -> Check:
    """Run a check; an error that it meets is what it found."""
    try:
        with translated(f"looking at: {name}"):
            return check()
    except (BatchOpsError, OSError) as error:
        ok = None if isinstance(error, AccessDeniedError | OSError) else False
        # Errors of this package end in what to do; those that a service worded do not.
        worded = type(error) is AwsError or isinstance(error, OSError)
        if worded or ": " not in str(error):
            return Check(name, ok, str(error))
        found, _, advice = str(error).rpartition(": ")
        return Check(name, ok, found, advice)


def check_stack(stack: StackRef) -> Check:
    """Tell how the stack stands."""
    try:
        status = stack_status(stack)
    except EngineNotRunningError:
        return Check("stack", None, "the engine does not run", "deploy() starts it")
    if status.status == NOT_DEPLOYED:
        return Check("stack", None, "not deployed", status.advice)
    return Check("stack", status.deployed or None, status.status, status.advice)
