"""Read a SAM template in YAML, and write it as JSON with artifacts in place of local paths."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml

from batchops.core.errors import PackagingError, ProjectError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

# The property of each resource type that names local content.
CONTENT_PROPERTIES = {
    "AWS::Serverless::Function": "CodeUri",
    "AWS::Serverless::LayerVersion": "ContentUri",
    "AWS::Serverless::StateMachine": "DefinitionUri",
}

# Where the template's metadata says which contents are the user's own files.
OWN_FILES = "batchops:OwnFiles"

# The output that says which sources were deployed.
SOURCE_DIGEST = "SourceDigest"

_PLAIN_TAGS = ("Ref", "Condition")


if TYPE_CHECKING:
    _SafeLoader = yaml.SafeLoader
else:
    # libyaml's parser, where PyYAML was built with it, is several times as fast.
    _SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _TemplateLoader(_SafeLoader):
    """YAML as CloudFormation reads it: short tags, no dates, no key twice."""


def _construct_mapping(loader: _TemplateLoader, node: yaml.MappingNode) -> dict[str, Any]:
    loader.flatten_mapping(node)
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        # As written: "on" and 2012 are names here, not a boolean and a number.
        key = str(key_node.value)
        if key in values:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {key!r} stands twice", key_node.start_mark
            )
        values[key] = loader.construct_object(value_node, deep=True)
    return values


def _construct_number(loader: _TemplateLoader, node: yaml.ScalarNode) -> int | float | str:
    # A number only where nothing is lost by it: 3.10, 007 and 12:30 stay what was written.
    text = loader.construct_scalar(node)
    for convert in (int, float):
        try:
            value = convert(text)
        except ValueError:
            continue
        if str(value) == text:
            return value
    return text


def _construct_text(loader: _TemplateLoader, node: yaml.ScalarNode) -> str:
    return loader.construct_scalar(node)


def _construct_tag(loader: _TemplateLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_object(
            yaml.MappingNode("tag:yaml.org,2002:map", node.value, node.start_mark), deep=True
        )
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in _PLAIN_TAGS else f"Fn::{suffix}": value}


_TemplateLoader.add_constructor("tag:yaml.org,2002:map", _construct_mapping)
_TemplateLoader.add_constructor("tag:yaml.org,2002:int", _construct_number)
_TemplateLoader.add_constructor("tag:yaml.org,2002:float", _construct_number)
_TemplateLoader.add_constructor("tag:yaml.org,2002:timestamp", _construct_text)
_TemplateLoader.add_multi_constructor("!", _construct_tag)


def parse_template(text: str, *, name: str = "template") -> dict[str, Any]:
    """Parse a template in YAML or JSON; short tags become their long form.

    Raises
    ------
    ProjectError
        It is not YAML, a key stands twice, or it has no resources.
    """
    try:
        # A SafeLoader: it makes plain values only.
        template = yaml.load(text, Loader=_TemplateLoader)  # noqa: S506
    except yaml.YAMLError as error:
        raise ProjectError(f"{name} cannot be read: {error}") from error
    if not isinstance(template, dict) or not isinstance(template.get("Resources"), dict):
        raise ProjectError(f"{name} has no Resources: it is not a CloudFormation template")
    return template


def load_template(path: Path) -> dict[str, Any]:
    """Read and parse a template file; errors as in `parse_template`."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ProjectError(f"the template {path} cannot be read: {error.strerror}") from error
    return parse_template(text, name=str(path))


def local_contents(template: Mapping[str, Any]) -> dict[str, str]:
    """Return the logical ids of the resources that name local content, with that local path."""
    found = {}
    for logical_id, resource in template["Resources"].items():
        name = CONTENT_PROPERTIES.get(resource.get("Type"), "")
        uri = resource.get("Properties", {}).get(name)
        if isinstance(uri, str) and not uri.startswith("s3://"):
            found[logical_id] = uri
    return found


def render(
    template: Mapping[str, Any],
    places: Mapping[str, Mapping[str, str]],
    *,
    own: Collection[str] = (),
    source_digest: str,
) -> str:
    """Return the template as JSON text, local paths replaced by places in S3.

    Parameters
    ----------
    template
        The template as loaded.
    places
        Bucket and Key of what was built for each local path, by logical id.
    own
        Logical ids whose content is the user's own files. Their places are noted in the
        template's metadata, so that a later deployment can keep them.
    source_digest
        Tells these sources from others; it becomes an output of the stack.

    Raises
    ------
    PackagingError
        A resource names local content, and has no place.
    """
    # A copy, so that the caller's template still names its folders.
    rendered: dict[str, Any] = json.loads(json.dumps(template))
    lacking = sorted(set(local_contents(rendered)) - set(places))
    if lacking:
        raise PackagingError(f"nothing was built for {', '.join(lacking)}: build it first")
    for logical_id, place in places.items():
        resource = rendered["Resources"][logical_id]
        resource["Properties"][CONTENT_PROPERTIES[resource["Type"]]] = place
    noted = {name: place for name, place in places.items() if name in own}
    if noted:
        rendered.setdefault("Metadata", {})[OWN_FILES] = noted
    rendered.setdefault("Outputs", {})[SOURCE_DIGEST] = {
        "Description": "Tells the sources that were deployed from others, such as changed ones.",
        "Value": source_digest,
    }
    return json.dumps(rendered, indent=1, ensure_ascii=False)
