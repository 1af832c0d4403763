"""What comes down a stream: its head, its blocks, its first events, heartbeats, live events."""
import time

from lib.http import Connection, path, wait_until
from lib.sse import Stream, id_key

HEAD = {"content-type": "text/event-stream", "cache-control": "no-store, no-transform",
        "x-accel-buffering": "no"}


def two_in_a_room(server, names, **claims):
    alice = server.user(names("alice"), **claims)
    bob = server.user(names("bob"), **claims)
    room = alice.create(names("room"))
    bob.join(room)
    return alice, bob, room


def test_the_head_is_exact(server, names):
    with server.user(names("alice")).stream(headers={"Accept-Encoding": "gzip, br"}) as stream:
        answer = stream.head()
        assert answer.version == "HTTP/1.1" and answer.status == 200
        for name, value in HEAD.items():
            assert answer.header(name) == value
        for name in ("Transfer-Encoding", "Content-Length", "Content-Encoding"):
            assert answer.header(name) is None
        assert answer.header("Connection", "close").lower() == "close"


def test_http_1_0_is_served(server, names):
    alice = server.user(names("alice"))
    room = alice.create(names("room"))
    with alice.stream(version="HTTP/1.0") as stream:
        stream.open()
        assert stream.answer.header("Transfer-Encoding") is None
        assert alice.send(room)["id"] == stream.until("new_message").id


def test_head_gives_no_stream(server, names):
    alice = server.user(names("alice"))
    with Connection(server.address) as connection:
        connection.send_request("HEAD", "/v1/events", token=alice.token)
        answer = connection.read_head()
        assert answer.status in (200, 405)
        if answer.status == 200:
            assert answer.header("Content-Type") == "text/event-stream"
            assert connection.read_rest() == b""


def test_connected_tells_where_one_is(server, names):
    realm = names("realm")
    alice = server.user(names("alice"), realm=realm)
    with alice.stream() as stream:
        first = stream.take()
        assert first.type == "connected"
        assert first["userId"] == alice.name
        assert first["resumed"] is False
        assert first["heartbeatMs"] == 20000
        assert isinstance(first["node"], str) and first["node"]
        assert isinstance(first["sessionId"], str) and first["sessionId"]
        assert abs(first["timestamp"] - time.time() * 1000) < 60000
        assert 0 < first["tokenExpiresAt"] - first["timestamp"] <= 3600 * 1000
        assert first["cursor"] == first.id == "0-0"  # nothing happened in this realm yet
        caught_up = stream.take()
        assert caught_up.type == "caught_up" and caught_up["replayed"] == 0
        assert caught_up.id == "0-0"
    alice.create(names("room"))
    with alice.stream() as stream:
        assert id_key(stream.take().id) > (0, 0)


def test_retry_is_spread(server, names):
    alice, seen = server.user(names("alice")), set()
    for _ in range(20):
        with alice.stream(session="one") as stream:
            first = stream.take()
            assert first.type == "connected" and 3000 <= first.retry <= 9000
            seen.add(first.retry)
    assert len(seen) > 10


def test_connected_has_an_id_only_when_nothing_older_follows(server, names):
    alice, bob, room = two_in_a_room(server, names)
    sent = alice.send(room)
    with bob.stream() as fresh:
        first = fresh.take()
        assert first.id == first["cursor"] and id_key(first.id) >= id_key(sent["id"])
    with bob.stream(since=sent["id"]) as resumed:
        first = resumed.take()
        assert first.id is None and first["resumed"] is True and first["cursor"] == sent["id"]
    with bob.stream(history=10) as history:
        first = history.take()
        assert first.id is None and first["resumed"] is False


def test_every_type_of_a_room_comes(server, names):
    alice, room = server.user(names("alice"), name="Alice", data={"color": "red"}), names("room")
    bob = server.user(names("bob"), name="Bob")
    with alice.stream() as stream:
        stream.open()
        alice.create(room, name="First", topic="t", data={"a": 1})
        created, joined = stream.take(), stream.take()
        assert (created.type, joined.type) == ("room_created", "user_joined")
        assert created.key < joined.key
        assert created["roomId"] == joined["roomId"] == room
        assert joined["userId"] == alice.name and joined["room"]["name"] == "First"
        bob.join(room)
        joined = stream.take()
        assert joined.type == "user_joined" and joined["userId"] == bob.name
        assert joined["userData"]["name"] == "Bob"
        assert "room" not in joined.data
        alice.put(path("v1", "rooms", room), {"name": "Second"}).expect(200)
        assert stream.take().type == "room_updated"
        for name in "ab":
            alice.send(room, messageId=name)
            assert stream.take()["messageId"] == name
        alice.send(room, "text", message={"kind": "x"}, messageId=names("m"), replyTo="a",
                   threadId="b", mentions=[bob.name])
        message = stream.take()
        assert message["sender"] == {"userId": alice.name, "name": "Alice",
                                     "data": {"color": "red"}}
        assert message["message"] == {"kind": "x"} and message["mentions"] == [bob.name]
        assert message["replyTo"] == "a" and message["threadId"] == "b"
        alice.post(path("v1", "rooms", room, "events"),
                   {"type": "custom.move", "data": {"x": 1}}).expect(201)
        custom = stream.take()
        assert custom.type == "custom.move" and custom["data"] == {"x": 1}
        assert custom["sender"]["userId"] == alice.name and custom["roomId"] == room
        bob.leave(room)
        left = stream.take()
        assert left.type == "user_left" and left["reason"] == "left"
        alice.delete(path("v1", "rooms", room))
        assert stream.take().type == "room_deleted"


def test_a_leaver_hears_of_the_leaving_and_nothing_after(server, names):
    alice, bob, room = two_in_a_room(server, names)
    with bob.stream() as stream:
        stream.open()
        bob.leave(room)
        assert stream.take().type == "user_left"
        alice.send(room, "not for bob")
        other = bob.create(names("room"))
        assert [stream.take()["roomId"] for _ in range(2)] == [other, other]


def test_one_removed_hears_so_and_nothing_after(server, names):
    alice, bob, room = two_in_a_room(server, names)
    with bob.stream() as stream:
        stream.open()
        alice.delete(path("v1", "rooms", room, "members", bob.name))
        left = stream.take()
        assert left.type == "user_left" and left["reason"] == "removed"
        alice.send(room, "not for bob")
        assert bob.create(names("room")) == stream.take()["roomId"]


def test_rooms_joined_later_come_by_themselves(server, names):
    alice, bob = server.user(names("alice")), server.user(names("bob"))
    room = alice.create(names("room"))
    with bob.stream() as stream:
        stream.open()
        alice.send(room, "before")
        bob.join(room)
        joined = stream.take()
        assert joined.type == "user_joined" and joined["room"]["roomId"] == room
        assert alice.send(room, "after")["id"] == stream.take().id


def test_an_ephemeral_message_has_no_id(server, names):
    alice, bob, room = two_in_a_room(server, names)
    with bob.stream() as stream:
        stream.open()
        before = stream.last_id
        answer = alice.post(path("v1", "rooms", room, "messages"),
                            {"text": "gone soon", "ephemeral": True}).expect(201).json
        assert "id" not in answer
        event = stream.take()
        assert event.type == "new_message" and event.id is None and "id" not in event.data
        assert stream.last_id == before
        kept = alice.send(room, "kept")
        assert stream.take().id == kept["id"]
    with bob.stream(since=before) as again:
        assert [event.id for event in (again.take(), again.take())][1] == kept["id"]


def test_unnamed_events_are_heard_by_onmessage(server, names):
    alice, bob, room = two_in_a_room(server, names)
    with bob.stream(events="unnamed") as stream:
        stream.open()
        sent = alice.send(room)
        event = stream.until("new_message")
        assert event.id == sent["id"] and event.name is None
        assert len(event.lines) == 2


def test_the_senders_session_is_spared(server, names):
    alice, _, room = two_in_a_room(server, names)
    with alice.stream(session="a") as spared, alice.stream(session="b") as other:
        spared.open()
        other.open()
        first = alice.send(room, "told to b alone", session="a")
        second = alice.send(room, "told to both")
        assert spared.take().id == second["id"]
        assert [other.take().id, other.take().id] == [first["id"], second["id"]]
        cursor = other.events[0]["cursor"]
    with alice.stream(session="c", since=cursor) as third:
        third.until("connected")
        assert [third.take().id, third.take().id] == [first["id"], second["id"]]


def test_heartbeats_have_an_id_and_move_the_cursor(start, names):
    server = start(sse__heartbeat="300ms")
    alice, bob, room = two_in_a_room(server, names)
    elsewhere = alice.create(names("elsewhere"))
    with bob.stream(heartbeat=5) as stream:
        assert stream.take()["heartbeatMs"] == 5000
    with bob.stream() as stream:
        assert stream.open()["heartbeatMs"] == 300
        unseen = alice.send(elsewhere)
        alice.post(path("v1", "rooms", room, "messages"), {"text": "x", "ephemeral": True})
        stream.until("heartbeat", where=lambda event: event.id == unseen["id"])
        seen = alice.send(room)
        assert stream.take().id == seen["id"]
        assert stream.until("heartbeat").id == seen["id"]


def test_parameters_out_of_range_are_told(server, names):
    alice = server.user(names("alice"))
    for query in ("heartbeat=4", "heartbeat=61", "heartbeat=x", "history=101",
                  "history=-1", "history=1.5", "presence=all", "device=a&rooms=b", "quiet=2",
                  "session=a%20b", "device=..", "rooms=a,,b", "watch=%FF", "events=named",
                  "rooms=" + ",".join(f"r{number}" for number in range(51)),
                  "session=" + "s" * 129, "heartbeat=5&heartbeat=6", "quiet=1&quiet=1",
                  "session=a&session=b", "rooms=a&rooms=b", "since=0-0&since=0-0",
                  "lastEventId=&lastEventId="):
        with Connection(server.address) as connection:
            connection.send_request("GET", f"/v1/events?{query}", token=alice.token)
            answer = connection.read_answer() if refuses(connection) else None
        assert answer and answer.code.startswith("invalid_"), (query, answer)
    for query in ("heartbeat=5", "history=100", "presence=none", "presence=subscribed", "quiet=1",
                  "unknown=1", "rooms=", "since=", "unknown=1&unknown=2",
                  "since=0-0&lastEventId=0-0"):
        with Stream(server.address, f"/v1/events?{query}", token=alice.token) as stream:
            assert stream.take().type == "connected", query


def refuses(connection):
    """Reads nothing of the answer yet: one that is a stream would never end."""
    connection.more_until(b"\r\n\r\n")
    return connection.pending.startswith(b"HTTP/1.1 400 ")


def test_many_streams_of_a_room_get_the_same(server, names):
    alice, bob, room = two_in_a_room(server, names)
    others = [server.user(names("reader")) for _ in range(20)]
    for other in others:
        other.join(room)
    streams = [other.stream() for other in others]
    for stream in streams:
        stream.open()
    ids = [bob.send(room, f"number {number}")["id"] for number in range(50)]
    for stream in streams:
        assert [stream.until("new_message").id for _ in ids] == ids
        stream.close()


def test_a_stream_that_is_closed_is_noticed(start, names):
    server = start()
    alice = server.user(names("alice"))
    streams = [alice.stream(session=f"s{number}") for number in range(6)]
    for stream in streams:
        stream.open()
    assert server.metric("streams") == 6
    streams[0].close()
    streams[1].cut()
    streams[2].socket.shutdown(1)  # half closed counts as gone
    wait_until(lambda: server.metric("streams") == 3, "three streams are gone")
    for stream in streams[3:]:
        stream.close()
    wait_until(lambda: server.metric("streams") == 0, "all streams are gone")
