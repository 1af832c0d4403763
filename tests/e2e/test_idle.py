"""5,000 idle streams of as many users, each in ten rooms: what one costs, and that all hear."""
import resource

import pytest

from lib.http import path, wait_until
from lib.sse import Crowd

LOAD = True
STREAMS, ROOMS, SOURCES = 5000, 10, 20
BYTES_MAX = 4096  # of resident memory for one idle stream; the goal is 1.5 KB
pytestmark = pytest.mark.slow


def add_members(service, rooms, users):
    for room in rooms:
        service.put(path("v1", "rooms", room), {})
        for begin in range(0, len(users), 1000):
            answer = service.post(path("v1", "rooms", room, "members"),
                                  {"users": users[begin:begin + 1000]})
            assert answer.status in (200, 201), answer


def test_idle_streams_are_cheap(start, tell):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    assert hard >= STREAMS + 500, f"the limit of open files is {hard}"
    try:
        run(start, tell)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def run(start, tell):
    server = start(limits__connections=STREAMS + 200, sse__heartbeat="60s",
                   replay__ring_bytes="1m")
    owner = server.user("owner")
    rooms = [f"room-{number}" for number in range(ROOMS)]
    users = [f"user-{number}" for number in range(STREAMS)]
    add_members(owner, rooms, users)
    crowd, streams = Crowd(), []
    warm = [server.user(name).stream(source="127.0.0.250") for name in users[:50]]
    for stream in warm:
        stream.open()
    before = server.rss_kb()
    for number, name in enumerate(users[50:]):
        source = f"127.0.0.{2 + number % SOURCES}"
        streams.append(crowd.add(server.user(name).stream(source=source)))
        if number % 100 == 99:
            crowd.wait(lambda: all(stream.events for stream in streams), "connected")
    crowd.wait(lambda: all(stream.of("caught_up") for stream in streams), "all are caught up")
    each = (server.rss_kb() - before) * 1024 / len(streams)
    tell(f"{len(streams)} idle streams in {ROOMS} rooms each: {each:.0f} bytes of resident "
         f"memory for one; {server.rss_kb()} KB in all")
    assert server.metric("streams") == STREAMS
    assert each < BYTES_MAX

    sent = owner.send(rooms[3], "to all of them")
    crowd.wait(lambda: all(stream.last_id == sent["id"] for stream in streams), "all heard it")
    assert all(len(stream.of("new_message")) == 1 for stream in streams)
    crowd.close()
    for stream in warm:
        stream.close()
    wait_until(lambda: server.metric("streams") == 0, "all are gone", timeout=60)
