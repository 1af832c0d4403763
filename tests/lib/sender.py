"""A sender in a process of its own, at full speed: `python3 -m lib.sender SPEC`, until stdin ends.

Prints a line for each message: `try ROOM MESSAGE` before it is sent, `ack ROOM MESSAGE ID` when it
is acknowledged. A message whose outcome is not known is repeated with its messageId until it is.
`Senders` starts several and reads what they printed.
"""
import json
import os
import subprocess
import sys
import time
from pathlib import Path

if __package__ is None:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lib.checker import Ledger  # noqa: E402
from lib.http import Closed, Connection, path, wait_until  # noqa: E402
from lib.process import die_with_parent  # noqa: E402


class Sender:
    """Sends to the rooms of `spec` in turn; one message is under way at a time."""

    def __init__(self, spec, out):
        self.spec, self.out = spec, out
        self.connection = None
        self.text = "x" * spec.get("bytes", 40)

    def send(self, number):
        room = self.spec["rooms"][number % len(self.spec["rooms"])]
        message_id = f"{self.spec['name']}-{number}"
        self.out.write(f"try {room} {message_id}\n")
        body = {"messageId": message_id, "text": f"{number} {self.text}"}
        while True:
            answer = self.attempt(path("v1", "rooms", room, "messages"), body)
            if answer is None or answer.status in (429, 503):
                if self.is_told_to_stop():
                    return
                time.sleep(0.005)
                continue
            if answer.status not in (200, 201):
                raise SystemExit(f"{message_id}: {answer}")
            self.out.write(f"ack {room} {message_id} {answer.json['id']}\n")
            self.out.flush()
            return

    def attempt(self, target, body):
        """None when no answer came."""
        try:
            if self.connection is None:
                self.connection = Connection(tuple(self.spec["address"]), timeout=10)
            answer = self.connection.request("POST", target, body, token=self.spec["token"])
        except (Closed, OSError) as fault:
            if self.spec.get("strict"):
                raise SystemExit(f"no answer: {fault!r}") from fault
            self.drop()
            return None
        if answer.header("Connection", "").lower() == "close":
            self.drop()
        return answer

    def drop(self):
        if self.connection:
            self.connection.close()
            self.connection = None

    @staticmethod
    def is_told_to_stop():
        try:
            return os.read(0, 1) == b""
        except BlockingIOError:
            return False

    def run(self):
        os.set_blocking(0, False)
        number, pause = 0, self.spec.get("pause", 0)
        most = self.spec.get("count", 1 << 62)
        while number < most and not self.is_told_to_stop():
            self.send(number)
            number += 1
            if pause:
                time.sleep(pause)


class Senders:
    """One process for each of `users`; `stop()` gives the ledger of all."""

    def __init__(self, server, users, rooms, folder, **more):
        self.files, self.processes = [], []
        for user in users:
            spec = {"address": server.address, "token": user.token, "name": user.name,
                    "rooms": rooms, **more}
            file = Path(folder) / f"sent-{user.name}"
            self.files.append(file)
            with open(file, "wb") as out:
                self.processes.append(subprocess.Popen(
                    [sys.executable, __file__, json.dumps(spec)], stdin=subprocess.PIPE,
                    stdout=out, stderr=subprocess.PIPE, preexec_fn=die_with_parent))

    def lines(self):
        for file in self.files:
            text = file.read_text()
            yield from (line.split(" ") for line in text[:text.rfind("\n") + 1].splitlines())

    def acknowledged(self):
        return sum(1 for line in self.lines() if line[0] == "ack")

    def wait_for(self, count, timeout=60):
        """Until so many more were acknowledged."""
        goal = self.acknowledged() + count
        wait_until(lambda: self.acknowledged() >= goal or self.has_failed(), "messages flow",
                   timeout)
        assert not self.has_failed(), self.processes[0].stderr.read()

    def has_failed(self):
        return any(process.poll() not in (None, 0) for process in self.processes)

    def ledger(self):
        ledger = Ledger()
        for kind, room, message_id, *event_id in self.lines():
            if kind == "try":
                ledger.trying(room, message_id)
            else:
                ledger.acknowledged(room, message_id, event_id[0])
        return ledger

    def stop(self):
        for process in self.processes:
            process.stdin.close()
        for process in self.processes:
            process.stdin = None
            _, errors = process.communicate(timeout=60)
            assert process.returncode == 0, errors.decode()
        return self.ledger()

    def kill(self):
        for process in self.processes:
            process.kill()
            process.wait()


if __name__ == "__main__":
    Sender(json.loads(sys.argv[1]), sys.stdout).run()
