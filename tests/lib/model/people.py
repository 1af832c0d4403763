"""Who is in a room: the commands of those who run it, by the protocol's rules."""
import time

from .cells import Cell
from .realm import LAST_OWNER, NOT_ALLOWED, RANKS, Refusal
from .talk import Talk


class People(Talk):
    def add_members(self, user, roomId, users, spared=None):
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
        room.bans.pop(userId, None)
        return 200, {"roomId": roomId, "userId": userId}
