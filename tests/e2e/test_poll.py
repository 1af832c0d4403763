"""Long-polls: the same events in the same order, confirmed by the cursor of the next."""
import time

import pytest

from lib.http import Connection, path, wait_until
from lib.poll import Poller
from lib.sse import id_key


@pytest.fixture
def pair(server, names):
    """Two in a room: sender, reader, room."""
    alice, bob = server.user(names("alice")), server.user(names("bob"))
    room = alice.create(names("room"))
    bob.join(room)
    return alice, bob, room


def ids(events):
    return [event["id"] for event in events if "id" in event]


def test_without_a_cursor_the_answer_comes_at_once_with_the_head(pair):
    alice, bob, room = pair
    sent = alice.send(room)["id"]
    poller = bob.poller()
    assert poller.once(wait=60) == []
    assert id_key(poller.cursor) >= id_key(sent)
    assert poller.session
    poller.close()


def test_what_is_there_comes_at_once_on_a_kept_connection(pair):
    alice, bob, room = pair
    poller = bob.poller()
    poller.once()
    for number in range(5):
        sent = alice.send(room, f"{number}")["id"]
        assert ids(poller.once(wait=60)) == [sent]
        assert poller.connection is not None
    poller.close()


def test_one_that_waits_is_answered_when_something_happens(pair):
    alice, bob, room = pair
    poller = bob.poller()
    poller.once()
    for number in range(3):
        poller.start(wait=60)
        time.sleep(0.05)  # so that it waits; whatever it does, the answer is the same
        sent = alice.send(room, f"{number}")["id"]
        assert ids(poller.finish()) == [sent]
    poller.close()


def test_nothing_happens_and_the_cursor_moves_up(pair, server, names):
    alice, bob, _ = pair
    elsewhere = alice.create(names("elsewhere"))
    poller = bob.poller()
    poller.once()
    before = poller.cursor
    unseen = alice.send(elsewhere)["id"]
    begin = time.monotonic()
    assert poller.once(wait=1) == []
    assert time.monotonic() - begin >= 0.9
    assert id_key(poller.cursor) >= id_key(unseen) > id_key(before)
    poller.close()


def test_only_the_next_cursor_confirms(pair):
    alice, bob, room = pair
    poller = bob.poller()
    poller.once()
    begin = poller.cursor
    sent = [alice.send(room, f"{number}")["id"] for number in range(3)]
    assert ids(poller.once()) == sent
    poller.cursor = begin  # as if the answer had been lost
    assert ids(poller.once()) == sent
    more = alice.send(room)["id"]
    assert ids(poller.once()) == [more]
    poller.close()


def test_limit_cuts_and_the_next_goes_on(pair):
    alice, bob, room = pair
    poller = bob.poller()
    poller.once()
    sent = [alice.send(room, f"{number}")["id"] for number in range(25)]
    got = []
    while len(got) < 25:
        batch = ids(poller.once(limit=10))
        assert 0 < len(batch) <= 10
        got += batch
    assert got == sent
    poller.close()


def test_a_cursor_alone_resumes_anywhere(pair, server):
    alice, bob, room = pair
    first = alice.send(room)["id"]
    sent = [alice.send(room)["id"] for _ in range(4)]
    for session in (None, "never-seen", None):
        poller = Poller(server.address, bob.token, since=first, session=session)
        assert ids(poller.once()) == sent
        poller.close()


def test_a_session_keeps_ephemeral_events_between_polls(pair):
    alice, bob, room = pair
    poller = bob.poller(session="chain")
    poller.once()
    alice.post(path("v1", "rooms", room, "messages"),
               {"text": "between", "ephemeral": True}).expect(201)
    events = poller.once(wait=25)
    assert [event["text"] for event in events] == ["between"]
    assert "id" not in events[0]
    poller.close()


def test_of_two_polls_of_one_session_the_newer_wins(pair):
    alice, bob, room = pair
    older, newer = bob.poller(session="chain"), bob.poller(session="chain")
    older.once()
    newer.cursor = older.cursor
    older.start(wait=60)
    time.sleep(0.1)
    newer.start(wait=60)
    assert older.finish() == []
    sent = alice.send(room)["id"]
    assert ids(newer.finish()) == [sent]
    older.close()
    newer.close()


def test_the_older_of_two_is_answered_even_while_its_cursor_is_looked_up(pair):
    alice, bob, room = pair
    begin = alice.send(room)["id"]
    sent = alice.send(room)["id"]
    polls = [bob.poller(session="s"), bob.poller(session="s")]
    for _ in range(60):
        for poller in polls:
            poller.cursor = begin
            poller.start(wait=0)
        got = [poller.finish() for poller in polls]
        assert all(ids(events) in ([], [sent]) for events in got), got
        assert all(poller.cursor in (begin, sent) for poller in polls)
        assert all(events or poller.cursor == begin for poller, events in zip(polls, got))
    for poller in polls:
        poller.close()


def test_a_token_that_grants_less_ends_what_was_granted(pair, server, names):
    alice = pair[0]
    room, other = alice.create(names("public")), names("private")
    alice.put(path("v1", "rooms", other), {"kind": "private"}).expect(201)
    bob, grants = names("bob"), [{"room": other, "can": ["read"]}]
    granted = server.user(bob, rooms=grants).poller(session="s", rooms=f"{room},{other}")
    granted.once()
    first = alice.send(other)["id"]
    assert ids(granted.once()) == [first]
    later = server.user(bob).poller(session="s", rooms=f"{room},{other}", since=granted.cursor)
    denied = later.once()
    assert [(event["type"], event["roomId"]) for event in denied] == [("room_denied", other)]
    alice.send(other)
    seen = alice.send(room)["id"]
    assert ids(later.once()) == [seen]
    granted.close()
    later.close()


def test_a_session_belongs_to_its_user(pair, server, names):
    alice, bob, room = pair
    carol = server.user(names("carol"))
    poller, stranger = bob.poller(session="chain"), carol.poller(session="chain")
    poller.once()
    alice.send(room, "for bob")
    assert stranger.once() == []
    stranger.close()
    assert len(poller.once()) == 1
    poller.close()


def test_gap_reset_and_denied_stand_in_the_list(start, names):
    server = start(replay__max_events=5)
    alice, bob = server.user("alice"), server.user("bob")
    room = alice.create(names("room"))
    bob.join(room)
    first = alice.send(room)["id"]
    sent = [alice.send(room)["id"] for _ in range(12)]
    poller = bob.poller(since=first, limit=100)
    while poller.cursor != sent[-1]:
        poller.once()
    assert poller.events[0]["type"] == "gap" and poller.events[0]["reason"] == "limit"
    got = ids([event for event in poller.events if event["type"] == "new_message"])
    assert got == sent[-len(got):] and 0 < len(got) <= 5
    assert len(poller.events) == len(got) + 1, "the gap is told once"
    poller.close()
    for cursor, reason in (("nonsense", "foreign"), ("", None),
                           (f"{id_key(first)[0] + 10 ** 9}-0", "ahead")):
        poller = bob.poller(since=cursor)
        events = poller.once()
        assert [event.get("reason") for event in events] == ([reason] if reason else [])
        assert poller.cursor == sent[-1]
        poller.close()
    poller = bob.poller(rooms=f"{room},{names('missing')}")
    assert [event["type"] for event in poller.once()] == ["room_denied"]
    poller.close()


@pytest.mark.parametrize("ring", ("8m", "0"))
def test_denials_leave_room_for_what_moves_the_cursor(start, names, ring):
    server = start(replay__ring_bytes=ring)
    alice = server.user("alice")
    room = alice.create(names("room"))
    first = alice.send(room)["id"]
    sent = [alice.send(room)["id"] for _ in range(3)]
    missing = [names("missing") for _ in range(4)]
    poller = alice.poller(since=first, rooms=",".join([room, *missing]), limit=1)
    for expected in sent:
        poller.session = None
        types = [event["type"] for event in poller.once()]
        assert types == ["room_denied"] * 4 + ["new_message"]
        assert poller.cursor == expected
    poller.close()


def test_denials_leave_room_for_an_event_as_large_as_the_queue(start, names):
    server = start(sse__queue_bytes="4k")
    alice = server.user("alice")
    room = alice.create(names("room"))
    first = alice.send(room)["id"]
    sent = [alice.send(room, "x" * 5000)["id"] for _ in range(2)]
    poller = alice.poller(since=first, rooms=f"{room},{names('missing')}")
    for _ in sent:
        poller.session = None
        assert poller.cursor == sent[-1] or "id" in poller.once()[-1]
    assert [event["id"] for event in poller.events if "id" in event] == sent
    poller.close()


def test_a_denial_of_a_lost_answer_is_told_again(pair, names):
    alice, bob, room = pair
    watched = alice.create(names("watched"))
    poller = bob.poller(rooms=f"{room},{watched}", session=names("session"))
    poller.once()
    cursor = poller.cursor
    alice.put(path("v1", "rooms", watched), {"kind": "private"}).expect(200)
    for session in (poller.session, poller.session, names("session"), None):
        poller.events, poller.cursor, poller.session = [], cursor, session
        while not [event for event in poller.events if event["type"] == "room_denied"]:
            assert poller.once(wait=10)
    poller.close()


def test_gaps_of_a_lost_answer_are_told_again_however_small_the_limit(start, names):
    server = start(replay__max_events=5)
    alice, bob = server.user("alice"), server.user("bob")
    rooms = [alice.create(names("room")) for _ in range(4)]
    for room in rooms:
        bob.join(room)
    begin = alice.send(rooms[0])["id"]
    sent = [alice.send(room)["id"] for _ in range(6) for room in rooms]
    for limit in (1, 2, 4, 5):
        poller = bob.poller(since=begin, limit=limit)
        lost = poller.once()
        poller.cursor = begin  # as if the answer had been lost
        assert poller.once() == lost, limit
        assert {event["roomId"] for event in lost if event["type"] == "gap"} == set(rooms), limit
        assert poller.cursor != begin
        got = ids(lost)
        while poller.cursor != sent[-1]:
            more = poller.once()
            assert 0 < len(more) <= limit
            assert all(event["type"] == "new_message" for event in more)
            got += ids(more)
        assert got == sent[-5:], limit
        poller.close()


def test_history_comes_when_there_is_no_cursor(pair):
    alice, bob, room = pair
    sent = [alice.send(room, f"{number}")["id"] for number in range(6)]
    poller = bob.poller(history=4)
    assert ids(poller.once()) == sent[-4:]
    assert poller.once(history=4) == []
    poller.close()


def test_history_that_is_cut_goes_on_without_the_session(pair):
    alice, bob, room = pair
    sent = [alice.send(room, f"{number}")["id"] for number in range(6)]
    poller = bob.poller(history=5, limit=2)
    assert ids(poller.once()) == sent[1:3]
    elsewhere = bob.poller(since=poller.cursor, session="another")
    assert ids(elsewhere.once()) == sent[3:]
    assert ids(poller.once()) == sent[3:5]
    assert ids(poller.once()) == sent[5:]
    poller.close()
    elsewhere.close()


def test_watching_and_named_rooms(pair, names):
    alice, bob, room = pair
    watched = alice.create(names("watched"))
    poller = bob.poller(watch=watched)
    poller.once()
    sent = [alice.send(watched)["id"], alice.send(room)["id"]]
    assert ids(poller.once(limit=100)) == sent
    poller.close()
    narrow = bob.poller(rooms=watched)
    narrow.once()
    alice.send(room)
    seen = alice.send(watched)["id"]
    assert ids(narrow.once(wait=25)) == [seen]
    narrow.close()


def test_a_device_resumes_a_poll(pair, names):
    alice, bob, room = pair
    device = names("phone")
    poller = bob.poller(device=device)
    poller.once()
    poller.close()
    sent = [alice.send(room)["id"] for _ in range(3)]
    bob.post("/v1/acks", {"cursor": sent[0], "device": device}).expect(200)
    poller = bob.poller(device=device)
    assert ids(poller.once()) == sent[1:]
    poller.close()


def test_parameters_out_of_range_are_told(pair):
    _, bob, _ = pair
    for query in ("wait=61", "wait=-1", "wait=x", "limit=0", "limit=1001", "limit=x",
                  "history=101", "device=a&rooms=b", "session=a%2Fb", "session=" + "x" * 129,
                  "wait=0&wait=0", "limit=1&limit=2", "since=0-0&since=0-0", "watch=a&watch=b"):
        answer = bob.get(f"/v1/poll?{query}")
        assert answer.status == 400 and answer.code.startswith("invalid_"), (query, answer)


def test_guests_polls_are_kept_for_so_many_of_them(start, names):
    server = start(server__workers=1)
    alice, guest = server.user("alice"), server.user("guest", scope="guest")
    room = alice.create(names("room"))

    def say(text):
        alice.post(path("v1", "rooms", room, "messages"),
                   {"text": text, "ephemeral": True}).expect(201)

    def texts(poller):
        return [event["text"] for event in poller.once()]

    forgotten = guest.poller(rooms=room, session="forgotten")
    kept = guest.poller(rooms=room, session="kept")
    assert texts(forgotten) == texts(kept) == []
    alice.send(room, "one")
    say("between two polls")
    assert texts(kept) == ["one", "between two polls"]
    with Connection(server.address) as connection:
        for number in range(4095):
            target = path("v1", "poll", rooms=room, session=f"{number}", wait=0)
            connection.request("GET", target, token=guest.token).expect(200)
    alice.send(room, "two")
    say("to who is kept")
    assert texts(kept) == ["two", "to who is kept"]
    assert texts(forgotten) == ["one", "two"], "from its cursor, without what was in its queue"
    kept.close()
    forgotten.close()


def test_answers_are_not_cached(pair):
    _, bob, _ = pair
    answer = bob.get("/v1/poll?wait=0").expect(200)
    assert "no-store" in answer.header("Cache-Control")
    assert answer.header("Content-Type") == "application/json"


def test_one_who_leaves_while_waiting_is_forgotten(start, names):
    server = start()
    alice, bob = server.user("alice"), server.user("bob")
    room = alice.create(names("room"))
    bob.join(room)
    poller = bob.poller(session="chain")
    poller.once()
    for reset in (False, True):
        poller.start(wait=60)
        wait_until(lambda: server.metric("polls_waiting") == 1, "the poll waits")
        if reset:
            poller.connection.socket.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")
        poller.close()
        wait_until(lambda: server.metric("polls_waiting") == 0, "the poll is gone")
    sent = alice.send(room)["id"]
    assert ids(poller.once()) == [sent], "nothing was lost by it"
    poller.close()


def test_a_poll_waits_behind_a_keep_alive_of_other_requests(pair, server):
    alice, bob, room = pair
    with Connection(server.address, timeout=70) as connection:
        cursor = connection.request("GET", "/v1/poll?wait=0", token=bob.token).json["cursor"]
        for _ in range(3):
            connection.request("GET", "/v1/rooms", token=bob.token).expect(200)
        connection.send_request("GET", path("v1", "poll", since=cursor, wait=60, presence="none"),
                                token=bob.token)
        sent = alice.send(room)["id"]
        assert ids(connection.read_answer().expect(200).json["events"]) == [sent]
