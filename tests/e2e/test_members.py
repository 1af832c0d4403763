"""Joining, leaving, and the list of members in detail."""
import time

import pytest

from lib.http import path
from lib.room import everyone, room_path


def test_join(server, names):
    owner, member = server.user(names("owner")), server.user(names("member"), name="Member",
                                                             data={"a": 1})
    room = owner.create(names("room"))
    joined = member.join(room)
    assert joined.keys() == {"roomId", "role", "members", "memberCount", "cursor", "asOf"}
    assert (joined["roomId"], joined["role"], joined["memberCount"]) == (room, "member", 2)
    members = {row["userId"]: row for row in joined["members"]}
    assert members.keys() == {owner.name, member.name}
    assert members[member.name]["userData"] == {"name": "Member", "data": {"a": 1}}
    again = member.join(room)
    assert again == joined, "a repeat is no error, and changes nothing"
    stream = member.stream(since=joined["cursor"])
    stream.open()
    assert [event.type for event in stream.events] == ["connected", "caught_up"]
    stream.close()


def test_join_is_told(server, names):
    owner, member = server.user(names("owner")), server.user(names("member"), name="Member")
    room = owner.create(names("room"))
    streams = owner.stream(), member.stream()
    for stream in streams:
        stream.open()
    member.join(room)
    told, own = (stream.until("user_joined") for stream in streams)
    assert told["userId"] == own["userId"] == member.name and told.id == own.id
    assert told["userData"]["name"] == "Member"
    assert "room" not in told.data and own["room"]["roomId"] == room
    member.leave(room)
    left = [stream.until("user_left") for stream in streams]
    assert [(event["userId"], event["reason"]) for event in left] == [(member.name, "left")] * 2
    owner.send(room, "not for one who left")
    assert streams[1].quiet(0.5) == []
    for stream in streams:
        stream.close()


def test_who_may_join(server, names):
    owner, other = server.user(names("owner")), server.user(names("other"))
    private = owner.create(names("room"), kind="private")
    other.post(room_path(private, "join")).expect(404, "not_found")
    other.post(room_path(names("none"), "join")).expect(404, "not_found")
    reader = server.user(names("reader"), rooms=[{"room": private, "can": ["read"]}])
    reader.post(room_path(private, "join")).expect(403, "not_allowed")
    assert owner.get(room_path(private)).json["memberCount"] == 1


def test_leave(server, names):
    owner, member, other, room = everyone(server, names)
    owner.post(room_path(room, "leave")).expect(409, "last_owner")
    left = member.leave(room).json
    assert left.keys() == {"roomId", "asOf"} and left["roomId"] == room
    member.leave(room)
    other.leave(room)
    other.post(room_path(names("none"), "leave")).expect(404, "not_found")
    assert owner.get(room_path(room)).json["memberCount"] == 1
    owner.leave(room)
    assert owner.get(room_path(room)).json["memberCount"] == 0


def test_add_many(server, names):
    owner, member, other, room = everyone(server, names)
    users = sorted(names("user") for _ in range(150))
    for user in (member, other):
        user.post(room_path(room, "members"), {"users": users}).expect(403, "not_allowed")
    added = owner.post(room_path(room, "members"), {"users": users + [member.name]}).expect(200)
    assert added.json == added.json | {"roomId": room, "added": 150}
    again = server.service().post(room_path(room, "members"), {"users": users}).expect(200).json
    assert again["added"] == 0
    joined = other.join(room)
    assert joined["memberCount"] == 153 and len(joined["members"]) == 100
    listed, following = [], None
    for _ in range(10):
        page = other.get(path("v1", "rooms", room, "members", limit=60, **{"from": following}))
        page = page.expect(200).json
        listed += page["members"]
        following = page.get("next")
        if following is None:
            break
    everybody = sorted([*users, owner.name, member.name, other.name])
    assert [row["userId"] for row in listed] == everybody
    roles = {row["userId"]: row["role"] for row in listed}
    assert roles.pop(owner.name) == "owner" and set(roles.values()) == {"member"}
    assert all(row["joinedAt"] > 1_700_000_000_000 for row in listed)


@pytest.mark.parametrize("body, code", [
    ({}, "invalid_field"), ({"users": []}, "invalid_field"), ({"users": "x"}, "invalid_field"),
    ({"users": [1]}, "invalid_field"), ({"users": ["a b"]}, "invalid_identifier"),
    ({"users": ["fine", ""]}, "invalid_identifier"), ({"users": {}}, "invalid_field"),
    ({"users": [f"u{number}" for number in range(1001)]}, "invalid_field")])
def test_bad_lists(server, names, body, code):
    owner = server.user(names("owner"))
    room = owner.create(names("room"))
    answer = owner.post(room_path(room, "members"), body).expect(400, code)
    assert answer.json["field"] == "users"
    assert owner.get(room_path(room)).json["memberCount"] == 1


def test_a_thousand_at_once(server, names):
    owner = server.user(names("owner"))
    room = owner.create(names("room"))
    users = [f"{owner.name}-u{number}" for number in range(1000)]
    assert owner.post(room_path(room, "members"), {"users": users}).expect(200).json[
        "added"] == 1000


def test_ranks(server, names):
    owner, member, other, room = everyone(server, names)
    moderator, target = server.user(names("moderator")), names("target")

    def put(user, name, role):
        return user.put(room_path(room, "members", name), {"role": role} if role else None)

    done = put(owner, moderator.name, "moderator").expect(200).json
    assert done.keys() == {"roomId", "userId", "role", "asOf"}
    put(member, target, "member").expect(403, "not_allowed")
    put(other, target, None).expect(403, "not_allowed")
    put(moderator, target, None).expect(200)
    put(moderator, target, "owner").expect(403, "not_allowed")
    put(moderator, owner.name, "member").expect(403, "not_allowed")
    put(moderator, target, "moderator").expect(200)
    put(moderator, target, "member").expect(403, "not_allowed")
    put(owner, owner.name, "member").expect(409, "last_owner")
    put(owner, member.name, "owner").expect(200)
    put(member, owner.name, "moderator").expect(200)
    put(owner, member.name, "member").expect(403, "not_allowed")
    put(server.service(), owner.name, "owner").expect(200)
    roles = {row["userId"]: row["role"]
             for row in member.get(room_path(room, "members")).json["members"]}
    assert roles == {owner.name: "owner", member.name: "owner", moderator.name: "moderator",
                     target: "moderator"}


@pytest.mark.parametrize("role", ["king", "", 1, []])
def test_bad_roles(server, names, role):
    owner = server.user(names("owner"))
    room = owner.create(names("room"))
    answer = owner.put(room_path(room, "members", "x"), {"role": role})
    answer.expect(400, "invalid_field")
    assert answer.json["field"] == "role"


def test_remove(server, names):
    owner, member, other, room = everyone(server, names)
    other.join(room)
    member.delete(room_path(room, "members", other.name)).expect(403, "not_allowed")
    stream = other.stream()
    stream.open()
    removed = owner.delete(room_path(room, "members", other.name)).expect(200).json
    assert removed.keys() == {"roomId", "userId", "asOf"}
    assert stream.until("user_left")["reason"] == "removed"
    owner.delete(room_path(room, "members", other.name)).expect(200)
    owner.send(room, "not for one who was removed")
    assert stream.quiet(0.5) == []
    stream.close()
    owner.delete(room_path(room, "members", owner.name)).expect(409, "last_owner")
    member.delete(room_path(room, "members", member.name)).expect(200)
    owner.delete(room_path(names("none"), "members", "x")).expect(404, "not_found")


def test_who_may_list(server, names):
    owner, other = server.user(names("owner")), server.user(names("other"))
    public, private = owner.create(names("room")), owner.create(names("room"), kind="private")
    assert len(other.get(room_path(public, "members")).expect(200).json["members"]) == 1
    other.get(room_path(private, "members")).expect(404, "not_found")
    other.get(room_path(names("none"), "members")).expect(404, "not_found")
    for method, more in (("POST", ()), ("PUT", ("x",)), ("DELETE", ("x",))):
        other.request(method, room_path(private, "members", *more),
                      {"users": ["x"]}).expect(404, "not_found")


def test_mute(server, names):
    owner, member, other, room = everyone(server, names)
    until = int(time.time() * 1000) + 3_600_000
    with member.stream() as stream:
        stream.open()
        done = owner.put(room_path(room, "members", member.name), {"mutedUntil": until})
        assert done.expect(200).json.keys() == {"roomId", "userId", "asOf"}
        told = stream.take()
        assert (told.type, told["userId"], told["mutedUntil"]) == (
            "member_updated", member.name, until)
        for body in ({"text": "hm"}, {"text": "hm", "ephemeral": True}):
            member.post(room_path(room, "messages"), body).expect(403, "muted")
        member.post(room_path(room, "events"), {"type": "custom.x", "data": {}}).expect(
            403, "muted")
        rows = {row["userId"]: row for row in
                other.get(room_path(room, "members")).expect(200).json["members"]}
        assert rows[member.name]["mutedUntil"] == until and "mutedUntil" not in rows[owner.name]
        member.put(room_path(room, "members", member.name), {"mutedUntil": None}).expect(
            403, "not_allowed")
        owner.put(room_path(room, "members", member.name), {"mutedUntil": None}).expect(200)
        assert "mutedUntil" not in stream.take().data
        member.send(room)
    owner.put(room_path(room, "members", member.name),
              {"mutedUntil": int(time.time() * 1000) + 300}).expect(200)
    deadline = time.monotonic() + 20
    while member.post(room_path(room, "messages"), {"text": "now?"}).status == 403:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_notify(server, names):
    owner, member, _, room = everyone(server, names)
    assert member.get(room_path(room)).json["notify"] == "all"
    streams = owner.stream(), member.stream()
    for stream in streams:
        stream.open()
    member.put(room_path(room, "members", member.name), {"notify": "mentions"}).expect(200)
    owner.put(room_path(room, "members", member.name), {"notify": "none"}).expect(
        403, "not_allowed")
    sent = owner.send(room)["id"]
    told = streams[1].take()
    assert (told.type, told["notify"]) == ("member_updated", "mentions")
    assert streams[1].take().id == streams[0].take().id == sent
    for stream in streams:
        stream.close()
    assert member.get(room_path(room)).json["notify"] == "mentions"
    for user, expected in ((member, "mentions"), (owner, "all")):
        rows = {row["userId"]: row.get("notify")
                for row in user.get(room_path(room, "members")).json["members"]}
        assert rows.pop(user.name) == expected and not any(rows.values())
    rooms = member.get(path("v1", "rooms")).json["rooms"]
    assert [row["notify"] for row in rooms] == ["mentions"]


@pytest.mark.parametrize("body, field", [
    ({"mutedUntil": "tomorrow"}, "mutedUntil"), ({"mutedUntil": -1}, "mutedUntil"),
    ({"mutedUntil": 1.5}, "mutedUntil"), ({"notify": "loud"}, "notify"),
    ({"notify": 1}, "notify")])
def test_bad_changes(server, names, body, field):
    owner, member, _, room = everyone(server, names)
    answer = owner.put(room_path(room, "members", member.name), body)
    answer.expect(400, "invalid_field")
    assert answer.json["field"] == field


def test_announce(server, names):
    owner, member, other, room = everyone(server, names)
    moderator = server.user(names("moderator"))
    owner.put(room_path(room, "members", moderator.name), {"role": "moderator"}).expect(200)
    owner.put(room_path(room), {"announce": True}).expect(200)
    granted = server.user(names("granted"), rooms=[{"room": room, "can": ["post"]}])
    with member.stream() as stream:
        stream.open()
        for user in (owner, moderator, granted, server.service()):
            sent = user.post(room_path(room, "messages"), {"text": "hear"}).expect(201).json
            assert stream.take().id == sent["id"]
    for body in ({"text": "me too"}, {"text": "me too", "ephemeral": True}):
        member.post(room_path(room, "messages"), body).expect(403, "not_allowed")
    member.post(room_path(room, "events"), {"type": "custom.x", "data": {}}).expect(
        403, "not_allowed")
    other.post(room_path(room, "messages"), {"text": "me too"}).expect(403, "not_a_member")
