"""Presence of many: they come at once, and they come back all the time."""
import heapq
import itertools
import time

from lib.sse import Crowd

LOAD = True
USERS, ROOMS = 1000, 20
GRACE_S = 3
# A native EventSource waits as long as `retry:` said: once to three times of sse.retry.
OPTIONS = {"presence.grace": f"{GRACE_S}s", "sse.retry": "500ms", "server.workers": 2,
           "limits.sessions": 0, "limits.requests": 0}
ROLLING_S, CUTS_MIN = 8, 500  # so long and so often


def make_people(server, names):
    """Users by room, each in one of them."""
    service = server.service()
    rooms = {}
    for number in range(ROOMS):
        members = [server.user(names("user")) for _ in range(USERS // ROOMS)]
        room = service.create(names("room"), kind="private")
        service.post(f"/v1/rooms/{room}/members", {"users": [user.name for user in members]}) \
            .expect(200)
        rooms[room] = members
    return rooms


def online_at(stream):
    """Who is online as the stream has been told."""
    state = {}
    for event in stream.of("presence_update"):
        state[event["userId"]] = event["status"]
    return {user for user, status in state.items() if status == "online"}


def settled(streams, members):
    """Each has been told of all the others; of itself only when it came."""
    everybody = {user.name for user in members}
    return all(online_at(streams[user]) | {user.name} == everybody for user in members)


def test_a_crowd_that_comes_and_comes_back(server, names, tell, seed):
    rooms = make_people(server, names)
    users = [user for members in rooms.values() for user in members]
    crowd, streams = Crowd(), {}
    started = time.monotonic()
    writes = server.metric("delivery_writes_total")
    for number, user in enumerate(users):
        streams[user] = crowd.add(user.stream(presence="rooms"))
        if number % 20 == 0:
            crowd.pump(0)
    for members in rooms.values():
        crowd.wait(lambda: settled(streams, members), "all are told of all")  # noqa: B023
    seconds = time.monotonic() - started
    told = server.metric("presence_told_total")
    writes = server.metric("delivery_writes_total") - writes
    pairs = USERS * (USERS // ROOMS)
    tell(f"{USERS} came in {seconds:.1f} s: {pairs} pairs, {told:.0f} updates, {writes:.0f} writes")
    # Each hears of each once, by the snapshot or as it happens; of itself too.
    assert pairs <= told <= pairs * 1.1
    # Folded: each session is written to about four times a second.
    assert writes <= USERS * (4 * seconds + 6)

    cut, due, absences = {}, [], []
    order = itertools.count()
    end = time.monotonic() + ROLLING_S
    while time.monotonic() < end or len(absences) < CUTS_MIN or due:
        now = time.monotonic()
        while due and due[0][0] <= now:
            user, left_at = heapq.heappop(due)[2:]
            streams[user] = crowd.add(user.stream(since=cut.pop(user), presence="rooms"))
            absences.append((user, left_at, streams[user]))
        if now < end or len(absences) < CUTS_MIN:
            for user in seed.sample(users, 3):
                stream = streams[user]
                retry = [event.retry for event in stream.events if event.retry]
                if user in cut or not retry or not stream.of("caught_up"):
                    continue
                crowd.remove(stream)
                stream.cut()
                cut[user] = stream.last_id
                heapq.heappush(due, (now + retry[-1] / 1000, next(order), user, now))
        crowd.pump(0.01)
    for members in rooms.values():
        crowd.wait(lambda: settled(streams, members), "all are online for all")  # noqa: B023
    # Nobody was ever seen to go but who was away for about the grace, as some are on a busy
    # machine; and those that stayed were told of nobody else twice.
    end = time.monotonic() + GRACE_S + 0.5
    while time.monotonic() < end:
        crowd.pump()
    late = {user.name for user, left_at, stream in absences
            if stream.of("caught_up")[0].at - left_at > GRACE_S - 0.5}
    tell(f"{len(absences)} reconnects, {len(late)} too late")
    assert len(late) < USERS / 2
    for stream in streams.values():
        updates = [event for event in stream.of("presence_update") if event["userId"] not in late]
        assert {event["status"] for event in updates} == {"online"}, updates
        assert len(updates) <= USERS // ROOMS, "no more than one of each"
    crowd.close()
