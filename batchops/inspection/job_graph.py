"""The graph of a job's workflow, with the status of each state.

It has the states that do something and those that end the workflow; lines stand for the choices and
notes between them. A state that only some files need appears if it was entered.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from batchcore import workflow
from batchcore.texts import number_of

from batchops.core.errors import translated
from batchops.core.histories import StateVisit, read_history, state_visits
from batchops.inspection.definitions import (
    Definition,
    find_detours,
    find_failure_states,
    find_ways,
    is_plumbing,
    parse_definition,
)
from batchops.inspection.frames import chunks_frame
from batchops.inspection.status import job_status
from batchops.show.graph import NOT_REACHED, Flow, Node, StateRun, WorkflowGraph

if TYPE_CHECKING:
    import pandas as pd

    from batchops.core.job_ref import JobRef
    from batchops.core.ledger import ChunkEntry
    from batchops.core.stack_ref import StackRef

Run = dict[str, StateRun]


def job_graph(job: JobRef) -> WorkflowGraph:
    """Return the graph of a job's workflow, as it is deployed and as far as it has run.

    Raises
    ------
    JobNotFoundError, AwsError, EngineError
    """
    return GraphReader(job).read(job.chunk_entries(), job_status(job).status)


class GraphReader:
    """Reads the graph of one job, again and again; the workflows are read once."""

    def __init__(self, job: JobRef) -> None:
        self._job = job
        self._definitions: tuple[Definition, Definition] | None = None

    def read(self, chunks: Iterable[ChunkEntry], status: str) -> WorkflowGraph:
        """Return the graph as far as the job has run; for the errors see `job_graph`.

        Parameters
        ----------
        chunks
            The chunks that have started.
        status
            The job's status.
        """
        job = self._job
        entry = job.ledger_entry()
        if self._definitions is None:
            self._definitions = (
                _deployed_definition(job.stack, "MainOrchestratorArn"),
                _deployed_definition(job.stack, "ProcessChunkArn"),
            )
        return workflow_graph(
            *self._definitions,
            runs=state_runs(state_visits(read_history(job.stack, job.id, entry.attempt))),
            chunks=chunks_frame(chunks, job_start=entry.began),
            total=entry.chunks,
            title=f"Job {job.id}, attempt {entry.attempt}: {status}",
        )


def _deployed_definition(stack: StackRef, output: str) -> Definition:
    with translated("reading the workflow"):
        answer = stack.client("stepfunctions").describe_state_machine(
            stateMachineArn=stack.outputs[output]
        )
    return parse_definition(answer["definition"])


def workflow_graph(
    main: Definition,
    chunk: Definition,
    *,
    runs: Mapping[str, StateRun],
    chunks: pd.DataFrame,
    total: int,
    title: str,
) -> WorkflowGraph:
    """Return the graph of a job.

    Parameters
    ----------
    main, chunk
        The two workflows, see `parse_definition`.
    runs
        The results of the main workflow's states, in the order in which they were entered.
    chunks
        As ``Job.chunks()`` returns it; the columns status, failed_step and those in ``_ms``.
    total
        The number of chunks; 0 before the split.
    title
        The title above the graph.
    """
    counts = chunks["status"].value_counts()
    summary = number_of(total, "chunk") + "".join(
        f", {counts[status]:,} {status.lower()}" for status in sorted(counts.index)
    )
    failed = int(counts.get(workflow.FAILED, 0))
    found = dict(_shown(main, runs))
    labels = {state.get("Label"): name for name, state in main["States"].items()}
    fan_out = labels.get(workflow.CHUNKS_LABEL, "")
    if failed and fan_out in found:  # the state itself tolerates failed chunks
        note = f"{failed:,} of {total:,} failed"
        found[fan_out] = replace(found[fan_out], status=workflow.FAILED, note=note)
    flow = _flow(main, found, letter="m", title=title)
    chunk = _way_taken(chunk, chunks)
    inner = chunk_runs(chunk, chunks)
    return WorkflowGraph(
        main=flow,
        chunk=_flow(chunk, inner, letter="c", title=f"Each chunk: {summary}"),
        fan_out=next((node.key for node in flow.nodes if node.name == fan_out), ""),
    )


def _way_taken(definition: Definition, chunks: pd.DataFrame) -> Definition:
    """Return the chunk workflow with the look-up, or without if that is how the chunks went."""
    done = chunks.loc[chunks["status"] == workflow.SUCCEEDED, f"{workflow.ENRICH.name}_ms"]
    left_out = bool(len(done)) and bool(done.isna().all())
    states = dict(definition["States"])
    for name, state in definition["States"].items():
        if state.get("Default") == workflow.ENRICH.state:
            taken = state["Choices"][0]["Next"] if left_out else state["Default"]
            states[name] = {"Type": "Pass", "Next": taken}
    return {**definition, "States": states}


def state_runs(visits: Iterable[StateVisit]) -> Run:
    """Return the result of each state; of one that was entered more than once, the last."""
    return {visit.state: StateRun(visit.status, visit.ms) for visit in visits}


def chunk_runs(definition: Definition, chunks: pd.DataFrame) -> Run:
    """Return the result of each state of the chunk workflow, over all chunks.

    A running chunk does not count, because the ledger does not say at which step it is.
    """
    succeeded = int((chunks["status"] == workflow.SUCCEEDED).sum())
    failed_at = chunks.loc[chunks["status"] == workflow.FAILED, "failed_step"].value_counts()
    failures = int(failed_at.sum())
    trouble = find_failure_states(definition)
    step_states = {step.state for step in workflow.CHUNK_STEPS}
    runs: Run = {}
    for name, state in definition["States"].items():
        if name not in step_states and not is_plumbing(state):
            count = failures if name in trouble else succeeded
            status = workflow.FAILED if name in trouble else workflow.SUCCEEDED
            runs[name] = StateRun(status, note=number_of(count, "chunk")) if count else StateRun()
    through = succeeded
    for step in reversed(workflow.CHUNK_STEPS):
        failed = int(failed_at.get(step.state, 0))
        if through or failed:
            known = chunks[f"{step.name}_ms"].dropna()
            note = f"{failed:,} failed, {through:,} ok" if failed else f"{through:,} ok"
            ms = float(known.median()) if len(known) else None
            status = workflow.FAILED if failed else workflow.SUCCEEDED
            runs[step.state] = StateRun(status, ms, note, of="median ")
        through += failed
    return {name: runs[name] for name in definition["States"] if name in runs}


def _shown(definition: Definition, runs: Mapping[str, StateRun]) -> Iterator[tuple[str, StateRun]]:
    """Yield the runs of the states to draw; a state that a failure state follows has failed.

    A function that returns a failure as its result succeeds as a state.
    """
    steps, trouble = find_ways(definition), find_failure_states(definition)
    # The job may have run in a workflow that had other states; those are not drawn.
    states = definition["States"]
    entered = [name for name in runs if name in states and not is_plumbing(states[name])]
    for place, name in enumerate(entered):
        run, after = runs[name], entered[place + 1 : place + 2]
        # A job that fails for its rejects does so after the mail, which has not failed.
        if name not in {*trouble, workflow.EMAIL.state} and trouble.intersection(after):
            run = replace(run, status=workflow.FAILED)
        # A final state takes no time.
        yield name, replace(run, ms=None) if not steps[name] else run


def _flow(definition: Definition, runs: Mapping[str, StateRun], *, letter: str, title: str) -> Flow:
    """Give each state a key and a position."""
    hidden, trouble = find_detours(definition) - runs.keys(), find_failure_states(definition)
    found = find_ways(definition)
    entered = [n for n, run in runs.items() if n in found and run.status != NOT_REACHED]
    # First what the job did not need again, as the split in a rerun; then the states that were
    # entered, in order; then the others, as one leads to the next.
    spared = [a for a in found if set(entered[:1]) & found[a].keys() and a not in trouble]
    order = dict.fromkeys([*spared, *entered, *found])
    steps = {
        name: {a: caught for a, caught in found[name].items() if a not in hidden}
        for name in order
        if name not in hidden
    }
    columns: dict[str, int] = {}
    for name in steps:  # each after those that lead to it
        before = [columns[a] for a in columns if name in steps[a]]
        taken = {columns[a] for a in columns if (a in trouble) == (name in trouble)}
        # A state on the main way comes after all that lead to it; others as soon as there is room.
        first = 1 + (min if name in trouble else max)(before, default=-1)
        columns[name] = next(c for c in range(first, first + len(steps) + 1) if c not in taken)
    places = {name: f"{letter}{number}" for number, name in enumerate(steps)}
    return Flow(
        title=title,
        nodes=tuple(
            Node(key, name, runs.get(name, StateRun()), columns[name], int(name in trouble))
            for name, key in places.items()
        ),
        edges=tuple(
            (places[a], places[b], caught or (b in trouble and a not in trouble))
            for a, ways in steps.items()
            for b, caught in ways.items()
        ),
    )
