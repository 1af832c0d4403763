"""The chat page in Chromium: two people, history, and back after the server restarts.

SCREENSHOT_FILE names a PNG to be written of what one of them sees at the end.
"""
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
from lib.server import Server  # noqa: E402

SEEN = ["one person talks to herself", "history on joining", "they chat",
        "a native EventSource by cookie", "the break is shown",
        "both come back by themselves and missed nothing", "so does the native EventSource",
        "no error in the page"]
POSTED = ["While you were away, 1", "While you were away, 2"]


class Walk:
    """The Node process, its lines, and what it asks to have done."""

    def __init__(self, server):
        self.server, self.seen, self.fault = server, [], None
        spec = {"origin": server.origin, "screenshot": os.environ.get("SCREENSHOT_FILE")}
        self.process = subprocess.Popen(["node", "walk.mjs", json.dumps(spec)], cwd=HERE,
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

    def start_the_server_and_post(self):
        self.server.start()
        carol = self.server.user("carol")
        carol.join("walk")
        for text in POSTED:
            carol.send("walk", text)
        return json.dumps(POSTED)

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    node.install(HERE)
    server = Server(tmp_path_factory.mktemp("server"),
                    {"auth.dev_tokens": "yes", "sse.retry": "100ms", "rooms.auto_create": "yes"})
    server.start()
    server.keep_port()
    walk = Walk(server)
    try:
        walk.run()
    finally:
        walk.stop()
    yield walk
    server.stop()


@pytest.mark.parametrize("what", SEEN)
def test_the_page(walk, what):
    assert what in walk.seen, walk.fault or walk.process.stderr.read()
