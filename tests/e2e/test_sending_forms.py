"""Who may send, and what a message or custom event must look like: each refusal."""
import pytest

from lib.room import BAD_BODIES, BAD_NAMES, CUSTOM, KINDS, MESSAGE, everyone, room_path, stored


@pytest.mark.parametrize("ephemeral", [False, True])
@pytest.mark.parametrize("kind, body", KINDS)
def test_who_may_post(server, names, kind, body, ephemeral):
    owner, member, other, room = everyone(server, names)
    body = {**body, "ephemeral": ephemeral}
    private = owner.create(names("room"), kind="private")
    other.post(room_path(room, kind), body).expect(403, "not_a_member")
    other.post(room_path(private, kind), body).expect(404, "not_found")
    other.post(room_path(names("none"), kind), body).expect(404, "not_found")
    member.post(room_path(room, kind), body).expect(201)
    server.service().post(room_path(private, kind), body).expect(201)
    granted = server.user(names("granted"), rooms=[{"room": private, "can": ["read", "post"]}])
    granted.post(room_path(private, kind), body).expect(201)
    reader = server.user(names("reader"), rooms=[{"room": private, "can": ["read"]}])
    reader.post(room_path(private, kind), body).expect(403, "not_a_member")
    guest = server.user(names("guest"), scope="guest")
    guest.post(room_path(room, kind), body).expect(403, "not_allowed")
    owner.put(room_path(room), {"announce": True}).expect(200)
    member.post(room_path(room, kind), body).expect(403, "not_allowed")
    owner.post(room_path(room, kind), body).expect(201)
    owner.put(room_path(room, "members", member.name), {"role": "moderator"}).expect(200)
    member.post(room_path(room, kind), body).expect(201)


def test_slow_mode(server, names):
    owner, member, _, room = everyone(server, names)
    owner.put(room_path(room), {"slowModeSec": 3600}).expect(200)
    body = {**MESSAGE, "messageId": "m"}
    member.post(room_path(room, "messages"), body).expect(201)
    answer = member.post(room_path(room, "messages"), MESSAGE).expect(429, "rate_limited")
    assert 3500 < int(answer.header("Retry-After")) <= 3600
    assert answer.header("RateLimit-Limit") == "1"
    assert answer.header("RateLimit-Remaining") == "0"
    assert answer.header("RateLimit-Reset") == answer.header("Retry-After")
    batch = {"events": [{"type": "send_message", "roomId": room, **MESSAGE}]}
    assert member.post("/v1/batch", batch).json["results"][0]["code"] == "rate_limited"
    member.post(room_path(room, "messages"), body).expect(200)
    for _ in range(2):
        owner.send(room, "owners are not slowed")
    member.post(room_path(room, "events"), CUSTOM).expect(201)


def test_the_rate_of_messages(start, names):
    server = start(limits__messages=1, limits__messages_burst=10)
    owner, room = server.user(names("owner")), names("room")
    owner.create(room)
    statuses = [owner.post(room_path(room, "messages"), MESSAGE).status for _ in range(10)]
    assert statuses == [201] * 10
    answer = owner.post(room_path(room, "messages"), MESSAGE).expect(429, "rate_limited")
    assert int(answer.header("Retry-After")) >= 1
    assert answer.header("RateLimit-Remaining") == "0"
    owner.get(room_path(room)).expect(200)


@pytest.mark.parametrize("token, code", [(None, "token_missing"), ("x", "token_invalid")])
def test_a_token_is_needed(server, names, token, code):
    room = room_path(names("room"))
    for method, target in (("POST", room + "/messages"), ("POST", room + "/events"),
                           ("POST", "/v1/acks"), ("GET", room + "/messages"),
                           ("GET", room + "/messages/m")):
        server.request(method, target, MESSAGE, token=token).expect(401, code)


def refused(user, room, kind, body, code, field):
    answer = user.post(room_path(room, kind), body).expect(400, code)
    assert answer.json.get("field") == field, answer


@pytest.mark.parametrize("body, code, field", [
    ({}, "invalid_text", "text"), ({"text": ""}, "invalid_text", "text"),
    ({"text": None}, "invalid_text", "text"), ({"text": 1}, "invalid_field", "text"),
    ({"text": "x" * 16385}, "invalid_text", "text"),
    ({"text": "é" * 8193}, "invalid_text", "text"),
    ({"text": "", "message": {}}, "invalid_text", "text"),
    ({"message": "x"}, "invalid_field", "message"), ({"message": []}, "invalid_field", "message"),
    ({"message": {"x": "y" * 65536}}, "invalid_field", "message"),
    ({"text": "x" * 16384, "message": {"x": "y" * 49145}}, "invalid_field", "message"),
    ({"text": "x", "messageId": "1-2"}, "invalid_identifier", "messageId"),
    ({"text": "x", "messageId": ""}, "invalid_identifier", "messageId"),
    ({"text": "x", "messageId": 1}, "invalid_field", "messageId"),
    ({"text": "x", "messageId": "x" * 129}, "invalid_identifier", "messageId"),
    ({"text": "x", "replyTo": "1-2"}, "invalid_identifier", "replyTo"),
    ({"text": "x", "replyTo": {}}, "invalid_field", "replyTo"),
    ({"text": "x", "threadId": ".."}, "invalid_identifier", "threadId"),
    ({"text": "x", "threadId": 0}, "invalid_field", "threadId"),
    ({"text": "x", "mentions": "u"}, "invalid_field", "mentions"),
    ({"text": "x", "mentions": [1]}, "invalid_field", "mentions"),
    ({"text": "x", "mentions": ["a b"]}, "invalid_identifier", "mentions"),
    ({"text": "x", "mentions": ["u"] * 101}, "invalid_field", "mentions"),
    ({"text": "x", "ephemeral": "yes"}, "invalid_field", "ephemeral"),
])
def test_bad_messages(server, names, body, code, field):
    owner, room = server.user(names("owner")), names("room")
    owner.create(room)
    refused(owner, room, "messages", body, code, field)
    assert stored(owner, room) == []


@pytest.mark.parametrize("body, code, field", [
    ({"type": "custom.x"}, "invalid_field", "data"), ({"data": 1}, "invalid_field", "type"),
    ({"type": "new_message", "data": 1}, "invalid_field", "type"),
    ({"type": "custom.", "data": 1}, "invalid_field", "type"),
    ({"type": "custom", "data": 1}, "invalid_field", "type"),
    ({"type": 7, "data": 1}, "invalid_field", "type"),
    ({"type": "custom.a b", "data": 1}, "invalid_identifier", "type"),
    ({"type": "custom.a\nb", "data": 1}, "invalid_identifier", "type"),
    ({"type": "custom." + "x" * 122, "data": 1}, "invalid_identifier", "type"),
    ({"type": "custom.x", "data": "y" * 65535}, "invalid_field", "data"),
    ({"type": "custom.x", "data": 1, "messageId": "1-1"}, "invalid_identifier", "messageId"),
    ({"type": "custom.x", "data": 1, "ephemeral": 0}, "invalid_field", "ephemeral"),
])
def test_bad_custom_events(server, names, body, code, field):
    owner, room = server.user(names("owner")), names("room")
    owner.create(room)
    refused(owner, room, "events", body, code, field)


def test_the_largest(server, names):
    owner, room = server.user(names("owner")), names("room")
    owner.create(room)
    stream = owner.stream()
    stream.open()
    rest = 65536 - 16384 - len('{"x":""}')
    text, message = "\x01" * 16384, {"x": "é" * (rest // 2)}
    owner.send(room, text, message=message, mentions=["u" * 128] * 100)
    event = stream.until("new_message")
    assert event["text"] == text and event["message"] == message
    data = "y" * 65534
    owner.post(room_path(room, "events"), {"type": "custom." + "x" * 121, "data": data}).expect(201)
    assert stream.until("custom." + "x" * 121)["data"] == data
    stream.close()


@pytest.mark.parametrize("body, headers, status, code", BAD_BODIES)
def test_bad_bodies(server, names, body, headers, status, code):
    owner, room = server.user(names("owner")), names("room")
    owner.create(room)
    for target in (room_path(room, "messages"), room_path(room, "events"), "/v1/acks"):
        server.request("POST", target, body, headers, owner.token).expect(status, code)
    assert stored(owner, room) == []


@pytest.mark.parametrize("name", BAD_NAMES)
def test_bad_names(server, names, name):
    user = server.user(names("user"))
    for kind, body in KINDS:
        answer = user.post(room_path(name, kind), body)
        assert answer.status == 400, answer


def test_any_length_of_deep_json(server, names):
    owner, room = server.user(names("owner")), names("room")
    owner.create(room)
    for levels in (1, 10, 30):
        message = 1
        for _ in range(levels):
            message = {"x": message}
        sent = owner.post(room_path(room, "messages"), {"message": message}).expect(201).json
        assert stored(owner, room)[0]["message"] == message
        assert stored(owner, room)[0]["id"] == sent["id"]
