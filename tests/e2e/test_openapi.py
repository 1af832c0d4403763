"""The description of the API against the router, both ways, and against the running server."""
import re
import subprocess

import pytest

from lib.http import path
from lib.room import room_path
from lib.schema import DOCUMENT, check_answer, check_event, resolve
from lib.server import binary

METHODS = {"get", "put", "post", "delete", "patch", "head", "options"}
OPTIONS = {"auth.dev_tokens": "yes"}


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
    known = {m for p, m, _, _ in operations() if p == pattern}
    other = next(m for m in ("patch", "put", "post", "delete") if m not in known)
    answer = server.request(other.upper(), target)
    answer.expect(405, "method_not_allowed")
    assert method.upper() in re.split(r", *", answer.header("Allow")), answer


def test_no_such_path(server, names):
    user = server.user(names("user"))
    for target in ("/v1", "/v1/rooms/", "/v1/nothing", path("v1", "rooms", "a", "b")):
        user.get(target).expect(404, "not_found")


def call(client, method, pattern, body=None, *, query="", headers=None, **names):
    """One request, its answer held against its description."""
    target = re.sub(r"{(\w+)}", lambda match: names[match[1]], pattern) + query
    answer = client.request(method, target, body, headers)
    check_answer(method, pattern, answer)
    return answer


ROOM = "/v1/rooms/{room}"


def test_answers_about_rooms(server, names):
    owner, other = (server.user(names(stem), name="Name", data={"a": 1}) for stem in "ab")
    room = names("room")
    for body in ({"name": "x"}, {"name": "y", "data": {"b": [None]}}, {"kind": "secret"}):
        call(owner, "PUT", ROOM, body, room=room)
    call(owner, "PUT", ROOM, {}, room=room, headers={"If-Match": "77"}).expect(412)
    call(owner, "POST", "/v1/rooms", {})
    call(other, "POST", ROOM + "/join", room=room)
    call(owner, "POST", ROOM + "/messages", {"text": "x"}, room=room)
    call(owner, "GET", ROOM, room=room)
    call(owner, "GET", "/v1/rooms", query="?limit=1")
    call(owner, "GET", "/v1/rooms", query="?limit=0").expect(400)
    call(owner, "GET", ROOM + "/members", room=room, query="?limit=1")
    call(owner, "POST", ROOM + "/members", {"users": ["u"]}, room=room)
    call(owner, "PUT", ROOM + "/members/{user}", {"role": "moderator"}, room=room, user="u")
    call(owner, "DELETE", ROOM + "/members/{user}", room=room, user="u")
    call(owner, "POST", ROOM + "/leave", room=room).expect(409)
    call(other, "POST", ROOM + "/leave", room=room).expect(200)
    call(other, "DELETE", ROOM, room=room).expect(403)
    call(owner, "DELETE", ROOM, room=room).expect(200)
    call(owner, "GET", ROOM, room=room).expect(404)


def test_answers_about_messages(server, names):
    owner = server.user(names("owner"), name="Name")
    room = owner.create(names("room"))
    for kind, body in (("/messages", {"text": "x", "message": {}, "messageId": "m"}),
                       ("/events", {"type": "custom.x", "data": 1, "messageId": "m"})):
        for change, status in (({}, 201), ({}, 200), ({"messageId": "n"}, 201), ({"text": 1}, 400),
                               ({"ephemeral": True}, 201)):
            answer = call(owner, "POST", ROOM + kind, {**body, **change}, room=room)
            assert answer.status == status or "text" not in body, answer
    call(owner, "POST", ROOM + "/messages", {"text": "y", "messageId": "m"}, room=room).expect(409)
    for query in ("?limit=1", "?around=m", "?before=m", "?limit=x", "?after=none"):
        call(owner, "GET", ROOM + "/messages", room=room, query=query)
    call(owner, "GET", ROOM + "/messages/{message}", room=room, message="m")
    one = {"room": room, "message": "m"}
    for content, status in (({"text": "z"}, 200), ({"text": "z"}, 200), ({}, 400)):
        call(owner, "PATCH", ROOM + "/messages/{message}", content, **one).expect(status)
    for method in ("PUT", "PUT", "GET", "DELETE", "DELETE"):
        more, target = ({"key": "+1"}, "/reactions/{key}") if method != "GET" else ({}, "")
        call(owner, method, ROOM + "/messages/{message}" + target, **one, **more).expect(200)
    call(owner, "POST", ROOM + "/messages", {"text": "y", "threadId": "none"},
         room=room).expect(201)
    for _ in range(2):
        call(owner, "DELETE", ROOM + "/messages/{message}", **one).expect(200)
    call(owner, "PUT", ROOM + "/messages/{message}/reactions/{key}", key="x", **one).expect(409)
    call(owner, "PATCH", ROOM + "/messages/{message}", {"text": "z"}, **one).expect(409)
    call(owner, "GET", ROOM + "/messages", room=room)
    for body, status in (({"upTo": "m"}, 200), ({"upTo": "none"}, 404), ({}, 400)):
        call(owner, "POST", ROOM + "/read", body, room=room).expect(status)
    call(owner, "GET", "/v1/unread").expect(200)
    for body in ({"cursor": "0-0"}, {"cursor": "0-0", "device": "d"}, {"cursor": "x"},
                 {"cursor": "18446744073709551615-0"}):
        call(owner, "POST", "/v1/acks", body)


def test_answers_about_batches(server, names):
    owner = server.user(names("owner"))
    room = names("room")
    call(owner, "POST", "/v1/batch", {"events": [
        {"type": "put_room", "roomId": room}, {"type": "send_message", "roomId": room, "text": "x"},
        {"type": "send_message", "roomId": room}, {"type": "ping"}]}).expect(200)
    call(owner, "POST", "/v1/batch", {"events": []}).expect(400)


def test_other_answers(server, names):
    user, service = server.user(names("user")), server.service()
    with user.stream(session="s") as stream:
        stream.open()
        call(user, "POST", "/v1/session/{session}/token", session="s")
        call(user, "DELETE", "/v1/session/{session}", session="s")
        call(user, "DELETE", "/v1/session/{session}", session="none").expect(404)
    call(user, "GET", "/v1/poll")
    call(user, "GET", "/v1/sync").expect(200)
    call(user, "GET", "/v1/sync", query="?since=x").expect(200)
    call(user, "POST", "/v1/session").expect(200)
    call(user, "DELETE", "/v1/session").expect(204)
    call(user, "POST", "/v1/dev/token", {"userId": "x", "name": "X"}).expect(200)
    call(user, "POST", "/v1/dev/token", {}).expect(400)
    for pattern in ("/healthz", "/readyz", "/openapi.json", "/", "/metrics", "/v1/stats"):
        call(service, "GET", pattern).expect(200)
    for pattern in ("/metrics", "/v1/stats"):
        call(user, "GET", pattern).expect(403)


def test_events(server, names):
    owner, other = (server.user(names(stem), name="Name", data={"a": 1}) for stem in "ab")
    room, private = names("room"), owner.create(names("room"), kind="private")
    streams = [owner.stream(), other.stream(watch=f"{private},{names('none')}"),
               other.stream(since="5-5", heartbeat=5)]
    for stream in streams:
        stream.until("caught_up")
    owner.create(room)
    other.join(room)
    owner.send(room, messageId="r")
    owner.send(room, message={"a": 1}, replyTo="r", threadId="r", mentions=["u"])
    owner.send(room, ephemeral=True)
    owner.send(room, messageId="m")
    owner.patch(room_path(room, "messages", "m"), {"text": "y"}).expect(200)
    for method in (owner.put, owner.delete):
        method(room_path(room, "messages", "m", "reactions", "x")).expect(200)
    owner.delete(room_path(room, "messages", "m")).expect(200)
    for ephemeral in (False, True):
        owner.post(room_path(room, "events"), {"type": "custom.x", "data": None, "messageId": "m",
                                               "ephemeral": ephemeral}).expect(201)
    owner.put(room_path(room), {"topic": "x"}).expect(200)
    owner.put(room_path(room, "members", other.name), {"role": "moderator"}).expect(200)
    other.leave(room)
    owner.delete(room_path(room)).expect(200)
    last = streams[0].until("room_deleted")
    for stream in streams:
        stream.wait(lambda: stream.of("heartbeat", "room_deleted", "user_left"), "events")
    again = owner.stream(since=streams[0].events[0]["cursor"])
    again.until("caught_up")
    seen = {}
    for stream in [*streams, again]:
        for event in stream.events:
            check_event(event.data)
            seen[event.type] = event
        stream.close()
    assert last.id in [event.id for event in again.events]
    assert seen.keys() >= {"connected", "caught_up", "reset", "room_denied", "new_message",
                           "custom.x", "room_created", "room_updated", "room_deleted",
                           "user_joined", "user_left", "member_updated", "message_edited",
                           "message_deleted", "reaction_added", "reaction_removed"}, seen.keys()
