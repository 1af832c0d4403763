"""A room that grows above `rooms.quiet_limit` and comes down again, as often as somebody likes."""
import time

import pytest

LIMIT, INTERVAL_MS = 12, 700
OPTIONS = {"rooms.quiet_limit": LIMIT, "rooms.stats_interval": f"{INTERVAL_MS}ms",
           "presence.grace": "300ms", "limits.sessions": 0, "server.workers": 2}


class Full:
    """A room of as many as may be, all of them with a stream, and one who can make it too large."""

    def __init__(self, server, names):
        self.server = server
        self.users = [server.user(names("member")) for _ in range(LIMIT)]
        self.room = self.users[0].create(names("room"))
        for user in self.users[1:]:
            user.join(self.room)
        self.streams = [user.stream(presence="rooms") for user in self.users]
        self.other = server.user(names("other"))
        self.settled()

    def known(self, at):
        """Who is taken for what at this stream."""
        return {e["userId"]: e["status"] for e in self.streams[at].of("presence_update")}

    def settled(self, **others):
        """All take all for online, but for those named otherwise."""
        expected = {user.name: others.get(f"at_{i}", "online") for i, user in enumerate(self.users)}
        for at, stream in enumerate(self.streams):
            if stream:
                stream.wait(lambda at=at: self.known(at) == expected, expected)

    def rest(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for stream in self.streams:
                if stream:
                    stream.quiet(0.02)

    def told(self):
        return self.server.metric("presence_told_total")

    def comes_and_goes(self, times):
        for _ in range(times):
            self.other.join(self.room)
            self.other.leave(self.room)

    def close(self):
        for stream in self.streams:
            if stream:
                stream.close()


@pytest.fixture
def full(server, names):
    made = Full(server, names)
    yield made
    made.close()


def test_one_who_comes_and_goes_makes_nobody_told_again(full):
    before = full.told()
    full.comes_and_goes(60)
    full.rest(2.5 * INTERVAL_MS / 1000)
    for _ in range(2):  # slowly, too
        full.comes_and_goes(1)
        full.rest(1.5 * INTERVAL_MS / 1000)
    assert full.told() == before
    full.users[0].put("/v1/presence", {"status": "busy"}).expect(200)
    full.settled(at_0="busy")
    assert full.told() == before + LIMIT


def test_what_changed_meanwhile_is_told_once(full):
    before = full.told()
    full.other.join(full.room)
    full.users[0].put("/v1/presence", {"status": "busy"}).expect(200)
    full.users[1].put("/v1/presence", {"status": "away"}).expect(200)
    full.users[1].put("/v1/presence", {"status": None}).expect(200)
    full.streams[2].close()
    full.streams[2] = None  # goes for good
    full.rest(2.5 * INTERVAL_MS / 1000)
    assert full.known(3)[full.users[0].name] == full.known(3)[full.users[2].name] == "online"
    full.other.leave(full.room)
    full.comes_and_goes(20)
    full.settled(at_0="busy", at_2="offline")
    full.rest(1.5 * INTERVAL_MS / 1000)
    # Of the first its own session and ten others; of the third eleven; of the second itself alone
    # if it was not folded.
    assert before + 22 <= full.told() <= before + 24


def test_who_came_meanwhile_is_introduced(full):
    late = full.other.stream(presence="rooms")
    late.wait(lambda: late.of("presence_update"), "itself")
    full.other.join(full.room)
    full.rest(0.3)
    second = full.users[5].stream(presence="rooms")
    second.wait(lambda: second.of("presence_update"), "itself")
    assert {e["userId"] for e in second.of("presence_update")} == {full.users[5].name}
    assert {e["userId"] for e in late.of("presence_update")} == {full.other.name}
    before = full.told()
    full.users[1].leave(full.room)
    everybody = {user.name for user in full.users} - {full.users[1].name} | {full.other.name}
    for stream in (late, second):
        stream.wait(lambda stream=stream: {e["userId"] for e in stream.of("presence_update")}
                    == everybody, "all the others")
    full.rest(1.5 * INTERVAL_MS / 1000)
    # Eleven old ones to the late one and to the second session, but for its own; the late one to
    # eleven, and to that session.
    assert full.told() == before + 11 + 10 + 12
    late.close(), second.close()
