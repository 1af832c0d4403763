"""Real readers, held against what they are due."""
from ..sse import id_key
from .cells import difference, learn, match
from .follow import Life

SLOW_BYTES = 2048  # that one who is slow takes into its socket
WAIT = 30  # seconds; a hang, never a measure of speed
OF_THE_STREAM = {"connected", "caught_up", "heartbeat", "room_denied", "reconnect"}
RECEIPTS = {"message_read", "message_delivered"}
SIGNALS = {"presence_update", "user_typing", "user_stopped_typing", "here_update", "room_stats"}


def is_durable(event):
    return "id" in event and event["type"] not in OF_THE_STREAM


def check_event(life, index, event, who):
    """The next durable event, from this place of what is due on; the place behind it. `event`: its
    JSON."""
    for place in range(index, len(life.due)):
        forms = life.forms(life.due[place])
        found = [difference(form, event, event.get("type")) for form in forms]
        if None in found:
            learn(forms[found.index(None)], event)
            return place + 1
        assert not life.due[place].certain, \
            f"{who}: {found[0]}\n  expected {forms}\n  got      {event}" \
            f"\n  next due {[due.entry for due in life.due[place + 1:place + 4]]}"
    raise AssertionError(f"{who}: nothing is due, but came {event}")


class Reader:
    """One that comes, is cut, and comes back with its cursor."""

    def __init__(self, game, user, names=(), follows_all=True, session=None, device=None,
                 slow=False):
        self.device, self.slow = device, slow
        self.game, self.user, self.names = game, user, list(names)
        self.follows_all, self.session = follows_all, session
        self.cursor = None      # the id to go on from; None: live from now
        self.life = None

    def __repr__(self):
        rooms = "" if self.follows_all and not self.names else \
            f" {'all+' if self.follows_all else ''}{','.join(self.names)}"
        return f"<{type(self).__name__} {self.user.name}{rooms} {self.session or ''}>"

    def query(self):
        listed = ",".join(self.names) or None
        return {"session": self.session,
                **({"watch": listed} if self.follows_all else {"rooms": listed})}

    def index_of(self, cursor):
        return None if cursor is None else self.game.journal.index_of[cursor]

    def begin(self, start):
        self.life = Life(self.game.realm, self.user, self.names, self.follows_all, self.session,
                         start, self.slow or self.game.queues_are_small)


class SseReader(Reader):
    stream = None
    checked = 0                  # of what this life is due, up to the last event that came

    @property
    def is_open(self):
        return self.stream is not None

    def open(self, caught_up=True):
        """`caught_up`: waits for it, which one who watches always does."""
        self.stream = self.game.client(self.user).stream(
            since=self.cursor, presence="none", device=self.device, **self.query(),
            receive_bytes=SLOW_BYTES if self.slow else None)
        connected = self.stream.take(WAIT)
        assert connected.type == "connected", connected
        start = self.index_of(self.cursor)
        if self.device:
            start = self._begin_device(start)
        if connected["resumed"] != (start is not None):
            raise AssertionError(f"{self}: {connected} for {self.cursor}, entry {start}; "
                                 f"then {self.stream.take(WAIT)}")
        match(self._id_at(start), connected["cursor"], f"{self}: cursor")
        self.begin(start)
        self.game.check_connected(self.user, connected.data)
        self.checked, self.place, self.receipts = 0, 1, {}
        self.game.journal.followers.append(self.life)
        if caught_up or self.names:
            self.wait_until_live()

    def _id_at(self, index):
        journal = self.game.journal
        if index is None:
            return journal.head
        return journal.entries[index].id if index >= 0 else "0-0"

    def _begin_device(self, start):
        """A known device without a cursor goes on from what it has acknowledged."""
        devices = self.user.devices
        if self.device in devices:
            return devices[self.device] if start is None else start
        head = len(self.game.journal.entries) - 1
        devices[self.device] = head if start is None else start
        return start

    def wait_until_live(self):
        if not self.life.is_live:
            # One that is slow is fed by replays, whenever it falls behind.
            self.life.is_live = not self.slow
            self.stream.wait(lambda: self.stream.of("caught_up"), f"{self}: caught_up", WAIT)

    def read(self):
        """Takes what is there and holds it against what is due."""
        self.stream.pump()
        self._check_all()

    def _check_all(self):
        while self.place < len(self.stream.events):
            self._check(self.stream.events[self.place])
            self.place += 1

    def _check(self, event):
        if event.type == "caught_up":
            # What happened meanwhile may have come live.
            least = sum(1 for due in self.life.due
                        if due.certain and due.entry.index < self.life.opened_at)
            assert least <= event["replayed"] <= self.checked, \
                f"{self}: {event} after {self.checked} events, {least} of them older"
        if event.get("ephemeral"):
            self._hear(event.data)
        elif is_durable(event.data):
            self.checked = check_event(self.life, self.checked, event.data, self)
            assert event.id == event["id"], f"{self}: {event}"
        elif event.type in RECEIPTS:
            self._note_receipt(event.data)
        else:
            assert event.type in OF_THE_STREAM | SIGNALS, f"{self}: {event}"

    def _note_receipt(self, event):
        """Markers only move forward, and never beyond what the member has told."""
        upto = self.game.journal.index_of.get(event["upTo"])
        room = self.game.realm.rooms.get(event["roomId"])
        member = room.members.get(event["userId"]) if room else None
        own = event["userId"] == self.user.name and event["type"] == "message_read"
        assert ("unread" in event) == own, f"{self}: {event}"
        if upto is None:
            return
        if member and event["type"] == "message_read":
            assert upto <= member.read.index, f"{self}: {event}, {member.read} at most"
        name = event["type"], event["roomId"], event["userId"]
        assert upto >= self.receipts.get(name, -1), f"{self}: {event} goes back"
        self.receipts[name] = upto

    def are_markers_told(self):
        """Of the rooms that the user is still in."""
        self.read()
        name = self.user.name
        return all(self.receipts.get(("message_read", room.id, name)) == entry.index
                   for room, entry in self.life.markers.items()
                   if not room.deleted and name in room.members and
                   room.members[name].read is entry)

    def _hear(self, event):
        name = event["messageId"]
        assert name in self.life.whispers, f"{self}: {event}"
        match(self.life.whispers.pop(name)[0].event, event, f"{self}: ephemeral")

    def catch_up(self):
        """Until everything due is here, and nothing else."""
        self.wait_until_live()
        try:
            self.stream.wait(self._is_given, f"{self}: all", WAIT)
        finally:
            self.read()
        self.check_denied()
        missed = [whisper.event for whisper, certain in self.life.whispers.values() if certain]
        assert not missed, f"{self}: {missed}"

    def _is_given(self):
        self._check_all()
        return self.life.is_given(self.checked)

    def check_denied(self):
        denied = [(event["roomId"], event["code"]) for event in self.stream.of("room_denied")]
        assert denied == self.life.denied, f"{self}: denied {denied}, {self.life.denied} due"

    def leave(self, reset=True):
        """Leaves, with whatever was read."""
        if self.stream is None:
            return
        self.read()
        self.game.journal.followers.remove(self.life)
        last = self.stream.last_id
        if last is not None and last in self.game.journal.index_of:
            self.cursor = last
        self.stream.cut() if reset else self.stream.close()
        self.stream = self.life = None


class PollReader(Reader):
    """A chain of polls. Each is held against what was due from its cursor on."""

    is_open = True
    drained = True            # nothing was left to be given
    place = None              # index of the entry up to which everything was given

    def __init__(self, game, user, **more):
        super().__init__(game, user, **more)
        self.poller = game.client(user).poller(presence="none", **self.query())

    def poll(self, limit=100, wait=0, lose=False):
        """`lose`: the answer does not arrive; the cursor stays."""
        start = self.index_of(self.poller.cursor) if self.place is None else self.place
        self.begin(start)
        if self.session:
            self.life.queued_at = len(self.game.journal.entries) if self.drained else 0
        before = self.poller.cursor
        self.poller.session = self.session
        events = self.poller.once(wait=wait, limit=limit)
        place = 0
        for event in events:
            if event.get("ephemeral"):
                whisper = self.game.journal.whispers[event["messageId"]]
                assert self.session and self.user.name in whisper.seers, f"{self}: {event}"
                match(whisper.event, event, f"{self}: ephemeral")
            elif is_durable(event):
                place = check_event(self.life, place, event, self)
            else:
                assert event["type"] in OF_THE_STREAM | SIGNALS | RECEIPTS, f"{self}: {event}"
        self._check_cursor(start, place)
        self.drained = lose or place == len(self.life.due)
        if lose:
            self.poller.cursor = before
        else:
            self._note_place(start, place)
        return place

    def _note_place(self, start, count):
        """A cursor may name an entry that nobody has been shown: then it is none of this reader's
        either, nor is anything between it and the last that was given."""
        last = self.life.due[count - 1].entry.index if count else start
        self.place = self.game.journal.index_of.get(self.poller.cursor, last)

    def _check_cursor(self, start, place):
        """It stands at the last event given, or beyond where nothing more was due."""
        cursor = self.poller.cursor
        due = self.life.due
        if start is None:
            found = difference(self.game.journal.head, cursor, "cursor")
            assert not found, f"{self}: {found}"
            learn(self.game.journal.head, cursor)
            return
        if place < len(due):
            entry = due[place].entry
            assert entry.id.value is None or id_key(cursor) < id_key(entry.id.value), \
                f"{self}: the cursor {cursor} passes over {entry}"
        if place:
            assert id_key(cursor) >= id_key(due[place - 1].entry.id.value), f"{self}: {cursor}"

    def catch_up(self):
        for _ in range(200):
            self.poll(wait=5)
            if self.poller.cursor == self.game.journal.head.value:
                return
        raise AssertionError(f"{self}: does not reach the head")

    def read(self):
        pass

    def leave(self):
        self.poller.close()


def probe(game, user, names, follows_all, cursor):
    """A stream that comes with a cursor, is given all that is due, and goes."""
    reader = SseReader(game, user, names, follows_all)
    reader.cursor = cursor
    reader.open()
    reader.catch_up()
    reader.leave()


def poll_probe(game, user, names, follows_all, cursor, limit):
    """The same by polls, so many events at a time."""
    reader = PollReader(game, user, names=names, follows_all=follows_all)
    reader.poller.cursor = cursor
    while reader.poller.cursor != game.journal.head.value:
        before = reader.poller.cursor
        place = reader.poll(limit=limit)
        assert reader.poller.cursor != before or cursor is None, \
            f"{reader}: {place} events from {before} on, limit {limit}, and no move; " \
            f"due {[due.entry for due in reader.life.due[:3]]}"
    reader.leave()


def history_probe(game, user, names, count):
    """A new stream that begins with the latest messages of each of its rooms."""
    realm, due = game.realm, []
    for room in realm.rooms.values():
        if user.name in room.members:
            messages = realm.history(user, room)
        elif room.id in names and not realm.may_read(user, room):
            since = -1 if user.granted(room.id, "read") else room.public_since
            messages = [one for one in room.messages.values() if one.entry.index > since]
        else:
            continue
        due += messages[len(messages) - min(count, len(messages)):]
    due.sort(key=lambda message: message.entry.index)
    with game.client(user).stream(history=count, presence="none",
                                  watch=",".join(names) or None) as stream:
        stream.open()
        came = [event for event in stream.events if is_durable(event.data)]
    match([message.shape(user) for message in due], [event.data for event in came],
          f"{user.name}: history={count} watch={names}")
    assert all(event.id is None for event in came), "a cut before its end would not start again"
