/**
 * Tidings in the browser: a small client, complete enough to build on.
 *
 *     import { Tidings } from '/tidings.js';
 *
 *     const tidings = new Tidings({
 *         getToken: () => fetch('/my/app/token').then(answer => answer.text()),
 *         onEvent: event => console.log(event.type, event),
 *         onState: (state, why) => console.log(state, why),
 *     });
 *     await tidings.signIn();
 *     const { asOf } = await tidings.request('GET', '/v1/rooms');
 *     tidings.open({ since: asOf });
 *     await tidings.send('lobby', { text: 'Hello' }).stored;
 *
 * WHAT IT DOES
 *   - One EventSource for all rooms. The browser reconnects by itself and says where it was
 *     (`Last-Event-ID`); where it gives up, or does not notice that a link is dead, this client
 *     opens a new one from its own cursor. Either way no event is lost or seen twice.
 *   - State read by a request and the stream meet without a seam: `asOf` of the answer is the
 *     `since` of the stream.
 *   - A message gets its `messageId` here, and is repeated with the same one until there is an
 *     answer: it is stored once, however often it was sent. Those of one room keep their order.
 *   - Tokens are renewed before they expire, while the stream goes on.
 *
 * WHAT IS LEFT TO THE APP (all of it comes to `onEvent`)
 *   - `gap {roomId?, after, before}`: read the room's history between the two ids.
 *   - `reset {reason}`: the cursor was of no use; read the state anew.
 *   - everything else: messages, joins, `custom.*` …
 *
 * STATES (`onState`)
 *
 *     idle -> connecting -> live -> reconnecting -> live …
 *               any of them -> ended {code}    it will not come back without open()
 *
 * No dependencies, no storage: what is to outlive the page is the app's to keep.
 */

const REQUEST_TIMEOUT_MS = 15_000;
const CONNECT_TIMEOUT_MS = 30_000;
const WATCH_MS = 5_000;
const RENEW_BEFORE_MS = 60_000;
const TIMER_MAX_MS = 0x7fffffff;
const BACKOFF_MIN_MS = 1_000;
const BACKOFF_MAX_MS = 30_000;

/** What the server refused: an RFC 9457 problem. `code` is the part to branch on. */
export class Problem extends Error {
    constructor(status, body, retryAfterMs) {
        super(body.detail || body.title || `The server answered ${status}`);
        this.name = 'Problem';
        this.status = status;
        this.code = body.code || `status_${status}`;
        this.field = body.field;
        this.requestId = body.requestId;
        this.retryAfterMs = retryAfterMs;
    }
}

/** Compares two event ids, `<ms>-<seq>`: as numbers, never as text. */
export function compareIds(a, b) {
    const [aMs, aSeq] = a.split('-').map(Number);
    const [bMs, bSeq] = b.split('-').map(Number);
    return aMs - bMs || aSeq - bSeq;
}

/** A name nobody else will think of, within the rule for identifiers. */
export function makeId(prefix) {
    const bytes = crypto.getRandomValues(new Uint8Array(12));
    return `${prefix}-${Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')}`;
}

const sleep = ms => new Promise(wake => setTimeout(wake, ms));
/** Doubles with each attempt, and differs from one client to the next. */
const backoff = attempt =>
    Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** attempt) * (0.5 + Math.random());

export class Tidings {
    /** Where this client has everything up to: an event id, or null before the first. */
    cursor = null;
    /** Whose session it is; known from `connected` on. */
    userId = null;
    state = 'idle';

    #options;
    #parameters = {};     // of the stream's address
    #source = null;
    #token = null;        // kept only with tokenInUrl; else the cookie has it
    #deadline = 0;        // when the stream counts as dead unless something is heard
    #heartbeatMs = 20_000;
    #attempt = 0;         // of opening anew, since the last `connected`
    #refusals = 0;        // of tokens, since the last `connected`
    #watch = null;        // timers
    #renewal = null;
    #reopening = null;
    #renewing = null;     // promise of the renewal under way
    #outbox = new Map();  // messageId -> entry, those without an answer
    #lines = new Map();   // roomId -> promise of the last message in that room's line

    /**
     * @param {object}   options
     * @param {string}   [options.base]  origin of the server, default the page's own
     * @param {Function} [options.getToken]  async, gives a JWT; called whenever one is needed
     * @param {Function} [options.onEvent]  called with each event, in order
     * @param {Function} [options.onState]  called with (state, {code?, afterMs?})
     * @param {string}   [options.session]  name of this session; one for each open page, so
     *     that two tabs do not take the stream from one another
     * @param {boolean}  [options.tokenInUrl]  for servers on another origin, where no cookie
     *     reaches: the token goes into the stream's address and the requests' header
     */
    constructor(options = {}) {
        this.#options = { base: '', onEvent() {}, onState() {}, ...options };
        this.session = options.session ?? makeId('web');
    }

    // ---- Who we are ------------------------------------------------------------------------

    /**
     * Takes a token (by default from getToken) and has the server set its cookie.
     * @returns {object} whose it is: {userId, realm, tokenExpiresAt}; null with tokenInUrl
     */
    async signIn(token) {
        token ??= await this.#options.getToken();
        if (this.#options.tokenInUrl) {
            this.#token = token;
            return null;
        }
        return this.#fetch('POST', '/v1/session', undefined, token);
    }

    /** Ends this session at once, without the grace of a lost connection, and the cookie. */
    async signOut() {
        this.close();
        await this.request('DELETE', `/v1/session/${this.session}`).catch(() => {});
        await this.request('DELETE', '/v1/session');
    }

    /** A new token for all that is to come; callers meanwhile share one renewal. */
    #renew() {
        this.#renewing ??= (async () => {
            const token = await this.#options.getToken();
            await this.signIn(token);
            return token;
        })().finally(() => { this.#renewing = null; });
        return this.#renewing;
    }

    /** Gives the open stream a new token before the old one ends it. */
    async #renewStream() {
        try {
            const token = await this.#renew();
            await this.#fetch('POST', `/v1/session/${this.session}/token`, undefined, token);
            this.#planRenewal(expiryOf(token));
        } catch (error) {
            // No harm: the stream ends with `token_expired`, and we renew there.
            console.warn('Tidings: the token could not be renewed ahead of time', error);
        }
    }

    #planRenewal(expiresAt) {
        clearTimeout(this.#renewal);
        if (!expiresAt || !this.#options.getToken) {
            return;
        }
        const left = expiresAt - Date.now();
        const wait = left > 2 * RENEW_BEFORE_MS ? left - RENEW_BEFORE_MS : left / 2;
        if (wait > 0 && wait < TIMER_MAX_MS) {
            this.#renewal = setTimeout(() => this.#renewStream(), wait);
        }
    }

    // ---- Going up --------------------------------------------------------------------------

    /**
     * One request, with further `headers` if any: JSON up and down. Renews an expired token once.
     * @throws {Problem} what the server refused; a TypeError or DOMException when it was not
     *     reached or did not answer in time
     */
    async request(method, path, body, headers) {
        try {
            return await this.#fetch(method, path, body, this.#token, headers);
        } catch (error) {
            if (error.status !== 401 || !this.#options.getToken) {
                throw error;
            }
            await this.#renew();
        }
        return this.#fetch(method, path, body, this.#token, headers);
    }

    async #fetch(method, path, body, token, further = {}) {
        const headers = { ...further };
        if (token) {
            headers.Authorization = `Bearer ${token}`;
        }
        if (body !== undefined) {
            headers['Content-Type'] = 'application/json';
        }
        const answer = await fetch(this.#options.base + path, {
            method,
            headers,
            body: body === undefined ? undefined : JSON.stringify(body),
            cache: 'no-store',
            signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
        });
        const text = await answer.text();
        if (answer.ok) {
            return text ? JSON.parse(text) : null;
        }
        throw problemOf(answer, text);
    }

    /**
     * Sends a message, and repeats it until there is an answer.
     * @param {string} roomId
     * @param {object} content  `text` and/or `message`, `replyTo` …
     * @param {string} [messageId]  to go on with one that an earlier page left unanswered
     * @returns {{messageId: string, stored: Promise<object>}} `stored` gives the answer, or the
     *     event if that was quicker; it is rejected with a Problem when the server refuses
     */
    send(roomId, content, messageId = makeId('m')) {
        const entry = { roomId, messageId, body: { messageId, ...content }, done: false };
        const stored = new Promise((resolve, reject) => {
            entry.resolve = resolve;
            entry.reject = reject;
        });
        this.#outbox.set(messageId, entry);
        const before = this.#lines.get(roomId) ?? Promise.resolve();
        this.#lines.set(roomId, before.then(() => this.#deliver(entry)));
        return { messageId, stored };
    }

    async #deliver(entry) {
        const path = `/v1/rooms/${encodeURIComponent(entry.roomId)}/messages`;
        for (let attempt = 0; !entry.done; attempt++) {
            try {
                const answer = await this.request('POST', path, entry.body);
                this.#settle(entry, () => entry.resolve(answer));
            } catch (error) {
                if (!isPassing(error)) {
                    this.#settle(entry, () => entry.reject(error));
                    return;
                }
                // Outcome unknown, or not now: the same messageId makes a repeat harmless.
                const wait = sleep(Math.max(error.retryAfterMs ?? 0, backoff(attempt)));
                await Promise.race([wait, new Promise(wake => { entry.wake = wake; })]);
            }
        }
    }

    #settle(entry, settle) {
        entry.done = true;
        this.#outbox.delete(entry.messageId);
        entry.wake?.();
        settle(); // a promise that is settled stays as it is
    }

    // ---- Coming down -----------------------------------------------------------------------

    /**
     * Opens the stream: from `since`, else from where this client was, else from now.
     * Other parameters of `GET /v1/events` (`rooms`, `watch`, `history` …) may be given too.
     */
    open({ since, ...parameters } = {}) {
        this.#stop();
        this.cursor = since ?? this.cursor;
        this.#parameters = parameters;
        this.#attempt = 0;
        this.#refusals = 0;
        this.#move('connecting');
        this.#connect();
        this.#watch = setInterval(() => this.check(), WATCH_MS);
        globalThis.addEventListener?.('online', this.#hurry);
        globalThis.document?.addEventListener('visibilitychange', this.#hurry);
    }

    /** Closes the stream. What waits in the outbox is still sent. */
    close() {
        this.#stop();
        this.#move('idle');
    }

    #stop() {
        this.#source?.close();
        this.#source = null;
        clearInterval(this.#watch);
        clearTimeout(this.#renewal);
        clearTimeout(this.#reopening);
        globalThis.removeEventListener?.('online', this.#hurry);
        globalThis.document?.removeEventListener('visibilitychange', this.#hurry);
    }

    #address() {
        const query = new URLSearchParams({
            ...this.#parameters,
            session: this.session,
            events: 'unnamed', // so that `onmessage` hears all types, `custom.*` too
        });
        if (this.cursor) {
            query.set('since', this.cursor); // the browser's own Last-Event-ID wins over it
        }
        if (this.#token) {
            query.set('access_token', this.#token);
        }
        return `${this.#options.base}/v1/events?${query}`;
    }

    #connect() {
        clearTimeout(this.#reopening);
        this.#source?.close();
        const source = new EventSource(this.#address());
        this.#source = source;
        this.#deadline = Date.now() + CONNECT_TIMEOUT_MS;
        source.onmessage = message => {
            if (source === this.#source) {
                this.#hear(message);
            }
        };
        source.onerror = () => {
            if (source !== this.#source) {
                return;
            }
            if (source.readyState === EventSource.CLOSED) {
                this.#refused(); // any status but 200: the browser will not try again
            } else if (this.state !== 'reconnecting') {
                this.#deadline = Date.now() + CONNECT_TIMEOUT_MS;
                this.#move('reconnecting');
            }
        };
    }

    #reconnect(afterMs = 0, why = {}) {
        this.#source?.close();
        this.#source = null;
        this.#move('reconnecting', { ...why, afterMs });
        clearTimeout(this.#reopening);
        this.#reopening = setTimeout(() => this.#connect(), afterMs);
    }

    /** EventSource hides the status, so the same request is made once where it can be seen. */
    async #probe() {
        const stop = new AbortController();
        setTimeout(() => stop.abort(), REQUEST_TIMEOUT_MS);
        try {
            const answer = await fetch(this.#address(), { signal: stop.signal });
            return answer.ok ? null : problemOf(answer, await answer.text());
        } catch (error) {
            return error;
        } finally {
            stop.abort();
        }
    }

    async #refused() {
        const source = this.#source;
        this.#move('reconnecting');
        const error = await this.#probe();
        if (source !== this.#source) {
            return; // closed or opened anew meanwhile
        }
        if (error?.status === 401) {
            this.#renewAndReconnect(error.code);
        } else if (error && !isPassing(error)) {
            this.#end(error.code);
        } else {
            this.#reconnect(error?.retryAfterMs ?? backoff(this.#attempt++));
        }
    }

    async #renewAndReconnect(code) {
        if (!this.#options.getToken || this.#refusals++ > 0) {
            this.#end(code);
            return;
        }
        const source = this.#source;
        const error = await this.#renew().then(() => null, failure => failure);
        if (source !== this.#source) {
            return; // closed or opened anew meanwhile
        }
        if (!error) {
            this.#reconnect();
        } else if (isPassing(error)) {
            this.#refusals = 0;
            this.#reconnect(backoff(this.#attempt++));
        } else {
            this.#end(code);
        }
    }

    #end(code) {
        this.#stop();
        this.#move('ended', { code });
    }

    #hear(message) {
        const event = JSON.parse(message.data);
        this.#deadline = Date.now() + 2 * this.#heartbeatMs + WATCH_MS;
        if (event.id && this.cursor && compareIds(event.id, this.cursor) <= 0) {
            return; // had it: the server does not repeat, but a cut may fall badly
        }
        this.cursor = message.lastEventId || this.cursor;
        this.#react(event);
        try {
            this.#options.onEvent(event);
        } catch (error) {
            console.error('Tidings: onEvent failed', event, error);
        }
    }

    #react(event) {
        switch (event.type) {
        case 'connected':
            if (this.userId && this.userId !== event.userId) {
                this.#end('other_user'); // another tab has signed in as someone else
                return;
            }
            this.userId = event.userId;
            this.#heartbeatMs = event.heartbeatMs;
            this.#attempt = 0;
            this.#refusals = 0;
            this.#planRenewal(event.tokenExpiresAt);
            break;
        case 'caught_up':
            this.#move('live');
            this.#outbox.forEach(entry => entry.wake?.());
            break;
        case 'new_message':
            if (this.#outbox.has(event.messageId) && event.sender.userId === this.userId) {
                const entry = this.#outbox.get(event.messageId);
                this.#settle(entry, () => entry.resolve(event));
            }
            break;
        case 'busy':      // the server has no room for us now
        case 'reconnect': // the node goes; the next request finds another
            // The stream ends after it, and the browser comes back after its `retry:`.
            this.#deadline = Date.now() + (event.afterMs ?? 0) + 2 * CONNECT_TIMEOUT_MS;
            this.#move('reconnecting', { code: event.code ?? event.type, afterMs: event.afterMs });
            break;
        case 'ended':
            if (event.code === 'token_expired') {
                this.#move('reconnecting', { code: event.code });
                this.#source.close();
                this.#renewAndReconnect(event.code);
            } else {
                this.#end(event.code);
            }
            break;
        }
    }

    /** Opens anew if nothing was heard for too long; also by itself, every few seconds. */
    check() {
        if (this.#source && Date.now() > this.#deadline) {
            this.#reconnect();
        }
    }

    /** The network or the page is back: do not wait for the browser's own next attempt. */
    #hurry = () => {
        if (globalThis.document?.visibilityState === 'hidden') {
            return;
        }
        if (this.state === 'reconnecting' && this.#source?.readyState === EventSource.CONNECTING) {
            this.#reconnect();
        } else {
            this.check();
        }
    };

    #move(state, why = {}) {
        if (state !== this.state || why.code || why.afterMs) {
            this.state = state;
            this.#options.onState(state, why);
        }
    }
}

/** When a token expires; nobody but the server can tell whether it is good. */
function expiryOf(token) {
    const payload = token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/');
    return JSON.parse(atob(payload)).exp * 1000;
}

function problemOf(answer, text) {
    let body = {};
    try {
        body = JSON.parse(text);
    } catch {
        // Not from Tidings but from something in between.
    }
    const seconds = Number(answer.headers.get('Retry-After'));
    return new Problem(answer.status, body, seconds > 0 ? seconds * 1000 : undefined);
}

/** Worth a repeat: not reached, no answer in time, or the server asks to come later. */
function isPassing(error) {
    return !(error instanceof Problem) || error.status >= 500 || error.status === 429
        || error.status === 408;
}
