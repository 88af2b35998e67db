"""Parameters that must fit each other, which CloudFormation does not check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchops.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchops.deployment.change_sets import ParameterValue

# A rerun may begin as long as the chunks are there, and lasts a day at most. S3 deletes at the
# midnight (UTC) after an object is as old as it may be (Amazon S3 user guide).
_LEDGER_LONGER_DAYS = 2


def check_parameters(
    template: Mapping[str, Any], found: Mapping[str, Any], parameters: Mapping[str, ParameterValue]
) -> None:
    """Refuse parameters by which a job would throttle itself, or forget itself while it runs.

    Parameters
    ----------
    template
        It has the defaults.
    found
        CloudFormation's description of the stack; empty if there is none yet.
    parameters
        Those that the deployment sets.

    Raises
    ------
    InputError
    """
    kept = {each["ParameterKey"]: each["ParameterValue"] for each in found.get("Parameters", [])}
    default = {name: each.get("Default") for name, each in template["Parameters"].items()}
    values = {**default, **{name: kept[name] for name in kept if name in default}, **parameters}
    reserved, wanted = _numbers(values, "ReservedConcurrency", "MaxConcurrency")
    if 0 < reserved < wanted:
        raise InputError(
            f"ReservedConcurrency={reserved} is less than MaxConcurrency={wanted}: a single job "
            f"would be throttled: give at least {wanted}, or 0 to reserve none"
        )
    entries, chunks = _numbers(values, "LedgerExpiryDays", "IntermediateExpiryDays")
    least = chunks + _LEDGER_LONGER_DAYS
    if 0 < entries < least:
        raise InputError(
            f"LedgerExpiryDays={entries} is too short for IntermediateExpiryDays={chunks}: as long "
            "as its chunks are there, a job can be rerun, and needs its entries until that has "
            f"ended: give at least {least}, or 0 to keep them"
        )


def _numbers(values: Mapping[str, Any], *names: str) -> tuple[int, ...]:
    """Return values as numbers; zeros if one is none, which CloudFormation says.

    The template of an earlier version does not have all.
    """
    try:
        return tuple(int(values[name]) for name in names)
    except (KeyError, TypeError, ValueError):
        return (0,) * len(names)
