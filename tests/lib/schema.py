"""Answers and events against the schemas of openapi.json: as much of JSON Schema as stands there.

Stricter in one point: a member that no schema names is a fault, so that the description is whole.
"""
import json
import re

from .server import ROOT

DOCUMENT = json.loads((ROOT / "www" / "openapi.json").read_text())
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int,
         "number": (int, float)}
KNOWN = {"type", "description", "properties", "required", "items", "enum", "const", "pattern",
         "allOf", "oneOf", "anyOf", "$ref", "minimum", "maximum", "minLength", "maxLength",
         "minItems", "maxItems", "examples", "default", "format"}


def resolve(schema):
    """Follows a reference; what stands beside it is description."""
    while "$ref" in schema:
        value = DOCUMENT
        for part in schema["$ref"].split("/")[1:]:
            value = value[part]
        schema = value
    return schema


def named(schema):
    """The members that a schema names; None when it takes any."""
    schema = resolve(schema)
    names = set(schema.get("properties", {}))
    open_object = schema.get("type") == "object" and not schema.get("properties")
    for part in schema.get("allOf", []):
        more = named(part)
        open_object = open_object or more is None
        names |= more or set()
    return None if open_object else names


def check(value, schema, where="", inner=False):
    """Asserts that `value` fits. `inner`: as a part of allOf, where others name members too."""
    schema = resolve(schema)
    assert schema.keys() <= KNOWN, f"{where}: {schema.keys() - KNOWN} is not checked here"
    if "type" in schema:
        expected = TYPES[schema["type"]]
        fits = isinstance(value, expected) and (not isinstance(value, bool) or expected is bool)
        assert fits, f"{where}: {value!r} is no {schema['type']}"
    if "enum" in schema:
        assert value in schema["enum"], f"{where}: {value!r} is none of {schema['enum']}"
    if "const" in schema:
        assert value == schema["const"], f"{where}: {value!r} is not {schema['const']!r}"
    if "pattern" in schema:
        assert re.search(schema["pattern"], value), f"{where}: {value!r} does not fit"
    if "minimum" in schema:
        assert value >= schema["minimum"], f"{where}: {value!r} is too small"
    for part in schema.get("allOf", []):
        check(value, part, where, inner=True)
    if schema is resolve({"$ref": "#/components/schemas/Event"}):
        check_event(value)
    elif isinstance(value, dict):
        check_members(value, schema, where, inner)
    if isinstance(value, list):
        for index, item in enumerate(value):
            check(item, schema.get("items", {}), f"{where}[{index}]")


def check_members(value, schema, where, inner):
    missing = set(schema.get("required", [])) - value.keys()
    assert not missing, f"{where}: {missing} is missing in {value}"
    for name, part in schema.get("properties", {}).items():
        if name in value:
            check(value[name], part, f"{where}.{name}")
    names = named(schema)
    if not inner and schema and names is not None:
        assert value.keys() <= names, f"{where}: {value.keys() - names} is not described"


def check_event(data):
    """Against the schema of its type."""
    name = "".join(word.capitalize() for word in data["type"].split("_"))
    if data["type"].startswith("custom."):
        name = "CustomEvent"
    check(data, DOCUMENT["components"]["schemas"][name], data["type"])


def check_answer(method, pattern, answer):
    """Against what the operation says of this status."""
    operation = DOCUMENT["paths"][pattern][method.lower()]
    where = f"{method} {pattern} {answer.status}"
    responses = operation["responses"]
    assert str(answer.status) in responses, f"{where} is not described: {answer}"
    content = resolve(responses[str(answer.status)]).get("content")
    if content is None:
        assert answer.body == b"", where
        return
    (media, described), = content.items()
    assert answer.header("Content-Type").split(";")[0] == media, where
    if media.endswith("json"):
        check(answer.json, described["schema"], where)
