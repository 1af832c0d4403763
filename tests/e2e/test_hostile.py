"""Hostile bodies and texts: each refused with its error, none breaks a block or the server."""
import gzip
import json

import pytest

from lib.http import path

ODD_TEXTS = ["\r", "\n", "\r\n", "a\rb", "a\n\ndata: forged\n\n", "\rdata: {}\r\r",
             "\n\nid: 9-9\nevent: ended\ndata: {}\n\n", "\x01\x02\x1f", "\x7f", "\u0085", "\u2028",
             "\u2029", "\ufeff", "\ufffe", "\U0001f469\u200d\U0001f680", "\\", '"', "\\n",
             "</script>", "\t", "\x0b\x0c\x1b[31m", "e\u0301", "\u202eabc"]


@pytest.fixture
def pair(server, names):
    alice, bob = server.user(names("alice")), server.user(names("bob"))
    room = alice.create(names("room"))
    bob.join(room)
    return alice, bob, room


@pytest.mark.parametrize("text", ODD_TEXTS, ids=ascii)
def test_no_text_breaks_a_block(server, names, pair, text):
    """The strict reader fails on any byte below 0x20, on CR, and on blocks that are odd."""
    alice, bob, room = pair
    with bob.stream() as live:
        live.open()
        begin = live.last_id
        odd = server.user(alice.name, name=text, data={text: text})
        sent = odd.send(room, text, message={text: [text, {text: text}]})
        target = path("v1", "rooms", room)
        custom = odd.post(path("v1", "rooms", room, "events"),
                          {"type": "custom.x", "data": {text: text}}).expect(201).json
        changed = odd.put(target, {"name": text, "topic": text, "data": {text: text}}).expect(200)
        message = live.until("new_message")
        assert message.id == sent["id"] and message["text"] == text
        assert message["message"] == {text: [text, {text: text}]}
        assert message["sender"] == {"userId": alice.name, "name": text, "data": {text: text}}
        event = live.until("custom.x")
        assert event.id == custom["id"] and event["data"] == {text: text}
        assert live.until("room_updated") and changed.json["name"] == text
    with bob.stream(since=begin) as replay, bob.stream(history=50) as history:
        assert replay.until("new_message")["text"] == text
        assert replay.until("custom.x")["data"] == {text: text}
        assert history.until("new_message")["text"] == text
    poller = bob.poller(since=begin)
    assert text in [event.get("text") for event in poller.once()]
    poller.close()


def test_headers_and_queries_do_not_come_back_raw(server, names):
    alice = server.user(names("alice"))
    for odd in ("%0d%0a", "%0d%0aSet-Cookie:%20a=b", "%00", "%01", "a%0ab"):
        for target in (f"/v1/rooms/{odd}", f"/v1/events?session={odd}",
                       f"/v1/poll?session={odd}&wait=0", f"/v1/events?rooms={odd}",
                       f"/v1/rooms/x/messages?before={odd}"):
            answer = alice.get(target)
            assert 400 <= answer.status < 500, (target, answer)
            assert answer.header("Set-Cookie") is None
    answer = alice.get("/v1/rooms/x", headers={"X-Request-Id": "a" * 5000})
    assert len(answer.header("X-Request-Id")) < 200


BAD_JSON = [b"", b"null", b"[]", b"7", b'"x"', b"{", b"}", b"{]", b'{"text":}', b'{"text" "x"}',
            b'{"text":"x",}', b"{'text':'x'}", b'{"text":"x"} x', b'{"text":"x"}{}', b"\xff\xfe{}",
            b'{"text":"\xff"}', b'{"text":"\xc0\xaf"}', b'{"text":"\xed\xa0\x80"}',
            b'{"text":"\\ud800"}', b'{"text":"\\u0000"}', b'{"text":"a\x00b"}', b'{"text":"\x01"}',
            b'{"text":"a","text":"b"}', b'{"text":"x","message":{"a":1,"a":2}}',
            b'{"text":"x","message":{"a":' + b"9" * 400 + b"}}",
            b'{"text":"x","message":{"a":1e999}}', b'{"text":"x","message":{"a":NaN}}',
            b'{"text":"x","message":' + b'{"a":' * 40 + b"1" + b"}" * 40 + b"}",
            b"[" * 100000, b'{"a":' * 50000,
            b'{"text":"x","message":{"a":[' + b"{}," * 60000 + b"{}]}}"]


@pytest.mark.parametrize("raw", BAD_JSON[1:], ids=lambda raw: ascii(raw[:36]))
def test_bad_json_is_refused(pair, raw):
    alice, bob, room = pair
    answer = alice.post(path("v1", "rooms", room, "messages"), raw)
    assert answer.status == 400 and answer.code.startswith("invalid_"), answer
    assert alice.get(path("v1", "rooms", room, "messages")).json["messages"] == []


BAD_MESSAGES = [{}, {"text": ""}, {"text": None}, {"text": 7}, {"text": ["x"]},
                {"text": "x" * 16385}, {"text": "\U0001f469" * 4097}, {"message": "x"},
                {"message": []}, {"message": 1}, {"text": "x", "message": "y"},
                {"message": {"a": "x" * 65536}}, {"text": "x", "messageId": "a b"},
                {"text": "x", "messageId": ""}, {"text": "x", "messageId": "1-2"},
                {"text": "x", "messageId": "x" * 129}, {"text": "x", "messageId": 7},
                {"text": "x", "messageId": "."}, {"text": "x", "messageId": "a/b"},
                {"text": "x", "replyTo": "a b"}, {"text": "x", "threadId": 7},
                {"text": "x", "mentions": "bob"}, {"text": "x", "mentions": ["a b"]},
                {"text": "x", "mentions": [1]}, {"text": "x", "ephemeral": "yes"},
                {"text": "x", "mentions": [f"u{number}" for number in range(101)]}]


@pytest.mark.parametrize("body", BAD_MESSAGES, ids=lambda body: ascii(json.dumps(body)[:40]))
def test_bad_messages_are_refused_and_name_the_field(pair, body):
    alice, _, room = pair
    answer = alice.post(path("v1", "rooms", room, "messages"), body)
    assert answer.status in (400, 413), answer
    assert answer.code.startswith("invalid_") or answer.status == 413
    assert alice.get(path("v1", "rooms", room, "messages")).json["messages"] == []


def test_the_largest_message_arrives(pair):
    alice, bob, room = pair
    with bob.stream() as stream:
        stream.open()
        for body in ({"text": "x" * 16384}, {"text": "\x01" * 16384},
                     {"text": "\U0001f469" * 4096},
                     {"text": "x" * 16384, "message": {"a": "y" * (65536 - 16384 - 20)}}):
            sent = alice.post(path("v1", "rooms", room, "messages"), body).expect(201).json
            event = stream.take()
            assert event.id == sent["id"] and event["text"] == body["text"]
            assert event.get("message") == body.get("message")


def test_unknown_members_and_parameters_are_ignored(pair):
    alice, _, room = pair
    target = path("v1", "rooms", room, "messages", unknown="x", timestamp="1")
    alice.post(target, {"text": "x", "timestamp": 5, "type": "chat", "roomId": "y", "id": "z"}) \
        .expect(201)


@pytest.mark.parametrize("room", ["a b", "ü", "a\x00b", "a/b", ".", "..", "x" * 129, "a%b", "*",
                                  "a+b", "a,b", "<x>", "'"], ids=ascii)
def test_bad_identifiers_are_refused_everywhere(server, names, room):
    alice = server.user(names("alice"))
    for method, parts in (("PUT", ("rooms", room)), ("GET", ("rooms", room)),
                          ("POST", ("rooms", room, "join")),
                          ("GET", ("rooms", room, "messages")),
                          ("POST", ("rooms", room, "messages")),
                          ("GET", ("rooms", "x", "messages", room)),
                          ("DELETE", ("rooms", "x", "members", room))):
        body = {} if method in ("PUT", "POST") else None
        answer = alice.request(method, path("v1", *parts), body)
        if "+" in room and parts[-2] == "members":
            continue
        assert answer.status in (400, 404, 405), (method, parts, answer)
        assert answer.header("Content-Type") == "application/problem+json"


def test_odd_paths(server, names):
    alice = server.user(names("alice"))
    for target in ("/v1/rooms/a%zz", "/v1/rooms/%", "/v1/rooms/a%2", "/v1//rooms", "/v1/rooms/",
                   "/v1/rooms/x/", "//v1/rooms", "/v1/../v1/rooms", "/v2/rooms", "/V1/rooms",
                   "/v1/rooms/%2e%2e", "/v1/rooms/%ff", "/v1/rooms/a%00b", "*", "/v1/rooms/x/y/z"):
        answer = alice.get(target)
        assert answer.status in (400, 404), (target, answer)


def test_methods_that_a_path_does_not_know(server, names):
    alice = server.user(names("alice"))
    for method, target in (("DELETE", "/v1/rooms"), ("PATCH", "/v1/events"), ("POST", "/v1/events"),
                           ("PUT", "/v1/rooms/x/join"), ("POST", "/healthz"),
                           ("BREW", "/v1/rooms")):
        answer = alice.request(method, target)
        answer.expect(405, "method_not_allowed")
        assert answer.header("Allow"), answer
        alice.close()


def test_media_types(pair):
    alice, _, room = pair
    target = path("v1", "rooms", room, "messages")
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data",
                 "application/jsonx", ""):
        answer = alice.post(target, '{"text":"x"}', headers={"Content-Type": kind})
        answer.expect(415)
    for kind in ("application/json", "application/json; charset=utf-8", "Application/JSON"):
        alice.post(target, '{"text":"x"}', headers={"Content-Type": kind}).expect(201)
    none = alice.post(target, '{"text":"x"}', headers={"Content-Type": None})
    assert none.status == 415


def test_gzip_bodies(server, names, pair):
    alice, _, room = pair
    target, headers = path("v1", "rooms", room, "messages"), {"Content-Encoding": "gzip"}
    good = gzip.compress(b'{"text":"packed"}')
    alice.post(target, good, headers=headers).expect(201)
    message = alice.get(target).json["messages"][0]
    assert message["text"] == "packed"
    bomb = gzip.compress(b'{"text":"' + b"x" * 30_000_000)
    assert len(bomb) < 40000
    assert alice.post(target, bomb, headers=headers).status == 413
    alice.close()
    for bad in (good[:-6], good[:10], b"\x1f\x8b" + b"x" * 30, b"not gzip", good + b"junk"):
        assert alice.post(target, bad, headers=headers).status == 400, bad
    for encoding in ("br", "deflate", "gzip, gzip", "x"):
        answer = alice.post(target, good, headers={"Content-Encoding": encoding})
        assert answer.status == 415, (encoding, answer)
    assert len(alice.get(target).json["messages"]) == 1


def test_an_empty_body_counts_as_an_empty_object(server, names):
    alice = server.user(names("alice"))
    assert alice.post("/v1/rooms").status == 201
    assert alice.put(path("v1", "rooms", names("room"))).status == 201


def test_odd_cursors(server, names, seed):
    alice = server.user(names("alice"))
    alice.create(names("room"))
    letters = "0123456789-abcxyz~!#$&'()*,/:;=?@[] \\\"%<>{}|^`\u00e9\u4e16"
    for _ in range(500):
        cursor = "".join(seed.choice(letters) for _ in range(seed.randrange(1, 60)))
        answer = alice.get(path("v1", "poll", since=cursor, wait=0))
        assert answer.status == 200, (cursor, answer)
