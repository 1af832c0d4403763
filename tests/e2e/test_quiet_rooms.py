"""Rooms above `rooms.quiet_limit`: joins and leaves are told to the person concerned alone."""
from lib.http import path
from lib.room import room_path

OPTIONS = {"rooms.quiet_limit": 3}


def large(server, names):
    """A public room of four, above the limit."""
    owner = server.user(names("owner"))
    room = owner.create(names("room"))
    owner.post(room_path(room, "members"),
               {"users": [names("user") for _ in range(3)]}).expect(200)
    return owner, room


def test_live(server, names):
    owner, room = large(server, names)
    member, elsewhere = server.user(names("member")), server.user(names("member"))
    other = owner.create(names("room"))
    streams = {"owner": owner.stream(), "member": member.stream(),
               "another": member.stream(rooms=other), "elsewhere": elsewhere.stream(rooms=room)}
    for stream in streams.values():
        stream.open()
    member.join(room)
    member.leave(room)
    owner.send(room, "after")
    own = streams["member"].until("user_left")
    assert own["userId"] == member.name and own["reason"] == "left"
    joined = [event for event in streams["member"].events if event.type == "user_joined"]
    assert [event["room"]["memberCount"] for event in joined] == [5]
    for name in ("owner", "elsewhere"):
        streams[name].until("new_message")
        assert not [event for event in streams[name].events
                    if event.type in ("user_joined", "user_left")]
    assert streams["another"].quiet(0.3) == []
    for stream in streams.values():
        stream.close()


def test_replay(server, names):
    owner, room = large(server, names)
    member = server.user(names("member"))
    before = owner.get(room_path(room)).json["asOf"]
    member.join(room)
    owner.send(room, "inside")
    owner.delete(room_path(room, "members", member.name)).expect(200)
    owner.send(room, "outside")
    for user, options, expected in (
            (member, {}, ["user_joined", "new_message", "user_left"]),
            (member, {"rooms": room}, ["user_joined", "new_message", "user_left", "new_message"]),
            (owner, {}, ["new_message", "new_message"])):
        stream = user.stream(since=before, **options)
        stream.until("caught_up")
        types = [event.type for event in stream.events]
        assert types == ["connected", *expected, "caught_up"]
        stream.close()
        poll = user.get(path("v1", "poll", since=before, wait=0, **options)).expect(200).json
        assert [event["type"] for event in poll["events"]] == expected


def test_small_again(server, names):
    owner, room = large(server, names)
    members = [row["userId"] for row in owner.get(room_path(room, "members")).json["members"]
               if row["userId"] != owner.name]
    stream = owner.stream()
    stream.open()
    for member in members[:2]:
        owner.delete(room_path(room, "members", member)).expect(200)
    left = stream.until("user_left")
    assert left["userId"] == members[1], "the first left a large room"
    stream.close()
