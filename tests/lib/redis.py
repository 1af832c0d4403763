"""A real redis-server for tests, in a folder of its own, at a Unix socket."""
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from .process import die_with_parent

START_SECONDS = 20


class Redis:
    """`options` are more of its own: "--appendonly", "yes". It keeps nothing on disk without."""

    def __init__(self, *options, port=0):
        # Paths of sockets are short, those of pytest's folders are not.
        self.folder = Path(tempfile.mkdtemp(prefix="tidings-redis-"))
        self.socket = self.folder / "socket"
        self.options = options
        self.port = port
        self.process = None

    @property
    def url(self):
        return f"redis+unix://{self.socket}"

    @property
    def pid(self):
        return self.process.pid

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--unixsocket",
                 self.socket, "--dir", self.folder, "--save", "", "--appendonly", "no",
                 *self.options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=die_with_parent)
        end = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self.process.poll() is None and time.monotonic() < end, self.log()
            time.sleep(0.01)
        return self

    def _answers(self):
        try:
            return self.ask("PING") == "PONG"
        except (OSError, RedisError):
            return False

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def ask(self, *words):
        """The answer to one command, on a connection of its own."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(str(self.socket))
            parts = [str(word).encode() for word in words]
            connection.sendall(b"*%d\r\n" % len(parts) +
                               b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))
            with connection.makefile("rb") as answer:
                return read_reply(answer)

    def kill(self):
        """As a crash would."""
        self.process.kill()
        self.process.wait()
        self.process = None

    def restart(self):
        """Ends it in order and starts it again."""
        self.process.terminate()
        self.process.wait()
        return self.start()

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def end(self):
        """It, and all that it has kept."""
        if self.process:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class RedisError(Exception):
    """An error answer, as LOADING."""


def read_reply(answer):
    line = answer.readline()
    if not line.endswith(b"\r\n"):
        raise ConnectionError("the server hung up")
    kind, text = line[:1], line[1:-2]
    if kind == b"-":
        raise RedisError(text.decode())
    if kind == b":":
        return int(text)
    if kind == b"$":
        return None if text == b"-1" else answer.read(int(text) + 2)[:-2].decode(errors="replace")
    if kind == b"*":
        return None if text == b"-1" else [read_reply(answer) for _ in range(int(text))]
    return text.decode()
