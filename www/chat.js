/**
 * The chat page: joins the client (tidings.js), what is known (rooms.js), the open conversation
 * (talk.js) and what is seen (view.js).
 */
import { Tidings } from './tidings.js';
import { Rooms } from './rooms.js';
import { Talk } from './talk.js';
import { shareConnections } from './tabs.js';
import { startDialogs } from './dialogs.js';
import { developmentToken, explain, showSignIn } from './signin.js';
import { ME_KEY, loadMe, loadSeen, saveMe, saveOutbox } from './storage.js';
import { byId, drawAvatar, speak } from './view.js';

const STATES = {
    idle: 'Live in another tab',
    connecting: 'Connecting …',
    live: 'Live',
    reconnecting: 'Reconnecting …',
    ended: 'Disconnected',
};
const ENDS = {
    replaced: 'This session goes on in another window.',
    too_many_sessions: 'Too many windows are open, and this was the oldest.',
    token_expired: 'Your sign-in has expired.',
    token_revoked: 'Your sign-in was revoked.',
    token_missing: 'You are signed out.',
    other_user: 'Someone else has signed in in another tab.',
};
const MAY_COME_BACK = ['replaced', 'too_many_sessions'];
const BANNER_AFTER_MS = 1_500; // a short break is nobody's business

const rooms = new Rooms();
const tidings = new Tidings({ getToken: developmentToken, onEvent, onState });
const talk = new Talk(tidings, rooms);
let bannerTimer = null;

/** Reads the state, then opens the stream at exactly that state. */
async function start() {
    const me = loadMe();
    rooms.userId = me.userId;
    rooms.learnName(me.userId, me.name);
    const asOf = await readRooms();
    byId('me').querySelector('b').textContent = me.name;
    drawAvatar(byId('me').querySelector('.avatar'), me.userId, me.name);
    byId('sign-in').hidden = true;
    byId('app').hidden = false;
    startDialogs(tidings, rooms, talk);
    tidings.open({ since: asOf });
    shareConnections(rest, resume);
    talk.start();
}

/** Another tab has a stream; ours comes back when it is looked at. What has ended stays so. */
function rest() {
    if (tidings.state !== 'ended') {
        tidings.close();
    }
}

function resume() {
    if (tidings.state !== 'ended') {
        tidings.open();
    }
}

async function readRooms() {
    const infos = [];
    let asOf = null;
    let next = null;
    do {
        const query = next ? `?from=${encodeURIComponent(next)}` : '';
        const page = await tidings.request('GET', `/v1/rooms${query}`);
        infos.push(...page.rooms.map(info => ({ ...info, asOf: page.asOf })));
        asOf ??= page.asOf; // the first page's: what changed since then comes as events
        next = page.next;
    } while (next);
    rooms.putRooms(infos, loadSeen(rooms.userId));
    return asOf;
}

/** The cursor was of no use: what is here may have holes that nobody can tell. */
async function reload() {
    rooms.sorted.forEach(room => room.forget());
    try {
        await readRooms();
    } catch (error) {
        setTimeout(reload, error.retryAfterMs ?? 3_000);
        return;
    }
    talk.route();
    if (talk.room) {
        talk.readOlder(talk.room);
    }
}

function onEvent(event) {
    switch (event.type) {
    case 'connected':
        if (event.userId !== rooms.userId) {
            saveMe({ userId: event.userId, name: event.userId });
            location.reload(); // the cookie is someone else's by now
        }
        return;
    case 'reset':
        reload();
        return;
    case 'gap':
        talk.fillGap(event);
        return;
    default:
    }
    const room = rooms.apply(event);
    if (!room) {
        return;
    }
    if (event.type === 'new_message' && event.sender.userId === rooms.userId) {
        talk.keepOutbox();
    } else if (event.type === 'new_message' && room === talk.room) {
        speak(`${rooms.nameOf(event.sender.userId)}: ${event.text ?? 'sent data'}`);
    }
    if ((rooms.get(talk.wanted) ?? null) !== talk.room) {
        talk.route(); // the room before us has become ours, or is ours no more
    }
    talk.changed();
}

// ---- The state of the connection -----------------------------------------------------------

function onState(state, why) {
    byId('connection').dataset.state = state;
    byId('connection').lastElementChild.textContent = STATES[state];
    clearTimeout(bannerTimer);
    const wait = state === 'reconnecting' && !why.code ? BANNER_AFTER_MS : 0;
    bannerTimer = setTimeout(() => showBanner(state, why), wait);
}

function reasonOf(state, { code, afterMs }) {
    if (state === 'ended') {
        return ENDS[code] ?? `The server has ended this session (${code}).`;
    }
    if (code === 'reconnect') {
        return 'The server is being restarted. One moment …';
    }
    if (code && code !== 'token_expired') {
        const when = afterMs ? `in ${Math.ceil(afterMs / 1000)} s` : 'soon';
        return `The server is busy. Trying again ${when} …`;
    }
    return 'Connection lost. Reconnecting …';
}

function showBanner(state, why) {
    const banner = byId('banner');
    const button = banner.querySelector('button');
    banner.hidden = state !== 'reconnecting' && state !== 'ended';
    banner.classList.toggle('bad', state === 'ended');
    button.hidden = state !== 'ended';
    if (banner.hidden) {
        return;
    }
    banner.querySelector('span').textContent = reasonOf(state, why);
    if (MAY_COME_BACK.includes(why.code)) {
        button.textContent = 'Connect again';
        button.onclick = () => tidings.open();
    } else {
        button.textContent = 'Sign in';
        button.onclick = () => showSignIn(tidings, () => location.reload());
    }
}

// ---- Coming and going ----------------------------------------------------------------------

async function signOut() {
    if (talk.waiting.length > 0
        && !confirm('Some messages are not sent yet. Sign out all the same?')) {
        return;
    }
    await tidings.signOut().catch(() => {});
    saveOutbox(rooms.userId, []);
    saveMe(null); // other tabs hear of it and go too
    location.replace('/');
}

async function main() {
    byId('sign-out').onclick = signOut;
    addEventListener('storage', change => {
        if (change.key === ME_KEY && loadMe()?.userId !== rooms.userId && rooms.userId) {
            location.reload();
        }
    });
    if (!loadMe()) {
        showSignIn(tidings, start);
        return;
    }
    try {
        await start();
    } catch (error) {
        showSignIn(tidings, start);
        if (error.status !== 401) {
            byId('sign-in-problem').textContent = explain(error);
        }
    }
}

main();
