"""Plans for a stack as it is deployed, and whether a plan may be submitted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from batchcore import aws, jobs
from batchcore.reference import is_storable, table_key

from batchops.core.errors import InputError, translated
from batchops.core.stack_ref import describe_stack
from batchops.deployment.deployed import deployed_schema
from batchops.planning.plan import plan_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

    from batchops.core.stack_ref import StackRef
    from batchops.planning.plan import Plan, Source
    from batchops.planning.scan import KnownKeys


def plan_for(
    stack: StackRef,
    source: Source,
    *,
    name: str | None = None,
    check_keys: bool = False,
    account_concurrency: int | None = None,
) -> Plan:
    """Plan a file for a stack as it is deployed: its schema, its parameters, its reference data.

    Parameters
    ----------
    check_keys
        Look up every key in the stack's reference data, which on AWS costs half a read unit a key.

    Raises
    ------
    InputError, StackNotFoundError, AwsError
    """
    outputs = stack.outputs
    described = describe_stack(stack.client("cloudformation"), stack.name) or {}
    parameters = {
        parameter["ParameterKey"]: parameter["ParameterValue"]
        for parameter in described.get("Parameters", [])
    }
    keys = reference_keys(stack.client("dynamodb"), outputs["FinancialTableName"])
    return plan_file(
        source,
        schema=deployed_schema(stack),
        delimiter=jobs.parse_delimiter(outputs["FileDelimiter"]),
        chunk_rows=int(outputs["FileChunkSize"]),
        max_concurrency=int(parameters["MaxConcurrency"]),
        name=name,
        known_keys=keys if check_keys else None,
        account_concurrency=account_concurrency,
    )


def reference_keys(dynamodb: DynamoDBClient, table: str) -> KnownKeys:
    """Return a function that says which of some keys the reference data has."""

    def known(wanted: Sequence[str]) -> set[str]:
        with translated("looking keys up in the reference data"):
            askable = [table_key(key) for key in wanted if is_storable(key)]
            found = aws.batch_get(dynamodb, table, askable)
        return {item["uuid"]["S"] for item in found}

    return known


def check_submittable(plan: Plan, *, force: bool = False) -> None:
    """Refuse a plan whose job cannot succeed, unless it is forced, or whose file is another now.

    Raises
    ------
    InputError
    """
    if not force and not plan.can_succeed:
        raise InputError(
            f"{plan.name} would fail: {'; '.join(plan.obstacles)}. Mend it and plan it again, or "
            "submit it with force=True"
        )
    if isinstance(plan.source, str | Path):
        path = Path(plan.source)
        if path.is_file() and path.stat().st_size != plan.size_bytes:
            raise InputError(
                f"{path} has {path.stat().st_size:,} bytes, but {plan.size_bytes:,} when it was "
                "planned: plan it again"
            )
