"""Artifacts depend on their sources alone, and on nothing of the machine that builds them."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from batchops.core.errors import InputError, PackagingError, ProjectError
from batchops.core.project import Project, checkout_root
from batchops.deployment import packaging
from batchops.deployment.template import load_template, parse_template, render

pytestmark = pytest.mark.slow

COMMON = checkout_root() / "source" / "common"
AARCH64 = 183  # e_machine in an ELF header
TEMPLATE = """
AWSTemplateFormatVersion: 2010-09-09
Transform: AWS::Serverless-2016-10-31
Resources:
  HelloFunction:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: source/hello/, Handler: app.handler, Runtime: python3.13}
  InlineFunction:
    Type: AWS::Serverless::Function
    Properties: {InlineCode: "pass", Handler: index.handler, Runtime: python3.13}
  DataLayer:
    Type: AWS::Serverless::LayerVersion
    Properties: {ContentUri: source/data}
  Machine:
    Type: AWS::Serverless::StateMachine
    Properties: {DefinitionUri: source/machine.asl.json}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Give a small project with one function, one layer and one state machine."""
    monkeypatch.setenv("BATCHOPS_HOME", str(tmp_path / "home"))
    root = tmp_path / "project"
    (root / "source" / "hello").mkdir(parents=True)
    (root / "source" / "data").mkdir()
    (root / "template.yaml").write_text(TEMPLATE, encoding="utf-8")
    (root / "source" / "hello" / "app.py").write_text("def handler(e, c): ...\n", encoding="utf-8")
    (root / "source" / "data" / "record.json").write_text("{}", encoding="utf-8")
    (root / "source" / "machine.asl.json").write_text('{"States": {}}', encoding="utf-8")
    return Project.find(root)


@pytest.fixture(scope="module")
def layer_builds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder for layer builds, shared by the tests of this file."""
    return tmp_path_factory.mktemp("build")


def by_id(built: tuple[packaging.Artifact, ...]) -> dict[str, packaging.Artifact]:
    return {artifact.logical_id: artifact for artifact in built}


def names_in(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def test_each_local_path_gets_an_artifact(project: Project) -> None:
    built = by_id(packaging.build(project, platform="host"))
    assert set(built) == {"HelloFunction", "DataLayer", "Machine"}
    assert names_in(built["HelloFunction"].path) == ["app.py"]
    assert built["Machine"].key == f"artifacts/{built['Machine'].sha256}.json"


def test_what_does_not_belong_is_left_out(project: Project) -> None:
    folder = project.source / "hello"
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "app.cpython-313.pyc").write_bytes(b"x")
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints" / "app.py").write_bytes(b"x")
    (folder / ".DS_Store").write_bytes(b"x")
    (folder / "lib").mkdir()
    (folder / "lib" / "part.py").write_bytes(b"x")
    built = by_id(packaging.build(project, platform="host"))
    assert names_in(built["HelloFunction"].path) == ["app.py", "lib/part.py"]


def test_two_builds_give_the_same_bytes(project: Project, tmp_path: Path) -> None:
    first = by_id(packaging.build(project, platform="host"))
    copy = tmp_path / "elsewhere"
    shutil.copytree(project.root, copy, ignore=shutil.ignore_patterns(".batchops"))
    # Another time, other permissions: neither is content.
    source = copy / "source" / "hello" / "app.py"
    os.utime(source, (1_700_000_000, 1_700_000_000))
    source.chmod(0o600)
    second = by_id(packaging.build(Project.find(copy), platform="host"))
    for logical_id, artifact in first.items():
        assert artifact.key == second[logical_id].key
        assert artifact.path.read_bytes() == second[logical_id].path.read_bytes()


def test_everyone_may_read_what_lambda_unpacks(project: Project) -> None:
    (project.source / "hello" / "app.py").chmod(0o600)
    built = by_id(packaging.build(project, platform="host"))
    with zipfile.ZipFile(built["HelloFunction"].path) as archive:
        assert [entry.external_attr >> 16 for entry in archive.infolist()] == [0o100644]


def test_changed_content_gets_another_key(project: Project) -> None:
    before = by_id(packaging.build(project, platform="host"))
    (project.source / "hello" / "app.py").write_text("handler = None\n", encoding="utf-8")
    after = by_id(packaging.build(project, platform="host"))
    assert before["HelloFunction"].key != after["HelloFunction"].key
    assert before["DataLayer"].key == after["DataLayer"].key


def test_moved_bytes_are_another_content() -> None:
    one = packaging.content_hash({"a": b"xy", "b": b""})
    assert one != packaging.content_hash({"a": b"x", "b": b"y"})
    assert one != packaging.content_hash({"ax": b"y", "b": b""})


def test_a_layers_folder_can_be_replaced(project: Project, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "mine.json").write_text("{}", encoding="utf-8")
    built = by_id(packaging.build(project, platform="host", overrides={"DataLayer": own}))
    assert names_in(built["DataLayer"].path) == ["mine.json"]


def test_a_wrong_override_is_refused(project: Project, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Nothing"):
        packaging.build(project, platform="host", overrides={"Nothing": tmp_path})
    with pytest.raises(InputError, match="not a folder"):
        packaging.build(project, platform="host", overrides={"DataLayer": tmp_path / "none"})


def test_a_missing_folder_is_named(project: Project) -> None:
    shutil.rmtree(project.source / "data")
    with pytest.raises(PackagingError, match="ContentUri of DataLayer"):
        packaging.build(project, platform="host")
    (project.source / "data").mkdir()
    with pytest.raises(PackagingError, match="empty"):
        packaging.build(project, platform="host")


def test_a_folder_without_template_is_no_project(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=r"no template\.yaml and no source"):
        Project.find(tmp_path)


def test_the_layer_for_lambda_holds_nothing_of_this_machine(layer_builds: Path) -> None:
    folder = packaging.build_layer(COMMON, layer_builds, platform="lambda")
    libraries = {path.name: path.read_bytes() for path in folder.rglob("*.so*")}
    assert {name.split(".", 1)[1] for name in libraries} == {
        "cpython-313-aarch64-linux-gnu.so",
        "abi3.so",
    }
    for content in libraries.values():
        assert content[:4] == b"\x7fELF"
        assert struct.unpack_from("<H", content, 18) == (AARCH64,)


def test_the_layer_for_this_machine_holds_what_its_python_loads(layer_builds: Path) -> None:
    folder = packaging.build_layer(COMMON, layer_builds, platform="host")
    tag = sys.implementation.cache_tag or ""
    names = [path.name for path in folder.rglob("orjson*.so")]
    assert names
    assert all(tag in name for name in names)


@pytest.mark.parametrize("platform", ["lambda", "host"])
def test_two_layer_builds_give_the_same_content(
    platform: packaging.Platform, layer_builds: Path, tmp_path: Path
) -> None:
    first = packaging.build_layer(COMMON, layer_builds, platform=platform)
    second = packaging.build_layer(COMMON, tmp_path, platform=platform)
    assert first != second
    one, other = packaging.collect_files(first), packaging.collect_files(second)
    assert one == other
    assert packaging.zip_bytes(one) == packaging.zip_bytes(other)


def test_the_layer_holds_batchcore_and_no_traces_of_pip(layer_builds: Path) -> None:
    files = packaging.collect_files(packaging.build_layer(COMMON, layer_builds, platform="lambda"))
    assert {name.split("/")[0] for name in files} == {"python"}
    assert "python/batchcore/__init__.py" in files
    assert not any(name.startswith("python/bin/") for name in files)
    traces = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")
    assert not any(name.endswith(traces) for name in files)
    assert not any(str(checkout_root()).encode() in content for content in files.values())


def test_functions_find_in_the_layer_what_they_import_of_its_packages(layer_builds: Path) -> None:
    layer = packaging.build_layer(COMMON, layer_builds, platform="host") / "python"
    modules = [f"batchcore.{path.stem}" for path in (COMMON / "batchcore").glob("[!_]*.py")]
    code = (
        "import importlib, sys\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "found = [importlib.import_module(name) for name in sys.argv[2:]]\n"
        "print(*[module.__file__ for module in found], sep='\\n')\n"
    )
    wanted = ["aws_lambda_powertools", "jsonschema_rs", "orjson", *modules]
    command = [sys.executable, "-I", "-c", code, str(layer), *wanted]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(path.startswith(str(layer)) for path in done.stdout.split())


def test_layer_of_the_local_engine_is_compiled_and_unpacked_quickly(
    layer_builds: Path, tmp_path: Path
) -> None:
    names = {}
    for platform in ("host", "lambda"):
        layer = packaging.build_layer(COMMON, layer_builds, platform=platform)
        kind = {"Type": "AWS::Serverless::LayerVersion"}
        found = packaging._artifact(
            "L", kind, layer, tmp_path / platform, compiled=platform == "host"
        )
        with zipfile.ZipFile(found.path) as archive:
            names[platform] = archive.namelist()
            path = str(layer_builds).encode()
            assert not [name for name in archive.namelist() if path in archive.read(name)]
            methods = {entry.compress_type for entry in archive.infolist()}
        assert methods == {zipfile.ZIP_STORED if platform == "host" else zipfile.ZIP_DEFLATED}
    compiled = [name for name in names["host"] if name.endswith(".pyc")]
    source = [name for name in names["host"] if name.endswith(".py")]
    assert len(compiled) == len(source) > 100
    assert not [name for name in names["lambda"] if name.endswith(".pyc")]


def test_an_unchanged_layer_is_not_built_again(layer_builds: Path) -> None:
    first = packaging.build_layer(COMMON, layer_builds, platform="lambda")
    made = first.stat().st_mtime_ns
    assert packaging.build_layer(COMMON, layer_builds, platform="lambda") == first
    assert first.stat().st_mtime_ns == made


def test_a_layer_that_cannot_be_built_says_why(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    with pytest.raises(PackagingError, match=r"no build_layer\.py"):
        packaging.build_layer(tmp_path / "source", tmp_path / "build", platform="host")
    script = tmp_path / "source" / "build_layer.py"
    script.write_text("raise SystemExit('the wheel is missing')", encoding="utf-8")
    with pytest.raises(PackagingError, match="the wheel is missing"):
        packaging.build_layer(tmp_path / "source", tmp_path / "build", platform="host")
    assert not list((tmp_path / "build").iterdir())


def test_short_tags_become_their_long_form() -> None:
    parsed = parse_template("""
    Resources:
      A:
        Type: T
        Condition: Wanted
        Properties:
          Name: !Sub "${AWS::StackName}-a"
          Arn: !GetAtt B.Arn
          Nested: !GetAtt Child.Outputs.Url
          Listed: !GetAtt [B, Arn]
          Maybe: !If [Wanted, !Ref B, !Ref "AWS::NoValue"]
          Joined: !Join ["-", [a, !Select [0, !Split [",", "x,y"]]]]
          Mapped: !Sub ["${V}", {V: !FindInMap [M, K, V]}]
          Only: !Condition Wanted
    """)
    properties = parsed["Resources"]["A"]["Properties"]
    assert properties["Name"] == {"Fn::Sub": "${AWS::StackName}-a"}
    assert properties["Arn"] == properties["Listed"] == {"Fn::GetAtt": ["B", "Arn"]}
    assert properties["Nested"] == {"Fn::GetAtt": ["Child", "Outputs.Url"]}
    assert properties["Maybe"] == {"Fn::If": ["Wanted", {"Ref": "B"}, {"Ref": "AWS::NoValue"}]}
    assert properties["Joined"]["Fn::Join"][1][1]["Fn::Select"][1] == {"Fn::Split": [",", "x,y"]}
    assert properties["Mapped"]["Fn::Sub"][1] == {"V": {"Fn::FindInMap": ["M", "K", "V"]}}
    assert properties["Only"] == {"Condition": "Wanted"}
    assert parsed["Resources"]["A"]["Condition"] == "Wanted"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2012-10-17", "2012-10-17"),
        ("3.10", "3.10"),
        ("2.0", 2.0),
        ("600", 600),
        ("0123", "0123"),
        ("012345678901", "012345678901"),
        ("12:30:00", "12:30:00"),
        ("1_000", "1_000"),
        ("true", True),
        ("'5'", "5"),
    ],
)
def test_scalars_keep_what_was_written(written: str, read: Any) -> None:
    parsed = parse_template(f"Resources: {{A: {{Value: {written}}}}}")
    value = parsed["Resources"]["A"]["Value"]
    assert value == read
    assert type(value) is type(read)


def test_a_key_that_stands_twice_is_an_error() -> None:
    with pytest.raises(ProjectError, match="'A' stands twice"):
        parse_template("Resources: {A: {Type: T}, B: {Type: T}, A: {Type: U}}")
    with pytest.raises(ProjectError, match="no Resources"):
        parse_template("just text")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ("template.yaml", True),
        ("source/hello/app.py", True),
        ("source/hello/new.py", True),
        ("source/schema/record.schema.json", False),
        ("source/reference/reference.csv", False),
        ("source/hello/__pycache__/app.pyc", False),
        ("README.md", False),
    ],
)
def test_source_digest_changes_with_the_code_and_not_with_the_users_own_files(
    project: Project, changed: str, told: bool
) -> None:
    before = packaging.source_digest(project)
    path = project.template.parent / changed
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text((path.read_text() if path.exists() else "") + "\n# changed\n")
    assert (packaging.source_digest(project) != before) is told


def test_rendering_puts_places_in_the_bucket_for_paths(project: Project) -> None:
    template = load_template(project.template)
    built = packaging.build(project, platform="host")
    places = {a.logical_id: {"Bucket": "the-bucket", "Key": a.key} for a in built}
    rendered = json.loads(render(template, places, source_digest="abc"))
    for artifact, name in zip(built, ("CodeUri", "ContentUri", "DefinitionUri"), strict=True):
        place = rendered["Resources"][artifact.logical_id]["Properties"][name]
        assert place == {"Bucket": "the-bucket", "Key": artifact.key}
    assert rendered["Resources"]["InlineFunction"] == template["Resources"]["InlineFunction"]
    assert template["Resources"]["HelloFunction"]["Properties"]["CodeUri"] == "source/hello/"
    assert rendered["Outputs"]["SourceDigest"]["Value"] == "abc"
    with pytest.raises(PackagingError, match="DataLayer, Machine"):
        render(template, {"HelloFunction": places["HelloFunction"]}, source_digest="")
