"""The description of the API against the router, both ways, and against the running server."""
import json
import re
import subprocess

import pytest

from lib.http import path
from lib.server import ROOT, binary

METHODS = {"get", "put", "post", "delete", "patch", "head", "options"}
DOCUMENT = json.loads((ROOT / "www" / "openapi.json").read_text())


def described():
    """(method, path) of each operation."""
    return {(method.upper(), pattern) for pattern, item in DOCUMENT["paths"].items()
            for method in item if method in METHODS}


def routed():
    done = subprocess.run([binary(), "--print-routes"], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=60, check=True)
    return {tuple(line.split()[:2]) for line in done.stdout.splitlines()}


def operations():
    for pattern, item in sorted(DOCUMENT["paths"].items()):
        for method, operation in item.items():
            if method in METHODS:
                yield pattern, method, item.get("parameters", []), operation


def resolve(value):
    if "$ref" in value:
        *_, kind, name = value["$ref"].split("/")
        return DOCUMENT["components"][kind][name]
    return value


def test_every_route_is_described():
    assert routed() - described() == set()


def test_every_description_is_routed():
    assert described() - routed() == set()


def test_the_parts_of_an_operation():
    seen = set()
    for pattern, method, shared, operation in operations():
        where = f"{method} {pattern}"
        assert operation["operationId"] not in seen, where
        seen.add(operation["operationId"])
        assert operation["summary"], where
        assert any(code.startswith("2") for code in operation["responses"]), where
        assert "curl" in operation["x-codeSamples"][0]["source"], where
        parameters = [resolve(value) for value in shared + operation.get("parameters", [])]
        in_path = {value["name"] for value in parameters if value["in"] == "path"}
        assert in_path == set(re.findall(r"{(\w+)}", pattern)), where


def test_it_is_served_as_it_is(server):
    answer = server.request("GET", "/openapi.json").expect(200)
    assert answer.header("Content-Type") == "application/json"
    assert answer.json == DOCUMENT


@pytest.mark.parametrize("pattern, method", [(p, m) for p, m, _, _ in operations()])
def test_the_server_knows_it(server, names, pattern, method):
    """Whatever it answers, it is neither "no such path" nor "no such method"."""
    target = re.sub(r"{(\w+)}", lambda match: names(match[1]), pattern)
    answer = server.request(method.upper(), target)
    assert answer.status != 405, answer
    answer = server.request("PATCH" if method != "patch" else "PUT", target)
    answer.expect(405, "method_not_allowed")
    assert method.upper() in re.split(r", *", answer.header("Allow")), answer


def test_no_such_path(server, names):
    user = server.user(names("user"))
    for target in ("/v1", "/v1/rooms/", "/v1/nothing", path("v1", "rooms", "a", "b")):
        user.get(target).expect(404, "not_found")
