"""Typing: told at once and not too often, and every way it ends."""
import time

import pytest

from lib.http import path, wait_until
from lib.room import everyone, room_path
from lib.schema import check_event
from lib.typing import Onlooker, fence, log_out, types

THROTTLE_MS, TIMEOUT_MS = 400, 2000
OPTIONS = {"typing.throttle": f"{THROTTLE_MS}ms", "typing.timeout": f"{TIMEOUT_MS}ms",
           "limits.typing": 0, "server.workers": 2}


@pytest.fixture
def scene(server, names):
    """A typing member, a member who does for a fence, an onlooker, their room."""
    owner, alice, other, room = everyone(server, names)
    other.join(room)
    onlooker = Onlooker(server, owner.name, room)
    yield alice, other, onlooker, room
    onlooker.close()


def test_it_is_told_to_the_other_members_at_once(server, names, scene):
    alice, other, onlooker, room = scene
    own = Onlooker(server, alice.name, room)
    answer = types(alice, room)
    assert answer.json == {"roomId": room, "typing": True}
    event = onlooker.sees(alice)
    assert event["expiresInMs"] == TIMEOUT_MS
    check_event(event.data)
    types(alice, room, False)
    event = onlooker.sees(alice, False)
    assert event.data == {"type": "user_stopped_typing", "roomId": room, "userId": alice.name}
    check_event(event.data)
    fence(other, own)  # none of alice's own, whichever session asks
    own.close()


def test_only_members_are_told(server, names, scene):
    alice, other, onlooker, room = scene
    watcher = server.user(names("watcher")).stream(watch=room)
    watcher.open()
    types(alice, room)
    onlooker.sees(alice)
    seen = onlooker.user.send(room)["id"]
    assert watcher.take().id == seen, "a watcher is shown no typing"
    watcher.close()


def test_a_refresh_within_the_throttle_is_silent_and_prolongs(scene):
    alice, other, onlooker, room = scene
    begin = time.monotonic()
    types(alice, room)
    first = onlooker.sees(alice).at
    for _ in range(10):
        types(alice, room)
    last = time.monotonic()
    if last - begin < THROTTLE_MS / 1000:
        fence(other, onlooker)
    wait_until(lambda: time.monotonic() > first + THROTTLE_MS / 1000 + 0.05, "the throttle")
    types(alice, room)
    last = time.monotonic()
    onlooker.sees(alice)
    end = onlooker.sees(alice, False).at
    assert TIMEOUT_MS / 1000 - 0.05 <= end - last < TIMEOUT_MS / 1000 + 5


def test_many_starts_and_stops_are_not_many_events(scene):
    alice, other, onlooker, room = scene
    begin = time.monotonic()
    for _ in range(30):
        types(alice, room)
        types(alice, room, False)
    spent = time.monotonic() - begin
    types(other, room)
    onlooker.stream.until("user_typing", where=lambda event: event["userId"] == other.name)
    told = [event for event in onlooker.stream.of("user_typing") if event["userId"] == alice.name]
    assert 1 <= len(told) <= 2 + spent / (THROTTLE_MS / 1000)
    for one, two in zip(told, told[1:]):
        assert two.at - one.at > THROTTLE_MS / 1000 - 0.1
    both = [event.type for event in onlooker.stream.of("user_typing", "user_stopped_typing")
            if event["userId"] == alice.name]
    assert all(one != two for one, two in zip(both, both[1:])), "they alternate"


def test_what_comes_back_within_the_throttle_is_told_when_it_is_over(scene):
    alice, other, onlooker, room = scene
    types(alice, room)
    first = onlooker.sees(alice).at
    types(alice, room, False)
    onlooker.sees(alice, False)
    types(alice, room)
    event = onlooker.sees(alice)
    assert event.at - first > THROTTLE_MS / 1000 - 0.1
    assert 0 < event["expiresInMs"] <= TIMEOUT_MS
    onlooker.sees(alice, False)


def test_it_ends_by_the_timeout(scene):
    alice, other, onlooker, room = scene
    types(alice, room)
    begin = onlooker.sees(alice).at
    end = onlooker.sees(alice, False).at
    assert TIMEOUT_MS / 1000 - 0.1 < end - begin < TIMEOUT_MS / 1000 + 5


@pytest.mark.parametrize("body", [{"text": "x"}, {"text": "x", "ephemeral": True}],
                         ids=["durable", "ephemeral"])
def test_it_ends_by_a_message(server, scene, body):
    alice, other, onlooker, room = scene
    phone = server.user(alice.name)  # another connection, maybe another worker
    for _ in range(6):
        types(alice, room)
        sent = phone.post(room_path(room, "messages"), body).expect(201).json
        seen = [onlooker.stream.until("user_typing", "user_stopped_typing", "new_message")
                for _ in range(3)]
        kinds = [event.type for event in seen]
        assert sorted(kinds) == ["new_message", "user_stopped_typing", "user_typing"], kinds
        assert kinds[2] == "user_stopped_typing", "after both"
        assert seen[kinds.index("new_message")]["messageId"] == sent["messageId"]
        fence(other, onlooker)
        wait_until(lambda at=seen[kinds.index("user_typing")].at:
                   time.monotonic() > at + THROTTLE_MS / 1000 + 0.1, "the throttle")


def test_a_message_elsewhere_or_of_another_does_not_end_it(server, names, scene):
    alice, other, onlooker, room = scene
    elsewhere = alice.create(names("elsewhere"))
    types(alice, room)
    start = onlooker.sees(alice).at
    alice.send(elsewhere)
    other.send(room)
    fence(other, onlooker)
    end = onlooker.sees(alice, False).at
    assert end - start > TIMEOUT_MS / 1000 - 0.1


def test_it_ends_by_leaving_and_removal(server, scene):
    alice, other, onlooker, room = scene
    types(alice, room)
    onlooker.sees(alice)
    alice.leave(room)
    onlooker.sees(alice, False)
    types(alice, room, status=403)
    alice.join(room)
    types(alice, room)
    onlooker.sees(alice)
    onlooker.user.delete(room_path(room, "members", alice.name)).expect(200)
    onlooker.sees(alice, False)


def test_bans_mutes_and_typing(scene):
    alice, other, onlooker, room = scene
    types(alice, room)
    onlooker.sees(alice)
    onlooker.user.put(room_path(room, "bans", alice.name), {}).expect(200)
    onlooker.sees(alice, False)
    alice.post(room_path(room, "typing"), {"typing": True}).expect(403, "banned")
    types(other, room)
    onlooker.sees(other)
    until = int(time.time() * 1000) + 60000
    onlooker.user.put(room_path(room, "members", other.name), {"mutedUntil": until}).expect(200)
    other.post(room_path(room, "typing"), {"typing": True}).expect(403, "muted")
    types(other, room, False)  # whoever may no longer type may still stop
    onlooker.sees(other, False)


def test_it_ends_for_who_may_send_no_longer(start, names):
    server = start(typing__timeout="60s")
    owner, alice, other, room = everyone(server, names)
    granted = server.user(other.name, rooms=[{"room": room, "can": ["post", "read"]}])
    onlooker = Onlooker(server, owner.name, room)
    types(alice, room)
    onlooker.sees(alice)
    owner.put(room_path(room, "members", alice.name), {"role": "moderator"}).expect(200)
    types(granted, room)
    onlooker.sees(granted)  # a role alone ends nothing
    until = int(time.time() * 1000) + 60000
    owner.put(room_path(room, "members", alice.name), {"mutedUntil": until}).expect(200)
    onlooker.sees(alice, False)
    # One who is not in the room, of whom no leaving is told.
    owner.put(room_path(room, "bans", granted.name), {}).expect(200)
    onlooker.sees(granted, False)
    onlooker.close()


def test_it_ends_by_going_offline(start, names):
    server = start(typing__timeout="60s", presence__grace="1s")
    owner, alice, other, room = everyone(server, names)
    onlooker = Onlooker(server, owner.name, room)
    tab, phone = alice.stream(session="tab"), alice.stream(session="phone")
    tab.open()
    phone.open()
    types(alice, room)
    onlooker.sees(alice)
    phone.close()
    log_out(alice, "tab")  # at once, but for the other's grace
    onlooker.sees(alice, False)
    with alice.stream(session="tab") as again:
        again.open()
        types(alice, room)
        onlooker.sees(alice)
        log_out(alice, "tab")
        onlooker.sees(alice, False)
    for _ in range(3):  # within the grace nothing ends
        with alice.stream() as flapping:
            flapping.open()
            types(alice, room)
            onlooker.sees(alice)
            at = time.monotonic()
            wait_until(lambda since=at: time.monotonic() > since + 1.1, "the throttle")
    onlooker.sees(alice, False)
    onlooker.close()


def test_it_ends_by_becoming_invisible(start, names):
    server = start(typing__timeout="60s")
    owner, alice, _, room = everyone(server, names)
    onlooker = Onlooker(server, owner.name, room)
    with alice.stream() as stream:
        stream.open()
        types(alice, room)
        onlooker.sees(alice)
        alice.put("/v1/presence", {"status": "offline"}).expect(200)
        onlooker.sees(alice, False)
    onlooker.close()


def test_a_deleted_room_has_no_typing(server, names, scene):
    alice, other, onlooker, room = scene
    types(alice, room)
    onlooker.sees(alice)
    onlooker.user.delete(room_path(room)).expect(200)
    onlooker.stream.until("room_deleted")
    types(alice, room, status=404)
    onlooker.user.create(room)
    other.join(room)
    fence(other, onlooker)  # nothing is left of the old one


def test_it_is_typed_in_several_rooms(server, names, scene):
    alice, other, onlooker, room = scene
    second = onlooker.user.create(names("second"))
    alice.join(second)
    types(alice, room)
    assert onlooker.sees(alice)["roomId"] == room
    types(alice, second)
    assert onlooker.sees(alice)["roomId"] == second
    alice.send(room)
    assert onlooker.sees(alice, False)["roomId"] == room
    types(alice, second, False)
    assert onlooker.sees(alice, False)["roomId"] == second


def test_who_may_type(server, names, scene):
    alice, other, onlooker, room = scene
    stranger = server.user(names("stranger"))
    types(stranger, room, status=403)
    server.user(names("guest"), scope="guest").post(
        room_path(room, "typing"), {"typing": True}).expect(403, "not_allowed")
    private = onlooker.user.create(names("private"), kind="private")
    types(stranger, private, status=404)
    types(stranger, private, False, status=404)
    types(stranger, names("none"), status=404)
    announce = onlooker.user.create(names("announce"), announce=True)
    alice.join(announce)
    types(alice, announce, status=403)
    types(onlooker.user, announce)
    granted = server.user(names("granted"), rooms=[{"room": room, "can": ["post", "read"]}])
    types(granted, room)
    onlooker.sees(granted)
    types(granted, room, False)
    onlooker.sees(granted, False)
    fence(other, onlooker)


@pytest.mark.parametrize("body", [{}, {"typing": None}, {"typing": 1}, {"typing": "true"}, None],
                         ids=str)
def test_what_is_no_typing(scene, body):
    alice, other, onlooker, room = scene
    alice.post(room_path(room, "typing"), body).expect(400, "invalid_field")


def test_it_is_of_its_realm(server, names, scene):
    alice, other, onlooker, room = scene
    elsewhere = server.user(alice.name, realm=names("realm"))
    elsewhere.create(room)
    types(elsewhere, room)
    fence(other, onlooker)


def test_a_poll_is_told(server, scene):
    alice, other, onlooker, room = scene
    poller = server.user(other.name).poller(session="poll")
    poller.once()
    poller.start(wait=25)
    wait_until(lambda: server.metric("polls_waiting") >= 1, "the poll waits")
    types(alice, room)
    told = poller.finish()
    assert [(event["type"], event["userId"]) for event in told] == [("user_typing", alice.name)]
    types(alice, room, False)
    onlooker.sees(alice)
    onlooker.sees(alice, False)
    assert [event["type"] for event in poller.once(wait=25)] == ["user_stopped_typing"]
    poller.close()


def test_who_comes_is_told_who_types_already(server, names, scene):
    alice, other, onlooker, room = scene
    second = onlooker.user.create(names("second"))
    alice.join(second)
    types(alice, room)
    types(alice, second)
    onlooker.sees(alice)
    onlooker.sees(alice)
    for _ in range(4):  # whichever worker takes it
        with onlooker.user.stream() as fresh:
            fresh.open()
            told = [fresh.take(), fresh.take()]
        assert {event.type for event in told} == {"user_typing"}
        assert {event["roomId"] for event in told} == {room, second}
        assert all(0 < event["expiresInMs"] <= TIMEOUT_MS for event in told), told
    with other.stream(since=onlooker.user.send(room)["id"]) as resumed:
        resumed.open()
        assert resumed.take()["roomId"] == room, "not of the room that it is not in"
        types(alice, room, False)
        assert resumed.take().type == "user_stopped_typing"
    for user, query in ((alice.name, {}), (names("watcher"), {"watch": room})):
        with server.user(user).stream(**query) as stream:
            stream.open()
            sent = onlooker.user.send(room)
            assert stream.take().id == sent["id"], "not for this one"


def test_a_poll_is_told_who_types_already(server, scene):
    alice, other, onlooker, room = scene
    types(alice, room)
    onlooker.sees(alice)
    poller = server.user(other.name).poller(session="poll")
    told = poller.once() or poller.once(wait=25)
    assert [(event["type"], event["userId"]) for event in told] == [("user_typing", alice.name)]
    poller.close()


def test_a_slow_reader_is_told_the_newest(start, names):
    server = start(typing__throttle="0ms", typing__timeout="30s", sse__queue_bytes="16k",
                   limits__typing=0)
    owner, alice, other, room = everyone(server, names)
    other.join(room)
    slow, quick = other.stream(receive_bytes=4096), Onlooker(server, owner.name, room)
    slow.open()
    types(alice, room)
    quick.sees(alice)
    slow.until("user_typing")
    for _ in range(60):  # until its queue is full and dropped, and full again
        alice.send(room, "x" * 16000)
        types(alice, room)
        types(alice, room, False)
    last = alice.send(room, "the last")["id"]
    quick.stream.until("new_message", where=lambda event: event.id == last)
    slow.until("new_message", where=lambda event: event.id == last)
    types(owner, room)
    slow.until("user_typing", where=lambda event: event["userId"] == owner.name)
    of_alice = [event.type for event in slow.of("user_typing", "user_stopped_typing")
                if event["userId"] == alice.name]
    assert of_alice[-1] == "user_stopped_typing"
    assert server.metric("queue_overflows_total") >= 1
    slow.close()
    quick.close()


def test_it_is_never_in_the_journal(server, scene):
    alice, other, onlooker, room = scene
    since = onlooker.user.send(room)["id"]
    types(alice, room)
    onlooker.sees(alice)
    types(alice, room, False)
    onlooker.sees(alice, False)
    with onlooker.user.stream(since=since) as again:
        again.take()
        event = again.take()
        assert event.type == "caught_up" and event["replayed"] == 0


def test_commands_of_a_batch(scene):
    alice, other, onlooker, room = scene
    events = [{"type": "start_typing", "roomId": room},
              {"type": "send_message", "roomId": room, "text": "x"},
              {"type": "stop_typing", "roomId": room},
              {"type": "start_typing"}]
    results = alice.post("/v1/batch", {"events": events}).expect(200).json["results"]
    assert [result["status"] for result in results] == [200, 201, 200, 400]
    assert results[0] == {"status": 200, "roomId": room, "typing": True}
    onlooker.sees(alice)
    onlooker.sees(alice, False)
    fence(other, onlooker)


def test_the_rate(start, names):
    server = start(limits__typing=2)
    owner, alice, _, room = everyone(server, names)
    answers = [alice.post(room_path(room, "typing"), {"typing": True}) for _ in range(6)]
    assert answers[0].status == 200 and answers[-1].status == 429, answers
    assert alice.get(path("v1", "rooms", room)).status == 200, "other requests have their own"


def test_large_rooms_have_none(start, names):
    server = start(rooms__quiet_limit=3, typing__throttle="0ms", typing__timeout="20s")
    owner, alice, other, room = everyone(server, names)
    other.join(room)
    onlooker = Onlooker(server, owner.name, room)
    types(alice, room)
    onlooker.sees(alice)
    fourth = server.user(names("fourth"))
    fourth.join(room)
    onlooker.sees(alice, False)  # it grew too large
    types(alice, room)  # accepted, told to nobody
    fourth.leave(room)
    types(alice, room, False)
    fence(other, onlooker)
    types(alice, room)
    onlooker.sees(alice)
    alice.send(room)
    onlooker.sees(alice, False)
    onlooker.close()


def test_a_server_stops_while_somebody_types(start, names):
    server = start(typing__timeout="20s")
    owner, alice, _, room = everyone(server, names)
    onlooker = Onlooker(server, owner.name, room)
    types(alice, room)
    onlooker.sees(alice)
    server.stop()
    onlooker.close()
