"""Clients that people use, each against the real server and cut again and again at random bytes:
all of them receive everything, once, in order."""
import json
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from lib import node  # noqa: E402
from lib.http import path, wait_until  # noqa: E402
from lib.server import Server  # noqa: E402

CLIENTS = ["eventsource", "undici", "@microsoft/fetch-event-source", "event-source-polyfill",
           "react-native-sse"]
HEAD_BYTES = 900  # a client that was cut before its first id can resume nothing
CUTS = 8


class Client:
    """A Node process that runs one of them."""

    def __init__(self, server, name, user, cuts):
        spec = {"client": name, "host": server.address[0], "port": server.port, "cuts": cuts,
                "path": path("v1", "events"), "token": user.token}
        self.process = subprocess.Popen(["node", "run.mjs", json.dumps(spec)], cwd=HERE,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.lines = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(json.loads(line))

    def of(self, kind):
        return [line for line in self.lines if line.get("type") == kind]

    def stop(self):
        """How many connections it made."""
        self.process.stdin.close()
        self.process.wait(20)
        self.reader.join(20)
        errors = self.process.stderr.read()
        assert self.process.returncode == 0, errors
        return self.lines[-1]["connections"]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    node.install(HERE)
    made = Server(tmp_path_factory.mktemp("server"), {"sse.retry": "20ms"}).start()
    yield made
    made.end()


@pytest.fixture(scope="module")
def runs(server, request):
    """All clients at once: name -> (client, ids sent to its room)."""
    seed = random.Random(int(request.config.getoption("--seed", None) or 20250))
    started = {}
    for number, name in enumerate(CLIENTS):
        alice, bob = server.user(f"alice-{number}"), server.user(f"bob-{number}")
        room = alice.create(f"room-{number}")
        bob.join(room)
        cuts = [seed.randrange(HEAD_BYTES, 4000) for _ in range(CUTS)]
        started[name] = (Client(server, name, bob, cuts), alice, room, [])
    yield started
    for client, *_ in started.values():
        if client.process.poll() is None:
            client.process.kill()
        client.process.wait()


def feed(started):
    """Sends to all until each has been cut as often as it should, and a little more."""
    for client, *_ in started.values():
        wait_until(lambda client=client: client.of("connected"), "connected")

    def all_cut():
        for client, alice, room, sent in started.values():
            sent.append(alice.send(room, f"number {len(sent)} " + "\u00fc" * 50)["id"])
            assert client.process.poll() is None, client.process.stderr.read()
        return all(len(client.of("connected")) > CUTS for client, *_ in started.values())
    wait_until(all_cut, "every client was cut and came back", timeout=120)
    for _ in range(5):
        for _, alice, room, sent in started.values():
            sent.append(alice.send(room, "after the last cut")["id"])


@pytest.fixture(scope="module")
def fed(runs):
    feed(runs)
    return runs


@pytest.mark.parametrize("name", CLIENTS)
def test_all_arrives_once_and_in_order(fed, name):
    client, _, _, sent = fed[name]
    wait_until(lambda: client.of("new_message") and
               client.of("new_message")[-1]["data"]["id"] == sent[-1], "the last message")
    got = [line["data"]["id"] for line in client.of("new_message")]
    assert got == sent
    assert client.of("reset") == client.of("gap") == client.of("busy") == []
    assert [line["id"] for line in client.of("new_message")] == sent, "the client's own idea of it"
    assert all(line["data"]["resumed"] for line in client.of("connected")[1:])


@pytest.mark.parametrize("name", CLIENTS)
def test_it_was_cut_as_often_as_meant(fed, name):
    assert fed[name][0].stop() > CUTS
