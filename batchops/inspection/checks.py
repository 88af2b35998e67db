"""What a check of the set-up finds, and all of them together."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from batchops.core.errors import (
    AccessDeniedError,
    AwsError,
    BatchOpsError,
    EngineNotRunningError,
    translate,
)
from batchops.deployment.stack_status import NOT_DEPLOYED, stack_status
from batchops.show import markup, texts

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
class Diagnosis:
    """What was looked at, in order.

    Attributes
    ----------
    stack_name : str
        The stack that it is about.
    checks : tuple of Check
        One for each thing.
    """

    stack_name: str
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing was found that has to be mended."""
        return not any(check.ok is False for check in self.checks)

    def __str__(self) -> str:
        """Return it as a table, under a line that says how it stands."""
        return f"{self._summary()}\n{texts.text_table(_COLUMNS, self._rows())}"

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(self._summary())}</p>{markup.table(_COLUMNS, self._rows())}"

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        checks = [asdict(check) for check in self.checks]
        return {"stack": self.stack_name, "ok": self.ok, "checks": checks}

    def _summary(self) -> str:
        wrong = [check.name for check in self.checks if check.ok is False]
        verdict = f"to be mended: {', '.join(wrong)}" if wrong else "nothing stands in the way"
        return f"stack {self.stack_name}: {verdict}"

    def _rows(self) -> list[tuple[str, ...]]:
        return [(_MARKS[c.ok], c.name, c.found, c.advice) for c in self.checks]


def run_check(name: str, check: Callable[[], Check]) -> Check:
    """Make a check; where it meets an error, that is what was found."""
    failure: BatchOpsError | OSError
    try:
        return check()
    except (ClientError, BotoCoreError) as error:
        failure = translate(error, doing=f"looking at: {name}")
    except (BatchOpsError, OSError) as error:
        failure = error
    ok = None if isinstance(failure, AccessDeniedError | OSError) else False
    # Errors of this package end in what to do; those that a service worded do not.
    worded = type(failure) is AwsError or isinstance(failure, OSError)
    found, colon, advice = str(failure).rpartition(": ")
    return Check(name, ok, found, advice) if colon and not worded else Check(name, ok, str(failure))


def check_stack(stack: StackRef) -> Check:
    """Tell how the stack stands."""
    try:
        status = stack_status(stack)
    except EngineNotRunningError:
        return Check("stack", None, "the engine does not run", "deploy() starts it")
    if status.status == NOT_DEPLOYED:
        return Check("stack", None, "not deployed", status.advice)
    return Check("stack", status.deployed or None, status.status, status.advice)
