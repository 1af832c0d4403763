"""What is deleted while it waits for a slow reader: no block that holds it is begun once the
deletion is answered, whatever the reader may see of the room by then."""
import pytest

from lib.http import path, wait_until
from lib.room import room_path

# All that is sent fits the queue, and far less the kernel: the last of it surely has to wait.
OPTIONS = {"sse.queue_bytes": "8m", "limits.sessions": 0, "replay.max_events": 0}
MESSAGES, DELETED = 100, 15
TEXT = "secret " * 800
READERS = 4  # over the workers


@pytest.fixture
def room(server, names):
    return Room(server, names)


class Room:
    def __init__(self, server, names):
        self.server, self.names = server, names
        self.owner, self.writer = server.user(names("owner")), server.user(names("writer"))
        self.name = self.owner.create(names("room"))
        self.readers = [server.user(names("reader")) for _ in range(READERS)]
        for user in [self.writer, *self.readers]:
            user.join(self.name)
        self.begin = self.owner.get(room_path(self.name)).json["asOf"]
        self.sent, self.gone = [], set()

    def streams(self, **query):
        return [reader.stream(receive_bytes=4096, **query) for reader in self.readers]

    def fill(self):
        self.sent = [self.writer.send(self.name, f"{TEXT}{number}", messageId=f"m{number}")["id"]
                     for number in range(MESSAGES)]
        self.gone = {f"m{number}" for number in range(MESSAGES - DELETED, MESSAGES)}
        self.writer.patch(room_path(self.name, "messages", f"m{MESSAGES - 1}"),
                         {"text": f"{TEXT}edited"}).expect(200)

    def remove_readers(self):
        for reader in self.readers:
            self.owner.delete(room_path(self.name, "members", reader.name)).expect(200)

    def erase(self):
        for message in self.gone:
            self.owner.delete(room_path(self.name, "messages", message)).expect(200)

    def replayed(self):
        """The erased ones as the journal gives them."""
        with self.owner.stream(since=self.begin) as stream:
            stream.until("caught_up")
            return self.erased_of([event.data for event in stream.events])

    def erased_of(self, events):
        return [event for event in events
                if event["type"] in ("new_message", "message_edited")
                and event["messageId"] in self.gone]

    def check(self, events):
        """All of them have come, in order, and the content of the deleted with none."""
        messages = [event for event in events if event["type"] == "new_message"]
        assert [event["id"] for event in messages] == self.sent
        erased = self.erased_of(events)
        assert len(erased) >= DELETED
        for event in erased:
            assert event.get("deleted") and not {"text", "message", "mentions"} & event.keys()
        for event in messages[:MESSAGES // 2]:
            assert event["text"].startswith("secret")
        return erased


def read(stream, *until):
    stream.until(*until, timeout=60)
    stream.close()
    return [event.data for event in stream.events]


def last_deletion(room):
    return lambda event: event["messageId"] == list(room.gone)[-1]


def test_in_the_queue_of_a_member(room):
    streams = room.streams()
    for stream in streams:
        stream.open()
    room.fill()
    room.erase()
    for stream in streams:
        stream.until("message_deleted", where=last_deletion(room), timeout=60)
        assert room.check([event.data for event in stream.events]) == room.replayed()
        stream.close()


def test_of_one_who_has_left_the_room(room):
    streams = room.streams()
    for stream in streams:
        stream.open()
    room.fill()
    room.remove_readers()
    room.erase()
    for stream in streams:
        events = read(stream, "user_left")
        assert room.check(events) == room.replayed()


def test_of_one_whose_replay_runs(room, server):
    room.fill()
    before = server.metric("replayed_total")
    streams = room.streams(since=room.begin)
    wait_until(lambda: server.metric("replayed_total") >= before + READERS * MESSAGES,
               "all is queued")
    room.erase()
    for stream in streams:
        assert room.check(read(stream, "caught_up")) == room.replayed()


def test_of_one_who_is_given_history(room):
    room.fill()
    streams = room.streams(history=MESSAGES)
    for stream in streams:
        stream.until("connected")
    room.erase()
    for stream in streams:
        room.check(read(stream, "caught_up"))


def test_of_a_session_that_has_ended(room):
    streams = room.streams()
    names = [stream.take()["sessionId"] for stream in streams]
    for stream in streams:
        stream.until("caught_up")
    room.fill()
    for reader, name in zip(room.readers, names):
        reader.delete(path("v1", "session", name)).expect(204)
    room.erase()
    for stream in streams:
        assert room.check(read(stream, "ended")) == room.replayed()


def test_in_the_queue_of_a_poll(room):
    pollers = [reader.poller(session=room.names("session")) for reader in room.readers]
    for poller in pollers:
        poller.once()
    room.fill()
    room.remove_readers()
    room.erase()
    for poller in pollers:
        while not any(event["type"] == "user_left" for event in poller.events):
            assert poller.once(wait=10)
        assert room.check(poller.events) == room.replayed()
        poller.close()


@pytest.mark.parametrize("how", ["batch", "ban"])
def test_by_whatever_deletes_it(room, how):
    streams = room.streams()
    for stream in streams:
        stream.open()
    room.fill()
    room.remove_readers()
    if how == "batch":
        events = [{"type": "delete_message", "roomId": room.name, "messageId": message}
                  for message in room.gone]
        room.owner.post(path("v1", "batch"), {"events": events}).expect(200)
    else:
        room.owner.put(room_path(room.name, "bans", room.writer.name),
                       {"deleteMessages": True}).expect(200)
    for stream in streams:
        events = read(stream, "user_left")
        assert [event["id"] for event in events if event["type"] == "new_message"] == room.sent
        for event in events[-DELETED:-1]:
            assert "secret" not in str(event), event
