"""POST /v1/batch: many commands in one request, in order, each with its own answer."""
import threading

import pytest

from lib.room import everyone, room_path, stored
from lib.sse import id_key


def batch(user, *events, status=200, **more):
    return user.post("/v1/batch", {"events": list(events), **more}).expect(status).json


def statuses(answer):
    return [result["status"] for result in answer["results"]]


def message(room, text, **more):
    return {"type": "send_message", "roomId": room, "text": text, **more}


def test_a_life_in_one_request(server, names):
    owner, other, room = server.user(names("owner")), names("other"), names("room")
    name = names("m")
    stream = owner.stream()
    stream.open()
    answer = batch(owner,
                   {"type": "put_room", "roomId": room, "name": "Batch"},
                   {"type": "add_member", "roomId": room, "userId": other},
                   {"type": "add_members", "roomId": room, "users": [names("third")]},
                   message(room, "one", messageId=name),
                   {"type": "chat_message", "roomId": room, "text": "two", "timestamp": 17},
                   {"type": "custom_event", "roomId": room, "eventType": "custom.x", "data": 1},
                   {"type": "custom.y", "roomId": room, "data": {"b": 2}},
                   {"type": "ping"},
                   {"type": "put_member", "roomId": room, "userId": other, "role": "moderator"},
                   {"type": "remove_member", "roomId": room, "userId": other},
                   {"type": "join_room", "roomId": room},
                   {"type": "ack", "cursor": "0-0", "device": "phone"},
                   {"type": "delete_room", "roomId": room})
    assert statuses(answer) == [201, 200, 200, 201, 201, 201, 201, 200, 200, 200, 200, 200, 200]
    results = answer["results"]
    assert results[0]["roomId"] == room and results[0]["name"] == "Batch"
    assert results[3]["messageId"] == name
    assert results[10]["role"] == "owner" and len(results[10]["members"]) == 2
    seen = [stream.until("room_created")]
    while seen[-1].type != "room_deleted":
        seen.append(stream.take())
    assert [event.type for event in seen] == [
        "room_created", "user_joined", "user_joined", "user_joined", "new_message", "new_message",
        "custom.x", "custom.y", "member_updated", "user_left", "room_deleted"]
    assert [result["id"] for result in results[3:7]] == [event.id for event in seen[4:8]]
    stream.close()


def test_a_long_batch_keeps_nobody_waiting(server, names):
    """What others post meanwhile finds its place between its parts; those keep their order."""
    owner, other, room = server.user(names("owner")), server.user(names("other")), names("room")
    users = [names("u") for _ in range(9000)]
    owner.create(room)
    apart = other.create(names("apart"))
    posted, running = [], threading.Event()

    def post():
        while not running.is_set():
            posted.append(other.send(apart)["id"])

    poster = threading.Thread(target=post)
    poster.start()
    try:
        answer = batch(owner, *({"type": "add_members", "roomId": room, "users": users[i:i + 900]}
                                for i in range(0, len(users), 900)), message(room, "all in"))
    finally:
        running.set()
        poster.join()
    results = answer["results"]
    assert [result["status"] for result in results] == 10 * [200] + [201]
    assert [result["added"] for result in results[:10]] == 10 * [900]
    ids = [id_key(result["asOf"]) for result in results[:10]] + [id_key(results[10]["id"])]
    assert ids == sorted(ids)
    between = [id for id in posted if ids[0] < id_key(id) < ids[-1]]
    assert len(between) >= 3, (len(posted), results)
    assert owner.get(room_path(room)).json["memberCount"] == 9001


def test_the_rest_of_a_long_batch_is_not_tried(server, names):
    owner, room = server.user(names("owner")), names("room")
    users = [names("u") for _ in range(2400)]
    owner.create(room)
    adds = [{"type": "add_members", "roomId": room, "users": users[i:i + 800]}
            for i in range(0, len(users), 800)]
    wrong = {"type": "delete_room", "roomId": names("missing")}
    answer = batch(owner, *adds, wrong, message(room, "never"), ordered=True)
    assert statuses(answer) == [200, 200, 200, 404, 424]
    assert stored(owner, room) == []


def test_messages_are_changed_by_their_names(server, names):
    owner, room, name = server.user(names("owner")), names("room"), names("m")
    owner.create(room)
    about = {"roomId": room, "messageId": name}
    answer = batch(owner, message(room, "one", messageId=name),
                   {"type": "edit_message", **about, "text": "two"},
                   {"type": "edit_message", **about, "text": ""},
                   {"type": "delete_message", **about},
                   {"type": "edit_message", **about, "text": "three"})
    assert statuses(answer) == [201, 200, 400, 200, 409]
    assert answer["results"][1]["messageId"] == name
    assert stored(owner, room)[0]["deleted"] is True


def test_order_and_repeats(server, names):
    owner, room = server.user(names("owner")), names("room")
    owner.create(room)
    events = [message(room, f"text {i}", messageId=names(f"m{i}")) for i in range(100)]
    first = batch(owner, *events)
    assert statuses(first) == [201] * 100
    again = batch(owner, *events)
    assert statuses(again) == [200] * 100
    assert [result["id"] for result in again["results"]] == \
        [result["id"] for result in first["results"]]
    texts = [event["text"] for event in stored(owner, room)]
    assert texts == [f"text {i}" for i in reversed(range(100))]


def test_one_that_fails_does_not_stop_the_rest(server, names):
    owner, room = server.user(names("owner")), names("room")
    owner.create(room)
    events = [message(room, "one"), message(names("nowhere"), "lost"), {"type": "no_such"},
              {"type": "send_message", "text": "no room"}, message("bad room", "x"),
              message(room, ""), "text", {"type": 7}, message(room, "two")]
    answer = batch(owner, *events)
    assert statuses(answer) == [201, 404, 400, 400, 400, 400, 400, 400, 201]
    results = answer["results"]
    assert results[1]["code"] == "not_found"
    assert (results[2]["code"], results[2]["field"]) == ("invalid_field", "type")
    assert (results[3]["code"], results[3]["field"]) == ("invalid_field", "roomId")
    assert (results[4]["code"], results[4]["field"]) == ("invalid_identifier", "roomId")
    assert [event["text"] for event in stored(owner, room)] == ["two", "one"]


@pytest.mark.parametrize("fault", ["refused", "malformed", "unknown"])
def test_ordered_stops_at_the_first_that_fails(server, names, fault):
    owner, room = server.user(names("owner")), names("room")
    owner.create(room)
    bad = {"refused": message(names("nowhere"), "x"), "malformed": message(room, ""),
           "unknown": {"type": "no_such"}}[fault]
    answer = batch(owner, message(room, "one"), {"type": "ping"}, bad, message(room, "two"),
                   {"type": "ping"}, {"type": "no_such"}, ordered=True)
    found = statuses(answer)
    assert found[:2] == [201, 200] and found[2] in (400, 404)
    assert found[3:] == [424] * 3
    assert all(result["code"] == "not_tried" for result in answer["results"][3:])
    assert [event["text"] for event in stored(owner, room)] == ["one"]


def test_nothing_is_told_of_what_was_not_tried(server, names):
    owner, member, _, room = everyone(server, names)
    stream = member.stream()
    stream.open()
    answer = batch(owner, message(names("nowhere"), "x"),
                   message(room, "not tried", ephemeral=True), ordered=True)
    assert statuses(answer) == [404, 424]
    owner.send(room, "after")
    assert stream.until("new_message")["text"] == "after"
    stream.close()


def test_ephemeral_and_durable_keep_their_order(server, names):
    owner, member, _, room = everyone(server, names)
    stream = member.stream()
    stream.open()
    answer = batch(owner, message(room, "1"), message(room, "2", ephemeral=True),
                   message(room, "3"), message(room, "4", ephemeral=True), message(room, "5"))
    assert statuses(answer) == [201] * 5
    assert ["id" in result for result in answer["results"]] == [True, False, True, False, True]
    assert [stream.until("new_message").data["text"] for _ in range(5)] == list("12345")
    stream.close()


def test_the_session_that_sends_is_spared(server, names):
    owner, room, session = server.user(names("owner")), names("room"), names("session")
    owner.create(room)
    spared, other = owner.stream(session=session), owner.stream()
    spared.open()
    other.open()
    owner.post("/v1/batch", {"events": [message(room, "quiet")]},
               headers={"X-Tidings-Session": session}).expect(200)
    batch(owner, message(room, "loud"))
    assert [other.until("new_message").data["text"] for _ in range(2)] == ["quiet", "loud"]
    assert spared.until("new_message").data["text"] == "loud"
    spared.close()
    other.close()


@pytest.mark.parametrize("body, field", [
    ({}, "events"), ({"events": []}, "events"), ({"events": {}}, "events"),
    ({"events": [{"type": "ping"}] * 101}, "events"),
    ({"events": [{"type": "ping"}], "ordered": 1}, "ordered")])
def test_malformed(server, names, body, field):
    refused = server.user(names("user")).post("/v1/batch", body).expect(400, "invalid_field")
    assert refused.json["field"] == field


def test_who_may(server, names):
    body = {"events": [{"type": "ping"}]}
    server.request("POST", "/v1/batch", body).expect(401)
    server.user(names("guest"), scope="guest").post("/v1/batch", body).expect(403, "not_allowed")


def test_admitted_or_refused_as_a_whole(start, names):
    server = start(limits__messages=1, limits__messages_burst=5)
    owner, room = server.user(names("owner")), names("room")
    owner.create(room)
    six = [message(room, str(i)) for i in range(6)]
    refused = owner.post("/v1/batch", {"events": six}).expect(429, "rate_limited")
    assert int(refused.header("Retry-After")) >= 1
    assert stored(owner, room) == []
    assert statuses(batch(owner, *six[:5])) == [201] * 5
    owner.post("/v1/batch", {"events": six[:5]}).expect(429, "rate_limited")
    assert len(stored(owner, room)) == 5


def test_the_requests_of_one_refused_are_given_back(start, names):
    server = start(limits__messages=1, limits__messages_burst=1, limits__requests=10)
    owner, room = server.user(names("owner")), names("room")
    refused = [message(room, "1"), message(room, "2")] + [{"type": "ping"}] * 7
    for _ in range(5):
        owner.post("/v1/batch", {"events": refused}).expect(429, "rate_limited")
    assert statuses(batch(owner, *[{"type": "ping"}] * 7)) == [200] * 7
