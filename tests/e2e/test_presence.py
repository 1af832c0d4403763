"""Presence: what is shown of whom, to whom, and when. Two workers; the streams of a test come to
either of them."""
import time

import pytest

from lib.http import path

GRACE_S = 1.5
LIMIT = 4
OPTIONS = {"presence.grace": "1500ms", "sse.retry": "100ms", "rooms.quiet_limit": LIMIT,
           "server.workers": 2, "poll.session_ttl": "1s"}


held = []


@pytest.fixture(autouse=True)
def hold():
    """Streams stay open until the test is over, whoever looks at them."""
    yield
    while held:
        held.pop().close()


def watch(user, **query):
    """A stream that is told presence, open."""
    stream = user.stream(**{"presence": "rooms", **query})
    stream.open()
    held.append(stream)
    return stream


def shown(stream, user, status, activity=None, timeout=15):
    event = stream.until("presence_update", timeout=timeout,
                         where=lambda e: e["userId"] == user.name and e["status"] == status)
    assert event["activity"] == activity, event
    assert set(event.data) == {"type", "timestamp", "userId", "status", "activity", "lastSeen"}
    assert event.id is None
    return event


def told(stream, user):
    """All that the stream was told of the user, also what was taken already."""
    return [e["status"] for e in stream.of("presence_update") if e["userId"] == user.name]


def none_of(stream, *users, seconds=0.7):
    names = [user.name for user in users]
    assert [e for e in stream.quiet(seconds)
            if e.type == "presence_update" and e["userId"] in names] == []


def states(asker, *users):
    names = ",".join(user.name for user in users)
    answer = asker.get(path("v1", "presence", users=names)).expect(200).json
    assert "asOf" in answer
    return {entry["userId"]: entry for entry in answer["presence"]}


def status_of(asker, user):
    return states(asker, user)[user.name]["status"]


def choose(user, status, **more):
    answer = user.put("/v1/presence", {"status": status, **more}).expect(200).json
    assert "asOf" in answer
    state, = answer["presence"]
    assert state["userId"] == user.name
    return state


def report(user, session, status, **more):
    return user.put("/v1/presence", {"status": status, **more},
                    headers={"X-Tidings-Session": session})


def log_out(user, session):
    user.delete(f"/v1/session/{session}").expect(204)


def people(server, names, *stems):
    """Users that share a room."""
    users = [server.user(names(stem)) for stem in stems]
    room = users[0].create(names("room"))
    for user in users[1:]:
        user.join(room)
    return [*users, room]


def test_those_of_a_room_are_told(server, names):
    alice, bob, _ = people(server, names, "alice", "bob")
    at_bob = watch(bob)
    before = int(time.time() * 1000)
    at_alice = watch(alice)
    event = shown(at_bob, alice, "online")
    assert before - 1000 <= event["lastSeen"] == event["timestamp"]
    # The one who comes is told who is there, and both of themselves.
    shown(at_alice, bob, "online")
    at_alice.quiet(0.5)
    at_bob.quiet(0.1)
    assert told(at_alice, alice) == told(at_bob, bob) == ["online"]
    at_alice.cut()
    left = int(time.time() * 1000)
    none_of(at_bob, alice)
    event = shown(at_bob, alice, "offline")
    assert abs(event["lastSeen"] - left) < 500
    assert event["timestamp"] - event["lastSeen"] >= GRACE_S * 1000 - 50
    assert told(at_bob, alice) == ["online", "offline"]


def told_at_first(expected, user, **query):
    """One more session of the user is told this, and no more; nothing changes meanwhile."""
    stream = watch(user, **query)
    stream.wait(lambda: len(stream.of("presence_update")) >= len(expected), expected)
    stream.quiet(0.3)
    assert [e.type for e in stream.events[:2]] == ["connected", "caught_up"], "nothing before it"
    assert [(e["userId"], e["status"], e["activity"])
            for e in stream.of("presence_update")] == expected


def test_a_session_is_told_of_its_own_user(server, names):
    alice, bob, _ = people(server, names, "alice", "bob")
    first = watch(alice, session="phone")
    choose(alice, "busy", activity="writing")
    shown(first, alice, "busy", "writing")
    watch(bob)
    shown(first, bob, "online")
    own, other = (alice.name, "busy", "writing"), (bob.name, "online", None)
    told_at_first([own, other], alice)
    told_at_first([own, other], alice, quiet=1)
    told_at_first([own], alice, presence="subscribed")
    told_at_first([], alice, presence="none")
    told_at_first([own, other], alice, session="phone", since=first.last_id)
    at_bob = watch(bob)
    shown(at_bob, alice, "busy", "writing")
    choose(alice, "offline")
    shown(at_bob, alice, "offline")
    told_at_first([other], alice)  # who is invisible is so to itself


def test_a_reconnect_is_not_seen(server, names):
    alice, bob, _ = people(server, names, "alice", "bob")
    at_bob = watch(bob)
    at_alice = watch(alice, session="phone")
    shown(at_bob, alice, "online")
    report(alice, "phone", "away", activity="on a train").expect(200)
    shown(at_bob, alice, "away", activity="on a train")
    for _ in range(3):
        at_alice.cut()
        at_bob.quiet(0.5)
        at_alice = watch(alice, session="phone")
    none_of(at_bob, alice, seconds=GRACE_S + 0.5)
    assert told(at_bob, alice) == ["online", "away"]


def test_a_log_out_is_seen_at_once(server, names):
    alice, bob, _ = people(server, names, "alice", "bob")
    at_bob = watch(bob)
    watch(alice, session="phone"), watch(alice, session="desk")
    shown(at_bob, alice, "online")
    log_out(alice, "phone")
    none_of(at_bob, alice)
    log_out(alice, "desk")
    event = shown(at_bob, alice, "offline")
    assert event["timestamp"] - event["lastSeen"] < 1000


def test_choice_and_reports_are_folded(server, names):
    alice, bob, _ = people(server, names, "alice", "bob")
    at_bob = watch(bob)
    watch(alice, session="phone"), watch(alice, session="desk")
    shown(at_bob, alice, "online")
    report(alice, "phone", "away").expect(200)
    none_of(at_bob, alice)
    state, = report(alice, "desk", "away", activity="lunch").expect(200).json["presence"]
    assert (state["status"], state["activity"]) == ("away", "lunch")
    shown(at_bob, alice, "away", activity="lunch")
    before = int(time.time() * 1000)
    state = choose(alice, "busy")
    assert state["activity"] == "lunch"
    assert state["lastSeen"] >= before, "also before it is told"
    shown(at_bob, alice, "busy", activity="lunch")
    choose(alice, "busy", activity="a talk")
    shown(at_bob, alice, "busy", activity="a talk")
    choose(alice, "offline")
    event = shown(at_bob, alice, "offline")
    assert status_of(bob, alice) == "offline"
    report(alice, "desk", "online").expect(200)
    none_of(at_bob, alice)
    assert states(bob, alice)[alice.name]["lastSeen"] == event["lastSeen"]
    assert choose(alice, None)["status"] == "online"
    shown(at_bob, alice, "online")
    choose(alice, None), choose(alice, "online")
    none_of(at_bob, alice)


def test_what_is_asked_for_must_be_well_formed(server, names):
    alice, room = people(server, names, "alice")
    watch(alice, session="phone")
    for body, field in [({}, "status"), ({"status": "here"}, "status"), ({"status": 1}, "status"),
                        ({"status": "online", "activity": "x" * 65}, "activity"),
                        ({"status": "online", "activity": 5}, "activity")]:
        problem = alice.put("/v1/presence", body).expect(400).json
        assert problem["field"] == field, problem
    choose(alice, "online", activity="\U0001f600" * 64)
    for status in ("busy", "offline", None):
        assert report(alice, "phone", status).expect(400).json["field"] == "status"
    report(alice, "unknown", "away").expect(404)
    alice.get("/v1/presence").expect(400)
    alice.get("/v1/presence?users=").expect(400)
    alice.get("/v1/presence?users=a,,b").expect(400)
    many = ",".join(f"u{number}" for number in range(101))
    alice.get(f"/v1/presence?users={many}").expect(400)
    guest = server.user(names("guest"), scope="guest")
    guest.get("/v1/presence?users=a").expect(403)
    guest.put("/v1/presence", {"status": "online"}).expect(403)
    guest.get(f"/v1/rooms/{room}/presence").expect(403)
    guest.put(f"/v1/presence/subscriptions/{alice.name}").expect(403)


def test_quiet_sessions_and_guests_make_nobody_online(server, names):
    alice, bob, _ = people(server, names, "alice", "bob")
    at_bob = watch(bob)
    at_alice = watch(alice, quiet=1, session="fetch")
    shown(at_alice, bob, "online")
    none_of(at_bob, alice)
    assert status_of(bob, alice) == "offline"
    report(alice, "fetch", "away").expect(200)
    loud = watch(alice)
    shown(at_bob, alice, "online")
    loud.cut()
    shown(at_bob, alice, "offline")
    at_bob.cut()
    shown(at_alice, bob, "offline")
    guest = server.user(names("guest"), scope="guest")
    room = alice.create(names("open"), kind="public")
    bob.join(room)
    at_bob = watch(bob)
    at_guest = watch(guest, rooms=room)
    alice.send(room)
    at_guest.until("new_message")
    assert at_guest.of("presence_update") == []
    none_of(at_bob, guest)


def test_what_a_session_wants_to_be_told(server, names):
    alice, bob, carol, _ = people(server, names, "alice", "bob", "carol")
    bob.put(f"/v1/presence/subscriptions/{carol.name}").expect(200)
    rooms, subscribed = watch(bob), watch(bob, presence="subscribed")
    nothing = watch(bob, presence="none")
    watch(alice), watch(carol)
    shown(rooms, alice, "online"), shown(rooms, carol, "online")
    shown(subscribed, carol, "online")
    rooms.quiet(0.6), subscribed.quiet(0.1), nothing.quiet(0.1)
    assert told(rooms, alice) == told(rooms, carol) == told(subscribed, carol) == ["online"]
    assert told(subscribed, alice) == []
    assert nothing.of("presence_update") == []
    # What is there already, by the same rule.
    again = watch(bob, presence="subscribed")
    shown(again, carol, "online")
    again.quiet(0.3)
    assert told(again, alice) == []


def test_it_needs_no_following(server, names):
    """Sharing a room counts, whatever the sessions follow."""
    alice, bob, room = people(server, names, "alice", "bob")
    other = bob.create(names("other"))
    alone = alice.create(names("alone"))
    at_bob = watch(bob, rooms=other)
    at_alice = watch(alice, rooms=alone)
    shown(at_bob, alice, "online"), shown(at_alice, bob, "online")


def test_strangers_are_told_nothing(server, names):
    alice, bob, _ = people(server, names, "alice", "bob")
    eve, _ = people(server, names, "eve")
    at_eve = watch(eve)
    watch(alice)
    none_of(at_eve, alice)
    assert states(eve, alice, eve).keys() == {eve.name}
    assert states(bob, eve, alice, bob).keys() == {alice.name, bob.name}
    assert states(server.service(), alice, eve).keys() == {alice.name, eve.name}
    eve.put(f"/v1/presence/subscriptions/{alice.name}").expect(403)
    eve.put(f"/v1/presence/subscriptions/{names('nobody')}").expect(403)


def test_all_of_a_realm_may_be_visible(start, names):
    server = start(presence__visible="realm", presence__grace=OPTIONS["presence.grace"])
    alice, _ = people(server, names, "alice")
    eve, _ = people(server, names, "eve")
    assert status_of(eve, alice) == "offline"
    state, = eve.put(f"/v1/presence/subscriptions/{alice.name}").expect(200).json["presence"]
    assert (state["userId"], state["status"]) == (alice.name, "offline")
    at_eve, at_alice = watch(eve), watch(alice)
    shown(at_eve, alice, "online")
    none_of(at_alice, eve)
    assert status_of(eve, alice) == "online"


def test_a_subscription_holds_until_it_is_removed(start, names):
    server = start(presence__grace=OPTIONS["presence.grace"], rooms__quiet_limit=1,
                   server__workers=2)
    alice, bob, room = people(server, names, "alice", "bob")
    at_bob, at_alice = watch(bob), watch(alice, session="phone")
    none_of(at_bob, alice)
    answer = bob.put(f"/v1/presence/subscriptions/{alice.name}").expect(200).json
    assert [e["status"] for e in answer["presence"]] == ["online"] and "asOf" in answer
    shown(at_bob, alice, "online")
    choose(alice, "away")
    shown(at_bob, alice, "away")
    server.keep_port()
    server.stop()
    server.start()
    for user in (alice, bob):
        user.close()
    at_bob = watch(bob)
    at_alice = watch(alice, session="phone")
    shown(at_bob, alice, "away")
    # Whom one may not know about any more is not told of, though the subscription stays.
    bob.leave(room)
    choose(alice, "busy")
    none_of(at_bob, alice)
    bob.join(room)
    choose(alice, "online")
    shown(at_bob, alice, "online")
    bob.delete(f"/v1/presence/subscriptions/{alice.name}").expect(200)
    choose(alice, "away")
    none_of(at_bob, alice)
    at_alice.quiet(0.1)
    assert told(at_alice, alice)[-1] == "away"


def test_memberships_move_it(server, names):
    alice, bob, room = people(server, names, "alice", "bob")
    carol, _ = people(server, names, "carol")
    at_alice, at_carol = watch(alice), watch(carol)
    watch(bob)
    none_of(at_carol, alice, bob)
    carol.join(room)
    shown(at_carol, alice, "online"), shown(at_carol, bob, "online")
    shown(at_alice, carol, "online")
    carol.leave(room)
    at_carol.until("user_left")
    choose(alice, "busy")
    none_of(at_carol, alice)
    assert told(at_alice, carol) == ["online"]
    # Those who are people of each other already are not told again.
    other = alice.create(names("other"))
    bob.join(other)
    none_of(at_alice, bob)
    service = server.service()
    service.delete(f"/v1/rooms/{other}").expect(200)
    service.delete(f"/v1/rooms/{room}").expect(200)
    choose(bob, "busy")
    none_of(at_alice, bob)


def test_large_rooms_do_not_count(server, names):
    users = [server.user(names(f"member-{number}")) for number in range(2 * LIMIT + 2)]
    room = users[0].create(names("room"))
    for user in users[1:LIMIT]:
        user.join(room)
    first, second, more = users[0], users[1], users[LIMIT:]
    at_first = watch(first)
    watch(second)
    shown(at_first, second, "online")
    listed = first.get(f"/v1/rooms/{room}/presence").expect(200).json
    assert [(e["userId"], e["status"]) for e in listed["presence"]] == \
        [(u.name, "online" if u in (first, second) else "offline")
         for u in sorted(users[:LIMIT], key=lambda user: user.name)]
    for user in more:
        user.join(room)
    at_first.quiet(0.3)
    choose(second, "busy")
    none_of(at_first, second)
    assert first.get(f"/v1/rooms/{room}/presence").expect(200).json["presence"] == []
    assert status_of(first, second) == "busy"
    at_late = watch(more[0])
    none_of(at_late, first, second)
    # Down to the limit again: its people are told of each other.
    for user in more[1:] + [users[2]]:
        user.leave(room)
    at_first.wait(lambda: told(at_first, more[0]) == ["online"], "who came while it was large")
    event = shown(at_first, second, "busy")
    at_late.wait(lambda: told(at_late, second) == ["busy"] and told(at_late, first) == ["online"],
                 "the others, too")
    assert event["timestamp"] <= int(time.time() * 1000)
    choose(second, None)
    shown(at_first, second, "online"), shown(at_late, second, "online")


def test_polls_keep_their_user_online(server, names):
    alice, bob, _ = people(server, names, "alice", "bob")
    at_bob = watch(bob)
    poller = alice.poller(presence="rooms", session="chain")
    poller.once()
    shown(at_bob, alice, "online")
    end = time.monotonic() + 20
    while not [e for e in poller.events
               if e["type"] == "presence_update" and e["userId"] == bob.name]:
        assert time.monotonic() < end
        poller.once(wait=1)
    choose(bob, "busy")
    while [e["status"] for e in poller.events if e["type"] == "presence_update"
           and e["userId"] == bob.name] != ["online", "busy"]:
        assert time.monotonic() < end
        poller.once(wait=1)
    assert told(at_bob, alice) == ["online"]
    # The session is kept for poll.session_ttl, then the grace begins.
    event = shown(at_bob, alice, "offline")
    assert event["timestamp"] - event["lastSeen"] >= GRACE_S * 1000 - 50


def test_a_poll_shows_its_user_once_its_name_is_used(server, names):
    alice, bob, carol, _ = people(server, names, "alice", "bob", "carol")
    at_carol = watch(carol)
    pollers = alice.poller(), bob.poller()
    for poller in pollers:
        poller.once()
    answer = report(alice, pollers[0].session, "away", activity="reading").expect(200).json
    assert [(one["status"], one["activity"]) for one in answer["presence"]] == [("away", "reading")]
    shown(at_carol, alice, "away", activity="reading")
    assert told(at_carol, bob) == []
    pollers[1].once()
    shown(at_carol, bob, "online")
    for poller in pollers:
        poller.close()


def test_choice_and_last_seen_outlive_a_restart(start, names):
    server = start(presence__grace="300ms")
    alice, bob, _ = people(server, names, "alice", "bob")
    carol = server.user(names("carol"))
    carol.join(alice.create(names("more")))
    assert states(alice, carol)[carol.name] == {
        "userId": carol.name, "status": "offline", "activity": None, "lastSeen": None}
    choose(alice, "busy", activity="writing")
    at_bob = watch(bob)
    gone = watch(carol, session="phone")
    watch(alice)
    shown(at_bob, alice, "busy", activity="writing")
    log_out(carol, "phone")
    gone.rest()
    left = int(time.time() * 1000)
    server.keep_port()
    server.stop()
    stopped = int(time.time() * 1000)
    server.start()
    for user in (alice, bob, carol):
        user.close()
    kept = states(alice, alice, bob, carol)
    assert {entry["status"] for entry in kept.values()} == {"offline"}
    assert left - 2000 < kept[carol.name]["lastSeen"] <= left
    # Those who were there when it stopped were seen until then.
    for user in (alice, bob):
        assert left - 100 <= kept[user.name]["lastSeen"] <= stopped
    at_bob = watch(bob)
    watch(alice)
    shown(at_bob, alice, "busy", activity="writing")


def test_the_newest_of_many_changes_is_told(server, names):
    alice, bob, _ = people(server, names, "alice", "bob")
    at_bob = watch(bob)
    watch(alice)
    shown(at_bob, alice, "online")
    for number in range(40):
        choose(alice, "busy", activity=str(number))
    shown(at_bob, alice, "busy", activity="39")
    seen = len(told(at_bob, alice))
    assert seen < 40, "changes within the fold are told together"


def test_a_batch_takes_its_commands(server, names):
    alice, bob, _ = people(server, names, "alice", "bob")
    at_bob = watch(bob)
    watch(alice, session="phone")
    shown(at_bob, alice, "online")
    results = alice.post("/v1/batch", {"events": [
        {"type": "subscribe_presence", "userId": bob.name},
        {"type": "status_change", "status": "busy"},
        {"type": "presence_update", "status": "away", "activity": "walking"},
        {"type": "unsubscribe_presence", "userId": bob.name},
    ]}, headers={"X-Tidings-Session": "phone"}).expect(200).json["results"]
    assert [result["status"] for result in results] == [200, 200, 200, 200], results
    shown(at_bob, alice, "busy", activity="walking")
    choose(alice, None)
    shown(at_bob, alice, "away", activity="walking")
    result, = alice.post("/v1/batch", {"events": [
        {"type": "presence_update", "status": "away"}]}).expect(200).json["results"]
    assert (result["status"], result["field"]) == (400, "X-Tidings-Session"), result
