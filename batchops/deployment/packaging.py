"""Build what a stack runs: one archive per function and layer, one file per state machine.

An artifact is named by the SHA-256 of its content. The same sources give the same name on every
machine, so what is in the bucket already is never uploaded again.
"""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from batchops.core.errors import InputError, PackagingError
from batchops.core.project import check_owner, make_private
from batchops.deployment.template import CONTENT_PROPERTIES, load_template, local_contents

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchops.core.project import Project

Platform = Literal["lambda", "host"]

_BUILD_TIMEOUT_S = 900.0
# The first moment that a zip archive can express: every file's time, so that none matters.
_EPOCH = (1980, 1, 1, 0, 0, 0)
_READABLE = 0o100644 << 16


@dataclass(frozen=True)
class Artifact:
    """A built file, and the resource that it is for.

    Attributes
    ----------
    logical_id : str
        The resource's name in the template.
    sha256 : str
        Hash of the content: of an archive's files, whatever the compression made of them.
    path : Path
        The file on this computer.
    key : str
        Its key in the artifact bucket.
    """

    logical_id: str
    sha256: str
    path: Path
    key: str


def build(
    project: Project, *, platform: Platform, overrides: Mapping[str, Path] | None = None
) -> tuple[Artifact, ...]:
    """Build every artifact that the project's template names.

    Parameters
    ----------
    project
        Where template and sources are.
    platform
        ``"lambda"`` for functions on AWS, ``"host"`` for those run by this computer's Python.
    overrides
        Folders to use as they are, instead of those that the template names, by logical id.

    Raises
    ------
    InputError
        An override is for a resource without content, or is not a folder.
    PackagingError
        A folder is missing or empty, or the layer's build failed.
    """
    template = load_template(project.template)
    contents = local_contents(template)
    replaced = dict(overrides or {})
    unknown = sorted(set(replaced) - set(contents))
    if unknown:
        raise InputError(f"nothing to replace in {', '.join(unknown)}: known are {list(contents)}")
    artifacts = []
    for logical_id, uri in contents.items():
        resource = template["Resources"][logical_id]
        source, compiled = project.template.parent / uri, False
        if logical_id in replaced:
            source = Path(replaced[logical_id])
            if not source.is_dir():
                raise InputError(f"the override for {logical_id} is not a folder: {source}")
        elif resource.get("Metadata", {}).get("BuildMethod") == "makefile":
            source = build_layer(source, project.build, platform=platform)
            compiled = platform == "host"
        store = project.build / "artifacts"
        artifacts.append(_artifact(logical_id, resource, source, store, compiled=compiled))
    return tuple(artifacts)


def _artifact(
    logical_id: str, resource: Mapping[str, Any], source: Path, store: Path, *, compiled: bool
) -> Artifact:
    if not source.exists():
        name = CONTENT_PROPERTIES[resource["Type"]]
        raise PackagingError(f"{name} of {logical_id} is not there: {source}")
    make_private(store)
    if source.is_file():
        content = source.read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
        path = store / f"{sha256}{source.suffix}"
        if not path.exists():
            _write_whole(path, content)
    else:
        files = collect_files(source)
        if not files:
            raise PackagingError(f"the folder of {logical_id} is empty: {source}")
        sha256 = content_hash(files)
        path = store / f"{sha256}.zip"
        if not path.exists():
            extra = _compiled_files(source) if compiled else {}
            # What is compiled goes to the local engine, which unpacks it for each function.
            _write_whole(path, zip_bytes({**files, **extra}, packed=not compiled))
    return Artifact(logical_id, sha256, path, key=f"artifacts/{path.name}")


def collect_files(folder: Path) -> dict[str, bytes]:
    """Return the folder's files by their path in it, sorted; skip caches and hidden files.

    Raises
    ------
    PackagingError
        A link leads out of the folder: what lies there was not meant to be uploaded.
    """
    files, inside = {}, folder.resolve()
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.suffix == ".pyc" or any(p == "__pycache__" or p.startswith(".") for p in parts):
            continue
        if path.is_symlink() and not path.resolve().is_relative_to(inside):
            raise PackagingError(
                f"{path} is a link out of its folder, to {path.resolve()}: replace it by a copy"
            )
        if path.is_file():
            files["/".join(parts)] = path.read_bytes()
    return dict(sorted(files.items()))


def _compiled_files(folder: Path) -> dict[str, bytes]:
    """Return what Python has compiled in a folder, by its path in it, sorted.

    It is not part of the content's hash, because two builds may differ in it.
    """
    found = sorted(folder.rglob("__pycache__/*.pyc"))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def content_hash(files: Mapping[str, bytes]) -> str:
    """Return one SHA-256 over the names and contents of files, in their order."""
    digest = hashlib.sha256()
    for name, content in files.items():
        digest.update(f"{len(name.encode())}:{name}:{len(content)}:".encode())
        digest.update(content)
    return digest.hexdigest()


def source_digest(project: Project) -> str:
    """Return one SHA-256 over the template and all sources, without schema and reference data.

    Those two are the user's own in many stacks, and stay when the code is deployed again.
    """
    files = collect_files(project.source)
    own = ("schema/", "reference/")
    code = {name: content for name, content in files.items() if not name.startswith(own)}
    return content_hash({"template": project.template.read_bytes(), **code})


def zip_bytes(files: Mapping[str, bytes], *, packed: bool = True) -> bytes:
    """Return an archive that depends on nothing but the files: no times, no owners."""
    method = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, date_time=_EPOCH)
            entry.external_attr = _READABLE
            entry.create_system = 3  # Unix, also when written elsewhere
            archive.writestr(entry, content, compress_type=method)
    return buffer.getvalue()


def _write_whole(path: Path, content: bytes) -> None:
    # Only whole files get the name, so a reader never meets half of one.
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as scratch:
        scratch.write(content)
    Path(scratch.name).replace(path)


def build_layer(source: Path, build_folder: Path, *, platform: Platform) -> Path:
    """Build a layer with its own ``build_layer.py``, and return the folder with the result.

    A build is kept under the hash of all that goes into it, and used again.

    Raises
    ------
    PackagingError
        The script is not there, failed, or took too long.
    """
    script = source / "build_layer.py"
    if not script.exists():
        raise PackagingError(f"no build_layer.py in {source}: it builds the layer")
    inputs = content_hash(collect_files(source))
    python = f"{sys.implementation.cache_tag}-{sysconfig.get_platform()}"
    named = f"{platform}:{python if platform == 'host' else ''}:{inputs}"
    built = build_folder / f"layer-{platform}-{hashlib.sha256(named.encode()).hexdigest()[:16]}"
    make_private(build_folder)
    if built.exists():
        check_owner(built)
    else:
        with tempfile.TemporaryDirectory(dir=build_folder) as scratch:
            target = Path(scratch) / "layer"
            _run_build(script, target, platform)
            try:
                target.rename(built)
            except OSError:
                if not built.exists():  # otherwise another process was first, with the same
                    raise
    return built


def _run_build(script: Path, target: Path, platform: Platform) -> None:
    command = [sys.executable, str(script), str(target), "--platform", platform]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_BUILD_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        shutil.rmtree(target, ignore_errors=True)
        raise PackagingError(
            f"building the layer for {platform} took over {_BUILD_TIMEOUT_S:.0f} s: try again"
        ) from error
    if done.returncode != 0:
        said = "\n".join(done.stderr.strip().splitlines()[-12:])
        raise PackagingError(
            f"building the layer for {platform} failed: see that this computer reaches its package "
            f"index and that this Python has pip ({sys.executable})\n{said}"
        )
