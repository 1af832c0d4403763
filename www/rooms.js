/**
 * What the page knows: rooms, their messages, what is unread. No DOM, no network.
 *
 * MODEL  Two things change it: events, one after the other (`apply`), and answers of requests
 *        (`putRooms`, `putPage` …). Both may tell the same thing; whatever is told twice changes
 *        nothing, so their order does not matter.
 *        A room's `messages` are always without a hole from the first to now; `complete` says
 *        that nothing is older. Holes (`gap`) are filled or cut off before they are shown.
 * BOUNDS KEPT_MAX messages of a room that is not open; older ones come back on scrolling.
 */
import { compareIds } from './tidings.js';

const KEPT_MAX = 200;

export class Room {
    info;
    messages = [];        // stored ones in order of id, and notes of joins and leaves
    pending = [];         // our own without an answer: {messageId, text, sentAt, error?}
    loaded = false;       // a page of history has been read since the last reset
    complete = false;
    seen = null;          // id up to which the user has seen the room
    unread = 0;           // others' messages after it, as far as they are known here
    newFrom = null;       // where the line "New" stands while the room is open
    draft = '';

    #byId = new Map();    // messageId -> message

    constructor(info) {
        this.info = info;
    }

    get id() {
        return this.info.roomId;
    }

    get title() {
        return this.info.name || this.info.roomId;
    }

    get newest() {
        return this.messages.findLast(item => item.messageId) ?? this.info.lastMessage ?? null;
    }

    /** Id of the oldest message that is here; what `before` takes to read on. */
    get oldestId() {
        return this.messages.find(item => item.messageId)?.id ?? null;
    }

    find(messageId) {
        return this.#byId.get(messageId);
    }

    /** Puts a message (or a note, which has no messageId) at its place; false if it is here. */
    insert(item) {
        const key = item.messageId ?? item.id;
        const here = this.#byId.get(key);
        if (here) {
            Object.assign(here, { ...item, ...here }); // only what was not known yet
            return false;
        }
        let at = this.messages.length;
        while (at > 0 && compareIds(this.messages[at - 1].id, item.id) > 0) {
            at--;
        }
        this.messages.splice(at, 0, item);
        this.#byId.set(key, item);
        this.pending = this.pending.filter(other => other.messageId !== item.messageId);
        return true;
    }

    /** Forgets all but the newest `count`. */
    trim(count = KEPT_MAX) {
        if (this.messages.length <= count) {
            return;
        }
        for (const item of this.messages.splice(0, this.messages.length - count)) {
            this.#byId.delete(item.messageId ?? item.id);
        }
        this.complete = false;
    }

    /** Forgets what is older than an id: there is a hole before it. */
    cutBefore(id) {
        const keep = this.messages.filter(item => compareIds(item.id, id) >= 0).length;
        this.trim(keep);
        this.complete = false;
    }

    forget() {
        this.messages = [];
        this.#byId.clear();
        this.loaded = false;
        this.complete = false;
    }

}

export class Rooms {
    userId = null;
    #rooms = new Map();
    #names = new Map();   // userId -> name last seen

    get(roomId) {
        return this.#rooms.get(roomId);
    }

    /** All rooms, the one with the latest message first. */
    get sorted() {
        const time = room => room.newest?.timestamp ?? room.info.createdAt ?? 0;
        return [...this.#rooms.values()].sort((a, b) => time(b) - time(a)
            || a.title.localeCompare(b.title));
    }

    get unread() {
        return this.sorted.reduce((sum, room) => sum + room.unread, 0);
    }

    nameOf(userId) {
        return this.#names.get(userId) ?? userId;
    }

    learnName(userId, name) {
        if (userId && name) {
            this.#names.set(userId, name);
        }
    }

    /** The whole list anew: rooms that are not in it are no longer ours. */
    putRooms(infos, seen = {}) {
        const ours = new Set(infos.map(info => info.roomId));
        for (const roomId of this.#rooms.keys()) {
            if (!ours.has(roomId)) {
                this.#rooms.delete(roomId);
            }
        }
        infos.forEach(info => this.putRoom(info, seen[info.roomId]));
    }

    putRoom(info, seen) {
        let room = this.#rooms.get(info.roomId);
        if (!room) {
            room = new Room(info);
            this.#rooms.set(info.roomId, room);
        }
        if (!room.info.asOf || !info.asOf || compareIds(info.asOf, room.info.asOf) >= 0) {
            room.info = { ...room.info, ...info };
        }
        room.seen = room.seen ?? seen ?? info.readUpTo ?? null;
        const last = info.lastMessage;
        this.learnName(last?.sender?.userId, last?.sender?.name);
        if (room.unread === 0 && this.#isUnseen(room, last)) {
            room.unread = info.unread || 1;
        }
        return room;
    }

    /** Someone else's message, after what the user has seen. */
    #isUnseen(room, item) {
        return Boolean(item?.messageId) && item.sender?.userId !== this.userId
            && (!room.seen || compareIds(item.id, room.seen) > 0);
    }

    firstUnseen(room) {
        return room.messages.find(item => this.#isUnseen(room, item));
    }

    countUnread(room) {
        room.unread = room.messages.filter(item => this.#isUnseen(room, item)).length;
    }

    remove(roomId) {
        this.#rooms.delete(roomId);
    }

    /** One that came live. */
    putMessage(room, message) {
        if (room.insert(message) && this.#isUnseen(room, message)) {
            room.unread++;
        }
        if (!room.loaded) {
            room.trim();
        }
    }

    /** A page of history, in whatever order. */
    putPage(room, messages) {
        for (const message of messages) {
            this.learnName(message.sender?.userId, message.sender?.name);
            room.insert(message);
        }
    }

    /** Our own message has been answered by its event, or by the fields of its answer. */
    putOwn(room, { messageId, text }, answer) {
        if (answer.id) { // else it is queued, and still pending
            const sender = { userId: this.userId, name: this.#names.get(this.userId) };
            room.insert({ type: 'new_message', messageId, text, sender, ...answer });
        }
    }

    /** All of it has been seen; true if that is new. */
    markSeen(room) {
        const newest = room.newest;
        room.unread = 0;
        if (newest && (!room.seen || compareIds(newest.id, room.seen) > 0)) {
            room.seen = newest.id;
            return true;
        }
        return false;
    }

    /**
     * One event of the stream. Returns the room it changed, or null. What needs a request
     * (`gap`, `reset`) is not for here.
     */
    apply(event) {
        const change = changes[event.type];
        return change ? change(this, event, this.get(event.roomId)) ?? null : null;
    }
}

/** What each type of event changes; those not named change nothing that this page shows. */
const changes = {
    new_message(rooms, event, room) {
        rooms.learnName(event.sender?.userId, event.sender?.name);
        if (!room || event.threadId) {
            return null;
        }
        // An ephemeral one has no id; it stands behind what is here, until the page is left.
        rooms.putMessage(room, event.id ? event : { ...event, id: room.newest?.id ?? '0-0' });
        return room;
    },

    user_joined(rooms, event, room) {
        rooms.learnName(event.userId, event.userData?.name);
        if (event.userId === rooms.userId) {
            return rooms.putRoom({ ...event.room, asOf: event.id });
        }
        return note(room, event, +1);
    },

    user_left(rooms, event, room) {
        if (event.userId === rooms.userId) {
            rooms.remove(event.roomId);
            return room;
        }
        return note(room, event, -1);
    },

    room_updated(rooms, event, room) {
        if (room && isNews(room, event)) {
            const { id, type, timestamp, ...values } = event;
            room.info = { ...room.info, ...values };
        }
        return room;
    },

    room_deleted(rooms, event, room) {
        rooms.remove(event.roomId);
        return room;
    },

    user_updated(rooms, event) {
        rooms.learnName(event.userId, event.userData?.name);
        return null;
    },
};

/** What was read of the room does not contain this event yet. */
function isNews(room, event) {
    return !room.info.asOf || compareIds(event.id, room.info.asOf) > 0;
}

/** A join or leave of someone else: a line among the messages, and one more or less. */
function note(room, event, moved) {
    if (room?.insert(event) && isNews(room, event)) {
        room.info.memberCount += moved;
    }
    return room;
}
