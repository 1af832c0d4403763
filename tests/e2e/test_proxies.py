"""Through nginx and HAProxy, as they come and with our samples: each event arrives before the next
is sent, streams outlive the proxy's idle time, nothing needs a sticky session."""
import time

import pytest

from lib import proxies
from lib.http import Connection, path, wait_until
from lib.sse import Stream

OPTIONS = {"sse.heartbeat": "400ms", "server.listen": "127.0.0.1:0,127.0.0.1:0",
           "http.trusted_proxies": "127.0.0.0/8"}
IDLE_S = 1  # what a plain proxy allows; more than two heartbeats
KINDS = {"nginx": (proxies.nginx, None), "nginx plain": (proxies.nginx, f"{IDLE_S}s"),
         "haproxy": (proxies.haproxy, None), "haproxy plain": (proxies.haproxy, f"{IDLE_S}s")}
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=KINDS)
def proxy(request, server, tmp_path_factory):
    make, timeout = KINDS[request.param]
    made = make(tmp_path_factory.mktemp("proxy") / "own", server, timeout)
    yield made
    made.stop()


class Through:
    """A user whose requests go through the proxy, each on a connection of its own."""

    def __init__(self, server, proxy, name):
        self.user, self.address = server.user(name), proxy.address

    def request(self, method, target, body=None, headers=None):
        with Connection(self.address) as connection:
            return connection.request(method, target, body, headers, self.user.token)

    def send(self, room, text="x"):
        return self.request("POST", path("v1", "rooms", room, "messages"),
                            {"text": text}).expect(201).json["id"]

    def stream(self, since=None, **query):
        headers = {"Accept-Encoding": "gzip", "Accept": "text/event-stream"}
        if since:
            headers["Last-Event-ID"] = since
        query.setdefault("presence", "none")
        return Stream(self.address, path("v1", "events", **query), headers, self.user.token)


@pytest.fixture
def alice(server, proxy, names):
    return Through(server, proxy, names("alice"))


@pytest.fixture
def room(alice, names):
    name = names("room")
    alice.request("PUT", path("v1", "rooms", name), {}).expect(201)
    return name


def open_stream(stream):
    """Proxies may chunk what they pass on; the reader wants the bare body."""
    stream.head()
    assert stream.answer.header("Content-Encoding") is None
    assert stream.answer.header("Content-Type") == "text/event-stream"
    return stream.open()


def test_each_event_arrives_before_the_next_is_sent(alice, room):
    with alice.stream() as stream:
        open_stream(stream)
        for number in range(30):
            assert alice.send(room, f"{number}") == stream.until("new_message").id


def test_a_stream_outlives_the_idle_time(alice, room):
    with alice.stream() as stream:
        open_stream(stream)
        assert stream.quiet(IDLE_S * 3) == []
        assert not stream.ended
        assert len(stream.of("heartbeat")) >= 3
        assert alice.send(room) == stream.until("new_message").id


def test_resume_needs_no_stickiness(alice, room):
    ids = [alice.send(room, f"{number}") for number in range(20)]
    cursor = ids[0]
    for number in range(1, 20, 3):
        with alice.stream(since=cursor, session="one") as stream:
            open_stream(stream)
            got = [event.id for event in stream.of("new_message")]
            assert got == ids[number:]
            cursor = ids[number + 2] if number + 2 < 20 else ids[-1]


def test_polls_of_one_session_go_wherever(alice, room):
    def poll(since, wait):
        answer = alice.request("GET", path("v1", "poll", since=since, wait=wait, session="p",
                                             presence="none"))
        return answer.expect(200).json
    got = poll(None, 0)
    for number in range(8):
        sent = alice.send(room, f"{number}")
        got = poll(got["cursor"], 20)
        assert [event["id"] for event in got["events"]] == [sent]


def test_a_poll_waits_through_the_proxy(alice, room):
    cursor = alice.request("GET", "/v1/poll?wait=0").json["cursor"]
    with Connection(alice.address) as connection:
        connection.send_request("GET", path("v1", "poll", since=cursor, wait=50,
                                                    presence="none"),
                                token=alice.user.token)
        time.sleep(0.1)
        sent = alice.send(room)
        answer = connection.read_answer().expect(200)
        assert [event["id"] for event in answer.json["events"]] == [sent]


def test_errors_come_through(alice):
    assert alice.request("GET", "/v1/rooms/none").expect(404).code == "not_found"
    with Connection(alice.address) as connection:
        assert connection.request("GET", "/v1/rooms").status == 401


def test_the_samples_log_no_token(alice, room, proxy):
    with Stream(alice.address, path("v1", "events", access_token=alice.user.token)) as stream:
        open_stream(stream)
    def logged():
        return "".join(file.read_text(errors="replace") for file in proxy.folder.iterdir()
                       if file.name in ("access.log", "output"))
    if not proxy.plain:
        wait_until(lambda: "/v1/events" in logged(), "the stream is logged")
        assert alice.user.token not in logged()
    del room
