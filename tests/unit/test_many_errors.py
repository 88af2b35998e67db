"""A job of 100,000 errors: read page by page, as far as is asked for, and summed up as a stream."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from batchcore import items
from support import ERROR_TABLE, JOB_TABLE, REGION, SESSION, START_TIME, Received, Server, stack_ref

from batchops.core.errors import InputError
from batchops.job import Job

JOB = "orders-000000000001"
ERRORS, PAGE = 100_000, 2_000
RULES = (
    ("Country", "minLength"),
    ("Order Date", "format"),
    ("", "fieldCount"),
    ("uuid", "reference"),
)


def error(number: int) -> items.Item:
    column, rule = RULES[number % len(RULES)]
    fault = {"stage": "validate", "column": column, "rule": rule, "value": "x", "limit": "1"}
    record = {
        "row": number // len(RULES) + 2,
        "raw": "271828183,Ghana\n",
        "key": "271828183",
        "errors": [{**fault, "message": f"{column} is wrong"}],
    }
    (item,) = items.error_items(record, job=JOB, chunk=1, attempt=1, time=START_TIME, ttl=1)
    return item


class Tables:
    """DynamoDB as far as the errors of one job are read: pages, and a filter."""

    def __init__(self) -> None:
        self.pages = 0
        self.errors = ERRORS

    def answer(self, request: Received) -> tuple[int, bytes]:
        body = json.loads(request.body)
        operation = request.headers["X-Amz-Target"].rpartition(".")[2]
        if operation == "GetItem":
            entry = {"jobId": JOB, "entry": "JOB", "status": "SUCCEEDED", "attempt": 1}
            counts = {"rowsIn": 30_000, "rowsRejected": 25_000, "chunks": 1}
            return 200, json.dumps({"Item": items.attributes(entry | counts)}).encode()
        if operation == "BatchGetItem":
            wanted = [each["errorId"]["S"] for each in body["RequestItems"][ERROR_TABLE]["Keys"]]
            first = [error(number) for number in range(len(RULES))]
            found = [item for item in first if item["errorId"]["S"] in wanted]
            return 200, json.dumps({"Responses": {ERROR_TABLE: found}}).encode()
        assert (operation, body["TableName"]) == ("Query", ERROR_TABLE)
        self.pages += 1
        start = int(body.get("ExclusiveStartKey", {}).get("at", {"N": 0})["N"])
        end = min(start + PAGE, self.errors)
        found = [item for item in map(error, range(start, end)) if self._fits(item, body)]
        answer: dict[str, Any] = {"Items": found, "Count": len(found)}
        if end < self.errors:
            answer["LastEvaluatedKey"] = {"at": {"N": str(end)}}
        return 200, json.dumps(answer).encode()

    def _fits(self, item: items.Item, body: Any) -> bool:
        names, values = body.get("ExpressionAttributeNames", {}), body["ExpressionAttributeValues"]
        conditions = body.get("FilterExpression", "").split(" AND ")
        wanted = [condition.split(" = ") for condition in conditions if condition]
        return all(item[names[name]] == values[value] for name, value in wanted)


@pytest.fixture
def tables() -> Tables:
    return Tables()


@pytest.fixture
def job(tables: Tables) -> Iterator[Job]:
    with Server(tables.answer) as server:
        client = SESSION.client("dynamodb", region_name=REGION, endpoint_url=server.url)
        names = {"ErrorTableName": ERROR_TABLE, "JobTableName": JOB_TABLE}
        yield Job(stack_ref(outputs=names, dynamodb=client), JOB)
        client.close()


def test_first_errors_of_very_many_take_one_page(job: Job, tables: Tables) -> None:
    frame = job.errors(limit=5)
    assert list(frame["source_row"]) == [2, 2, 2, 2, 3]
    assert frame.attrs == {"complete": True, "cut": True}
    assert tables.pages == 1


def test_errors_in_parts_are_read_as_they_are_taken(job: Job, tables: Tables) -> None:
    parts = job.iter_errors(lines=1_000)
    assert len(next(parts)) == 1_000
    assert tables.pages == 1
    assert len(next(parts)) == len(next(parts)) == 1_000
    assert tables.pages == 2


def test_errors_of_one_rule_are_filtered_where_they_are(job: Job, tables: Tables) -> None:
    tables.errors = 2 * PAGE
    frame = job.errors(column="Order Date", rule="format", limit=PAGE)
    assert len(frame) == tables.errors // len(RULES)
    assert set(frame["column"]) == {"Order Date"}
    assert frame.attrs["cut"] is False
    assert job.errors(column="Order Date", rule="minLength").empty


def test_causes_of_all_errors_are_counted(job: Job, tables: Tables) -> None:
    tables.errors = 5 * PAGE  # each takes its time, and the last ones no more than the first
    why = job.why()
    causes = why.causes
    assert not why.by_rule_only
    assert {cause.what: cause.count for cause in causes} == {
        "validate: Country breaks minLength": 2_500,
        "validate: Order Date breaks format": 2_500,
        "validate: the row breaks fieldCount": 2_500,
        "validate: uuid breaks reference": 2_500,
    }
    assert {cause.value for cause in causes} == {"x"}
    assert tables.pages == 5


@pytest.mark.slow
def test_very_many_errors_are_counted_by_rule_only_and_read_once(job: Job, tables: Tables) -> None:
    tables.errors = 15 * PAGE
    why = job.why()
    assert why.by_rule_only
    assert why.to_dict()["by_rule_only"]
    assert {(cause.kind, cause.count, cause.value) for cause in why.causes} == {
        ("rejection", 7_500, "x")
    }
    assert len(why.causes) == len(RULES)
    assert "counted by rule, without looking for rows" in str(why)
    assert tables.pages == 15


@pytest.mark.parametrize("limit", [0, -1])
def test_limit_that_asks_for_nothing_is_refused(job: Job, limit: int) -> None:
    with pytest.raises(InputError, match=f"limit={limit}: give 1 or more"):
        job.errors(limit=limit)
