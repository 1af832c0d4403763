"""A connection that becomes a stream, at every odd moment: no reset, no lost byte, no leak.

libmicrohttpd lets go of a connection when its handler says no; this pins what that does.
"""
import time

import pytest

from lib.http import Connection, path, request_bytes, wait_until
from lib.sse import parse_block

# libmicrohttpd misses an end that comes with half a head: that connection goes by its deadline.
OPTIONS = {"limits.sessions": 0, "server.workers": 2, "http.head_timeout": "1s"}


@pytest.fixture(autouse=True)
def counters_return_to_zero(server):
    before = server.descriptors()
    yield
    wait_until(lambda: server.metric("streams") == 0, "no stream is left")
    wait_until(lambda: server.metric("connections") <= 1, "no connection is left")
    wait_until(lambda: server.descriptors() <= before + 2, "no descriptor is left")


@pytest.fixture
def alice(server, names):
    made = server.user(names("alice"))
    yield made
    made.close()


def events_bytes(alice, **query):
    query.setdefault("presence", "none")
    return request_bytes("GET", path("v1", "events", **query), token=alice.token)


def read_stream(connection, *types):
    """Head and blocks up to the last of `types`, in order."""
    answer = connection.read_head()
    assert answer.status == 200 and answer.header("Content-Type") == "text/event-stream"
    seen = []
    while not types or seen[-1:] != [types[-1]]:
        block = connection.take_to(b"\n\n").decode()
        seen.append(parse_block(block.split("\n")).type)
    assert seen == list(types)
    return answer


def test_as_the_first_request(server, alice):
    with Connection(server.address) as connection:
        connection.send(events_bytes(alice))
        read_stream(connection, "connected", "caught_up")


@pytest.mark.parametrize("before", [1, 2, 20])
def test_after_others_on_a_kept_connection(server, alice, before):
    with Connection(server.address) as connection:
        for _ in range(before):
            assert connection.request("GET", "/v1/rooms", token=alice.token).status == 200
        connection.send(events_bytes(alice))
        read_stream(connection, "connected", "caught_up")


@pytest.mark.parametrize("before", [1, 3])
def test_pipelined_behind_others(server, alice, before):
    with Connection(server.address) as connection:
        get = request_bytes("GET", "/v1/rooms", token=alice.token)
        connection.send(get * before + events_bytes(alice))
        for _ in range(before):
            assert connection.read_answer().status == 200
        read_stream(connection, "connected", "caught_up")


@pytest.mark.parametrize("behind", [b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 5, b"x" * 3000,
                                    b"\0\1\2"], ids=["requests", "text", "bytes"])
def test_bytes_behind_it_are_dropped(server, alice, names, behind):
    with Connection(server.address) as connection:
        connection.send(events_bytes(alice) + behind)
        read_stream(connection, "connected", "caught_up")
        connection.send(behind)
        room = alice.create(names("room"))
        block = connection.take_to(b"\n\n").decode()
        assert room in block
        connection.send(behind)
        alice.send(room)
        assert "user_joined" in connection.take_to(b"\n\n").decode()
        assert "new_message" in connection.take_to(b"\n\n").decode()


def test_a_peer_that_talks_without_end_is_no_burden(server, alice):
    with Connection(server.address) as connection:
        connection.send(events_bytes(alice))
        read_stream(connection, "connected", "caught_up")
        try:
            for _ in range(200):
                connection.send(b"x" * 65536)
        except (ConnectionError, TimeoutError):
            pass
        assert server.request("GET", "/healthz").status == 200


def test_in_small_pieces(server, alice):
    raw = events_bytes(alice)
    with Connection(server.address) as connection:
        for start in range(0, len(raw), 7):
            connection.send(raw[start:start + 7])
        read_stream(connection, "connected", "caught_up")


@pytest.mark.parametrize("body", [b"{}", b"x" * 5000], ids=["short", "long"])
def test_with_a_body(server, alice, body):
    """Whole, or still on its way when the head is read."""
    raw = request_bytes("GET", "/v1/events", body, token=alice.token)
    for first in (len(raw), len(raw) - len(body), len(raw) - 1):
        with Connection(server.address) as connection:
            connection.send(raw[:first])
            if first < len(raw):
                time.sleep(0.05)
                connection.send(raw[first:])
            answer = connection.read_head()
            assert answer.status in (200, 400, 413, 415), answer


def test_with_expect(server, alice):
    with Connection(server.address) as connection:
        raw = request_bytes("GET", "/v1/events", None, {"Expect": "100-continue"}, alice.token)
        connection.send(raw)
        answer = connection.read_head()
        if answer.status == 100:
            answer = connection.read_head()
        assert answer.status in (200, 417)


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1"])
@pytest.mark.parametrize("kept", ["close", "keep-alive"])
def test_versions_and_connection_headers(server, alice, version, kept):
    with Connection(server.address) as connection:
        raw = request_bytes("GET", "/v1/events", None, {"Connection": kept}, alice.token)
        connection.send(raw.replace(b"HTTP/1.1", version.encode(), 1))
        read_stream(connection, "connected", "caught_up")


def test_cut_at_every_moment(server, alice, seed):
    """By a reset or a close, before, while and after the connection is handed over."""
    raw = events_bytes(alice, history=5)
    for number in range(150):
        connection = Connection(server.address)
        connection.send(raw[:seed.randrange(len(raw))] if number % 5 == 0 else raw)
        if number % 3:
            time.sleep(seed.random() * 0.004)
        if number % 2:
            connection.socket.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")
        connection.close()
    assert server.request("GET", "/healthz").status == 200


def test_half_closed_right_behind_the_request(server, alice):
    for _ in range(20):
        with Connection(server.address) as connection:
            connection.send(events_bytes(alice))
            connection.socket.shutdown(1)
            try:
                connection.read_rest()
            except ConnectionError:
                pass


def test_a_poll_that_waits_is_handed_over_too(server, alice, names):
    cursor = alice.get("/v1/poll?wait=0").json["cursor"]
    for behind in (b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"):
        target = path("v1", "poll", since=cursor, wait=60, presence="none")
        wait_until(lambda: server.metric("polls_waiting") == 0, "none waits")
        with Connection(server.address) as connection:
            assert connection.request("GET", "/v1/rooms", token=alice.token).status == 200
            connection.send(request_bytes("GET", target, token=alice.token) + behind)
            wait_until(lambda: server.metric("polls_waiting") == 1, "the poll waits")
            alice.create(names("room"))
            answer = connection.read_answer().expect(200)
            assert answer.json["events"]
            assert answer.header("Connection").lower() == "close"
            assert connection.is_ended()
        cursor = answer.json["cursor"]


def test_head_requests_leave_nothing_behind(server, alice):
    for _ in range(5):
        with Connection(server.address) as connection:
            connection.send(request_bytes("HEAD", "/v1/events", token=alice.token))
            answer = connection.read_head()
            assert answer.status in (200, 405)
