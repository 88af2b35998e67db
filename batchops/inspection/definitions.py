"""Workflow definitions in the Amazon States Language: which states follow which, and when."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

Definition = dict[str, Any]
# State -> the states that follow it -> whether only after a failure.
Ways = dict[str, dict[str, bool]]


def is_plumbing(state: Mapping[str, Any]) -> bool:
    """Return whether a state only leads to others, or only tells EventBridge how far the job is."""
    return state["Type"] in ("Choice", "Pass") or ":events:" in state.get("Resource", "")


def parse_definition(text: str) -> Definition:
    """Return a workflow's definition; its numbers may still be the template's placeholders."""
    definition: Definition = json.loads(re.sub(r"(:\s*)\$\{\w+\}", r"\1null", text))
    return definition


def find_ways(definition: Definition) -> Ways:
    """Return the states that follow each state, and whether only after a failure.

    States of the plumbing are left out: what follows them follows the state before.
    """
    states = definition["States"]

    def ends(name: str, caught: bool, seen: frozenset[str]) -> Iterator[tuple[str, bool]]:
        if not is_plumbing(states[name]):
            yield name, caught
        elif name not in seen:
            for target, by_catch in _exits(states[name]):
                yield from ends(target, caught or by_catch, seen | {name})

    found: Ways = {}
    waiting = [name for name, _ in ends(definition["StartAt"], False, frozenset())]
    while waiting:
        name = waiting.pop(0)
        if name not in found:
            found[name] = {}
            for target, by_catch in _exits(states[name]):
                for end, caught in ends(target, by_catch, frozenset()):
                    found[name][end] = found[name].get(end, True) and caught
            waiting += found[name]
    return found


def _exits(state: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    for way in (state, *state.get("Choices", ())):
        for name in ("Next", "Default"):
            if name in way:
                yield way[name], False
    for catch in state.get("Catch", ()):
        yield catch["Next"], True


def find_failure_states(definition: Definition) -> set[str]:
    """Return the states that only a failure leads to, or that lead only to a failed end."""
    states, ways_of = definition["States"], find_ways(definition)
    good = {name for name in ways_of if states[name]["Type"] == "Succeed" or "End" in states[name]}
    while more := {a for a, ways in ways_of.items() if a not in good and good.intersection(ways)}:
        good |= more
    plain, waiting = set[str](), [next(iter(ways_of))]
    while waiting:
        name = waiting.pop()
        if name in good and name not in plain:
            plain.add(name)
            waiting += [target for target, caught in ways_of[name].items() if not caught]
    return set(ways_of) - plain


def find_detours(definition: Definition) -> set[str]:
    """Return the states off the way that choices take by default, such as those for large files.

    States that only a failure leads to are none.
    """
    states, name = definition["States"], definition["StartAt"]
    plain = {name}
    while following := states[name].get("Next", states[name].get("Default")):
        name = following
        plain.add(name)
    return set(find_ways(definition)) - plain - find_failure_states(definition)
