"""Say the arguments that messages name as options of a verb, or as what the console has for them.

Messages are written for people who call Python. They name no call, but an argument where one is the
way on, such as ``dry_run=False``.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

# What reads a file, as in sheet='March', is an option with the same word.
_READING = re.compile(r"\b(sheet|encoding|skip_rows|schema|reference_data)=(?:'([^']*)'|(\d+))")
_OPTIONS = {
    "dry_run=False": "--yes",
    "force=True": "--force",
    "replace=True": "--replace",
    "profile=...": "--profile ...",
    "region=...": "--region ...",
    "since=...": "--since ...",
    "target='aws'": "--target aws",
    "target='local'": "--target local",
    "accept={...}": "--accept KIND",
    "frame()": "--json",
    "changes_frame()": "--json",
    ", bytes or a DataFrame": "",
    ", or a DataFrame": "",
}
_CONSOLE = _OPTIONS | {
    "dry_run=False": "the button below",
    "profile=...": "a profile",
    "region=...": "a region",
    "target='aws'": "the target aws",
    "target='local'": "the target local",
    "accept={...}": "tick it below",
    "frame()": "'batchops repair --json'",
    "changes_frame()": "'batchops repair --json'",
}


def in_verbs(text: str) -> str:
    """Return a text with the options of the command line in the place of arguments."""
    return _READING.sub(_as_option, _replace(text, _OPTIONS))


def for_console(text: str) -> str:
    """Return a text with what the console has in the place of arguments, or the verb's options."""
    return _READING.sub(_as_option, _replace(text, _CONSOLE))


def _replace(text: str, options: Mapping[str, str]) -> str:
    for argument, option in options.items():
        begins = r"(?<!\w)" if argument[0].isalpha() else ""
        text = re.sub(rf"{begins}{re.escape(argument)}(?=[ ,:;)\n<]|$)", option, text)
    return text


def _as_option(found: re.Match[str]) -> str:
    value = found[2] or found[3]
    return f"--{found[1].replace('_', '-')} {shlex.quote(value)}"
