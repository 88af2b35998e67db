"""Write the policies of a stack's people into template.yaml and docs/security.md; `make policies`.

They are made from the table in `batchops.deployment.people`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from batchops.core.project import checkout_root
from batchops.deployment import people

ROOT = checkout_root()
TEMPLATE, PAGE = ROOT / "template.yaml", ROOT / "docs" / "security.md"
_WIDTH = 100


def render(path: Path) -> str:
    """Return the text of one of the two files, with what is between its marks made anew."""
    lines = template_lines() if path == TEMPLATE else page_lines()
    begin, end = _MARKS[path]
    text = path.read_text(encoding="utf-8")
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    return "\n".join([f"{before}{begin}", *lines, f"{end}{after}"])


_MARKS = {
    TEMPLATE: (
        "  # Made by make policies, from the table in batchops/deployment/people.py.",
        "  # (end of what make policies makes)",
    ),
    PAGE: ("<!-- made by make policies -->", "<!-- end of what make policies makes -->"),
}


def template_lines() -> Iterator[str]:
    """Yield the resources of the policies as lines of YAML."""
    for role, description in people.DESCRIPTIONS.items():
        yield ""
        yield f"  {role.title()}Policy:"
        yield "    Type: AWS::IAM::ManagedPolicy"
        yield "    Condition: HasPeoplePolicies"
        yield "    Properties:"
        yield f'      ManagedPolicyName: !Sub "${{AWS::StackName}}-{role}"'
        yield f'      Description: !Sub "For people who may {description} (${{AWS::StackName}})"'
        yield "      PolicyDocument:"
        yield '        Version: "2012-10-17"'
        yield "        Statement:"
        for statement in people.role_statements(role):
            yield f"          - Sid: {statement.sid}"
            yield "            Effect: Allow"
            yield from _values("Action", statement.actions)
            yield from _values("Resource", [f'!Sub "{arn}"' for arn in statement.resources])
    yield ""


def _values(name: str, values: Iterable[str]) -> Iterator[str]:
    listed = list(values)
    line = f"            {name}: " + (listed[0] if len(listed) == 1 else f"[{', '.join(listed)}]")
    if len(listed) == 1 or (len(line) <= _WIDTH and name == "Action"):
        yield line
        return
    yield f"            {name}:"
    yield from (f"              - {value}" for value in listed)


def page_lines() -> Iterator[str]:
    """Yield the tables of the page: roles with their verbs, verbs with their calls."""
    yield ""
    yield "| role | verbs |"
    yield "|---|---|"
    for role, verbs in people.ROLES.items():
        yield f"| {role} | {' '.join(f'`{verb}`' for verb in verbs)} |"
    yield ""
    yield "| verb | calls |"
    yield "|---|---|"
    for verb, calls in people.VERBS.items():
        parts = [f"{name}: {_named(actions)}" for name, actions in calls.items()]
        yield f"| `{verb}` | {'; '.join(parts)} |"
    yield ""


def _named(actions: Iterable[str]) -> str:
    return ", ".join(f"`{action}`" for action in sorted(actions))


if __name__ == "__main__":
    for each in _MARKS:
        each.write_text(render(each), encoding="utf-8")
