"""Describe the machine that the measurements ran on, without names of hosts, users or paths."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

_LIBRARIES = (
    "boto3",
    "orjson",
    "jsonschema-rs",
    "pandas",
    "polars",
    "duckdb",
    "pandera",
    "frictionless",
    "simpy",
)


def describe_machine() -> str:
    """Return the machine, Python and the libraries in a sentence."""
    memory_gb = psutil.virtual_memory().total / 1e9
    parts = [
        f"{psutil.cpu_count() or 1} cores ({processor()})",
        f"{memory_gb:.0f} GB of memory",
        f"{platform.system()} on {platform.machine()}",
        f"Python {platform.python_version()}",
        *filter(None, map(_library, _LIBRARIES)),
    ]
    return ", ".join(parts)


def processor() -> str:
    """Return the processor's model."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or "unknown model"


def load_share() -> float:
    """Return how busy the machine was in the last minute, 1 being all of its cores."""
    return os.getloadavg()[0] / (psutil.cpu_count() or 1)


def _library(name: str) -> str:
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return ""
