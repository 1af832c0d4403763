"""What every request for state must answer."""
from ..http import path
from .cells import match
from .follow import Life
from .readers import check_event
from .realm import Refusal


def drop_watchers(room):
    """Who watches is counted elsewhere, and comes and goes."""
    room.pop("watchers", None)


class Checks:
    """Of one user, by requests of the user's own."""

    def __init__(self, game, user):
        self.game, self.realm, self.user = game, game.realm, user
        self.dice = game.dice

    def ask(self, target, expect):
        """`expect` gives the answer without `asOf`, or refuses."""
        answer = self.game.client(self.user).get(target)
        what = f"{self.user.name}: GET {target}"
        try:
            expected = {**expect(), "asOf": self.game.journal.head}
        except Refusal as why:
            assert answer.status == why.status, f"{what}: {why} expected, got {answer}"
            assert answer.code == why.code, f"{what}: {why} expected, got {answer}"
            return
        assert answer.status == 200, f"{what}: {answer}"
        got = answer.json
        self.drop_watchers_of(got)
        match(expected, got, what)

    @staticmethod
    def drop_watchers_of(got):
        for room in [got, *got.get("rooms", ())]:
            drop_watchers(room)

    # -- rooms -------------------------------------------------------------------------------

    def room_shape(self, room):
        return {**self.realm.own_shape(self.user, room), **self.realm.marker(self.user, room),
                **self.realm.last_message(self.user, room),
                **self.realm.pair_presence(self.user, room)}

    def room(self, name):
        self.ask(path("v1", "rooms", name),
                 lambda: self.room_shape(self.realm.readable(self.user, name)))

    def rooms(self):
        self.ask(path("v1", "rooms"),
                 lambda: {"rooms": [self.room_shape(room) for room in self.own_rooms()]})

    def own_rooms(self):
        return [room for _, room in sorted(self.realm.rooms.items())
                if self.user.name in room.members]

    def unread(self):
        def expect():
            markers = [(room.id, self.realm.marker(self.user, room))
                       for room in self.own_rooms()]
            rooms = [{"roomId": name, "unread": one["unread"], "mentions": one["mentions"]}
                     for name, one in markers if one["unread"]]
            return {"rooms": rooms, **self.realm.sums(self.user)}
        self.ask("/v1/unread", expect)

    def members(self, name):
        def expect():
            room = self.realm.readable(self.user, name)
            return {"members": [room.members[one].shape(self.user)
                                for one in sorted(room.members)]}
        self.ask(path("v1", "rooms", name, "members"), expect)

    def bans(self, name):
        def expect():
            room = self.realm.ranked(self.user, name, "moderator")
            self.realm.check_not_direct(room)
            return {"bans": [room.bans[one] for one in sorted(room.bans)]}
        self.ask(path("v1", "rooms", name, "bans"), expect)

    def blocks(self):
        self.ask("/v1/blocks", lambda: {"blocks": [self.user.blocks[one]
                                                   for one in sorted(self.user.blocks)]})
        other = self.dice.user().name
        self.ask(path("v1", "blocks", other), lambda: self.realm.block(self.user, other))

    def presence(self):
        users = list(self.realm.users.values())
        self.ask(path("v1", "presence", users=",".join(user.name for user in users)),
                 lambda: self.realm.presence_list(self.user, users))

    def room_presence(self, name):
        def expect():
            room = self.realm.readable(self.user, name)
            quiet = len(room.members) > self.realm.quiet_limit
            users = [] if quiet else [room.members[one].user for one in sorted(room.members)]
            return self.realm.presence_list(self.user, users)
        self.ask(path("v1", "rooms", name, "presence"), expect)

    # -- what was missed ---------------------------------------------------------------------

    def sync(self):
        """Page by page, up to the head."""
        cursor = self.game.some_cursor()
        while cursor != self.game.journal.head.value:
            cursor = self._sync_page(cursor, self.dice.pick((1, 10, 500)))

    def _sync_page(self, cursor, limit):
        target = path("v1", "sync", since=cursor, limit=limit)
        got = self.game.client(self.user).get(target).expect(200).json
        since = self.game.journal.index_of[cursor]
        life = Life(self.realm, self.user, start=since)
        events = got.pop("events")
        for index, event in enumerate(events):
            check_event(life, index, event, f"{self.user.name}: GET {target}")
        assert len(events) == min(limit, len(life.due)), (target, len(events))
        more = {"more": True} if len(events) < len(life.due) else {}
        cursor = got.pop("cursor")
        if not more:
            match(self.game.journal.head, cursor, f"GET {target}: cursor")
        own = [room for room in self.own_rooms() if self._has_changed(room, since)]
        self.drop_watchers_of(got)
        partners = {room.partner(self.user).name for room in self.own_rooms() if room.pair}
        presence = [{"userId": name, **self.realm.presence_of(self.realm.users[name])}
                    for name in sorted(partners)]
        got["presence"].sort(key=lambda one: one["userId"])
        match({"rooms": [self.room_shape(room) for room in own], **more,
               "presence": presence,
               **self.realm.sums(self.user), "asOf": self.game.journal.head},
              got, f"{self.user.name}: GET {target}")
        return cursor

    def _has_changed(self, room, since):
        return max(room.last.index, room.members[self.user.name].joined.index) > since

    # -- history -----------------------------------------------------------------------------

    def message(self, name, message_id):
        def expect():
            messages = self.realm.history(self.user, self.realm.readable(self.user, name))
            return self._find(messages, message_id).shape(self.user)
        self.ask(path("v1", "rooms", name, "messages", message_id), expect)

    @staticmethod
    def _find(messages, message_id):
        for message in messages:
            if message.id == message_id:
                return message
        raise Refusal(404, "not_found")

    def history(self, name):
        """A page with random bounds."""
        room = self.realm.rooms.get(name)
        bounds = list(room.messages) + ["unknown"] if room else ["unknown"]
        bounds += [text for text in self.game.journal.known_ids()[-50:]]
        query = {"limit": self.dice.pick((1, 2, 5, 100))}
        for bound in self.dice.pick(((), (), ("before",), ("after",), ("before", "after"),
                                     ("around",))):
            query[bound] = self.dice.pick(bounds)
        if room and room.messages and self.dice.likely(20):
            query["thread"] = self.dice.pick(room.messages)
        self.ask(path("v1", "rooms", name, "messages", **query),
                 lambda: self._page(self.realm.readable(self.user, name), query))

    def _position(self, messages, bound):
        """Index of the entry that an id or a messageId names."""
        if bound in self.game.journal.index_of:
            return self.game.journal.index_of[bound]
        return self._find(messages, bound).entry.index

    def _page(self, room, query):
        messages = self.realm.history(self.user, room)
        position = {name: self._position(messages, query[name])
                    for name in ("after", "before", "around") if name in query}
        if "thread" in query:
            messages = [one for one in messages if one.thread == query["thread"]]
        after, before = position.get("after", -1), position.get("before", 1 << 60)
        within = [one for one in messages if after < one.entry.index < before]
        limit = query["limit"]
        if "around" in query:
            newer = [one for one in messages if one.entry.index > position["around"]]
            older = messages[:len(messages) - len(newer)]
            newer = newer[:limit // 2]
            page = (older[len(older) - min(len(older), limit - len(newer)):] + newer)[::-1]
        elif "after" in query:
            page = within[:limit]
        else:
            page = within[::-1][:limit]
        answer = {"messages": [one.shape(self.user) for one in page]}
        return {**answer, **self._neighbours(messages, within, page, query)}

    @staticmethod
    def _neighbours(messages, within, page, query):
        """Between two bounds only what is left between them is told."""
        if not page:
            return {}
        between = "after" in query and "before" in query
        ends = sorted(page, key=lambda one: one.entry.index)
        seen = within if between else messages
        found = {}
        if not between and seen[0] is not ends[0]:
            found["nextBefore"] = ends[0].entry.id
        if seen[-1] is not ends[-1]:
            found["nextAfter"] = ends[-1].entry.id
        return found

    # -- all of it ---------------------------------------------------------------------------

    def some(self):
        """One of these, at random."""
        name = self.dice.room_name()
        room = self.realm.rooms.get(name)
        what = self.dice.pick(("room", "rooms", "members", "bans", "message", "history",
                               "history", "sync"))
        if what == "rooms":
            self.rooms()
        elif what == "sync":
            self.sync()
        elif what == "message":
            self.message(name, self.dice.pick(room.messages if room else (), "unknown"))
        else:
            getattr(self, what)(name)

    def everything(self):
        self.rooms()
        self.unread()
        self.blocks()
        self.presence()
        for name in self.game.rooms:
            self.room(name)
            self.members(name)
            self.bans(name)
            self.room_presence(name)
            for _ in range(3):
                self.history(name)
            room = self.realm.rooms.get(name)
            self.ask(path("v1", "rooms", name, "messages", limit=100),
                     lambda: self._page(self.realm.readable(self.user, name), {"limit": 100}))
            for message_id in list(room.messages)[-5:] if room else ():
                self.message(name, message_id)
