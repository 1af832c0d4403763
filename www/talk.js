/**
 * The open conversation: which one it is, its history, sending, and where one has read to.
 *
 * MODEL  The address names the room: `/#lobby`. An event or an answer changes `rooms`; then
 *        `changed()` has everything drawn once, before the next frame. Who reads the newest
 *        stays at the newest; who reads older ones stays where they are.
 */
import { makeId } from './tidings.js';
import { explain } from './signin.js';
import { loadOutbox, saveOutbox, saveSeen } from './storage.js';
import * as view from './view.js';

const { byId } = view;
const PAGE = 50;          // messages of one request for history
const GAP_PAGES = 4;      // pages of 100 to fill a gap; what is older comes on scrolling
const OPEN_MAX = 600;     // messages kept of the open room while one reads its end
const OPEN_KEPT = 400;    // and how many stay
const END_PX = 80;        // this close to the end one reads the newest
const OLDER_PX = 400;     // this close to the start the page before is read

export class Talk {
    room = null;          // the open one, if it is one of ours
    wanted = '';          // the one the address names, ours or not

    #tidings;
    #rooms;
    #drawing = false;
    #reading = false;     // a page of history is under way
    #atEnd = true;

    constructor(tidings, rooms) {
        this.#tidings = tidings;
        this.#rooms = rooms;
    }

    start() {
        addEventListener('hashchange', () => this.route());
        document.addEventListener('visibilitychange', () => this.changed());
        setInterval(() => this.changed(), 60_000); // "Today" becomes "Yesterday"
        byId('messages').addEventListener('scroll', () => this.#onScroll(), { passive: true });
        new ResizeObserver(() => this.#atEnd && this.toNewest()).observe(byId('messages'));
        byId('to-newest').onclick = () => {
            this.toNewest();
            this.changed();
        };
        byId('composer').onsubmit = submit => {
            submit.preventDefault();
            this.#onSend();
        };
        byId('text').oninput = fitText;
        byId('text').onkeydown = key => {
            if (key.key === 'Enter' && !key.shiftKey && !key.isComposing) {
                key.preventDefault();
                this.#onSend();
            }
        };
        this.#resend();
        this.route();
    }

    // ---- Which room ------------------------------------------------------------------------

    go(roomId) {
        if (location.hash.slice(1) === roomId) {
            this.route();
        } else {
            location.hash = roomId;
        }
    }

    /** Shows the room that the address names. */
    route() {
        this.wanted = decodeURIComponent(location.hash.slice(1));
        const next = this.#rooms.get(this.wanted) ?? null;
        const moved = next !== this.room;
        if (this.room && moved) {
            this.room.draft = byId('text').value;
            this.room.newFrom = null;
            this.room.trim();
        }
        this.room = next;
        byId('app').dataset.view = this.wanted ? 'talk' : 'rooms';
        for (const id of ['room-head', 'room-open', 'messages', 'composer']) {
            byId(id).hidden = !next;
        }
        byId('talk-head').hidden = !this.wanted;
        byId('empty').hidden = Boolean(this.wanted);
        byId('stranger').hidden = !this.wanted || Boolean(next);
        byId('stranger').querySelector('h2').textContent = this.wanted;
        byId('stranger').querySelector('.problem').textContent = '';
        byId('to-newest').hidden = true;
        if (next && moved) {
            this.#open(next);
        }
        this.changed();
    }

    #open(room) {
        byId('list').replaceChildren();
        byId('text').value = room.draft;
        fitText();
        room.newFrom = this.#rooms.firstUnseen(room)?.id ?? null;
        this.draw();
        this.toNewest();
        this.readOlder(room);
        const typing = matchMedia('(hover: hover)').matches; // no keyboard over half a phone
        byId(typing ? 'text' : 'room-title').focus({ preventScroll: true });
    }

    // ---- History ---------------------------------------------------------------------------

    #history(room, bounds) {
        const query = new URLSearchParams(bounds);
        return this.#tidings.request('GET',
            `/v1/rooms/${encodeURIComponent(room.id)}/messages?${query}`);
    }

    /** Reads the newest page, or the one before what is here if that is near. */
    async readOlder(room) {
        if (this.#reading || (room.loaded && (room.complete || !this.#isNearStart()))) {
            return;
        }
        this.#reading = true;
        try {
            await this.#readPage(room);
        } catch (error) {
            if (room === this.room) {
                byId('older').textContent = `History could not be read. ${explain(error)}`;
            }
            setTimeout(() => this.room && this.readOlder(this.room), error.retryAfterMs ?? 4_000);
            return;
        } finally {
            this.#reading = false;
        }
        if (this.room) {
            this.readOlder(this.room); // the page was short, or another room is open by now
        }
    }

    async #readPage(room) {
        const first = !room.loaded;
        const before = first ? null : room.oldestId;
        const page = await this.#history(room, before ? { before, limit: PAGE } : { limit: PAGE });
        this.#rooms.putPage(room, page.messages);
        room.loaded = true;
        room.complete = !page.nextBefore;
        if (first) {
            this.#rooms.countUnread(room);
        }
        if (room !== this.room) {
            return;
        }
        if (first) {
            room.newFrom ??= this.#rooms.firstUnseen(room)?.id ?? null;
            this.draw();
            this.toNewest();
            return;
        }
        const box = byId('messages');
        const fromEnd = box.scrollHeight - box.scrollTop;
        this.draw();
        box.scrollTop = box.scrollHeight - fromEnd;
    }

    #isNearStart() {
        return byId('messages').scrollTop < OLDER_PX;
    }

    /** Events with after < id < before are missing: history has those that were messages. */
    async fillGap({ roomId, after, before }) {
        const holed = roomId ? [this.#rooms.get(roomId)] : this.#rooms.sorted;
        for (const room of holed.filter(each => each?.loaded)) {
            try {
                await this.#fillRoom(room, after, before);
            } catch {
                room.cutBefore(before); // scrolling up asks again
            }
            this.changed();
        }
    }

    async #fillRoom(room, after, before) {
        let from = after;
        for (let page = 0; page < GAP_PAGES; page++) {
            const answer = await this.#history(room, { after: from, before, limit: 100 });
            this.#rooms.putPage(room, answer.messages);
            if (!answer.nextAfter) {
                return;
            }
            from = answer.nextAfter;
        }
        room.cutBefore(before); // too much of it: scrolling up reads the newest of it first
    }

    // ---- Sending ---------------------------------------------------------------------------

    #onSend() {
        const text = byId('text').value.trim();
        if (!text || !this.room) {
            return;
        }
        byId('text').value = '';
        fitText();
        this.room.newFrom = null;
        this.#put(this.room, { messageId: makeId('m'), text, sentAt: Date.now() });
        this.draw();
        this.toNewest();
    }

    /** Shown at once; no longer pending when the answer or the event is here. */
    async #put(room, item) {
        room.pending.push(item);
        this.keepOutbox();
        try {
            const { stored } = this.#tidings.send(room.id, { text: item.text }, item.messageId);
            this.#rooms.putOwn(room, item, await stored);
        } catch (error) {
            item.error = explain(error);
        }
        this.keepOutbox();
        this.changed();
    }

    onFailed(action, item) {
        this.room.pending = this.room.pending.filter(other => other !== item);
        if (action === 'again') {
            this.#put(this.room, { ...item, error: undefined, sentAt: Date.now() });
        }
        this.keepOutbox();
        this.changed();
    }

    get waiting() {
        return this.#rooms.sorted.flatMap(room => room.pending.filter(item => !item.error)
            .map(({ messageId, text, sentAt }) => ({ roomId: room.id, messageId, text, sentAt })));
    }

    keepOutbox() {
        saveOutbox(this.#rooms.userId, this.waiting);
    }

    /** What an earlier life of this tab left without an answer; it may well be stored. */
    #resend() {
        for (const { roomId, ...item } of loadOutbox(this.#rooms.userId)) {
            const room = this.#rooms.get(roomId);
            if (room) {
                this.#put(room, item);
            }
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
        soon(() => {
            const follow = this.#atEnd;
            this.draw();
            if (follow) {
                this.toNewest();
            }
        });
    }

    draw() {
        this.#drawing = false;
        const { room } = this;
        if (room) {
            if (this.#atEnd && room.messages.length > OPEN_MAX) {
                room.trim(OPEN_KEPT);
            }
            view.drawHead(room);
            view.drawMessages(room, this.#rooms, (action, item) => this.onFailed(action, item));
            this.#noteSeen(room);
        }
        view.drawRooms(this.#rooms, room);
        view.drawTitle(this.#rooms, room);
    }

    /** What stands at the end, before someone's eyes, has been seen. */
    #noteSeen(room) {
        if (document.visibilityState === 'visible' && room.loaded && this.#atEnd
            && this.#rooms.markSeen(room)) {
            saveSeen(this.#rooms.userId, room.id, room.seen);
        }
    }

    toNewest() {
        const box = byId('messages');
        box.scrollTop = box.scrollHeight;
        this.#atEnd = true;
        byId('to-newest').hidden = true;
    }

    #onScroll() {
        const box = byId('messages');
        const distance = box.scrollHeight - box.scrollTop - box.clientHeight;
        const was = this.#atEnd;
        this.#atEnd = distance < END_PX;
        byId('to-newest').hidden = this.#atEnd;
        if (this.room) {
            this.readOlder(this.room);
            if (this.#atEnd && !was) {
                this.changed(); // the rest has been seen now
            }
        }
    }
}

/** For browsers without field-sizing. */
function fitText() {
    const text = byId('text');
    if (!CSS.supports('field-sizing', 'content')) {
        text.style.height = 'auto';
        text.style.height = `${text.scrollHeight + 2}px`;
    }
}
