"""Rooms, and coming into them and going: by the protocol's rules.

A command returns (status, answer) or raises Refusal. In answers that say `asOf` it is added by
the caller: the head after the command."""
from .journal import Journal

RANKS = {None: 0, "member": 1, "moderator": 2, "owner": 3}
SERVICE = 4


class Refusal(Exception):
    def __init__(self, status, code):
        super().__init__(status, code)
        self.status, self.code = status, code


NOT_FOUND = (404, "not_found")
NOT_ALLOWED = (403, "not_allowed")
LAST_OWNER = (409, "last_owner")


class User:
    def __init__(self, name, shown=None, data=None, grants=None, service=False):
        self.name, self.shown, self.data = name, shown, data
        self.grants, self.service = grants or {}, service
        self.blocks = {}           # user name -> as it is listed
        self.choice = None         # of presence; None: none
        self.activity = None       # of the choice
        self.devices = {}          # name -> index of the entry up to which it has everything
        self.acked = -1            # the furthest of what was acknowledged

    def user_data(self):
        """`userData` as a member of a dict."""
        data = {"name": self.shown, "data": self.data}
        data = {key: value for key, value in data.items() if value is not None}
        return {"userData": data} if data else {}

    def sender(self):
        return {"userId": self.name, **self.user_data().get("userData", {})}

    def granted(self, room, right):
        """`manage` holds the others."""
        rights = set()
        for pattern, given in self.grants.items():
            if room == pattern or (pattern.endswith("*") and room.startswith(pattern[:-1])):
                rights |= set(given)
        return right in rights if right else bool(rights)


class Member:
    def __init__(self, user, role, joined):
        self.user, self.role = user, role
        self.joined = joined       # entry of the joining; None while that is being made
        self.since = joined        # the first entry this member sees
        self.muted_until = None
        self.notify = "all"
        self.read = None           # entry up to which it has read

    def shape(self, asker=None):
        """`asker`: the one who is told, and told more of itself."""
        muted = {"mutedUntil": self.muted_until} if self.muted_until else {}
        own = {"notify": self.notify} if asker is self.user else {}
        return {"userId": self.user.name, "role": self.role, "joinedAt": self.joined.at, **muted,
                **self.user.user_data(), **own}


class Room:
    def __init__(self, name, change):
        self.id = name
        self.kind = change.get("kind", "public")
        self.name, self.topic = change.get("name", ""), change.get("topic", "")
        self.announce = change.get("announce", False)
        self.history_from = change.get("historyFrom", "start")
        self.data = change.get("data", {})
        self.version = 1
        self.created = None        # entry
        self.deleted = False
        self.public_since = None   # index of the entry that last made it public
        self.members = {}          # by user name
        self.bans = {}             # user name -> {until?, reason?, by, entry}
        self.messages = {}         # by messageId, in order
        self.once = {}             # messageId of a custom event -> (sender, content, answer)
        self.last = None           # the last entry that stands in the room
        self.pair = None           # of a direct room: its two users, who asked for it first

    def settings(self):
        return {"kind": self.kind, "name": self.name, "topic": self.topic,
                "announce": self.announce, "historyFrom": self.history_from, "data": self.data}

    def shape(self, count=None):
        return {"roomId": self.id, **self.settings(), "slowModeSec": 0, "version": self.version,
                "memberCount": len(self.members) if count is None else count,
                "createdAt": self.created.at if self.created else None}

    def partner(self, user):
        """The other of a direct room."""
        return next(one for one in self.pair if one is not user)

    def owners(self):
        return [member for member in self.members.values() if member.role == "owner"]


class Realm:
    def __init__(self, users, quiet_limit):
        self.users = {user.name: user for user in users}
        self.quiet_limit = quiet_limit
        self.rooms = {}
        self.journal = Journal()

    def emit(self, kind, room, body, **more):
        more.setdefault("seers", room.members)
        entry = self.journal.add(kind, room, body, **more)
        if not entry.only:
            room.last = entry
        return entry

    # -- who may ---------------------------------------------------------------------------

    def role(self, user, room):
        member = room.members.get(user.name)
        return member.role if member else None

    def rank(self, user, room):
        if user.service:
            return SERVICE
        rank = RANKS[self.role(user, room)]
        if user.granted(room.id, "manage") and user.name not in room.bans:
            rank = max(rank, RANKS["moderator"])
        return rank

    def visible(self, user, name):
        """The room, if the user may know of it and is not banned there."""
        room = self.rooms.get(name)
        if not room or not (self.rank(user, room) or room.kind == "public" or
                            user.granted(name, None)):
            raise Refusal(*NOT_FOUND)
        if user.name in room.bans and not user.service:
            raise Refusal(403, "banned")
        return room

    def ranked(self, user, name, least):
        room = self.visible(user, name)
        if self.rank(user, room) < RANKS[least]:
            raise Refusal(*NOT_ALLOWED)
        return room

    def may_read(self, user, room):
        """None, or why not, as (status, code)."""
        try:
            self.visible(user, room.id)
        except Refusal as why:
            return why.status, why.code
        if self.rank(user, room) or room.kind == "public" or user.granted(room.id, "read"):
            return None
        return 403, "not_a_member"

    def readable(self, user, name):
        """The room, for requests that only read."""
        room = self.rooms.get(name)
        if not room:
            raise Refusal(*NOT_FOUND)
        why = self.may_read(user, room)
        if why:
            raise Refusal(*why)
        return room

    # -- rooms -----------------------------------------------------------------------------

    def put_room(self, user, roomId, if_match=None, spared=None, **change):
        room = self.rooms.get(roomId)
        if not room:
            if if_match:
                raise Refusal(412, "version_mismatch")
            return self._create(user, Room(roomId, change), spared)
        banned = user.name in room.bans and not user.service
        if banned and (room.kind == "public" or user.granted(roomId, None)):
            raise Refusal(403, "banned")
        if self.rank(user, room) < RANKS["moderator"]:
            raise Refusal(*NOT_ALLOWED)
        if "kind" in change and room.kind == "direct":
            raise Refusal(400, "invalid_field")
        if if_match and if_match != room.version:
            raise Refusal(412, "version_mismatch")
        return self._update(user, room, change, spared)

    def own_shape(self, user, room):
        """With what the user is there."""
        member = room.members.get(user.name)
        own = {"role": member.role, "notify": member.notify} if member else {}
        return {**room.shape(), **own}

    def _create(self, user, room, spared):
        self.create(user, room, "owner", {}, spared)
        return 201, self.own_shape(user, room)

    def create(self, user, room, role, more, spared):
        """`more`: what its first events show besides."""
        self.rooms[room.id] = room
        body = {**room.shape(count=1), **more}
        room.created = self.emit("room_created", room, body, user=user.name, seers={user.name},
                                 spared=spared, opens_watching=room.kind == "public")
        body["createdAt"] = room.created.at
        if room.kind == "public":
            room.public_since = room.created.index
        self.enter(room, user, role, spared, more).since = room.created

    def _update(self, user, room, change, spared):
        before = room.settings()
        if {**before, **change} != before:
            names = {"historyFrom": "history_from"}
            for name, value in change.items():
                setattr(room, names.get(name, name), value)
            room.version += 1
            was, now = before["kind"] == "public", room.kind == "public"
            entry = self.emit("room_updated", room, {**room.shape(), **self.pair_shape(room)},
                              spared=spared, opens_watching=now and not was,
                              ends_watching=was and not now)
            if entry.opens_watching:
                room.public_since = entry.index
        return 200, {**self.own_shape(user, room), **self.pair_presence(user, room)}

    def delete_room(self, user, roomId, spared=None):
        room = self.ranked(user, roomId, "owner")
        self.emit("room_deleted", room, {**room.shape(), **self.pair_shape(room)},
                  spared=spared, ends_watching=True)
        room.deleted = True
        del self.rooms[roomId]
        return 200, {"roomId": roomId}

    # -- coming and going --------------------------------------------------------------------

    def _is_quiet(self, count):
        return count > self.quiet_limit

    def enter(self, room, user, role, spared=None, more=None):
        member = room.members[user.name] = Member(user, role, None)
        room.bans.pop(user.name, None)
        body = {"roomId": room.id, "userId": user.name, "role": role, **user.user_data()}
        own = {"room": {**room.shape(), "role": role, **(more or {})}}
        quiet = self._is_quiet(len(room.members))
        entry = self.emit("user_joined", room, body, user=user.name, own=own, spared=spared,
                          only=user.name if quiet else None)
        member.joined = member.since = member.read = entry
        return member

    def part(self, room, user, reason, spared=None):
        quiet = self._is_quiet(len(room.members))
        seers = set(room.members)
        del room.members[user.name]
        body = {"roomId": room.id, "userId": user.name, "reason": reason, **user.user_data()}
        return self.emit("user_left", room, body, user=user.name, seers=seers, spared=spared,
                         only=user.name if quiet else None, bans=reason == "banned")

    @staticmethod
    def check_not_direct(room):
        if room.kind == "direct":
            raise Refusal(*NOT_ALLOWED)

    @staticmethod
    def check_last_owner(room, leaver):
        member = room.members.get(leaver.name)
        if member and member.role == "owner" and len(room.owners()) == 1 and \
                len(room.members) > 1:
            raise Refusal(*LAST_OWNER)

    def join_room(self, user, roomId, spared=None):
        room = self.visible(user, roomId)
        if user.name not in room.members:
            if room.kind != "public" and (self.rank(user, room) < RANKS["moderator"] or
                                          room.kind == "direct"):
                raise Refusal(*NOT_ALLOWED)
            self.enter(room, user, "member", spared)
        members = [member.shape(user) for _, member in sorted(room.members.items())]
        return 200, {"roomId": roomId, "role": self.role(user, room), "members": members,
                     "memberCount": len(members), "cursor": self.journal.head}

    def leave_room(self, user, roomId, spared=None):
        room = self.visible(user, roomId)
        self.check_not_direct(room)
        self.check_last_owner(room, user)
        if user.name in room.members:
            self.part(room, user, "left", spared)
        return 200, {"roomId": roomId}
