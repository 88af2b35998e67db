"""The demo sends a sample file through the stack on the local engine and checks every row."""

from __future__ import annotations

import shutil
import sys
import time
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING

from batchcore import workflow
from batchcore.texts import number_of
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from batchops.core.project import Project
from batchops.inspection.front_ends import JobProgress
from batchops.local.engine import LocalEngine
from batchops.local.mailbox import read_mailbox
from batchops.samples.sample import CHUNK_ROWS, ROWS, SampleRow, make_sample, sample_rows
from batchops.stack import Stack

if TYPE_CHECKING:
    import pandas as pd

    from batchops.job import Job

STACK_NAME = "batchops-demo"


def run_demo(folder: Path, *, rows: int = ROWS, console: Console | None = None) -> bool:
    """Run the demo, print the results, and return whether they are what the sample says.

    Parameters
    ----------
    folder
        The folder for the sample and the results.
    rows
        Rows of the sample; 3 % of them are bad.
    """
    console = console or Console(soft_wrap=True)
    started = time.monotonic()
    # Before anything is installed: the files to deploy, and a folder that can be written to.
    project = Project.find()
    sample = make_sample(rows)
    files = sample.write(folder)
    console.rule("[bold]1. A local AWS, and the stack in it")
    engine = LocalEngine()
    engine.install()
    info = engine.start()
    console.print(f"engine: {info.endpoint_url} (its state is kept in {engine.home})")
    stack = Stack(STACK_NAME, project=project.root, engine=engine)
    deployment = stack.deploy(
        reference_data=files.reference, FileChunkSize=CHUNK_ROWS, replace=True
    )
    console.print(f"stack {stack.name}: {deployment}")

    console.rule("[bold]2. A file")
    console.print(
        f"{files.orders}: {number_of(rows, 'row')}, {len(sample.bad_rows):,} of them bad in "
        f"{number_of(len(sample.bad), 'way')} ({files.expected.name} says which)"
    )
    job = stack.submit(files.orders)
    console.print(f"uploaded; job {job.id}")
    with JobProgress(console) as progress:
        job.wait(timeout_s=600, on_status=progress)

    console.rule("[bold]3. The results")
    console.print(f"balance: {job.balance()}")
    console.print(_errors_table(job.errors()), soft_wrap=False)
    console.print(_chunks_table(job.chunks()), soft_wrap=False)
    job.email()  # which follows the job's end
    _print_mail(engine, job, console)
    completed = job.download(folder / "completed.csv")
    rejected = job.download(folder / "rejected.csv", rejected=True)
    console.print(f"completed file: {completed}\nrejected rows:  {rejected}")

    console.rule("[bold]4. The check against the sample")
    faults = check(job, rows, folder)
    for fault in faults:
        console.print(f"[red]FAULT[/red] {fault}")
    if not faults:
        console.print(
            f"every one of {number_of(rows, 'row')} is where it belongs, "
            f"and every one of {number_of(len(sample.bad), 'violation')} is recorded"
        )
    console.print(f"{time.monotonic() - started:.1f} s in all")
    console.print(
        f"the engine keeps running; look around with: {_command()} --stack {STACK_NAME} jobs, "
        f"stop it with: {_command()} engine stop"
    )
    return not faults


def _command() -> str:
    """Return the command as one types it: with its folder where the shell would not find it."""
    found = shutil.which("batchops")
    return "batchops" if found else str(Path(sys.executable).with_name("batchops"))


def check(job: Job, rows: int, folder: Path) -> list[str]:
    """Return the differences between the job's results and what the sample says, to the byte.

    Parameters
    ----------
    job
        The job of ``make_sample(rows)``.
    folder
        Where ``reference.csv``, ``completed.csv`` and ``rejected.csv`` lie.
    """
    faults = []
    sample = list(sample_rows(rows))
    expected = {astuple(violation) for row in sample for violation in row.violations}
    columns = ["source_row", "stage", "column", "rule", "value"]
    found = set(job.errors()[columns].itertuples(index=False, name=None))
    faults += [f"not recorded: {violation}" for violation in sorted(expected - found)]
    faults += [f"recorded without reason: {violation}" for violation in sorted(found - expected)]
    if (folder / "completed.csv").read_bytes() != _expected_output(sample, folder):
        faults.append("the completed file does not hold exactly the good rows, enriched, in order")
    rejected = [int(row) for row in job.rejects()["source_row"]]
    if rejected != [row.source_row for row in sample if row.kind]:
        faults.append("the rejects file does not hold exactly the bad rows, in order")
    if not job.balance().holds:
        faults.append("the balance does not hold")
    if job.email().status != workflow.MAIL_SENT:
        faults.append("the mail was not sent")
    return faults


def _expected_output(sample: list[SampleRow], folder: Path) -> bytes:
    """Return what the completed file must be, made without any of the stack's code."""
    reference = dict(
        line.split(b",", 1) for line in (folder / "reference.csv").read_bytes().splitlines()
    )
    good = (row.line.rstrip(b"\n") for row in sample if not row.kind)
    return b"".join(b"%s,%s\n" % (line, reference[line.split(b",", 1)[0]]) for line in good)


def _errors_table(errors: pd.DataFrame) -> Table:
    table = Table("stage", "column", "rule", "rows", "for example", title="Errors by rule")
    groups = errors.groupby(["stage", "column", "rule"], sort=False)
    for (stage, column, rule), group in sorted(groups, key=lambda pair: -len(pair[1])):
        first = group.iloc[0]
        example = f"row {first['source_row']}: {first['message']}"
        table.add_row(
            str(stage), str(column) or "(row)", str(rule), f"{len(group):,}", escape(example)
        )
    return table


def _chunks_table(chunks: pd.DataFrame) -> Table:
    steps = ["read_ms", "validate_ms", "enrich_ms", "write_ms"]
    names = ["chunk", "rows", "rejected", *steps]
    table = Table(*names, title="Chunks (milliseconds inside each function)")
    for values in chunks[names].astype("str").to_numpy().tolist():
        table.add_row(*values)
    return table


def _print_mail(engine: LocalEngine, job: Job, console: Console) -> None:
    mails = [mail for mail in read_mailbox(engine) if job.id in mail.text]
    for mail in mails:
        console.print(
            f"[bold]Mail[/bold] to {escape(', '.join(mail.recipients))} (kept here, not sent)"
        )
        console.print(f"  Subject: {escape(mail.subject)}")
        for line in filter(None, mail.text.splitlines()):
            console.print(f"  {escape(line)}")
