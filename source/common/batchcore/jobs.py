"""Job ids, and the parameters that travel with a job."""

import hashlib
import re
import unicodedata
from pathlib import PurePosixPath

SLUG_LENGTH = 40
DIGEST_LENGTH = 12

JOB_ID = re.compile(r"[a-z0-9-]{1,40}-[0-9a-f]{12}")

_DELIMITER_NAMES = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}


def slug(key: str) -> str:
    """Return the file's name in lower case with every other character than ``a-z0-9`` as a dash."""
    stem = PurePosixPath(key).name.rsplit(".", 1)[0]
    ascii_stem = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    dashed = re.sub(r"[^a-z0-9]+", "-", ascii_stem.lower()).strip("-")
    return dashed[:SLUG_LENGTH].strip("-") or "file"


def job_id(bucket: str, key: str, version_id: str) -> str:
    """Return the id of the job for one version of one object.

    It is a pure function of the object version, so an event that is delivered twice names the same
    job, and whoever uploads knows the id before the event fires. At most 53 characters: execution
    names, of which it is a part, may have 80 (AWS Step Functions, StartExecution API).
    """
    identity = "\0".join((bucket, key, version_id)).encode()
    return f"{slug(key)}-{hashlib.sha256(identity).hexdigest()[:DIGEST_LENGTH]}"


def execution_name(job: str, attempt: int) -> str:
    """Return the main execution's name: the job id, and from attempt 2 on a suffix."""
    return job if attempt == 1 else f"{job}-a{attempt}"


def parse_delimiter(text: str) -> str:
    """Return the one-character delimiter that a parameter names.

    ``tab``, ``comma``, ``semicolon`` and ``pipe`` may be written out, since a tab is hard to type
    into a CloudFormation parameter.

    Raises
    ------
    ValueError
        If the text is neither such a name nor one printable ASCII character or tab, or is a quote.
    """
    delimiter = _DELIMITER_NAMES.get(text.lower(), text)
    usable = len(delimiter) == 1 and (delimiter == "\t" or " " <= delimiter <= "~")
    if not usable or delimiter == '"':
        raise ValueError(
            f"FileDelimiter {text!r} cannot delimit fields: give one ASCII character other than "
            f"the double quote, or one of {', '.join(sorted(_DELIMITER_NAMES))}"
        )
    return delimiter
