"""The two workflows in source/statemachine, as the tests read them."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any

from support import ACCOUNT_ID, REGION, ROOT, STACK, TEMPLATE, physical_name, resource

if TYPE_CHECKING:
    from collections.abc import Iterator

# The main workflow and the chunk workflow, by their logical ids.
MAIN, CHUNK = MACHINES = ("BlogBatchMainOrchestrator", "BlogBatchProcessChunk")

CHUNK_ARN = f"arn:aws:states:{REGION}:{ACCOUNT_ID}:stateMachine:{STACK}-process-chunk"

State = dict[str, Any]


def definition_text(machine: str) -> str:
    uri = resource(machine)["Properties"]["DefinitionUri"]
    return (ROOT / uri).read_text(encoding="utf-8")


@cache
def definition(machine: str) -> dict[str, Any]:
    """Return a workflow as CloudFormation leaves it, with plausible substitutions."""

    def substitute(match: re.Match[str]) -> str:
        name = match[1]
        if name == "MaxConcurrency":
            return str(TEMPLATE["Parameters"][name]["Default"])
        if name.endswith("Function"):
            return f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{name}"
        return CHUNK_ARN if name == "ProcessChunkStateMachine" else physical_name(name)

    found: dict[str, Any] = json.loads(re.sub(r"\$\{(\w+)\}", substitute, definition_text(machine)))
    return found


def levels(machine: str) -> Iterator[tuple[str, dict[str, State]]]:
    """Yield the start and the states of a workflow, and those inside of its Maps."""
    pending = [definition(machine)]
    while pending:
        level = pending.pop()
        yield level["StartAt"], level["States"]
        pending += [s["ItemProcessor"] for s in level["States"].values() if "ItemProcessor" in s]


def states(machine: str) -> dict[str, State]:
    return {name: state for _, found in levels(machine) for name, state in found.items()}


def next_states(state: State) -> list[str]:
    followers = [state.get("Next"), state.get("Default")]
    followers += [choice["Next"] for choice in state.get("Choices", [])]
    followers += [catch["Next"] for catch in state.get("Catch", [])]
    return [name for name in followers if name]


def reachable(found: dict[str, State], start: str, *, without: set[str]) -> set[str]:
    """Return the states that can be reached from one, never passing through some."""
    seen: set[str] = set()
    pending = [start]
    while pending:
        name = pending.pop()
        if name not in seen | without:
            seen.add(name)
            pending += next_states(found[name])
    return seen
