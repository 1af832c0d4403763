"""A strict reader of event streams: what one client might forgive, another does not.

A stream is pumped without blocking, so that one thread reads hundreds of them (`Crowd`).
"""
import json
import re
import selectors
import socket
import ssl
import time

from .http import Closed, Connection, request_bytes, parse_head

ID = re.compile(r"(0|[1-9][0-9]*)-(0|[1-9][0-9]*)")
PIECE_BYTES = 65536  # read at once
ORDER = ("id", "retry", "event", "data")
DURABLE = {"new_message", "message_edited", "message_deleted", "reaction_added",
           "reaction_removed", "user_joined", "user_left", "room_created", "room_updated",
           "room_deleted", "member_updated", "user_updated", "user_deleted", "command_refused"}


def id_key(text):
    """An event id as a value that compares."""
    match = ID.fullmatch(text)
    assert match, f"no event id: {text!r}"
    return int(match[1]), int(match[2])


class Event:
    def __init__(self, fields, lines):
        self.lines = lines            # the block, raw
        self.id = fields.get("id")    # of the block; None without
        self.name = fields.get("event")
        self.retry = int(fields["retry"]) if "retry" in fields else None
        self.data = json.loads(fields["data"])
        self.type = self.data["type"]
        self.at = time.monotonic()

    def __getitem__(self, name):
        return self.data[name]

    def get(self, name, otherwise=None):
        return self.data.get(name, otherwise)

    @property
    def key(self):
        return id_key(self.data["id"])

    @property
    def durable(self):
        return "id" in self.data

    def __repr__(self):
        return f"<{self.id} {self.data}>"


def parse_block(lines, unnamed=False):
    """One block, held against the protocol. `lines` without their ends."""
    fields = {}
    for line in lines:
        assert not any(ord(letter) < 0x20 for letter in line), f"a control character: {line!r}"
        name, mark, value = line.partition(": ")
        assert mark, f"no field with a value: {line!r}"
        assert name in ORDER, f"an unknown field: {line!r}"
        assert name not in fields, f"{name} stands twice: {lines}"
        fields[name] = value
    assert "data" in fields, f"a block without data: {lines}"
    assert fields.get("retry", "0").isdigit(), f"retry: {lines}"
    assert list(fields) == [name for name in ORDER if name in fields], f"order of fields: {lines}"
    event = Event(fields, lines)
    if unnamed:
        assert event.name is None, f"an event line in an unnamed stream: {lines}"
    else:
        assert event.name == event.type, f"event and type differ: {lines}"
    if event.id is not None:
        id_key(event.id)
        assert event.get("id", event.id) == event.id, f"id and data differ: {lines}"
    if event.type in DURABLE:
        assert "ephemeral" in event.data or event.durable, f"durable without id: {lines}"
    return event


class Chunks:
    """Takes chunked encoding away, which a proxy may put around a stream."""

    def __init__(self):
        self.raw, self.left = b"", 0  # left: bytes of this chunk and its line end

    def feed(self, piece):
        self.raw, body = self.raw + piece, b""
        while True:
            if self.left > 2:
                taken = self.raw[:self.left - 2]
                body, self.raw, self.left = body + taken, self.raw[len(taken):], \
                    self.left - len(taken)
            if 0 < self.left <= 2 and len(self.raw) >= self.left:
                self.raw, self.left = self.raw[self.left:], 0
            line, mark, rest = self.raw.partition(b"\r\n")
            if self.left or not mark or not line:
                return body
            self.raw, self.left = rest, int(line, 16) + 2


class Stream:
    """One event stream. `take(n)` and `until(...)` block; `pump()` does not."""

    def __init__(self, address, target, headers=None, token=None, source=None, context=None,
                 receive_bytes=None, expect=200, version="HTTP/1.1"):
        self.unnamed = "events=unnamed" in target
        self.connection = Connection(address, source, context, receive_bytes=receive_bytes)
        self.socket = self.connection.socket
        raw = request_bytes("GET", target, None, headers, token, f"{address[0]}:{address[1]}")
        self.asked_at = time.monotonic()
        self.connection.send(raw.replace(b" HTTP/1.1\r\n", f" {version}\r\n".encode(), 1))
        self.pending = b""
        self.chunks = None
        self.answer = None     # the head, once it is here
        self.events = []       # all, in order of arrival
        self.taken = 0         # of these, how many `take` and `until` have given out
        self.ended = False     # the server ended the stream
        self.reset = False     # by a reset
        self.last_id = None    # as a browser would keep it
        self.expect = expect
        self.socket.setblocking(False)

    def fileno(self):
        return self.socket.fileno()

    def pump(self, pieces=100, piece_bytes=PIECE_BYTES):
        """Reads what is there, so many pieces at most; returns the number of new events."""
        before = len(self.events)
        while not self.ended and pieces > 0:
            pieces -= 1
            try:
                piece = self.socket.recv(piece_bytes)
            except (BlockingIOError, ssl.SSLWantReadError):
                break
            except ConnectionError:
                self.ended = self.reset = True
                break
            if not piece:
                self.ended = True
                break
            self.pending += self.chunks.feed(piece) if self.chunks else piece
            self._parse()
            if len(self.events) - before > 2000:
                break
        return len(self.events) - before

    def _parse(self):
        if self.answer is None:
            if b"\r\n\r\n" not in self.pending:
                return
            head, _, self.pending = self.pending.partition(b"\r\n\r\n")
            self.answer = parse_head(head)
            if self.answer.status != self.expect:
                raise AssertionError(f"{self.expect} expected: {self.answer} {self.pending!r}")
            if self.answer.header("Transfer-Encoding") == "chunked":
                self.chunks = Chunks()
                self.pending = self.chunks.feed(self.pending)
        if self.answer.status != 200 or b"\n\n" not in self.pending:
            return
        assert b"\r" not in self.pending, f"a CR in the stream: {self.pending[:500]!r}"
        *blocks, self.pending = self.pending.split(b"\n\n")
        for block in blocks:
            self._add(parse_block(block.decode("utf-8").split("\n"), self.unnamed))

    def _add(self, event):
        if event.id is not None:
            self.last_id = event.id
        self.events.append(event)

    def wait(self, condition, what, timeout=30):
        """Pumps until the condition holds."""
        end = time.monotonic() + timeout
        with selectors.DefaultSelector() as selector:
            selector.register(self.socket, selectors.EVENT_READ)
            while not condition():
                if self.ended:
                    raise Closed(f"{what}: the stream ended after {self.events[-5:]}")
                left = end - time.monotonic()
                assert left > 0, f"in {timeout} s not: {what}; last: {self.events[-5:]}"
                if not getattr(self.socket, "pending", int)():
                    selector.select(min(left, 1))
                self.pump()

    def sip(self, condition, what, timeout=60):
        """Reads a little now and then until the condition holds; the seconds it took. What is left
        of a small window never holds all that the server's kernel wants to send at once."""
        started = time.monotonic()
        while not condition():
            taken = time.monotonic() - started
            assert not self.ended, f"{what}: the stream ended after {taken} s of reading"
            assert taken < timeout, f"in {timeout} s not: {what}; last: {self.events[-5:]}"
            time.sleep(0.3)
            self.pump(1, 8192)
        return time.monotonic() - started

    def head(self):
        self.wait(lambda: self.answer, "a head")
        return self.answer

    def take(self, timeout=30):
        """The next event."""
        self.wait(lambda: len(self.events) > self.taken, "an event", timeout)
        self.taken += 1
        return self.events[self.taken - 1]

    def until(self, *types, timeout=30, where=None):
        """The next event of these types (and for which `where` holds), passing over others."""
        end = time.monotonic() + timeout
        while True:
            event = self.take(max(0.01, end - time.monotonic()))
            if (not types or event.type in types) and (where is None or where(event)):
                return event

    def open(self):
        """Reads up to and with `caught_up`; returns `connected`."""
        first = self.take()
        assert first.type == "connected", first
        self.until("caught_up")
        return first

    def rest(self, timeout=30):
        """All up to the end that the server makes."""
        end = time.monotonic() + timeout
        while not self.ended:
            assert time.monotonic() < end, f"in {timeout} s no end; last: {self.events[-5:]}"
            with selectors.DefaultSelector() as selector:
                selector.register(self.socket, selectors.EVENT_READ)
                selector.select(0.5)
            self.pump()
        rest = self.events[self.taken:]
        self.taken = len(self.events)
        return rest

    def quiet(self, seconds):
        """Whatever comes within so many seconds, heartbeats left out."""
        end = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self.socket, selectors.EVENT_READ)
            while time.monotonic() < end and not self.ended:
                selector.select(max(0, end - time.monotonic()))
                self.pump()
        rest = self.events[self.taken:]
        self.taken = len(self.events)
        return [event for event in rest if event.type != "heartbeat"]

    def of(self, *types):
        return [event for event in self.events if event.type in types]

    def cut(self):
        """Leaves without a word, as a network that is gone (a reset)."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()
        self.ended = True

    def close(self):
        self.socket.close()
        self.ended = True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Crowd:
    """Many streams read by one thread."""

    def __init__(self):
        self.selector = selectors.DefaultSelector()
        self.streams = set()

    def add(self, stream):
        self.selector.register(stream.socket, selectors.EVENT_READ, stream)
        self.streams.add(stream)
        return stream

    def remove(self, stream):
        self.selector.unregister(stream.socket)
        self.streams.discard(stream)

    def pump(self, timeout=0.05):
        """Serves those that have something; returns them. Those that ended leave the crowd."""
        served = []
        for key, _ in self.selector.select(timeout):
            stream = key.data
            stream.pump(1)  # a flood on one is no reason to forget the others
            served.append(stream)
            if stream.ended:
                self.remove(stream)
        return served

    def wait(self, condition, what, timeout=60):
        end = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < end, f"in {timeout} s not: {what}"
            self.pump()

    def close(self):
        for stream in list(self.streams):
            self.remove(stream)
            stream.close()
        self.selector.close()
