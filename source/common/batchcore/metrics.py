"""Publish the numbers of rows in, out and rejected as CloudWatch metrics.

The metrics are written to the log in the embedded metric format, which needs no call and no
permission. Their namespace is ``batchops``; the dimension ``service`` is the stack's name
(``POWERTOOLS_SERVICE_NAME``).
"""

from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit

NAMESPACE = "batchops"

# Attribute of the ledger's JOB entry -> metric.
ROWS = {"rowsIn": "RowsIn", "rowsOut": "RowsOut", "rowsRejected": "RowsRejected"}


def publish_rows(now: Mapping[str, Any], before: Mapping[str, Any]) -> None:
    """Publish how much a job's numbers of rows have changed in the ledger.

    Because only changes are published, sums over any period agree with the ledger: a repeated step
    adds nothing, and a repair moves its rows from rejected (a negative change) to out.

    Parameters
    ----------
    now, before
        Attributes of the JOB entry after and before an update.
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
