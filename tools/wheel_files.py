"""Tell hatchling what goes into the wheel beside what pyproject.toml lists.

Not by ``force-include`` in pyproject.toml: that puts the files into an editable installation too,
where copies of them would hide the checkout.
"""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_FILES = {
    "samconfig.toml": "batchops/project/samconfig.toml",
    "source/common/batchcore": "batchcore",  # what the client imports
    "template.yaml": "batchops/project/template.yaml",
}


class WheelFiles(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the files to a wheel, and nothing to an editable installation."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the files before the wheel is built."""
        if version == "standard":
            build_data["force_include"].update(_FILES)
