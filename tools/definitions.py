"""Find mistakes in definitions of workflows: ``python -m tools.definitions FILE...``.

cfn-lint has AWS's schema of the states language, and reads definitions in templates only. It knows
neither paths nor intrinsic functions, which moto's grammar does. Neither follows the transitions.

Exit codes: 0 no mistake, 1 some, which are printed.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from cfnlint.api import lint
from cfnlint.config import ManualArgs
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser

_FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:"
_ROLE = "arn:aws:iam::123456789012:role/workflow"


def main(paths: Iterable[str]) -> int:
    """Print the mistakes in each file."""
    found = [f"{path}: {m}" for path in paths for m in mistakes(Path(path).read_text("utf-8"))]
    sys.stdout.writelines(f"{line}\n" for line in found)
    return 1 if found else 0


def mistakes(text: str) -> list[str]:
    """Return what is wrong with a definition as CloudFormation takes it, ``${Name}`` and all."""
    text = re.sub(r'("Resource": )"\$\{(\w+)\}"', rf'\1"{_FUNCTION}\2"', text)
    text = re.sub(r'"\$\{(\w+)\}"', r'"\1"', text)
    text = re.sub(r"\$\{\w+\}", "1", text)
    try:
        definition = json.loads(text)
    except json.JSONDecodeError as error:
        return [f"it is no JSON: {error}"]
    return [
        *_by_schema(definition),
        *_by_grammar(text),
        *_by_transitions(definition, "the workflow"),
    ]


def _by_schema(definition: Any) -> Iterator[str]:
    properties = {"RoleArn": _ROLE, "Definition": definition}
    machine = {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}
    template = {"AWSTemplateFormatVersion": "2010-09-09", "Resources": {"Workflow": machine}}
    for match in lint(json.dumps(template), config=ManualArgs(regions=["us-east-1"])):
        place = "/".join(map(str, (match.path or [])[3:]))
        yield f"{place}: {match.message}" if place else match.message


def _by_grammar(text: str) -> Iterator[str]:
    logging.getLogger("moto").setLevel(logging.CRITICAL)  # it warns of what it does not simulate
    try:
        AmazonStateLanguageParser.parse(text)
    except Exception as error:  # of many kinds
        yield f"it cannot be interpreted: {error!r}"


def _by_transitions(level: Any, where: str) -> Iterator[str]:
    """Yield transitions to states that are not there, and states that nothing leads to."""
    states = level.get("States", {})
    reached = {level.get("StartAt")}
    for name, state in states.items():
        reached.update(_followers(state))
        if "ItemProcessor" in state:
            yield from _by_transitions(state["ItemProcessor"], f"the Map {name!r}")
    for name in sorted(reached - states.keys(), key=str):
        yield f"{where} has no state {name!r}, and goes on with it"
    for name in states.keys() - reached:
        yield f"nothing in {where} leads to the state {name!r}"


def _followers(state: Any) -> Iterator[str]:
    rules = [state, *state.get("Choices", []), *state.get("Catch", [])]
    for rule in rules:
        yield from (rule[key] for key in ("Next", "Default") if key in rule)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
