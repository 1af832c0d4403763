"""The chat page in Chromium: people talk, the server restarts, all that a chat has is used.

SCREENSHOTS names a folder for PNGs of what some of them see.
"""
import functools
import json
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from lib import node  # noqa: E402
from lib.http import path  # noqa: E402
from lib.server import Server  # noqa: E402

WALKS = {
    "walk": ["one person talks to herself", "history on joining", "they chat",
             "a native EventSource by cookie", "the break is shown",
             "both come back by themselves and missed nothing", "so does the native EventSource",
             "no error in the page"],
    "chat": ["who is there", "who is typing", "an edit in its place", "reactions", "a deletion",
             "a mention", "a reply", "a thread", "what is unread", "who has seen it",
             "two screens of one person", "a room of two", "a reload keeps all of it",
             "a status of one's own", "who looks elsewhere", "a moderator mutes and bans",
             "someone is blocked", "by keyboard alone", "presence after a restart",
             "more missed than is replayed", "who went meanwhile is gone",
             "no error in the page"],
    "model": ["events and answers in whatever order"],
}
REPLAYED = 5  # events, for one who comes back
POSTED = ["While you were away, 1", "While you were away, 2"]


class Walk:
    """The Node process, its lines, and what it asks to have done."""

    def __init__(self, server, name):
        self.server, self.seen, self.fault, self.compost = server, [], None, None
        spec = {"origin": server.origin, "screenshots": os.environ.get("SCREENSHOTS")}
        self.process = subprocess.Popen(["node", f"{name}.mjs", json.dumps(spec)], cwd=HERE,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))
        self.lines.put(None)

    def run(self):
        while (line := self.lines.get(timeout=60)) is not None:
            if "seen" in line:
                self.seen.append(line["seen"])
            elif "fault" in line:
                self.fault = line["fault"]
            else:
                self.answer(getattr(self, line["do"].replace(" ", "_"))())

    def answer(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def stop_the_server(self):
        self.server.kill()
        return "stopped"

    def start_the_server(self):
        self.server.start()
        return "started"

    def start_the_server_and_post(self):
        self.start_the_server()
        carol = self.server.user("carol")
        carol.join("walk")
        for text in POSTED:
            carol.send("walk", text)
        return json.dumps(POSTED)

    def let_carol_say_something(self):
        carol = self.server.user("carol")
        carol.join("garden")
        self.compost = carol.send("garden", "Compost?")["messageId"]
        return "said"

    def start_the_server_and_have_carol_say_more(self):
        self.start_the_server()
        carol = self.server.user("carol")
        carol.patch(path("v1", "rooms", "garden", "messages", self.compost),
                    {"text": "Compost!"}).expect(200)
        said = [f"Reason {number}" for number in range(1, 4 * REPLAYED)]
        for text in said:
            carol.send("garden", text)
        return json.dumps(["Compost!", *said])

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def finished(folder, name):
    """The walk of that name, over."""
    server = Server(folder, {"auth.dev_tokens": "yes", "sse.retry": "100ms",
                             "rooms.auto_create": "yes", "presence.grace": "1s",
                             "replay.max_events": REPLAYED})
    server.start()
    server.keep_port()
    walk = Walk(server, name)
    try:
        walk.run()
    finally:
        walk.stop()
        server.end()
    return walk


@pytest.fixture(scope="module")
def walks(tmp_path_factory):
    """By name; each is walked once."""
    node.install(HERE)
    return functools.cache(lambda name: finished(tmp_path_factory.mktemp(name), name))


@pytest.mark.parametrize("name, what", [(name, what) for name, seen in WALKS.items()
                                        for what in seen])
def test_the_page(walks, name, what):
    walk = walks(name)
    assert what in walk.seen, walk.fault or walk.process.stderr.read()
