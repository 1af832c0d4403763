"""HTTP/1.1 over a socket, byte for byte: nothing is repaired, retried or followed."""
import json
import socket
import time
from urllib.parse import quote, urlencode

TIMEOUT = 20  # seconds without a byte; a hang, never a measure of speed


class Closed(Exception):
    """The peer ended the connection where an answer was due."""


class Answer:
    def __init__(self, version, status, reason, headers):
        self.version, self.status, self.reason = version, status, reason
        self.headers = headers  # (name, value) in order
        self.body = b""

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name, otherwise=None):
        values = self.all(name)
        assert len(values) <= 1 or name == "Vary", f"{name} stands {len(values)} times: {values}"
        return ", ".join(values) if values else otherwise

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        """The code of a problem; checks that it is one."""
        assert self.header("Content-Type") == "application/problem+json", self
        problem = self.json
        assert {"type", "title", "status", "code", "detail", "requestId"} <= problem.keys(), problem
        assert problem["status"] == self.status
        return problem["code"]

    def expect(self, status, code=None):
        assert self.status == status, f"{status} expected, got {self}"
        if code is not None:
            assert self.code == code, f"{code} expected, got {self}"
        return self

    def __repr__(self):
        return f"<{self.status} {self.reason} {self.headers} {self.body[:600]!r}>"


def parse_head(raw):
    lines = raw.decode("latin-1").split("\r\n")
    assert "\n" not in raw.decode("latin-1").replace("\r\n", ""), "a bare LF in the head"
    version, status, reason = (lines[0].split(" ", 2) + [""])[:3]
    headers = []
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        assert colon and name and " " not in name, f"a bad header line: {line!r}"
        headers.append((name, value.strip()))
    return Answer(version, int(status), reason, headers)


class Connection:
    """One connection; `address` is (host, port), `context` an ssl.SSLContext."""

    def __init__(self, address, source=None, context=None, server_name="localhost",
                 timeout=TIMEOUT, receive_bytes=None):
        self.address = address
        self.socket = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        self.socket.settimeout(timeout)
        if receive_bytes:
            # Before the handshake: a window once told cannot be taken back, only be broken.
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        if source:
            self.socket.bind((source, 0))
        self.socket.connect(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context:
            self.socket = context.wrap_socket(self.socket, server_hostname=server_name)
        self.pending = b""

    def send(self, raw):
        self.socket.sendall(raw if isinstance(raw, bytes) else raw.encode())

    def _more(self):
        piece = self.socket.recv(65536)
        self.pending += piece
        return bool(piece)

    def _take(self, count):
        while len(self.pending) < count:
            if not self._more():
                raise Closed(f"{count} bytes due, the end after {len(self.pending)}")
        taken, self.pending = self.pending[:count], self.pending[count:]
        return taken

    def more_until(self, mark):
        """Reads until `mark` is among what is pending."""
        while mark not in self.pending:
            if not self._more():
                raise Closed(f"the end after {self.pending[:200]!r}")

    def take_to(self, mark):
        """Takes what stands before `mark`, and the mark away."""
        self.more_until(mark)
        taken, _, self.pending = self.pending.partition(mark)
        return taken

    def read_head(self):
        return parse_head(self.take_to(b"\r\n\r\n"))

    def read_answer(self, method="GET"):
        answer = self.read_head()
        if method == "HEAD" or answer.status in (204, 304) or answer.status < 200:
            return answer
        if answer.header("Transfer-Encoding", "").lower() == "chunked":
            assert answer.header("Content-Length") is None
            answer.body = self._read_chunks()
        elif answer.header("Content-Length") is not None:
            answer.body = self._take(int(answer.header("Content-Length")))
        else:
            answer.body = self.read_rest()
        return answer

    def _read_chunks(self):
        body = b""
        while True:
            size = int(self.take_to(b"\r\n"), 16)
            body += self._take(size)
            assert self._take(2) == b"\r\n"
            if size == 0:
                return body

    def read_rest(self):
        while self._more():
            pass
        rest, self.pending = self.pending, b""
        return rest

    def is_ended(self):
        """True when the peer ends the connection (cleanly or not) and sends nothing more."""
        try:
            return not self.pending and not self._more()
        except ConnectionError:
            return True

    def send_request(self, method, target, body=None, headers=None, token=None):
        self.send(request_bytes(method, target, body, headers, token,
                                f"{self.address[0]}:{self.address[1]}"))

    def request(self, method, target, body=None, headers=None, token=None):
        self.send_request(method, target, body, headers, token)
        return self.read_answer(method)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def request_bytes(method, target, body=None, headers=None, token=None, host="localhost"):
    """A dict or list becomes JSON; bytes and text are sent as they are."""
    lines = dict(headers or {})
    names = {name.lower() for name in lines}
    if isinstance(body, (dict, list)):
        body = json.dumps(body).encode()
    elif isinstance(body, str):
        body = body.encode()
    if body is not None:
        if "content-type" not in names:
            lines["Content-Type"] = "application/json"
        if not names & {"content-length", "transfer-encoding"}:
            lines["Content-Length"] = str(len(body))
    elif method in ("POST", "PUT", "PATCH") and not names & {"content-length", "transfer-encoding"}:
        lines["Content-Length"] = "0"
    if token:
        lines["Authorization"] = f"Bearer {token}"
    head = [f"{method} {target} HTTP/1.1"]
    if "host" not in names:
        head.append(f"Host: {host}")
    head += [f"{name}: {value}" for name, value in lines.items() if value is not None]
    return "\r\n".join(head).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + (body or b"")


def path(*parts, **query):
    """A path from parts that may hold anything, with a query; None leaves a parameter out."""
    text = "".join("/" + quote(piece, safe="") for piece in parts)
    query = {name: value for name, value in query.items() if value is not None}
    return text + ("?" + urlencode(query) if query else "")


def wait_until(condition, what, timeout=30, pause=0.01):
    """Waits for a condition; returns what it gave."""
    end = time.monotonic() + timeout
    while True:
        got = condition()
        if got:
            return got
        assert time.monotonic() < end, f"in {timeout} s not: {what}"
        time.sleep(pause)
