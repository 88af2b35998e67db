"""Build the content of the shared layer into a folder: the pinned packages and batchcore.

Usage: python build_layer.py TARGET_FOLDER [--platform lambda|host]

batchops calls it, and so does the Makefile beside it (``sam build``). It needs only pip.
"""

from __future__ import annotations

import argparse
import compileall
import os
import py_compile
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
LAMBDA_PYTHON = "3.13"
# The runtime's Amazon Linux 2023 has glibc 2.34, so it runs wheels for both platforms. Projects
# publish one or the other, and pip accepts only the platforms that it is given.
LAMBDA_PLATFORMS = ("manylinux_2_28_aarch64", "manylinux2014_aarch64")
_TIMEOUT_S = 600
# Files in which pip records details of this installation. They differ between machines and builds,
# so the layer's hash would differ too, although the packages are the same.
_NOTES = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")
# Parts of packages that no function imports: 250 of the layer's 420 files. A function that starts
# cold unpacks the layer first, and that takes as long as the files are many.
_UNUSED = ("aws_lambda_powertools/event_handler", "aws_lambda_powertools/utilities/*")
_USED = ("jmespath_utils", "typing")  # of those, what the logger imports


def pip_arguments(folder: Path, platform: str) -> list[str]:
    """Return the pip arguments that install the pinned packages into the folder."""
    arguments = ["install", "--no-deps", "--no-compile", "--no-input", "--quiet"]
    arguments += [
        "--disable-pip-version-check",
        "--require-hashes",
        "--only-binary=:all:",
        "--target",
        str(folder),
    ]
    if platform == "lambda":
        for tag in LAMBDA_PLATFORMS:
            arguments += ["--platform", tag]
        arguments += ["--implementation", "cp", "--python-version", LAMBDA_PYTHON]
    return [*arguments, "-r", str(HERE / "requirements.txt")]


def build(target: Path, platform: str) -> None:
    """Build the layer in the target folder, replacing what was there."""
    folder = target / "python"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # Settings in the caller's shell that would make pip install somewhere else.
    misleading = {"PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PIP_REQUIRE_VIRTUALENV"}
    env = {name: value for name, value in os.environ.items() if name not in misleading}
    command = [sys.executable, "-m", "pip", *pip_arguments(folder, platform)]
    subprocess.run(command, check=True, timeout=_TIMEOUT_S, env=env)
    shutil.rmtree(folder / "bin", ignore_errors=True)
    for name in _NOTES:
        for note in folder.glob(f"*.dist-info/{name}"):
            note.unlink()
    for unused in (path for pattern in _UNUSED for path in folder.glob(pattern)):
        if unused.is_dir() and unused.name not in _USED:
            shutil.rmtree(unused)
    unwanted = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")
    shutil.copytree(HERE / "batchcore", folder / "batchcore", ignore=unwanted)
    if platform == "host":
        # The local engine unpacks the layer for each function that starts, and would have it
        # compiled each time. Whatever the time of the files is then, they are not checked.
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        compileall.compile_dir(folder, quiet=2, stripdir=target, invalidation_mode=mode)


def main() -> None:
    """Build the layer as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("target", type=Path, help="folder to fill")
    parser.add_argument("--platform", choices=("lambda", "host"), default="lambda")
    options = parser.parse_args()
    build(options.target.resolve(), options.platform)


if __name__ == "__main__":
    main()
