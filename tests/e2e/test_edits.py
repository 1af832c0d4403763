"""Editing and deleting messages: who may, what is told, and what is left of a text."""
import random
import string

import pytest

from lib.http import wait_until
from lib.room import BAD_BODIES, everyone, room_path, stored

GONE = {"text", "message", "mentions"}


def message_path(room, message):
    return room_path(room, "messages", message)


def edit(user, room, name, /, *status, **content):
    return user.patch(message_path(room, name), content).expect(*(status or (200,)))


def delete(user, room, message, *status):
    return user.delete(message_path(room, message)).expect(*(status or (200,)))


@pytest.fixture
def room(server, names):
    return everyone(server, names)


def test_an_edit_is_told_and_kept(room):
    owner, member, _, name = room
    with owner.stream() as stream:
        stream.open()
        sent = member.send(name, "first", messageId="m", message={"a": 0.1}, mentions=["x"])
        answer = edit(member, name, "m", text="second", message={"b": 0.1}).json
        stream.until("new_message")
        edited = stream.take()
        assert edited.type == "message_edited" and edited.id == answer["id"] == answer["asOf"]
        assert edited.data == {
            "type": "message_edited", "id": answer["id"], "timestamp": answer["editedAt"],
            "roomId": name, "messageId": "m", "text": "second", "message": {"b": 0.1},
            "sender": {"userId": member.name}, "editedAt": answer["editedAt"]}
        assert '"b":0.1}' in edited.lines[-1]
    one = owner.get(message_path(name, "m")).expect(200).json
    assert one.pop("asOf") == answer["asOf"]
    assert one == {**edited.data, "type": "new_message", "id": sent["id"],
                   "timestamp": sent["timestamp"]}
    assert stored(owner, name) == [one]
    (mine,) = [room for room in owner.get("/v1/rooms").json["rooms"] if room["roomId"] == name]
    assert mine["lastMessage"] == one


def test_what_the_content_is_not_stays(room):
    owner, member, _, name = room
    member.send(name, "root", messageId="root")
    member.send(name, "reply", messageId="m", threadId="root", replyTo="root", mentions=["a"])
    edit(member, name, "m", text="changed", replyTo="no", threadId="no", sender={"userId": "no"},
         messageId="no", roomId="no", mentions=["b"])
    one = owner.get(message_path(name, "m")).json
    assert (one["text"], one["threadId"], one["replyTo"], one["mentions"], one["messageId"]) == \
        ("changed", "root", "root", ["b"], "m")
    assert one["sender"] == {"userId": member.name}
    edit(member, name, "m", text="no mentions")
    assert "mentions" not in owner.get(message_path(name, "m")).json
    assert [one["text"] for one in owner.get(room_path(name, "messages") + "?thread=root")
            .json["messages"]] == ["no mentions"]


def test_the_same_content_makes_no_event(room):
    owner, member, _, name = room
    member.send(name, "text", messageId="m", message={"a": [1, {"b": None}], "c": "é"})
    same = {"message": {"c": "\u00e9", "a": [1, {"b": None}]}, "text": "text", "mentions": []}
    answer = edit(member, name, "m", **same).json
    assert "id" not in answer and "editedAt" not in answer
    first = edit(member, name, "m", text="other").json
    again = edit(member, name, "m", text="other").json
    assert "id" not in again and again["editedAt"] == first["editedAt"]
    assert again["asOf"] == first["id"]


def test_a_message_takes_only_so_many_edits(start, names):
    server = start(limits__edits=2)
    member = server.user(names("member"))
    name = member.create(names("room"))
    member.send(name, "first", messageId="m")
    edit(member, name, "m", text="second")
    edit(member, name, "m", text="third")
    edit(member, name, "m", 409, "too_many_edits", text="fourth")
    edit(member, name, "m", text="third")
    assert [message["text"] for message in stored(member, name)] == ["third"]
    delete(member, name, "m")


def test_who_may_edit(room, server, names):
    owner, member, other, name = room
    member.send(name, "text", messageId="m")
    edit(owner, name, "m", 403, "not_allowed", text="x")
    edit(other, name, "m", 403, "not_a_member", text="x")
    edit(member, name, "unknown", 404, "not_found", text="x")
    edit(member, names("none"), "m", 404, "not_found", text="x")
    private = owner.create(names("private"), kind="private")
    owner.send(private, "text", messageId="m")
    edit(member, private, "m", 404, "not_found", text="x")
    edit(server.service(), name, "m", text="by the service")
    assert stored(owner, name)[0]["text"] == "by the service"
    assert stored(owner, name)[0]["sender"] == {"userId": member.name}
    member.leave(name)
    edit(member, name, "m", 403, "not_a_member", text="x")
    edit(server.user(names("guest"), scope="guest"), name, "m", 403, "not_allowed", text="x")


def test_an_edit_is_held_to_the_rules_of_a_post(room):
    _, member, _, name = room
    member.send(name, "text", messageId="m")
    for body in ({}, {"text": ""}, {"text": 7}, {"text": "x" * 16385}, {"message": []},
                 {"text": "x", "message": {"x": "y" * 65536}}, {"text": "x", "mentions": ["a b"]},
                 {"text": "x", "mentions": ["a"] * 101}, {"mentions": ["a"]}):
        answer = member.patch(message_path(name, "m"), body)
        assert answer.status == 400, (body, answer)
    assert stored(member, name)[0]["text"] == "text"


@pytest.mark.parametrize("body,headers,status,code", BAD_BODIES)
def test_bad_bodies_are_refused(room, body, headers, status, code):
    _, member, _, name = room
    member.send(name, "text", messageId="m")
    member.request("PATCH", message_path(name, "m"), body, headers).expect(status, code)


def test_a_deletion_is_told_and_takes_the_content(room):
    owner, member, _, name = room
    sent = member.send(name, "first", messageId="m", message={"a": 1}, mentions=["x"])
    first = edit(member, name, "m", text="second").json
    with owner.stream() as stream:
        stream.open()
        answer = delete(member, name, "m").json
        event = stream.take()
        assert event.data == {"type": "message_deleted", "id": answer["id"], "roomId": name,
                              "timestamp": event["timestamp"], "messageId": "m",
                              "by": member.name}
        assert answer["deleted"] is True and answer["asOf"] == answer["id"]
    left = {"type": "new_message", "id": sent["id"], "timestamp": sent["timestamp"],
            "roomId": name, "messageId": "m", "sender": {"userId": member.name}, "deleted": True}
    assert stored(owner, name) == [left]
    with owner.stream(since="0-0") as stream:
        stream.until("connected")
        stream.until("user_joined")
        stream.until("user_joined")
        assert stream.take().data == left
        edited = stream.take()
        assert edited.id == first["id"] and edited.data == {
            **left, "type": "message_edited", "id": first["id"],
            "timestamp": first["editedAt"], "editedAt": first["editedAt"]}
        assert stream.take().data == event.data
    again = delete(member, name, "m").json
    assert "id" not in again and again["deleted"] is True and again["asOf"] == answer["id"]


def test_who_may_delete(room, server, names):
    owner, member, other, name = room
    for number in range(4):
        member.send(name, "text", messageId=f"m{number}")
    owner.send(name, "text", messageId="of-owner")
    delete(other, name, "m0", 403, "not_allowed")
    delete(member, name, "of-owner", 403, "not_allowed")
    delete(member, name, "unknown", 404, "not_found")
    owner.put(room_path(name, "members", other.name), {"role": "moderator"}).expect(200)
    delete(other, name, "m0")
    delete(other, name, "of-owner")
    delete(member, name, "m1")
    delete(server.service(), name, "m2")
    member.leave(name)
    delete(member, name, "m3")
    assert all(one.get("deleted") and not GONE & one.keys() for one in stored(owner, name))


def test_what_is_deleted_is_not_edited(room):
    owner, member, _, name = room
    member.send(name, "text", messageId="m")
    delete(owner, name, "m")
    edit(member, name, "m", 409, "message_deleted", text="back")
    assert stored(owner, name)[0]["deleted"] is True


def test_a_repeat_after_an_edit_or_a_deletion_gets_the_first_answer(room):
    owner, member, _, name = room
    target, body = room_path(name, "messages"), {"text": "text", "messageId": "m"}
    first = member.post(target, body).expect(201).json
    edit(member, name, "m", text="other")
    assert member.post(target, body).expect(200).json == first
    member.post(target, {"text": "other", "messageId": "m"}).expect(409, "message_id_reused")
    delete(owner, name, "m")
    assert member.post(target, body).expect(200).json == first
    assert [one.get("deleted") for one in stored(owner, name)] == [True]


def test_the_spared_session_is_not_told(room):
    owner, member, _, name = room
    member.send(name, "text", messageId="m")
    with member.stream(session="mine") as mine, member.stream(session="other") as other:
        mine.open()
        other.open()
        headers = {"X-Tidings-Session": "mine"}
        member.request("PATCH", message_path(name, "m"), {"text": "x"}, headers).expect(200)
        member.request("DELETE", message_path(name, "m"), None, headers).expect(200)
        owner.send(name, "end")
        assert [other.take().type for _ in range(3)] == \
            ["message_edited", "message_deleted", "new_message"]
        assert mine.take().type == "new_message"


def test_watchers_are_told(room):
    owner, member, other, name = room
    with other.stream(watch=name) as stream:
        stream.open()
        member.send(name, "text", messageId="m")
        edit(member, name, "m", text="x")
        delete(owner, name, "m")
        assert [stream.take().type for _ in range(3)] == \
            ["new_message", "message_edited", "message_deleted"]


def test_replayed_at_every_cut(room):
    owner, member, _, name = room
    cuts = [owner.get(room_path(name)).json["asOf"]]
    for number in range(6):
        cuts.append(member.send(name, f"secret {number}", messageId=f"m{number}")["id"])
        if number % 2:
            cuts.append(edit(member, name, f"m{number}", text=f"secret edit {number}").json["id"])
    for number in (0, 3, 4):
        cuts.append(delete(owner, name, f"m{number}").json["id"])
    for index, cut in enumerate(cuts):
        with owner.stream(since=cut) as stream:
            stream.until("connected")
            got = [stream.take() for _ in cuts[index + 1:]]
            assert [event.id for event in got] == cuts[index + 1:]
            assert stream.take().type == "caught_up"
        for event in got:
            gone = event["messageId"] in ("m0", "m3", "m4") and event.type != "message_deleted"
            assert event.data.get("deleted", False) == gone, event.data
            assert gone == (not GONE & event.data.keys()) or event.type == "message_deleted"


def noise(chance, size):
    """Text that nothing else holds, and a piece of it that is looked for."""
    return "".join(chance.choices(string.ascii_letters, k=size))


def files_of(server):
    return {name: file.read_bytes() for name in ("journal.db", "journal.db-wal")
            if (file := server.folder / name).exists()}


def pieces(text):
    """Parts that a page may hold, for a text may be spread over several."""
    return [text[at:at + 10].encode() for at in range(0, len(text) - 9, 997)]


def left(server, texts):
    found = files_of(server)
    return [(name, text[:20]) for text in texts for piece in pieces(text)
            for name, content in found.items() if piece in content]


def post_and_delete(chance, user, name, rounds):
    """Posts, edits and deletions in no order; gives the texts that must be gone."""
    alive, gone = {}, []
    for number in range(rounds):
        size = chance.choice((10, 100, 1000, 5000, 60000))
        text = noise(chance, size)
        message = f"m{number}"
        content = {"text": text} if size <= 16384 else {"message": {"x": text}}
        user.post(room_path(name, "messages"), {"messageId": message, **content}).expect(201)
        alive[message] = [text]
        if chance.random() < 0.4:
            which = chance.choice(list(alive))
            alive[which].append(noise(chance, chance.choice((10, 3000, 16000))))
            edit(user, name, which, text=alive[which][-1])
        if chance.random() < 0.6:
            which = chance.choice(list(alive))
            gone += alive.pop(which)
            delete(user, name, which)
    kept = [texts[-1] for texts in alive.values()]
    return gone, kept


@pytest.mark.sqlite
def test_nothing_is_left_in_the_file_after_a_clean_stop(start, seed):
    server = start()
    owner = server.user("owner")
    name = owner.create("room")
    gone, kept = post_and_delete(seed, owner, name, 150)
    assert gone and left(server, gone), "it was there before"
    owner.close()
    server.stop()
    assert left(server, gone) == []
    assert len({text for _, text in left(server, kept)}) == len(kept)


@pytest.mark.sqlite
def test_nothing_is_left_after_the_next_checkpoint(start, seed):
    server = start()
    owner = server.user("owner")
    name = owner.create("room")
    gone, _ = post_and_delete(seed, owner, name, 60)
    with owner.stream(since="0-0") as stream:
        stream.open()
        wait_until(lambda: not left(server, gone), "the deleted text left the files", timeout=60)
        owner.send(name, "after the checkpoint")
    assert left(server, gone) == []
