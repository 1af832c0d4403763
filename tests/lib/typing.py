"""What tests of typing share."""
from .http import path
from .room import room_path

TYPES = ("user_typing", "user_stopped_typing")


def types(user, room, typing=True, status=200):
    return user.post(room_path(room, "typing"), {"typing": typing}).expect(status)


class Onlooker:
    """A member's stream, of which only typing counts."""

    def __init__(self, server, name, room, **query):
        self.user, self.room = server.user(name), room
        self.stream = self.user.stream(**query)
        self.stream.open()

    def next(self, timeout=30):
        event = self.stream.until(*TYPES, timeout=timeout)
        assert event["roomId"] and event.id is None
        return event

    def sees(self, user, typing=True, timeout=30):
        """The next that is told is this."""
        event = self.next(timeout)
        expected = (TYPES[0] if typing else TYPES[1], user.name)
        assert (event.type, event["userId"]) == expected, event
        return event

    def close(self):
        self.stream.close()


def fence(other, onlooker):
    """Whatever the server had to tell before is here when this has passed: typing by one more
    member, after which the server has forgotten it."""
    types(other, onlooker.room)
    onlooker.sees(other)
    types(other, onlooker.room, False)
    onlooker.sees(other, False)


def log_out(user, session):
    assert user.delete(path("v1", "session", session)).status in (200, 204)
