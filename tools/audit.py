"""Ask for known vulnerabilities of every package that is installed or shipped; see `make audit`.

The answer is one of three, and "not asked" is never taken for "none known": pip-audit itself ends
with success where a service that does not know a package could not be told from one that is not
reached. Exit codes: 0 none known, 1 some known, 2 not all packages could be asked about.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

_TIMEOUT_S = 900.0
_LISTED = 5
# The project's own package, which no service knows.
_OWN = "batchops"


def main(pip_audit: str, places: Iterable[str]) -> int:
    """Audit each place: a folder of installed packages, or a file of pinned ones."""
    worst = 0
    for place in places:
        report = audit(pip_audit, place)
        code, text = judge(report)
        worst = max(worst, code)
        sys.stdout.write(f"{place}: {text}\n")
    return worst


def audit(pip_audit: str, place: str) -> Mapping[str, Any] | str:
    """Return pip-audit's report on a place, or its message if it gave none."""
    options = ["--progress-spinner", "off", "--format", "json"]
    where = (
        ["--path", place]
        if Path(place).is_dir()
        else ["--requirement", place, "--no-deps", "--disable-pip"]
    )
    done = subprocess.run(
        [pip_audit, *options, *where],
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    try:
        report: Mapping[str, Any] = json.loads(done.stdout)
    except ValueError:
        return (done.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1]
    return report


def judge(report: Mapping[str, Any] | str) -> tuple[int, str]:
    """Return the exit code and the line for a report."""
    if isinstance(report, str):
        return 2, f"NOT AUDITED, the vulnerability service cannot be reached: {report}"
    packages = [p for p in report["dependencies"] if p["name"] != _OWN]
    known = [
        f"{package['name']} {package['version']}: {vulnerability['id']}"
        + (f", fixed in {', '.join(fixed)}" if (fixed := vulnerability["fix_versions"]) else "")
        for package in packages
        for vulnerability in package.get("vulns", ())
    ]
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    if known:
        return 1, "\n  ".join([f"{len(known)} known vulnerabilities", *known])
    if unknown:
        more = ", ..." if len(unknown) > _LISTED else ""
        return 2, (
            f"NOT AUDITED, the vulnerability service knows nothing of {len(unknown)} of "
            f"{len(packages)} packages or cannot be reached: {', '.join(unknown[:_LISTED])}{more}"
        )
    return 0, f"{len(packages)} packages, no known vulnerabilities"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
