"""Rooms in detail: what each member may be, what answers look like, lists by pages."""
import json

import pytest

from lib.http import path
from lib.room import BAD_BODIES, BAD_NAMES, everyone, room_path
from lib.sse import id_key

FIELDS = {"roomId", "kind", "name", "topic", "announce", "slowModeSec", "historyFrom", "data",
          "memberCount", "watchers", "version", "createdAt", "asOf"}
OWN = {"role", "notify"}
MARKER = {"unread": 0, "mentions": 0}


def shown(user, room):
    """The room as it is read, without the marker at the joining."""
    answer = user.get(room_path(room)).expect(200).json
    assert answer == answer | MARKER and id_key(answer["readUpTo"]) <= id_key(answer["asOf"])
    return {name: answer[name] for name in answer.keys() - MARKER.keys() - {"readUpTo"}}


def test_put_makes_and_changes(server, names):
    owner, room = server.user(names("owner")), names("room")
    values = {"kind": "private", "name": "Lounge ☕", "topic": "", "announce": True,
              "slowModeSec": 5, "historyFrom": "joining", "data": {"colour": "red", "n": [0.1]}}
    answer = owner.put(room_path(room), values).expect(201)
    made = answer.json
    assert answer.header("Location") == room_path(room)
    assert made.keys() == FIELDS | OWN
    assert made == made | values | {"roomId": room, "role": "owner", "memberCount": 1,
                                    "version": 1, "watchers": 0}
    changed = owner.put(room_path(room), {"announce": False}).expect(200).json
    assert changed["announce"] is False and changed["version"] == 2
    assert id_key(changed["asOf"]) > id_key(made["asOf"])
    for name in FIELDS - {"announce", "version", "asOf"}:
        assert changed[name] == made[name], name
    same = owner.put(room_path(room), {"announce": False, "unknown": 1}).expect(200).json
    assert same == changed, "nothing was changed, so nothing happened"
    assert shown(owner, room) == changed


def test_put_with_defaults(server, names):
    owner, room = server.user(names("owner")), names("room")
    made = owner.put(room_path(room)).expect(201).json
    assert made == made | {"kind": "public", "name": "", "topic": "", "announce": False,
                           "slowModeSec": 0, "historyFrom": "start", "data": {}}
    nothing = {"name": None, "topic": None, "kind": None, "data": None, "announce": None,
               "slowModeSec": None, "historyFrom": None}
    assert owner.put(room_path(room), nothing).expect(200).json == made


def test_post_makes_a_name(server, names):
    owner = server.user(names("owner"))
    answers = [owner.post("/v1/rooms", {"name": "One"}).expect(201) for _ in range(2)]
    ids = [answer.json["roomId"] for answer in answers]
    assert ids[0] != ids[1]
    for answer, room in zip(answers, ids):
        assert answer.header("Location") == room_path(room)
        read = shown(owner, room)
        assert read == {**answer.json, "asOf": read["asOf"]}
    owner.post("/v1/rooms", {"kind": "direct"}).expect(400, "invalid_field")
    owner.post("/v1/rooms", headers={"If-Match": "1"}).expect(412, "version_mismatch")


@pytest.mark.parametrize("member, value, code", [
    ("kind", "direct", "invalid_field"), ("kind", "secret", "invalid_field"),
    ("kind", 1, "invalid_field"), ("name", 1, "invalid_field"),
    ("name", "x" * 257, "invalid_text"), ("topic", [], "invalid_field"),
    ("topic", "é" * 1025, "invalid_text"), ("announce", "yes", "invalid_field"),
    ("announce", 1, "invalid_field"), ("slowModeSec", -1, "invalid_field"),
    ("slowModeSec", 21601, "invalid_field"), ("slowModeSec", 1.5, "invalid_field"),
    ("slowModeSec", "5", "invalid_field"), ("historyFrom", "now", "invalid_field"),
    ("historyFrom", {}, "invalid_field"), ("data", [], "invalid_field"),
    ("data", "{}", "invalid_field"), ("data", {"x": "y" * 16377}, "invalid_field"),
])
def test_members_of_a_change(server, names, member, value, code):
    owner, room = server.user(names("owner")), names("room")
    answer = owner.put(room_path(room), {"name": "fine", member: value}).expect(400, code)
    assert answer.json["field"] == member
    owner.get(room_path(room)).expect(404, "not_found")
    owner.create(room)
    owner.put(room_path(room), {"name": "fine", member: value}).expect(400, code)
    assert owner.get(room_path(room)).json["name"] == ""


def test_the_largest_values(server, names):
    owner, room = server.user(names("owner")), names("room")
    values = {"name": "n" * 256, "topic": "é" * 1024, "slowModeSec": 21600,
              "data": {"x": "\x01" * ((16384 - len('{"x":""}')) // 6)}}
    made = owner.put(room_path(room), values).expect(201).json
    assert made == made | values


def test_numbers_come_back_as_they_were(server, names):
    owner, room = server.user(names("owner")), names("room")
    data = {"a": 0.1, "b": 1e-7, "c": 9007199254740993, "d": -1.5e300, "e": 1e20, "f": [True, None]}
    assert owner.put(room_path(room), {"data": data}).expect(201).json["data"] == data
    raw = owner.get(room_path(room)).body
    assert b'"a":0.1,' in raw, "the shortest form that is the same number"
    assert json.loads(raw)["data"] == data


def test_if_match(server, names):
    owner, room = server.user(names("owner")), names("room")
    owner.put(room_path(room), headers={"If-Match": "1"}).expect(412, "version_mismatch")
    owner.create(room)
    owner.put(room_path(room), {"name": "a"}, headers={"If-Match": "1"}).expect(200)
    for version in ("1", '"1"', "3", "9" * 18):
        owner.put(room_path(room), {"name": "b"}, headers={"If-Match": version}).expect(
            412, "version_mismatch")
    for version in ("x", "-1", '"', "*", 'W/"2"', "0", "9" * 30, ""):
        answer = owner.put(room_path(room), {"name": "b"}, headers={"If-Match": version})
        if version or answer.status != 200:
            answer.expect(400, "invalid_parameter")
            assert answer.json["field"] == "If-Match"
    version = owner.get(room_path(room)).json["version"]
    assert owner.put(room_path(room), {"name": "c"}, headers={"If-Match": f'"{version}"'}).expect(
        200).json["name"] == "c"


def test_who_may_change(server, names):
    owner, member, other, room = everyone(server, names)
    moderator, service = server.user(names("moderator")), server.service()
    owner.put(room_path(room, "members", moderator.name), {"role": "moderator"}).expect(200)
    for user in (member, other):
        user.put(room_path(room), {"name": "mine"}).expect(403, "not_allowed")
    assert owner.get(room_path(room)).json["name"] == ""
    for user in (moderator, owner, service):
        user.put(room_path(room), {"name": user.name}).expect(200)
    assert owner.get(room_path(room)).json["name"] == service.name


def test_get_shows_what_may_be_known(server, names):
    owner, other, service = (server.user(names("owner")), server.user(names("other")),
                             server.service())
    public, private = owner.create(names("room")), owner.create(names("room"), kind="private")
    assert owner.get(room_path(public)).json["role"] == "owner"
    seen = other.get(room_path(public)).expect(200).json
    assert seen.keys() == FIELDS
    other.get(room_path(private)).expect(404, "not_found")
    other.get(room_path(names("none"))).expect(404, "not_found")
    service.get(room_path(private)).expect(200)
    granted = server.user(names("granted"), rooms=[{"room": "room-*", "can": ["read"]}])
    assert "role" not in granted.get(room_path(private)).expect(200).json


def test_watchers_are_counted(server, names):
    owner, room = server.user(names("owner")), names("room")
    owner.create(room)
    streams = [server.user(names("watcher")).stream(watch=room) for _ in range(2)]
    for stream in streams:
        stream.open()
    assert owner.get(room_path(room)).json["watchers"] == 2
    own = owner.stream()
    own.open()
    assert owner.get(room_path(room)).json["watchers"] == 2, "members do not watch"
    for stream in [*streams, own]:
        stream.close()


def test_delete(server, names):
    owner, member, other, room = everyone(server, names)
    for user in (member, other):
        user.delete(room_path(room)).expect(403, "not_allowed")
    gone = owner.delete(room_path(room)).expect(200).json
    assert gone.keys() == {"roomId", "asOf"} and gone["roomId"] == room
    for user in (owner, member, other):
        user.delete(room_path(room)).expect(404, "not_found")
        user.get(room_path(room)).expect(404, "not_found")
    assert room not in {row["roomId"] for row in member.get("/v1/rooms").json["rooms"]}
    member.get(room_path(room, "messages")).expect(404, "not_found")
    again = other.put(room_path(room)).expect(201).json
    assert again["memberCount"] == 1 and again["version"] == 1
    server.service().delete(room_path(room)).expect(200)
    private = owner.create(names("room"), kind="private")
    other.delete(room_path(private)).expect(404, "not_found")


def test_what_members_are_told(server, names):
    owner, member, _, room = everyone(server, names)
    stream = member.stream()
    stream.open()
    owner.put(room_path(room), {"name": "New", "data": {"a": 1}}).expect(200)
    event = stream.until("room_updated")
    assert (event["roomId"], event["name"], event["data"]) == (room, "New", {"a": 1})
    owner.put(room_path(room, "members", member.name), {"role": "moderator"}).expect(200)
    event = stream.until("member_updated")
    assert (event["roomId"], event["userId"], event["role"]) == (room, member.name, "moderator")
    owner.delete(room_path(room)).expect(200)
    assert stream.until("room_deleted")["roomId"] == room
    stream.close()


def test_list_of_rooms(server, names):
    user = server.user(names("user"))
    assert user.get("/v1/rooms").expect(200).json["rooms"] == []
    rooms = sorted(user.create(names("room"), name=str(number)) for number in range(7))
    sent = user.send(rooms[3], "the newest")
    listed = user.get("/v1/rooms").expect(200).json
    assert [row["roomId"] for row in listed["rooms"]] == rooms
    assert "next" not in listed and listed["asOf"] == sent["id"]
    for row in listed["rooms"]:
        assert row["role"] == "owner" and row.keys() >= FIELDS - {"asOf"}
    last = [row.get("lastMessage") for row in listed["rooms"]]
    assert [message and message["id"] for message in last] == [None] * 3 + [sent["id"]] + [None] * 3
    assert last[3]["text"] == "the newest" and last[3]["messageId"] == sent["messageId"]
    assert user.get(room_path(rooms[3])).json["lastMessage"] == last[3]


def test_the_last_message_is_one_that_may_be_read(server, names):
    owner, member = server.user(names("owner")), server.user(names("member"))
    room = owner.create(names("room"), kind="private", historyFrom="joining")
    before = owner.send(room)["id"]
    owner.put(room_path(room, "members", member.name)).expect(200)
    for user, expected in ((member, None), (owner, before), (server.service(), before)):
        message = user.get(room_path(room)).expect(200).json.get("lastMessage")
        assert (message and message["id"]) == expected


@pytest.mark.parametrize("can, shown", (("read", True), ("post", False)))
def test_what_is_granted_counts_in_every_answer(server, names, can, shown):
    owner, name = server.user(names("owner")), names("member")
    room = owner.create(names("room"), kind="private", historyFrom="joining")
    expected = [owner.send(room)["id"]] if shown else []
    owner.put(room_path(room, "members", name)).expect(200)
    member = server.user(name, rooms=[{"room": room[:-1] + "*", "can": [can]}])
    history = member.get(room_path(room, "messages")).expect(200).json["messages"]
    assert [message["id"] for message in history] == expected
    rows = [member.get(room_path(room)).expect(200).json,
            *member.get("/v1/rooms").expect(200).json["rooms"],
            *member.get("/v1/sync").expect(200).json["rooms"]]
    assert len(rows) == 3
    for row in rows:
        assert [row["lastMessage"]["id"]] == expected if shown else "lastMessage" not in row
    with member.stream(history=10) as stream:
        stream.until("caught_up")
        assert [event["id"] for event in stream.of("new_message")] == expected


def test_pages_of_rooms(server, names):
    user = server.user(names("user"))
    rooms = sorted(user.create(names("room")) for _ in range(7))
    got, following = [], None
    for _ in range(10):
        page = user.get(path("v1", "rooms", limit=3, **{"from": following})).expect(200).json
        assert len(page["rooms"]) <= 3
        got += [row["roomId"] for row in page["rooms"]]
        following = page.get("next")
        if following is None:
            break
    assert got == rooms
    assert user.get(path("v1", "rooms", **{"from": "~" * 128})).expect(200).json["rooms"] == []


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "limit=-1", "limit=", "limit",
                                   "limit=1&limit=2", "from=a%20b", "from=", "from=a&from=b"])
def test_bad_pages(server, names, query):
    user = server.user(names("user"))
    room = user.create(names("room"))
    for target in ("/v1/rooms", room_path(room, "members")):
        answer = user.get(f"{target}?{query}").expect(400, "invalid_parameter")
        assert answer.json["field"] == query.split("=")[0]
        user.get(f"{target}?unknown=1&limit=5").expect(200)


def test_the_directory_is_off(server, names):
    server.user(names("user")).get("/v1/rooms?kind=public").expect(403, "not_allowed")


@pytest.mark.parametrize("body, headers, status, code", BAD_BODIES)
def test_bad_bodies(server, names, body, headers, status, code):
    owner, room = server.user(names("owner")), names("room")
    server.request("PUT", room_path(room), body, headers, owner.token).expect(status, code)
    server.request("POST", "/v1/rooms", body, headers, owner.token).expect(status, code)
    owner.get(room_path(room)).expect(404, "not_found")
    owner.create(room)
    server.request("POST", room_path(room, "members"), body, headers,
                   owner.token).expect(status, code)
    server.request("PUT", room_path(room, "members", "x"), body, headers,
                   owner.token).expect(status, code)


@pytest.mark.parametrize("name", BAD_NAMES)
def test_bad_names(server, names, name):
    user = server.user(names("user"))
    for method, more in (("GET", ()), ("PUT", ()), ("DELETE", ()), ("POST", ("join",)),
                         ("POST", ("leave",)), ("GET", ("members",)), ("POST", ("members",)),
                         ("PUT", ("members", "x")), ("DELETE", ("members", "x"))):
        answer = user.request(method, room_path(name, *more))
        assert answer.status == 400, answer
        assert answer.code in ("invalid_identifier", "invalid_request"), answer
    room = user.create(names("room"))
    for method in ("PUT", "DELETE"):
        answer = user.request(method, room_path(room, "members", name))
        assert answer.status == 400, answer


@pytest.mark.parametrize("token, code", [(None, "token_missing"), ("nonsense", "token_invalid")])
def test_a_token_is_needed(server, names, token, code):
    room = room_path(names("room"))
    for method, target in (
            ("GET", "/v1/rooms"), ("POST", "/v1/rooms"), ("GET", room), ("PUT", room),
            ("DELETE", room), ("POST", room + "/join"), ("POST", room + "/leave"),
            ("GET", room + "/members"), ("POST", room + "/members"),
            ("PUT", room + "/members/x"), ("DELETE", room + "/members/x")):
        answer = server.request(method, target, token=token).expect(401, code)
        assert answer.header("WWW-Authenticate").startswith("Bearer")


def test_guests_only_read(server, names):
    owner, room = server.user(names("owner")), names("room")
    guest = server.user(names("guest"), scope="guest")
    owner.create(room)
    assert "role" not in guest.get(room_path(room)).expect(200).json
    for method, target in (
            ("POST", "/v1/rooms"), ("PUT", room_path(names("new"))), ("PUT", room_path(room)),
            ("DELETE", room_path(room)), ("POST", room_path(room, "join")),
            ("POST", room_path(room, "leave")), ("POST", room_path(room, "members")),
            ("PUT", room_path(room, "members", guest.name)),
            ("DELETE", room_path(room, "members", owner.name))):
        guest.request(method, target, {}).expect(403, "not_allowed")
    assert owner.get(room_path(room)).json["memberCount"] == 1


def test_a_session_that_is_none(server, names):
    user = server.user(names("user"))
    room = user.create(names("room"))
    answer = user.post(room_path(room, "join"), headers={"X-Tidings-Session": "a b"})
    answer.expect(400, "invalid_identifier")
    assert answer.json["field"] == "X-Tidings-Session"


def test_too_many_requests(start, names):
    server = start(limits__requests=5)
    user, room = server.user(names("user")), names("room")
    for _ in range(200):
        answer = user.get(room_path(room))
        if answer.status == 429:
            break
    answer.expect(429, "rate_limited")
    assert int(answer.header("Retry-After")) >= 1
    server.user(names("other")).get(room_path(room)).expect(404)
