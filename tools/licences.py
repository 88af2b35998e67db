"""Write the licences of all packages that are installed into the docs; see `make licences`.

The packages are those of the files that say what is installed. What their licences are is asked of
pip-licenses, which reads what each package says of itself.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from packaging.utils import canonicalize_name

from batchops.core.project import checkout_root, state_home
from batchops.local import engine_env

ROOT = checkout_root()
# Where a package is installed, and the file that says so.
PLACES: Mapping[str, Path] = {
    "layer": ROOT / "source" / "common" / "requirements.txt",
    "engine": engine_env.REQUIREMENTS,
    "environment": ROOT / "constraints.txt",
}
# Each kind of licence that was looked at and is all right for a program that only uses the package.
# A kind that is not here makes the test fail: judge it first. As packages name them, in lower case.
KINDS: Mapping[str, str] = {
    "0bsd": "0BSD",
    "apache 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "apache-2.0": "Apache-2.0",
    "bsd": "BSD",
    "bsd license": "BSD",
    "bsd-2-clause": "BSD",
    "bsd-3-clause": "BSD",
    "cc0-1.0": "CC0-1.0",
    "cnri-python": "CNRI-Python",
    "isc": "ISC",
    "isc license (iscl)": "ISC",
    "mit": "MIT",
    "mit license": "MIT",
    "mit no attribution license (mit-0)": "MIT-0",
    "mit-0": "MIT-0",
    "mit-cmu": "MIT-CMU",
    # Weak copyleft: it binds changes to the package's own files.
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "mpl-2.0": "MPL-2.0",
    "psf-2.0": "PSF-2.0",
    "python software foundation license": "PSF-2.0",
    "zlib": "Zlib",
    # text-unidecode may be had under any of these. Developers have it, with Frictionless.
    (
        "artistic license; gnu general public license (gpl); "
        "gnu general public license v2 or later (gplv2+)"
    ): "Artistic-1.0-Perl",
}
# Installed on other systems only. From the packages' own metadata, November 2026.
_ELSEWHERE = {
    "appnope": "BSD-2-Clause",
    "pywin32": "Python Software Foundation License",
    "pywinpty": "MIT License",
}
_TIMEOUT_S = 120.0
_HEAD = """\
# Licences

What is installed with batchops, where, and under which licence, as each package says itself to
pip-licenses; `make licences` writes this page. The layer goes to AWS, the engine's environment is
the local engine's own, and the environment is the user's, with what only developers need. SAM CLI,
checkov and pip-audit (Apache-2.0) and uv (MIT or Apache-2.0) are programs that developers run, in
environments of their own.

| package | licence | in |
|---|---|---|
"""


def packages() -> dict[str, list[str]]:
    """Return where each package is installed, by its normal name."""
    found: dict[str, list[str]] = {}
    for place, path in PLACES.items():
        names = re.findall(r"^([\w.-]+)==", path.read_text(encoding="utf-8"), re.MULTILINE)
        for name in dict.fromkeys(map(canonicalize_name, names)):
            found.setdefault(name, []).append(place)
    return dict(sorted(found.items()))


def declared(python: str = sys.executable) -> dict[str, str]:
    """Return the licence that each package installed for an interpreter declares."""
    command = [sys.executable, "-m", "piplicenses", "--python", python]
    done = subprocess.run(
        [*command, "--with-system", "--from", "all", "--format", "json"],
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=True,
    )
    sources = ("License-Expression", "License-Classifier", "License-Metadata")
    return {
        canonicalize_name(package["Name"]): next(
            (package[key].splitlines()[0] for key in sources if package[key] != "UNKNOWN"), "none"
        )
        for package in json.loads(done.stdout)
    }


def kinds(licence: str) -> Iterator[str]:
    """Yield each kind of licence that a declaration names.

    Raises
    ------
    KeyError
        It names one that nobody has looked at yet.
    """
    whole = licence.lower()
    for name in [whole] if whole in KINDS else re.split(r" and | or |; ", whole):
        yield KINDS[name if name in KINDS else name.strip("()")]


def page(licences: Mapping[str, str]) -> str:
    """Return the page for the licences of all packages."""
    rows = (
        f"| {name} | {licences[name]} | {', '.join(places)} |"
        for name, places in packages().items()
    )
    return _HEAD + "\n".join(rows) + "\n"


def main(path: str) -> None:
    """Write the page."""
    engine = declared(str(engine_env.env_python(state_home())))
    found = _ELSEWHERE | engine | declared()
    Path(path).write_text(page(found), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
