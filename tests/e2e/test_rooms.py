"""Rooms and members: every route, who may, and each refusal."""
import pytest

from lib.http import path
from lib.sse import id_key

ROOM_FIELDS = {"roomId", "kind", "name", "topic", "announce", "slowModeSec", "historyFrom", "data",
               "memberCount", "watchers", "version", "createdAt"}


@pytest.fixture
def people(server, names):
    """owner, member, stranger, and a public room of the first two."""
    owner, member, stranger = (server.user(names(name)) for name in ("owner", "member", "stranger"))
    room = owner.create(names("room"))
    member.join(room)
    return owner, member, stranger, room


def of(room, *more):
    return path("v1", "rooms", room, *more)


def test_a_room_is_made_shown_changed_deleted(server, names):
    owner, room = server.user(names("owner")), names("room")
    made = owner.put(of(room), {"kind": "private", "name": "N", "topic": "T", "announce": True,
                                "slowModeSec": 3, "historyFrom": "joining", "data": {"a": [1]}})
    shown = made.expect(201).json
    assert ROOM_FIELDS <= shown.keys()
    assert shown["roomId"] == room and shown["kind"] == "private" and shown["role"] == "owner"
    assert (shown["name"], shown["topic"], shown["announce"]) == ("N", "T", True)
    assert (shown["slowModeSec"], shown["historyFrom"], shown["data"]) == (3, "joining", {"a": [1]})
    assert shown["memberCount"] == 1 and shown["version"] == 1
    got = owner.get(of(room)).expect(200).json
    assert {name: got[name] for name in ROOM_FIELDS} == {name: shown[name] for name in ROOM_FIELDS}
    id_key(got["asOf"])
    changed = owner.put(of(room), {"name": "M"}).expect(200).json
    assert changed["name"] == "M" and changed["topic"] == "T" and changed["version"] == 2
    assert owner.delete(of(room)).status in (200, 204)
    owner.get(of(room)).expect(404, "not_found")
    owner.delete(of(room)).expect(404)


def test_post_makes_an_id(server, names):
    owner = server.user(names("owner"))
    answer = owner.post("/v1/rooms", {"name": "x"}).expect(201)
    room = answer.json["roomId"]
    assert answer.header("Location") == f"/v1/rooms/{room}"
    assert owner.get(of(room)).expect(200).json["name"] == "x"
    assert owner.post("/v1/rooms").json["roomId"] != room


def test_if_match(people):
    owner, _, _, room = people
    owner.put(of(room), {"name": "two"}, headers={"If-Match": "1"}).expect(200)
    owner.put(of(room), {"name": "x"}, headers={"If-Match": "1"}).expect(412, "version_mismatch")
    owner.put(of(room), {"name": "x"}, headers={"If-Match": '"2"'})
    owner.put(of(room), {"name": "x"}, headers={"If-Match": "nonsense"}).expect(400)


BAD_ROOMS = [{"kind": "open"}, {"kind": 1}, {"kind": "direct"}, {"name": 1}, {"name": "x" * 257},
             {"topic": "x" * 2049}, {"announce": "yes"}, {"slowModeSec": -1}, {"slowModeSec": 1.5},
             {"slowModeSec": 21601}, {"historyFrom": "then"}, {"data": []}, {"data": "x"},
             {"data": {"x": "y" * 17000}}]


@pytest.mark.parametrize("body", BAD_ROOMS, ids=lambda body: str(body)[:30])
def test_bad_rooms_are_refused(server, names, body):
    owner, room = server.user(names("owner")), names("room")
    answer = owner.put(of(room), body)
    assert answer.status in (400, 403), answer
    assert answer.code.startswith("invalid_") or body == {"kind": "direct"}
    owner.get(of(room)).expect(404)


def test_who_may_change_and_delete(people):
    owner, member, stranger, room = people
    member.put(of(room), {"name": "x"}).expect(403, "not_allowed")
    stranger.put(of(room), {"name": "x"}).expect(403)
    member.delete(of(room)).expect(403, "not_allowed")
    stranger.delete(of(room)).expect(403)
    owner.put(of(room, "members", member.name), {"role": "moderator"}).expect(200)
    member.put(of(room), {"name": "by a moderator"}).expect(200)
    member.delete(of(room)).expect(403, "not_allowed")


def test_a_private_room_is_not_to_be_found(server, people, names):
    owner, _, stranger, _ = people
    room = owner.create(names("private"), kind="private")
    missing = names("missing")
    pairs = [("GET", ()), ("DELETE", ()), ("POST", ("join",)), ("POST", ("leave",)),
             ("GET", ("members",)), ("GET", ("messages",)), ("POST", ("messages",)),
             ("POST", ("events",)), ("GET", ("messages", "some"))]
    for method, more in pairs:
        body = {"text": "x", "type": "custom.x", "data": {}} if more and method == "POST" else None
        hidden = stranger.request(method, of(room, *more), body)
        absent = stranger.request(method, of(missing, *more), body)
        assert hidden.status == absent.status == 404, (method, more, hidden, absent)
        drop = {"requestId"}
        assert {k: v for k, v in hidden.json.items() if k not in drop} == \
            {k: v for k, v in absent.json.items() if k not in drop}
    stranger.put(of(room), {}).expect(403)


def test_join_and_leave(people, server, names):
    owner, member, stranger, room = people
    joined = stranger.join(room)
    assert joined["roomId"] == room and joined["role"] == "member"
    assert joined["memberCount"] == 3
    assert {one["userId"] for one in joined["members"]} == {owner.name, member.name, stranger.name}
    id_key(joined["cursor"])
    again = stranger.join(room)
    assert again["memberCount"] == 3
    stranger.leave(room)
    stranger.leave(room)
    stranger.post(of(room, "messages"), {"text": "x"}).expect(403, "not_a_member")
    stranger.post(of(names("missing"), "join")).expect(404)


def test_a_join_meets_the_stream_without_a_seam(people):
    owner, _, stranger, room = people
    before = owner.send(room)["id"]
    cursor = stranger.join(room)["cursor"]
    assert id_key(cursor) > id_key(before)
    after = owner.send(room)["id"]
    with stranger.stream(since=cursor) as stream:
        stream.take()
        assert stream.take().id == after


def test_auto_create(start, names):
    server = start(rooms__auto_create="yes")
    alice, room = server.user("alice"), names("room")
    joined = alice.join(room)
    assert joined["role"] == "owner"
    assert alice.get(of(room)).json["kind"] == "public"


def test_only_the_service_makes_rooms_when_so_configured(start, names):
    server = start(rooms__create="service", rooms__auto_create="yes")
    alice, room = server.user("alice"), names("room")
    alice.put(of(room), {}).expect(403, "not_allowed")
    alice.post("/v1/rooms").expect(403, "not_allowed")
    server.service().put(of(room), {}).expect(201)


def test_members_are_listed_added_changed_removed(people, server, names):
    owner, member, stranger, room = people
    listed = member.get(of(room, "members")).expect(200).json
    assert {(one["userId"], one["role"]) for one in listed["members"]} == \
        {(owner.name, "owner"), (member.name, "member")}
    assert all(isinstance(one["joinedAt"], int) for one in listed["members"])
    added = owner.post(of(room, "members"), {"users": [stranger.name, "u1", "u2", member.name]})
    assert added.status in (200, 201), added
    assert member.get(of(room)).json["memberCount"] == 5
    assert owner.put(of(room, "members", "u3"), {}).status in (200, 201)
    assert owner.put(of(room, "members", "u3"), {"role": "moderator"}).status == 200
    assert owner.delete(of(room, "members", "u3")).status in (200, 204)
    assert owner.delete(of(room, "members", "u3")).status in (200, 204), "a repeat is no error"
    for body in ({}, {"users": []}, {"users": "x"}, {"users": ["a b"]}, {"users": [1]},
                 {"users": [f"u{number}" for number in range(1001)]}):
        answer = owner.post(of(room, "members"), body)
        assert answer.status == 400, (body, answer)


def test_many_members_come_in_pages(people):
    owner, _, _, room = people
    owner.post(of(room, "members"), {"users": [f"user-{number:04}" for number in range(350)]})
    seen, target = [], of(room, "members")
    while target:
        page = owner.get(target).expect(200).json
        seen += [one["userId"] for one in page["members"]]
        target = page.get("next") and of(room, "members") + f"?from={page['next']}"
    assert len(seen) == len(set(seen)) == 352


def test_members_by_rank(people, server, names):
    owner, member, stranger, room = people
    other = server.user(names("other"))
    other.join(room)
    for actor in (member, stranger):
        for answer in (actor.put(of(room, "members", "new"), {}),
                       actor.put(of(room, "members", other.name), {"role": "owner"}),
                       actor.delete(of(room, "members", other.name)),
                       actor.post(of(room, "members"), {"users": ["new"]})):
            assert answer.status == 403, answer
    owner.put(of(room, "members", member.name), {"role": "moderator"}).expect(200)
    member.put(of(room, "members", other.name), {"role": "owner"}).expect(403, "not_allowed")
    member.delete(of(room, "members", owner.name)).expect(403, "not_allowed")
    assert member.delete(of(room, "members", other.name)).status in (200, 204)
    owner.put(of(room, "members", owner.name), {"role": "king"}).expect(400)


def test_the_last_owner_stays(people):
    owner, member, _, room = people
    owner.post(of(room, "leave")).expect(409, "last_owner")
    owner.delete(of(room, "members", owner.name)).expect(409, "last_owner")
    owner.put(of(room, "members", owner.name), {"role": "member"}).expect(409, "last_owner")
    owner.put(of(room, "members", member.name), {"role": "owner"}).expect(200)
    owner.leave(room)
    assert member.get(of(room)).json["role"] == "owner"
    member.leave(room)


def test_the_rooms_of_a_user(server, names):
    alice, bob = server.user(names("alice")), server.user(names("bob"))
    rooms = [alice.create(names("room")) for _ in range(3)]
    for room in rooms[:2]:
        bob.join(room)
    sent = alice.send(rooms[0], "the last one")
    listed = bob.get("/v1/rooms").expect(200).json
    assert {one["roomId"] for one in listed["rooms"]} == set(rooms[:2])
    first = [one for one in listed["rooms"] if one["roomId"] == rooms[0]][0]
    assert first["lastMessage"]["id"] == sent["id"] and first["role"] == "member"
    id_key(listed["asOf"])
    bob.leave(rooms[0])
    assert [one["roomId"] for one in bob.get("/v1/rooms").json["rooms"]] == [rooms[1]]


def test_announce_rooms(people):
    owner, member, _, room = people
    owner.put(of(room), {"announce": True}).expect(200)
    member.post(of(room, "messages"), {"text": "x"}).expect(403, "not_allowed")
    owner.send(room)
    owner.put(of(room, "members", member.name), {"role": "moderator"}).expect(200)
    member.send(room)


def test_slow_mode(people):
    owner, member, _, room = people
    owner.put(of(room), {"slowModeSec": 3600}).expect(200)
    member.send(room)
    answer = member.post(of(room, "messages"), {"text": "x"}).expect(429)
    assert 0 < int(answer.header("Retry-After")) <= 3600
    owner.send(room)


def test_realms_are_apart(server, names):
    user, room = names("alice"), names("room")
    here, there = server.user(user, realm="here"), server.user(user, realm="there")
    here.create(room)
    there.get(of(room)).expect(404)
    there.create(room, name="another")
    with there.stream() as stream:
        stream.open()
        here.send(room, "in the other realm")
        assert there.send(room)["id"] == stream.take().id


def test_grants(server, people, names):
    owner, _, _, _ = people
    room = owner.create(names("team"), kind="private")
    target = of(room, "messages")

    def granted(*can, pattern=room):
        return server.user(names("g"), rooms=[{"room": pattern, "can": list(can)}])
    reader = granted("read")
    assert reader.get(target).status == 200
    assert reader.post(target, {"text": "x"}).status == 403
    poster = granted("read", "post", pattern=room[:-1] + "*")
    assert poster.post(target, {"text": "x"}).status == 201
    assert poster.put(of(room), {"name": "x"}).status == 403
    manager = granted("read", "post", "manage", pattern="*")
    assert manager.put(of(room), {"name": "managed"}).status == 200
    assert granted("read", pattern="other-*").get(target).status == 404
