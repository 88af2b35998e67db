"""What a job looks like while it runs: its workflow, the chunks' timeline, or a grid of many."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchcore import workflow

from batchops.core.errors import AccessDeniedError, BatchOpsError
from batchops.inspection.chunk_grid import ChunkGrid, grid_of
from batchops.inspection.frames import chunks_frame
from batchops.inspection.job_graph import GraphReader
from batchops.inspection.status import WAITING
from batchops.show.chunk_bars import MAX_BARS
from batchops.show.timeline import Timeline

if TYPE_CHECKING:
    from batchops.core.job_ref import JobRef
    from batchops.core.ledger import ChunkEntry
    from batchops.inspection.status import JobStatus
    from batchops.inspection.tally import ChunkTally
    from batchops.show.graph import WorkflowGraph

# The history is read so often at most; Step Functions refills 20 requests a second for an account
# (AWS Step Functions quotas, GetExecutionHistory).
_GRAPH_EVERY_S = {"aws": 4.0, "local": 1.0}
# For the end of a workflow whose job has ended.
_LAST_READS, _LAST_READS_S = 8, 0.5


@dataclass(frozen=True)
class LivePicture:
    """The pictures of one moment; None for each that does not exist.

    Attributes
    ----------
    graph : WorkflowGraph or None
        The workflow with the status of each state.
    timeline : Timeline or None
        When each chunk ran; for at most 80 chunks.
    grid : ChunkGrid or None
        The state of each chunk, if there are more.
    """

    graph: WorkflowGraph | None = None
    timeline: Timeline | None = None
    grid: ChunkGrid | None = None

    def html(self) -> str:
        """Return the pictures one below the other."""
        graph = self.graph.to_page() if self.graph else ""
        timeline = self.timeline.to_svg() if self.timeline and self.timeline.bars else ""
        return graph + timeline + (self.grid._repr_html_() if self.grid else "")


class LivePictures:
    """Makes the pictures of one job again and again; of its chunks only what has changed is read.

    Parameters
    ----------
    job
        The job.
    clock
        Returns seconds that only increase.
    """

    def __init__(self, job: JobRef, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._job, self._clock = job, clock
        self._graphs: GraphReader | None = GraphReader(job)
        self._graph: WorkflowGraph | None = None
        self._graph_at = float("-inf")
        self._changed = (0.0, clock())

    def read(self, status: JobStatus, tally: ChunkTally | None) -> LivePicture:
        """Return the pictures for a status and the chunks that were read with it."""
        if status.status == WAITING:
            return LivePicture()
        if max(status.chunks, tally.highest if tally else 0) > MAX_BARS:
            return LivePicture(grid=grid_of(self._job.id, status, tally))
        entries = self._entries(status, tally)
        if entries is None:
            return LivePicture(self._graph)
        return LivePicture(self._read_graph(status, entries), self._timeline(status, entries))

    def last_reads(
        self, status: JobStatus, tally: ChunkTally | None, sleep: Callable[[float], object]
    ) -> Iterator[LivePicture]:
        """Yield the pictures of a job that has ended, until its workflow has ended too.

        The function that mails the link tells that the job has ended, and its state ends after it.
        """
        for _ in range(_LAST_READS):
            nodes = self._graph.main.nodes if self._graph else ()
            if not any(node.run.status == workflow.RUNNING for node in nodes):
                return
            sleep(_LAST_READS_S)
            yield self.read(status, tally)

    def _entries(self, status: JobStatus, tally: ChunkTally | None) -> list[ChunkEntry] | None:
        """Return the chunks that have started; None if they cannot be read."""
        if tally is not None or not status.chunks:
            found: Collection[ChunkEntry] = tally.seen.values() if tally else ()
        else:  # the merge has told the status, without a look at the chunks
            try:
                found = list(self._job.chunk_entries())
            except BatchOpsError:
                return None
        return list(found)

    def _timeline(self, status: JobStatus, entries: list[ChunkEntry]) -> Timeline:
        # What an earlier attempt ran is hours away.
        last = max((entry.attempt for entry in entries), default=1)
        ran = [entry for entry in entries if entry.attempt == last]
        found = Timeline.of(chunks_frame(ran), job_id=self._job.id)
        # By how long nothing was heard, not by the clocks of two computers.
        now = self._clock()
        if found.seconds != self._changed[0]:
            self._changed = (found.seconds, now)
        waited_s = 0.0 if status.ended else now - self._changed[1]
        return found.grown(waited_s)

    def _read_graph(self, status: JobStatus, entries: list[ChunkEntry]) -> WorkflowGraph | None:
        now, every_s = self._clock(), _GRAPH_EVERY_S[self._job.stack.target.name]
        if self._graphs is None or (now - self._graph_at < every_s and not status.ended):
            return self._graph
        self._graph_at = now
        try:
            self._graph = self._graphs.read(entries, status.status)
        except AccessDeniedError:  # who may follow a job need not be allowed to read its history
            self._graphs = self._graph = None
        except BatchOpsError:  # no picture is better than one of a moment ago
            self._graph = None
        return self._graph
