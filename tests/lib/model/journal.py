"""Entries of the realm's journal: who sees them, and what they show."""
from ..sse import id_key
from .cells import Cell

FOR_WATCHERS = {"new_message", "message_edited", "message_deleted", "reaction_added",
                "reaction_removed", "room_created", "room_updated", "room_deleted"}
CONTENT = ("text", "message", "mentions")


def is_for_watchers(kind):
    return kind in FOR_WATCHERS or kind.startswith("custom.")


class Entry:
    """`seers` had the room as theirs when it was made. `only`: the one user it is for, `user` the
    one it is about. `own`: what it shows that user besides. `type` None: shown to nobody."""

    def __init__(self, journal, kind, room, body, **more):
        self.index = len(journal.entries)
        self.type, self.room, self.body = kind, room, body
        self.user = more.get("user")
        self.only = more.get("only")
        self.own = more.get("own") or {}
        self.seers = frozenset(more.get("seers") or ())
        self.spared = more.get("spared")      # (user, session)
        self.message = more.get("message")    # of what shows content
        self.bans = more.get("bans", False)   # the user may not read the room from here on
        self.opens_watching = more.get("opens_watching", False)
        self.ends_watching = more.get("ends_watching", False)
        self.id = Cell(str, lambda text: journal.note_id(self.index, text))
        self.at = Cell(int)
        self.other_bodies = []                # that a replay may show, since there were edits

    def _shown(self, body, user):
        own = self.own if user == self.user else {}
        return {"type": self.type, "id": self.id, "timestamp": self.at, **body, **own}

    def erased(self):
        body = {name: value for name, value in self.body.items() if name not in CONTENT}
        if self.type == "new_message":
            body.pop("editedAt", None)
        return {**body, "deleted": True}

    def forms(self, user, replayed, gone_before):
        """What it may look like to the user. `replayed`: other than when it was made; so is what
        waits for a reader when it is deleted. Content deleted before the entry numbered
        `gone_before` may not be shown any more."""
        deleted_at = self.message.deleted_at if self.message else None
        bodies = [self.body]
        if replayed or deleted_at is not None:
            bodies += self.other_bodies
        if deleted_at is not None:
            erased = self.erased()
            bodies = [erased] if deleted_at < gone_before else [*bodies, erased]
        return [self._shown(body, user) for body in bodies]

    def __repr__(self):
        return f"<{self.index} {self.id.value} {self.type} {self.body}>"


class Journal:
    def __init__(self):
        self.entries = []
        self.index_of = {"0-0": -1}  # id -> index, as far as known
        self.whispers = {}           # messageId -> what was told without being kept
        self.followers = []          # told of each of both

    def note_id(self, index, text):
        assert self.index_of.setdefault(text, index) == index, f"{text} stands twice"

    def add(self, kind, room, body, **more):
        entry = Entry(self, kind, room, body, **more)
        self.entries.append(entry)
        for follower in self.followers:
            follower.on_entry(entry)
        return entry

    @property
    def head(self):
        """The id of the last entry."""
        return self.entries[-1].id

    def id_at(self, index):
        """Of an entry; what stands before the first is the beginning."""
        return self.entries[index].id if index >= 0 else "0-0"

    def known_ids(self):
        return [text for text in self.index_of if text != "0-0"]

    def check_order(self):
        last = (-1, -1)
        for entry in self.entries:
            if entry.id.value is not None:
                key = id_key(entry.id.value)
                assert key > last, f"ids do not rise: {entry}"
                last = key
