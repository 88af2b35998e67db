"""The whole story for scripts: every verb with ``--json``, one JSON document each."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from integration.conftest import ROWS, Shell

from batchops.core.project import checkout_root
from batchops.samples.sample import make_sample
from batchops.stack import Stack

BAD = len(make_sample(ROWS).bad)
COLUMNS = 8


def test_a_script_can_do_everything_with_json(shell: Shell, stack: Stack) -> None:
    script = shell.json
    deployed = script("deploy", "--reference-data", "reference.csv")
    assert deployed["outputs"]["FileChunkSize"] == "500"
    assert deployed["changes"] == []
    assert {check["name"] for check in script("doctor")["checks"]}
    assert script("preview")["unchanged"]
    assert script("status")["status"] == "CREATE_COMPLETE"
    assert script("outputs") == deployed["outputs"]
    assert {"logical_id", "type", "physical_id"} <= script("resources")[0].keys()

    plan = script("plan", "orders.csv")
    assert plan["can_succeed"]
    assert plan["rows"] == ROWS
    job_id = script("submit", "orders.csv", "--name", "story.csv")["job"]
    # At once, when the ledger may not know the job yet.
    job = script("watch", job_id)
    assert (job["status"], job["rows"], job["chunks"]) == ("SUCCEEDED", ROWS, 3)
    assert script("wait", job_id) == job
    assert script("show", job_id)["rows_done"] == ROWS
    assert [
        entry["job"] for entry in script("jobs", "--status", "SUCCEEDED", "--name", "story")
    ] == [job_id]
    assert script("jobs", "--name", "nothing of this name") == []
    assert sum(cause["count"] for cause in script("why", job_id)["causes"]) == BAD
    errors = script("errors", job_id)
    assert len(errors) == BAD
    assert {"source_row", "column", "rule", "value", "message"} <= errors[0].keys()
    assert len(script("chunks", job_id)) == 3
    assert script("steps", job_id)
    assert script("email", job_id)["status"] == "SENT"
    assert script("cost", job_id)
    assert script("chunk", job_id, "2")["missing"] == []
    assert script("report", job_id, "--to", "report.html")["missing"] == []
    assert (shell.home / "report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")

    _allow_shops(shell.home)
    verdict = script("what-if", job_id, "shops.json")
    assert (verdict["rows"], verdict["newly_rejected"]) == (ROWS, 0)
    assert {line["value"] for line in verdict["accepted"]} == {"Retail"}

    _fix(shell.home, script("rejects", job_id))
    planned = script("repair", job_id, "fixed.csv", "--accept", "dates")
    assert not planned["started"]
    assert (planned["held"], planned["damage"], planned["accepted"]) == ([], {}, ["dates"])
    assert {"source_row", "column", "before", "after", "rules", "damage"} == set(
        planned["changes"][0]
    )
    book = script("rejects", job_id, "-o", "rejects.xlsx")
    assert book == {"path": "rejects.xlsx", "rows": len(planned["rows"]), "left_out": []}
    repaired = script("repair", job_id, "fixed.csv", "--yes", "--wait")
    assert repaired["status"] == "SUCCEEDED"
    assert script("balance", job_id) == {
        "rows_in": ROWS,
        "rows_out": ROWS,
        "rows_rejected": 0,
        "rows_with_errors": 0,
        "chunks": 3,
        "unbalanced": [],
        "status": "SUCCEEDED",
        "counted": [{"where": "ledger", "rows": 0, "errors": 0}],
        "errors_file": "whole",
        "completed_file": "whole",
        "rejects_file": "whole",
        "holds": True,
    }
    assert not script("rerun", job_id)["needed"]
    assert [attempt["attempt"] for attempt in script("lineage", job_id)] == [1, 2]

    again = script("submit", "orders.csv", "--wait")["job"]
    compared = script("compare", again, job_id)
    assert (compared["fixed"], compared["newly_broken"]) == (BAD, 0)
    path = script("download", job_id, "completed.csv")["path"]
    assert (shell.home / path).stat().st_size > 0
    assert script("link", job_id)["link"].startswith("http://127.0.0.1:")
    assert script("logs", "merge-s3-files", "--job", job_id)
    assert not script("destroy")["deleted"]


def test_an_error_is_json_too(shell: Shell, stack: Stack) -> None:
    error = shell.json("balance", "nothing", code=1)["error"]
    assert error["type"] == "JobNotFoundError"
    assert error["message"]


def _allow_shops(home: Path) -> None:
    """Write the shipped schema with one more sales channel."""
    shipped = checkout_root() / "source" / "schema" / "record.schema.json"
    schema = json.loads(shipped.read_text(encoding="utf-8"))
    schema["properties"]["Sales Channel"]["enum"].append("Retail")
    (home / "shops.json").write_text(json.dumps(schema), encoding="utf-8")


def _fix(home: Path, rejects: list[dict[str, str]]) -> None:
    """Write the rejects file with every row as it is in the clean sample."""
    (home / "clean").mkdir()
    clean = make_sample(ROWS, bad_share=0).write(home / "clean").orders
    with clean.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    with (home / "fixed.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*header, "source_row", "rules", "messages"])
        for row in rejects:
            place = int(row["source_row"])
            writer.writerow([*rows[place - 2][:COLUMNS], place, row["rules"], row["messages"]])
