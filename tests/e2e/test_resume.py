"""Cut at 200 random points while messages flow at full speed to 50 readers: nothing is lost,
nothing comes twice, nothing out of order, nothing from a room where it does not belong."""
import time

import pytest

from lib.checker import check
from lib.sender import Senders
from lib.sse import Crowd, id_key

LOAD = True
OPTIONS = {"limits.sessions": 0, "server.workers": 2}
READERS, ROOMS, CUTS = 50, 4, 200
EVENTS_BETWEEN_CUTS = 400
MESSAGES_MAX = 6000  # of each sender, so that what is left after the cuts is bounded
pytestmark = pytest.mark.slow


class Reader:
    """A user whose streams are cut; what it took, over all of them."""

    def __init__(self, user, rooms):
        self.user, self.rooms = user, rooms
        self.events, self.seen_of_stream, self.stream = [], 0, None
        self.cursor = self.begin = None

    def connect(self, crowd):
        self.stream = crowd.add(self.user.stream(since=self.cursor, session="one"))
        self.stream.reader, self.seen_of_stream = self, 0

    def collect(self):
        """Moves what arrived to the reader."""
        fresh = self.stream.events[self.seen_of_stream:]
        self.seen_of_stream = len(self.stream.events)
        self.events += [event.data for event in fresh]
        if self.begin is None and fresh:
            self.begin = fresh[0]["cursor"]
        self.cursor = self.stream.last_id or self.cursor

    def cut(self, crowd, seed):
        """In the middle of whatever comes: a random number of bytes more, then gone."""
        crowd.remove(self.stream)
        try:
            self.stream.pending += self.stream.socket.recv(seed.randrange(1, 6000))
            self.stream._parse()
        except BlockingIOError:
            pass
        self.collect()
        if seed.random() < 0.5:
            self.stream.cut()
        else:
            self.stream.close()


def readers_of(server):
    """Each a member of two of the rooms."""
    owner = server.user("owner")
    rooms = [owner.create(f"room-{number}") for number in range(ROOMS)]
    readers = []
    for number in range(READERS):
        user = server.user(f"reader-{number}")
        chosen = {rooms[number % ROOMS], rooms[(number * 7 + 1) % ROOMS]}
        for room in chosen:
            user.join(room)
        user.close()
        readers.append(Reader(user, chosen))
    return owner, rooms, readers


def test_cuts_lose_nothing_repeat_nothing_leak_nothing(server, seed, tmp_path, tell):
    owner, rooms, readers = readers_of(server)
    senders = [server.user(f"sender-{number}") for number in range(2)]
    for sender in senders:
        for room in rooms:
            sender.join(room)
    crowd = Crowd()
    for reader in readers:
        reader.connect(crowd)
    crowd.wait(lambda: all(reader.stream.events for reader in readers), "all are connected")
    load = Senders(server, senders, rooms, tmp_path, bytes=60, count=MESSAGES_MAX)
    absent, cuts, events = [], 0, 0
    end = time.monotonic() + 120
    while cuts < CUTS:
        assert time.monotonic() < end
        for stream in crowd.pump(0.01):
            assert not stream.ended, stream.events[-1:]
            events += len(stream.events) - stream.reader.seen_of_stream
        for _ in range(min(events // EVENTS_BETWEEN_CUTS, CUTS - cuts)):
            reader = seed.choice(readers)
            if reader not in absent and reader.stream.events:
                reader.cut(crowd, seed)
                absent.append(reader)
                cuts += 1
            while len(absent) > seed.randrange(1, 6):
                absent.pop(0).connect(crowd)
        events %= EVENTS_BETWEEN_CUTS
        for reader in readers:
            if reader not in absent:
                reader.collect()
    ledger = load.stop()
    for reader in absent:
        reader.connect(crowd)
    last = owner.send(rooms[0], "the last one")
    ledger.acknowledged(rooms[0], last["messageId"], last["id"])
    due = {reader: max(id_key(value) for value in
                       ledger.acknowledged_in(reader.rooms).values()) for reader in readers}

    def has_all(reader):
        reader.collect()
        return reader.cursor and id_key(reader.cursor) >= due[reader]
    crowd.wait(lambda: all([has_all(reader) for reader in readers]), "all have all", 120)
    check({reader.user.name: ([event for event in reader.events], reader.rooms, reader.begin)
           for reader in readers}, ledger)
    sent = len(ledger.sent)
    tell(f"{sent} messages, {sum(len(reader.events) for reader in readers)} events, {cuts} cuts, "
         f"{server.metric('replayed_total'):.0f} replayed, "
         f"{server.metric('queue_overflows_total'):.0f} overflows")
    assert sent > 500
    crowd.close()
