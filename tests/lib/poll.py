"""A chain of long-polls, as a client makes one: the cursor of the next poll confirms the last."""
from .http import Connection, path
from .sse import id_key


class Poller:
    def __init__(self, address, token, since=None, session=None, context=None, **query):
        self.address, self.token, self.context = address, token, context
        self.cursor, self.session, self.query = since, session, query
        self.connection = None
        self.events = []

    def once(self, wait=0, **more):
        """One poll; returns its events. The connection is kept while the server keeps it."""
        self.start(wait, **more)
        return self.finish()

    def start(self, wait=25, **more):
        if self.connection is None:
            self.connection = Connection(self.address, context=self.context, timeout=70)
        query = dict(self.query, since=self.cursor, session=self.session, wait=wait)
        query.update(more)
        self.connection.send_request("GET", path("v1", "poll", **query), token=self.token)

    def finish(self):
        answer = self.connection.read_answer().expect(200)
        if answer.header("Connection", "").lower() == "close":
            assert self.connection.is_ended()
            self.close()
        got = answer.json
        assert set(got) == {"events", "cursor", "session"}, got
        for event in got["events"]:
            assert event["type"] not in ("connected", "caught_up", "heartbeat"), event
        id_key(got["cursor"])
        self.cursor, self.session = got["cursor"], got["session"]
        self.events += got["events"]
        return got["events"]

    def close(self):
        if self.connection:
            self.connection.close()
            self.connection = None
