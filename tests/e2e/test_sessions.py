"""Sessions: named, taken over, limited, renewed, ended."""
import time

from lib import tokens
from lib.http import path, wait_until
from lib.room import room_path
from lib.sse import Stream


def ended_with(stream):
    """The code of `ended`, after which the stream ends cleanly; and that event."""
    event = stream.until("ended")
    assert stream.rest() == []
    assert not stream.reset
    return event["code"], event


def test_a_session_has_the_name_the_client_chose(server, names):
    alice, session = server.user(names("alice")), names("tab")
    with alice.stream(session=session) as stream:
        assert stream.take()["sessionId"] == session
    with alice.stream() as one, alice.stream() as two:
        assert one.take()["sessionId"] != two.take()["sessionId"]


def test_a_newer_stream_of_the_same_name_takes_over(server, names):
    alice = server.user(names("alice"))
    room = alice.create(names("room"))
    for _ in range(6):  # whichever worker takes them
        old = alice.stream(session="tab")
        old.open()
        new = alice.stream(session="tab")
        new.open()
        code, event = ended_with(old)
        assert code == "replaced" and event.retry >= 60000
        assert alice.send(room)["id"] == new.take().id
        new.close()


def test_a_name_is_of_its_user_alone(server, names):
    alice, bob = server.user(names("alice")), server.user(names("bob"))
    with alice.stream(session="tab") as one, bob.stream(session="tab") as two:
        one.open()
        two.open()
        room = alice.create(names("room"))
        assert one.take()["roomId"] == room
        own = bob.create(names("room"))
        assert two.take()["roomId"] == own


def test_the_oldest_goes_when_there_are_too_many(start, names):
    server = start(limits__sessions=3)
    alice = server.user(names("alice"))
    streams = []
    for _ in range(3):
        streams.append(alice.stream())
        streams[-1].open()
    fourth = alice.stream()
    fourth.open()
    code, event = ended_with(streams[0])
    assert code == "too_many_sessions" and event.retry >= 60000
    room = alice.create(names("room"))
    for stream in streams[1:] + [fourth]:
        assert stream.take()["roomId"] == room
        stream.close()
    guests = [server.user("guest", scope="guest").stream() for _ in range(6)]
    for guest in guests:
        guest.open()
    public = server.user("owner").create(names("room"))
    del public
    for guest in guests:
        assert guest.quiet(0.02) == [], "guests have no limit of sessions for a user"
        guest.close()


def test_polls_count_from_when_their_name_is_used(start, names):
    server = start(limits__sessions=2)
    alice = server.user("alice")
    room = alice.create(names("room"))
    with alice.stream() as stream:
        stream.open()
        polls = [alice.poller() for _ in range(8)]
        for poller in polls:
            poller.once()
        assert alice.delete(path("v1", "session", polls[0].session)).status == 204
        assert alice.delete(path("v1", "session", polls[0].session)).status == 404
        sent = alice.send(room)["id"]
        assert stream.until("new_message", "ended").id == sent, "none of them takes its place"
        polls[1].once()
        polls[2].once(wait=0)
        assert ended_with(stream)[0] == "too_many_sessions"
        assert alice.put(room_path(room, "here"), {},
                         headers={"X-Tidings-Session": polls[3].session}).status == 200
        for poller, status in zip(polls[1:4], (404, 204, 204)):
            assert alice.delete(path("v1", "session", poller.session)).status == status
        for poller in polls:
            poller.close()


def test_a_token_that_expires_ends_the_stream_and_loses_nothing(start, names):
    server = start(auth__leeway="0s")
    alice, bob = server.user("alice"), server.user("bob", ttl=3)
    room = alice.create(names("room"))
    server.user("bob").join(room)
    stream = bob.stream()
    first = stream.open()
    assert 0 < first["tokenExpiresAt"] - first["timestamp"] <= 3000
    seen = alice.send(room)["id"]
    assert stream.take().id == seen
    code, _ = ended_with(stream)
    assert code == "token_expired"
    assert time.time() * 1000 >= first["tokenExpiresAt"]
    missed = alice.send(room)["id"]
    refused = server.request("GET", "/v1/rooms", token=bob.token)
    refused.expect(401)
    with server.user("bob").stream(since=stream.last_id) as again:
        again.take()
        assert again.take().id == missed


def test_a_token_is_renewed_without_an_end(start, names):
    server = start(auth__leeway="0s")
    short, long = server.user("bob", ttl=3), server.user("bob")
    stream = short.stream(session="tab")
    before = stream.open()["tokenExpiresAt"]
    renewal = path("v1", "session", "tab", "token")
    server.user("carol").post(renewal).expect(403, "not_allowed")
    server.user("bob", realm="other").post(renewal).expect(403, "not_allowed")
    answer = long.post(renewal)
    assert answer.status in (200, 204), answer
    wait_until(lambda: time.time() * 1000 > before + 1500, "the old token is over")
    room = long.create(names("room"))
    assert stream.take()["roomId"] == room
    stream.close()


def test_renewal_of_someone_elses_session_is_refused(server, names):
    alice, bob = server.user(names("alice")), server.user(names("bob"))
    with alice.stream(session="mine") as stream:
        stream.open()
        bob.post(path("v1", "session", "mine", "token")).expect(403, "not_allowed")
        bob.delete(path("v1", "session", "mine")).expect(403, "not_allowed")
        assert alice.post(path("v1", "session", names("none"), "token")).status == 404
        room = alice.create(names("room"))
        assert stream.take()["roomId"] == room


def test_renewed_claims_count_from_then(server, names):
    alice, name = server.user(names("alice")), names("bob")
    secret = alice.create(names("secret"), kind="private")
    with server.user(name, rooms=[{"room": secret, "can": ["read"]}]).stream(
            rooms=secret, session="tab") as stream:
        stream.open()
        assert alice.send(secret)["id"] == stream.take().id
        plain = server.user(name).post(path("v1", "session", "tab", "token"))
        assert plain.status in (200, 204)
        stream.until("room_denied", where=lambda event: event["roomId"] == secret)


def test_log_out_ends_a_session_at_once(server, names):
    alice = server.user(names("alice"))
    with alice.stream(session="tab") as stream, alice.stream(session="other") as other:
        stream.open()
        other.open()
        assert alice.delete(path("v1", "session", "tab")).status in (200, 204)
        stream.rest()
        assert not stream.reset
        room = alice.create(names("room"))
        assert other.take()["roomId"] == room
    assert alice.delete(path("v1", "session", "tab")).status in (200, 204, 404)


def test_the_token_may_stand_in_the_query_of_streams_only(server, names):
    alice = server.user(names("alice"))
    query = path("v1", "events", access_token=alice.token)
    with Stream(server.address, query) as stream:
        assert stream.take()["userId"] == alice.name
    assert server.request("GET", path("v1", "poll", access_token=alice.token)).status == 200
    for target in ("rooms", "unread"):
        answer = server.request("GET", path("v1", target, access_token=alice.token))
        assert answer.status in (401, 404), answer


def test_a_bearer_beats_the_query(server, names):
    alice, bob = server.user(names("alice")), server.user(names("bob"))
    query = path("v1", "events", access_token=bob.token)
    with Stream(server.address, query, token=alice.token) as stream:
        assert stream.take()["userId"] == alice.name
    wrong = path("v1", "events", access_token=bob.token)
    with Stream(server.address, wrong, token=tokens.token("x", secret="y" * 40),
                expect=401) as stream:
        stream.head()
