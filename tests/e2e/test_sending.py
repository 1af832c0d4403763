"""Messages, custom events and ephemeral ones in detail: what arrives, what is a repeat."""
import itertools
import re
import time

import pytest

from lib.room import CUSTOM, KINDS, MESSAGE, everyone, room_path, stored
from lib.sse import id_key


def test_all_members_of_a_message(server, names):
    owner, room = server.user(names("owner"), name="Ow\"ner", data={"k": [1, 0.1]}), names("room")
    owner.create(room)
    for name in ("another", "thread-1"):
        owner.send(room, messageId=name)
    stream = owner.stream()
    stream.open()
    message = {"messageId": names("m"), "text": "line\nline \u2028 \x01 \x7f \U0001f600 \"\\",
               "message": {"b": 1.0, "a": {"deep": [None, True, 1e-7]}, "": "empty name"},
               "replyTo": "another", "threadId": "thread-1", "mentions": ["someone", "a|b"]}
    before = time.time() * 1000
    sent = owner.post(room_path(room, "messages"), dict(message, unknown=1, timestamp=7)).expect(
        201).json
    assert sent.keys() == {"id", "messageId", "roomId", "timestamp"}
    assert (sent["messageId"], sent["roomId"]) == (message["messageId"], room)
    assert abs(sent["timestamp"] - before) < 60_000
    event = stream.until("new_message")
    assert event.id == sent["id"]
    assert event.data == {**message, "type": "new_message", "id": sent["id"], "roomId": room,
                          "timestamp": sent["timestamp"],
                          "sender": {"userId": owner.name, "name": 'Ow"ner',
                                     "data": {"k": [1, 0.1]}}}
    order = ["roomId", "messageId", "text", "message", "sender", "replyTo", "threadId", "mentions"]
    assert list(event.data)[-len(order):] == order
    assert stored(owner, room)[0] == event.data
    stream.close()


def test_a_message_without_a_name_is_given_one(server, names):
    owner, room = server.user(names("owner")), names("room")
    owner.create(room)
    given = {owner.send(room)["messageId"] for _ in range(3)}
    assert len(given) == 3
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{20,40}", name) for name in given)
    only = owner.post(room_path(room, "messages"), {"message": {}}).expect(201).json
    event = owner.get(room_path(room, "messages", only["messageId"])).expect(200).json
    assert event["message"] == {} and "text" not in event
    assert event["sender"] == {"userId": owner.name}


def test_a_custom_event(server, names):
    owner, member, _, room = everyone(server, names)
    stream = member.stream()
    stream.open()
    for data in ({"x": 1}, [1], "text", 0.5, None, False):
        sent = owner.post(room_path(room, "events"),
                          {"type": "custom.move:a", "data": data}).expect(201).json
        assert sent.keys() == {"id", "roomId", "timestamp"}
        event = stream.until("custom.move:a")
        assert event.data == {"type": "custom.move:a", "id": sent["id"], "roomId": room,
                              "timestamp": sent["timestamp"], "data": data,
                              "sender": {"userId": owner.name}}
    named = owner.post(room_path(room, "events"), {**CUSTOM, "messageId": "c-1"}).expect(201).json
    assert named["messageId"] == stream.until("custom.move")["messageId"] == "c-1"
    assert stored(owner, room) == [], "only messages are history"
    stream.close()


def test_order_of_one_sender(server, names):
    owner, member, _, room = everyone(server, names)
    stream = member.stream()
    stream.open()
    sent = [owner.send(room, str(number))["id"] for number in range(50)]
    assert sent == sorted(sent, key=id_key)
    got = [stream.until("new_message") for _ in sent]
    assert [(event.id, event["text"]) for event in got] == [
        (sent[number], str(number)) for number in range(50)]
    stream.close()


@pytest.mark.parametrize("kind, body", KINDS)
def test_ephemeral(server, names, kind, body):
    owner, member, _, room = everyone(server, names)
    streams = owner.stream(), member.stream()
    for stream in streams:
        stream.open()
    before = owner.send(room, "before")["id"]
    sent = owner.post(room_path(room, kind), {**body, "ephemeral": True, "messageId": "e"})
    sent = sent.expect(201).json
    assert sent == {"messageId": "e", "roomId": room, "timestamp": sent["timestamp"]}
    for stream in streams:
        assert stream.take().id == before
        event = stream.take()
        assert event.id is None and "id" not in event.data and event["ephemeral"] is True
        assert event["messageId"] == "e" and event["roomId"] == room
        assert event["timestamp"] == sent["timestamp"]
        stream.close()
    assert [message["id"] for message in stored(owner, room)] == [before]
    again = member.stream(since=before)
    again.open()
    assert [event.type for event in again.events] == ["connected", "caught_up"]
    again.close()
    named = owner.post(room_path(room, kind), {**body, "messageId": "e"}).expect(201).json
    assert "id" in named, "what was ephemeral is not remembered"


@pytest.mark.parametrize("ephemeral", [False, True])
@pytest.mark.parametrize("kind, body", KINDS)
def test_the_sending_session_is_spared(server, names, kind, body, ephemeral):
    owner, _, _, room = everyone(server, names)
    spared, told = owner.stream(session="one"), owner.stream(session="two")
    spared.open()
    told.open()
    owner.post(room_path(room, kind), {**body, "ephemeral": ephemeral},
               headers={"X-Tidings-Session": "one"}).expect(201)
    last = owner.send(room, "for both")
    assert spared.take().id == last["id"]
    first = told.take()
    assert first.type == body.get("type", "new_message") and first.id != last["id"]
    assert told.take().id == last["id"]
    again = owner.stream(since=told.events[1].id, session="three")
    if not ephemeral:
        again.open()
        assert first.id in [event.id for event in again.events], "another session is not spared"
    for stream in (spared, told, again):
        stream.close()
    for bad in ("a b", "x" * 129, ""):
        answer = owner.post(room_path(room, kind), body, headers={"X-Tidings-Session": bad})
        if bad or answer.status != 201:
            answer.expect(400, "invalid_identifier")
            assert answer.json["field"] == "X-Tidings-Session"


@pytest.mark.parametrize("kind, body", KINDS)
def test_a_repeat_gets_the_first_answer(server, names, kind, body):
    owner, member, _, room = everyone(server, names)
    stream = member.stream()
    stream.open()
    body = {**body, "messageId": names("m")}
    first = owner.post(room_path(room, kind), body).expect(201)
    time.sleep(0.02)
    for _ in range(3):
        again = owner.post(room_path(room, kind), body).expect(200)
        assert again.body == first.body
    last = owner.send(room, "once")
    assert [stream.take().id, stream.take().id] == [first.json["id"], last["id"]]
    stream.close()


def test_the_same_content_as_json_values(server, names):
    owner, room = server.user(names("owner")), names("room")
    owner.create(room)
    raw = [b'{"messageId":"m","text":"\\u0068i","message":{"a":1,"b":[2.50,{"x":null}]},'
           b'"mentions":["u"],"replyTo":"r","threadId":"t"}',
           b'{"threadId":"t","replyTo":"r","mentions":["u"], "ephemeral":false,'
           b'"message":{"b":[2.5,{"x":null}],"a":1.0},"text":"hi","messageId":"m","more":[]}']
    for name in "rt":
        owner.send(room, messageId=name)
    first = server.request("POST", room_path(room, "messages"), raw[0], token=owner.token)
    again = server.request("POST", room_path(room, "messages"), raw[1], token=owner.token)
    assert first.expect(201).body == again.expect(200).body


@pytest.mark.parametrize("change", [
    {"text": "other"}, {"text": None}, {"message": {"a": 2}}, {"message": None},
    {"message": {"a": "1"}}, {"message": {"a": 1, "b": None}}, {"replyTo": "s"},
    {"threadId": "t"}, {"mentions": ["v"]}, {"mentions": ["u", "u"]}, {"mentions": None}])
def test_another_content_is_refused(server, names, change):
    owner, room = server.user(names("owner")), names("room")
    owner.create(room)
    body = {"messageId": "m", "text": "hi", "message": {"a": 1}, "replyTo": "r", "mentions": ["u"]}
    answered = owner.send(room, messageId="r")
    first = owner.post(room_path(room, "messages"), body).expect(201).json
    owner.post(room_path(room, "messages"), {**body, **change}).expect(409, "message_id_reused")
    assert [message["id"] for message in stored(owner, room)] == [first["id"], answered["id"]]
    assert stored(owner, room)[0]["text"] == "hi"


def test_many_fields_stay_apart(server, names):
    """Values move from one member to the next: each pair is another content."""
    owner, room = server.user(names("owner")), names("room")
    owner.create(room)
    owner.send(room, messageId="b")
    bodies = [{"text": "a", name: "b"} for name in ("replyTo", "threadId")]
    bodies += [{"text": "a", "mentions": ["b"]}, {"text": "a", "message": {"text": "b"}},
               {"text": "b"}]
    for (n, first), second in itertools.product(enumerate(bodies), bodies):
        name = f"m-{n}"
        answer = owner.post(room_path(room, "messages"), {**first, "messageId": name})
        assert answer.status in (200, 201), answer
        again = owner.post(room_path(room, "messages"), {**second, "messageId": name})
        assert again.status == (200 if first == second else 409), (first, second)


@pytest.mark.parametrize("kind, body", KINDS)
def test_another_sender_is_refused(server, names, kind, body):
    owner, member, other, room = everyone(server, names)
    body = {**body, "messageId": "m"}
    first = owner.post(room_path(room, kind), body).expect(201).json
    answer = member.post(room_path(room, kind), body).expect(409, "message_id_reused")
    assert first["id"].encode() not in answer.body
    other.post(room_path(room, kind), body).expect(403, "not_a_member")
    second = owner.create(names("room"))
    assert owner.post(room_path(second, kind), body).expect(201).json["id"] != first["id"], (
        "a messageId is of its room")


def test_a_refusal_is_not_remembered(server, names):
    owner, _, other, room = everyone(server, names)
    body = {**MESSAGE, "messageId": "m"}
    other.post(room_path(room, "messages"), body).expect(403, "not_a_member")
    other.join(room)
    other.post(room_path(room, "messages"), body).expect(201)
    owner.put(room_path(room), {"announce": True}).expect(200)
    other.post(room_path(room, "messages"), body).expect(200)
    other.leave(room)
    other.post(room_path(room, "messages"), body).expect(200)
