/**
 * What the page knows: rooms, their messages, their people, what is unread. No DOM, no network.
 *
 * MODEL  Two things change it: events, one after the other (changes.js), and answers of requests
 *        (`putRooms`, `putPage` …). Both may tell the same thing; whatever is told twice changes
 *        nothing, so their order does not matter: answers say up to which event they are true
 *        (`asOf`), and an event not above it is contained in them.
 *        The server counts what is unread. From its count on we go along with each event, so that
 *        the badge moves at once, and take its word again whenever it gives it.
 * BOUNDS RECENT_MAX events kept for pages that were read before these and came after them.
 */
import { Timeline, changeMessage, countReply, isAbove } from './timeline.js';
import { People } from './people.js';

const RECENT_MAX = 500;
const CHANGES_COUNT = ['message_edited', 'message_deleted'];

export class Room extends Timeline {
    info;
    members = null;       // Map of userId -> member once it has been read, at most 500
    markers = new Map();  // userId -> {read, delivered}, as far as heard
    readUpTo = null;      // our own
    givenTo = null;       // the last event of it that the stream has brought
    countedTo = null;     // up to which event `#counted` is true
    doubtful = false;     // it may be wrong by now: the server is to be asked
    online = null;        // how many are there, in rooms too large to tell who
    draft = '';
    quotes = new Map();   // messageId -> a message that is quoted here, null while it is read

    #people;
    #counted = { unread: 0, mentions: 0 };
    #threads = new Map(); // messageId of the root -> Timeline

    constructor(info, people) {
        super();
        this.info = info;
        this.#people = people;
    }

    get id() {
        return this.info.roomId;
    }

    get isDirect() {
        return this.info.kind === 'direct';
    }

    /** The other one of a direct room: {userId, userData?}, or null. */
    get partner() {
        return this.isDirect
            ? this.info.members?.find(each => each.userId !== this.#people.me) ?? null : null;
    }

    get title() {
        return this.partner ? this.#people.nameOf(this.partner.userId)
            : this.info.name || this.info.roomId;
    }

    /** The latest message, of threads too; it may be older than what is here. */
    get last() {
        const { newest, info: { lastMessage } } = this;
        return newest && !isAbove(lastMessage?.id, newest.id) ? newest : lastMessage ?? null;
    }

    get mayModerate() {
        return ['owner', 'moderator'].includes(this.info.role) && !this.isDirect;
    }

    /** Why nothing can be posted here, or null. */
    get silence() {
        const until = this.info.mutedUntil;
        if (until && until > Date.now()) {
            return `You are muted until ${new Date(until).toLocaleTimeString()}`;
        }
        if (this.info.announce && !this.mayModerate) {
            return 'Only owners and moderators post here';
        }
        return this.#people.blocked.has(this.partner?.userId)
            ? 'You have blocked this person' : null;
    }

    /** A thread is here from when it is opened until it is closed and all of it is sent. */
    openThread(rootId) {
        if (!this.#threads.has(rootId)) {
            this.#threads.set(rootId, new Timeline());
        }
        return this.#threads.get(rootId);
    }

    closeThread(rootId) {
        if (this.#threads.get(rootId)?.pending.length === 0) {
            this.#threads.delete(rootId);
        }
    }

    /** The timeline that a message belongs to; undefined if that thread is not here. */
    timelineOf(item) {
        return item.threadId ? this.#threads.get(item.threadId) : this;
    }

    /** Whatever we have of a message: it may stand in the room, in a thread, or as the last. */
    copiesOf(messageId) {
        const copies = [this, ...this.#threads.values()].map(each => each.find(messageId));
        copies.push(this.quotes.get(messageId));
        if (this.info.lastMessage?.messageId === messageId) {
            copies.push(this.info.lastMessage);
        }
        return [...new Set(copies.filter(Boolean))];
    }

    /** Our own without an answer, those to threads too. */
    get allPending() {
        return [this, ...this.#threads.values()].flatMap(each => each.pending);
    }

    /** Whatever stands here may be out of date. */
    forgetAll() {
        [this, ...this.#threads.values()].forEach(each => each.forget());
        this.quotes.clear();
        this.members = null;
    }

    // ---- What is unread --------------------------------------------------------------------

    /** Others' messages after `readUpTo`. */
    get unread() {
        return this.covers(this.readUpTo) ? this.#unreadHere.length : this.#counted.unread;
    }

    /** Those of them that mention us. */
    get mentions() {
        return this.covers(this.readUpTo)
            ? this.#unreadHere.filter(item => this.mentionsMe(item)).length
            : this.#counted.mentions;
    }

    get #unreadHere() {
        const read = this.messages.findLastIndex(item => !isAbove(item.id, this.readUpTo));
        return this.messages.slice(read + 1).filter(item => this.isUnread(item));
    }

    isUnread(item) {
        return Boolean(item.messageId && item.id) && !item.ephemeral && !item.deleted
            && !item.threadId && item.sender?.userId !== this.#people.me
            && isAbove(item.id, this.readUpTo);
    }

    mentionsMe(item) {
        return item.mentions?.includes(this.#people.me) ?? false;
    }

    /** The server's own count, unless we know of later events, or have read on meanwhile. */
    putCounts({ asOf, unread, mentions, readUpTo }) {
        if (unread === undefined || isAbove(this.countedTo, asOf)
            || isAbove(this.readUpTo, readUpTo)) {
            return;
        }
        this.countedTo = asOf;
        this.readUpTo = readUpTo;
        this.#counted = { unread, mentions: mentions ?? 0 };
        this.doubtful = false;
    }

    /**
     * An event that makes a message, or changes one: `change` does so. What we do not have, or
     * have in a later state already, cannot be counted along.
     */
    count(event, item, change = () => {}) {
        const weigh = () => item && this.isUnread(item) ? [1, this.mentionsMe(item) ? 1 : 0]
            : [0, 0];
        const isNew = event.type === 'new_message';
        const known = item && (isNew || isAbove(event.id, item.asOf));
        const was = isNew ? [0, 0] : weigh();
        change();
        if (!isAbove(event.id, this.countedTo)) {
            return;
        }
        const is = weigh();
        const { unread, mentions } = this.#counted;
        this.countedTo = event.id;
        this.doubtful ||= !known && unread > 0 && CHANGES_COUNT.includes(event.type)
            && !this.covers(this.readUpTo);
        this.#counted = { unread: Math.max(0, unread + is[0] - was[0]),
            mentions: Math.max(0, mentions + is[1] - was[1]) };
    }

    /** Our marker is there now, or was before. `told` is what the server said of the rest. */
    moveMarker(upTo, told = { unread: 0, mentions: 0 }) {
        if (!isAbove(upTo, this.readUpTo)) {
            return;
        }
        this.readUpTo = upTo;
        this.doubtful = true;
        const rest = this.#unreadHere; // may be more than the server had counted
        this.#counted = { unread: Math.max(rest.length, told.unread ?? 0),
            mentions: Math.max(rest.filter(item => this.mentionsMe(item)).length,
                told.mentions ?? 0) };
        this.#settle();
    }

    /** Where all of the unread is here, and no later count is, that is the count. */
    #settle() {
        const knownTo = isAbove(this.asOf, this.givenTo) ? this.asOf : this.givenTo;
        if (this.covers(this.readUpTo) && !isAbove(this.countedTo, knownTo)) {
            this.#counted = { unread: this.unread, mentions: this.mentions };
            this.countedTo = knownTo;
            this.doubtful = false;
        }
    }

    trim(count) {
        this.#settle(); // what goes was counted
        super.trim(count);
    }

    /** All of it has been seen: up to which id, if that is news. */
    markSeen() {
        const upTo = this.last?.id;
        if (!isAbove(upTo, this.readUpTo)) {
            return null;
        }
        this.moveMarker(upTo);
        return upTo;
    }

    /** Someone else has read up to there, or has been given it. */
    putMarker(userId, kind, upTo) {
        const marker = this.markers.get(userId) ?? {};
        if (isAbove(upTo, marker[kind])) {
            this.markers.set(userId, { ...marker, [kind]: upTo });
        }
    }
}

export class Rooms {
    people = new People();
    #rooms = new Map();
    #recent = [];         // events that have changed messages, the oldest first

    get me() {
        return this.people.me;
    }

    get(roomId) {
        return this.#rooms.get(roomId);
    }

    /** All rooms, the one with the latest message first. */
    get sorted() {
        const time = room => room.last?.timestamp ?? room.info.createdAt ?? 0;
        return [...this.#rooms.values()].sort((a, b) => time(b) - time(a)
            || a.title.localeCompare(b.title));
    }

    get unread() {
        return this.sorted.reduce((sum, room) => sum + room.unread, 0);
    }

    /** The others of direct rooms. */
    get partners() {
        return this.sorted.filter(room => room.partner).map(room => room.partner.userId);
    }

    /** The whole list anew: rooms that are not in it are no longer ours. */
    putRooms(infos, asOf) {
        const ours = new Set(infos.map(info => info.roomId));
        for (const [roomId, room] of this.#rooms) {
            if (!ours.has(roomId) && !isAbove(room.info.asOf, asOf)) {
                this.#rooms.delete(roomId);
            }
        }
        infos.forEach(info => this.putRoom(info));
    }

    putRoom(info) {
        let room = this.#rooms.get(info.roomId);
        if (!room) {
            room = new Room(info, this.people);
            this.#rooms.set(info.roomId, room);
        } else if (!isAbove(room.info.asOf, info.asOf)) {
            room.info = { ...room.info, ...info };
        }
        room.putCounts(info);
        const { lastMessage } = info;
        if (lastMessage) {
            lastMessage.asOf ??= info.asOf;
            this.people.learn(lastMessage.sender?.userId, lastMessage.sender);
        }
        for (const member of info.members ?? []) {
            this.people.learn(member.userId, member.userData);
            if (member.presence) {
                this.people.putPresence({ userId: member.userId, ...member.presence });
            }
        }
        return room;
    }

    remove(roomId) {
        this.#rooms.delete(roomId);
    }

    /** What we know is of another journal: its ids say nothing any more. */
    startAnew() {
        this.#recent = [];
        for (const room of this.#rooms.values()) {
            room.forgetAll();
            room.info.asOf = room.countedTo = room.readUpTo = room.givenTo = null;
            room.info.lastMessage = null;
            room.markers.clear();
        }
    }

    /** Members of a room, as they were read. */
    putMembers(room, members, asOf) {
        members.forEach(each => this.people.learn(each.userId, each.userData));
        room.members = new Map(members.map(each => [each.userId, each]));
        room.membersAsOf = asOf;
    }

    // ---- Messages --------------------------------------------------------------------------

    /** A page of history, of the room or of one of its threads. */
    putPage(room, timeline, page) {
        for (const message of page.messages) {
            this.people.learn(message.sender?.userId, message.sender);
            if (timeline !== room || !message.threadId) {
                this.#putRead(room, timeline, { ...message, asOf: page.asOf });
            }
        }
        const own = page.messages.find(message => message.sender?.userId === this.me);
        if (!timeline.loaded) {
            timeline.asOf = page.asOf;
        }
        timeline.before = page.nextBefore ?? null;
        timeline.complete = !page.nextBefore;
        timeline.loaded = true;
        if (own) {
            room.moveMarker(own.id); // sending moves it
        }
    }

    #putRead(room, timeline, message) {
        timeline.insert(message);
        const item = timeline.find(message.messageId);
        for (const event of this.#recent.filter(each => each.roomId === room.id)) {
            if (event.threadId === item.messageId && event.type !== 'message_edited') {
                countReply(item, event, event.type === 'new_message' ? +1 : -1);
            } else if (event.messageId === item.messageId && event.type !== 'new_message') {
                changeMessage(item, event, this.me);
            }
        }
    }

    /** Our own message has been answered by its event, or by the fields of its answer. */
    putOwn(room, timeline, item, answer) {
        if (answer.id) { // else it is queued, and still pending
            const { messageId, text, replyTo, threadId, mentions } = item;
            const sender = { userId: this.me, name: this.people.nameOf(this.me) };
            timeline.insert({ type: 'new_message', messageId, text, replyTo, threadId, mentions,
                sender, asOf: answer.id, ...answer });
        }
    }

    /** Keeps an event for pages that do not contain it yet. */
    remember(event) {
        this.#recent.push(event);
        if (this.#recent.length > RECENT_MAX) {
            this.#recent.shift();
        }
    }
}
