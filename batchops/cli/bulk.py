"""One command for many jobs: which are meant, and what becomes of each."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from batchcore.texts import number_of
from batchcore.workflow import JOB_STATUSES

from batchops.cli import complete
from batchops.cli.base import POSITIVE, error_text, leaving, show, time_ago, wants_json
from batchops.core.errors import BatchOpsError

if TYPE_CHECKING:
    from batchops.job import Job
    from batchops.stack import Stack


@dataclass(frozen=True)
class Choice:
    """The jobs that a command is about: those named, or those that options choose.

    Attributes
    ----------
    named : tuple of str
        Ids of jobs.
    status, since, name : str or None
        What chooses jobs, as `Stack.jobs` takes it.
    limit : int
        The most that are chosen.
    """

    named: tuple[str, ...]
    status: str | None
    since: str | None
    name: str | None
    limit: int

    @property
    def chooses(self) -> bool:
        """Whether options choose the jobs."""
        return (self.status, self.since, self.name) != (None, None, None)

    @property
    def single(self) -> str | None:
        """The one job that is named; None where it may be several."""
        return self.named[0] if len(self.named) == 1 and not self.chooses else None

    def check(self) -> None:
        """Refuse jobs that are named and chosen, and neither.

        Raises
        ------
        click.UsageError
        """
        if self.chooses and self.named:
            raise click.UsageError("name jobs, or choose them with --status, --since and --name")
        if not self.chooses and not self.named:
            raise click.UsageError("name a JOB, or choose jobs with --status, --since or --name")

    def ids(self, stack: Stack, *, among: Sequence[str]) -> list[str]:
        """Return the ids; of those that options choose without a status, `among` these only."""
        if not self.chooses:
            return list(dict.fromkeys(self.named))
        # Each status by itself: the limit is one of jobs that are meant.
        chosen = {
            str(job): start
            for status in (among if self.status is None else [self.status])
            for job, start in stack.jobs(
                status=status, since=self.since, name=self.name, limit=self.limit + 1
            )[["job", "start"]].itertuples(index=False)
        }
        found = sorted(chosen, key=lambda job: chosen[job], reverse=True)
        if len(found) > self.limit:
            said = f"there are more than {self.limit:,} such jobs; of these the last started"
            click.echo(f"{said} are taken: --limit takes more", err=True)
        return found[: self.limit]


def choosing(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command on jobs the options that choose them, as a `Choice`."""
    options = (
        click.option(
            "--status",
            type=click.Choice(JOB_STATUSES, case_sensitive=False),
            metavar="STATUS",
            help=f"All jobs that are {', '.join(JOB_STATUSES)}.",
        ),
        click.option("--since", callback=time_ago, help="All jobs started since: 30m, 2h, 1d ago."),
        click.option("--name", help="All jobs whose file's name holds this."),
        click.option(
            "--limit", type=POSITIVE, default=100, show_default=True, help="Of these, at most."
        ),
    )

    @wraps(command)
    def wrapper(
        *args: Any,
        status: str | None,
        since: str | None,
        name: str | None,
        limit: int,
        **given: Any,
    ) -> None:
        named = given.pop("job_ids")
        command(*args, choice=Choice(tuple(named), status, since, name, limit), **given)

    wrapped: Callable[..., None] = wrapper
    for option in reversed(options):
        wrapped = option(wrapped)
    return wrapped


def jobs_argument(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the argument JOB, any number of times."""
    return click.argument("job_ids", nargs=-1, metavar="[JOB]...", shell_complete=complete.jobs)(
        command
    )


@dataclass
class Bulk:
    """What came of doing something to each of several jobs.

    Attributes
    ----------
    done : dict
        What was returned, by the job's id.
    failed : list of dict
        Job and error of those that failed, for JSON.
    """

    done: dict[str, Any] = field(default_factory=dict)
    failed: list[dict[str, Any]] = field(default_factory=list)

    def told(self) -> dict[str, list[dict[str, Any]]]:
        """Return the document for scripts."""
        return {"jobs": [*(_told(*each) for each in self.done.items()), *self.failed]}

    def end(self, *, then: str = "") -> None:
        """Write the JSON document, or the next step; exit code 1 if one failed."""
        if wants_json():
            show("", data=self.told())
        elif not self.done and not self.failed:
            show("no such jobs")
        elif then:
            click.echo(f"{number_of(len(self.done), 'job')}; {then}", err=True)
        self.check()

    def check(self) -> None:
        """End with exit code 1 if one failed."""
        if self.failed:
            sys.exit(1)


def each_job(stack: Stack, ids: Sequence[str], do: Callable[[Job], Any]) -> Bulk:
    """Run a verb for each job and show each result; a failure does not stop the rest.

    Parameters
    ----------
    do
        Returns a value that is shown, or where a file was stored.
    """
    bulk = Bulk()
    says = "interrupted; 'batchops jobs' lists how the jobs stand, and the same command goes on"
    for job_id in ids:
        try:
            with leaving(says, data=bulk.told):
                found = bulk.done[job_id] = do(stack.job(job_id))
        except (BatchOpsError, ValueError, OSError) as error:
            told = {"type": type(error).__name__, "message": str(error)}
            bulk.failed.append({"job": job_id, "error": told})
            if not wants_json():
                click.echo(f"error: {job_id}: {error_text(error)}", err=True)
            continue
        if not wants_json():
            shown = f"{job_id} -> {found}" if isinstance(found, Path) else found
            show(shown, advises=True)
    return bulk


def _told(job_id: str, found: Any) -> dict[str, Any]:
    if isinstance(found, Path):
        return {"job": job_id, "path": str(found)}
    return {"job": job_id, **found.to_dict()}
