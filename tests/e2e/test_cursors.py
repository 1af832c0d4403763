"""Coming back: resume is exact, what cannot be had is told, and no cursor is a bad request."""
import pytest

from lib.http import path
from lib.sse import Stream, id_key

MALFORMED = ["abc", "1", "1-", "-1", "-", "01-0", "1-00", "1-2-3", "1 - 2", "+1-0", "0x1-0",
             "1-0;", "'; drop table events; --", "../../etc/passwd", "<script>", "1.0-0", "null",
             "18446744073709551616-0", "1-18446744073709551616", "9" * 64 + "-0", "x" * 2000,
             "\u00fc-1", "1e3-0", "0-0-", "--", "1_0-0"]


def room_of(server, names, members=1, **claims):
    alice = server.user(names("alice"), **claims)
    room = alice.create(names("room"))
    others = [server.user(names("member"), **claims) for _ in range(members)]
    for other in others:
        other.join(room)
    return alice, others, room


def replayed(stream):
    """The events between `connected` and `caught_up`."""
    first, events = stream.take(), []
    assert first.type == "connected"
    while True:
        event = stream.take()
        if event.type == "caught_up":
            assert event["replayed"] == len([one for one in events if one.durable]), events
            return events
        events.append(event)


def test_each_cursor_gives_exactly_what_follows(server, names):
    alice, (bob,), room = room_of(server, names)
    ids = [alice.send(room, f"number {number}")["id"] for number in range(40)]
    for number in range(0, 40, 3):
        with bob.stream(since=ids[number]) as stream:
            assert [event.id for event in replayed(stream)] == ids[number + 1:]


def test_zero_means_from_the_beginning(server, names):
    realm = names("realm")
    alice, _, room = room_of(server, names, 0, realm=realm)
    sent = alice.send(room)
    with alice.stream(since="0-0") as stream:
        events = replayed(stream)
        assert [event.type for event in events] == ["room_created", "user_joined", "new_message"]
        assert events[-1].id == sent["id"]


def test_caught_up_carries_the_head(server, names):
    alice, (bob,), room = room_of(server, names)
    first = alice.send(room)["id"]
    elsewhere = alice.create(names("elsewhere"))
    head = alice.send(elsewhere)["id"]
    with bob.stream(since=first) as stream:
        assert replayed(stream) == []
        assert stream.last_id == stream.events[-1].id
        assert id_key(stream.last_id) >= id_key(head)


def test_a_long_replay_crosses_pages(server, names):
    alice, (bob,), room = room_of(server, names)
    begin = alice.send(room)["id"]
    ids = [alice.send(room, "x" * 900)["id"] for _ in range(700)]
    with bob.stream(since=begin) as stream:
        assert [event.id for event in replayed(stream)] == ids


@pytest.mark.parametrize("name", ["since", "last_event_id", "lastEventId"])
def test_queries_resume_too(server, names, name):
    alice, (bob,), room = room_of(server, names)
    first, second = alice.send(room)["id"], alice.send(room)["id"]
    with bob.stream(**{name: first}) as _:
        pass
    with Stream(server.address, path("v1", "events", **{name: first}), token=bob.token) as stream:
        assert [event.id for event in replayed(stream)] == [second]


def test_the_header_wins_and_an_empty_one_is_none(server, names):
    alice, (bob,), room = room_of(server, names)
    ids = [alice.send(room)["id"] for _ in range(3)]

    def open_with(header, **query):
        headers = {} if header is None else {"Last-Event-ID": header}
        return Stream(server.address, path("v1", "events", **query), headers, bob.token)

    with open_with(ids[1], since=ids[0]) as stream:
        assert [event.id for event in replayed(stream)] == ids[2:]
    with open_with("", since=ids[0]) as stream:
        assert [event.id for event in replayed(stream)] == ids[1:]
    with open_with("") as stream:
        assert stream.take()["resumed"] is False


@pytest.mark.parametrize("cursor", MALFORMED, ids=lambda cursor: ascii(cursor)[:24])
def test_a_malformed_cursor_is_a_reset(server, names, cursor):
    bob = server.user(names("bob"))
    for stream in (bob.stream(since=cursor),
                   Stream(server.address, path("v1", "events", since=cursor), token=bob.token)):
        with stream:
            expect_reset(stream, "foreign")


def expect_reset(stream, reason):
    """`connected`, then the reset with the head, then as after a fresh connect."""
    first = stream.take()
    assert first.type == "connected" and first["resumed"] is False
    reset = stream.take()
    assert reset.type == "reset" and reset["reason"] == reason, reset
    assert reset.id == first["cursor"]
    caught_up = stream.take()
    assert caught_up.type == "caught_up" and caught_up["replayed"] == 0


def test_a_foreign_cursor_is_a_reset_and_the_stream_lives(server, names):
    alice, (bob,), room = room_of(server, names)
    low, high = alice.send(room)["id"], alice.send(room)["id"]
    between = f"{id_key(low)[0]}-{id_key(low)[1] + 7777}"
    assert id_key(between) > id_key(low)
    if id_key(between) > id_key(high):  # both of one millisecond
        between = f"{id_key(low)[0] - 1}-7777"
    with bob.stream(since=between) as stream:
        expect_reset(stream, "foreign")
        assert alice.send(room)["id"] == stream.take().id


def test_a_cursor_ahead_is_a_reset(server, names):
    alice, (bob,), room = room_of(server, names)
    head = id_key(alice.send(room)["id"])
    for cursor in (f"{head[0] + 3600000}-0", "18446744073709551615-18446744073709551615"):
        with bob.stream(since=cursor) as stream:
            expect_reset(stream, "ahead")
            assert alice.send(room)["id"] == stream.take().id


def test_too_many_missed_is_a_gap_and_the_newest_come(start, names):
    server = start(replay__max_events=20)
    alice, (bob,), room = room_of(server, names)
    other = alice.create(names("other"))
    bob.join(other)
    cursor = alice.send(room)["id"]
    sent = [(where, alice.send(where, f"{number}")["id"])
            for number in range(30) for where in (room, other)]
    with bob.stream(since=cursor) as stream:
        events = replayed(stream)
    gaps = [event for event in events if event.type == "gap"]
    messages = [event for event in events if event.type == "new_message"]
    assert gaps and events[:len(gaps)] == gaps, "gaps come first"
    assert [event.id for event in messages] == [id for _, id in sent[-len(messages):]]
    assert 0 < len(messages) <= 20
    received = {event.id for event in messages}
    for where, event_id in sent:
        covered = any(gap["reason"] == "limit" and gap.get("roomId", where) == where
                      and id_key(gap["after"]) < id_key(event_id) < id_key(gap["before"])
                      for gap in gaps)
        assert covered is (event_id not in received), (where, event_id)
    fill = [message["id"] for gap in gaps for message in
            alice.get(path("v1", "rooms", gap.get("roomId", room), "messages",
                           after=gap["after"], before=gap["before"], limit=100)).json["messages"]]
    assert {id for _, id in sent} <= received | set(fill), "history fills what the gap names"


def test_membership_counts_where_the_event_stands(server, names):
    alice, (), room = room_of(server, names, 0)
    bob = server.user(names("bob"))
    cursor = bob.create(names("own")) and alice.send(room, "before")["id"]
    inside = []
    for _ in range(3):
        alice.send(room, "outside")
        bob.join(room)
        inside += [alice.send(room, "inside")["id"] for _ in range(2)]
        bob.leave(room)
        alice.send(room, "outside again")
    with bob.stream(since=cursor) as stream:
        events = replayed(stream)
    assert [event.id for event in events if event.type == "new_message"] == inside
    assert [event.type for event in events if event.type != "new_message"] == \
        ["user_joined", "user_left"] * 3


def test_one_removed_gets_nothing_after_the_removal(server, names):
    alice, (bob,), room = room_of(server, names)
    cursor = alice.send(room)["id"]
    inside = alice.send(room)["id"]
    alice.delete(path("v1", "rooms", room, "members", bob.name))
    alice.send(room, "after the removal")
    with bob.stream(since=cursor) as stream:
        events = replayed(stream)
    assert [event.type for event in events] == ["new_message", "user_left"]
    assert events[0].id == inside and events[1]["reason"] == "removed"


def test_history_has_no_id_lines_and_starts_again(server, names):
    alice, (bob,), room = room_of(server, names)
    other = alice.create(names("other"))
    bob.join(other)
    ids = [alice.send(where, "x")["id"] for _ in range(8) for where in (room, other)]
    with bob.stream(history=5) as stream:
        first = stream.take()
        assert first.type == "connected" and first.id is None
        messages = [stream.take() for _ in range(10)]
        assert [event["id"] for event in messages] == ids[-10:]
        assert all(event.id is None and event.type == "new_message" for event in messages)
        caught_up = stream.take()
        assert caught_up.type == "caught_up" and id_key(caught_up.id) >= id_key(ids[-1])
        live = alice.send(room)
        assert stream.take().id == live["id"]
    with bob.stream(history=5, since=ids[-2]) as stream:
        assert [event.id for event in replayed(stream)] == [ids[-1], live["id"]], \
            "a cursor beats history"


def test_a_device_resumes_from_what_it_acknowledged(server, names):
    alice, (bob,), room = room_of(server, names)
    device = names("phone")
    with bob.stream(device=device) as stream:
        stream.open()
    ids = [alice.send(room, f"{number}")["id"] for number in range(4)]
    with bob.stream(device=device) as stream:
        first = stream.take()
        assert first["resumed"] is True
        assert [stream.take().id for _ in ids] == ids
    bob.post("/v1/acks", {"cursor": ids[1], "device": device}).expect(200)
    bob.post("/v1/acks", {"cursor": ids[0], "device": device}).expect(200)  # never back
    with bob.stream(device=device) as stream:
        assert [event.id for event in replayed(stream)] == ids[2:]
    with bob.stream(device=device, since=ids[2]) as stream:
        assert [event.id for event in replayed(stream)] == ids[3:], "a cursor given counts"
    with bob.stream(device=names("tablet")) as stream:
        assert stream.take()["resumed"] is False


def test_acknowledging_what_is_not_there_yet_is_refused(server, names):
    alice, (bob,), room = room_of(server, names)
    head = id_key(alice.send(room)["id"])
    bob.post("/v1/acks", {"cursor": f"{head[0] + 3600000}-0", "device": "d"}) \
        .expect(422, "cursor_ahead")
    for body in ({"device": "d"}, {"cursor": "x", "device": "d"}, {"cursor": 7},
                 {"cursor": "0-0", "device": "a b"}):
        assert bob.post("/v1/acks", body).expect(400).code.startswith("invalid_")


def test_cursors_hold_after_a_restart(start, names):
    server = start()
    server.keep_port()
    alice, (bob,), room = room_of(server, names)
    ids = [alice.send(room)["id"] for _ in range(5)]
    server.stop()
    server.start()
    alice.close()
    more = [alice.send(room)["id"] for _ in range(2)]
    assert id_key(more[0]) > id_key(ids[-1])
    with bob.stream(since=ids[2]) as stream:
        assert [event.id for event in replayed(stream)] == ids[3:] + more


def test_another_journal_is_foreign(start, names):
    first, second = start(), start()
    alice, _, room = room_of(first, names)
    cursor = alice.send(room)["id"]
    stranger = second.user(alice.name)
    for _ in range(3):
        stranger.create(names("room"))
    with stranger.stream(since=cursor) as stream:
        assert stream.take()["resumed"] is False
        assert stream.take().type == "reset"
