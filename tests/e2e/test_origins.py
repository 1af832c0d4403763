"""Browsers: the cookie and its origins, cross-origin answers and preflights."""
import pytest

from lib.http import path
from lib.sse import Stream

APP, OTHER = "https://app.example", "https://other.example"
OPTIONS = {"http.allowed_origins": f"{APP},http://localhost:3000"}
EVIL = ["null", "https://app.example.evil.example", "https://evil-app.example",
        "http://app.example", "https://app.example:8443", "https://APP.example.", "*",
        "https://app.example/", "https://app.exampl", "https://sub.app.example", OTHER]


def cookie_of(server, user, headers=None):
    """Sets the session cookie; the `name=value` to send back."""
    answer = server.request("POST", "/v1/session", headers=headers, token=user.token)
    assert answer.status in (200, 201, 204), answer
    text = answer.header("Set-Cookie")
    value, *attributes = [piece.strip() for piece in text.split(";")]
    assert value.startswith(f"tidings={user.token}")
    return value, [attribute.lower() for attribute in attributes]


def test_the_cookie_is_locked_down(server, names):
    value, attributes = cookie_of(server, server.user(names("alice")))
    assert {"httponly", "samesite=strict", "path=/"} <= set(attributes)
    assert not any(attribute.startswith("domain") for attribute in attributes)
    answer = server.request("GET", "/v1/rooms", headers={"Cookie": f"a=b; {value}; c=d"})
    assert answer.status == 200
    gone = server.request("DELETE", "/v1/session",
                          headers={"Cookie": value, "Origin": server.origin})
    assert gone.status in (200, 204)
    assert "max-age=0" in gone.header("Set-Cookie").lower()


def test_what_changes_something_by_cookie_needs_an_origin(server, names):
    alice = server.user(names("alice"))
    value, _ = cookie_of(server, alice)
    target = path("v1", "rooms", names("room"))

    def put(origin):
        headers = {"Cookie": value}
        if origin:
            headers["Origin"] = origin
        return server.request("PUT", target, {}, headers)
    put(None).expect(403, "origin_not_allowed")
    for origin in EVIL:
        put(origin).expect(403, "origin_not_allowed")
    assert put(server.origin).status == 201
    assert put(APP).status == 200
    bearer = server.request("PUT", target, {}, {"Origin": OTHER}, token=alice.token)
    assert bearer.status == 200, "a bearer is no browser's habit"
    both = server.request("PUT", target, {}, {"Origin": OTHER, "Cookie": value},
                          token=alice.token)
    assert both.status == 200, "what was given on purpose wins"


def test_a_stream_by_cookie(server, names):
    alice = server.user(names("alice"))
    value, _ = cookie_of(server, alice)
    with Stream(server.address, "/v1/events", {"Cookie": value}) as stream:
        assert stream.take()["userId"] == alice.name
    bob = server.user(names("bob"))
    with Stream(server.address, path("v1", "events", access_token=bob.token),
                {"Cookie": value}) as stream:
        assert stream.take()["userId"] == bob.name


def test_with_samesite_none_streams_need_an_origin_too(start):
    server = start(auth__cookie_samesite="none", http__allowed_origins=APP)
    alice = server.user("alice")
    value, attributes = cookie_of(server, alice)
    assert "samesite=none" in attributes
    for target in ("/v1/events", "/v1/poll?wait=0"):
        answer = server.request("GET", target, headers={"Cookie": value, "Origin": OTHER})
        answer.expect(403, "origin_not_allowed")
        answer = server.request("GET", target, headers={"Cookie": value})
        answer.expect(403, "origin_not_allowed")
    with Stream(server.address, "/v1/events", {"Cookie": value, "Origin": APP}) as stream:
        assert stream.take().type == "connected"


def test_behind_https_the_cookie_is_secure(start):
    server = start(http__public_origin="https://chat.example",
                   http__trusted_proxies="127.0.0.0/8")
    alice = server.user("alice")
    answer = server.request("POST", "/v1/session", token=alice.token,
                            headers={"X-Forwarded-Proto": "https", "Host": "chat.example"})
    text = answer.header("Set-Cookie")
    assert text.startswith("__Host-tidings=") and "Secure" in text
    value = text.split(";")[0]
    for origin, status in (("https://chat.example", 201), ("http://chat.example", 403),
                           (server.origin, 403)):
        made = server.request("PUT", "/v1/rooms/r", {}, {
            "Cookie": value, "Origin": origin, "Host": "chat.example",
            "X-Forwarded-Proto": "https"})
        assert made.status == status, (origin, made)


@pytest.mark.parametrize("target", ["/v1/rooms", "/v1/events", "/v1/rooms/x/messages",
                                    "/v1/session/x/token"])
def test_preflights_need_no_token(server, target):
    answer = server.request("OPTIONS", target, headers={
        "Origin": APP, "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization,last-event-id"})
    assert answer.status in (200, 204), answer
    assert answer.header("Access-Control-Allow-Origin") == APP
    assert answer.header("Access-Control-Allow-Credentials") == "true"
    assert answer.header("Access-Control-Max-Age") == "600"
    allowed = {name.strip().lower()
               for name in answer.header("Access-Control-Allow-Headers").split(",")}
    assert allowed >= {"authorization", "content-type", "content-encoding", "last-event-id",
                       "if-match", "x-tidings-session"}
    assert answer.header("Access-Control-Allow-Methods")
    assert "origin" in answer.header("Vary").lower()


@pytest.mark.parametrize("origin", EVIL)
def test_other_origins_are_given_nothing(server, names, origin):
    alice = server.user(names("alice"))
    for answer in (alice.get("/v1/rooms", headers={"Origin": origin}),
                   server.request("OPTIONS", "/v1/rooms", headers={
                       "Origin": origin, "Access-Control-Request-Method": "GET"})):
        assert answer.header("Access-Control-Allow-Origin") is None
        assert answer.header("Access-Control-Allow-Credentials") is None
        assert "origin" in answer.header("Vary").lower()


def test_all_answers_carry_the_headers(server, names):
    alice, headers = server.user(names("alice")), {"Origin": APP}
    good = alice.get("/v1/rooms", headers=headers)
    for answer in (good, alice.get("/v1/rooms/none", headers=headers),
                   server.request("GET", "/v1/rooms", headers=headers),
                   server.request("PATCH", "/v1/rooms", headers=headers, token=alice.token),
                   alice.post("/v1/rooms", "{", headers=headers),
                   server.request("GET", "/nowhere", headers=headers)):
        assert answer.header("Access-Control-Allow-Origin") == APP, answer
        exposed = {name.strip().lower()
                   for name in answer.header("Access-Control-Expose-Headers").split(",")}
        assert exposed >= {"retry-after", "x-request-id", "location"}
        assert answer.header("X-Request-Id")
    with alice.stream(headers=headers) as stream:
        answer = stream.head()
        assert answer.header("Access-Control-Allow-Origin") == APP
        assert answer.header("Access-Control-Allow-Credentials") == "true"
    with Stream(server.address, "/v1/events", headers, "bad", expect=401) as stream:
        assert stream.head().header("Access-Control-Allow-Origin") == APP
