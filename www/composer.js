/**
 * Where a message is written: what it replies to, whom it mentions, and that we are typing.
 */
import { makeId } from './tidings.js';
import { roomPath } from './pane.js';
import { clone, drawAvatar, setText } from './view.js';
import { excerpt } from './view_messages.js';

const TYPING_EVERY_MS = 3_000;  // the server counts it as ended after ten
const TYPING_IDLE_MS = 5_000;
const SUGGESTIONS_MAX = 6;
const MENTIONS_MAX = 50;

export class Composer {
    #form;
    #text;
    #suggestions;
    #tidings;
    #rooms;
    #act;
    #room = null;
    #threadId = null;
    #replyTo = null;      // the message
    #typingTold = 0;      // when it was told last; 0: not typing
    #idle = null;         // timer

    /**
     * @param {Element} form  as in index.html
     * @param {object} act  send(item), editLast(), membersOf(room) (async), focusMessages()
     */
    constructor(form, tidings, rooms, act) {
        this.#form = form;
        this.#text = form.querySelector('textarea');
        this.#suggestions = form.querySelector('.suggestions');
        this.#tidings = tidings;
        this.#rooms = rooms;
        this.#act = act;
        form.onsubmit = submit => {
            submit.preventDefault();
            this.#send();
        };
        form.querySelector('.replying button').onclick = () => this.replyTo(null);
        this.#text.oninput = () => this.#onInput();
        this.#text.onkeydown = key => this.#onKey(key);
        this.#text.onblur = () => this.#closeSuggestions();
    }

    get draft() {
        return this.#text.value;
    }

    focus() {
        this.#text.focus({ preventScroll: true });
    }

    /** Writes to another room or thread from now on. */
    aim(room, draft, threadId = null) {
        this.#stopTyping();
        this.#room = room;
        this.#threadId = threadId;
        this.#text.value = draft;
        this.replyTo(null);
        this.#closeSuggestions();
        this.#fit();
    }

    replyTo(item) {
        this.#replyTo = item;
        const bar = this.#form.querySelector('.replying');
        bar.hidden = !item;
        if (item) {
            const name = this.#rooms.people.nameOf(item.sender?.userId ?? this.#rooms.me);
            setText(bar.querySelector('span'), `Reply to ${name}: ${excerpt(item)}`);
            this.focus();
        }
    }

    /** May one write here, and to whom? */
    draw() {
        const silence = this.#room.silence;
        this.#form.hidden = Boolean(silence);
        const note = this.#form.nextElementSibling;
        note.hidden = !silence;
        setText(note, silence ?? '');
        this.#text.placeholder = this.#threadId ? 'Reply in the thread'
            : `Message ${this.#room.title}`;
    }

    #send() {
        const text = this.#text.value.trim();
        if (!text || !this.#room) {
            return;
        }
        const mentions = mentionsIn(text, this.#room, this.#rooms.people);
        this.#act.send({
            messageId: makeId('m'),
            text,
            sentAt: Date.now(),
            ...this.#replyTo && { replyTo: this.#replyTo.messageId },
            ...this.#threadId && { threadId: this.#threadId },
            ...mentions.length > 0 && { mentions },
        });
        this.#typingTold = 0; // a message ends it
        clearTimeout(this.#idle);
        this.#text.value = '';
        this.replyTo(null);
        this.#closeSuggestions();
        this.#fit();
    }

    #onInput() {
        this.#fit();
        this.#tellTyping();
        this.#suggest();
    }

    /** For browsers without field-sizing. */
    #fit() {
        if (!CSS.supports('field-sizing', 'content')) {
            this.#text.style.height = 'auto';
            this.#text.style.height = `${this.#text.scrollHeight + 2}px`;
        }
    }

    #onKey(key) {
        const open = !this.#suggestions.hidden;
        const step = { ArrowDown: 1, ArrowUp: -1 }[key.key];
        if (key.isComposing) {
            return;
        }
        if (open && step) {
            this.#moveSuggestion(step);
        } else if (open && (key.key === 'Enter' || key.key === 'Tab')) {
            this.#suggestions.querySelector('[aria-selected=true]').click();
        } else if (open && key.key === 'Escape') {
            this.#closeSuggestions();
        } else if (key.key === 'Enter' && !key.shiftKey) {
            this.#send();
        } else if (key.key === 'ArrowUp' && !this.#text.value) {
            this.#act.editLast();
        } else if (key.key === 'Escape' && this.#replyTo) {
            this.replyTo(null);
        } else {
            return;
        }
        key.preventDefault();
        key.stopPropagation();
    }

    // ---- Typing ----------------------------------------------------------------------------

    #tellTyping() {
        clearTimeout(this.#idle);
        if (!this.#text.value.trim()) {
            this.#stopTyping();
            return;
        }
        if (Date.now() - this.#typingTold > TYPING_EVERY_MS) {
            this.#typingTold = Date.now();
            this.#postTyping(this.#room, true);
        }
        this.#idle = setTimeout(() => this.#stopTyping(), TYPING_IDLE_MS);
    }

    #stopTyping() {
        clearTimeout(this.#idle);
        if (this.#typingTold) {
            this.#typingTold = 0;
            this.#postTyping(this.#room, false);
        }
    }

    #postTyping(room, typing) {
        // It ends by itself: nothing is repeated, and nobody is told that it was not told.
        this.#tidings.request('POST', roomPath(room.id, '/typing'), { typing }).catch(() => {});
    }

    // ---- Mentions --------------------------------------------------------------------------

    async #suggest() {
        const begun = this.#wordAtCursor();
        if (begun === null) {
            this.#closeSuggestions();
            return;
        }
        const members = await this.#act.membersOf(this.#room);
        if (begun !== this.#wordAtCursor()) {
            return; // typed on meanwhile
        }
        const { people } = this.#rooms;
        const wanted = begun.toLowerCase();
        const found = [...members.keys()].filter(userId => userId !== this.#rooms.me
            && [people.nameOf(userId), userId].some(name => name.toLowerCase().startsWith(wanted)));
        this.#suggestions.replaceChildren(
            ...found.slice(0, SUGGESTIONS_MAX).map(userId => this.#makeSuggestion(userId, begun)));
        this.#suggestions.hidden = found.length === 0;
        this.#moveSuggestion(0);
    }

    /** What stands between an `@` and the cursor, or null. */
    #wordAtCursor() {
        const before = this.#text.value.slice(0, this.#text.selectionStart);
        return before.match(/(?:^|\s)@([^\s@]{0,40})$/u)?.[1] ?? null;
    }

    #makeSuggestion(userId, begun) {
        const { people } = this.#rooms;
        const row = clone('t-suggestion');
        row.id = `suggestion-${userId}`;
        drawAvatar(row.querySelector('.avatar'), userId, people.nameOf(userId));
        setText(row.querySelector('b'), people.nameOf(userId));
        setText(row.querySelector('.soft'), `@${userId}`);
        row.onpointerdown = press => press.preventDefault(); // the text keeps the focus
        row.onclick = () => {
            const end = this.#text.selectionStart;
            this.#text.setRangeText(`${people.nameOf(userId)} `, end - begun.length, end, 'end');
            this.#closeSuggestions();
        };
        return row;
    }

    #moveSuggestion(step) {
        const rows = [...this.#suggestions.children];
        const at = rows.findIndex(row => row.getAttribute('aria-selected') === 'true');
        const next = rows[(Math.max(at, 0) + step + rows.length) % rows.length];
        rows.forEach(row => row.setAttribute('aria-selected', String(row === next)));
        this.#text.setAttribute('aria-activedescendant', next?.id ?? '');
    }

    #closeSuggestions() {
        this.#suggestions.hidden = true;
        this.#suggestions.replaceChildren();
        this.#text.removeAttribute('aria-activedescendant');
    }
}

/** Who of the members stands in a text, by `@` and name or userId. */
export function mentionsIn(text, room, people) {
    const members = new Set(room.members?.keys() ?? []);
    if (room.partner) {
        members.add(room.partner.userId);
    }
    return [...members].filter(userId => [people.nameOf(userId), userId]
        .some(name => hasWord(text, `@${name}`))).slice(0, MENTIONS_MAX);
}

/** Is it there, and not the beginning of a longer word? */
function hasWord(text, word) {
    for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1)) {
        if (!/[\p{L}\p{N}_]/u.test(text.charAt(at + word.length))) {
            return true;
        }
    }
    return false;
}
