"""What the Tab key completes: jobs, functions, parameters and environments, as the stack has them.

A completion that fails says nothing: whoever presses Tab asks for words, not for errors.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchcore import workflow
from click.shell_completion import CompletionItem

from batchops.cli.options import Options

if TYPE_CHECKING:
    import click

    from batchops.stack import Stack

_MOST_JOBS = 50

Complete = Callable[["click.Context", "click.Parameter", str], list[CompletionItem]]


def _completion(words: Callable[[click.Context], Iterable[CompletionItem]]) -> Complete:
    @functools.wraps(words)
    def complete(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return [word for word in words(ctx) if word.value.startswith(incomplete)]
        except Exception:
            return []

    return complete


def _typed(ctx: click.Context) -> dict[str, Any]:
    """Return the options in front of the verb that were typed, or are set in the shell."""
    return {name: value for name, value in ctx.find_root().params.items() if value is not None}


def _stack(ctx: click.Context) -> Stack:
    typed = _typed(ctx)
    return Options(
        typed.get("stack_name", Options.stack_name),
        typed.get("target", Options.target),
        typed.get("region"),
        typed.get("profile"),
        _project(typed),
        typed.get("environment"),
    ).stack()


def _project(typed: dict[str, Any]) -> Path | None:
    return Path(typed["project"]) if "project" in typed else None


@_completion
def jobs(ctx: click.Context) -> Iterable[CompletionItem]:
    """Complete the ids of the jobs that were started last; some shells show end and file."""
    from batchops.core import ledger

    # As the ledger has them: a look at how those stand that run enters ends, and starts jobs.
    for entry in ledger.recent_jobs(_stack(ctx), limit=_MOST_JOBS):
        status = f"{entry.status} " if entry.status in workflow.ENDED else ""
        yield CompletionItem(entry.job_id, help=f"{status}{entry.file}")


@_completion
def functions(ctx: click.Context) -> Iterable[CompletionItem]:
    """Complete the names of the functions, by the folders of the project."""
    from batchops.core.project import Project

    source = Project.find(_project(_typed(ctx))).source
    return (CompletionItem(path.parent.name) for path in sorted(source.glob("*/app.py")))


@_completion
def parameters(ctx: click.Context) -> Iterable[CompletionItem]:
    """Complete the names of the template's parameters, with the sign that a value follows."""
    from batchops.core.project import Project
    from batchops.deployment.template import load_template

    template = load_template(Project.find(_project(_typed(ctx))).template)
    return (
        CompletionItem(f"{name}=", help=str(each.get("Description", "")))
        for name, each in template["Parameters"].items()
    )


@_completion
def environments(ctx: click.Context) -> Iterable[CompletionItem]:
    """Complete the environments of batchops.toml."""
    from batchops.core.config import find_config, load_config

    path = find_config(_project(_typed(ctx)) or Path.cwd())
    return (CompletionItem(name) for name in (load_config(path) if path else {}))
