"""5,000 idle streams of as many users, each in ten rooms: what one costs, and that all hear."""
import resource

import pytest

from lib.http import path, wait_until
from lib.sse import Crowd

LOAD = True
STREAMS, WARM, ROOMS, SOURCES = 5000, 1000, 10, 20
SERVERS = 3  # one of them has to do
# Memory for one idle stream; of SQLite with its caches, which grow meanwhile.
BYTES_MAX = {"memory": 1400, "sqlite": 2700}
pytestmark = pytest.mark.slow


def add_members(service, rooms, users):
    for room in rooms:
        service.put(path("v1", "rooms", room), {})
        for begin in range(0, len(users), 1000):
            answer = service.post(path("v1", "rooms", room, "members"),
                                  {"users": users[begin:begin + 1000]})
            assert answer.status in (200, 201), answer


@pytest.mark.parametrize("journal", BYTES_MAX)
def test_idle_streams_are_cheap(start, tell, journal):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    assert hard >= STREAMS + 500, f"the limit of open files is {hard}"
    try:
        # The allocator takes its pages in bursts: some servers hold a few hundred bytes more.
        assert any(run(start, tell, journal) < BYTES_MAX[journal] for _ in range(SERVERS))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def run(start, tell, journal):
    more = {"journal__url": "memory:"} if journal == "memory" else {}
    server = start(limits__connections=STREAMS + 200, sse__heartbeat="60s",
                   replay__ring_bytes="1m", **more)
    owner = server.user("owner")
    rooms = [f"room-{number}" for number in range(ROOMS)]
    users = [f"user-{number}" for number in range(STREAMS)]
    add_members(owner, rooms, users)
    crowd, streams = Crowd(), []
    before = 0
    for number, name in enumerate(users):
        source = f"127.0.0.{2 + number % SOURCES}"
        streams.append(crowd.add(server.user(name).stream(source=source)))
        if number % 100 == 99:
            crowd.wait(lambda: all(stream.of("caught_up") for stream in streams), "caught up")
        if number == WARM - 1:
            before = server.rss_kb("RssAnon")
    each = (server.rss_kb("RssAnon") - before) * 1024 / (STREAMS - WARM)
    tell(f"{STREAMS} idle streams in {ROOMS} rooms each: {each:.0f} bytes of memory for one; "
         f"{server.rss_kb()} KB in all")
    assert server.metric("streams") == STREAMS

    sent = owner.send(rooms[3], "to all of them")
    crowd.wait(lambda: all(stream.last_id == sent["id"] for stream in streams), "all heard it")
    assert all(len(stream.of("new_message")) == 1 for stream in streams)
    crowd.close()
    wait_until(lambda: server.metric("streams") == 0, "all are gone", timeout=60)
    return each
