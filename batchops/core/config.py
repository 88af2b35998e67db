"""batchops.toml: the stacks that somebody works on, as environments with names.

A key that is not known is an error that names the nearest one: what is misspelt would otherwise
be left out of a deployment in silence.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from batchcore.schema_words import meant

from batchops.core.errors import InputError
from batchops.core.target import TargetName

FILE_NAME = "batchops.toml"
_TEXTS = ("stack", "target", "region", "profile", "schema", "reference", "role_arn")
_FLAGS = ("termination_protection",)
_TABLES = ("parameters", "tags")
_KEYS = (*_TEXTS, *_FLAGS, *_TABLES)
_TOP = "environments"


@dataclass(frozen=True)
class Environment:
    """An environment of a configuration file: where a stack lives, and what it is deployed with.

    Attributes
    ----------
    name : str
        What the file calls it.
    stack, target : str
        The stack's name; ``"local"`` or ``"aws"``.
    region, profile : str or None
        Of the AWS configuration.
    schema, reference : Path or None
        The record schema and the reference data; in the file, relative to its folder.
    parameters : mapping
        The template's parameters.
    tags : mapping
        The stack's tags, which CloudFormation puts on its resources too.
    role_arn : str or None
        The role that CloudFormation takes to make and change the resources.
    termination_protection : bool or None
        Whether the stack may not be deleted; None to leave that as it is.
    """

    name: str
    stack: str = "batchops"
    target: TargetName = "local"
    region: str | None = None
    profile: str | None = None
    schema: Path | None = None
    reference: Path | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    role_arn: str | None = None
    termination_protection: bool | None = None


def find_config(folder: Path) -> Path | None:
    """Return the nearest configuration file in a folder, or in one above it."""
    for each in (folder, *folder.parents):
        if (each / FILE_NAME).is_file():
            return each / FILE_NAME
    return None


def load_environment(name: str, path: Path | None = None) -> Environment:
    """Return one environment of a configuration file; all of the file is checked.

    Parameters
    ----------
    path
        The file; by default the nearest ``batchops.toml`` in the current folder or above.

    Raises
    ------
    InputError
        There is no such file, it has no such environment, or something in it is wrong.
    """
    path = path or find_config(Path.cwd())
    if path is None:
        raise InputError(f"no {FILE_NAME} here or in a folder above: write one, or name the stack")
    environments = load_config(path)
    if name not in environments:
        raise InputError(
            f"{path} has no environment {name!r}{_meant(name, environments)}: it has "
            f"{', '.join(environments) or 'none'}"
        )
    return environments[name]


def load_config(path: Path) -> dict[str, Environment]:
    """Return the environments of a configuration file by their names.

    Raises
    ------
    InputError
        It cannot be read, or something in it is wrong.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as TOML ({error}): correct it") from error
    _check_known(path, "", document, (_TOP,))
    tables = document.get(_TOP, {})
    if not isinstance(tables, dict):
        raise InputError(f"{path}: {_TOP} is no table: write [{_TOP}.NAME]")
    return {name: _environment(path, name, table) for name, table in tables.items()}


def _environment(path: Path, name: str, table: Any) -> Environment:
    place = f"{_TOP}.{name}"
    if not isinstance(table, dict):
        raise InputError(f"{path}: {place} is no table: write [{place}]")
    _check_known(path, place, table, _KEYS)
    for key, value, kinds in _typed(table):
        if not isinstance(value, kinds):
            known = {dict: "a table", str: "a text", bool: "true or false"}
            wanted = known.get(kinds, "a text, a number, true or false")
            raise InputError(f"{path}: {place}.{key} is {value!r}: give {wanted}")
    targets = get_args(TargetName)
    if table.get("target", "local") not in targets:
        raise InputError(
            f"{path}: {place}.target is {table['target']!r}: give {' or '.join(targets)}"
        )
    files = {key: path.parent / table[key] for key in ("schema", "reference") if key in table}
    return Environment(name, **{**table, **files})


def _typed(table: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield each key of an environment with its value, and what that may be."""
    for key, value in table.items():
        yield key, value, dict if key in _TABLES else bool if key in _FLAGS else str
    for key, kinds in (("parameters", str | int | float | bool), ("tags", str)):
        inside = table.get(key, {})
        for name, value in inside.items() if isinstance(inside, dict) else ():
            yield f"{key}.{name}", value, kinds


def _check_known(path: Path, place: str, table: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for key in table:
        if key not in known:
            where = f"{place}.{key}" if place else key
            raise InputError(
                f"{path}: {where} is not known{_meant(key, known)}: known are {', '.join(known)}"
            )


def _meant(name: str, known: Iterable[str]) -> str:
    near = meant(name, known)
    return f" (is {near} meant?)" if near else ""
