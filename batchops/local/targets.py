"""Make targets; the local one uses the project's own engine unless another is given."""

from __future__ import annotations

from batchops.core.errors import InputError
from batchops.core.target import Engine, Target, TargetName
from batchops.local.engine import LocalEngine


def make_target(
    name: TargetName = "local",
    *,
    region: str | None = None,
    profile: str | None = None,
    engine: Engine | None = None,
) -> Target:
    """Return a target; for its parameters see `batchops.core.target.Target`.

    Raises
    ------
    InputError
        The name is unknown, or an option belongs to the other target.
    """
    if name == "local":
        engine = engine or LocalEngine()
    elif engine is not None:
        raise InputError("an engine belongs to target='local': leave it out")
    return Target(name, region=region, profile=profile, engine=engine)
