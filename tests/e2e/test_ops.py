"""Operating: health, metrics, stats, the description, configuration, reload, logs."""
import gzip
import json
import re
import subprocess
import time

import pytest

from lib import tokens
from lib.http import Connection, path, wait_until
from lib.server import environment

METRICS = ["streams", "polls_waiting", "published_total", "delivered_total", "replayed_total",
           "gaps_total", "queue_overflows_total"]
HISTOGRAMS = ["append_seconds", "delivery_seconds", "loop_lag_seconds", "commit_batch_size"]


def run(server, *arguments, **more):
    return subprocess.run([server.binary, *arguments], capture_output=True, text=True, timeout=60,
                          env=environment(), stdin=subprocess.DEVNULL, check=False, **more)


def test_health(server):
    for target in ("/healthz", "/readyz"):
        answer = server.request("GET", target).expect(200)
        assert "no-store" in answer.header("Cache-Control")
    ready = server.request("GET", "/readyz").json
    assert "journal" in ready
    with Connection(server.address) as connection:
        connection.send_request("HEAD", "/healthz")
        assert connection.read_answer("HEAD").status == 200
        assert connection.request("GET", "/healthz").status == 200


def test_metrics_are_for_prometheus_and_for_service_tokens(server, names):
    assert server.request("GET", "/metrics").status == 401
    assert server.user(names("alice")).get("/metrics").status == 403
    answer = server.service().get("/metrics").expect(200)
    assert answer.header("Content-Type").startswith("text/plain; version=0.0.4")
    text = answer.body.decode()
    for name in METRICS:
        assert re.search(rf"^tidings_{name} [0-9.e+]+$", text, re.M), name
        assert f"# HELP tidings_{name} " in text and f"# TYPE tidings_{name} " in text
    for name in HISTOGRAMS:
        buckets = [float(value) for value in
                   re.findall(rf'^tidings_{name}_bucket{{le="[^"]+"}} (\S+)$', text, re.M)]
        assert buckets and buckets == sorted(buckets), name
        assert re.search(rf'^tidings_{name}_bucket{{le="\+Inf"}} ', text, re.M)
        count = re.search(rf"^tidings_{name}_count (\S+)$", text, re.M)
        assert float(count[1]) == buckets[-1]
    for line in text.splitlines():
        assert line.startswith("#") or re.fullmatch(
            r'[a-zA-Z_:][a-zA-Z0-9_:]*({[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*})? \S+', line), line


def test_counters_count(server, names):
    alice = server.user(names("alice"))
    room = alice.create(names("room"))
    published, delivered = server.metric("published_total"), server.metric("delivered_total")
    with alice.stream() as stream:
        stream.open()
        for _ in range(7):
            alice.send(room)
            stream.take()
    cursor, replayed = stream.events[0]["cursor"], server.metric("replayed_total")
    with alice.stream(since=cursor) as stream:
        stream.until("caught_up")
    assert server.metric("replayed_total") == replayed + 7
    assert server.metric("published_total") == published + 7
    assert server.metric("delivered_total") >= delivered + 7


def test_the_admin_listener_asks_for_no_token(start):
    server = start(server__admin_listen="127.0.0.1:0")
    admin = server.addresses[1]
    with Connection(admin) as connection:
        assert connection.request("GET", "/metrics").status == 200
        assert connection.request("GET", "/v1/stats").status == 200
    assert server.request("GET", "/metrics").status == 401


def test_stats(server):
    stats = server.service().get("/v1/stats").expect(200).json
    assert {"activeConnections", "connectionsPerSecond", "messagesPerSecond",
            "deliveriesPerSecond", "averageLatencyMs", "p99LatencyMs", "errorRate",
            "recommendations"} <= stats.keys()
    assert isinstance(stats["recommendations"], list)


def test_the_description_and_the_page(server):
    described = server.request("GET", "/openapi.json").expect(200)
    assert described.header("Content-Type") == "application/json"
    assert described.json["openapi"].startswith("3.1")
    assert "/v1/events" in described.json["paths"]
    page = server.request("GET", "/").expect(200)
    assert page.header("Content-Type").startswith("text/html")
    policy = page.header("Content-Security-Policy")
    assert "default-src 'none'" in policy or "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert page.header("X-Content-Type-Options") == "nosniff"
    assert page.header("Referrer-Policy") == "no-referrer"
    for link in re.findall(r'(?:src|href)="(/?[\w./-]+)"', page.body.decode()):
        asset = server.request("GET", link if link.startswith("/") else f"/{link}")
        assert asset.status == 200 and asset.header("Content-Type"), link


def test_assets_are_revalidated(server):
    page = server.request("GET", "/")
    tag = page.header("ETag")
    if tag:
        again = server.request("GET", "/", headers={"If-None-Match": tag})
        assert again.status == 304 and again.body == b""


def test_every_answer_has_a_request_id(server, names):
    alice, seen = server.user(names("alice")), set()
    for target in ("/healthz", "/v1/rooms", "/v1/rooms/none", "/nowhere"):
        seen.add(alice.get(target).header("X-Request-Id"))
    assert len(seen) == 4 and None not in seen
    problem = alice.get("/v1/rooms/none")
    assert problem.json["requestId"] == problem.header("X-Request-Id")


def test_large_answers_are_gzipped_for_those_who_accept_it(server, names):
    alice = server.user(names("alice"))
    room = alice.create(names("room"))
    for _ in range(5):
        alice.send(room, "x" * 1000)
    target = path("v1", "rooms", room, "messages")
    packed = alice.get(target, headers={"Accept-Encoding": "gzip, br"})
    assert packed.header("Content-Encoding") == "gzip"
    assert "accept-encoding" in packed.header("Vary").lower()
    assert json.loads(gzip.decompress(packed.body))["messages"]
    for refused in ("identity", "gzip;q=0", "br"):
        assert alice.get(target, headers={"Accept-Encoding": refused}) \
            .header("Content-Encoding") is None
    small = alice.get(path("v1", "rooms", room, "members"), headers={"Accept-Encoding": "gzip"})
    assert small.header("Content-Encoding") is None


def test_the_command_line(server, tmp_path):
    assert run(server, "--version").stdout.startswith("tidingsd ")
    good = tmp_path / "good.ini"
    good.write_text(f"[auth]\nsecret = {tokens.SECRET}\n[journal]\nurl = memory:\n")
    assert run(server, "--config", str(good), "--check").returncode == 0
    printed = run(server, "--config", str(good), "--print-config")
    assert printed.returncode == 0
    assert tokens.SECRET not in printed.stdout + printed.stderr
    assert "heartbeat" in printed.stdout and "memory:" in printed.stdout
    for text in ("[auth]\nsecert = x\n", "[server]\nworkers = many\n", "[sse]\nretry = 3 s\n",
                 "[nowhere]\nx = 1\n", "nonsense\n", "[auth]\nsecret = short\n",
                 f"[auth]\nsecret = {tokens.SECRET}\ndev_tokens = yes\n"
                 "[server]\nlisten = 0.0.0.0:8080\n"):
        bad = tmp_path / "bad.ini"
        bad.write_text(text)
        done = run(server, "--config", str(bad), "--check")
        assert done.returncode != 0 and done.stderr.strip(), text
    assert run(server, "--config", str(tmp_path / "none.ini"), "--check").returncode != 0
    assert run(server, "--nonsense").returncode != 0
    overridden = run(server, "--config", str(good), "--set=sse.retry=7s", "--print-config")
    assert re.search(r"retry\s*=\s*7", overridden.stdout)


def test_the_environment_overrides_the_file_and_set_overrides_it(server):
    values = dict(environment(), TIDINGS_SSE_RETRY="8s", TIDINGS_AUTH_SECRET=tokens.SECRET)
    done = subprocess.run([server.binary, "--print-config"], env=values, capture_output=True,
                          text=True, timeout=60, check=True)
    assert re.search(r"retry\s*=\s*8", done.stdout)
    done = subprocess.run([server.binary, "--print-config", "--set=sse.retry=9s"], env=values,
                          capture_output=True, text=True, timeout=60, check=True)
    assert re.search(r"retry\s*=\s*9", done.stdout)


def test_the_token_command(server):
    done = run(server, "token", "--sub", "alice", "--name", "Alice", "--ttl", "1h",
               f"--set=auth.secret={tokens.SECRET}")
    assert done.returncode == 0, done.stderr
    made = done.stdout.strip()
    assert server.request("GET", "/v1/rooms", token=made).status == 200
    service = run(server, "token", "--sub", "backend", "--service",
                  f"--set=auth.secret={tokens.SECRET}").stdout.strip()
    assert server.request("GET", "/metrics", token=service).status == 200
    assert run(server, "token", f"--set=auth.secret={tokens.SECRET}").returncode != 0
    assert run(server, "token", "--sub", "a b",
               f"--set=auth.secret={tokens.SECRET}").returncode != 0


@pytest.mark.sqlite
def test_a_second_process_on_one_journal_is_refused(start):
    server = start()
    done = run(server, *server.arguments())
    assert done.returncode != 0
    assert "lock" in done.stderr.lower() or "in use" in done.stderr.lower(), done.stderr
    assert server.request("GET", "/healthz").status == 200


def test_the_secret_file_is_reloaded(start, tmp_path):
    file = tmp_path / "secret"
    file.write_text("first-secret-of-at-least-32-bytes!!\n")
    server = start(auth__secret_file=file, auth__secret=None)

    def status(secret):
        return server.request("GET", "/v1/rooms", token=tokens.token("a", secret=secret)).status
    assert status("first-secret-of-at-least-32-bytes!!") == 200
    file.write_text("second-secret-of-at-least-32-bytes!\n")
    server.signal(1)
    wait_until(lambda: status("second-secret-of-at-least-32-bytes!") == 200, "the new one counts")
    assert status("first-secret-of-at-least-32-bytes!!") == 401


def test_no_token_is_in_any_log(start, names):
    server = start(log__level="debug", auth__leeway="0s")
    alice = server.user("alice")
    bad = tokens.token("mallory", secret="another-secret-of-at-least-32-bytes")
    expired = tokens.token("mallory", ttl=-100)
    given = [alice.token, bad, expired]
    for token in given:
        server.request("GET", "/v1/rooms", token=token)
        server.request("GET", path("v1", "poll", access_token=token, wait=0))
        server.request("GET", path("v1", "rooms", access_token=token))
        server.request("GET", "/v1/rooms", headers={"Cookie": f"tidings={token}"})
        server.request("POST", "/v1/session", token=token)
        server.request("GET", f"/nowhere?access_token={token}")
        server.request("POST", path("v1", "session", "x", "token"), token=token)
        with Connection(server.address) as connection:
            connection.send(f"GET /v1/events?access_token={token} HTTP/1.1\r\nHost: a\r\n"
                            "Host: b\r\n\r\n")
            connection.read_answer()
    with alice.stream() as stream:
        stream.open()
    server.stop()
    log = server.logs()
    assert log.strip(), "nothing was logged at all"
    for token in given:
        for part in token.split(".")[1:]:
            assert part not in log
    assert tokens.SECRET not in log


def test_logs_cannot_be_forged(start):
    server = start(log__level="debug")
    for target in ("/v1/%0d%0aforged", "/%0aforged", "/v1/rooms/%1b[31m"):
        server.request("GET", target, token=tokens.token("a"))
    server.request("GET", "/x", headers={"X-Request-Id": "a b\tc", "User-Agent": "\x1b[31m"[1:]})
    server.stop()
    for line in server.logs().splitlines():
        assert not line.startswith("forged")
        assert "\x1b" not in line and "\r" not in line


def test_a_bad_listener_is_told(server):
    done = run(server, "--set=journal.url=memory:", f"--set=auth.secret={tokens.SECRET}",
               "--set=server.listen=192.0.2.1:9")
    assert done.returncode != 0 and "192.0.2.1" in done.stderr


@pytest.mark.parametrize("url", ["memory:", None])
def test_either_journal_serves(start, names, url):
    options = {"journal__url": url} if url else {}
    server = start(**options)
    alice = server.user("alice")
    room = alice.create(names("room"))
    with alice.stream() as stream:
        stream.open()
        assert alice.send(room)["id"] == stream.take().id
    assert server.request("GET", "/readyz").status == 200


def test_time_goes_on_when_nothing_happens(start):
    """A process at rest uses next to no processor time."""
    server = start()
    alice = server.user("alice")
    with alice.stream() as stream:
        stream.open()
        before = cpu_seconds(server.pid)
        time.sleep(2)
        assert cpu_seconds(server.pid) - before < 0.3


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100
