"""What a rerun would do: which chunks run and why, what is reused, what changed, what is merged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from batchcore import aws, headers, keys, workflow
from batchcore.texts import number_of
from botocore.exceptions import ClientError

from batchops.core.column_names import added_columns
from batchops.core.errors import InputError, JobError, translated
from batchops.core.execution_input import Settings, split_settings
from batchops.core.manifest import ManifestChunk, read_manifest
from batchops.deployment.deployed import changed_code, deployed_code, deployed_schema
from batchops.inspection.result_check import lost_results
from batchops.recovery.attempts import Ended, last_attempt
from batchops.recovery.chunk_choice import PlannedChunk, ReusedChunk, choose_chunks, stored_sizes
from batchops.show.numbers import number_ranges
from batchops.show.shown import Block, Shown

if TYPE_CHECKING:
    from batchops.core.job_ref import JobRef
    from batchops.core.ledger import JobEntry

_STARTED = "started; if as many other jobs run as may, it waits for its turn"


_REPAIR_INSTEAD = (
    ", because every chunk has its result and the same rows would be rejected again: look up "
    "why, fix the rows and repair the job with them. If the schema or the reference data has "
    "changed since, rerun everything"
)


@dataclass(frozen=True)
class RerunPlan(Shown):
    """What a rerun would do, or, once `started`, what it does.

    Attributes
    ----------
    job_id : str
        The job.
    attempt : int
        The number of the next attempt (of a redrive: of the attempt that goes on).
    ended : str
        How the attempt before it ended, and why.
    from_start : bool
        Whether the input is split again, because there are no chunks to continue with.
    chunks : tuple of PlannedChunk
        The chunks to run, each with its reason; empty if `from_start`, where all chunks run.
    reused : tuple of ReusedChunk
        The chunks whose results are reused.
    code_changed : tuple of str
        What is deployed differently since the attempt before, one line a change.
    merge : str
        What is written in the end.
    lost : str
        Only if `from_start`: what is gone that was there before, or no longer fits; else empty.
    settings : mapping
        Only if `from_start`: the parameters that the split takes from the stack as it is now.
    engine : str
        ``resume`` for a new execution, ``redrive`` if the old one goes on.
    started : bool
        Whether the attempt was started, or waits for its turn; False after a dry run, and if
        nothing has to run.
    instead : str
        What to do where no chunk has to run and the job has failed for its rejects; else empty.
    """

    job_id: str
    attempt: int
    ended: str
    from_start: bool
    chunks: tuple[PlannedChunk, ...]
    reused: tuple[ReusedChunk, ...]
    code_changed: tuple[str, ...]
    merge: str
    lost: str = ""
    settings: Settings | None = None
    engine: str = "resume"
    started: bool = False
    instead: str = ""
    # What was read for the plan, so that carrying it out need not read it again: the list of all
    # the job's chunks, and the fingerprints of the deployed functions.
    manifest: tuple[ManifestChunk, ...] = field(default=(), repr=False, compare=False)
    code: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    _also_in_json = ("needed",)

    @property
    def needed(self) -> bool:
        """Whether there is anything to run."""
        return self.from_start or bool(self.chunks)

    def by_reason(self) -> dict[str, list[PlannedChunk]]:
        """Return the chunks to run, grouped by the reason."""
        found: dict[str, list[PlannedChunk]] = {}
        for chunk in self.chunks:
            found.setdefault(chunk.reason, []).append(chunk)
        return found

    def chunks_to_run(self, manifest: Sequence[ManifestChunk]) -> list[ManifestChunk]:
        """Return those of a manifest's chunks that run."""
        wanted = {chunk.number for chunk in self.chunks}
        return [chunk for chunk in manifest if chunk.number in wanted]

    def _blocks(self) -> Iterator[Block]:
        yield Block.line(self._title())
        rows = [
            (number_ranges(c.number for c in chunks), f"{sum(c.rows for c in chunks):,}", reason)
            for reason, chunks in self.by_reason().items()
        ]
        lines = [
            f"  chunk{'' if numbers.isdigit() else 's'} {numbers}: {reason}"
            for numbers, _, reason in rows
        ]
        yield Block.table(("chunks", "rows", "why they run"), rows, lines=lines)
        if self.needed:
            yield Block.facts(self._facts())

    def _facts(self) -> Iterator[str]:
        """Yield what there is to say besides the chunks, a line each."""
        if self.reused:
            attempts = number_ranges({chunk.attempt for chunk in self.reused})
            rows = sum(chunk.rows for chunk in self.reused)
            yield (
                f"reuses results: {number_of(len(self.reused), 'chunk')}, "
                f"{number_of(rows, 'row')}, of attempt {attempts}"
            )
        if self.lost:
            yield f"splits the input again, because {self.lost}"
        if self.settings is not None:
            yield "splits with " + ", ".join(f"{k}={v!r}" for k, v in self.settings.items())
        yield "deployed since: " + ("; ".join(self.code_changed) or "nothing that the job runs")
        yield f"then {self.merge}"
        yield _STARTED if self.started else "nothing is started yet (dry_run=False starts it)"

    def _title(self) -> str:
        if not self.needed:
            return f"job {self.job_id} {self.ended}: nothing to rerun{self.instead}"
        what = "is redriven" if self.engine == "redrive" else "runs again"
        if self.from_start:
            how = "from the start"
        else:
            rows = sum(chunk.rows for chunk in self.chunks)
            total = len(self.chunks) + len(self.reused)
            how = (
                f"with {len(self.chunks):,} of {number_of(total, 'chunk')}, "
                f"{number_of(rows, 'row')}"
            )
        return f"job {self.job_id} {what} {how}, as attempt {self.attempt}; before, it {self.ended}"


def plan_rerun(
    job: JobRef,
    *,
    chunks: Sequence[int] | None = None,
    everything: bool = False,
    last: Ended | None = None,
) -> RerunPlan:
    """Say what a rerun of a job would do, and change nothing.

    The chunks that failed, were stopped or never started run again, and so do those whose results
    are gone. The results of the others are reused.

    Parameters
    ----------
    chunks
        Numbers of chunks to run in addition.
    everything
        Run all chunks.
    last
        How the last attempt ended, if that has been read already.

    Raises
    ------
    JobNotFoundError
    JobRunningError
        If the job has not ended.
    InputError
        If the job has no chunk that is named.
    JobError
        If what the rerun needs is gone from the bucket.
    """
    last = last or last_attempt(job)
    again = ""
    if last.entry.is_merged and not chunks and not everything:
        again = lost_results(job.stack, last.entry)
        if not again:
            return _plan_nothing(job, last)
    if last.entry.manifest_key is None:
        if chunks is not None:
            raise InputError(f"job {job.id} was never split, so it has no chunks to name")
        return _plan_from_start(job, last)
    manifest = read_manifest(job, last.entry)
    if manifest is None:
        return _plan_from_start(job, last, lost="the list of chunks is gone")
    named = dict.fromkeys(chunks or (), "named")
    if everything:
        named = {chunk.number: "everything is to run" for chunk in manifest}
    return plan_chunks(job, last, manifest, named=named, again=again)


def plan_chunks(
    job: JobRef,
    last: Ended,
    manifest: Sequence[ManifestChunk],
    *,
    named: Mapping[int, str],
    again: str = "",
) -> RerunPlan:
    """Plan a rerun of a job that was split before; from the start if its chunks are gone.

    Parameters
    ----------
    named
        Chunks to run in any case, and why.
    again
        Why a job that was merged is merged again; empty if it is not for that.
    """
    sizes = stored_sizes(job, last.entry.bucket)
    planned, reused = choose_chunks(job.id, manifest, job.chunk_entries(), sizes=sizes, named=named)
    if not planned and (again or not last.entry.is_merged):
        # A map needs an item, and of all the chunks the smallest costs least.
        least = min(reused, key=lambda chunk: chunk.rows)
        why = f", because {again}" if again else ""
        reason = f"only the merge is to be repeated{why}, and the workflow runs at least one chunk"
        planned = (PlannedChunk(least.number, least.rows, reason),)
        reused = tuple(chunk for chunk in reused if chunk is not least)
    lost = _lost(last.entry, manifest, planned, present=set(sizes))
    if lost:
        return _plan_from_start(job, last, lost=lost)
    merge = _merge(last.entry, f"the results of {number_of(len(manifest), 'chunk')}")
    plan = replace(
        _plan_nothing(job, last),
        chunks=planned,
        reused=reused,
        merge=merge,
        manifest=tuple(manifest),
    )
    plan = _with_code(job, last, plan)
    # A schema that adds other columns was deployed since, or none was.
    other = _other_columns(job, last.entry) if plan.code_changed else ""
    return _plan_from_start(job, last, lost=other) if other else plan


def _lost(
    entry: JobEntry,
    manifest: Sequence[ManifestChunk],
    planned: Sequence[PlannedChunk],
    *,
    present: set[tuple[str, str]],
) -> str:
    """Say what is gone that the chunks or the merge need; empty if everything is there.

    `present` has the key and the version of whatever is there.
    """
    wanted = {chunk.number for chunk in planned}
    versions = {c.number: (c.key, c.version_id) for c in manifest if c.number in wanted}
    numbers = [number for number, version in versions.items() if version not in present]
    if numbers:
        return f"chunks {number_ranges(numbers)} are gone"
    headers, piece = entry.header_versions, keys.HEADER_PIECE
    pieces = {
        (keys.output(entry.job_id, piece), headers["output"]),
        (keys.rejected_piece(entry.job_id, piece), headers["rejects"]),
    }
    return "" if pieces <= present else "the headers of the results are gone"


def _other_columns(job: JobRef, entry: JobEntry) -> str:
    """Say that the deployed schema adds other columns than the job's results have; else empty."""
    before, now = added_columns(job, entry), list(deployed_schema(job.stack).enrichment)
    if before == now:
        return ""
    return (
        f"the deployed schema adds {headers.listed(now) or 'no columns'}, but the job's results "
        f"have {headers.listed(before) or 'none'}"
    )


def _plan_nothing(job: JobRef, last: Ended) -> RerunPlan:
    plan = RerunPlan(job.id, last.attempt + 1, str(last), False, (), (), (), "")
    if last.entry.is_merged and last.status != workflow.SUCCEEDED:
        return replace(plan, instead=_REPAIR_INSTEAD)
    return plan


def _plan_from_start(job: JobRef, last: Ended, *, lost: str = "") -> RerunPlan:
    """Plan to split the same version of the input again.

    A file that was never split is split with the stack's parameters as they are now, because the
    old ones may be what its job failed for. A file that was split keeps its own parameters, because
    the ledger knows its chunks.

    Raises
    ------
    JobError
        If that version is gone.
    """
    entry = last.entry
    if not _input_exists(job, entry):
        copy = f": a copy is s3://{entry.bucket}/{entry.archive_key}" if entry.archive_key else ""
        raise JobError(
            f"job {job.id} cannot run again: {lost + ', and ' if lost else ''}version "
            f"{entry.version_id} of its input {entry.key} is gone; submit the file again{copy}",
            job_id=job.id,
        )
    settings = None if entry.was_split else split_settings(job.stack.outputs)
    merge = _merge(entry, "all results")
    plan = replace(
        _plan_nothing(job, last), from_start=True, merge=merge, lost=lost, settings=settings
    )
    return _with_code(job, last, plan)


def _with_code(job: JobRef, last: Ended, plan: RerunPlan) -> RerunPlan:
    """Return the plan with what is deployed now, and how it differs from the attempt before."""
    code = deployed_code(job.stack)
    return replace(
        plan,
        code_changed=changed_code(code, last.entry.code, since=last.entry.attempt_started),
        code={name: function.fingerprint for name, function in code.items()},
    )


def _input_exists(job: JobRef, entry: JobEntry) -> bool:
    with translated(f"looking for the input of job {job.id!r}"):
        try:
            job.stack.client("s3").head_object(
                Bucket=entry.bucket, Key=entry.key, VersionId=entry.version_id
            )
        except ClientError as error:
            if not aws.is_gone(error):
                raise
            return False
    return True


def _merge(entry: JobEntry, results: str) -> str:
    replaced = ", which replaces the earlier one" if entry.completed_key else ""
    return (
        f"joins {results} in the input's order into {keys.completed(entry.job_id, entry.key)}"
        f"{replaced}, and mails the link"
    )
