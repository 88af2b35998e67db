"""What other clients need to use the local engine, such as the AWS CLI and awswrangler."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from batchops.core.errors import InputError
from batchops.core.loopback import NO_PROXY

if TYPE_CHECKING:
    from batchops.local.engine import EngineInfo

# What a shell may have that would name another account, or sign with another key.
_IN_THE_WAY = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3")


def environment(info: EngineInfo) -> dict[str, str]:
    """Return the variables with which boto3 and what is built on it use the engine."""
    return {
        "AWS_ENDPOINT_URL": info.endpoint_url,
        "AWS_ACCESS_KEY_ID": info.access_key_id,
        "AWS_SECRET_ACCESS_KEY": info.secret_access_key,
        "AWS_REGION": info.region,
        "AWS_DEFAULT_REGION": info.region,
        **NO_PROXY,
    }


def as_exports(info: EngineInfo) -> str:
    """Return the lines that a POSIX shell evaluates to have these variables, and no others."""
    lines = [f"unset {' '.join(_IN_THE_WAY)}"]
    for name, value in environment(info).items():
        # Of hosts without a proxy, those that the shell has are kept.
        others = f'"${{{name}:+,${name}}}"' if name in NO_PROXY else ""
        lines.append(f"export {name}={shlex.quote(value)}{others}")
    return "\n".join(lines)


def as_profile(info: EngineInfo, name: str) -> str:
    """Return a profile for ``~/.aws/config``.

    Raises
    ------
    InputError
        The name cannot stand in such a file.
    """
    if not name.strip() or name != name.strip() or not name.isprintable() or set(name) & set("[]"):
        raise InputError(f"{name!r} cannot be a profile's name: give letters, digits and dashes")
    return "\n".join(
        (
            f"[profile {name}]" if name != "default" else "[default]",
            f"endpoint_url = {info.endpoint_url}",
            f"region = {info.region}",
            f"aws_access_key_id = {info.access_key_id}",
            f"aws_secret_access_key = {info.secret_access_key}",
        )
    )
