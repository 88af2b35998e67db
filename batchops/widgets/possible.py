"""Which actions make sense for the jobs that are picked, and why others do not."""

from __future__ import annotations

from collections.abc import Sequence

from batchcore import workflow

from batchops.inspection.status import WAITING

RERUN, REPAIR, STOP = "Rerun", "Repair", "Stop"
RESULT, REPORT = "Link and Download", "Report"
ACTIONS = (RERUN, REPAIR, STOP, RESULT, REPORT)
_NO_JOB = "no job is picked"
_ONE = "for one job at a time"


def reasons_against(
    statuses: Sequence[str], *, rejected: int | None = None, has_result: bool = True
) -> dict[str, str]:
    """Return the actions that make no sense, each with the reason.

    Parameters
    ----------
    statuses
        The statuses of the jobs that are picked.
    rejected
        The rejected rows, if one job is picked and that is known.
    has_result
        Whether the results of the one job that is picked are merged, if it has ended.
    """
    if not statuses:
        return dict.fromkeys(ACTIONS, _NO_JOB)
    ended = [status for status in statuses if not _runs(status)]
    several = len(statuses) > 1
    runs = "none of them has ended" if several else "the job has not ended"
    found = {}
    if not ended:
        found[RERUN] = runs
    elif all(status == workflow.SUCCEEDED for status in ended):
        found[RERUN] = "nothing failed"
    if len(ended) == len(statuses):
        found[STOP] = "all of them have ended" if several else "the job has ended"
    if several:
        found |= dict.fromkeys((REPAIR, RESULT, REPORT), _ONE)
    elif not ended:
        found |= dict.fromkeys((REPAIR, RESULT, REPORT), runs)
    elif not has_result:
        found[RESULT] = "the job has no result"
    elif rejected == 0 and statuses[0] == workflow.SUCCEEDED:
        found[REPAIR] = "no row was rejected"
    return found


def _runs(status: str) -> bool:
    return status == WAITING or status in workflow.UNFINISHED
