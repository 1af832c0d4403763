"""TLS with OpenSSL as the other side: every end is told by close_notify, certificates reload."""
import ssl
import subprocess
import warnings

import pytest

from lib.http import Closed, Connection, path, wait_until
from lib.sse import Stream, id_key
from lib.tokens import token

pytestmark = pytest.mark.slow


def make_certificate(folder, name):
    """Self-signed, for localhost; paths of certificate and key."""
    folder.mkdir(exist_ok=True)
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", cert, "-days", "2",
                    "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost"],
                   check=True, capture_output=True, stdin=subprocess.DEVNULL)
    return cert, key


def client_context(cert, version=None):
    context = ssl.create_default_context(cafile=str(cert))
    if version:
        context.minimum_version = context.maximum_version = version
    return context


def start_secure(start, tmp_path, **options):
    cert, key = make_certificate(tmp_path / "tls", "first")
    server = start(tls__cert=cert, tls__key=key, limits__sessions=0, **options)
    assert server.secure
    server.cert, server.context = cert, client_context(cert)
    return server


@pytest.fixture
def secure(start, tmp_path):
    return start_secure(start, tmp_path)


def user(server, name, context=None):
    made = server.user(name)
    made.context = context or server.context
    return made


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions_serve(secure, version):
    context = client_context(secure.cert, version)
    alice = user(secure, "alice", context)
    room = alice.create("room")
    with alice.stream() as stream:
        stream.open()
        for number in range(20):
            assert alice.send(room, f"{number}" * 500)["id"] == stream.take().id
    alice.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_versions_are_refused(secure, version):
    context = client_context(secure.cert)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, version
    with pytest.raises((ssl.SSLError, ConnectionError)):
        Connection(secure.address, context=context).request("GET", "/healthz")


def ends_cleanly(connection):
    """True when close_notify came; OpenSSL tells a bare end as an error."""
    connection.socket.settimeout(30)
    connection.socket.suppress_ragged_eofs = False
    while connection.socket.recv(65536):
        pass
    return True


def test_a_stream_ends_with_close_notify(secure):
    alice = user(secure, "alice")
    stream = alice.stream(session="tab")
    stream.open()
    assert alice.delete(path("v1", "session", "tab")).status in (200, 204)
    stream.socket.setblocking(True)
    assert ends_cleanly(stream.connection)
    stream.close()
    alice.close()


def test_an_answer_with_connection_close_ends_with_close_notify(secure):
    connection = Connection(secure.address, context=secure.context)
    answer = connection.request("GET", "/healthz", headers={"Connection": "close"})
    assert answer.status == 200
    assert ends_cleanly(connection)
    connection.close()


def test_a_drain_ends_all_with_close_notify(secure):
    alice = user(secure, "alice")
    streams = [alice.stream(session=f"s{number}") for number in range(5)]
    for stream in streams:
        stream.open()
    poller = alice.poller()
    poller.once()
    poller.start(wait=60)
    wait_until(lambda: metric(secure, "polls_waiting") == 1, "the poll waits")
    secure.signal(15)
    for stream in streams:
        stream.until("reconnect")
        stream.socket.setblocking(True)
        assert ends_cleanly(stream.connection)
        stream.close()
    assert poller.finish() == []
    secure.finish()


def metric(server, name):
    with Connection(server.address, context=server.context) as connection:
        text = connection.request("GET", "/metrics",
                                  token=token("backend", scope="service")).body.decode()
    return float([line.split(" ")[1] for line in text.splitlines()
                  if line.startswith(f"tidings_{name} ")][0])


def test_resume_and_polls_over_tls(secure):
    alice = user(secure, "alice")
    room = alice.create("room")
    ids = [alice.send(room, "x" * 2000)["id"] for _ in range(150)]
    with alice.stream(since=ids[0]) as stream:
        stream.until("caught_up")
        assert [event.id for event in stream.of("new_message")] == ids[1:]
    poller = alice.poller(since=ids[-3], limit=100)
    assert [event["id"] for event in poller.once()] == ids[-2:]
    for number in range(3):
        poller.start(wait=60)
        sent = alice.send(room, f"{number}")["id"]
        assert [event["id"] for event in poller.finish()] == [sent]
    poller.close()
    alice.close()


def test_a_reader_that_stops_over_tls_loses_nothing(secure):
    alice, bob = user(secure, "alice"), user(secure, "bob")
    room = alice.create("room")
    bob.join(room)
    stream = bob.stream(receive_bytes=16384)
    stream.open()
    ids = [alice.send(room, "x" * 8000)["id"] for _ in range(300)]
    stream.wait(lambda: stream.last_id and id_key(stream.last_id) >= id_key(ids[-1]), "all")
    assert [event.id for event in stream.of("new_message")] == ids
    stream.close()
    alice.close()
    bob.close()


def test_only_who_takes_nothing_is_cut(start, tmp_path):
    secure = start_secure(start, tmp_path, sse__peer_timeout="4s", sse__heartbeat="500ms")
    alice, bob = user(secure, "alice"), user(secure, "bob")
    room = alice.create("room")
    bob.join(room)
    slow, stopped = (bob.stream(receive_bytes=16384) for _ in range(2))
    slow.open()
    stopped.open()
    ids = [alice.send(room, "x" * 8000)["id"] for _ in range(28)]
    assert slow.sip(lambda: slow.last_id and id_key(slow.last_id) >= id_key(ids[-1]), "all") > 6
    assert [event.id for event in slow.of("new_message")] == ids
    assert metric(secure, "peers_cut_total") == 1
    with pytest.raises(Closed):
        stopped.wait(lambda: stopped.last_id == ids[-1], "all")
    slow.close()
    alice.close()
    bob.close()


def test_peers_that_leave_are_noticed(secure):
    alice = user(secure, "alice")
    streams = [alice.stream(session=f"s{number}") for number in range(4)]
    for stream in streams:
        stream.open()
    assert metric(secure, "streams") == 4
    streams[0].cut()
    streams[1].close()
    streams[2].socket.setblocking(True)
    streams[2].socket.unwrap()
    streams[2].close()
    wait_until(lambda: metric(secure, "streams") == 1, "three are gone")
    streams[3].close()
    wait_until(lambda: metric(secure, "streams") == 0, "all are gone")


def test_plain_http_on_the_port_is_closed(secure):
    with Connection(secure.address) as connection:
        connection.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        try:
            rest = connection.read_rest()
        except ConnectionError:
            rest = b""
        assert b"200" not in rest
    with Connection(secure.address, context=secure.context) as connection:
        assert connection.request("GET", "/healthz").status == 200


def test_certificates_reload_and_streams_live_on(secure, tmp_path):
    alice = user(secure, "alice")
    room = alice.create("room")
    stream = alice.stream()
    stream.open()
    fresh, key = make_certificate(tmp_path / "new", "second")
    secure.cert.write_bytes(fresh.read_bytes())
    (secure.cert.parent / "key.pem").write_bytes(key.read_bytes())
    secure.signal(1)

    def has_new():
        connection = Connection(secure.address, context=unchecked())
        der = connection.socket.getpeercert(binary_form=True)
        connection.close()
        return ssl.DER_cert_to_PEM_cert(der).strip() == fresh.read_text().strip()
    wait_until(has_new, "the new certificate is shown")
    assert alice.send(room)["id"] == stream.take().id
    secure.cert.write_text("no certificate")
    secure.signal(1)
    wait_until(lambda: "tls" in secure.log().lower(), "the fault is logged")
    assert has_new(), "a bad file changes nothing"
    stream.close()
    alice.close()


def unchecked():
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def test_many_streams_over_tls(secure):
    alice = user(secure, "alice")
    room = alice.create("room")
    streams = [Stream(secure.address, path("v1", "events", session=f"s{number}", presence="none"),
                      None, alice.token, context=secure.context) for number in range(40)]
    for stream in streams:
        stream.open()
    ids = [alice.send(room, f"{number}")["id"] for number in range(30)]
    for stream in streams:
        assert [stream.take().id for _ in ids] == ids
        stream.close()
    alice.close()
