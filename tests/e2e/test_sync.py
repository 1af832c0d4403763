"""GET /v1/sync: what an app that comes to the foreground has missed, in one answer."""
import pytest

from lib.room import everyone, room_path


def sync(user, since=None, **query):
    if since is not None:
        query["since"] = since
    target = "/v1/sync" + ("?" if query else "") + "&".join(f"{k}={v}" for k, v in query.items())
    return user.get(target).expect(200).json


def types(answer):
    return [event["type"] for event in answer["events"]]


def rooms(answer):
    return [room["roomId"] for room in answer["rooms"]]


def test_without_a_cursor(server, names):
    owner, member, _, room = everyone(server, names)
    owner.send(room, "one")
    answer = sync(member)
    assert rooms(answer) == [room] and answer["events"] == [] and "more" not in answer
    assert answer["rooms"][0]["lastMessage"]["text"] == "one"
    assert answer["rooms"][0]["unread"] == 1 and answer["unread"] == 1 and answer["mentions"] == 0
    assert answer["cursor"] == answer["asOf"]
    nobody = sync(server.user(names("nobody")))
    assert (nobody["rooms"], nobody["events"], nobody["unread"]) == ([], [], 0)


def test_what_was_missed(server, names):
    owner, member, _, room = everyone(server, names)
    other = owner.create(names("other"), kind="private")
    before = sync(member)["cursor"]
    owner.send(other, "not for the member")
    sent = [owner.send(room, f"text {i}", mentions=[member.name]) for i in range(3)]
    answer = sync(member, before)
    assert [event["id"] for event in answer["events"]] == [message["id"] for message in sent]
    assert rooms(answer) == [room] and "more" not in answer
    assert (answer["unread"], answer["mentions"]) == (3, 3)
    after = sync(member, answer["cursor"])
    assert (after["events"], after["rooms"]) == ([], [])
    assert (after["unread"], after["mentions"]) == (3, 3)
    with member.stream(since=answer["cursor"]) as stream:
        stream.open()
        next_one = owner.send(room, "next")
        assert stream.until("new_message").id == next_one["id"]


def test_in_pieces(server, names):
    owner, member, _, room = everyone(server, names)
    cursor = sync(member)["cursor"]
    sent = [owner.send(room, f"text {i}")["id"] for i in range(7)]
    seen = []
    while True:
        answer = sync(member, cursor, limit=3)
        assert len(answer["events"]) <= 3
        seen += [event["id"] for event in answer["events"]]
        cursor = answer["cursor"]
        if "more" not in answer:
            break
        assert answer["more"] is True
    assert seen == sent


def test_a_room_that_was_joined_or_left(server, names):
    owner, member, other, room = everyone(server, names)
    since = sync(other)["cursor"]
    other.join(room)
    answer = sync(other, since)
    assert types(answer) == ["user_joined"] and rooms(answer) == [room]
    other.leave(room)
    later = sync(other, answer["cursor"])
    assert types(later) == ["user_left"] and rooms(later) == []


@pytest.mark.parametrize("since, reason", [("x", "foreign"), ("1-1-1", "foreign"),
                                           ("18446744073709551615-0", "ahead")])
def test_a_cursor_that_is_none(server, names, since, reason):
    owner, member, _, room = everyone(server, names)
    answer = sync(member, since)
    assert types(answer) == ["reset"] and answer["events"][0]["reason"] == reason
    assert rooms(answer) == [room]
    assert sync(member, answer["cursor"])["events"] == []


def test_a_gap_is_told_once(start, names):
    server = start(journal__room_events_max=3, replay__max_events=5)
    owner, member, _, room = everyone(server, names)
    since = sync(member)["cursor"]
    sent = [owner.send(room, f"text {i}")["id"] for i in range(20)]
    answer = sync(member, since)
    kinds = types(answer)
    assert kinds[0] == "gap" and answer["events"][0]["after"] == since
    assert kinds.count("gap") <= 2
    assert [event["id"] for event in answer["events"] if event["type"] != "gap"] == \
        sent[-(len(kinds) - kinds.count("gap")):]


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=x", "since=1-1&since=2-2"])
def test_malformed(server, names, query):
    server.user(names("user")).get("/v1/sync?" + query).expect(400, "invalid_parameter")


def test_many_rooms(server, names):
    owner = server.user(names("owner"))
    since = sync(owner)["cursor"]
    made = sorted(owner.create(f"{names('room')}-{i:03}") for i in range(101))
    answer = sync(owner, since, limit=500)
    assert rooms(answer) == made[:100] and answer["next"] == made[99]
    more = owner.get(f"/v1/rooms?from={answer['next']}").expect(200).json
    assert [room["roomId"] for room in more["rooms"]] == made[100:]
    assert room_path(made[0])


def test_direct_partners(server, names):
    one, other, third = (server.user(names(stem), name=stem) for stem in ("one", "other", "third"))
    opened = one.post(f"/v1/direct/{other.name}").expect(201).json
    one.post(f"/v1/direct/{third.name}").expect(201)
    with other.stream() as stream:
        stream.open()
        answer = sync(one)
        shown = {person["userId"]: person for person in answer["presence"]}
        assert shown.keys() >= {other.name, third.name}
        assert shown[other.name]["status"] == "online" and shown[other.name]["lastSeen"] > 0
        assert shown[third.name] == {"userId": third.name, "status": "offline", "activity": None,
                                     "lastSeen": None}
        for room in (one.get(room_path(opened["roomId"])).expect(200).json,
                     one.post(f"/v1/direct/{other.name}").expect(200).json,
                     *(room for room in one.get("/v1/rooms").expect(200).json["rooms"]
                       if room["roomId"] == opened["roomId"])):
            members = {member["userId"]: member for member in room["members"]}
            assert members[other.name]["presence"]["status"] == "online"
            assert members[one.name]["userData"] == {"name": "one"}
            assert members[one.name]["presence"]["status"] == "offline"
        assert sync(one, answer["cursor"])["presence"] == answer["presence"]
