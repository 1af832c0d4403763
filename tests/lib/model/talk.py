"""What is said in rooms: the commands on messages, by the protocol's rules."""
from .cells import Cell
from .journal import CONTENT
from .realm import NOT_ALLOWED, NOT_FOUND, RANKS, SERVICE, Realm, Refusal

REACTION_KEYS_MAX = 50


class Whisper:
    """An ephemeral event."""

    def __init__(self, room, event, spared):
        self.room, self.event, self.spared = room, event, spared
        self.seers = frozenset(room.members)


class Message:
    def __init__(self, name, sender, sent, answer):
        self.id, self.sender = name, sender
        self.sent, self.answer = sent, answer  # what a repeat is held against, and given
        self.entry = None
        self.body = None           # as history shows it
        self.edits = []            # entries
        self.deleted_at = None     # index of the entry
        self.thread = sent.get("threadId")
        self.reactions = {}        # key -> names, the first first
        self.replies = []          # messages of its thread

    @property
    def content(self):
        return {name: self.body[name] for name in CONTENT if name in self.body}

    def plain(self):
        return {"type": "new_message", "id": self.entry.id, "timestamp": self.entry.at,
                **self.body}

    def shape(self, user):
        """As history shows it to the user."""
        shape = self.plain()
        if self.reactions:
            shape["reactions"] = {
                key: {"count": len(names), "users": names[:10], "mine": user.name in names}
                for key, names in self.reactions.items()}
        count = sum(1 for reply in self.replies if reply.deleted_at is None)
        return {**shape, "replyCount": count} if count else shape


class Talk(Realm):
    def _voice(self, user, name):
        """The room, if the user may speak there."""
        room = self.visible(user, name)
        if user.service:
            return room
        if user.name not in room.members and not user.granted(name, "post"):
            raise Refusal(403, "not_a_member")
        member = room.members.get(user.name)
        if member and room.pair and user.name in room.partner(user).blocks:
            raise Refusal(403, "blocked")
        if member and member.muted_until:
            raise Refusal(403, "muted")
        return room

    def _check_announce(self, user, room):
        if room.announce and self.rank(user, room) < RANKS["moderator"] and \
                not user.granted(room.id, "post"):
            raise Refusal(*NOT_ALLOWED)

    def _poster(self, user, name):
        room = self._voice(user, name)
        self._check_announce(user, room)
        return room

    @staticmethod
    def _content(given):
        """As it is stored: no mentions are none."""
        return {name: value for name, value in given.items() if value not in (None, [])}

    def _heed_blocks(self, user, content):
        """Nobody is mentioned by whom they block."""
        if "mentions" not in content:
            return content
        mentions = [name for name in content["mentions"]
                    if user.name not in self.users[name].blocks]
        return self._content({**content, "mentions": mentions})

    def _whisper(self, user, roomId, kind, body, spared):
        """Told to whoever is there, kept by nobody."""
        room = self._poster(user, roomId)
        at, named = Cell(int), {"roomId": roomId, "messageId": body["messageId"]}
        whisper = Whisper(room, {"type": kind, "timestamp": at, **named, **body,
                                 "sender": user.sender(), "ephemeral": True}, spared)
        self.journal.whispers[body["messageId"]] = whisper
        for follower in self.journal.followers:
            follower.on_whisper(whisper)
        return 201, {**named, "timestamp": at}

    def send_message(self, user, roomId, messageId=None, spared=None, ephemeral=False, **given):
        if messageId and messageId in (given.get("replyTo"), given.get("threadId")):
            raise Refusal(400, "invalid_field")
        if ephemeral:
            said = self._heed_blocks(user, self._content(given))
            return self._whisper(user, roomId, "new_message", {"messageId": messageId, **said},
                                 spared)
        sent = self._content(given)
        room = self.rooms.get(roomId)
        earlier = room.messages.get(messageId) if room else None
        if earlier and earlier.sender is user and earlier.sent == sent:
            return 200, earlier.answer
        room = self._poster(user, roomId)
        if earlier:
            raise Refusal(409, "message_id_reused")
        if messageId is None:
            messageId = Cell(str)
        body = {"roomId": roomId, "messageId": messageId, **self._heed_blocks(user, sent),
                "sender": user.sender()}
        message = Message(messageId, user, sent, None)
        message.entry = self.emit("new_message", room, body, spared=spared, message=message)
        message.body = dict(body)
        message.replies = [one for one in room.messages.values() if one.thread == messageId]
        message.answer = {"id": message.entry.id, "messageId": messageId, "roomId": roomId,
                          "timestamp": message.entry.at}
        room.messages[messageId] = message
        if message.thread in room.messages:
            room.messages[message.thread].replies.append(message)
        if user.name in room.members:
            self._move_marker(room, user, message.entry)
        return 201, message.answer

    def _is_shown(self, user, room, message):
        return message and message in self.history(user, room)

    def custom_event(self, user, roomId, type, data, messageId=None, spared=None,
                     ephemeral=False):
        if ephemeral:
            return self._whisper(user, roomId, type, {"messageId": messageId, "data": data}, spared)
        sent = {"type": type, "data": data}
        room = self.rooms.get(roomId)
        earlier = room.once.get(messageId) if room and messageId else None
        if earlier and earlier[:2] == (user, sent):
            return 200, earlier[2]
        room = self._poster(user, roomId)
        if earlier:
            raise Refusal(409, "message_id_reused")
        named = {"messageId": messageId} if messageId else {}
        entry = self.emit(type, room, {"roomId": roomId, **named, "data": data,
                                       "sender": user.sender()}, spared=spared)
        answer = {"id": entry.id, **named, "roomId": roomId, "timestamp": entry.at}
        if messageId:
            room.once[messageId] = (user, sent, answer)
        return 201, answer

    def edit_message(self, user, roomId, messageId, spared=None, **given):
        room = self._voice(user, roomId)
        message = room.messages.get(messageId)
        if not message:
            raise Refusal(*NOT_FOUND)
        if message.sender is not user and not user.service:
            raise Refusal(*NOT_ALLOWED)
        if not user.service:
            self._check_announce(user, room)
        if message.deleted_at is not None:
            raise Refusal(409, "message_deleted")
        content = self._heed_blocks(user, self._content(given))
        answer = {"roomId": roomId, "messageId": messageId}
        if content == message.content:
            edited = message.body.get("editedAt")
            return 200, {**answer, **({"editedAt": edited} if edited else {})}
        body = {name: value for name, value in message.body.items() if name not in CONTENT}
        body.update(content)
        entry = self.emit("message_edited", room, body, spared=spared, message=message)
        body["editedAt"] = entry.at
        message.body = dict(body)
        message.edits.append(entry)
        message.entry.other_bodies.append(message.body)
        return 200, {**answer, "id": entry.id, "editedAt": entry.at}

    def delete_message(self, user, roomId, messageId, spared=None):
        room = self.visible(user, roomId)
        message = room.messages.get(messageId)
        if not message:
            raise Refusal(*NOT_FOUND)
        if message.sender is not user and self.rank(user, room) < RANKS["moderator"]:
            raise Refusal(*NOT_ALLOWED)
        answer = {"roomId": roomId, "messageId": messageId, "deleted": True}
        if message.deleted_at is not None:
            return 200, answer
        return 200, {**answer, "id": self.erase(user, room, message, spared).id}

    def erase(self, user, room, message, spared=None):
        thread = {"threadId": message.thread} if message.thread else {}
        entry = self.emit("message_deleted", room, {"roomId": room.id, "messageId": message.id,
                                                    **thread, "by": user.name}, spared=spared)
        message.deleted_at = entry.index
        message.reactions = {}
        message.body = message.entry.erased()
        return entry

    # -- reactions ---------------------------------------------------------------------------

    def _reacted(self, user, name, message_id):
        """(room, message), of what the user may react to."""
        room = self._voice(user, name)
        message = room.messages.get(message_id)
        if not self._is_shown(user, room, message):
            raise Refusal(*NOT_FOUND)
        return room, message

    def add_reaction(self, user, roomId, messageId, key, spared=None):
        room, message = self._reacted(user, roomId, messageId)
        if message.deleted_at is not None:
            raise Refusal(409, "message_deleted")
        answer = {"roomId": roomId, "messageId": messageId, "key": key}
        if user.name in message.reactions.get(key, ()):
            return 200, answer
        if key not in message.reactions and len(message.reactions) >= REACTION_KEYS_MAX:
            raise Refusal(409, "limit_reached")
        message.reactions.setdefault(key, []).append(user.name)
        entry = self.emit("reaction_added", room, {**answer, "userId": user.name}, spared=spared)
        return 200, {**answer, "id": entry.id}

    def remove_reaction(self, user, roomId, messageId, key, spared=None):
        room, message = self._reacted(user, roomId, messageId)
        answer = {"roomId": roomId, "messageId": messageId, "key": key}
        names = message.reactions.get(key, [])
        if user.name not in names:
            return 200, answer
        names.remove(user.name)
        if not names:
            del message.reactions[key]
        entry = self.emit("reaction_removed", room, {**answer, "userId": user.name},
                          spared=spared)
        return 200, {**answer, "id": entry.id}

    # -- devices -----------------------------------------------------------------------------

    def ack(self, user, cursor, device=None, spared=None):
        index = self.journal.index_of.get(cursor)
        if index is None:
            raise Refusal(422, "cursor_ahead")
        user.acked = max(index, user.acked)
        if not device:
            return 200, {"cursor": self.journal.id_at(user.acked)}
        user.devices[device] = max(index, user.devices.get(device, -1))
        return 200, {"cursor": self.journal.id_at(user.devices[device]), "device": device}

    # -- reading -----------------------------------------------------------------------------

    def _move_marker(self, room, user, entry):
        room.members[user.name].read = entry
        for follower in self.journal.followers:
            follower.on_marker(room, user, entry)

    def read(self, user, roomId, upTo, spared=None):
        room = self.visible(user, roomId)
        member = room.members.get(user.name)
        if not member:
            raise Refusal(403, "not_a_member")
        if upTo in self.journal.index_of:
            index = min(self.journal.index_of[upTo], room.last.index)
        elif upTo in room.messages:
            index = room.messages[upTo].entry.index
        else:
            raise Refusal(*NOT_FOUND)
        if index > member.read.index:
            self._move_marker(room, user, self.journal.entries[index])
        marker = self.marker(user, room)
        return 200, {"roomId": roomId, "upTo": marker.pop("readUpTo"), **marker}

    # -- what was said -----------------------------------------------------------------------

    def history(self, user, room):
        """The messages of the room that the user may read, oldest first."""
        floor = -1
        privileged = user.service or user.granted(room.id, "read")
        if room.kind != "public" and room.history_from == "joining" and not privileged:
            member = room.members.get(user.name)
            assert member or self.rank(user, room) < SERVICE
            floor = member.since.index - 1 if member else len(self.journal.entries)
        return [message for message in room.messages.values() if message.entry.index > floor]

    def last_message(self, user, room):
        history = self.history(user, room)
        return {"lastMessage": history[-1].plain()} if history else {}

    @staticmethod
    def marker(user, room):
        """How far the user has read, and how many messages of others come after it."""
        member = room.members.get(user.name)
        if not member:
            return {}
        unread = [message for message in room.messages.values() if not message.thread and
                  message.deleted_at is None and message.entry.index > member.read.index]
        assert all(message.sender is not user for message in unread)
        mentions = [message for message in unread
                    if user.name in message.body.get("mentions", ())]
        return {"unread": len(unread), "mentions": len(mentions), "readUpTo": member.read.id}

    def sums(self, user):
        """Over all rooms of the user."""
        markers = [self.marker(user, room) for room in self.rooms.values()
                   if user.name in room.members]
        return {name: sum(one[name] for one in markers) for name in ("unread", "mentions")}
