"""The server under test: a real `tidingsd` in a folder of its own, on a free port.

TIDINGSD       the binary (a build with sanitizers, usually)
TIDINGSD_LOAD  the binary for tests under load; default: the same
TIDINGS_JOURNAL  what servers keep their journal in that are not told: `sqlite` (the default), or
               `redis`, each in a redis-server of its own
"""
import os
import re
import select
import signal
import subprocess
import time
from pathlib import Path

from . import ports, tokens
from .http import Connection, path
from .poll import Poller
from .process import die_with_parent
from .redis import Redis
from .sse import Stream

ROOT = Path(__file__).resolve().parents[2]
STOP_SECONDS = 60
QUICK_STOP = {"drain.notice": "0ms", "drain.spread": "100ms"}
NO_LIMITS = {"limits.messages": 0, "limits.requests": 0, "limits.streams_per_address": 0,
             "limits.fanout_bytes": 0}
COMPLAINT = re.compile(r"Sanitizer|runtime error:|assertion|Assertion|\bleak\b")


def binary(load=False):
    given = (load and os.environ.get("TIDINGSD_LOAD")) or os.environ.get("TIDINGSD")
    return given or str(ROOT / "build" / "tidingsd")


def over_redis():
    journal = os.environ.get("TIDINGS_JOURNAL", "sqlite")
    assert journal in ("sqlite", "redis"), f"TIDINGS_JOURNAL={journal}"
    return journal == "redis"


def environment():
    """Ours without what would configure the server; leaks are errors."""
    clean = {name: value for name, value in os.environ.items()
             if not name.startswith("TIDINGS_")}
    clean.setdefault("ASAN_OPTIONS", "detect_leaks=1:detect_stack_use_after_return=1")
    clean.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1")
    return clean


class Server:
    """`options` are `--set` pairs; a value of None leaves a default of ours out.

    With a redis-server of its own, that keeps its data from one life to the next; end() ends both.
    """

    def __init__(self, folder, options=None, load=False, files=None):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.binary = binary(load)
        self.options = {"server.listen": "127.0.0.1:0", "server.workers": 2,
                        "journal.url": None, "auth.secret": tokens.SECRET, **QUICK_STOP,
                        **NO_LIMITS}
        self.options.update(options or {})
        self.redis = None        # of its own
        if self.options["journal.url"] is None:
            self.options["journal.url"] = self._own_journal()
        self.files = files       # ulimit -n
        self.process = None
        self.addresses = []      # (host, port) of each listener
        self.held = None         # keeps the port, while there is this object
        self.secure = False
        self.lives = 0

    def _own_journal(self):
        if not over_redis():
            return f"sqlite:{self.folder}/journal.db"
        disk = self.options.get("journal.durability") == "disk"
        self.redis = Redis(*(("--appendonly", "yes", "--appendfsync", "always") if disk else ()))
        return self.redis.url

    def arguments(self):
        return [f"--set={key}={value}" for key, value in self.options.items()
                if value is not None]

    def start(self):
        self.lives += 1
        if self.redis and not self.redis.process:
            self.redis.start()
        self.errors = self.folder / f"stderr-{self.lives}"
        command = [self.binary, *self.arguments()]
        if self.files:
            command = ["/bin/sh", "-c", f'ulimit -n {self.files}; exec "$0" "$@"', *command]
        with open(self.errors, "wb") as errors:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors,
                                            stdin=subprocess.DEVNULL, env=environment(),
                                            cwd=self.folder, preexec_fn=die_with_parent)
        self.addresses = []
        self._read_addresses()
        return self

    def _read_addresses(self):
        """One `listening on` line for each listener."""
        count = sum(len(str(self.options.get(key) or "").split(","))
                    for key in ("server.listen", "server.admin_listen") if self.options.get(key))
        end, text = time.monotonic() + 60, b""
        readable = select.poll()
        readable.register(self.process.stdout, select.POLLIN)
        while text.count(b"\n") < count:
            ready = readable.poll(500)
            piece = os.read(self.process.stdout.fileno(), 4096) if ready else b""
            text += piece
            if (ready and not piece) or time.monotonic() > end:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"did not start: {text!r} {self.log()[-3000:]}")
        for line in text.decode().splitlines():
            match = re.fullmatch(r"(?:admin )?listening on (https?)://(.+):(\d+)", line)
            assert match, f"not as promised: {line!r}"
            self.secure = match[1] == "https"
            self.addresses.append((match[2].strip("[]"), int(match[3])))

    @property
    def address(self):
        return self.addresses[0]

    @property
    def port(self):
        return self.addresses[0][1]

    @property
    def origin(self):
        return f"http{'s' if self.secure else ''}://{self.address[0]}:{self.port}"

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        return self.errors.read_text(errors="replace")

    def logs(self):
        return "".join(file.read_text(errors="replace")
                       for file in sorted(self.folder.glob("stderr-*")))

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, timeout=STOP_SECONDS):
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            self.process.wait()
            raise AssertionError(f"did not stop in {timeout} s: {self.log()[-3000:]}") from None

    def stop(self):
        """Drains; exit 0 and no word of a sanitizer."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        self.finish()

    def end(self):
        """Stops, and leaves nothing that was kept elsewhere than in its folder."""
        try:
            self.stop()
        finally:
            if self.redis:
                self.redis.end()

    def finish(self):
        """Waits for the end that was asked for, and checks it."""
        process, code = self.process, self.wait()
        self.process = None
        process.stdout.close()
        log = self.log()
        complaint = COMPLAINT.search(log)
        assert not complaint, log[max(0, complaint.start() - 500):complaint.start() + 6000]
        assert code == 0, f"exit {code}: {log[-3000:]}"

    def kill(self):
        """As a power switch would."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        log = self.log()
        complaint = COMPLAINT.search(log)
        assert not complaint, log[max(0, complaint.start() - 500):complaint.start() + 6000]
        self.process = None

    def keep_port(self):
        """From here on restarts come back to the same port, given to nobody else meanwhile."""
        self.held = ports.hold(*self.address)
        self.options["server.listen"] = f"{self.address[0]}:{self.port}"

    def rss_kb(self, kind="VmRSS"):
        """`RssAnon`: without the pages of files."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(rf"{kind}:\s+(\d+)", status)[1])

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def connection(self, **more):
        return Connection(self.address, **more)

    def request(self, method, target, body=None, headers=None, token=None):
        """On a connection of its own."""
        with self.connection() as connection:
            return connection.request(method, target, body, headers, token)

    def user(self, user, **claims):
        return User(self, user, **claims)

    def service(self):
        return User(self, "backend", scope="service")

    def metric(self, name):
        """The value of one metric, 0 when it is not told."""
        answer = self.service().get("/metrics").expect(200)
        match = re.search(rf"^tidings_{name} (\S+)$", answer.body.decode(), re.M)
        return float(match[1]) if match else 0.0


class User:
    """One user's client: a token and a kept-alive connection."""

    def __init__(self, server, user, context=None, **claims):
        self.server, self.name, self.context = server, user, context
        self.token = tokens.token(user, **claims)
        self.connection = None
        self.sent = 0

    def request(self, method, target, body=None, headers=None):
        """On the kept connection; opened again only if the server closed it after an answer."""
        if self.connection is None:
            self.connection = Connection(self.server.address, context=self.context)
        answer = self.connection.request(method, target, body, headers, self.token)
        if answer.header("Connection", "").lower() == "close":
            self.close()
        return answer

    def get(self, target, **more):
        return self.request("GET", target, **more)

    def post(self, target, body=None, **more):
        return self.request("POST", target, body, **more)

    def put(self, target, body=None, **more):
        return self.request("PUT", target, body, **more)

    def patch(self, target, body=None, **more):
        return self.request("PATCH", target, body, **more)

    def delete(self, target, **more):
        return self.request("DELETE", target, **more)

    def create(self, room, **members):
        self.put(path("v1", "rooms", room), members).expect(201)
        return room

    def join(self, room):
        return self.post(path("v1", "rooms", room, "join")).expect(200).json

    def leave(self, room):
        return self.post(path("v1", "rooms", room, "leave")).expect(200)

    def send(self, room, text="hello", session=None, **members):
        """Sends a message; its answer."""
        members.setdefault("text", text)
        headers = {"X-Tidings-Session": session} if session else None
        return self.post(path("v1", "rooms", room, "messages"), members,
                         headers=headers).expect(201).json

    def stream(self, since=None, headers=None, **query):
        """A stream; `receive_bytes`, `source`, `version` are the socket's. Presence only if it is
        asked for, so that other tests can count on what comes next."""
        query.setdefault("presence", "none")
        own = {name: query.pop(name) for name in ("receive_bytes", "source", "version", "expect")
               if name in query}
        headers = dict(headers or {})
        if since is not None:
            headers["Last-Event-ID"] = since
        return Stream(self.server.address, path("v1", "events", **query), headers, self.token,
                      context=self.context, **own)

    def poller(self, **query):
        query.setdefault("presence", "none")
        return Poller(self.server.address, self.token, context=self.context, **query)

    def close(self):
        if self.connection:
            self.connection.close()
            self.connection = None
