"""Acknowledged cursors of devices."""
import pytest

from lib.room import everyone
from lib.sse import id_key


def test_acks(server, names):
    owner, member, _, room = everyone(server, names)
    ids = [owner.send(room, str(number))["id"] for number in range(4)]
    noted = member.post("/v1/acks", {"cursor": ids[1], "device": "phone"}).expect(200).json
    assert noted["cursor"] == ids[1] and noted["device"] == "phone"
    assert id_key(noted["asOf"]) >= id_key(ids[3])
    older = member.post("/v1/acks", {"cursor": ids[0], "device": "phone"}).expect(200).json
    assert older["cursor"] == ids[1], "what is noted"
    other = member.post("/v1/acks", {"cursor": ids[0], "device": "desk"}).expect(200).json
    assert other["cursor"] == ids[0]
    assert member.post("/v1/acks", {"cursor": "0-0"}).expect(200).json["cursor"] == ids[1]
    stream = member.stream(device="phone")
    stream.until("caught_up")
    assert [event.id for event in stream.of("new_message")] == ids[2:], "it never moves back"
    stream.close()
    without = member.post("/v1/acks", {"cursor": ids[3]}).expect(200).json
    assert "device" not in without
    member.post("/v1/acks", {"cursor": "0-0", "device": "tablet"}).expect(200)


@pytest.mark.parametrize("body, status, code, field", [
    ({}, 400, "invalid_field", "cursor"), ({"cursor": 5}, 400, "invalid_field", "cursor"),
    ({"cursor": None}, 400, "invalid_field", "cursor"),
    ({"cursor": ""}, 400, "invalid_field", "cursor"),
    ({"cursor": "5"}, 400, "invalid_field", "cursor"),
    ({"cursor": "05-1"}, 400, "invalid_field", "cursor"),
    ({"cursor": "1-"}, 400, "invalid_field", "cursor"),
    ({"cursor": "x" * 500}, 400, None, "cursor"),
    ({"cursor": "18446744073709551616-0"}, 400, "invalid_field", "cursor"),
    ({"cursor": "0-0", "device": "a b"}, 400, "invalid_identifier", "device"),
    ({"cursor": "0-0", "device": 5}, 400, "invalid_field", "device"),
    ({"cursor": "18446744073709551615-0", "device": "phone"}, 422, "cursor_ahead", None),
    ({"cursor": "18446744073709551615-18446744073709551615"}, 422, "cursor_ahead", None),
])
def test_bad_acks(server, names, body, status, code, field):
    user = server.user(names("user"))
    user.create(names("room"))
    answer = user.post("/v1/acks", body).expect(status, code)
    assert answer.json.get("field") == field
    server.user(names("guest"), scope="guest").post("/v1/acks", body).expect(403, "not_allowed")


def test_devices_are_bounded(server, names):
    owner, member, _, room = everyone(server, names)
    first = owner.send(room)["id"]
    for number in range(25):
        member.post("/v1/acks", {"cursor": first, "device": f"d{number}"}).expect(200)
    last = owner.send(room)["id"]
    for device, expected in (("d24", [last]), ("d0", [])):
        stream = member.stream(device=device)
        stream.until("caught_up")
        assert [event.id for event in stream.of("new_message")] == expected, device
        stream.close()
