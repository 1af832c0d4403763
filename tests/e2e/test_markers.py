"""Read markers, unread counts, receipts."""
import pytest

from lib.room import everyone, room_path
from lib.sse import id_key

OPTIONS = {"receipts.coalesce_ms": "200ms", "rooms.quiet_limit": 4}


def read(user, room, up_to, status=200, code=None):
    return user.post(room_path(room, "read"), {"upTo": up_to}).expect(status, code).json


def receipts(events, user):
    return [event for event in events
            if event.type == "message_read" and event["userId"] == user.name]


def unread(user):
    """{roomId: (unread, mentions)} of GET /v1/unread, whose sums are checked."""
    answer = user.get("/v1/unread").expect(200).json
    rooms = {room["roomId"]: (room["unread"], room["mentions"]) for room in answer["rooms"]}
    assert len(rooms) == len(answer["rooms"])
    assert answer["unread"] == sum(count for count, _ in rooms.values())
    assert answer["mentions"] == sum(count for _, count in rooms.values())
    assert id_key(answer["asOf"]) > (0, 0)
    return rooms


def listed(user, room):
    """(unread, mentions, readUpTo), the same in the list and by itself."""
    one = user.get(room_path(room)).expect(200).json
    other = {entry["roomId"]: entry for entry in user.get("/v1/rooms").expect(200).json["rooms"]}
    for name in ("unread", "mentions", "readUpTo"):
        assert one.get(name) == other[room].get(name), name
    return one["unread"], one["mentions"], one["readUpTo"]


def test_unread_everywhere(server, names):
    owner, member, other, room = everyone(server, names)
    joined = listed(member, room)
    assert joined[:2] == (0, 0) and unread(member) == {}
    first = owner.send(room, "one")
    owner.send(room, "two", mentions=[member.name, other.name])
    owner.send(room, "aside", threadId=first["messageId"], mentions=[member.name])
    assert listed(member, room) == (2, 1, joined[2])
    assert unread(member) == {room: (2, 1)}
    assert unread(owner) == {} and unread(other) == {}
    with member.stream() as stream:
        connected = stream.open()
        assert (connected["unread"], connected["mentions"]) == (2, 1)
    assert "unread" not in other.get(room_path(room)).expect(200).json
    answer = read(member, room, first["id"])
    assert answer == {"roomId": room, "upTo": first["id"], "unread": 1, "mentions": 1,
                      "asOf": answer["asOf"]}
    assert listed(member, room) == (1, 1, first["id"])
    sent = member.send(room, "mine")
    assert listed(member, room) == (0, 0, sent["id"]) and unread(member) == {}
    assert unread(owner) == {room: (1, 0)}
    member.leave(room)
    owner.send(room, "three")
    member.join(room)
    assert listed(member, room)[:2] == (0, 0)


def test_edits_and_deletions(server, names):
    owner, member, _, room = everyone(server, names)
    sent = [owner.send(room, str(number), mentions=[member.name]) for number in range(5)]
    assert unread(member) == {room: (5, 5)}
    paths = [room_path(room, "messages", message["messageId"]) for message in sent]
    owner.patch(paths[0], {"text": "nobody"}).expect(200)
    assert unread(member) == {room: (5, 4)}
    owner.patch(paths[0], {"text": "again", "mentions": [member.name]}).expect(200)
    assert unread(member) == {room: (5, 5)}
    owner.delete(paths[1]).expect(200)
    owner.delete(paths[1]).expect(200)
    assert unread(member) == {room: (4, 4)}
    assert read(member, room, sent[2]["messageId"])["unread"] == 2
    owner.delete(paths[2]).expect(200)
    owner.delete(paths[3]).expect(200)
    owner.patch(paths[0], {"text": "too late", "mentions": [member.name]}).expect(200)
    assert unread(member) == {room: (1, 1)}


def test_marker_never_moves_back(server, names):
    owner, member, _, room = everyone(server, names)
    ids = [owner.send(room, str(number))["id"] for number in range(3)]
    elsewhere = owner.send(owner.create(names("room")), "x")["id"]
    assert read(member, room, ids[1])["upTo"] == ids[1]
    assert read(member, room, ids[0]) == read(member, room, ids[1])
    assert read(member, room, "0-0")["upTo"] == ids[1]
    answer = read(member, room, elsewhere)
    assert answer["upTo"] == ids[2] and answer["unread"] == 0
    assert read(member, room, "18446744073709551615-0")["upTo"] == ids[2]


@pytest.mark.parametrize("up_to, status, code", [
    (None, 400, "invalid_field"), (7, 400, "invalid_field"), ("", 400, "invalid_identifier"),
    ("a b", 400, "invalid_identifier"), ("nothing", 404, "not_found"),
    ("18446744073709551616-0", 400, "invalid_identifier"),
])
def test_bad_reads(server, names, up_to, status, code):
    owner, member, other, room = everyone(server, names)
    read(member, room, up_to, status, code)
    owner.send(room)
    read(other, room, "0-0", 403, "not_a_member")
    read(other, names("room"), "0-0", 404, "not_found")
    hidden = owner.create(names("room"), kind="private")
    read(member, hidden, "0-0", 404, "not_found")
    server.user(names("guest"), scope="guest").post(room_path(room, "read"), {"upTo": "0-0"}) \
        .expect(403, "not_allowed")


def test_receipts(server, names):
    """Of many moves one is told: to the others without, to oneself with what is unread."""
    owner, member, other, room = everyone(server, names)
    sent = [owner.send(room, str(number))["id"] for number in range(10)]
    streams = [owner.stream(), member.stream(), member.stream(),
               other.stream(watch=room), member.stream(rooms=owner.create(names("room")))]
    for stream in streams:
        stream.until("caught_up")
    for up_to in sent[:8]:
        read(member, room, up_to)
    told = streams[0].until("message_read", where=lambda event: event["userId"] == member.name)
    assert (told["roomId"], told["upTo"]) == (room, sent[7])
    assert "unread" not in told.data and told.id is None
    for stream in streams[1:3]:
        own = stream.until("message_read")
        assert (own["userId"], own["upTo"], own["unread"], own["mentions"]) == \
            (member.name, sent[7], 2, 0)
    for stream in streams:
        assert receipts(stream.quiet(0.5), member) == []
    for stream in streams[3:]:
        assert stream.of("message_read") == []
    read(member, room, sent[0])
    assert streams[0].quiet(0.4) == []
    for stream in streams:
        stream.close()


def test_sending_is_told_to_oneself(server, names):
    owner, member, _, room = everyone(server, names)
    owner.send(room, "unread")
    streams = [owner.stream(), member.stream()]
    for stream in streams:
        stream.until("caught_up")
    sent = [member.send(room, str(number))["id"] for number in range(5)]
    own = streams[1].until("message_read", where=lambda event: event["upTo"] == sent[-1])
    assert (own["roomId"], own["unread"], own["mentions"]) == (room, 0, 0)
    streams[0].quiet(0.5)
    assert receipts(streams[0].events, member) == []
    for stream in streams:
        stream.close()


def test_delivered(server, names):
    owner, member, _, room = everyone(server, names)
    quiet = owner.create(names("room"))
    member.join(quiet)
    streams = [owner.stream(), member.stream()]
    for stream in streams:
        stream.until("caught_up")
    sent = [owner.send(room, str(number))["id"] for number in range(4)]
    for cursor in sent[:3]:
        member.post("/v1/acks", {"cursor": cursor, "device": "phone"}).expect(200)
    told = streams[0].until("message_delivered")
    assert (told["roomId"], told["userId"], told["upTo"]) == (room, member.name, sent[2])
    member.post("/v1/acks", {"cursor": sent[1], "device": "desk"}).expect(200)
    assert [event for event in streams[0].quiet(0.5) if event.type == "message_delivered"] == []
    head = owner.get(room_path(room)).json["asOf"]
    member.post("/v1/acks", {"cursor": head}).expect(200)
    assert streams[0].until("message_delivered")["upTo"] == sent[3]
    assert streams[1].of("message_delivered") == []
    for stream in streams:
        stream.close()


def test_large_rooms(server, names):
    """Above the limit nobody hears of others, only of oneself."""
    owner, member, _, room = everyone(server, names)
    owner.post(room_path(room, "members"),
               {"users": [names("user") for _ in range(3)]}).expect(200)
    streams = [owner.stream(), member.stream()]
    for stream in streams:
        stream.until("caught_up")
    sent = owner.send(room)["id"]
    read(member, room, sent)
    member.post("/v1/acks", {"cursor": sent, "device": "phone"}).expect(200)
    own = streams[1].until("message_read")
    assert (own["upTo"], own["unread"]) == (sent, 0)
    told = [event for event in streams[0].quiet(0.5)
            if event.type == "message_delivered" or event.get("userId") == member.name]
    assert told == []
    for stream in streams:
        stream.close()


def test_in_a_batch(server, names):
    owner, member, _, room = everyone(server, names)
    sent = [owner.send(room, str(number), messageId=names("m")) for number in range(3)]
    answer = member.post("/v1/batch", {"events": [
        {"type": "read", "roomId": room, "upTo": sent[0]["messageId"]},
        {"type": "ack", "cursor": sent[1]["id"]},
        {"type": "read", "roomId": room, "upTo": sent[1]["id"]}]}).expect(200).json
    assert [result["status"] for result in answer["results"]] == [200] * 3
    assert [answer["results"][at]["unread"] for at in (0, 2)] == [2, 1]


def told_again(events):
    found = [(event["type"], event["roomId"], event["userId"], event["upTo"], event.get("unread"))
             for event in events if event["type"] in ("message_read", "message_delivered")]
    return sorted(found, key=str)


def test_told_again(server, names):
    """After a resume: what reading moved, of others and oneself, before caught_up."""
    owner, member, _, room = everyone(server, names)
    large = owner.create(names("room"))
    member.join(large)
    owner.post(room_path(large, "members"),
               {"users": [names("user") for _ in range(3)]}).expect(200)
    live = [owner.stream(), member.stream()]
    cursors = [stream.open()["cursor"] for stream in live]
    first = owner.send(room)["id"]
    apart = owner.send(large)["id"]
    last = owner.send(room)["id"]
    read(member, room, first)
    read(member, large, apart)
    member.post("/v1/acks", {"cursor": last, "device": "phone"}).expect(200)
    expected = [
        [("message_delivered", room, member.name, last, None),
         ("message_read", room, member.name, first, None)],
        [("message_read", large, member.name, apart, 0),
         ("message_read", room, member.name, first, 1)]]
    own = [("message_read", where, owner.name, up_to, 0) for where, up_to in
           ((room, last), (large, apart))]
    for stream, wanted in zip(live, (expected[0] + own, expected[1])):
        stream.wait(lambda: set(told_again(stream.events)) >= set(wanted), "what moved, live")
        stream.close()
    for user, cursor, wanted in zip((owner, member), cursors, expected):
        stream = user.stream(since=cursor)
        stream.until("caught_up")
        assert told_again(stream.events) == sorted(wanted, key=str)
        types = [event.type for event in stream.events]
        assert types.index("message_read") > max(at for at, kind in enumerate(types)
                                                 if kind == "new_message")
        assert types[-1] == "caught_up"
        stream.close()
        with user.stream(since=cursor, rooms=large) as stream:
            stream.until("caught_up")
            assert told_again(stream.events) == [one for one in wanted if one[1] == large]
        answer = user.poller(since=cursor).once(wait=5)
        assert told_again(answer) == sorted(wanted, key=str)
    with member.stream() as stream:
        stream.until("caught_up")
        assert told_again(stream.events) == [], "a fresh one begins with the state"


def test_a_repeat_ends_no_wait(server, names):
    """A poll that has nothing but what was told before waits, and tells it at the end."""
    owner, member, _, room = everyone(server, names)
    read(member, room, owner.send(room)["id"])
    head = owner.get(room_path(room)).json["asOf"]
    poller = owner.poller(since=head)
    poller.start(wait=20)
    sent = member.send(room)["id"]
    answer = poller.finish()
    assert [event["id"] for event in answer if event["type"] == "new_message"] == [sent]
    assert ("message_read", room, member.name) in [one[:3] for one in told_again(answer)]
    poller.close()
