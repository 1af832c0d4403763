"""Requests that two servers could read differently are refused, and the connection closed."""
import pytest

from lib.http import Closed, Connection
from lib.tokens import token

HEAD = "Host: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
BODY = '{"userId":"x"}'
HIDDEN = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"

# name, request; all must be refused with 400 or what stands beside it.
REFUSED = [
    ("length and encoding", "POST /v1/rooms HTTP/1.1\r\n{head}Content-Length: 5\r\n"
     "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", (400,)),
    ("encoding and length", "POST /v1/rooms HTTP/1.1\r\n{head}Transfer-Encoding: chunked\r\n"
     "Content-Length: 5\r\n\r\n0\r\n\r\n", (400,)),
    ("two lengths", "POST /v1/rooms HTTP/1.1\r\n{head}Content-Length: 2\r\n"
     "Content-Length: 38\r\n\r\n{{}}{hidden}", (400,)),
    ("two lengths, zero first", "POST /v1/rooms HTTP/1.1\r\n{head}Content-Length: 0\r\n"
     "Content-Length: 35\r\n\r\n{hidden}", (400,)),
    ("the same length twice", "POST /v1/rooms HTTP/1.1\r\n{head}Content-Length: 2\r\n"
     "Content-Length: 2\r\n\r\n{{}}", (400,)),
    ("space before the colon", "POST /v1/rooms HTTP/1.1\r\n{head}Content-Length : 35\r\n\r\n"
     "{hidden}", (400,)),
    ("space before the colon, encoding", "POST /v1/rooms HTTP/1.1\r\n{head}"
     "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", (400,)),
    ("tab before the colon", "GET /healthz HTTP/1.1\r\nHost: x\r\nX-A\t: b\r\n\r\n", (400,)),
    ("xchunked", "POST /v1/rooms HTTP/1.1\r\n{head}Transfer-Encoding: xchunked\r\n\r\n"
     "0\r\n\r\n", (400, 501)),
    ("gzip, chunked", "POST /v1/rooms HTTP/1.1\r\n{head}Transfer-Encoding: gzip, chunked\r\n\r\n"
     "0\r\n\r\n", (400, 501)),
    ("identity", "POST /v1/rooms HTTP/1.1\r\n{head}Transfer-Encoding: identity\r\n\r\n{{}}",
     (400, 501)),
    ("two encodings", "POST /v1/rooms HTTP/1.1\r\n{head}Transfer-Encoding: chunked\r\n"
     "Transfer-Encoding: identity\r\n\r\n0\r\n\r\n", (400, 501)),
    ("chunked on 1.0", "POST /v1/rooms HTTP/1.0\r\n{head}Transfer-Encoding: chunked\r\n\r\n"
     "0\r\n\r\n", (400, 501)),
    ("two hosts", "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", (400,)),
    ("no host", "GET /healthz HTTP/1.1\r\n\r\n", (400,)),
    ("two tokens", "GET /v1/rooms HTTP/1.1\r\n{head}Authorization: Bearer x\r\n\r\n", (400,)),
    ("two types", "POST /v1/rooms HTTP/1.1\r\n{head}Content-Type: text/plain\r\n"
     "Content-Length: 2\r\n\r\n{{}}", (400,)),
    ("two cursors", "GET /v1/events HTTP/1.1\r\n{head}Last-Event-ID: 1-1\r\n"
     "Last-Event-ID: 2-2\r\n\r\n", (400,)),
    ("bare CR in a value", "GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: b\rX-C: d\r\n\r\n", (400,)),
    ("control character in a value", "GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: \x01\r\n\r\n",
     (400,)),
    ("signed length", "POST /v1/rooms HTTP/1.1\r\n{head}Content-Length: +2\r\n\r\n{{}}", (400,)),
    ("list of lengths", "POST /v1/rooms HTTP/1.1\r\n{head}Content-Length: 2,2\r\n\r\n{{}}",
     (400,)),
    ("negative length", "POST /v1/rooms HTTP/1.1\r\n{head}Content-Length: -1\r\n\r\n{{}}",
     (400,)),
    ("endless length", "POST /v1/rooms HTTP/1.1\r\n{head}"
     "Content-Length: 99999999999999999999999\r\n\r\n{{}}", (400, 413)),
    ("hexadecimal chunk", "POST /v1/rooms HTTP/1.1\r\n{head}Transfer-Encoding: chunked\r\n\r\n"
     "0x2\r\n{{}}\r\n0\r\n\r\n", (400,)),
    ("HTTP/2.0", "GET /healthz HTTP/2.0\r\nHost: x\r\n\r\n", (400, 505)),
    ("no version", "GET /healthz\r\nHost: x\r\n\r\n", (400, 505)),
    ("bad name", "GET /healthz HTTP/1.1\r\nHost: x\r\nX(A): b\r\n\r\n", (400,)),
    ("no colon", "GET /healthz HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n", (400,)),
]


def filled(text):
    """The table's text as bytes, with a second request behind, which must never be served."""
    head = HEAD.format(token=token("mallory"))
    return text.format(head=head, hidden=HIDDEN).encode("latin-1")


@pytest.mark.parametrize("name,text,statuses", REFUSED, ids=[row[0] for row in REFUSED])
def test_ambiguous_requests_are_refused_and_closed(server, name, text, statuses):
    with Connection(server.address) as connection:
        connection.send(filled(text) + HIDDEN.encode())
        try:
            answer = connection.read_answer()
        except (Closed, ConnectionError):
            return  # refused without a word: nothing was served either
        assert answer.status in statuses, (name, answer)
        rest = b""
        try:
            rest = connection.read_rest()
        except ConnectionError:
            pass
        assert b"HTTP/1" not in rest, f"{name}: a second answer: {rest!r}"


def test_ordinary_oddities_are_served(server):
    with Connection(server.address) as connection:
        for raw in ("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n",
                    "GET /healthz HTTP/1.1\r\nHost:x\r\nX-A:   b   \r\n\r\n",
                    "GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: b\r\nX-A: c\r\nX-E:\r\n\r\n",
                    "GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: \t\xe9\r\n\r\n"):
            connection.send(raw.encode("latin-1"))
            assert connection.read_answer().status == 200, raw


def test_chunked_bodies_are_read(server, names):
    head = HEAD.format(token=token(names("alice")))
    with Connection(server.address) as connection:
        connection.send(f"POST /v1/rooms HTTP/1.1\r\n{head}Transfer-Encoding: Chunked\r\n\r\n"
                        '5;ext=1\r\n{"nam\r\n7\r\ne":"x"}\r\n0\r\nTrailer: x\r\n\r\n')
        answer = connection.read_answer().expect(201)
        assert answer.json["name"] == "x"
        connection.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.read_answer().status == 200


def test_pipelined_requests_are_answered_in_order(server, names):
    head = HEAD.format(token=token(names("alice")))
    room = names("room")
    put = f"PUT /v1/rooms/{room} HTTP/1.1\r\n{head}Content-Length: 2\r\n\r\n{{}}"
    get = f"GET /v1/rooms/{room} HTTP/1.1\r\n{head}\r\n"
    with Connection(server.address) as connection:
        connection.send(put + get + HIDDEN + get)
        assert [connection.read_answer().status for _ in range(4)] == [201, 200, 200, 200]


def test_expect_continue(server, names):
    head = HEAD.format(token=token(names("alice")))
    with Connection(server.address) as connection:
        connection.send(f"POST /v1/rooms HTTP/1.1\r\n{head}Content-Length: 2\r\n"
                        "Expect: 100-continue\r\n\r\n")
        assert connection.read_answer().status == 100
        connection.send("{}")
        assert connection.read_answer().status == 201
