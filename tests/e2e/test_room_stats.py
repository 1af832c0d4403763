"""Rooms above rooms.quiet_limit: how many there are is told, now and then."""
import pytest

from lib.room import everyone, room_path
from lib.schema import check_event

INTERVAL_MS = 700
OPTIONS = {"rooms.quiet_limit": 3, "rooms.stats_interval": f"{INTERVAL_MS}ms",
           "presence.grace": "300ms", "server.workers": 2}


def numbers(event):
    return event["members"], event["online"], event["watchers"]


def reaches(stream, room, expected):
    """The numbers come to this, no oftener than may be."""
    event = stream.until("room_stats", where=lambda event: numbers(event) == expected)
    told = stream.of("room_stats")
    assert all(event["roomId"] == room and event.id is None for event in told)
    # Events may be read late; the first may have been on its way when the stream was asked for.
    for number, event in enumerate(told[1:]):
        assert event.at - stream.asked_at > number * INTERVAL_MS / 1000
    for one, two in zip(told, told[1:]):
        assert numbers(one) != numbers(two), "equal numbers are not repeated"
    check_event(event.data)
    return event


@pytest.fixture
def large(server, names):
    """A room of four, its owner's stream, and the others."""
    owner, alice, other, room = everyone(server, names)
    fourth = server.user(names("fourth"))
    other.join(room)
    stream = owner.stream()
    stream.open()
    fourth.join(room)
    yield room, stream, [alice, other, fourth]
    stream.close()


def test_members_online_and_watchers(server, names, large):
    room, stream, (alice, other, fourth) = large
    reaches(stream, room, (4, 1, 0))
    with alice.stream() as one, other.stream() as two:
        one.open()
        two.open()
        reaches(stream, room, (4, 3, 0))
        watcher = server.user(names("watcher")).stream(watch=room)
        watcher.open()
        reaches(stream, room, (4, 3, 1))
        reaches(watcher, room, (4, 3, 1))
        watcher.close()
        server.user(names("fifth")).join(room)
        reaches(stream, room, (5, 3, 0))
    reaches(stream, room, (5, 1, 0))


def test_small_rooms_have_none(server, names, large):
    room, stream, (alice, other, fourth) = large
    reaches(stream, room, (4, 1, 0))
    small = server.user(stream.events[0]["userId"]).create(names("small"))
    with server.user(names("watcher")).stream(watch=f"{small},{room}") as watcher:
        watcher.open()
        fourth.leave(room)  # that one is small too
        alice.join(small)
        with alice.stream() as one:
            one.open()
            other.join(small)
        fourth.join(room)
        assert watcher.until("room_stats")["members"] == 4
        assert {event["roomId"] for event in watcher.of("room_stats")} == {room}
    assert {event["roomId"] for event in stream.of("room_stats")} == {room}


def test_of_a_room_that_is_only_watched(server, names):
    owner, alice, other, room = everyone(server, names)
    other.join(room)
    server.user(names("fourth")).join(room)
    with server.user(names("first")).stream(watch=room) as first:
        first.open()
        reaches(first, room, (4, 0, 1))
        with server.user(names("second"), scope="guest").stream(watch=room) as second:
            second.open()
            reaches(first, room, (4, 0, 2))
        reaches(first, room, (4, 0, 1))


def test_a_deleted_room_has_none(server, names, large):
    room, stream, (alice, other, fourth) = large
    reaches(stream, room, (4, 1, 0))
    owner = server.user(stream.events[0]["userId"])
    with alice.stream() as one:
        one.open()
        owner.delete(room_path(room)).expect(200)
        stream.until("room_deleted")
        owner.create(room)
    told = len(stream.of("room_stats"))
    with alice.stream(watch=room) as one:
        one.open()
        marker = owner.create(names("marker"))
        for user in (alice, other, fourth, server.user(names("fifth"))):
            user.join(marker)
        # The second telling of this one comes when all that was due of the other is over.
        stream.until("room_stats", where=lambda event: event["members"] == 5)
    assert {event["roomId"] for event in stream.of("room_stats")[told:]} == {marker}
