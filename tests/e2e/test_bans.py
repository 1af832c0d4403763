"""Bans: what one who is banned may do, and what its streams and polls are still told."""
import time

import pytest

from lib.http import path
from lib.room import everyone, room_path


def ban(user, room, target, **members):
    return user.put(room_path(room, "bans", target.name), members)


def test_ban_and_lift(server, names):
    owner, member, other, room = everyone(server, names)
    done = ban(owner, room, member, reason="spam").expect(200).json
    assert done.keys() == {"roomId", "userId", "reason", "asOf"}
    assert (done["roomId"], done["userId"], done["reason"]) == (room, member.name, "spam")
    for answer in (
            member.get(room_path(room)), member.get(room_path(room, "members")),
            member.get(room_path(room, "messages")), member.post(room_path(room, "join")),
            member.post(room_path(room, "messages"), {"text": "hm"}),
            member.post(room_path(room, "messages"), {"text": "hm", "ephemeral": True}),
            member.post(room_path(room, "events"), {"type": "custom.x", "data": {}}),
            member.get(path("v1", "events", rooms=room)),
            member.get(path("v1", "poll", rooms=room)),
            owner.put(room_path(room, "members", member.name), {}),
            owner.post(room_path(room, "members"), {"users": [other.name, member.name]})):
        answer.expect(403, "banned")
    assert owner.get(room_path(room)).json["memberCount"] == 1
    lifted = owner.delete(room_path(room, "bans", member.name)).expect(200).json
    assert lifted.keys() == {"roomId", "userId", "asOf"}
    owner.delete(room_path(room, "bans", member.name)).expect(200)
    member.join(room)
    member.send(room)


def test_who_may_ban(server, names):
    owner, member, other, room = everyone(server, names)
    moderator, second = server.user(names("moderator")), server.user(names("second"))
    for user, role in ((moderator, "moderator"), (second, "owner")):
        owner.put(room_path(room, "members", user.name), {"role": role}).expect(200)
    for user in (member, other):
        ban(user, room, server.user(names("x"))).expect(403, "not_allowed")
        user.get(room_path(room, "bans")).expect(403, "not_allowed")
        user.delete(room_path(room, "bans", "x")).expect(403, "not_allowed")
    ban(moderator, room, owner).expect(403, "not_allowed")
    ban(moderator, room, moderator).expect(403, "not_allowed")
    ban(owner, room, second).expect(403, "not_allowed")
    ban(moderator, room, member).expect(200)
    ban(moderator, room, other).expect(200)
    ban(owner, room, moderator).expect(200)
    private = owner.create(names("room"), kind="private")
    ban(other, private, owner).expect(404, "not_found")
    other.get(room_path(private, "bans")).expect(404, "not_found")
    ban(owner, names("none"), other).expect(404, "not_found")
    service = server.service()
    service.put(room_path(room, "bans", second.name), {}).expect(200)
    service.post(room_path(room, "members"), {"users": [second.name]}).expect(200)
    second.send(room)


def test_list(server, names):
    owner, member, _, room = everyone(server, names)
    targets = sorted((server.user(names("target")) for _ in range(5)), key=lambda user: user.name)
    until = int(time.time() * 1000) + 3_600_000
    for target in targets:
        ban(owner, room, target, until=until).expect(200)
    ban(owner, room, member, reason="spam").expect(200)
    expected = sorted([*(target.name for target in targets), member.name])
    listed, following = [], None
    for _ in range(5):
        page = owner.get(room_path(room, "bans") + "?limit=2" + (
            f"&from={following}" if following else "")).expect(200).json
        listed += page["bans"]
        following = page.get("next")
        if not following:
            break
    assert [row["userId"] for row in listed] == expected
    rows = {row["userId"]: row for row in listed}
    assert rows[member.name].keys() == {"userId", "by", "bannedAt", "reason"}
    assert rows[member.name]["by"] == owner.name
    assert rows[targets[0].name]["until"] == until


@pytest.mark.parametrize("body, field", [
    ({"until": "soon"}, "until"), ({"until": 0}, "until"), ({"until": -1}, "until"),
    ({"reason": 1}, "reason"), ({"reason": "x" * 1025}, "reason"),
    ({"deleteMessages": "yes"}, "deleteMessages")])
def test_bad_bans(server, names, body, field):
    owner, member, _, room = everyone(server, names)
    answer = owner.put(room_path(room, "bans", member.name), body).expect(400)
    assert answer.json["field"] == field
    assert owner.get(room_path(room)).json["memberCount"] == 2


def test_until(server, names):
    owner, member, _, room = everyone(server, names)
    ban(owner, room, member, until=int(time.time() * 1000) + 400).expect(200)
    member.post(room_path(room, "join")).expect(403, "banned")
    deadline = time.monotonic() + 20
    while member.post(room_path(room, "join")).status == 403:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert owner.get(room_path(room, "bans")).json["bans"] == []


def types_of(events):
    return [event.type if hasattr(event, "type") else event["type"] for event in events]


def test_a_member_is_told_and_nothing_after(server, names):
    owner, member, _, room = everyone(server, names)
    other = owner.create(names("room"))
    member.join(other)
    with member.stream() as stream, member.stream(rooms=f"{room},{other}") as named:
        stream.open()
        named.open()
        ban(owner, room, member).expect(200)
        owner.send(room, "unseen")
        seen = owner.send(other)["id"]
        left = stream.take()
        assert (left.type, left["userId"], left["reason"]) == ("user_left", member.name, "banned")
        assert stream.take().id == seen
        assert named.take().type == "user_left"
        denied = named.take()
        assert (denied.type, denied["roomId"], denied["code"]) == ("room_denied", room, "banned")
        assert named.take().id == seen


@pytest.mark.parametrize("kind", ["public", "private"])
def test_a_watcher_is_told(server, names, kind):
    owner = server.user(names("owner"))
    room, other = owner.create(names("room"), kind=kind), owner.create(names("room"))
    grants = [{"room": room, "can": ["read", "post"]}] if kind == "private" else []
    watcher = server.user(names("watcher"), rooms=grants)
    with watcher.stream(rooms=f"{room},{other}") as stream:
        stream.open()
        first = owner.send(room)["id"]
        assert stream.take().id == first
        ban(owner, room, watcher).expect(200)
        owner.send(room, "unseen")
        seen = owner.send(other)["id"]
        denied = stream.take()
        assert (denied.type, denied["roomId"], denied["code"]) == ("room_denied", room, "banned")
        assert stream.take().id == seen
    with watcher.stream(rooms=f"{room},{other}", since=first) as stream:
        stream.until("caught_up")
        assert types_of(stream.events) == ["connected", "room_denied", "new_message", "caught_up"]
        assert stream.of("room_denied")[0]["code"] == "banned"
    polled = watcher.get(path("v1", "poll", rooms=f"{room},{other}", since=first, wait=0)).json
    assert types_of(polled["events"]) == ["room_denied", "new_message"]
    watcher.get(room_path(room)).expect(403, "banned")
    owner.delete(room_path(room, "bans", watcher.name)).expect(200)
    with watcher.stream(rooms=room) as stream:
        stream.open()
        sent = owner.send(room)["id"]
        assert stream.take().id == sent


def test_a_poll_that_waits_is_told(server, names):
    owner, watcher = server.user(names("owner")), server.user(names("watcher"))
    room, other = owner.create(names("room")), owner.create(names("room"))
    poller = watcher.poller(rooms=f"{room},{other}", session=names("session"))
    poller.once()
    poller.start()
    ban(owner, room, watcher).expect(200)
    events = poller.finish()
    owner.send(room, "unseen")
    seen = owner.send(other)["id"]
    while events[-1].get("id") != seen:
        events += poller.once(wait=20)
    poller.close()
    assert [event["type"] for event in events] == ["room_denied", "new_message"]


def test_replays(server, names):
    """A cursor before, between and after: only the times inside."""
    owner, member, _, room = everyone(server, names)
    cursors = [owner.send(room, "in")["id"]]
    inside = owner.send(room, "in too")["id"]
    ban(owner, room, member).expect(200)
    cursors.append(owner.send(room, "out")["id"])
    owner.delete(room_path(room, "bans", member.name)).expect(200)
    owner.send(room, "out too")
    joined = member.join(room)["cursor"]
    cursors.append(joined)
    again = owner.send(room, "in again")["id"]
    expected = [
        ["new_message", "user_left", "user_joined", "new_message"],
        ["user_joined", "new_message"],
        ["new_message"]]
    for cursor, types in zip(cursors, expected):
        with member.stream(since=cursor) as stream:
            stream.until("caught_up")
            assert types_of(stream.events) == ["connected", *types, "caught_up"]
        polled = member.get(path("v1", "poll", since=cursor, wait=0)).expect(200).json["events"]
        assert types_of(polled) == types
    with member.stream(since=cursors[0]) as stream:
        stream.until("caught_up")
        assert [event.id for event in stream.of("new_message")] == [inside, again]


def test_a_banned_member_who_is_away(server, names):
    owner, member, _, room = everyone(server, names)
    other = owner.create(names("room"))
    cursor = owner.send(room, "in")["id"]
    ban(owner, room, member).expect(200)
    owner.send(room, "out")
    with member.stream(since=cursor, rooms=f"{room},{other}") as stream:
        stream.until("caught_up")
        assert types_of(stream.events) == ["connected", "room_denied", "user_left", "caught_up"]
        assert stream.of("room_denied")[0]["code"] == "banned"


def test_delete_messages(server, names):
    owner, member, _, room = everyone(server, names)
    for number in range(101):
        member.post(room_path(room, "events" if number == 7 else "messages"), {
            "text": f"spam {number}"} if number != 7 else {"type": "custom.x", "data": {}}).expect(
                201)
    kept = owner.send(room, "kept")["id"]
    with owner.stream() as stream:
        stream.open()
        ban(owner, room, member, deleteMessages=True).expect(200)
        assert stream.until("user_left")["reason"] == "banned"
        for _ in range(100):
            assert stream.take().type == "message_deleted"
    messages = owner.get(room_path(room, "messages") + "?limit=100").expect(200).json["messages"]
    assert messages[0]["id"] == kept and messages[0]["text"] == "kept"
    assert len(messages) == 100
    assert all(row["deleted"] and "text" not in row for row in messages[1:])
    result = owner.post("/v1/batch", {"events": [
        {"type": "ban_member", "roomId": room, "userId": owner.name},
        {"type": "ban_member", "roomId": room, "userId": member.name, "deleteMessages": True},
        {"type": "lift_ban", "roomId": room, "userId": member.name}]}).expect(200).json["results"]
    assert [row["status"] for row in result] == [403, 200, 200]
    member.join(room)
