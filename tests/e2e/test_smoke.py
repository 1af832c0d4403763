"""The walk of the quick start: two people, a room, messages, a cut, and back without loss."""
from lib.http import path


def test_a_message_arrives_and_a_cut_loses_nothing(server, names):
    alice, bob, room = server.user(names("alice")), server.user(names("bob")), names("room")
    alice.create(room, name="The lounge")
    bob.join(room)
    stream = bob.stream()
    assert stream.open()["userId"] == bob.name

    sent = alice.send(room, "Hello, Bob")
    event = stream.until("new_message")
    assert event["text"] == "Hello, Bob"
    assert event["id"] == sent["id"] == event.id
    assert event["messageId"] == sent["messageId"]
    assert event["sender"]["userId"] == alice.name
    stream.cut()

    missed = [alice.send(room, f"missed {number}")["id"] for number in range(3)]
    again = bob.stream(since=event.id)
    first = again.take()
    assert first.type == "connected" and first["resumed"] is True
    assert [again.take().id for _ in missed] == missed
    caught_up = again.take()
    assert caught_up.type == "caught_up" and caught_up["replayed"] == 3
    live = alice.send(room, "live again")
    assert again.take().id == live["id"]
    again.close()


def test_history_shows_the_same(server, names):
    alice, room = server.user(names("alice")), names("room")
    alice.create(room)
    ids = [alice.send(room, f"number {number}")["id"] for number in range(5)]
    page = alice.get(path("v1", "rooms", room, "messages")).expect(200).json
    assert [message["id"] for message in page["messages"]] == ids[::-1]
    assert [message["text"] for message in page["messages"]][0] == "number 4"


def test_a_poll_brings_it_too(server, names):
    alice, bob, room = server.user(names("alice")), server.user(names("bob")), names("room")
    alice.create(room)
    bob.join(room)
    poller = bob.poller()
    poller.once()
    poller.start(wait=25)
    sent = alice.send(room, "by poll")
    assert [event["id"] for event in poller.finish()] == [sent["id"]]
    poller.close()


def test_alive(server):
    assert server.request("GET", "/healthz").status == 200
    assert server.request("GET", "/readyz").status == 200
