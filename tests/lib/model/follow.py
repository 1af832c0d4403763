"""What one reader is due: replayed from its cursor, then live, entry by entry."""
from .journal import is_for_watchers


class Life:
    """One stream from its opening to its end. `names`: of rooms asked for; `follows_all`: the
    user's own besides. `start`: index of the cursor's entry; None: live from now.

    A room that was asked for and may be read without being in it is `watched`; one that may not
    any more is kept as False, until it may again: of `banned` ones, only by joining."""

    def __init__(self, realm, user, names=(), follows_all=True, session=None, start=None):
        self.realm, self.user, self.session = realm, user, session
        self.follows_all = follows_all
        self.opened_at = len(realm.journal.entries)
        self.queued_at = None      # of a session with a queue: see _gone_before
        self.is_live = False       # from here on what comes is as it was made
        self.due = []              # (entry, replayed)
        self.denied = []           # (room, code)
        self.whispers = {}         # messageId -> (whisper, certain: it has to come)
        self.markers = {}          # room -> how far its reader has told to have read
        self.watched = {}
        self.banned = set()
        for name in names:
            self._begin(name)
        if start is not None:
            self.due = [(entry, True) for entry in realm.journal.entries[start + 1:]
                        if self._replays(entry)]

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

    def _may_watch(self, room):
        return (room.kind == "public" or self.user.granted(room.id, "read")) and \
            self.user.name not in room.bans

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
        watching = entry.type and not entry.only and is_for_watchers(entry.type) and \
            self.watched.get(entry.room.id)
        if (self._sees_own(entry) or watching) and not self._is_spared(entry):
            self.due.append((entry, not self.is_live))
        self._move(entry)

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

    def forms(self, index):
        """What the durable event at this place of the stream may look like."""
        entry, replayed = self.due[index]
        return entry.forms(self.user.name, replayed, self._gone_before(entry))

    def _gone_before(self, entry):
        """What is deleted before that entry must not be shown. A queue gives up what it holds
        when it is told of the deletion, unless a replay is not through yet."""
        if self.queued_at is None:
            return self.opened_at
        deleted_at = entry.message.deleted_at if entry.message else None
        told = deleted_at is not None and self._sees_own(self.realm.journal.entries[deleted_at])
        return self.queued_at if told else 0
