"""A stack whose schema looks nothing up, and what happens when it gets one that does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from batchcore import workflow
from e2e.jobs import finished

from batchops.core.errors import JobError
from batchops.deployment.deployed import deployed_schema
from batchops.local.engine import LocalEngine
from batchops.planning.schema_explain import explain_loaded
from batchops.stack import Stack

PLAIN: dict[str, Any] = {
    "required": ["item", "amount"],
    "properties": {"item": {"minLength": 1}, "amount": {"type": "integer"}},
}
LOOKING = {**PLAIN, "x-key": "item", "x-enrichment": ["price"]}
DATA = b"item,amount\nnut,1\nbolt,x\nscrew,2\nnail,3\n"


def test_stack_without_look_up_and_the_jobs_of_one_that_gets_it(
    engine: LocalEngine, tmp_path: Path
) -> None:
    plain, looking, prices = (tmp_path / n for n in ("plain.json", "looking.json", "prices.csv"))
    plain.write_text(json.dumps(PLAIN), encoding="utf-8")
    looking.write_text(json.dumps(LOOKING), encoding="utf-8")
    prices.write_text("item,price\nnut,10\nscrew,20\n", encoding="utf-8")
    stack = Stack("plain", engine=engine)
    try:
        stack.deploy(schema=plain, FileChunkSize=2)
        assert stack.outputs["ReferenceRows"] == "0"
        plan = stack.plan(DATA, check_keys=True)
        job = finished(stack, DATA, "parts.csv")
        assert (plan.rows, plan.rejected) == (4, 1)
        assert list(job.output()["item"]) == ["nut", "screw", "nail"]
        assert list(job.output().columns) == ["item", "amount"]
        assert list(job.rejects()["item"]) == ["bolt"]
        assert job.balance().holds
        assert workflow.ENRICH.state not in {node.name for node in job.graph().chunk.nodes}
        assert job.chunks()["enrich_ms"].isna().all()
        explained = explain_loaded(deployed_schema(stack), name="the schema of the stack")
        assert "amount: An integer; never empty." in str(explained)
        assert stack.what_if(DATA, PLAIN).newly_rejected == 0

        fixed = job.rejects().assign(amount="7")
        stack.deploy(schema=looking, reference_data=prices)
        with pytest.raises(JobError, match="deployed schema adds 'price'"):
            job.repair(fixed)
        with pytest.raises(JobError, match="submit the file again"):
            job.rerun(everything=True)
        assert list(job.output().columns) == ["item", "amount"]
        job = finished(stack, DATA, "again.csv")
        assert list(job.output()["price"]) == ["10", "20"]
        assert sorted(job.rejects()["item"]) == ["bolt", "nail"]
        assert job.balance().holds
    finally:
        stack.destroy(dry_run=False)
