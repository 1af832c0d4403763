"""Limits: rates with their headers, connections, descriptors, and `busy` for streams."""
import socket

import pytest

from lib.http import Closed, Connection, path, wait_until
from lib.sse import Stream

RATE_HEADERS = ("Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")


def expect_limited(answer):
    answer.expect(429, "rate_limited")
    assert int(answer.header("Retry-After")) >= 1
    named = [key for key, _ in answer.headers if key.lower().startswith("ratelimit")]
    assert named, answer.headers


def test_messages_are_limited_for_each_user(start, names):
    server = start(limits__messages=1, limits__messages_burst=5)
    alice, bob = server.user("alice"), server.user("bob")
    room = alice.create(names("room"))
    bob.join(room)
    target = path("v1", "rooms", room, "messages")
    answers = [alice.post(target, {"text": "x"}) for _ in range(12)]
    good = [answer for answer in answers if answer.status == 201]
    assert 5 <= len(good) < 12
    for answer in answers:
        if answer.status != 201:
            expect_limited(answer)
    bob.post(target, {"text": "x"}).expect(201)
    assert alice.get(path("v1", "rooms", room)).status == 200, "other requests are not messages"
    wait_until(lambda: alice.post(target, {"text": "later"}).status == 201, "it refills")


def test_a_refusal_is_not_remembered(start, names):
    server = start(limits__messages=1, limits__messages_burst=1)
    alice = server.user("alice")
    room = alice.create(names("room"))
    target = path("v1", "rooms", room, "messages")
    body = {"text": "x", "messageId": "the-one"}
    alice.post(target, {"text": "first"}).expect(201)
    wait_until(lambda: alice.post(target, body).status == 201, "the repeat is let through")


def test_other_requests_are_limited(start, names):
    server = start(limits__requests=5)
    alice = server.user("alice")
    answers = [alice.get("/v1/rooms") for _ in range(60)]
    limited = [answer for answer in answers if answer.status == 429]
    assert limited and answers[0].status == 200
    expect_limited(limited[0])
    assert server.user("bob").get("/v1/rooms").status == 200


def expect_busy(stream):
    """200, one block with a retry, and the end."""
    events = stream.rest()
    assert [event.type for event in events] == ["busy"], events
    assert stream.answer.header("Content-Type") == "text/event-stream"
    assert events[0].retry and events[0]["code"] and events[0]["afterMs"] > 0
    assert not stream.reset
    return events[0]


def test_too_many_new_streams_of_an_address_are_busy(start, names):
    server = start(limits__streams_per_address=1, limits__streams_burst=3)
    alice = server.user("alice")
    streams = [alice.stream(session=f"s{number}") for number in range(10)]
    for stream in streams:
        stream.wait(lambda stream=stream: stream.events, "a first event")
    kinds = [stream.events[0].type for stream in streams]
    assert kinds.count("connected") >= 3 and kinds.count("busy") >= 3
    for stream in streams:
        if stream.events[0].type == "busy":
            expect_busy(stream)
        stream.close()
    with alice.stream(source="127.0.0.9") as elsewhere:
        assert elsewhere.take().type == "connected", "counted for each address"


def test_the_forwarded_address_counts_only_from_trusted_proxies(start):
    options = {"limits__streams_per_address": 1, "limits__streams_burst": 2}
    for trusted, kind in (("127.0.0.0/8", "connected"), ("10.0.0.0/8", "busy")):
        server = start(http__trusted_proxies=trusted, **options)
        alice = server.user("alice")
        kinds = []
        for number in range(8):
            headers = {"X-Forwarded-For": f"192.0.2.{number}"}
            with alice.stream(headers=headers) as stream:
                kinds.append(stream.take().type)
        assert kinds[-1] == kind, (trusted, kinds)


def test_fan_out_has_a_budget(start, names):
    server = start(limits__fanout_bytes=20000)
    alice = server.user("alice")
    room = alice.create(names("room"))
    for number in range(5):
        server.user(f"member-{number}").join(room)
    target = path("v1", "rooms", room, "messages")
    answers = [alice.post(target, {"text": "x" * 5000}) for _ in range(8)]
    assert answers[0].status == 201
    expect_limited([answer for answer in answers if answer.status != 201][0])


def test_one_connection_is_the_limit(start):
    server = start(limits__connections=1, limits__connections_reserve=0)
    first = server.connection()
    assert first.request("GET", "/healthz").status == 200
    second = server.connection()
    try:
        second.send_request("GET", "/healthz")
        assert second.read_answer().status == 503
    except (Closed, ConnectionError):
        pass
    second.close()
    assert first.request("GET", "/healthz").status == 200, "the first is unhurt"
    first.close()
    wait_until(lambda: is_served(server), "a freed place is seen")


def is_served(server):
    try:
        return server.request("GET", "/healthz").status == 200
    except (Closed, ConnectionError):
        return False


def test_streams_are_busy_when_only_the_reserve_is_left(start):
    server = start(limits__connections=12, limits__connections_reserve=6,
                   limits__sessions=0)
    alice = server.user("alice")
    streams, busy = [], None
    for number in range(12):
        stream = alice.stream(session=f"s{number}")
        stream.wait(lambda stream=stream: stream.events, "a first event")
        if stream.events[0].type == "busy":
            busy = stream
            break
        streams.append(stream)
    assert busy is not None and len(streams) >= 5
    expect_busy(busy)
    assert server.request("GET", "/healthz").status == 200, "requests are still read"
    streams.pop().close()

    def connects():
        with alice.stream(session="again") as stream:
            return stream.take().type == "connected"
    wait_until(connects, "a freed place is seen")
    for stream in streams:
        stream.close()


@pytest.mark.slow
def test_out_of_descriptors_nothing_breaks(start, names):
    server = start(files=64, limits__sessions=0)
    alice = server.user("alice")
    room = alice.create(names("room"))
    held = []
    for number in range(100):
        try:
            held.append(Stream(server.address, f"/v1/events?session=s{number}",
                               token=alice.token))
        except OSError:
            pass
    assert server.process.poll() is None

    def settled():
        for stream in held:
            if not stream.ended:
                try:
                    stream.pump()
                except AssertionError:  # a plain 503
                    stream.ended = True
        return all(stream.ended or stream.events for stream in held)
    wait_until(settled, "everyone was told something", timeout=60)
    kinds = [stream.events[0].type if stream.events else "refused" for stream in held]
    assert kinds.count("connected") >= 10, kinds
    for stream in held:
        stream.close()
    wait_until(lambda: is_served(server), "served again")
    alice.close()
    wait_until(lambda: server.descriptors() < 45, "descriptors are given back")
    with alice.stream() as stream:
        stream.open()
        assert alice.send(room)["id"] == stream.take().id


def test_the_body_has_a_limit_and_the_client_sees_it(start, names):
    server = start(limits__body_bytes="64k")
    alice = server.user("alice")
    room = alice.create(names("room"))
    target = path("v1", "rooms", room, "messages")
    for size in (65537, 200000, 3000000):
        with server.connection() as connection:
            answer = connection.request("POST", target, b" " * size, token=alice.token)
            answer.expect(413)
    with server.connection() as connection:
        connection.send(f"POST {target} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                        f"Authorization: Bearer {alice.token}\r\n"
                        "Transfer-Encoding: chunked\r\n\r\n")
        try:
            for _ in range(40):
                connection.send(b"2000\r\n" + b" " * 0x2000 + b"\r\n")
            connection.send(b"0\r\n\r\n")
        except ConnectionError:
            pass
        assert connection.read_answer().status == 413
    huge = "/v1/rooms?prefix=" + "x" * 9000
    assert alice.get(huge).status in (414, 431)
    alice.close()


def test_many_headers_are_refused(server):
    with server.connection() as connection:
        connection.send("GET /healthz HTTP/1.1\r\nHost: x\r\n")
        try:
            connection.send("".join(f"X-{number}: {'y' * 60}\r\n" for number in range(1000)))
            connection.send("\r\n")
            assert connection.read_answer().status in (400, 431)
        except (Closed, ConnectionError, socket.timeout) as end:
            assert not isinstance(end, socket.timeout)
    assert server.request("GET", "/healthz").status == 200
