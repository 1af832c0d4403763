/**
 * Messages in order: those of a room, or of one thread of it. No DOM, no network.
 *
 * MODEL  Stored messages come as live events and in pages of history, in whatever order; what is
 *        told twice changes nothing. `messages` is always without a hole from the first to now,
 *        `complete` says that nothing is older. Holes are filled or cut off before they are shown.
 *        Each message knows up to which event it is true (`asOf`): an event that is not above it
 *        is contained already.
 * BOUNDS KEPT_MAX messages of one that is not open; older ones come back on scrolling.
 */
import { compareIds } from './tidings.js';

const KEPT_MAX = 200;
/** What may change about a message; whoever knows more than we do knows all of these. */
const STATE = ['text', 'message', 'mentions', 'editedAt', 'deleted', 'reactions', 'replyCount'];

/** Is the event of that id after the other? Anything is after nothing. */
export const isAbove = (id, other) => Boolean(id) && (!other || compareIds(id, other) > 0);

export class Timeline {
    messages = [];        // stored ones in order of id, and notes of joins and leaves
    pending = [];         // our own without an answer: {messageId, text, sentAt, error?}
    loaded = false;       // a page of history has been read since the last reset
    complete = false;
    asOf = null;          // up to which event its newest page is true
    before = null;        // where the page before what is here begins, if an answer told it
    newFrom = null;       // where the line "New" stands while it is open

    #byKey = new Map();   // messageId, of notes the id -> item

    get newest() {
        return this.messages.findLast(item => item.messageId) ?? null;
    }

    /** Where to read on: what `before` takes. */
    get readFrom() {
        return this.before ?? this.messages.find(item => item.messageId)?.id ?? null;
    }

    find(messageId) {
        return this.#byKey.get(messageId);
    }

    /** Puts a message (or a note, which has no messageId) at its place; false if it is here. */
    insert(item) {
        const key = item.messageId ?? item.id;
        const here = this.#byKey.get(key);
        if (here) {
            if (isAbove(item.asOf, here.asOf)) {
                STATE.forEach(name => delete here[name]);
                Object.assign(here, item);
            }
            return false;
        }
        let at = this.messages.length;
        while (at > 0 && isAbove(this.messages[at - 1].id, item.id)) {
            at--;
        }
        this.messages.splice(at, 0, item);
        this.#byKey.set(key, item);
        this.pending = this.pending.filter(other => other.messageId !== item.messageId);
        return true;
    }

    /** Forgets all but the newest `count`. */
    trim(count = KEPT_MAX) {
        if (this.messages.length <= count) {
            return;
        }
        for (const item of this.messages.splice(0, this.messages.length - count)) {
            this.#byKey.delete(item.messageId ?? item.id);
        }
        this.complete = false;
        this.before = null;
    }

    /** Forgets all that an answer which is true at `asOf` contains; of nothing, everything. */
    forget(asOf = null) {
        this.trim(asOf ? this.messages.filter(item => isAbove(item.id, asOf)).length : 0);
        this.complete = false;
        this.before = null;
        this.loaded = false;
    }

    /** Is everything after that id here? */
    covers(id) {
        return this.complete
            || (this.messages.length > 0 && Boolean(id) && !isAbove(this.messages[0].id, id));
    }
}

/** One reply more or less. */
export function countReply(root, event, moved) {
    if (root && isAbove(event.id, root.asOf)) {
        root.asOf = event.id;
        root.replyCount = Math.max(0, (root.replyCount ?? 0) + moved);
    }
}

/** Applies one event to the message it is about; one that it contains already changes nothing. */
export function changeMessage(item, event, userId) {
    if (item && isAbove(event.id, item.asOf)) {
        item.asOf = event.id;
        changes[event.type](item, event, userId);
    }
}

const changes = {
    message_edited(item, { text, message, mentions, editedAt }) {
        if (!item.deleted) {
            Object.assign(item, { text, message, mentions, editedAt });
        }
    },

    message_deleted(item) {
        STATE.filter(name => name !== 'replyCount').forEach(name => delete item[name]);
        item.deleted = true;
    },

    reaction_added(item, { key, userId: by }, userId) {
        item.reactions ??= {};
        const reaction = item.reactions[key] ??= { count: 0, users: [], mine: false };
        reaction.count++;
        reaction.mine ||= by === userId;
        if (reaction.users.length < 10) {
            reaction.users.push(by);
        }
    },

    reaction_removed(item, { key, userId: by }, userId) {
        const reaction = item.reactions?.[key];
        if (!reaction) {
            return;
        }
        reaction.count--;
        reaction.mine &&= by !== userId;
        reaction.users = reaction.users.filter(user => user !== by);
        if (reaction.count <= 0) {
            delete item.reactions[key];
        }
    },

};
