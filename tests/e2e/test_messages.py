"""Messages, history and custom events: repeats, pages, and each refusal."""
import threading

import pytest

from lib.http import path
from lib.sse import id_key


@pytest.fixture
def pair(server, names):
    alice, bob = server.user(names("alice")), server.user(names("bob"))
    room = alice.create(names("room"))
    bob.join(room)
    return alice, bob, room


def messages(room, *more, **query):
    return path("v1", "rooms", room, "messages", *more, **query)


def events(room):
    return path("v1", "rooms", room, "events")


def test_the_answer_names_what_was_stored(pair):
    alice, _, room = pair
    answer = alice.post(messages(room), {"text": "x", "messageId": "m-1"}).expect(201)
    assert set(answer.json) >= {"id", "messageId", "roomId", "timestamp"}
    assert answer.json["messageId"] == "m-1" and answer.json["roomId"] == room
    one = alice.get(messages(room, "m-1")).expect(200).json
    assert one["id"] == answer.json["id"] and one["text"] == "x"
    assert one["sender"]["userId"] == alice.name
    alice.get(messages(room, "m-2")).expect(404, "not_found")


def test_a_repeat_gets_the_first_answer(pair):
    alice, bob, room = pair
    body = {"text": "x", "message": {"a": 1, "b": [2]}, "messageId": "m", "mentions": ["bob"]}
    with bob.stream() as stream:
        stream.open()
        first = alice.post(messages(room), body).expect(201)
        for repeat in (body, dict(reversed(body.items())), dict(body, timestamp=1, unknown=2)):
            again = alice.post(messages(room), repeat).expect(200)
            assert again.json == first.json
        for other in (dict(body, text="y"), dict(body, message={"a": 1}), {"text": "x",
                      "messageId": "m"}, dict(body, replyTo="z")):
            alice.post(messages(room), other).expect(409, "message_id_reused")
        answer = bob.post(messages(room), body).expect(409, "message_id_reused")
        assert first.json["id"] not in answer.body.decode()
        last = alice.send(room, "last")
        assert [stream.take().id, stream.take().id] == [first.json["id"], last["id"]]
    assert len(alice.get(messages(room)).json["messages"]) == 2


def test_a_message_id_is_of_its_room(pair, names):
    alice, _, room = pair
    other = alice.create(names("room"))
    for where in (room, other):
        alice.post(messages(where), {"text": where, "messageId": "same"}).expect(201)


def test_repeats_hold_after_a_restart(start, names):
    server = start()
    server.keep_port()
    alice = server.user("alice")
    room = alice.create(names("room"))
    body = {"text": "x", "messageId": "m"}
    custom = {"type": "custom.x", "data": {"a": 1}, "messageId": "c"}
    first = alice.post(messages(room), body).expect(201).json
    event = alice.post(events(room), custom).expect(201).json
    server.kill()
    server.start()
    alice.close()
    assert alice.post(messages(room), body).expect(200).json == first
    assert alice.post(events(room), custom).expect(200).json == event
    alice.post(events(room), dict(custom, data={"a": 2})).expect(409, "message_id_reused")


def test_who_may_post(pair, server, names):
    alice, bob, room = pair
    stranger = server.user(names("stranger"))
    stranger.post(messages(room), {"text": "x"}).expect(403, "not_a_member")
    stranger.post(events(room), {"type": "custom.x", "data": {}}).expect(403, "not_a_member")
    bob.leave(room)
    bob.post(messages(room), {"text": "x"}).expect(403, "not_a_member")
    stranger.post(messages(room), {"text": "x", "ephemeral": True}).expect(403, "not_a_member")
    stranger.post(messages(names("none")), {"text": "x"}).expect(404, "not_found")
    server.service().post(messages(room), {"text": "by the service"}).expect(201)
    assert alice.get(messages(room)).status == 200


def test_pages_both_ways(pair):
    alice, _, room = pair
    ids = [alice.send(room, f"{number}", messageId=f"m{number}")["id"] for number in range(125)]

    def walk(bound, **query):
        got, target = [], messages(room, limit=40, **query)
        while target:
            page = alice.get(target).expect(200).json
            assert len(page["messages"]) <= 40
            got += [message["id"] for message in page["messages"]]
            following = page.get("nextBefore" if bound == "before" else "nextAfter")
            target = following and messages(room, limit=40, **{bound: following})
        return got
    assert walk("before") == ids[::-1]
    assert walk("before", before=ids[60]) == ids[:60][::-1]
    assert walk("before", before="m60") == ids[:60][::-1]
    assert walk("after", after="0-0") == ids
    assert walk("after", after=ids[60]) == ids[61:]
    page = alice.get(messages(room)).json
    assert len(page["messages"]) == 50 and id_key(page["asOf"]) >= id_key(ids[-1])
    around = alice.get(messages(room, around="m60", limit=11)).expect(200).json["messages"]
    got = [message["id"] for message in around]
    assert ids[60] in got and len(got) <= 11 and set(got) <= set(ids[50:71])
    between = alice.get(messages(room, after=ids[10], before=ids[20], limit=100)).expect(200).json
    assert [message["id"] for message in between["messages"]] == ids[11:20]


def test_pages_by_thread(pair):
    alice, _, room = pair
    root = alice.send(room, "root", messageId="root")
    replies = [alice.send(room, f"{number}", threadId="root")["id"] for number in range(5)]
    alice.send(room, "another")
    got = alice.get(messages(room, thread="root")).expect(200).json["messages"]
    assert [message["id"] for message in got] == replies[::-1]
    every = alice.get(messages(room)).json["messages"]
    assert len(every) == 7 and every[-1]["id"] == root["id"]


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "before=a%20b", "after=/",
                                   "before=1-1&after=1-1&around=1-1", "around=m&before=1-1",
                                   "thread=a%20b", "before="])
def test_bad_pages_are_refused(pair, query):
    alice, _, room = pair
    answer = alice.get(messages(room) + "?" + query)
    assert answer.status == 400 or query == "before=", answer


def test_unknown_bounds_are_not_found(pair):
    alice, _, room = pair
    for name in ("before", "after", "around"):
        alice.get(messages(room, **{name: "no-such-message"})).expect(404, "not_found")


def test_history_is_for_readers(pair, server, names):
    alice, _, room = pair
    private = alice.create(names("private"), kind="private")
    alice.send(private, "secret", messageId="s")
    stranger = server.user(names("stranger"))
    assert stranger.get(messages(room)).status == 200, "in public rooms anyone reads"
    stranger.get(messages(private)).expect(404, "not_found")
    stranger.get(messages(private, "s")).expect(404, "not_found")


def test_history_from_the_joining(pair, server, names):
    alice, _, _ = pair
    room = alice.create(names("room"), kind="private", historyFrom="joining")
    alice.send(room, "before", messageId="before")
    carol = server.user(names("carol"))
    alice.put(path("v1", "rooms", room, "members", carol.name), {})
    after = alice.send(room, "after")
    assert [message["id"] for message in carol.get(messages(room)).json["messages"]] == \
        [after["id"]]
    carol.get(messages(room, "before")).expect(404)
    whole = alice.create(names("room"), kind="private")
    alice.send(whole, "before")
    alice.put(path("v1", "rooms", whole, "members", carol.name), {})
    assert len(carol.get(messages(whole)).json["messages"]) == 1


BAD_EVENTS = [{}, {"type": "custom.x"}, {"data": {}}, {"type": "x", "data": {}},
              {"type": "new_message", "data": {}}, {"type": "custom.", "data": {}},
              {"type": "custom.a b", "data": {}}, {"type": "custom.\nid: 1-1", "data": {}},
              {"type": "custom." + "x" * 130, "data": {}}, {"type": 7, "data": {}},
              {"type": "custom.x", "data": {"x": "y" * 66000}},
              {"type": "custom.x", "data": {}, "messageId": "a b"},
              {"type": "custom.x", "data": {}, "ephemeral": 1}]


@pytest.mark.parametrize("body", BAD_EVENTS, ids=lambda body: ascii(body)[:40])
def test_bad_custom_events_are_refused(pair, body):
    alice, _, room = pair
    answer = alice.post(events(room), body)
    if body == {"type": "custom.x"} and answer.status == 201:
        return  # data may be left out
    assert answer.status in (400, 413), answer


def test_custom_events_repeat_like_messages(pair):
    alice, bob, room = pair
    body = {"type": "custom.move", "data": {"x": 1}, "messageId": "e"}
    first = alice.post(events(room), body).expect(201)
    assert alice.post(events(room), body).expect(200).json == first.json
    for other in (dict(body, type="custom.other"), dict(body, data={"x": 2})):
        alice.post(events(room), other).expect(409, "message_id_reused")
    bob.post(events(room), body).expect(409, "message_id_reused")
    assert alice.get(messages(room)).json["messages"] == []


def test_the_newest_name_of_a_sender_counts(server, names):
    name, alice = names("bob"), server.user(names("alice"))
    room = alice.create(names("room"))
    server.user(name, name="Bob").join(room)
    with alice.stream() as stream:
        stream.open()
        sent = server.user(name, name="Robert").send(room, "x")
        message = stream.until("new_message")
        assert message.id == sent["id"] and message["sender"]["name"] == "Robert"
    members = alice.get(path("v1", "rooms", room, "members")).json["members"]
    assert [one["userData"]["name"] for one in members if one["userId"] == name] == ["Robert"]


def test_parallel_posts_of_one_id_are_stored_once(pair, server):
    alice, bob, room = pair
    answers = []

    def post():
        one = server.user(alice.name)
        answers.append(one.post(messages(room), {"text": "x", "messageId": "m"}))
        one.close()
    threads = [threading.Thread(target=post) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status for answer in answers) == [200] * 15 + [201]
    assert len({answer.json["id"] for answer in answers}) == 1
    assert len(bob.get(messages(room)).json["messages"]) == 1
