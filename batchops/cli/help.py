"""What ``--help`` shows beside the options: the verbs in groups, and an example of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import click

GROUPS = {
    "Start here": ("demo", "doctor", "sample", "init", "notebooks"),
    "The stack": (
        *("preview", "deploy", "status", "drift", "outputs", "resources", "policy", "destroy"),
    ),
    "Files and jobs": ("schema", "plan", "submit", "jobs", "show", "watch", "wait"),
    "Results": (
        *("why", "errors", "rejects", "output", "download", "link", "email", "balance"),
        *("duplicates", "chunks", "chunk", "steps", "lineage", "cost", "plot", "report"),
    ),
    "Fix and rerun": (
        *("repair", "rerun", "stop", "redeliver", "reconcile", "compare", "what-if", "purge"),
    ),
    "Look inside": ("logs", "event", "invoke", "engine"),
}

# What follows "batchops" on the command line. JOB stands for a job's id, as `jobs` lists it.
EXAMPLES = {
    "demo": "demo",
    "doctor": "--target aws --region eu-west-1 doctor",
    "sample": "sample 5000 data",
    "init": "init own",
    "notebooks": "notebooks lessons",
    "preview": "preview --schema mine.json",
    "deploy": "deploy FileChunkSize=2000 --reference-data data/reference.csv",
    "status": "status",
    "drift": "drift",
    "outputs": "outputs",
    "policy": "policy deployer > deployer.json",
    "resources": "resources",
    "destroy": "destroy --yes",
    "schema infer": "schema infer data/orders.csv -o mine.json --force",
    "schema explain": "schema explain mine.json",
    "schema check": "schema check mine.json --against data/orders.csv",
    "plan": "plan data/orders.csv",
    "submit": "submit data/orders.csv --wait",
    "jobs": "jobs --status FAILED --since 1d --sort rows_rejected --descending",
    "show": "show JOB",
    "watch": "watch JOB",
    "wait": "wait JOB --timeout 600",
    "why": "why JOB",
    "errors": "errors JOB --column 'Order Date' > errors.csv",
    "rejects": "rejects JOB > fixed.csv",
    "output": "output JOB > completed.csv",
    "download": "download JOB completed.csv",
    "link": "link JOB --expires 600",
    "email": "email JOB",
    "balance": "balance JOB",
    "duplicates": "duplicates JOB",
    "chunks": "chunks JOB",
    "chunk": "chunk JOB 3",
    "steps": "steps JOB",
    "lineage": "lineage JOB",
    "cost": "cost JOB",
    "plot": "plot JOB timeline timeline.svg",
    "report": "report JOB --to report.html",
    "repair": "repair JOB fixed.csv --yes --wait",
    "rerun": "rerun --status FAILED --since 1d --yes",
    "stop": "stop JOB",
    "redeliver": "redeliver --yes",
    "reconcile": "reconcile --since 7d",
    "compare": "compare JOB JOB",
    "what-if": "what-if JOB mine.json",
    "purge": "purge JOB --yes",
    "logs": "logs validate-data --job JOB --follow",
    "event": "event JOB validate-data --chunk 3 > event.json",
    "invoke": "invoke validate-data event.json --here",
    "engine install": "engine install",
    "engine start": "engine start",
    "engine status": "engine status",
    "engine env": "engine env --profile batchops > aws-config",
    "engine stop": "engine stop",
    "engine logs": "engine logs --lines 20",
    "engine reset": "engine reset --yes",
}


def write_verbs(ctx: click.Context, formatter: click.HelpFormatter) -> None:
    """Write the verbs by group, each with the first sentence of its help, whole."""
    verbs = cast("click.Group", ctx.command).commands
    for title, names in GROUPS.items():
        rows = [(name, _summary(verbs[name])) for name in names]
        with formatter.section(title):
            formatter.write_dl(rows)


def _summary(command: click.Command) -> str:
    text = " ".join((command.help or "").split("\n\n")[0].split())
    return text.split(". ")[0].rstrip(".")


def write_example(name: str, formatter: click.HelpFormatter) -> None:
    """Write the example of a verb, such as ``jobs`` or ``engine start``."""
    with formatter.section("Example"):
        formatter.write_text(f"batchops {EXAMPLES[name]}")
