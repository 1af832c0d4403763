"""Signals at bad moments, and the end at once: nothing that was answered is lost, and nothing is
left behind."""
import json
import time

import pytest

from lib.http import Connection, path, wait_until

ROUNDS = 6
REQUESTS = 240
KINDS = 24


def request_of(number, room, begin):
    """One of each kind that waits for something: the journal, the hub, an event."""
    name = f"m{number}"
    return [("POST", path("v1", "rooms", room, "messages"), {"text": "x", "messageId": name}),
            ("GET", path("v1", "events", since=begin, session=f"s{number % 7}"), None),
            ("GET", path("v1", "poll", since=begin, session=f"p{number % 5}"), None),
            ("GET", path("v1", "poll", since="", session=f"q{number % 5}", wait=60), None),
            ("GET", path("v1", "events", history=100), None),
            ("POST", path("v1", "rooms", room, "messages"), {"text": "y", "ephemeral": True}),
            ("PUT", path("v1", "rooms", f"{room}-{number}"), {}),
            ("GET", path("v1", "rooms", room, "messages", around=begin), None),
            ("DELETE", path("v1", "session", f"s{number % 7}"), None),
            ("POST", path("v1", "session", f"s{number % 7}", "token"), {}),
            ("POST", path("v1", "rooms", room, "join"), {}),
            ("POST", path("v1", "acks"), {"cursor": begin, "device": "d"}),
            ("PUT", path("v1", "presence"), {"status": "busy", "activity": name, "choice": True}),
            ("PUT", path("v1", "presence"), {"status": "away", "choice": False}),
            ("GET", path("v1", "presence", users="alice,bob"), None),
            ("DELETE", path("v1", "presence", "subscriptions", "bob"), None),
            ("PUT", path("v1", "rooms", room, "here"), {"data": {"at": number}}),
            ("GET", path("v1", "rooms", room, "here"), None),
            ("POST", path("v1", "rooms", room, "typing"), {"typing": True}),
            ("POST", path("v1", "rooms", room, "read"), {"upTo": begin}),
            ("GET", path("v1", "sync", since=begin), None),
            ("PUT", path("v1", "rooms", room, "messages", "first", "reactions", name), None),
            ("PUT", path("v1", "rooms", room, "bans", name), {"deleteMessages": True}),
            ("POST", path("v1", "batch"), {"events": batch_of(room, name)})][number % KINDS]


def batch_of(room, name):
    """Commands that go to the journal together, and to the hub in between."""
    return [{"type": "send_message", "roomId": room, "text": "x", "messageId": f"b{name}"},
            {"type": "start_typing", "roomId": room},
            {"type": "status_change", "status": None},
            {"type": "put_room", "roomId": f"{room}-{name}"},
            {"type": "delete_room", "roomId": f"{room}-{name}"},
            {"type": "presence_update", "status": "online"},
            {"type": "edit_message", "roomId": room, "messageId": f"b{name}", "text": "y"}]


def read_all(connection):
    """What has come of an answer, to the end of the connection."""
    text = b""
    try:
        while piece := connection.socket.recv(65536):
            text += piece
    except OSError:
        pass
    connection.close()
    head, _, body = text.partition(b"\r\n\r\n")
    return head, body


def signal_twice(server):
    """By two kinds: of one, two that come together count once."""
    server.signal(15)
    server.signal(2)


def burst(server, user, room, begin, first):
    """Asks for all kinds of things at once, and sends two signals in the midst of it; the ids of
    the messages that were acknowledged."""
    connections = [Connection(server.address) for _ in range(REQUESTS)]
    for number, connection in enumerate(connections, first):
        method, target, body = request_of(number, room, begin)
        connection.send_request(method, target, body, {"X-Tidings-Session": f"s{number % 7}"},
                                user.token)
    signal_twice(server)
    answers = [read_all(connection) for connection in connections]
    return {json.loads(body)["id"] for number, (head, body) in enumerate(answers, first)
            if number % KINDS == 0 and head.startswith(b"HTTP/1.1 201")}


@pytest.mark.parametrize("journal", ["kept", "memory"])
def test_a_second_signal_leaves_nothing_behind(start, names, seed, journal):
    more = {"journal__url": "memory:"} if journal == "memory" else {}
    server = start(drain__notice="60s", drain__spread="60s", limits__sessions=0, **more)
    for _ in range(ROUNDS):
        alice, room = server.user("alice", name=str(seed.random())), names("room")
        alice.create(room)
        begin = alice.send(room, messageId="first")["id"]
        alice.close()
        acknowledged = burst(server, alice, room, begin, seed.randrange(1 << 20))
        server.finish()
        server.start()
        if journal == "kept":
            page = alice.get(path("v1", "rooms", room, "messages", limit=100)).expect(200).json
            assert acknowledged <= {message["id"] for message in page["messages"]}
            alice.close()
    signal_twice(server)
    server.finish()


def test_streams_that_are_just_opening_are_sent_away(start):
    server = start(drain__notice="0ms", drain__spread="50ms", limits__sessions=0)
    for _ in range(ROUNDS):
        alice = server.user("alice")
        connections = [Connection(server.address) for _ in range(60)]
        for connection in connections:
            connection.send_request("GET", path("v1", "events", history=9), token=alice.token)
        server.signal(15)
        for connection in connections:
            head, body = read_all(connection)
            if b"event: connected" in body:
                assert b"event: reconnect" in body.rstrip().split(b"\n\n")[-1], body
        server.finish()
        server.start()


def test_a_second_signal_ends_at_once(start):
    server = start(drain__notice="60s", drain__spread="60s")
    alice = server.user("alice")
    stream = alice.stream()
    stream.open()
    server.signal(15)
    wait_until(lambda: server.request("GET", "/readyz").status == 503, "draining", pause=0.005)
    begin = time.monotonic()
    server.signal(15)
    server.finish()
    assert time.monotonic() - begin < 30
    stream.close()


def test_signals_until_the_last_moment_change_nothing(start, names):
    server = start(drain__notice="0ms", drain__spread="0ms")
    alice = server.user("alice")
    room = alice.create(names("room"))
    sent = [alice.send(room, "x" * 10000)["id"] for _ in range(200)]
    alice.close()
    while server.process.poll() is None:
        server.signal(15)
        server.signal(1)
    server.finish()
    server.start()
    got = alice.get(path("v1", "rooms", room, "messages", limit=100)).json["messages"]
    assert [message["id"] for message in got] == sent[-1:-101:-1]
    assert "lost" not in server.logs()
