"""One check of the set-up, and all of them together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from batchops.core.errors import (
    AccessDeniedError,
    AwsError,
    BatchOpsError,
    EngineNotRunningError,
    translated,
)
from batchops.deployment.notification import uploads_start_jobs
from batchops.deployment.stack_status import NOT_DEPLOYED, StackStatus, stack_status
from batchops.show.shown import Block, Shown

if TYPE_CHECKING:
    from batchops.core.stack_ref import StackRef


_COLUMNS = ("", "check", "found", "what to do")
_MARKS = {True: "ok", False: "NO", None: "?"}


@dataclass(frozen=True)
class Check:
    """The result of one check.

    Attributes
    ----------
    name : str
        What was checked.
    ok : bool or None
        None if it cannot be told, or there is nothing to check yet.
    found : str
        What the check found.
    advice : str
        What to do next; empty if nothing.
    """

    name: str
    ok: bool | None
    found: str
    advice: str = ""


@dataclass(frozen=True)
class Diagnosis(Shown):
    """The results of all checks, in order.

    Attributes
    ----------
    stack_name : str
        The stack that was checked.
    checks : tuple of Check
        One per check.
    """

    _also_in_json = ("ok",)

    stack_name: str
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether no check failed."""
        return not any(check.ok is False for check in self.checks)

    def _blocks(self) -> Iterator[Block]:
        wrong = [check.name for check in self.checks if check.ok is False]
        verdict = f"to fix: {', '.join(wrong)}" if wrong else "nothing stands in the way"
        yield Block.line(f"stack {self.stack_name}: {verdict}")
        rows = [(_MARKS[c.ok], c.name, c.found, c.advice) for c in self.checks]
        yield Block.table(_COLUMNS, rows)


def run_check(name: str, check: Callable[[], Check]) -> Check:
    """Run a check; if it raises an error, that is what it found."""
    try:
        with translated(f"looking at: {name}"):
            return check()
    except (BatchOpsError, OSError) as error:
        ok = None if isinstance(error, AccessDeniedError | OSError) else False
        # This package's errors end with what to do; messages of services do not.
        worded = type(error) is AwsError or isinstance(error, OSError)
        if worded or ": " not in str(error):
            return Check(name, ok, str(error))
        found, _, advice = str(error).rpartition(": ")
        return Check(name, ok, found, advice)


def stack_checks(stack: StackRef) -> tuple[list[Check], Mapping[str, str]]:
    """Check the stack itself.

    Returns
    -------
    list of Check
        One only of a stack that is not deployed.
    dict of str
        The stack's parameters; empty where it has none, or they could not be read.
    """
    read: list[StackStatus] = []

    def check() -> Check:
        try:
            read.append(stack_status(stack))
        except EngineNotRunningError as error:
            found, _, advice = str(error).partition(": ")
            return Check("stack", None, found, advice)
        return check_stack(read[0])

    checks = [run_check("stack", check)]
    if read and read[0].deployed:
        checks.append(run_check("uploads", partial(check_uploads, stack)))
    return checks, read[0].parameters if read else {}


def check_stack(status: StackStatus) -> Check:
    """Check the state of the stack."""
    if status.status == NOT_DEPLOYED:
        return Check("stack", None, "not deployed", status.advice)
    found = "; ".join((status.status, *status.notes))
    well = status.deployed and not status.notes
    return Check("stack", well or None, found, status.advice)


def check_uploads(stack: StackRef) -> Check:
    """Check that the bucket still tells the stack of uploads; other tools may replace that."""
    if uploads_start_jobs(stack):
        return Check("uploads", True, "the bucket's notification starts their jobs")
    found = "the bucket's notification was replaced, so uploads start no jobs"
    advice = "deploy the stack, which sets it again, then reconcile, which finds those uploads"
    return Check("uploads", False, found, advice)
