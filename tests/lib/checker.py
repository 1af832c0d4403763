"""The promise, checked: what was acknowledged, held against what each reader received.

lost        acknowledged, due to the reader, and never received
duplicate   received twice
reordered   received after one with a higher id
leaked      of a room (or a time) that the reader may not see
invented    received though nobody sent it
"""
from collections import defaultdict

from .sse import id_key


class Ledger:
    """What was sent, by room and messageId; `id` is None while the outcome is not known."""

    def __init__(self):
        self.sent = {}  # (room, messageId) -> id or None

    def trying(self, room, message_id):
        self.sent.setdefault((room, message_id), None)

    def acknowledged(self, room, message_id, event_id):
        before = self.sent.get((room, message_id))
        assert before in (None, event_id), f"{message_id} was {before}, is {event_id} now"
        self.sent[(room, message_id)] = event_id

    def acknowledged_in(self, rooms):
        return {key: value for key, value in self.sent.items() if value and key[0] in rooms}


def check_reader(name, events, ledger, rooms, after=None):
    """`events`: the durable data objects in order of arrival. `rooms`: what the reader may see.
    `after`: the id above which all is due. Returns a list of faults, each a text."""
    faults, seen, last = [], {}, (0, 0)
    for event in events:
        if event["type"] in ("gap", "reset"):
            faults.append(f"{name}: {event}")
        if event["type"] != "new_message" or "id" not in event:
            continue
        key, position = (event["roomId"], event["messageId"]), id_key(event["id"])
        if event["roomId"] not in rooms:
            faults.append(f"{name}: leaked {key}")
        if key in seen:
            faults.append(f"{name}: duplicate {key} at {event['id']} and {seen[key]}")
        elif position <= last:
            faults.append(f"{name}: reordered {key} at {event['id']} after {last}")
        if key not in ledger.sent:
            faults.append(f"{name}: invented {key}")
        elif ledger.sent[key] not in (None, event["id"]):
            faults.append(f"{name}: {key} was stored as {ledger.sent[key]}, came as {event['id']}")
        seen[key], last = event["id"], max(last, position)
    floor = id_key(after) if after else (0, 0)
    for key, event_id in ledger.acknowledged_in(rooms).items():
        if id_key(event_id) > floor and key not in seen:
            faults.append(f"{name}: lost {key} at {event_id}")
    return faults


def check(readers, ledger):
    """`readers`: name -> (events, rooms, after). Fails with the first faults of each kind."""
    faults = []
    for name, (events, rooms, after) in readers.items():
        faults += check_reader(name, events, ledger, rooms, after)
    kinds = defaultdict(list)
    for fault in faults:
        kinds[fault.split(": ", 1)[1].split(" ")[0]].append(fault)
    told = "\n".join(f"{len(texts)} x {kind}: " + " | ".join(texts[:3])
                     for kind, texts in kinds.items())
    assert not faults, told
