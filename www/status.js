/**
 * Our own presence: what we chose to show, and whether anybody looks at this page.
 */
import { explain } from './signin.js';
import { byId, clone, drawAvatar, drawList, drawPresence, setText } from './view.js';

const AWAY_AFTER_MS = 60_000;   // hidden for so long: nobody is here
const USERS_MAX = 100;          // of one request

export class Status {
    #tidings;
    #people;
    #onChange;
    #reported = 'online'; // of this session; what a new one begins with
    #told = 'online';     // what the server knows of it; null: uncertain
    #telling = Promise.resolve();
    #timer = null;

    constructor(tidings, people, onChange) {
        this.#tidings = tidings;
        this.#people = people;
        this.#onChange = onChange;
    }

    start() {
        document.addEventListener('visibilitychange', () => this.#onVisible());
        byId('me-open').onclick = () => this.#open();
        byId('my-status').onsubmit = submit => {
            submit.preventDefault();
            this.#choose();
        };
        this.#onVisible();
    }

    draw() {
        const { activity } = this.#people.presenceOf(this.#people.me);
        drawPresence(byId('me-dot'), this.#people, this.#people.me);
        setText(byId('me-activity'), activity ?? '');
    }

    // ---- What this session reports ---------------------------------------------------------

    #onVisible() {
        clearTimeout(this.#timer);
        if (!document.hidden) {
            this.#report('online');
        } else {
            this.#timer = setTimeout(() => this.#report('away'), AWAY_AFTER_MS);
        }
    }

    #report(status) {
        if (status !== this.#reported) {
            this.#reported = status;
            this.#tell();
        }
    }

    /** The stream is new: it counts as online, or as what the one before it was known to report. */
    onConnected() {
        if (this.#reported !== 'online' || this.#told !== 'online') {
            this.#tell();
        }
    }

    /** Of those who are not there nothing is told: when they were is asked for. */
    async onCaughtUp(partners) {
        const people = this.#people;
        const users = partners.slice(0, USERS_MAX);
        if (users.length === 0) {
            return;
        }
        const answer = await this.#tidings.request('GET', `/v1/presence?${new URLSearchParams(
            { users })}`).catch(() => ({ presence: [] })); // not now: told with the next change
        for (const each of answer.presence) {
            // Whoever has changed since has been told of.
            if (each.status === people.presenceOf(each.userId).status) {
                people.putPresence(each);
            }
        }
        this.#onChange();
    }

    /** One after the other: the last word is the newest. */
    #tell() {
        this.#telling = this.#telling.then(async () => {
            const status = this.#reported;
            this.#told = null;
            await this.#tidings.request('PUT', '/v1/presence', { status },
                { 'X-Tidings-Session': this.#tidings.session });
            this.#told = status;
        }).catch(() => {}); // not now: told with the next stream
    }

    // ---- What we choose --------------------------------------------------------------------

    #open() {
        const { status, activity } = this.#people.presenceOf(this.#people.me);
        const form = byId('my-status').querySelector('form');
        form.elements.status.value = status;
        form.elements.activity.value = activity ?? '';
        byId('my-status-problem').textContent = '';
        this.#drawBlocked();
        byId('my-status').showModal();
    }

    async #choose() {
        const { status, activity } = byId('my-status').querySelector('form').elements;
        const words = activity.value.trim();
        // Online with nothing to say is what is shown without a choice.
        const choice = status.value === 'online' && !words ? { status: null }
            : { status: status.value, ...words && { activity: words } };
        try {
            await this.#tidings.request('PUT', '/v1/presence', choice);
            byId('my-status').close();
        } catch (error) {
            byId('my-status-problem').textContent = explain(error);
        }
    }

    #drawBlocked() {
        const { blocked } = this.#people;
        byId('blocked').hidden = blocked.size === 0;
        drawList(byId('blocked').querySelector('ul'), [...blocked].map(userId => ({
            key: userId,
            make: () => clone('t-blocked'),
            update: row => {
                drawAvatar(row.querySelector('.avatar'), userId, this.#people.nameOf(userId));
                setText(row.querySelector('b'), this.#people.nameOf(userId));
                row.querySelector('button').onclick = () => this.#unblock(userId);
            },
        })));
    }

    async #unblock(userId) {
        try {
            await this.#tidings.request('DELETE', `/v1/blocks/${encodeURIComponent(userId)}`);
            this.#people.blocked.delete(userId);
            this.#onChange();
        } catch (error) {
            byId('my-status-problem').textContent = explain(error);
        }
        this.#drawBlocked();
    }
}
