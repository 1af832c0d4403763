"""What one reader is due: replayed from its cursor, then live, entry by entry."""
from .journal import is_for_watchers


class Due:
    """An entry that one reader is told of. `replayed`: other than when it was made. `watched`: as
    one who is not in its room."""

    def __init__(self, entry, replayed, watched=False, certain=True, ban=None):
        self.entry, self.replayed, self.watched = entry, replayed, watched
        self.certain = certain     # False: only if a replay comes in time for it, or out of it
        self.ban = ban             # it happened under; None: none


class Life:
    """One stream from its opening to its end. `names`: of rooms asked for; `follows_all`: the
    user's own besides. `start`: index of the cursor's entry; None: live from now. `slow`: it may
    fall back, and what it only watched is replayed as its rooms may be read by then.

    A room that was asked for and may be read without being in it is `watched`; one that may not
    any more is kept as False, until it may again: of `banned` ones, only by joining."""

    def __init__(self, realm, user, names=(), follows_all=True, session=None, start=None,
                 slow=False):
        self.realm, self.user, self.session, self.slow = realm, user, session, slow
        self.follows_all = follows_all
        self.opened_at = len(realm.journal.entries)
        self.queued_at = None      # of a session with a queue: see _gone_before
        self.is_live = False       # from here on what comes is as it was made
        self.due = []
        self.denied = []           # (room, code)
        self.whispers = {}         # messageId -> (whisper, certain: it has to come)
        self.markers = {}          # room -> how far its reader has told to have read
        self.watched = {}
        self.banned = set()
        for name in names:
            self._begin(name)
        if start is not None:
            self.due = [Due(entry, True, not self._sees_own(entry))
                        for entry in realm.journal.entries[start + 1:] if self._replays(entry)]

    def _begin(self, name):
        room = self.realm.rooms.get(name)
        why = (404, "not_found") if not room else None
        if room and self.user.name not in room.members:
            why = self.realm.may_read(self.user, room)
        self.watched[name] = bool(room) and self._may_watch(room)
        if room and self.user.name in room.bans:
            self.banned.add(name)
        if why:
            self.denied.append((name, why[1]))

    def _is_open(self, room):
        return room.kind == "public" or self.user.granted(room.id, "read")

    def _may_watch(self, room):
        return self._is_open(room) and self.user.name not in room.bans

    def _is_followed(self, room):
        return self.follows_all or room.id in self.watched

    def _sees_own(self, entry):
        """Visible without watching."""
        if entry.type is None or not self._is_followed(entry.room):
            return False
        if entry.only:
            return entry.only == self.user.name
        return self.user.name in entry.seers

    def _replays(self, entry):
        if self._sees_own(entry):
            return True
        room = entry.room
        if entry.type is None or entry.only or room.deleted or not self.watched.get(room.id):
            return False
        since = -1 if self.user.granted(room.id, "read") else room.public_since
        return is_for_watchers(entry.type) and entry.index > since

    def _is_spared(self, entry):
        return self.session and entry.spared == (self.user.name, self.session)

    def on_entry(self, entry):
        if not self._is_spared(entry):
            self._take(entry)
        self._move(entry)

    def _take(self, entry):
        room, replayed = entry.room, not self.is_live
        watchable = entry.type and not entry.only and is_for_watchers(entry.type)
        if self._sees_own(entry):
            self.due.append(Due(entry, replayed))
        elif watchable and self.watched.get(room.id):
            self.due.append(Due(entry, replayed, watched=True))
        elif watchable and self.slow and room.id in self.watched and self._is_open(room) and \
                not entry.opens_watching:
            self.due.append(Due(entry, replayed, watched=True, certain=False,
                                ban=room.bans.get(self.user.name)))

    def _end_watching(self, room):
        """A replay from here on shows nothing any more of what was watched."""
        for due in self.due if self.slow else ():
            if due.watched and due.entry.room is room:
                due.certain = False

    def on_whisper(self, whisper):
        room = whisper.room
        seen = self._is_followed(room) and self.user.name in whisper.seers
        if (seen or self.watched.get(room.id)) and not self._is_spared(whisper):
            self.whispers[whisper.event["messageId"]] = whisper, self.is_live

    def on_marker(self, room, user, entry):
        if user is self.user and self.follows_all and self.is_live:
            self.markers[room] = entry

    def _deny(self, room, code):
        self.denied.append((room.id, code))
        self.watched[room.id] = False

    def _move(self, entry):
        """What the entry changes in what may be seen from here on."""
        room, me = entry.room, self.user.name
        if room.id not in self.watched:
            return
        was_member, watched = me in entry.seers, self.watched[room.id]
        granted = self.user.granted(room.id, "read")
        if entry.type == "room_deleted" or (entry.user == me and entry.bans) or \
                (entry.ends_watching and not granted):
            self._end_watching(room)
        if entry.type == "room_deleted":
            self.banned.discard(room.id)
            if was_member or watched:
                self._deny(room, "not_found")
        elif entry.opens_watching or (entry.type == "room_created" and granted):
            self.watched[room.id] = watched or room.id not in self.banned
        elif entry.ends_watching:
            if watched and not was_member and not granted:
                self._deny(room, "not_found")
            elif was_member:
                self.watched[room.id] = granted
        elif entry.user == me and entry.type == "user_joined":
            self.banned.discard(room.id)
        elif entry.user == me and entry.bans:
            self.banned.add(room.id)
            if was_member or watched:
                self._deny(room, "banned")
        elif entry.user == me and entry.type == "user_left" and not watched:
            self._deny(room, "not_a_member")

    def forms(self, due):
        """What this durable event of the stream may look like."""
        if due.ban and due.entry.room.bans.get(self.user.name) is due.ban:
            return []
        return due.entry.forms(self.user.name, due.replayed, self._gone_before(due.entry))

    def is_given(self, count):
        """Nothing has to come behind so many of those that are due."""
        return not any(due.certain for due in self.due[count:])

    def _gone_before(self, entry):
        """What is deleted before that entry must not be shown. A queue gives up what it holds
        when it is told of the deletion, unless a replay is not through yet."""
        if self.queued_at is None:
            return self.opened_at
        deleted_at = entry.message.deleted_at if entry.message else None
        told = deleted_at is not None and self._sees_own(self.realm.journal.entries[deleted_at])
        return self.queued_at if told else 0
