"""The game: random commands against the real server, serially, and the model beside it."""
import time
from collections import deque

from ..http import wait_until
from ..sse import id_key
from .cells import difference, learn
from .checks import Checks, drop_watchers
from .people import People
from .plays import DEVICES, WITH_AS_OF, Dice, Play
from .readers import PollReader, SseReader, history_probe, poll_probe, probe
from .realm import Refusal, User

QUIET_LIMIT = 4
ROOMS = ("lobby", "kitchen", "attic", "cellar", "team-red")
END = "end"               # everyone is always in it: what is said there comes last
USERS = (dict(name="alice", shown="Alice"), dict(name="bob", data={"avatar": "b.png"}),
         dict(name="carol"), dict(name="dave|x", shown="Dävid \"the\" 4th", data={}),
         dict(name="erin"), dict(name="grace", grants={"team-*": ["read", "post"]}))
SERVICE = dict(name="backend", service=True)
LAST_SHOWN = 60


class Game:
    """`server` may be restarted when `durable`. With small queues every reader may fall back."""

    def __init__(self, server, chance, durable, queues_are_small=False):
        self.server, self.chance, self.durable = server, chance, durable
        self.queues_are_small = queues_are_small
        self.users = [User(**one) for one in USERS]
        self.service = User(**SERVICE)
        self.realm = People([*self.users, self.service], QUIET_LIMIT)
        self.realm.is_here = self.is_here
        self.journal = self.realm.journal
        self.rooms = list(ROOMS)   # and direct ones, as they come
        self.dice = Dice(chance, self.realm, self.rooms)
        self.clients, self.readers = {}, []
        self.told = deque(maxlen=LAST_SHOWN)
        self.count = 0
        self.sentinels = 0

    def client(self, user):
        """The user's connection to the server that runs now."""
        if user.name not in self.clients:
            claims = {"name": user.shown, "data": user.data,
                      "scope": "service" if user.service else None,
                      "rooms": [{"room": room, "can": rights}
                                for room, rights in user.grants.items()] or None}
            self.clients[user.name] = self.server.user(user.name, **claims)
        return self.clients[user.name]

    def is_here(self, user):
        return any(reader.user is user and isinstance(reader, SseReader) and reader.is_open and
                   reader.life.is_live for reader in self.readers)

    # -- commands ----------------------------------------------------------------------------

    def run(self, play, session=None):
        """One command as a request."""
        self.note(play)
        method, target, body, headers = play.request()
        if session:
            headers["X-Tidings-Session"] = session
        answer = self.client(play.user).request(method, target, body, headers)
        spared = (play.user.name, session) if session else None
        self.hold(play, answer.status, answer.json, spared)

    def hold(self, play, status, got, spared=None):
        """What the server answered against what the model says, which the command changes."""
        self.count += 1
        try:
            expected_status, expected = play.run(self.realm, spared, got)
        except Refusal as why:
            assert (status, got.get("code")) == (why.status, why.code), \
                f"{play}\n  {why} expected\n  got {status} {got}"
            return
        if play.kind in WITH_AS_OF:
            expected = {**expected, "asOf": self.journal.head}
        drop_watchers(got)
        found = difference(expected, got, "answer")
        assert status == expected_status and not found, \
            f"{play}\n  {expected_status} expected, got {status}; {found}" \
            f"\n  expected {expected}\n  got      {got}"
        learn(expected, got)
        if play.kind == "open_direct" and got["roomId"] not in self.rooms:
            self.rooms.append(got["roomId"])

    def run_batch(self, user, plays, ordered):
        for play in plays:
            self.note(f"batch{' ordered' if ordered else ''} {play}")
        body = {"events": [play.item() for play in plays], "ordered": ordered}
        results = self.client(user).post("/v1/batch", body).expect(200).json["results"]
        assert len(results) == len(plays)
        failed = False
        for play, result in zip(plays, results):
            if ordered and failed:
                assert (result["status"], result["code"]) == (424, "not_tried"), result
                continue
            status = result["status"] if "code" in result else result.pop("status")
            failed |= status >= 400
            self.hold(play, status, result)

    def note(self, what):
        self.told.append(f"{self.count} {what}")

    # -- what readers tell -------------------------------------------------------------------

    def check_connected(self, user, connected):
        for name, value in self.realm.sums(user).items():
            assert connected[name] == value, f"{user.name}: {value} {name} expected, {connected}"

    # -- the course of it --------------------------------------------------------------------

    def set_up(self):
        self.run(Play("put_room", self.users[0], roomId=END))
        for user in self.users[1:]:
            self.run(Play("join_room", user, roomId=END))
        for name in self.rooms:
            self.run(Play("put_room", self.dice.pick(self.users), roomId=name,
                          kind=self.dice.pick(("public", "private"))))
        for user in self.users:
            self.readers.append(SseReader(self, user, session="main"))
        for _ in range(3):
            self.readers.append(SseReader(self, self.dice.pick(self.users),
                                          self._some_rooms(), self.dice.likely(40)))
        for device in DEVICES:
            self.readers.append(SseReader(self, self.dice.pick(self.users), device=device))
        for names in ((), (), self._some_rooms(), self._some_rooms()):
            self.readers.append(SseReader(self, self.dice.pick(self.users), names,
                                          not names or self.dice.likely(40), slow=True))
        for session, names in ((None, ()), (None, self._some_rooms()), ("poller", ())):
            self.readers.append(PollReader(self, self.dice.pick(self.users), names=names,
                                           follows_all=not names, session=session))
        for reader in self.readers:
            self._come(reader)

    def _some_rooms(self):
        return [END, *self.chance.sample(self.rooms, self.chance.randint(1, 3))]

    def _come(self, reader):
        if isinstance(reader, SseReader):
            self.note(f"{reader} comes with {reader.cursor}")
            reader.open(caught_up=not reader.slow and self.dice.likely(60))
        else:
            reader.poll()

    def step(self):
        """Something happens."""
        dice = self.dice
        if dice.likely(80):
            self._command()
        elif dice.likely(45):
            self._move_reader()
        elif dice.likely(50):
            Checks(self, dice.pick(self.users)).some()
        elif dice.likely(40):
            self._probe()
        elif dice.likely(50):
            self.compare()
        elif self.durable and dice.likely(15):
            self.restart(dice.likely(50))

    def _command(self):
        dice = self.dice
        if dice.likely(8):
            user = dice.pick(self.users)
            plays = [dice.play(user) for _ in range(self.chance.randint(1, 8))]
            for play in plays:
                play.if_match = None  # a header, of which a batch has but one
            self.run_batch(user, plays, dice.likely(30))
            return
        play = dice.play()
        session = None
        if dice.likely(20):
            live = [reader for reader in self.readers if isinstance(reader, SseReader) and
                    reader.is_open and reader.user is play.user and reader.session]
            if live:
                live[0].wait_until_live()
                session = live[0].session
        self.run(play, session)

    def _move_reader(self):
        reader = self.dice.pick(self.readers)
        if isinstance(reader, PollReader):
            reader.poll(limit=self.dice.pick((1, 3, 100)), lose=self.dice.likely(20))
        elif reader.is_open:
            self.note(f"{reader} is cut")
            reader.leave(self.dice.likely(70))
            if reader.device and self.dice.likely(60):
                self._acknowledge(reader)
            if reader.device and self.dice.likely(50):
                reader.cursor = None  # its storage is lost
        else:
            self._come(reader)

    def _acknowledge(self, reader):
        if reader.cursor:
            self.run(Play("ack", reader.user, cursor=reader.cursor, device=reader.device))

    def some_cursor(self):
        known = self.journal.known_ids()
        return self.dice.pick(known[-60:] if self.dice.likely(70) else [*known, "0-0"])

    def _probe(self):
        user, cursor = self.dice.pick(self.users), self.some_cursor()
        names = self._some_rooms() if self.dice.likely(50) else []
        follows_all = not names or self.dice.likely(40)
        self._finish()
        self.note(f"{user.name} reads from {cursor} {'all ' if follows_all else ''}{names}")
        if self.dice.likely(15):
            history_probe(self, user, names, self.dice.pick((1, 5, 100)))
        elif self.dice.likely(60):
            probe(self, user, names, follows_all, cursor)
        else:
            poll_probe(self, user, names, follows_all, cursor, self.dice.pick((1, 7, 100)))

    def _finish(self):
        """A last entry that everyone is given."""
        self.sentinels += 1
        self.run(Play("send_message", self.users[0], roomId=END, text="end",
                      messageId=f"end{self.sentinels}"))

    def compare(self):
        """Every stream that is open, to its end."""
        self._finish()
        for reader in self.readers:
            if reader.is_open:
                reader.catch_up()
        self.journal.check_order()

    def restart(self, kill):
        self.note("kill -9" if kill else "clean stop")
        for reader in self.readers:
            if isinstance(reader, SseReader):
                reader.leave()
            else:
                reader.poller.close()
        message = self._send_into_the_dark() if kill and self.dice.likely(60) else None
        for client in self.clients.values():
            client.close()
        self.server.kill() if kill else self.server.stop()
        # On another port: while it is down, another server might take the old one.
        self.server.start()
        for reader in self.readers:
            if isinstance(reader, PollReader):
                reader.poller.address = self.server.address
        if message:
            self.repeat(message)
        self._finish()
        probe(self, self.dice.pick(self.users), [], True, "0-0")
        for reader in self.readers:
            if self.dice.likely(70):
                self._come(reader)

    def _send_into_the_dark(self):
        """A message whose answer is not waited for."""
        user = self.users[0]
        message = Play("send_message", user, roomId=END, text="dark",
                       messageId=self.dice.new_name("dark"))
        self.note(f"unanswered {message}")
        method, target, body, _ = message.request()
        connection = self.client(user).server.connection()
        connection.send_request(method, target, body, token=self.client(user).token)
        connection.close()
        return message

    def repeat(self, message):
        """Whether it was stored or not: from here on it is, once."""
        method, target, body, headers = message.request()
        answer = self.client(message.user).request(method, target, body, headers)
        assert answer.status in (200, 201), answer
        self.hold(message, 201, answer.json)

    def play(self, seconds):
        end = time.monotonic() + seconds
        self.set_up()
        while time.monotonic() < end:
            self.step()
        for reader in self.readers:
            if not reader.is_open:
                self._come(reader)
        self.compare()
        for reader in self.readers:
            if isinstance(reader, SseReader):
                wait_until(reader.are_markers_told, f"{reader}: its own markers")
        for user in self.users:
            Checks(self, user).everything()
        for reader in self.readers:
            reader.leave()
        assert id_key(self.journal.head.value) > (0, 0)

    def story(self):
        """The last that happened, for whoever reads the failure."""
        return "\n".join(self.told)
