"""Who is in a room: the commands of those who run it, by the protocol's rules."""
import time

from .cells import Cell, OneOf
from .realm import LAST_OWNER, NOT_ALLOWED, NOT_FOUND, RANKS, Refusal, Room
from .talk import Talk


class People(Talk):
    def add_members(self, user, roomId, users, spared=None):
        self.check_not_direct(self.visible(user, roomId))
        room = self.ranked(user, roomId, "owner")
        new = [name for name in dict.fromkeys(users) if name not in room.members]
        if not user.service and any(name in room.bans for name in new):
            raise Refusal(403, "banned")
        for name in new:
            self.enter(room, self.users[name], "member", spared)
        return 200, {"roomId": roomId, "added": len(new)}

    def _outranks(self, user, room, target):
        rank, other = self.rank(user, room), RANKS[self.role(target, room)]
        return other < rank or (other == RANKS["owner"] and rank == RANKS["owner"])

    def put_member(self, user, roomId, userId, role=None, spared=None, **change):
        """`change`: of mutedUntil, notify."""
        target = self.users[userId]
        room = self.rooms.get(roomId)
        member = room.members.get(userId) if room else None
        own = bool(member) and userId == user.name
        room = self.ranked(user, roomId, "member" if own else "moderator")
        if ("notify" in change and not own) or ("mutedUntil" in change and own):
            raise Refusal(*NOT_ALLOWED)
        if role or "notify" not in change:
            self.check_not_direct(room)
        if not member and userId in room.bans and not user.service:
            raise Refusal(403, "banned")
        if RANKS[role] > self.rank(user, room) or (not own and
                                                   not self._outranks(user, room, target)):
            raise Refusal(*NOT_ALLOWED)
        if member and member.role == "owner" and role and role != "owner" and \
                len(room.owners()) == 1:
            raise Refusal(*LAST_OWNER)
        if not member:
            member = self.enter(room, target, role or "member", spared)
        self._change(room, member, role, change, spared)
        return 200, {"roomId": roomId, "userId": userId, **({"role": role} if role else {})}

    def _change(self, room, member, role, change, spared):
        before = member.role, member.muted_until
        notify = member.notify
        member.role = role or member.role
        if "mutedUntil" in change:
            muted = change["mutedUntil"]
            member.muted_until = muted if muted and muted > time.time() * 1000 else None
        member.notify = change.get("notify", notify)
        same = before == (member.role, member.muted_until)
        if same and member.notify == notify:
            return
        name = member.user.name
        self.emit("member_updated", room, {**member.shape(), "roomId": room.id}, user=name,
                  only=name if same else None, own={"notify": member.notify}, spared=spared)

    def remove_member(self, user, roomId, userId, spared=None):
        if userId == user.name:
            status, answer = self.leave_room(user, roomId, spared)
            return status, {**answer, "userId": userId}
        room = self.ranked(user, roomId, "moderator")
        self.check_not_direct(room)
        target = self.users[userId]
        if not self._outranks(user, room, target):
            raise Refusal(*NOT_ALLOWED)
        self.check_last_owner(room, target)
        if userId in room.members:
            self.part(room, target, "removed", spared)
        return 200, {"roomId": roomId, "userId": userId}

    # -- bans --------------------------------------------------------------------------------

    def ban_member(self, user, roomId, userId, until=None, reason=None, deleteMessages=False,
                 spared=None):
        room = self.ranked(user, roomId, "moderator")
        self.check_not_direct(room)
        target = self.users[userId]
        if userId == user.name or RANKS[self.role(target, room)] >= self.rank(user, room):
            raise Refusal(*NOT_ALLOWED)
        self.check_last_owner(room, target)
        at = Cell(int)
        if userId in room.members:
            at = self.part(room, target, "banned", spared).at
        elif userId not in room.bans:
            at = self.emit(None, room, {}, user=userId, bans=True).at
        given = {"until": until, "reason": reason}
        given = {name: value for name, value in given.items() if value is not None}
        room.bans[userId] = {"userId": userId, "by": user.name, "bannedAt": at, **given,
                             **target.user_data()}
        if deleteMessages:
            for message in list(room.messages.values()):
                if message.sender is target and message.deleted_at is None:
                    self.erase(user, room, message, spared)
        return 200, {"roomId": roomId, "userId": userId, **given}

    def lift_ban(self, user, roomId, userId, spared=None):
        room = self.ranked(user, roomId, "moderator")
        self.check_not_direct(room)
        room.bans.pop(userId, None)
        return 200, {"roomId": roomId, "userId": userId}

    # -- direct rooms and blocks -------------------------------------------------------------

    def open_direct(self, user, userId, made, spared=None):
        """`made`: what the room is called if there is none yet."""
        self._check_other(user, userId)
        target = self.users[userId]
        for room in self.rooms.values():
            if room.pair and user in room.pair and target in room.pair:
                return 200, self.direct_shape(user, room)
        if user.name in target.blocks and not user.service:
            raise Refusal(403, "blocked")
        room = Room(made, {"kind": "direct"})
        room.pair = (user, target)
        more = {"members": [{"userId": one.name, **one.user_data()} for one in room.pair]}
        self.create(user, room, "member", more, spared)
        self.enter(room, target, "member", spared, more)
        return 201, self.direct_shape(user, room)

    def direct_shape(self, user, room):
        return {**self.own_shape(user, room), **self.pair_presence(user, room),
                **self.marker(user, room),
                **self.last_message(user, room)}

    @staticmethod
    def pair_shape(room):
        pair = sorted(room.pair or (), key=lambda user: user.name)
        members = [{"userId": user.name, **user.user_data()} for user in pair]
        return {"members": members} if members else {}

    def pair_presence(self, user, room):
        """How the two are, as one of them is told."""
        shape = self.pair_shape(room)
        for member in shape.get("members", ()):
            other = self.users[member["userId"]]
            if user.service or self.are_acquainted(user, other):
                member["presence"] = self.presence_of(other)
        return shape

    @staticmethod
    def _check_other(user, userId):
        if userId == user.name:
            raise Refusal(400, "invalid_identifier")

    def block_user(self, user, userId, spared=None):
        self._check_other(user, userId)
        user.blocks.setdefault(userId, {"userId": userId, "blockedAt": Cell(int),
                                        **self.users[userId].user_data()})
        return 200, {"userId": userId}

    def unblock_user(self, user, userId, spared=None):
        self._check_other(user, userId)
        user.blocks.pop(userId, None)
        return 200, {"userId": userId}

    def block(self, user, userId):
        if userId not in user.blocks:
            raise Refusal(*NOT_FOUND)
        return user.blocks[userId]

    # -- presence ----------------------------------------------------------------------------

    def is_here(self, user):
        """Whether a session of the user is certainly there; the game knows."""
        return False

    def presence_of(self, user):
        """One who has gone is shown for a while as if still there."""
        shown, activity = user.choice or "online", user.activity
        if shown == "offline":
            activity = None
        elif not self.is_here(user):
            shown, activity = OneOf(shown, "offline"), OneOf(activity, None)
        return {"status": shown, "activity": activity, "lastSeen": OneOf(int, None)}

    def status_change(self, user, status, choice, activity=None, spared=None):
        user.choice, user.activity = status, activity
        return 200, {"presence": [{"userId": user.name, **self.presence_of(user)}]}

    def are_acquainted(self, user, other):
        return user is other or any(user.name in room.members and other.name in room.members
                                    for room in self.rooms.values())

    def presence_list(self, user, others):
        """Of those that the user may know about."""
        return {"presence": [{"userId": other.name, **self.presence_of(other)}
                             for other in others if self.are_acquainted(user, other)]}
