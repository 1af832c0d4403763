"""Readers that stop reading while messages come at full speed: they cost little, hurt nobody,
and lose nothing, whether they go on in time or are cut and come back."""
import time
from pathlib import Path

import pytest

from lib.checker import check
from lib.http import Closed, wait_until
from lib.sender import Senders
from lib.sse import Crowd, id_key

LOAD = True
STOPPED, PEER_TIMEOUT_S = 8, 8
pytestmark = pytest.mark.slow


def kernel_bytes(port, streams):
    """What waits in the kernel for these peers of a listening port: the longest send queue."""
    peers = {stream.socket.getsockname()[1] for stream in streams}
    longest = 0
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[1].split(":")[1], 16) == port and fields[3] == "01" and \
                int(fields[2].split(":")[1], 16) in peers:
            longest = max(longest, int(fields[4].split(":")[0], 16))
    return longest


def has_arrived(stream, event_id):
    return stream.last_id is not None and id_key(stream.last_id) >= id_key(event_id)


@pytest.mark.parametrize("longer", [False, True], ids=["less than the timeout", "more"])
def test_stopped_readers(start, names, tmp_path, longer, tell):
    timeout = f"{PEER_TIMEOUT_S}s" if longer else "60s"
    server = start(sse__peer_timeout=timeout, limits__sessions=0, replay__max_events=0,
                   replay__ring_bytes="2m", sse__heartbeat="500ms")
    owner, sender, room = server.user("owner"), server.user("sender"), names("room")
    owner.create(room)
    sender.join(room)
    stopped_users = [server.user(f"stopped-{number}") for number in range(STOPPED)]
    live_users = [server.user(f"live-{number}") for number in range(5)]
    for user in stopped_users + live_users:
        user.join(room)
    stopped = [user.stream(receive_bytes=16384) for user in stopped_users]
    for stream in stopped:
        stream.open()
    crowd = Crowd()
    live = [crowd.add(user.stream()) for user in live_users]
    crowd.wait(lambda: all(stream.of("caught_up") for stream in live), "connected")
    begin = stopped[0].last_id
    before = server.rss_kb()

    load = Senders(server, [sender], [room], tmp_path, bytes=8000, count=2000)
    most = queue = 0
    started = time.monotonic()
    while load.processes[0].poll() is None or time.monotonic() - started < PEER_TIMEOUT_S + 2:
        crowd.pump(0.02)
        most, queue = max(most, server.rss_kb()), max(queue, kernel_bytes(server.port, stopped))
        assert time.monotonic() - started < 120
    ledger = load.stop()
    last = max(ledger.sent.values(), key=id_key)
    crowd.wait(lambda: all(has_arrived(stream, last) for stream in live), "the others have all")
    cut = STOPPED if longer else 0
    crowd.wait(lambda: server.metric("peers_cut_total") == cut, "those who stopped are cut")
    tell(f"{len(ledger.sent)} messages of 8 KB, {STOPPED} stopped readers: rss {before} KB, "
         f"at most {most} KB, longest kernel queue {queue} bytes")
    assert queue <= 192 * 1024, "the kernel holds too much for one reader"
    # What SQLite's caches take, the rings, and what is under way; the messages are 16 MB, and
    # held for each reader they would be 128.
    assert most - before < 40 * 1024 + STOPPED * 256, "memory grew with what was not read"
    assert server.metric("queue_overflows_total") >= 1

    readers = {user.name: ([event.data for event in stream.events], {room}, begin)
               for user, stream in zip(live_users, live)}
    for user, stream in zip(stopped_users, stopped):
        events = go_on(user, stream, last, longer)
        readers[user.name] = (events, {room}, begin)
    check(readers, ledger)
    assert server.metric("peers_cut_total") == cut, "one that reads was cut"
    crowd.close()
    wait_until(lambda: server.metric("streams") == 0, "no stream is left")


def go_on(user, stream, last, is_cut):
    """Reads on; if the server cut it, comes back with the cursor."""
    events = read_on(stream, last)
    assert (events is None) == is_cut, "cut though it came back in time, or never cut"
    if not is_cut:
        return events
    more = read_on(user.stream(since=stream.last_id), last)
    assert more is not None, "cut though it had come back"
    return [event.data for event in stream.events] + more


def read_on(stream, last):
    """All events up to the last; None if the server ended the stream before."""
    try:
        stream.wait(lambda: has_arrived(stream, last), "the rest", timeout=60)
    except Closed:
        return None
    events = [event.data for event in stream.events]
    stream.close()
    return events


def test_a_reader_that_takes_little_is_not_cut(start, names):
    server = start(sse__peer_timeout="4s", sse__heartbeat="500ms")
    owner, room = server.user("owner"), names("room")
    owner.create(room)
    stream = owner.stream(receive_bytes=16384)
    stream.open()
    sent = [owner.send(room, "x" * 8000)["id"] for _ in range(28)]
    assert stream.sip(lambda: has_arrived(stream, sent[-1]), "all of it") > 6, "too fast to tell"
    assert [event.id for event in stream.of("new_message")] == sent
    assert server.metric("peers_cut_total") == 0
    stream.close()


def test_ephemeral_events_are_skipped_not_piled_up(start, names):
    server = start(limits__sessions=0)
    owner, room = server.user("owner"), names("room")
    owner.create(room)
    reader = server.user("reader")
    reader.join(room)
    stream = reader.stream(receive_bytes=16384)
    stream.open()
    before = server.rss_kb()
    kept = []
    for number in range(600):
        owner.post(f"/v1/rooms/{room}/events", {"type": "custom.cursor", "ephemeral": True,
                                                "data": {"n": number, "x": "y" * 4000}})
        if number % 100 == 0:
            kept.append(owner.send(room, f"kept {number}")["id"])
    assert server.rss_kb() - before < 16 * 1024
    stream.wait(lambda: has_arrived(stream, kept[-1]), "the durable ones")
    assert [event.id for event in stream.of("new_message")] == kept
    numbers = [event["data"]["n"] for event in stream.of("custom.cursor")]
    assert numbers == sorted(numbers) and len(numbers) == len(set(numbers))
    stream.close()


def test_history_is_read_as_it_is_taken(start, names, tell):
    """It waits in the journal, not in memory, for readers that do not read."""
    server = start(limits__sessions=0, sse__peer_timeout="60s")
    owner, rooms = server.user("owner"), [names("room") for _ in range(2)]
    for room in rooms:
        owner.create(room)
    sent = [owner.send(room, f"{number} " + "x" * 10000)["id"]
            for number in range(100) for room in rooms]
    for _ in range(8):  # what the journal keeps for its readers is there before
        with owner.stream(history=100) as stream:
            stream.until("caught_up")
    before = server.rss_kb()
    stopped = [owner.stream(receive_bytes=16384, history=100) for _ in range(STOPPED)]
    pollers = [owner.poller(history=100, limit=1) for _ in range(STOPPED)]
    assert {stream.take().type for stream in stopped} == {"connected"}
    assert [poller.once()[0]["id"] for poller in pollers] == sent[:1] * STOPPED
    most = queue = 0
    for _ in range(100):
        sent.append(owner.send(rooms[0], "meanwhile")["id"])
        most, queue = max(most, server.rss_kb()), max(queue, kernel_bytes(server.port, stopped))
    tell(f"{len(sent)} messages of 10 KB, {2 * STOPPED} stopped readers: {most - before} KB more")
    assert most - before + STOPPED * queue / 1024 < 2 * STOPPED * 256
    for stream in stopped:
        stream.until("caught_up")
        has_id = [event.id is not None for event in stream.of("new_message")]
        assert [event.data["id"] for event in stream.of("new_message")] == sent
        assert has_id == [False] * 200 + [True] * 100
        assert stream.of("caught_up")[0]["replayed"] == 300
        stream.close()
    for poller in pollers:
        while poller.cursor != sent[-1]:
            poller.once(limit=1000)
        assert [event["id"] for event in poller.events] == sent
        poller.close()
