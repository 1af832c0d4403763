"""Requests that come too slowly are cut, each byte notwithstanding; honest ones are not."""
import threading
import time

import pytest

from lib.http import Closed, Connection, path, wait_until

pytestmark = pytest.mark.slow


def drip(connection, raw, pause, until):
    """Sends byte by byte; True when the server ended it before `until` seconds."""
    end = time.monotonic() + until
    connection.socket.settimeout(pause)
    for byte in raw:
        try:
            connection.socket.send(bytes([byte]))
            connection.socket.recv(65536)
            return True  # the end, or an answer before the request's end
        except TimeoutError:
            pass
        except ConnectionError:
            return True
        if time.monotonic() > end:
            return False
    return False


def test_a_slow_head_is_cut(start):
    server = start(http__head_timeout="1s")
    with Connection(server.address) as connection:
        head = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: " + b"y" * 10000
        assert drip(connection, head, 0.05, 20)
    wait_until(lambda: server.metric("connections") <= 1, "the connection is gone")


def test_many_slow_heads_hurt_nobody(start):
    server = start(http__head_timeout="1s")
    slow = [Connection(server.address) for _ in range(200)]
    for connection in slow:
        connection.send("GET /healthz HTTP/1.1\r\nHost: ")
    alice = server.user("alice")
    for _ in range(20):
        assert alice.get("/v1/rooms").status == 200
    wait_until(lambda: server.metric("connections") <= 2, "all are gone")
    for connection in slow:
        connection.close()


def test_a_slow_body_is_cut(start):
    server = start(http__body_rate_min="10k", http__head_timeout="1s")
    alice = server.user("alice")
    room = alice.create("room")
    with Connection(server.address) as connection:
        head = (f"POST /v1/rooms/{room}/messages HTTP/1.1\r\nHost: x\r\n"
                f"Authorization: Bearer {alice.token}\r\nContent-Type: application/json\r\n"
                "Content-Length: 100000\r\n\r\n")
        connection.send(head)
        assert drip(connection, b'{"text":"' + b"x" * 9000, 0.05, 30)
    alice.close()
    assert alice.get(path("v1", "rooms", room, "messages")).json["messages"] == []


def test_a_body_that_never_comes_is_cut(start):
    server = start(http__body_rate_min="10k", http__head_timeout="1s")
    alice = server.user("alice")
    with Connection(server.address, timeout=40) as connection:
        connection.send(f"POST /v1/rooms HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"
                        f"Authorization: Bearer {alice.token}\r\n\r\n")
        try:
            assert connection.read_answer().status >= 400
            assert connection.is_ended()
        except (Closed, ConnectionError):
            pass


def test_an_honest_body_in_pieces_is_read(start):
    server = start(http__body_rate_min="1k", http__head_timeout="2s")
    alice = server.user("alice")
    with Connection(server.address) as connection:
        connection.send(f"POST /v1/rooms HTTP/1.1\r\nHost: x\r\nContent-Length: 14\r\n"
                        "Content-Type: application/json\r\n"
                        f"Authorization: Bearer {alice.token}\r\n\r\n")
        for byte in b'{"name":"xyz"}':
            time.sleep(0.02)
            connection.send(bytes([byte]))
        assert connection.read_answer().expect(201).json["name"] == "xyz"


def test_a_connection_that_rests_is_closed(start):
    server = start(http__idle_timeout="1s")
    with Connection(server.address, timeout=30) as connection:
        for _ in range(3):
            assert connection.request("GET", "/healthz").status == 200
        assert connection.is_ended()
    with Connection(server.address, timeout=30) as silent:
        assert silent.is_ended(), "one that never asked, too"


def test_one_that_does_not_read_its_answers_is_cut(start):
    server = start(http__idle_timeout="1s", sse__peer_timeout="1s")
    alice = server.user("alice")
    room = alice.create("room")
    for _ in range(30):
        alice.send(room, "x" * 8000)
    connection = Connection(server.address)
    connection.socket.setsockopt(1, 8, 4096)  # SO_RCVBUF
    target = path("v1", "rooms", room, "messages", limit=100)
    request = (f"GET {target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {alice.token}\r\n\r\n")
    sender = threading.Thread(target=lambda: flood(connection, request.encode() * 50), daemon=True)
    sender.start()
    wait_until(lambda: alice.get("/v1/rooms").status == 200, "others are served")
    wait_until(lambda: server.metric("connections") <= 2, "it is cut", timeout=60)
    connection.close()
    sender.join(20)


def flood(connection, raw):
    try:
        connection.send(raw)
    except (ConnectionError, TimeoutError, OSError):
        pass
