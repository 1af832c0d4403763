"""`rooms` and `watch`: which rooms a stream follows, and what it is told of those it may not."""
import pytest

from lib.http import path


@pytest.fixture
def alice(server, names):
    return server.user(names("alice"))


@pytest.fixture
def bob(server, names):
    return server.user(names("bob"))


def denied(stream):
    """The `room_denied` before `caught_up`, as {room: code}."""
    assert stream.take().type == "connected"
    told = {}
    while True:
        event = stream.take()
        if event.type == "caught_up":
            return told
        if event.type == "room_denied":
            told[event["roomId"]] = event["code"]


def test_rooms_narrows(alice, bob, names):
    one, two = alice.create(names("room")), alice.create(names("room"))
    bob.join(one)
    bob.join(two)
    with bob.stream(rooms=two) as stream:
        stream.open()
        alice.send(one)
        assert alice.send(two)["id"] == stream.take().id
        third = bob.create(names("room"))
        bob.send(third)
        assert alice.send(two)["id"] == stream.take().id


def test_watch_adds_a_public_room_without_joining(alice, bob, names):
    member, watched = alice.create(names("room")), alice.create(names("room"))
    bob.join(member)
    with bob.stream(watch=watched) as stream:
        stream.open()
        first, second = alice.send(watched)["id"], alice.send(member)["id"]
        assert [stream.take().id, stream.take().id] == [first, second]
    assert alice.get(path("v1", "rooms", watched)).json["memberCount"] == 1


def test_a_watcher_gets_no_joins(alice, bob, server, names):
    room = alice.create(names("room"))
    with bob.stream(rooms=room) as stream:
        stream.open()
        server.user(names("carol")).join(room)
        alice.post(path("v1", "rooms", room, "events"), {"type": "custom.x", "data": {}})
        assert stream.take().type == "custom.x"
        alice.put(path("v1", "rooms", room), {"topic": "new"}).expect(200)
        assert stream.take().type == "room_updated"
        carol_left = server.user(names("dave"))
        carol_left.join(room)
        carol_left.leave(room)
        assert alice.send(room)["id"] == stream.take().id


def test_a_watcher_may_resume(alice, bob, names):
    room = alice.create(names("room"))
    ids = [alice.send(room)["id"] for _ in range(3)]
    with bob.stream(rooms=room, since=ids[0]) as stream:
        assert stream.take()["resumed"] is True
        assert [stream.take().id, stream.take().id] == ids[1:]


def test_what_may_not_be_read_is_denied_and_the_rest_goes_on(alice, bob, names):
    public = alice.create(names("public"))
    private = alice.create(names("private"), kind="private")
    missing = names("missing")
    with bob.stream(rooms=f"{public},{private},{missing}") as stream:
        told = denied(stream)
        assert set(told) == {private, missing}
        assert told[private] == told[missing], "no one can find out what exists"
        alice.send(private)
        assert alice.send(public)["id"] == stream.take().id
    with bob.stream(watch=f"{public},{missing}") as stream:
        assert set(denied(stream)) == {missing}


def test_none_left_at_the_start_is_a_status(alice, bob, names):
    private = alice.create(names("private"), kind="private")
    for rooms in (private, names("missing"), f"{private},{names('missing')}"):
        answer = bob.get(path("v1", "events", rooms=rooms))
        assert answer.status in (403, 404), answer
        answer = bob.get(path("v1", "poll", rooms=rooms))
        assert answer.status in (403, 404), answer


def test_a_room_made_private_is_denied_to_its_watchers(alice, bob, server, names):
    room, other = alice.create(names("room")), alice.create(names("room"))
    carol = server.user(names("carol"))
    carol.join(room)
    with bob.stream(rooms=f"{room},{other}") as watcher, carol.stream() as member:
        watcher.open()
        member.open()
        alice.put(path("v1", "rooms", room), {"kind": "private"}).expect(200)
        watcher.until("room_denied", where=lambda event: event["roomId"] == room)
        secret = alice.send(room, "members only")["id"]
        seen = alice.send(other)["id"]
        assert watcher.take().id == seen
        assert member.until("new_message").id == secret


def test_a_deleted_room_is_denied_to_its_watchers(alice, bob, names):
    room, other = alice.create(names("room")), alice.create(names("room"))
    with bob.stream(rooms=f"{room},{other}") as stream:
        stream.open()
        alice.delete(path("v1", "rooms", room))
        seen = [stream.take().type]
        if seen[0] == "room_deleted":
            seen.append(stream.take().type)
        assert seen[-1] == "room_denied"
        assert alice.send(other)["id"] == stream.take().id


def test_replay_of_a_watcher_ends_where_the_room_became_public(alice, bob, names):
    room = alice.create(names("room"))
    cursor = alice.send(room, "public")["id"]
    alice.put(path("v1", "rooms", room), {"kind": "private"}).expect(200)
    alice.send(room, "secret")
    alice.put(path("v1", "rooms", room), {"kind": "public"}).expect(200)
    later = alice.send(room, "public again")["id"]
    with bob.stream(rooms=room, since=cursor) as stream:
        stream.until("caught_up")
        texts = [event["text"] for event in stream.of("new_message")]
        assert "secret" not in texts
        assert stream.of("new_message")[-1].id == later


def test_a_grant_is_followed_by_name(alice, server, names):
    room = alice.create(names("team-x"), kind="private")
    stem = room.rsplit("-", 1)[0]
    granted = server.user(names("bob"), rooms=[{"room": f"{stem}*", "can": ["read"]}])
    with granted.stream() as stream:
        stream.open()
        alice.send(room, "not by itself")
        own = granted.create(names("own"))
        assert stream.take()["roomId"] == own
    with granted.stream(rooms=room) as stream:
        stream.open()
        assert alice.send(room)["id"] == stream.take().id
    refused = granted.post(path("v1", "rooms", room, "messages"), {"text": "x"})
    assert refused.status in (403, 404)


def test_a_member_who_named_the_room_and_leaves_it_goes_on_watching_or_is_told(alice, bob, names):
    private, other = alice.create(names("private"), kind="private"), alice.create(names("room"))
    alice.put(path("v1", "rooms", private, "members", bob.name), {}).expect(200)
    with bob.stream(rooms=f"{private},{other}") as stream:
        stream.open()
        alice.send(private)
        assert stream.take().type == "new_message"
        alice.delete(path("v1", "rooms", private, "members", bob.name))
        types = [stream.take().type, stream.take().type]
        assert types == ["user_left", "room_denied"]
        alice.send(private, "unseen")
        assert alice.send(other)["id"] == stream.take().id


def make(user, room, kind):
    user.put(path("v1", "rooms", room), {"kind": kind}).expect(200)


def messages(events):
    return [event["text"] for event in events if event["type"] == "new_message"]


def test_a_room_that_is_made_public_again_comes_back(alice, bob, names):
    room, other = alice.create(names("room")), alice.create(names("room"))
    with bob.stream(rooms=f"{room},{other}") as stream:
        stream.open()
        for number in range(2):
            make(alice, room, "private")
            alice.send(room, "secret")
            make(alice, room, "public")
            alice.send(room, f"public again {number}")
        alice.send(other, "last")
        stream.until("new_message", where=lambda event: event["text"] == "last")
        events = [event.data for event in stream.events]
        assert messages(events) == ["public again 0", "public again 1", "last"]
        assert len(stream.of("room_denied")) == 2


def test_it_comes_back_to_one_who_came_while_it_was_private(alice, bob, names):
    room, other = alice.create(names("room")), alice.create(names("room"))
    cursor = alice.send(room, "before")["id"]
    make(alice, room, "private")
    alice.send(room, "secret")
    with bob.stream(rooms=f"{room},{other}", since=cursor) as resumed, \
            bob.stream(watch=room) as fresh:
        assert denied(resumed) == denied(fresh) == {room: "not_found"}
        make(alice, room, "public")
        seen = alice.send(room, "public again")["id"]
        assert resumed.take().id == fresh.take().id == seen
        last = resumed.last_id
    later = alice.send(room, "later")["id"]
    for since, expected in ((last, [later]), (cursor, [seen, later])):
        with bob.stream(rooms=f"{room},{other}", since=since) as stream:
            stream.until("caught_up")
            assert [event.id for event in stream.of("new_message")] == expected
            assert not stream.of("room_denied")


def test_it_comes_back_to_a_poll(alice, bob, names):
    room, other = alice.create(names("room")), alice.create(names("room"))
    poller = bob.poller(rooms=f"{room},{other}", session=names("session"))
    poller.once()
    make(alice, room, "private")
    alice.send(room, "secret")
    make(alice, room, "public")
    seen = alice.send(room, "public again")["id"]
    while poller.cursor != seen:
        assert poller.once(wait=10)
    assert [event["type"] for event in poller.events if event.get("roomId") == room] == \
        ["room_updated", "room_denied", "new_message"]
    poller.close()
    alone = bob.poller(rooms=f"{room},{other}", since=poller.events[0]["id"])
    assert messages(alone.once(limit=1000)) == ["public again"]
    alone.close()


def test_it_does_not_come_back_to_one_who_is_banned(alice, bob, server, names):
    carol = server.user(names("carol"))
    room, other = alice.create(names("room")), alice.create(names("room"))
    with bob.stream(rooms=f"{room},{other}") as stream, \
            carol.stream(rooms=f"{room},{other}") as reader:
        stream.open()
        reader.open()
        make(alice, room, "private")
        for user in (bob, carol):
            alice.put(path("v1", "rooms", room, "bans", user.name), {}).expect(200)
        with bob.stream(rooms=f"{room},{other}") as late:
            assert denied(late) == {room: "not_found"}
            make(alice, room, "public")
            alice.send(room, "not for them")
            alice.send(other, "last")
            for each in (stream, reader, late):
                each.until("new_message")
                assert messages(each.events) == ["last"]
        alice.delete(path("v1", "rooms", room, "bans", carol.name)).expect(200)
        alice.put(path("v1", "rooms", room, "members", carol.name), {}).expect(200)
        alice.send(room, "let in")
        reader.until("new_message")
        assert messages(reader.events) == ["last", "let in"]


def test_a_room_that_is_made_anew_comes_back(alice, bob, names):
    room, missing, other = (names("room") for _ in range(3))
    alice.create(room)
    alice.create(other)
    with bob.stream(rooms=f"{room},{missing},{other}") as stream:
        assert denied(stream) == {missing: "not_found"}
        alice.delete(path("v1", "rooms", room))
        stream.until("room_denied")
        alice.create(room)
        alice.create(missing)
        sent = [alice.send(name)["id"] for name in (room, missing, other)]
        assert [stream.until("new_message").id for _ in sent] == sent
        alice.delete(path("v1", "rooms", room))
        alice.create(room, kind="private")
        alice.send(room, "secret")
        assert alice.send(other)["id"] == stream.until("new_message").id
        bob_in = alice.put(path("v1", "rooms", room, "members", bob.name), {}).expect(200)
        assert bob_in and alice.send(room)["id"] == stream.until("new_message").id
