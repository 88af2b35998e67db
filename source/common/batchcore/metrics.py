"""Rows in, out and rejected as CloudWatch metrics, in the log line that CloudWatch reads them from.

The embedded metric format costs no call and no permission. The namespace is ``batchops``, the
dimension ``service`` the stack's name (``POWERTOOLS_SERVICE_NAME``).
"""

from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit

NAMESPACE = "batchops"

# Attribute of the ledger's JOB entry -> metric.
ROWS = {"rowsIn": "RowsIn", "rowsOut": "RowsOut", "rowsRejected": "RowsRejected"}


def publish_rows(now: Mapping[str, Any], before: Mapping[str, Any]) -> None:
    """Publish by how much a job's counts of rows have changed in the ledger.

    Only the change, so that sums over any time agree with the ledger: a step that is repeated adds
    nothing, and a repair moves its rows from rejected (less than 0) to out.

    Parameters
    ----------
    now, before
        Attributes of the JOB entry after an update, and those that it replaced.
    """
    changes = {
        metric: now[name] - before.get(name, 0) for name, metric in ROWS.items() if name in now
    }
    metrics = Metrics(namespace=NAMESPACE)
    for metric, change in changes.items():
        if change:
            metrics.add_metric(name=metric, unit=MetricUnit.Count, value=change)
    if any(changes.values()):
        metrics.flush_metrics()
