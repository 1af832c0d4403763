"""kill -9 fifty times under load: after each restart every acknowledged message is there once."""
import time

import pytest

from lib.checker import check
from lib.http import path
from lib.sender import Senders
from lib.sse import id_key

LOAD = True
KILLS = 50
pytestmark = pytest.mark.slow


def replay(user, since):
    """All durable events after a cursor."""
    with user.stream(since=since) as stream:
        stream.until("caught_up", timeout=60)
        return [event.data for event in stream.events if event.durable], stream.last_id


@pytest.mark.parametrize("durability", ["disk", "relaxed"])
def test_what_was_acknowledged_survives(start, names, seed, tmp_path, durability, tell):
    server = start(journal__durability=durability, limits__sessions=0, replay__max_events=0)
    server.keep_port()
    kills = KILLS if durability == "disk" else KILLS // 5
    owner, rooms = server.user("owner"), [names("room"), names("room")]
    senders = [server.user("one"), server.user("two")]
    for room in rooms:
        owner.create(room)
        for sender in senders:
            sender.join(room)
    begin = owner.get("/v1/poll?wait=0").json["cursor"]
    load = Senders(server, senders, rooms, tmp_path)
    checked, everything = begin, []
    for _ in range(kills):
        load.wait_for(seed.randrange(1, 30))
        time.sleep(seed.random() * 0.02)
        server.kill()
        ledger = load.ledger()
        server.start()
        events, upto = replay(owner, checked)
        ledger_now = load.ledger()
        for key, value in ledger_now.sent.items():
            ledger.sent.setdefault(key, None)
            del value
        check({"owner": (events, set(rooms), checked)}, ledger)
        everything += events
        if id_key(upto) > id_key(checked):
            checked = upto
    ledger = load.stop()
    events, _ = replay(owner, checked)
    everything += events
    check({"all in parts": (everything, set(rooms), begin),
           "all at once": (replay(owner, begin)[0], set(rooms), begin)}, ledger)
    for room in rooms:
        owner.close()
        history, before = [], None
        while True:
            page = owner.get(path("v1", "rooms", room, "messages", limit=100, before=before)).json
            history += page["messages"]
            before = page.get("nextBefore")
            if not before:
                break
        acknowledged = {message for _, message in ledger.acknowledged_in({room})}
        ids = [message["messageId"] for message in history]
        assert len(ids) == len(set(ids)), "history has one twice"
        assert acknowledged <= set(ids), "history has lost some"
    tell(f"{kills} kills, {len(ledger.sent)} messages, {len(everything)} events")
    server.stop()
    server.start()
