"""Make job ids and execution names, and read the delimiter parameter."""

import hashlib
import re
import unicodedata
from pathlib import PurePosixPath

SLUG_LENGTH = 40
DIGEST_LENGTH = 12

JOB_ID = re.compile(r"[a-z0-9-]{1,40}-[0-9a-f]{12}")

_DELIMITER_NAMES = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}


def slug(key: str) -> str:
    """Return the file's name in lower case, with dashes for all characters except ``a-z0-9``."""
    stem = PurePosixPath(key).name.rsplit(".", 1)[0]
    ascii_stem = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    dashed = re.sub(r"[^a-z0-9]+", "-", ascii_stem.lower()).strip("-")
    return dashed[:SLUG_LENGTH].strip("-") or "file"


def job_id(bucket: str, key: str, version_id: str) -> str:
    """Return the id of the job for one version of one object.

    The id depends on the object version only. So an event that is delivered twice names the same
    job, and whoever uploads a file knows the id before the event arrives. It has at most 53
    characters, because execution names, which contain it, may have 80 (AWS Step Functions,
    StartExecution API).
    """
    identity = "\0".join((bucket, key, version_id)).encode()
    return f"{slug(key)}-{hashlib.sha256(identity).hexdigest()[:DIGEST_LENGTH]}"


def execution_name(job: str, attempt: int) -> str:
    """Return the name of the main execution: the job id, with a suffix from attempt 2 on."""
    return job if attempt == 1 else f"{job}-a{attempt}"


def delimiter_name(delimiter: str) -> str:
    """Return the name of a delimiter, or itself if it has none."""
    return next((n for n, text in _DELIMITER_NAMES.items() if text == delimiter), delimiter)


def parse_delimiter(text: str) -> str:
    """Return the one-character delimiter that a parameter gives, as itself or by name.

    The names are ``tab``, ``comma``, ``semicolon`` and ``pipe``; a tab is hard to type into a
    CloudFormation parameter.

    Raises
    ------
    ValueError
        If the text is a double quote, or neither a name nor one printable ASCII character or tab.
    """
    delimiter = _DELIMITER_NAMES.get(text.lower(), text)
    usable = len(delimiter) == 1 and (delimiter == "\t" or " " <= delimiter <= "~")
    if not usable or delimiter == '"':
        raise ValueError(
            f"FileDelimiter {text!r} cannot delimit fields: give one ASCII character other than "
            f"a double quote, or one of {', '.join(sorted(_DELIMITER_NAMES))}"
        )
    return delimiter
