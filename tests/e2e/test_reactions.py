"""Reactions and threads: who may, what is told, and what history shows of them."""
import pytest

from lib.http import path
from lib.room import everyone, room_path, stored

THUMB = "\U0001f44d"


def key_path(room, message, key):
    return path("v1", "rooms", room, "messages", message, "reactions", key)


def react(user, room, message, key, *status):
    return user.put(key_path(room, message, key)).expect(*(status or (200,)))


def take_back(user, room, message, key, *status):
    return user.delete(key_path(room, message, key)).expect(*(status or (200,)))


def shown(user, room, message="m"):
    return user.get(room_path(room, "messages", message)).expect(200).json.get("reactions")


@pytest.fixture
def room(server, names):
    found = everyone(server, names)
    found[1].send(found[3], "text", messageId="m")
    return found


def test_reactions_are_told_and_shown(room):
    owner, member, other, name = room
    with owner.stream() as stream, other.stream(watch=name) as watcher:
        stream.open()
        watcher.open()
        added = react(owner, name, "m", THUMB).json
        assert set(added) == {"id", "roomId", "messageId", "key", "asOf"} and added["key"] == THUMB
        react(member, name, "m", THUMB)
        react(member, name, "m", "a/b?c=1&d#e%\"\\ é")
        removed = take_back(owner, name, "m", THUMB).json
        for reader in (stream, watcher):
            events = [reader.take() for _ in range(4)]
            assert [event.type for event in events] == ["reaction_added"] * 3 + ["reaction_removed"]
        event = events[0]
        assert event.data == {"type": "reaction_added", "id": added["id"], "roomId": name,
                              "timestamp": event["timestamp"], "messageId": "m", "key": THUMB,
                              "userId": owner.name}
        assert (events[3].id, events[3]["userId"]) == (removed["id"], owner.name)
    odd = "a/b?c=1&d#e%\"\\ é"
    one = {"count": 1, "users": [member.name]}
    assert shown(owner, name) == {THUMB: {**one, "mine": False}, odd: {**one, "mine": False}}
    assert shown(member, name) == {THUMB: {**one, "mine": True}, odd: {**one, "mine": True}}
    assert stored(other, name)[0]["reactions"][odd]["mine"] is False
    with owner.stream(history=1) as stream:
        stream.until("connected")
        assert stream.take()["reactions"] == shown(owner, name)


def test_repeats_make_no_event(room):
    owner, _, _, name = room
    first = react(owner, name, "m", "x").json
    again = react(owner, name, "m", "x").json
    assert "id" not in again and again["asOf"] == first["id"]
    gone = take_back(owner, name, "m", "x").json
    again = take_back(owner, name, "m", "x").json
    assert "id" not in again and again["asOf"] == gone["id"]
    assert shown(owner, name) is None
    take_back(owner, name, "m", "never")
    assert react(owner, name, "m", "x").json["id"] != first["id"]


def test_the_first_ten_are_named(room, server, names):
    owner, _, _, name = room
    people = [server.user(names("user")) for _ in range(12)]
    for user in people:
        user.join(name)
        react(user, name, "m", "x")
        user.close()
    seen = shown(people[11], name)["x"]
    assert seen == {"count": 12, "users": [user.name for user in people[:10]], "mine": True}
    take_back(people[3], name, "m", "x")
    seen = shown(people[3], name)["x"]
    left = people[:3] + people[4:11]
    assert seen == {"count": 11, "users": [user.name for user in left], "mine": False}
    for user in people:
        user.close()


def test_who_may_react(room, server, names):
    owner, member, other, name = room
    react(other, name, "m", "x", 403, "not_a_member")
    react(member, name, "none", "x", 404, "not_found")
    react(member, names("none"), "m", "x", 404, "not_found")
    granted = server.user(names("granted"), rooms=[{"room": name, "can": ["read", "post"]}])
    react(granted, name, "m", "x")
    react(server.user(names("guest"), scope="guest"), name, "m", "x", 403, "not_allowed")
    owner.put(room_path(name), {"announce": True}).expect(200)
    react(member, name, "m", "x")
    owner.delete(room_path(name, "messages", "m")).expect(200)
    react(member, name, "m", "y", 409, "message_deleted")
    take_back(member, name, "m", "x")
    assert shown(owner, name) is None


def test_what_cannot_be_seen_is_not_reacted_to(server, names):
    owner, late = server.user(names("owner")), server.user(names("late"))
    room = owner.create(names("room"), kind="private", historyFrom="joining")
    owner.send(room, messageId="m")
    owner.put(room_path(room, "members", late.name), {}).expect(200)
    react(late, room, "m", "x", 404, "not_found")
    react(owner, room, "m", "x")


@pytest.mark.parametrize("key, status", [
    ("x" * 32, 200), (THUMB * 32, 200), (" ", 200), ("x" * 33, 400), (THUMB * 33, 400),
    ("\n", 400), ("\x7f", 400), ("\x85", 400), ("\0", 400)])
def test_keys(room, key, status):
    owner, _, _, name = room
    react(owner, name, "m", key, status)


def test_broken_keys(room):
    owner, _, _, name = room
    for raw in ("%ff", "%zz", "%", "%c3%28", "%ed%a0%80"):
        target = room_path(name, "messages", "m", "reactions") + "/" + raw
        owner.put(target).expect(400, "invalid_identifier")
    owner.put(room_path(name, "messages", "m", "reactions") + "/").expect(404)


def test_fifty_keys_a_message(room):
    owner, member, _, name = room
    for number in range(50):
        react(owner, name, "m", f"key {number}")
    react(owner, name, "m", "one more", 409, "limit_reached")
    react(member, name, "m", "key 7")
    take_back(owner, name, "m", "key 8")
    react(owner, name, "m", "one more")
    react(owner, name, "m", "key 8", 409, "limit_reached")
    keys = list(shown(owner, name))
    assert len(keys) == 50 and keys[0] == "key 0" and keys[-1] == "one more"


def test_reactions_outlive_a_restart(start):
    server = start()
    server.keep_port()
    owner = server.user("owner")
    room = owner.create("room")
    owner.send(room, messageId="m")
    owner.send(room, threadId="m")
    react(owner, room, "m", THUMB)
    server.kill()
    server.start()
    owner.close()
    assert shown(owner, room) == {THUMB: {"count": 1, "users": ["owner"], "mine": True}}
    assert owner.get(room_path(room, "messages", "m")).json["replyCount"] == 1


def replies(user, room, root="m"):
    return user.get(room_path(room, "messages", root)).expect(200).json.get("replyCount")


def test_replies_are_counted(room):
    owner, member, _, name = room
    assert replies(owner, name) is None
    for number in range(3):
        member.send(name, "reply", threadId="m", replyTo="m", messageId=f"r{number}")
    body = {"text": "reply", "threadId": "m", "replyTo": "m", "messageId": "r1"}
    member.post(room_path(name, "messages"), body).expect(200)
    assert replies(owner, name) == 3
    for _ in range(2):
        owner.delete(room_path(name, "messages", "r1")).expect(200)
    assert replies(owner, name) == 2
    owner.delete(room_path(name, "messages", "m")).expect(200)
    assert replies(owner, name) == 2, "a deleted root keeps its thread"
    member.send(name, "reply", threadId="m", messageId="r3")
    assert replies(owner, name) == 3
    page = owner.get(room_path(name, "messages") + "?thread=m").json["messages"]
    assert [one["messageId"] for one in page] == ["r3", "r2", "r1", "r0"]
    assert page[2]["deleted"] is True and page[2]["threadId"] == "m"


def test_replies_that_came_first_are_counted(room):
    owner, member, _, name = room
    for number in range(3):
        member.send(name, "reply", threadId="later", replyTo="later", messageId=f"r{number}")
    owner.delete(room_path(name, "messages", "r0")).expect(200)
    owner.send(name, messageId="later")
    assert replies(owner, name, "later") == 2
    member.send(name, "reply", threadId="later")
    owner.delete(room_path(name, "messages", "r1")).expect(200)
    assert replies(owner, name, "later") == 2


def test_no_message_answers_itself(room):
    owner, _, _, name = room
    for member in ("replyTo", "threadId"):
        for more in ({}, {"ephemeral": True}):
            body = {"text": "x", "messageId": "one", member: "one", **more}
            answer = owner.post(room_path(name, "messages"), body).expect(400, "invalid_field")
            assert answer.json["field"] == member
    owner.get(room_path(name, "messages", "one")).expect(404)


def test_what_is_answered_need_not_be_kept(room):
    owner, member, _, name = room
    owner.send(name, "reply", threadId="m", messageId="reply")
    for body in ({"threadId": "none"}, {"threadId": "reply"}, {"replyTo": "none"}):
        member.send(name, "x", **body)
    member.send(name, replyTo="reply", threadId="m")
    assert replies(owner, name) == 2
    page = owner.get(room_path(name, "messages") + "?thread=reply").expect(200).json["messages"]
    assert [one["threadId"] for one in page] == ["reply"]


def test_around_and_pages_show_what_became_of_messages(room):
    owner, member, _, name = room
    for number in range(6):
        member.send(name, f"text {number}", messageId=f"n{number}")
    owner.delete(room_path(name, "messages", "n2")).expect(200)
    member.patch(room_path(name, "messages", "n3"), {"text": "edited"}).expect(200)
    react(owner, name, "n1", "x")
    member.send(name, threadId="n4")
    page = owner.get(room_path(name, "messages") + "?around=n2&limit=6").expect(200).json
    by_id = {one["messageId"]: one for one in page["messages"]}
    assert list(by_id)[:6] == ["n5", "n4", "n3", "n2", "n1", "n0"]
    assert by_id["n2"]["deleted"] is True and "text" not in by_id["n2"]
    assert by_id["n3"]["text"] == "edited" and by_id["n3"]["editedAt"] > 0
    assert by_id["n1"]["reactions"] == {"x": {"count": 1, "users": [owner.name], "mine": True}}
    assert by_id["n4"]["replyCount"] == 1


def test_a_thread_outlives_its_trimmed_root(start):
    server = start(journal__room_events_max=10)
    owner = server.user("owner")
    room = owner.create("room")
    owner.send(room, messageId="root")
    for number in range(20):
        owner.send(room, threadId="root", messageId=f"r{number}")
    gone = owner.get(room_path(room, "messages", "root"))
    if gone.status == 404:  # trimming comes when it comes
        owner.send(room, threadId="root", messageId="last")
    assert owner.get(room_path(room, "messages") + "?thread=root").json["messages"]


def test_a_reply_older_than_what_it_answers_is_not_counted(room):
    owner, member, _, name = room
    member.send(name, "early", messageId="early", threadId="root")
    owner.send(name, "root", messageId="root")
    member.delete(room_path(name, "messages", "early")).expect(200)
    assert "replyCount" not in owner.get(room_path(name, "messages", "root")).json
    member.send(name, "late", threadId="root")
    assert owner.get(room_path(name, "messages", "root")).json["replyCount"] == 1
