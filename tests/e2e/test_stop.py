"""Signals at bad moments."""
from lib.http import Connection, path

ROUNDS = 6


def read_all(connection):
    """What has come of an answer, to the end of the connection."""
    text = b""
    try:
        while piece := connection.socket.recv(65536):
            text += piece
    except OSError:
        pass
    connection.close()
    head, _, body = text.partition(b"\r\n\r\n")
    return head, body


def test_streams_that_are_just_opening_are_sent_away(start):
    server = start(drain__notice="0ms", drain__spread="50ms", limits__sessions=0)
    for _ in range(ROUNDS):
        alice = server.user("alice")
        connections = [Connection(server.address) for _ in range(60)]
        for connection in connections:
            connection.send_request("GET", path("v1", "events", history=9), token=alice.token)
        server.signal(15)
        for connection in connections:
            head, body = read_all(connection)
            if b"event: connected" in body:
                assert b"event: reconnect" in body.rstrip().split(b"\n\n")[-1], body
        server.finish()
        server.start()
