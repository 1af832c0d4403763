"""Direct rooms, and blocks, which close them to one of the two."""
import threading

import pytest

from lib.http import path
from lib.room import room_path
from lib.schema import check_event


def direct(user, target):
    return user.post(path("v1", "direct", target.name))


@pytest.fixture
def pair(server, names):
    return (server.user(names("alice"), name="Alice", data={"a": 1}),
            server.user(names("bob"), name="Bob"))


def test_made_once(pair):
    alice, bob = pair
    made = direct(alice, bob).expect(201)
    room = made.json["roomId"]
    assert made.header("Location") == room_path(room)
    assert made.json["kind"] == "direct" and made.json["memberCount"] == 2
    assert len(room) >= 20, "nobody guesses it"
    assert direct(bob, alice).expect(200).json["roomId"] == room
    again = direct(alice, bob).expect(200).json
    assert again["roomId"] == room
    people = {row["userId"]: row.get("userData") for row in again["members"]}
    assert people.keys() == {alice.name, bob.name}
    assert people[alice.name] == {"name": "Alice", "data": {"a": 1}}
    assert people[bob.name] == {"name": "Bob"}
    listed = bob.get(path("v1", "rooms")).expect(200).json["rooms"]
    assert [(row["roomId"], row["kind"]) for row in listed] == [(room, "direct")]
    assert {row["userId"] for row in listed[0]["members"]} == people.keys()
    assert alice.get(room_path(room)).json["members"] == again["members"]


def test_both_at_once(server, names):
    users = names("user"), names("user")
    answers = []

    def ask(name, target):
        answers.append(direct(server.user(name), server.user(target)))

    threads = [threading.Thread(target=ask, args=(users[number % 2], users[1 - number % 2]))
               for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({answer.json["roomId"] for answer in answers}) == 1
    assert sorted(answer.status for answer in answers) == [200] * 5 + [201]


def test_both_are_told(pair):
    alice, bob = pair
    streams = alice.stream(), bob.stream()
    for stream in streams:
        stream.open()
    room = direct(alice, bob).expect(201).json["roomId"]
    told = [stream.until("user_joined", where=lambda event: event["userId"] == user.name)
            for stream, user in zip(streams, pair)]
    for event in told:
        assert event["room"]["roomId"] == room and event["room"]["kind"] == "direct"
        assert {row["userId"] for row in event["room"]["members"]} == {alice.name, bob.name}
    assert [event.type for event in streams[0].events][:4] == [
        "connected", "caught_up", "room_created", "user_joined"]
    assert [event.type for event in streams[1].events] == ["connected", "caught_up", "user_joined"]
    sent = bob.send(room)["id"]
    assert streams[0].until("new_message").id == sent
    assert streams[1].take().id == sent
    for stream in streams:
        stream.close()


def test_a_change_names_both(server, names, pair):
    alice, bob = pair
    room = direct(alice, bob).expect(201).json["roomId"]
    direct(bob, alice).expect(200)
    manager = server.user(names("manager"), rooms=[{"room": room, "can": ["manage"]}])
    with alice.stream() as stream:
        stream.open()
        changed = manager.put(room_path(room), {"name": "us"}).expect(200).json
        again = server.service().put(room_path(room), {"name": "us"}).expect(200).json
        told = stream.until("room_updated")
        check_event(told.data)
        read = manager.get(room_path(room)).expect(200).json
        assert changed["members"] == read["members"] and "role" not in changed
        people = [(row["userId"], row["userData"]["name"]) for row in changed["members"]]
        assert people == sorted([(alice.name, "Alice"), (bob.name, "Bob")])
        assert [(row["userId"], row["userData"]["name"]) for row in told["members"]] == people
        assert {row["userId"]: row["presence"]["status"] for row in again["members"]} == {
            alice.name: "online", bob.name: "offline"}
        server.service().delete(room_path(room)).expect(200)
        gone = stream.until("room_deleted")
        check_event(gone.data)
        assert gone["members"] == told["members"]


def test_of_the_two_alone(server, names, pair):
    alice, bob = pair
    other = server.user(names("other"))
    room = direct(alice, bob).expect(201).json["roomId"]
    for answer in (other.get(room_path(room)), other.post(room_path(room, "join")),
                   other.post(room_path(room, "messages"), {"text": "x"})):
        answer.expect(404, "not_found")
    for answer in (
            alice.post(room_path(room, "leave")),
            alice.delete(room_path(room, "members", alice.name)),
            alice.delete(room_path(room, "members", bob.name)),
            alice.put(room_path(room, "members", other.name), {}),
            alice.put(room_path(room, "members", bob.name), {"role": "owner"}),
            alice.post(room_path(room, "members"), {"users": [other.name]}),
            alice.put(room_path(room, "bans", bob.name), {}),
            alice.put(room_path(room), {"name": "us"}),
            alice.delete(room_path(room)),
            server.service().put(room_path(room, "bans", bob.name), {})):
        answer.expect(403, "not_allowed")
    alice.put(room_path(room, "members", alice.name), {"notify": "none"}).expect(200)
    assert alice.get(room_path(room)).json["notify"] == "none"
    direct(alice, alice).expect(400, "invalid_identifier")
    alice.put(room_path(names("room")), {"kind": "direct"}).expect(400, "invalid_field")
    guest = server.user(names("guest"), scope="guest")
    direct(guest, alice).expect(403)


def test_block(server, names, pair):
    alice, bob = pair
    room = direct(alice, bob).expect(201).json["roomId"]
    bob.send(room)
    edited = bob.send(room)["messageId"]
    with bob.stream() as stream:
        stream.open()
        done = alice.put(path("v1", "blocks", bob.name)).expect(200).json
        assert done.keys() == {"userId", "asOf"} and done["userId"] == bob.name
        for answer in (
                bob.post(room_path(room, "messages"), {"text": "hey"}),
                bob.post(room_path(room, "messages"), {"text": "hey", "ephemeral": True}),
                bob.post(room_path(room, "events"), {"type": "custom.x", "data": {}}),
                bob.post(room_path(room, "typing"), {"typing": True}),
                bob.request("PATCH", room_path(room, "messages", edited), {"text": "hey"})):
            answer.expect(403, "blocked")
        sent = alice.send(room)["id"]
        assert stream.take().id == sent, "nobody is told of a block"
    assert direct(bob, alice).expect(200).json["roomId"] == room
    alice.delete(path("v1", "blocks", bob.name)).expect(200)
    alice.delete(path("v1", "blocks", bob.name)).expect(200)
    bob.send(room)
    carol = server.user(names("carol"))
    alice.put(path("v1", "blocks", carol.name)).expect(200)
    direct(carol, alice).expect(403, "blocked")


def test_list_of_blocks(server, names, pair):
    alice, bob = pair
    assert alice.get("/v1/blocks").expect(200).json["blocks"] == []
    assert bob.get("/v1/rooms").expect(200)
    blocked = sorted([bob.name, *(names("user") for _ in range(3))])
    for name in blocked:
        alice.put(path("v1", "blocks", name)).expect(200)
    listed, following = [], None
    for _ in range(5):
        page = alice.get(path("v1", "blocks", limit=3, **{"from": following})).expect(200).json
        listed += page["blocks"]
        following = page.get("next")
        if not following:
            break
    assert [row["userId"] for row in listed] == blocked
    assert all(row["blockedAt"] > 1_700_000_000_000 for row in listed)
    one = alice.get(path("v1", "blocks", bob.name)).expect(200).json
    assert one["userId"] == bob.name and one["blockedAt"]
    alice.get(path("v1", "blocks", names("user"))).expect(404, "not_found")
    bob.get(path("v1", "blocks", alice.name)).expect(404, "not_found")
    assert bob.get("/v1/blocks").expect(200).json["blocks"] == []
    alice.put(path("v1", "blocks", alice.name)).expect(400, "invalid_identifier")
    alice.get(path("v1", "blocks", limit=0)).expect(400, "invalid_parameter")


def test_mentions_of_who_blocks(server, names, pair):
    alice, bob = pair
    carol = server.user(names("carol"))
    room = alice.create(names("room"))
    for user in (bob, carol):
        user.join(room)
    alice.put(path("v1", "blocks", bob.name)).expect(200)
    with alice.stream() as stream:
        stream.open()
        body = {"messageId": names("message"), "text": "hi", "mentions": [alice.name, carol.name]}
        bob.post(room_path(room, "messages"), body).expect(201)
        bob.post(room_path(room, "messages"), body).expect(200)
        assert stream.take()["mentions"] == [carol.name]
        bob.send(room, mentions=[alice.name])
        assert "mentions" not in stream.take().data
        alice.send(room, mentions=[bob.name])
        assert stream.take()["mentions"] == [bob.name]
        bob.send(room, mentions=[alice.name, carol.name], ephemeral=True)
        assert stream.take()["mentions"] == [carol.name]
        bob.send(room, mentions=[alice.name], ephemeral=True)
        told = stream.take()
        assert told["ephemeral"] and "mentions" not in told.data
        carol.send(room, mentions=[alice.name], ephemeral=True)
        assert stream.take()["mentions"] == [alice.name]
    assert alice.get(room_path(room, "messages")).json["messages"][2]["mentions"] == [carol.name]
    for user, expected in ((alice, 0), (carol, 1)):
        rooms = user.get(path("v1", "rooms")).expect(200).json["rooms"]
        assert [row["mentions"] for row in rooms] == [expected]


def test_in_a_batch(pair):
    alice, bob = pair
    results = alice.post("/v1/batch", {"events": [
        {"type": "open_direct", "userId": bob.name},
        {"type": "block_user", "userId": bob.name},
        {"type": "unblock_user", "userId": bob.name},
        {"type": "open_direct", "userId": alice.name}]}).expect(200).json["results"]
    assert [row["status"] for row in results] == [201, 200, 200, 400]
    assert results[0]["kind"] == "direct"
