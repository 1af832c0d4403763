"""Here: the presence of sessions inside rooms."""
import time

import pytest

from lib.http import path, wait_until
from lib.room import everyone, room_path
from lib.schema import check_event

GRACE_MS = 1500
OPTIONS = {"presence.grace": f"{GRACE_MS}ms", "server.workers": 2}


def put(user, room, session, data=None, status=200, **members):
    body = {**members} if data is None else {"data": data}
    return user.put(room_path(room, "here"), body,
                    headers={"X-Tidings-Session": session}).expect(status)


def remove(user, room, session, status=200):
    return user.delete(room_path(room, "here"),
                       headers={"X-Tidings-Session": session}).expect(status)


def listed(user, room):
    answer = user.get(room_path(room, "here")).expect(200).json
    assert set(answer) == {"here", "asOf"}
    return sorted((spot["userId"], spot["sessionId"], spot["data"]) for spot in answer["here"])


def sees(stream, user, session, data, room):
    event = stream.until("here_update")
    assert event.id is None
    assert event.data == {"type": "here_update", "roomId": room, "userId": user.name,
                          "sessionId": session, "data": data}, event
    check_event(event.data)
    return event


@pytest.fixture
def scene(server, names):
    """A member with a session `tab`, the stream of that, the owner's stream, their room."""
    owner, alice, other, room = everyone(server, names)
    other.join(room)
    own, onlooker = alice.stream(session="tab"), owner.stream()
    own.open()
    onlooker.open()
    yield alice, own, onlooker, room
    own.close()
    onlooker.close()


def test_it_is_told_and_listed(server, scene):
    alice, own, onlooker, room = scene
    answer = put(alice, room, "tab", {"x": 1, "a": [None]}).json
    assert answer.pop("asOf")
    assert answer == {"roomId": room, "userId": alice.name, "sessionId": "tab",
                      "data": {"x": 1, "a": [None]}}
    sees(onlooker, alice, "tab", {"x": 1, "a": [None]}, room)
    assert listed(alice, room) == [(alice.name, "tab", {"x": 1, "a": [None]})]
    put(alice, room, "tab", {"a": [None], "x": 1.0})  # equal as JSON values: not repeated
    put(alice, room, "tab")
    sees(onlooker, alice, "tab", {}, room)
    answer = remove(alice, room, "tab").json
    assert answer["data"] is None and answer["sessionId"] == "tab"
    sees(onlooker, alice, "tab", None, room)
    remove(alice, room, "tab")
    assert listed(alice, room) == []
    put(alice, room, "tab", {"x": 2})
    sees(onlooker, alice, "tab", {"x": 2}, room)


def test_the_session_itself_is_spared_and_others_of_the_user_are_not(server, scene):
    alice, own, onlooker, room = scene
    with alice.stream(session="phone") as phone:
        phone.open()
        put(alice, room, "tab", {"x": 1})
        sees(phone, alice, "tab", {"x": 1}, room)
        put(alice, room, "phone", {"x": 2})
        sees(own, alice, "phone", {"x": 2}, room)
    sees(onlooker, alice, "tab", {"x": 1}, room)
    sees(onlooker, alice, "phone", {"x": 2}, room)


def test_watchers_are_not_told_and_may_list(server, names, scene):
    alice, own, onlooker, room = scene
    reader = server.user(names("reader"))
    with reader.stream(watch=room) as watcher:
        watcher.open()
        put(alice, room, "tab", {"x": 1})
        sees(onlooker, alice, "tab", {"x": 1}, room)
        seen = alice.send(room)["id"]
        assert watcher.take().id == seen
    assert listed(reader, room) == [(alice.name, "tab", {"x": 1})]
    assert listed(server.user(names("guest"), scope="guest"), room) == [
        (alice.name, "tab", {"x": 1})]


def test_who_may_be_here(server, names, scene):
    alice, own, onlooker, room = scene
    stranger = server.user(names("stranger"))
    with stranger.stream(session="s", watch=room) as stream:
        stream.open()
        put(stranger, room, "s", status=403)
        private = alice.create(names("private"), kind="private")
        put(stranger, private, "s", status=404)
        stranger.get(room_path(private, "here")).expect(404)
        put(stranger, names("none"), "s", status=404)
    guest = server.user(names("guest"), scope="guest")
    put(guest, room, "s", status=403)


def test_which_session(server, names, scene):
    alice, own, onlooker, room = scene
    alice.put(room_path(room, "here"), {}).expect(400, "invalid_request")
    alice.delete(room_path(room, "here")).expect(400, "invalid_request")
    put(alice, room, "a b", status=400)
    put(alice, room, names("unknown"), status=404)
    remove(alice, room, names("unknown"), status=404)
    bob = server.user(names("bob"))
    bob.join(room)
    put(bob, room, "tab", status=404)  # a session is its user's


@pytest.mark.parametrize("data", [[], 1, "x", {"x": "y" * 1020}], ids=["list", "1", "x", "large"])
def test_what_is_no_data(scene, data):
    alice, own, onlooker, room = scene
    alice.put(room_path(room, "here"), {"data": data},
              headers={"X-Tidings-Session": "tab"}).expect(400, "invalid_field")


def test_the_largest_data(server, scene):
    alice, own, onlooker, room = scene
    data = {"x": "y" * 1016}
    put(alice, room, "tab", data)
    sees(onlooker, alice, "tab", data, room)
    assert listed(alice, room) == [(alice.name, "tab", data)]


def test_it_ends_with_the_session_after_the_grace(scene):
    alice, own, onlooker, room = scene
    put(alice, room, "tab", {"x": 1})
    sees(onlooker, alice, "tab", {"x": 1}, room)
    left = time.monotonic()
    own.close()
    ended = sees(onlooker, alice, "tab", None, room)
    assert ended.at - left > GRACE_MS / 1000 - 0.1
    assert listed(alice, room) == []


def test_a_session_that_comes_back_keeps_it(scene):
    alice, own, onlooker, room = scene
    put(alice, room, "tab", {"x": 1})
    sees(onlooker, alice, "tab", {"x": 1}, room)
    for number in range(4):  # each time out of the last grace, on whatever worker
        own.close()
        since = time.monotonic()
        wait_until(lambda at=since: time.monotonic() > at + GRACE_MS / 2000, "half the grace")
        assert listed(alice, room) == [(alice.name, "tab", {"x": 1})]
        own = alice.stream(session="tab")
        own.open()
        put(alice, room, "tab", {"x": 1})
    put(alice, room, "tab", {"x": 2})
    sees(onlooker, alice, "tab", {"x": 2}, room)
    own.close()


def test_a_newer_stream_of_the_name_keeps_it(scene):
    alice, own, onlooker, room = scene
    put(alice, room, "tab", {"x": 1})
    sees(onlooker, alice, "tab", {"x": 1}, room)
    with alice.stream(session="tab") as newer:
        newer.open()
        own.until("ended")
        since = time.monotonic()
        wait_until(lambda: time.monotonic() > since + GRACE_MS / 1000 + 0.3, "the grace")
        put(alice, room, "tab", {"x": 2})
        sees(onlooker, alice, "tab", {"x": 2}, room)


def test_it_ends_at_once_by_log_out(scene):
    alice, own, onlooker, room = scene
    put(alice, room, "tab", {"x": 1})
    sees(onlooker, alice, "tab", {"x": 1}, room)
    at = time.monotonic()
    assert alice.delete(path("v1", "session", "tab")).status == 204
    assert sees(onlooker, alice, "tab", None, room).at - at < GRACE_MS / 1000
    put(alice, room, "tab", status=404)


def test_it_ends_at_once_by_leaving_and_removal(server, scene):
    alice, own, onlooker, room = scene
    put(alice, room, "tab", {"x": 1})
    sees(onlooker, alice, "tab", {"x": 1}, room)
    alice.leave(room)
    assert onlooker.until("user_left", "here_update").type == "user_left"
    sees(onlooker, alice, "tab", None, room)
    put(alice, room, "tab", status=403)
    alice.join(room)
    put(alice, room, "tab", {"x": 2})
    sees(onlooker, alice, "tab", {"x": 2}, room)
    owner = server.user(onlooker.events[0]["userId"])
    owner.delete(room_path(room, "members", alice.name)).expect(200)
    sees(onlooker, alice, "tab", None, room)
    assert listed(owner, room) == []
    alice.join(room)
    put(alice, room, "tab", {"x": 3})
    sees(onlooker, alice, "tab", {"x": 3}, room)
    owner.put(room_path(room, "bans", alice.name), {}).expect(200)
    sees(onlooker, alice, "tab", None, room)
    put(alice, room, "tab", status=403)


def test_a_deleted_room_has_nobody(server, scene):
    alice, own, onlooker, room = scene
    owner = server.user(onlooker.events[0]["userId"])
    put(alice, room, "tab", {"x": 1})
    owner.delete(room_path(room)).expect(200)
    owner.get(room_path(room, "here")).expect(404)
    owner.create(room)
    assert listed(owner, room) == []


def test_joins_and_leaves_race_with_puts(server, names, scene):
    """Whoever is listed at the end is a member."""
    alice, own, onlooker, room = scene
    mover = server.user(alice.name)
    headers = {"X-Tidings-Session": "tab"}
    for number in range(40):
        alice.connection or alice.get("/v1/rooms")
        alice.connection.send_request("PUT", room_path(room, "here"), {"data": {"n": number}},
                                      headers, alice.token)
        mover.leave(room)
        answer = alice.connection.read_answer()
        assert answer.status in (200, 403), answer
        wait_until(lambda: listed(mover, room) == [], "nobody is here")
        mover.join(room)


def test_of_a_poll(server, scene):
    alice, own, onlooker, room = scene
    poller = alice.poller(session="poll")
    poller.once()
    put(alice, room, "poll", {"x": 1})
    sees(onlooker, alice, "poll", {"x": 1}, room)
    put(alice, room, "tab", {"x": 2})
    sees(onlooker, alice, "tab", {"x": 2}, room)
    told = [event for event in poller.once(wait=25) if event["type"] == "here_update"]
    assert [event["data"] for event in told] == [{"x": 2}]
    alice.delete(path("v1", "session", "poll"))
    sees(onlooker, alice, "poll", None, room)
    poller.close()


def test_of_a_poll_whose_name_was_given(scene):
    alice, own, onlooker, room = scene
    for number in range(4):  # on whatever worker
        poller = alice.poller()
        poller.once()
        put(alice, room, poller.session, {"x": number})
        sees(onlooker, alice, poller.session, {"x": number}, room)
        if number % 2:
            poller.once()
        alice.delete(path("v1", "session", poller.session)).expect(204)
        sees(onlooker, alice, poller.session, None, room)
        poller.close()


def test_commands_of_a_batch(scene):
    alice, own, onlooker, room = scene
    events = [{"type": "put_here", "roomId": room, "data": {"x": 1}},
              {"type": "delete_here", "roomId": room}]
    answer = alice.post("/v1/batch", {"events": events}, headers={"X-Tidings-Session": "tab"})
    results = answer.expect(200).json["results"]
    assert [(result["status"], result["data"]) for result in results] == [
        (200, {"x": 1}), (200, None)]
    sees(onlooker, alice, "tab", {"x": 1}, room)
    sees(onlooker, alice, "tab", None, room)


def test_the_limits(server, names, scene):
    alice, own, onlooker, room = scene
    rooms = [alice.create(names("room")) for _ in range(21)]
    for one in rooms[:20]:
        put(alice, one, "tab", {"x": 1})
    alice.put(room_path(rooms[20], "here"), {}, headers={"X-Tidings-Session": "tab"}).expect(
        409, "limit_reached")
    put(alice, rooms[0], "tab", {"x": 2})
    remove(alice, rooms[0], "tab")
    put(alice, rooms[20], "tab", {"x": 1})


def test_large_rooms_list_without_telling(start, names):
    server = start(rooms__quiet_limit=2, presence__grace="1s")
    owner, alice, other, room = everyone(server, names)
    with owner.stream() as onlooker, alice.stream(session="tab") as own:
        onlooker.open()
        own.open()
        put(alice, room, "tab", {"x": 1})
        sees(onlooker, alice, "tab", {"x": 1}, room)
        other.join(room)
        put(alice, room, "tab", {"x": 2})
        assert listed(other, room) == [(alice.name, "tab", {"x": 2})]
        other.leave(room)
        put(alice, room, "tab", {"x": 3})
        sees(onlooker, alice, "tab", {"x": 3}, room)
        other.join(room)
        own.close()
        wait_until(lambda: listed(other, room) == [], "the grace")
        seen = alice.send(room)["id"]
        onlooker.until("new_message", where=lambda event: event.id == seen)
        assert [event["data"] for event in onlooker.of("here_update")] == [{"x": 1}, {"x": 3}]
