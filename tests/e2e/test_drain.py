"""The drain: nothing is reset, nothing fails, what waits is answered, exit 0."""
import threading
import time

import pytest

from lib import ports
from lib.http import Closed, Connection, path, wait_until
from lib.room import everyone, room_path
from lib.sse import Crowd

LOAD = True
pytestmark = pytest.mark.slow


def test_readyz_says_so_first_and_service_goes_on(start, names):
    server = start(drain__notice="1s", drain__spread="200ms")
    alice = server.user("alice")
    room = alice.create(names("room"))
    stream = alice.stream()
    stream.open()
    assert server.request("GET", "/readyz").status == 200
    server.signal(15)
    wait_until(lambda: server.request("GET", "/readyz").status == 503, "not ready", pause=0.005)
    assert server.request("GET", "/healthz").status == 200
    sent = alice.send(room)
    assert stream.take().id == sent["id"]
    event = stream.until("reconnect")
    assert event["afterMs"] >= 0
    assert stream.rest() == [] and not stream.reset
    server.finish()


def test_streams_end_spread_and_polls_are_answered(start, names):
    server = start(drain__notice="0ms", drain__spread="1s", limits__sessions=0)
    alice = server.user("alice")
    room = alice.create(names("room"))
    crowd = Crowd()
    streams = [crowd.add(alice.stream(session=f"s{number}")) for number in range(60)]
    crowd.wait(lambda: all(stream.of("caught_up") for stream in streams), "connected")
    poller = alice.poller(session="p")
    poller.once()
    poller.start(wait=60)
    wait_until(lambda: server.metric("polls_waiting") == 1, "the poll waits")
    alice.close()
    server.signal(15)
    crowd.wait(lambda: all(stream.ended for stream in streams), "all ended")
    assert poller.finish() == []
    for stream in streams:
        assert not stream.reset and stream.events[-1].type == "reconnect", stream.events[-1]
    times = sorted(stream.events[-1].at for stream in streams)
    assert times[-1] - times[0] > 0.3, "spread over the time given"
    server.finish()
    del room


def test_markers_that_wait_are_told_before_the_end(start, names):
    """To streams and to polls, those of others and, of what was sent, one's own."""
    server = start(drain__notice="0ms", drain__spread="0ms", receipts__coalesce_ms="60s")
    owner, member, _, room = everyone(server, names)
    stream = owner.stream()
    stream.open()
    first = owner.send(room, "one")["id"]
    stream.until("new_message")
    poller = member.poller(session="p")
    poller.once()
    poller.start(wait=60)
    wait_until(lambda: server.metric("polls_waiting") == 1, "the poll waits")
    member.post(room_path(room, "read"), {"upTo": first}).expect(200)
    server.signal(15)
    told = stream.rest()
    assert [event.type for event in told] == ["message_read", "message_read", "reconnect"], told
    assert {event["userId"] for event in told[:2]} == {owner.name, member.name}
    assert all(event["upTo"] == first for event in told[:2]) and not stream.reset
    assert [(event["type"], event["userId"]) for event in poller.finish()
            if event["type"] == "message_read"][:1] == [("message_read", member.name)]
    server.finish()


def test_new_streams_are_told_busy_while_it_drains(start):
    server = start(drain__notice="0ms", drain__spread="2s")
    alice, holder = server.user("alice"), server.user("holder")
    held = [holder.stream(session=f"s{number}") for number in range(10)]
    for stream in held:
        stream.open()
    server.signal(15)
    wait_until(lambda: server.request("GET", "/readyz").status == 503, "not ready", pause=0.005)

    def is_busy():
        with alice.stream() as stream:
            return stream.take().type == "busy"
    wait_until(is_busy, "busy")
    answer = server.request("GET", "/healthz")
    assert answer.header("Connection").lower() == "close"
    for stream in held:
        stream.rest()
        stream.close()
    server.finish()


def hold(server, count=10):
    """Streams of one user, connected."""
    holder = server.user("holder")
    held = [holder.stream(session=f"s{number}") for number in range(count)]
    for stream in held:
        stream.open()
    return held


def wait_for_ending(server):
    """Until new streams are told busy."""
    alice = server.user("alice")

    def is_busy():
        with alice.stream(session="probe") as stream:
            return stream.take().type == "busy"
    wait_until(is_busy, "busy")


def test_a_poll_that_comes_while_it_drains_does_not_wait(start):
    server = start(drain__notice="0ms", drain__spread="2s")
    held = hold(server)
    poller = server.user("bob").poller(session="p")
    poller.once()
    server.signal(15)
    wait_for_ending(server)
    begin = time.monotonic()
    assert poller.once(wait=60) == []
    assert poller.once(wait=60) == []
    assert time.monotonic() - begin < 2
    poller.close()
    for stream in held:
        stream.rest()
        stream.close()
    server.finish()


def test_heartbeats_go_on_until_a_stream_is_sent_away(start):
    server = start(drain__notice="0ms", drain__spread="4s", sse__heartbeat="400ms")
    held = hold(server)
    server.signal(15)
    crowd = Crowd()
    for stream in held:
        crowd.add(stream)
    crowd.wait(lambda: all(stream.ended for stream in held), "all ended")
    for stream in held:
        times = [event.at for event in stream.events]
        assert stream.events[-1].type == "reconnect"
        assert max(b - a for a, b in zip(times, times[1:])) < 1.2
    crowd.close()
    server.finish()


class Caller(threading.Thread):
    """Asks without end, on connections kept as long as the server keeps them, or on new ones."""

    def __init__(self, address, token, room, keep):
        super().__init__(daemon=True)
        self.address, self.token, self.keep = address, token, keep
        self.target = path("v1", "rooms", room, "messages")
        self.stopping, self.faults, self.answers = False, [], 0

    def run(self):
        connection = None
        while not self.stopping:
            try:
                connection = connection or Connection(self.address)
                answer = connection.request("POST", self.target, {"text": "x"}, token=self.token)
                if answer.status != 201:
                    self.faults.append(repr(answer))
                self.answers += 1
                if not self.keep or answer.header("Connection", "").lower() == "close":
                    connection.close()
                    connection = None
            except (Closed, OSError) as fault:
                self.faults.append(repr(fault))
                connection = None


def test_under_load_with_a_second_process_on_the_port(start, names):
    """Each process has a port of its own besides, to be prepared by."""
    options = {"drain__notice": "300ms", "drain__spread": "1s", "limits__sessions": 0}
    with ports.hold() as held:
        shared = "{}:{}".format(*held.getsockname())
        both = {"server__listen": f"{shared},127.0.0.1:0", **options}
        old, new = start(server__node="old", **both), start(server__node="new", **both)
    room = names("room")
    for server in (old, new):
        with Connection(server.addresses[1]) as direct:
            answer = direct.request("PUT", path("v1", "rooms", room), {},
                                    token=old.user("alice").token)
            answer.expect(201)
    alice = old.user("alice")
    callers = [Caller(old.address, alice.token, room, keep=number % 2 == 0)
               for number in range(6)]
    crowd = Crowd()
    streams = [crowd.add(alice.stream(session=f"s{number}")) for number in range(40)]
    for caller in callers:
        caller.start()
    crowd.wait(lambda: all(stream.events for stream in streams), "connected")
    of_old = [stream for stream in streams if stream.events[0]["node"] == "old"]
    assert 0 < len(of_old) < len(streams), "both processes take connections"
    old.signal(15)
    crowd.wait(lambda: all(stream.ended for stream in of_old), "the old one's streams ended")
    for stream in of_old:
        assert not stream.reset and stream.of("reconnect"), stream.events[-1]
    old.finish()
    done = sum(caller.answers for caller in callers)
    wait_until(lambda: sum(caller.answers for caller in callers) > done + 200, "it goes on")
    for caller in callers:
        caller.stopping = True
    for caller in callers:
        caller.join(30)
    faults = [fault for caller in callers for fault in caller.faults]
    assert not faults, f"{len(faults)} of {done}: {faults[:5]}"
    assert not any(stream.ended for stream in streams if stream not in of_old)
    crowd.close()


def test_with_nothing_open_nothing_is_waited_for(start):
    server = start(drain__notice="0ms", drain__spread="60s")
    begin = time.monotonic()
    server.stop()
    assert time.monotonic() - begin < 20
