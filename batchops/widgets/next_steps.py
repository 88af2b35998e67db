"""What to do next about a cause, in the console's own words."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchops.inspection.why import Why

_STEPS = {
    "rerun": "press Rerun",
    "balance": "see the balance under Summary",
    "email": "see the mail under Summary",
    "errors": "see the rows under Errors",
    "doctor": "run 'batchops doctor' in a terminal",
}
_REPAIR = (
    "set values under Errors and press Repair rows; or download the rejected rows, and hand the "
    "fixed file to Repair from file"
)


def in_console(found: Why) -> Why:
    """Return causes that say what to press, in the place of calls."""
    causes = (replace(each, next_call=next_step(each.next_call)) for each in found.causes)
    return replace(found, causes=tuple(causes))


def next_step(calls: str) -> str:
    """Return calls of methods of ``job`` and ``stack``, as `why` advises them, as what to press."""
    code, _, comment = calls.partition("  # ")
    fix, repairs, _ = comment.rpartition(", then job.repair(")
    if repairs:
        return f"{fix}: {_REPAIR}"
    steps = [_step(node) for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    if "job.rerun(" in comment:
        steps.append(_STEPS["rerun"])
    return ", then ".join(steps)


def _step(call: ast.Call) -> str:
    verb = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    named = [str(each.value) for each in call.args if isinstance(each, ast.Constant)]
    first = named[0] if named else ""
    if verb == "deploy":
        given = [f"{each.arg}={ast.literal_eval(each.value)}" for each in call.keywords]
        return f"deploy the stack with {' '.join(given)}"
    if verb == "logs":
        return f"read the log of {first} under Logs"
    if verb == "submit":
        return f"fix {first!r}, and submit it under Upload"
    return _STEPS[verb]
