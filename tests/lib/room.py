"""What tests of rooms share: paths, people, and bodies that every route refuses."""
import pytest

from .http import path


def room_path(room, *more):
    return path("v1", "rooms", room, *more)


def everyone(server, names):
    """Owner and member of a public room, and one who is not in it."""
    owner, member, other = (server.user(names(stem)) for stem in ("owner", "member", "other"))
    room = owner.create(names("room"))
    member.join(room)
    return owner, member, other, room


def stored(user, room):
    """The newest messages, newest first."""
    return user.get(room_path(room, "messages") + "?limit=100").expect(200).json["messages"]


def deep(levels):
    return '{"x":' * levels + "1" + "}" * levels


# What is no JSON object, whatever the route: (body, headers, status, code).
BAD_BODIES = [
    pytest.param(body, headers, status, code, id=name) for name, body, headers, status, code in (
        ("an array", b"[]", None, 400, "invalid_json"),
        ("a number", b"7", None, 400, "invalid_json"),
        ("half", b"{", None, 400, "invalid_json"),
        ("two", b"{} {}", None, 400, "invalid_json"),
        ("duplicate", b'{"text":"a","text":"b"}', None, 400, "invalid_json"),
        ("no UTF-8", b'{"text":"\xff"}', None, 400, "invalid_json"),
        ("a surrogate", b'{"text":"\xed\xa0\x80"}', None, 400, "invalid_json"),
        ("U+0000", b'{"text":"\\u0000"}', None, 400, "invalid_json"),
        ("half a pair", b'{"text":"\\ud800"}', None, 400, "invalid_json"),
        ("a huge number", b'{"x":1e999}', None, 400, "invalid_json"),
        ("deep", deep(33).encode(), None, 400, "invalid_json"),
        ("wide", b'{"x":[' + b"0," * 20001 + b"0]}", None, 400, "invalid_json"),
        ("text/plain", b"{}", {"Content-Type": "text/plain"}, 415, "unsupported_media_type"),
        ("brotli", b"{}", {"Content-Encoding": "br"}, 415, "unsupported_media_type"),
        ("large", b'{"text":"' + b"x" * (1 << 20) + b'"}', None, 413, "body_too_large"),
    )]
MESSAGE = {"text": "hi"}
CUSTOM = {"type": "custom.move", "data": {"x": 1}}
KINDS = [("messages", MESSAGE), ("events", CUSTOM)]
BAD_NAMES = ["a b", "a/b", "..", ".", "é", "x" * 129, "a%00b", "{}"]
