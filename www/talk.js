/**
 * The open conversation: which room and thread it is, and what is done there.
 *
 * MODEL  The address names them: `/#lobby`, `/#lobby/m-1`. An event or an answer changes `rooms`;
 *        then `changed()` has everything drawn once, before the next frame.
 */
import { Composer } from './composer.js';
import { Outbox } from './outbox.js';
import { Pane, messagePath, roomPath } from './pane.js';
import { messageActions } from './actions.js';
import * as view from './view.js';

const { byId } = view;
const MEMBERS_MAX = 500;

/** What the address names: [room, thread?]. */
function readAddress() {
    try {
        return decodeURIComponent(location.hash.slice(1)).split('/');
    } catch {
        return ['']; // not an address of ours
    }
}

export class Talk {
    room = null;          // the open one, if it is one of ours
    wanted = '';          // the one the address names, ours or not
    onSeen = () => {};    // called with (room) when its end stands before someone's eyes
    onDrawn = () => {};

    #tidings;
    #rooms;
    #outbox;
    #main;
    #thread;
    #composer;
    #threadComposer;
    #threadId = null;
    #threadRoom = null;   // of that thread
    #drawing = false;

    constructor(tidings, rooms) {
        this.#tidings = tidings;
        this.#rooms = rooms;
        this.#outbox = new Outbox(tidings, rooms, () => this.changed());
        const about = pane => messageActions(this, tidings, rooms, pane);
        this.#main = new Pane(byId('talk'), tidings, rooms, about(() => this.#main));
        this.#thread = new Pane(byId('thread'), tidings, rooms, about(() => this.#thread));
        const writing = pane => ({
            send: item => this.#send(pane(), item),
            editLast: () => this.#editLast(pane()),
            membersOf: room => this.membersOf(room),
        });
        this.#composer = new Composer(byId('composer'), tidings, rooms,
            writing(() => this.#main));
        this.#threadComposer = new Composer(byId('thread-composer'), tidings, rooms,
            writing(() => this.#thread));
    }

    start() {
        addEventListener('hashchange', () => this.route());
        document.addEventListener('visibilitychange', () => this.changed());
        setInterval(() => this.changed(), 60_000); // "Today" becomes "Yesterday"
        byId('thread-close').onclick = () => this.go(this.room.id);
        byId('thread').onkeydown = key => key.key === 'Escape' && this.go(this.room.id);
        this.#outbox.resend();
        this.route();
    }

    // ---- Which room, which thread ----------------------------------------------------------

    go(roomId, threadId = null) {
        const address = threadId ? `${roomId}/${threadId}` : roomId;
        if (location.hash.slice(1) === address) {
            this.route();
        } else {
            location.hash = address;
        }
    }

    /** Shows what the address names. */
    route() {
        const [wanted, threadId = null] = readAddress();
        this.wanted = wanted;
        const next = this.#rooms.get(wanted) ?? null;
        const moved = next !== this.room;
        if (this.room && moved) {
            this.room.draft = this.#composer.draft;
            this.room.newFrom = null;
            this.room.trim();
            this.room.quotes.clear();
        }
        this.room = next;
        this.#showParts();
        if (moved) {
            this.#open(next);
        }
        this.#openThread(next ? threadId : null, moved);
        this.changed();
    }

    #showParts() {
        const { room, wanted } = this;
        byId('app').dataset.view = wanted ? 'talk' : 'rooms';
        for (const id of ['room-head', 'room-open', 'messages', 'foot']) {
            byId(id).hidden = !room;
        }
        byId('talk-head').hidden = !wanted;
        byId('empty').hidden = Boolean(wanted);
        byId('stranger').hidden = !wanted || Boolean(room);
        byId('stranger').querySelector('h2').textContent = wanted;
        byId('stranger').querySelector('.problem').textContent = '';
    }

    #open(room) {
        if (!room) {
            this.#main.show(null);
            return;
        }
        this.#composer.aim(room, room.draft);
        room.newFrom = room.messages.find(item => room.isUnread(item))?.id ?? null;
        this.#main.show(room);
        const typing = matchMedia('(hover: hover)').matches; // no keyboard over half a phone
        if (typing) {
            this.#composer.focus();
        } else {
            byId('room-title').focus({ preventScroll: true });
        }
    }

    #openThread(threadId, moved) {
        const { room } = this;
        byId('thread').hidden = !threadId;
        byId('app').toggleAttribute('data-thread', Boolean(threadId));
        if (threadId === this.#threadId && !moved) {
            return;
        }
        this.#closeThread();
        this.#threadId = threadId;
        this.#threadRoom = room;
        if (!threadId) {
            this.#thread.show(null);
            return;
        }
        const thread = room.openThread(threadId);
        this.#readRoot(room, threadId);
        this.#threadComposer.aim(room, '', threadId);
        this.#thread.show(room, thread, threadId);
        this.#threadComposer.focus();
    }

    #closeThread() {
        if (this.#threadId) {
            this.#threadRoom.closeThread(this.#threadId);
        }
    }

    /** The message that the thread is about stands above it. */
    async #readRoot(room, threadId) {
        const root = room.find(threadId);
        if (root) {
            room.openThread(threadId).insert(root);
            return;
        }
        try {
            const { asOf, ...message } = await this.#tidings.request('GET',
                messagePath(room.id, threadId));
            room.openThread(threadId).insert({ ...message, asOf });
        } catch {
            return; // the replies stand without it
        }
        this.changed();
    }

    // ---- What others need ------------------------------------------------------------------

    /** Map of userId -> member, at most MEMBERS_MAX; read once, then moved by events. */
    async membersOf(room) {
        return room.members ?? this.readMembers(room);
    }

    async readMembers(room) {
        const members = [];
        let next = null;
        let asOf = null;
        do {
            const query = next ? `?from=${encodeURIComponent(next)}` : '';
            const page = await this.#tidings.request('GET', roomPath(room.id, `/members${query}`));
            members.push(...page.members);
            asOf ??= page.asOf;
            next = page.next;
        } while (next && members.length < MEMBERS_MAX);
        this.#rooms.putMembers(room, members, asOf);
        return room.members;
    }

    /** A message that is quoted, if we have it; else it is read, and drawn when it is here. */
    quoted(messageId) {
        const { room } = this;
        const [copy] = room.copiesOf(messageId);
        if (!copy && !room.quotes.has(messageId)) {
            room.quotes.set(messageId, null);
            this.#tidings.request('GET', messagePath(room.id, messageId)).then(message => {
                this.#rooms.people.learn(message.sender?.userId, message.sender);
                room.quotes.set(messageId, message);
                this.changed();
            }).catch(() => {}); // gone, or not now: it stands there as an earlier message
        }
        return copy ?? null;
    }

    /** Something was missed: what stands here is read again. */
    async reload() {
        this.#rooms.sorted.filter(room => room !== this.room).forEach(room => room.forgetAll());
        this.room?.quotes.clear();
        if (this.room) {
            this.room.members = null;
        }
        await Promise.all([this.#main, this.#thread].filter(pane => pane.timeline)
            .map(pane => pane.reload()));
        this.changed();
    }

    // ---- Sending ---------------------------------------------------------------------------

    get waiting() {
        return this.#outbox.waiting;
    }

    keepOutbox() {
        this.#outbox.keep();
    }

    retry(item, again) {
        this.#outbox.retry(this.room, item, again);
    }

    #send(pane, item) {
        this.room.newFrom = null;
        this.#outbox.put(this.room, item);
        pane.draw();
        pane.toNewest();
        this.changed();
    }

    replyTo(pane, item) {
        (pane === this.#thread ? this.#threadComposer : this.#composer).replyTo(item);
    }

    /** Changes a message in its place; none with null. */
    edit(pane, messageId) {
        pane.editing = messageId;
        pane.draw();
        if (!messageId) {
            (pane === this.#thread ? this.#threadComposer : this.#composer).focus();
        }
    }

    #editLast(pane) {
        const own = pane.timeline.messages.findLast(item => item.messageId && !item.deleted
            && item.text !== undefined && item.sender?.userId === this.#rooms.me);
        if (own) {
            this.edit(pane, own.messageId);
        }
    }

    // ---- Drawing ---------------------------------------------------------------------------

    /** Has everything drawn once, before the next frame, or soon when nobody sees the page. */
    changed() {
        if (this.#drawing) {
            return;
        }
        this.#drawing = true;
        const soon = document.hidden ? work => setTimeout(work, 250) : requestAnimationFrame;
        soon(() => this.#draw());
    }

    #draw() {
        this.#drawing = false;
        const { room } = this;
        if (room) {
            view.drawHead(room, this.#rooms);
            view.drawTyping(room, this.#rooms.people);
            this.#composer.draw();
            this.#main.drawAndFollow();
            if (this.#thread.timeline) {
                this.#threadComposer.draw();
                this.#thread.drawAndFollow();
            }
            if (document.visibilityState === 'visible' && room.loaded && this.#main.atEnd) {
                this.onSeen(room);
            }
        }
        view.drawRooms(this.#rooms, room);
        view.drawTitle(this.#rooms, room);
        this.onDrawn();
    }
}
