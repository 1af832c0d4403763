"""Random commands: mostly such as make sense, some that are refused."""
import re
import time

from ..http import path
from .journal import CONTENT
from .realm import RANKS

ROOM = "/v1/rooms/{roomId}"
MESSAGE = ROOM + "/messages/{messageId}"
MEMBER = ROOM + "/members/{userId}"
ROUTES = {
    "send_message": ("POST", ROOM + "/messages"),
    "custom_event": ("POST", ROOM + "/events"),
    "edit_message": ("PATCH", MESSAGE),
    "delete_message": ("DELETE", MESSAGE),
    "add_reaction": ("PUT", MESSAGE + "/reactions/{key}"),
    "remove_reaction": ("DELETE", MESSAGE + "/reactions/{key}"),
    "ack": ("POST", "/v1/acks"),
    "read": ("POST", ROOM + "/read"),
    "put_room": ("PUT", ROOM),
    "delete_room": ("DELETE", ROOM),
    "join_room": ("POST", ROOM + "/join"),
    "leave_room": ("POST", ROOM + "/leave"),
    "add_members": ("POST", ROOM + "/members"),
    "put_member": ("PUT", MEMBER),
    "remove_member": ("DELETE", MEMBER),
    "status_change": ("PUT", "/v1/presence"),
    "open_direct": ("POST", "/v1/direct/{userId}"),
    "block_user": ("PUT", "/v1/blocks/{userId}"),
    "unblock_user": ("DELETE", "/v1/blocks/{userId}"),
    "ban_member": ("PUT", ROOM + "/bans/{userId}"),
    "lift_ban": ("DELETE", ROOM + "/bans/{userId}"),
}
FEW_ROOMS = 5
DEVICES = ("phone", "tablet")
WITH_AS_OF = set(ROUTES) - {"send_message", "custom_event"}


class Play:
    """One command of one user. `members`: what is in its path and its body."""

    def __init__(self, kind, user, /, if_match=None, **members):
        self.kind, self.user, self.members = kind, user, members
        self.if_match = if_match

    def request(self):
        """(method, target, body, headers)"""
        method, pattern = ROUTES[self.kind]
        names = re.findall(r"{(\w+)}", pattern)
        parts = [self.members[piece[1:-1]] if piece[0] == "{" else piece
                 for piece in pattern.strip("/").split("/")]
        body = {name: value for name, value in self.members.items() if name not in names}
        headers = {"If-Match": str(self.if_match)} if self.if_match else {}
        return method, path(*parts), body if method != "DELETE" else None, headers

    def item(self):
        """As a member of a batch."""
        members = dict(self.members)
        if self.kind == "custom_event":
            members["eventType"] = members.pop("type")
        return {"type": self.kind, **members}

    def run(self, realm, spared, got):
        """In the model; what it gives. `got`: the server's answer, for a name that it made."""
        more = {"if_match": self.if_match} if self.if_match else {}
        if self.kind == "open_direct":
            more["made"] = got.get("roomId")
        return getattr(realm, self.kind)(self.user, spared=spared, **self.members, **more)

    def __repr__(self):
        match = f" If-Match {self.if_match}" if self.if_match else ""
        return f"{self.user.name}: {self.kind} {self.members}{match}"


class Dice:
    """Makes plays out of chance and of what the model knows."""

    WEIGHTS = {"send_message": 30, "custom_event": 5, "edit_message": 8, "delete_message": 5,
               "add_reaction": 8, "remove_reaction": 4, "read": 8, "ack": 2,
               "put_room": 5, "delete_room": 0.4, "join_room": 10, "leave_room": 4,
               "add_members": 3, "put_member": 6, "remove_member": 4, "ban_member": 3,
               "lift_ban": 3, "open_direct": 2, "block_user": 1, "unblock_user": 1.5,
               "status_change": 1.5}

    def __init__(self, chance, realm, rooms):
        self.chance, self.realm, self.rooms = chance, realm, rooms
        self.serial = 0

    def likely(self, percent):
        return self.chance.random() * 100 < percent

    def pick(self, items, otherwise=None):
        items = list(items)
        return self.chance.choice(items) if items else otherwise

    def new_name(self, stem):
        self.serial += 1
        return f"{stem}{self.serial}"

    def user(self):
        return self.pick(self.realm.users.values())

    def room(self):
        return self.realm.rooms.get(self.pick(self.rooms))

    def room_name(self):
        """One of the first few, mostly: direct rooms become many."""
        return self.pick(self.rooms if self.likely(25) else self.rooms[:FEW_ROOMS])

    def member_of(self, room, least="member"):
        """One who is in it with this rank, mostly."""
        able = [member.user for member in room.members.values()
                if RANKS[member.role] >= RANKS[least]] if room else []
        return self.pick(able, self.user()) if self.likely(85) else self.user()

    def play(self, user=None):
        """`user`: it is this one's."""
        kinds = list(self.WEIGHTS)
        kind = self.chance.choices(kinds, [self.WEIGHTS[kind] for kind in kinds])[0]
        name = self.room_name()
        return getattr(self, "_" + kind)(name, self.realm.rooms.get(name), user)

    # -- messages ----------------------------------------------------------------------------

    def _text(self):
        if self.likely(4):
            return "long " * 800
        return self.pick(("hello", "Grüße", "line\nline", "quote \" \\ ", "👍", "x" * 40)) + \
            f" {self.chance.randrange(100)}"

    def _content(self):
        content = {}
        if self.likely(80):
            content["text"] = self._text()
        if self.likely(25) or not content:
            content["message"] = {"n": self.chance.randrange(5), "list": [1, {"a": None}], "": ""}
        if self.likely(25):
            names = list(self.realm.users)
            content["mentions"] = self.chance.sample(names, self.chance.randint(0, 3))
        return content

    def _top(self, room):
        """The name of a message that is no reply in a thread."""
        tops = [message.id for message in room.messages.values() if not message.thread] \
            if room else []
        return self.pick(tops[-20:] if self.likely(80) else tops)

    def _message(self, room):
        names = list(room.messages) if room else []
        return self.pick(names[-12:] if self.likely(80) else names, "none")

    def _send_message(self, name, room, user):
        if room and room.messages and self.likely(8):
            return self._repeat(room, user)
        content = self._content()
        if self.likely(10):
            return Play("send_message", user or self.member_of(room), roomId=name,
                        messageId=self.new_name("e"), ephemeral=True, **content)
        for member, percent in (("replyTo", 10), ("threadId", 15)):
            top = self._top(room) if self.likely(90) else self._message(room)
            if self.likely(5):
                top = f"m{self.serial + self.chance.randint(1, 9)}"  # that comes later, or itself
            if top and self.likely(percent):
                content[member] = top
        return Play("send_message", user or self.member_of(room), roomId=name,
                    messageId=self.new_name("m"), **content)

    def _repeat(self, room, user):
        message = self.pick(room.messages.values())
        sent = dict(message.sent) if self.likely(70) else self._content()
        by = message.sender if self.likely(80) else self.user()
        return Play("send_message", user or by, roomId=room.id, messageId=message.id, **sent)

    def _custom_event(self, name, room, user):
        members = {"type": self.pick(("custom.move", "custom.note")),
                   "data": self.pick(({"x": 1}, [1, 2], "text", None, 7))}
        if self.likely(20):
            members.update(messageId=self.new_name("e"), ephemeral=True)
        elif self.likely(50):
            known = list(room.once) if room else []
            members["messageId"] = self.pick(known) if known and self.likely(20) else \
                self.new_name("c")
        return Play("custom_event", user or self.member_of(room), roomId=name, **members)

    def _author(self, room, message_id):
        message = room.messages.get(message_id) if room else None
        return message.sender if message and self.likely(85) else self.user()

    def _edit_message(self, name, room, user):
        message_id = self._message(room)
        content = self._content()
        message = room.messages.get(message_id) if room else None
        if message and message.deleted_at is None and self.likely(15):
            content = {key: message.body[key] for key in CONTENT if key in message.body}
        return Play("edit_message", user or self._author(room, message_id), roomId=name,
                    messageId=message_id, **content)

    def _delete_message(self, name, room, user):
        message_id = self._message(room)
        by = self._author(room, message_id) if self.likely(70) else self.member_of(room,
                                                                                   "moderator")
        return Play("delete_message", user or by, roomId=name, messageId=message_id)

    def _reaction(self, kind, name, room, user):
        message_id = self._message(room)
        message = room.messages.get(message_id) if room else None
        by, key = self.member_of(room), self.pick(("👍", "+1", "a/b ?%", "é"))
        if message and message.reactions and self.likely(60):
            key = self.pick(message.reactions)
            if kind == "remove_reaction":
                by = self.realm.users[self.pick(message.reactions[key])]
        return Play(kind, user or by, roomId=name, messageId=message_id, key=key)

    def _add_reaction(self, name, room, user):
        return self._reaction("add_reaction", name, room, user)

    def _remove_reaction(self, name, room, user):
        return self._reaction("remove_reaction", name, room, user)

    def _read(self, name, room, user):
        known = self.realm.journal.known_ids()
        upto = self._message(room) if self.likely(60) else self.pick(known[-40:])
        return Play("read", user or self.member_of(room), roomId=name, upTo=upto)

    def _ack(self, name, room, user):
        known = self.realm.journal.known_ids()
        cursor = self.pick(known[-40:]) if self.likely(90) else "99999999999999-0"
        device = {"device": self.pick(DEVICES)} if self.likely(70) else {}
        return Play("ack", user or self.user(), cursor=cursor, **device)

    # -- rooms -------------------------------------------------------------------------------

    def _put_room(self, name, room, user):
        change = {}
        for member, values, percent in (
                ("kind", ("public", "private"), 50 if not room else 35),
                ("name", ("", "Lobby", "Küche"), 30), ("topic", ("a", "b"), 30),
                ("announce", (True, False), 15), ("data", ({}, {"k": [1]}), 15),
                ("historyFrom", ("start", "joining"), 20)):
            if self.likely(percent):
                change[member] = self.pick(values)
        version = room.version if room else 1
        match = self.pick((version, version + 1)) if self.likely(15) else None
        return Play("put_room", user or self.member_of(room, "moderator"), if_match=match,
                    roomId=name, **change)

    def _delete_room(self, name, room, user):
        return Play("delete_room", user or self.member_of(room, "owner"), roomId=name)

    def _join_room(self, name, room, user):
        outside = [one for one in self.realm.users.values()
                   if room and one.name not in room.members]
        return Play("join_room", user or self.pick(outside, self.user()), roomId=name)

    def _leave_room(self, name, room, user):
        return Play("leave_room", user or self.member_of(room), roomId=name)

    def _add_members(self, name, room, user):
        names = self.chance.sample(list(self.realm.users), self.chance.randint(1, 3))
        return Play("add_members", user or self.member_of(room, "owner"), roomId=name,
                    users=names)

    def _put_member(self, name, room, user):
        by = user or self.member_of(room, "moderator")
        if self.likely(20):
            change = {"notify": self.pick(("all", "mentions", "none"))}
            return Play("put_member", by, roomId=name, userId=by.name, **change)
        change = {"role": self.pick(("owner", "moderator", "member"))} if self.likely(70) else {}
        if self.likely(30):
            tomorrow = int(time.time() * 1000) + 86400000
            change["mutedUntil"] = self.pick((tomorrow, None, 0, 1000))
        return Play("put_member", by, roomId=name, userId=self.user().name, **change)

    def _remove_member(self, name, room, user):
        return Play("remove_member", user or self.member_of(room, "moderator"), roomId=name,
                    userId=self.user().name)

    def _ban_member(self, name, room, user):
        more = {"deleteMessages": True} if self.likely(30) else {}
        if self.likely(30):
            more["reason"] = "enough"
        if self.likely(30):
            more["until"] = int(time.time() * 1000) + 86400000
        return Play("ban_member", user or self.member_of(room, "moderator"), roomId=name,
                    userId=self.user().name, **more)

    def _lift_ban(self, name, room, user):
        banned = list(room.bans) if room else []
        return Play("lift_ban", user or self.member_of(room, "moderator"), roomId=name,
                    userId=self.pick(banned, self.user().name))

    # -- direct rooms and blocks -------------------------------------------------------------

    def _open_direct(self, name, room, user):
        return Play("open_direct", user or self.user(), userId=self.user().name)

    def _block_user(self, name, room, user):
        return Play("block_user", user or self.user(), userId=self.user().name)

    def _unblock_user(self, name, room, user):
        by = user or self.user()
        return Play("unblock_user", by, userId=self.pick(by.blocks, self.user().name))

    def _status_change(self, name, room, user):
        status = self.pick(("online", "away", "busy", "offline", None))
        activity = {"activity": self.pick(("writing", "é" * 64))} if self.likely(40) and status \
            else {}
        return Play("status_change", user or self.user(), status=status, choice=True, **activity)
