"""The graph of a job's workflow, with the status of each state.

It has the states that do something and those that end the workflow; lines stand for the choices and
notes between them. A state that only some files need appears if it was entered.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from batchcore import workflow

from batchops.core.errors import translated
from batchops.core.histories import StateVisit, read_history, state_visits
from batchops.inspection.frames import chunks_frame
from batchops.inspection.status import job_status
from batchops.show.graph import NOT_REACHED, Flow, Node, StateRun, WorkflowGraph

if TYPE_CHECKING:
    import pandas as pd

    from batchops.core.job_ref import JobRef
    from batchops.core.stack_ref import StackRef

Definition = dict[str, Any]
Run = dict[str, StateRun]

# Steps of the chunk workflow as JobTable and Job.chunks() call them.
CHUNK_STEPS = {
    "Read File": "read",
    "Validate Data": "validate",
    "Get Financial Data": "enrich",
    "Write output file": "write",
}

_PLUMBING = frozenset({"Choice", "Pass"})

# The label of the Map whose children are the chunks.
_CHUNKS_MAP = "Chunks"


def job_graph(job: JobRef) -> WorkflowGraph:
    """Return the graph of a job's workflow, as it is deployed and as far as it has run.

    Raises
    ------
    JobNotFoundError, AwsError, EngineError
    """
    entry = job.ledger_entry()
    chunks = chunks_frame(job.chunk_entries(), job_start=entry.started)
    return workflow_graph(
        _deployed_definition(job.stack, "MainOrchestratorArn"),
        _deployed_definition(job.stack, "ProcessChunkArn"),
        runs=state_runs(state_visits(read_history(job.stack, job.id, entry.attempt))),
        chunks=chunks,
        total=entry.chunks,
        title=f"Job {job.id}, attempt {entry.attempt}: {job_status(job).status}",
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
    summary = f"{total:,} chunks" + "".join(
        f", {counts[status]:,} {status.lower()}" for status in sorted(counts.index)
    )
    failed = int(counts.get(workflow.FAILED, 0))
    found = dict(_shown(main, runs))
    fan_out = next((n for n, s in main["States"].items() if s.get("Label") == _CHUNKS_MAP), "")
    if failed and fan_out in found:  # the state itself tolerates failed chunks
        note = f"{failed:,} of {total:,} failed"
        found[fan_out] = replace(found[fan_out], status=workflow.FAILED, note=note)
    flow = _flow(main, found, letter="m", title=title)
    inner = chunk_runs(chunk, chunks)
    return WorkflowGraph(
        main=flow,
        chunk=_flow(chunk, inner, letter="c", title=f"Each chunk: {summary}"),
        fan_out=next((node.key for node in flow.nodes if node.name == fan_out), ""),
    )


def parse_definition(text: str) -> Definition:
    """Return a workflow's definition; its numbers may still be the template's placeholders."""
    definition: Definition = json.loads(re.sub(r"(:\s*)\$\{\w+\}", r"\1null", text))
    return definition


def state_runs(visits: Iterable[StateVisit]) -> Run:
    """Return what came of each state; of one that was entered more than once, the last time."""
    return {visit.state: StateRun(visit.status, visit.ms) for visit in visits}


def chunk_runs(definition: Definition, chunks: pd.DataFrame) -> Run:
    """Return what came of each state of the chunk workflow, over all chunks.

    At which step a running chunk is, the ledger does not say; it counts once it has ended.
    """
    succeeded = int((chunks["status"] == workflow.SUCCEEDED).sum())
    failed_at = chunks.loc[chunks["status"] == workflow.FAILED, "failed_step"].value_counts()
    failures = int(failed_at.sum())
    trouble = _after_failure(definition)
    runs: Run = {}
    for name, state in definition["States"].items():
        if name not in CHUNK_STEPS and state["Type"] not in _PLUMBING:
            count = failures if name in trouble else succeeded
            status = workflow.FAILED if name in trouble else workflow.SUCCEEDED
            runs[name] = StateRun(status, note=f"{count:,} chunks") if count else StateRun()
    through = succeeded
    for name, step in reversed(CHUNK_STEPS.items()):
        failed = int(failed_at.get(name, 0))
        if through or failed:
            known = chunks[f"{step}_ms"].dropna()
            note = f"{failed:,} failed, {through:,} ok" if failed else f"{through:,} ok"
            ms = float(known.median()) if len(known) else None
            status = workflow.FAILED if failed else workflow.SUCCEEDED
            runs[name] = StateRun(status, ms, note, of="median ")
        through += failed
    return {name: runs[name] for name in definition["States"] if name in runs}


# ------------------------------------------------------------------------- its shape

Steps = dict[str, dict[str, bool]]


def _steps(definition: Definition) -> Steps:
    """Return which state follows which, and whether only after a failure; without the plumbing."""
    states = definition["States"]

    def ends(name: str, caught: bool, seen: frozenset[str]) -> Iterator[tuple[str, bool]]:
        if states[name]["Type"] not in _PLUMBING:
            yield name, caught
        elif name not in seen:
            for target, by_catch in _exits(states[name]):
                yield from ends(target, caught or by_catch, seen | {name})

    found: Steps = {}
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


def _after_failure(definition: Definition) -> set[str]:
    """Return the states that only a failure leads to, or that lead only to a failed end."""
    states, steps = definition["States"], _steps(definition)
    good = {name for name in steps if states[name]["Type"] == "Succeed" or "End" in states[name]}
    while more := {a for a, ways in steps.items() if a not in good and good.intersection(ways)}:
        good |= more
    plain, waiting = set[str](), [next(iter(steps))]
    while waiting:
        name = waiting.pop()
        if name in good and name not in plain:
            plain.add(name)
            waiting += [target for target, caught in steps[name].items() if not caught]
    return set(steps) - plain


def _detours(definition: Definition) -> set[str]:
    """Return the states that a job can succeed without, such as those for large files only."""
    steps, trouble = _steps(definition), _after_failure(definition)
    first = next(iter(steps))

    def succeeds_without(name: str) -> bool:
        seen, waiting = {name}, [first]
        while waiting:
            at = waiting.pop()
            if at not in seen:
                seen.add(at)
                if not steps[at]:
                    return True
                waiting += [a for a in steps[at] if a not in trouble]
        return False

    return {name for name in steps if name not in trouble and succeeds_without(name)}


def _shown(definition: Definition, runs: Mapping[str, StateRun]) -> Iterator[tuple[str, StateRun]]:
    """Yield the runs of the states to draw; a state that a failure state follows has failed.

    A function that returns a failure as its result succeeds as a state.
    """
    steps, trouble = _steps(definition), _after_failure(definition)
    entered = [name for name in runs if definition["States"][name]["Type"] not in _PLUMBING]
    for place, name in enumerate(entered):
        run, after = runs[name], entered[place + 1 : place + 2]
        if name not in trouble and trouble.intersection(after):
            run = replace(run, status=workflow.FAILED)
        # A final state takes no time.
        yield name, replace(run, ms=None) if not steps[name] else run


def _flow(definition: Definition, runs: Mapping[str, StateRun], *, letter: str, title: str) -> Flow:
    """Give each state a key and a position."""
    hidden, trouble = _detours(definition) - runs.keys(), _after_failure(definition)
    found = _steps(definition)
    # First the states that were entered, in order; then the others, as one leads to the next.
    entered = (name for name, run in runs.items() if run.status != NOT_REACHED)
    order = dict.fromkeys([*(name for name in entered if name in found), *found])
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


# ----------------------------------------------------------------------------- its forms
