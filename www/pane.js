/**
 * One list of messages on the page, of a room or of a thread: its history, and where one reads.
 *
 * MODEL  Who reads the newest stays at the newest; who reads older ones stays where they are.
 */
import { explain } from './signin.js';
import { drawMessages } from './view_messages.js';
import { setText } from './view.js';

const PAGE = 50;          // messages of one request for history
const SEEK_PAGES = 10;    // that are read to find a message that is quoted
const OPEN_MAX = 600;     // messages kept of the open room while one reads its end
const OPEN_KEPT = 400;    // and how many stay
const END_PX = 80;        // this close to the end one reads the newest
const OLDER_PX = 400;     // this close to the start the page before is read
const FLASH_MS = 1_600;

export const roomPath = (roomId, rest = '') => `/v1/rooms/${encodeURIComponent(roomId)}${rest}`;
export const messagePath = (roomId, messageId, rest = '') =>
    roomPath(roomId, `/messages/${encodeURIComponent(messageId)}${rest}`);

export class Pane {
    room = null;
    timeline = null;
    editing = null;       // messageId of the one that is being changed
    atEnd = true;

    #root;
    #box;
    #tidings;
    #rooms;
    #act;
    #threadId = null;
    #reading = false;     // a page of history is under way

    /**
     * @param {Element} root  has one each of .messages, .older, .list and .to-newest
     * @param {object} act  what the buttons call: openMenu(item, anchor), react(item, key),
     *     openThread(item), quoted(messageId), seek(messageId), saveEdit(item, text),
     *     cancelEdit(), onFailed(name, item); and changed(), to have all drawn
     */
    constructor(root, tidings, rooms, act) {
        this.#root = root;
        this.#box = root.querySelector('.messages');
        this.#tidings = tidings;
        this.#rooms = rooms;
        this.#act = act;
        this.#box.addEventListener('scroll', () => this.#onScroll(), { passive: true });
        this.#box.addEventListener('keydown', key => this.#onKey(key));
        new ResizeObserver(() => this.atEnd && this.toNewest()).observe(this.#box);
        root.querySelector('.to-newest').onclick = () => {
            this.toNewest();
            act.changed();
        };
    }

    /** Shows a timeline of a room; none with null. `threadId` if it is that of a thread. */
    show(room, timeline = room, threadId = null) {
        this.room = room;
        this.timeline = timeline;
        this.editing = null;
        this.#threadId = threadId;
        this.#list.replaceChildren();
        this.#root.querySelector('.to-newest').hidden = true;
        if (timeline) {
            this.draw();
            this.toNewest();
            this.readOlder();
        }
    }

    get #list() {
        return this.#root.querySelector('.list');
    }

    // ---- History ---------------------------------------------------------------------------

    #readPage(before = null) {
        const query = new URLSearchParams({ limit: PAGE });
        if (before) {
            query.set('before', before);
        }
        if (this.#threadId) {
            query.set('thread', this.#threadId);
        }
        return this.#tidings.request('GET', roomPath(this.room.id, `/messages?${query}`));
    }

    /** Reads the newest page, or the one before what is here if that is near. */
    async readOlder() {
        const { timeline } = this;
        if (this.#reading || (timeline.loaded && (timeline.complete || !this.#isNearStart()))) {
            return;
        }
        this.#reading = true;
        try {
            await this.#readMore();
        } catch (error) {
            if (timeline === this.timeline) {
                setText(this.#root.querySelector('.older'),
                    `History could not be read. ${explain(error)}`);
            }
            setTimeout(() => this.timeline && this.readOlder(), error.retryAfterMs ?? 4_000);
            return;
        } finally {
            this.#reading = false;
        }
        if (this.timeline) {
            this.readOlder(); // the page was short, or another room is open by now
        }
    }

    async #readMore() {
        const { room, timeline } = this;
        const first = !timeline.loaded;
        const page = await this.#readPage(first ? null : timeline.readFrom);
        this.#rooms.putPage(room, timeline, page);
        if (timeline !== this.timeline) {
            return;
        }
        if (first) {
            timeline.newFrom ??= timeline.messages.find(item => room.isUnread(item))?.id ?? null;
            this.draw();
            this.toNewest();
            this.#act.changed();
            return;
        }
        const fromEnd = this.#box.scrollHeight - this.#box.scrollTop;
        this.draw();
        this.#box.scrollTop = this.#box.scrollHeight - fromEnd;
    }

    #isNearStart() {
        return this.#box.scrollTop < OLDER_PX;
    }

    /** Something was missed: the newest page takes the place of all that it is younger than. */
    async reload() {
        const { room, timeline } = this;
        const page = await this.#readPage();
        timeline.forget(page.asOf);
        this.#rooms.putPage(room, timeline, page);
        if (timeline === this.timeline) {
            this.drawAndFollow();
            this.readOlder();
        }
    }

    /** Shows a message, older ones read as far as need be. */
    async seek(messageId) {
        const { timeline } = this;
        for (let page = 0; page < SEEK_PAGES; page++) {
            if (timeline !== this.timeline || timeline.find(messageId) || timeline.complete) {
                break;
            }
            await this.#readMore();
        }
        const row = [...this.#list.children].find(each => each.dataset.key === messageId);
        if (row) {
            row.scrollIntoView({ block: 'center' });
            row.classList.add('flash');
            setTimeout(() => row.classList.remove('flash'), FLASH_MS);
            row.focus({ preventScroll: true });
        }
    }

    // ---- Drawing ---------------------------------------------------------------------------

    draw() {
        const { room, timeline } = this;
        if (this.atEnd && timeline.messages.length > OPEN_MAX) {
            timeline.trim(OPEN_KEPT);
        }
        setText(this.#root.querySelector('.older'), !timeline.loaded ? 'Loading …'
            : !timeline.complete ? 'Loading older messages …'
                : timeline.messages.length ? '' : 'Nothing here yet. Say something.');
        drawMessages(this.#list, { timeline, room, rooms: this.#rooms, editing: this.editing,
            inThread: Boolean(this.#threadId) }, this.#act);
    }

    drawAndFollow() {
        const follow = this.atEnd;
        this.draw();
        if (follow) {
            this.toNewest();
        }
    }

    toNewest() {
        this.#box.scrollTop = this.#box.scrollHeight;
        this.atEnd = true;
        this.#root.querySelector('.to-newest').hidden = true;
    }

    #onScroll() {
        const box = this.#box;
        const was = this.atEnd;
        this.atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < END_PX;
        this.#root.querySelector('.to-newest').hidden = this.atEnd;
        if (this.timeline) {
            this.readOlder();
            if (this.atEnd && !was) {
                this.#act.changed(); // the rest has been seen now
            }
        }
    }

    // ---- By keyboard -----------------------------------------------------------------------

    /** Arrows go from message to message, Enter opens its menu. */
    #onKey(key) {
        const messages = [...this.#list.querySelectorAll('.message')];
        const at = messages.indexOf(key.target);
        if ((at < 0 && key.target !== this.#box) || messages.length === 0) {
            return; // it is for a button or a form inside
        }
        const next = { ArrowUp: at < 0 ? messages.length - 1 : Math.max(0, at - 1),
            ArrowDown: at < 0 ? messages.length - 1 : Math.min(messages.length - 1, at + 1) };
        if (key.key in next) {
            key.preventDefault();
            messages[next[key.key]].focus();
        } else if (key.key === 'Enter' && at >= 0) {
            key.preventDefault();
            messages[at].querySelector('.more:not([hidden])')?.click();
        }
    }
}
