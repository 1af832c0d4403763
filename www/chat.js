/**
 * The chat page: joins the client (tidings.js), what is known (rooms.js, changes.js), the open
 * conversation (talk.js) and what is seen (view.js).
 */
import { Tidings } from './tidings.js';
import { applyEvent } from './changes.js';
import { Rooms } from './rooms.js';
import { Talk } from './talk.js';
import { Markers } from './markers.js';
import { Status } from './status.js';
import { shareConnections } from './tabs.js';
import { startDialogs } from './dialogs.js';
import { startRoomInfo } from './room_info.js';
import { developmentToken, explain, showSignIn } from './signin.js';
import * as storage from './storage.js';
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

const device = storage.deviceName();
const recounted = new Set(); // rooms that the server is asked about
const rooms = new Rooms();
const tidings = new Tidings({ getToken: developmentToken, onEvent, onState });
const talk = new Talk(tidings, rooms);
const markers = new Markers(tidings, rooms, device);
const status = new Status(tidings, rooms.people, () => talk.changed());
let bannerTimer = null;
let reloading = null;
let told = null;          // `connected`, until it has been compared with what we count

/** Reads the state, then opens the stream at exactly that state. */
async function start() {
    const me = storage.loadMe();
    rooms.people.me = me.userId;
    rooms.people.learn(me.userId, me);
    rooms.people.onExpired = () => talk.changed();
    const asOf = await readState();
    for (const [roomId, heard] of storage.loadMarkers(me.userId)) {
        heard.forEach(([userId, marker]) => rooms.get(roomId)?.markers.set(userId, marker));
    }
    byId('me').querySelector('b').textContent = me.name;
    drawAvatar(byId('me').querySelector('.avatar'), me.userId, me.name);
    byId('sign-in').hidden = true;
    byId('app').hidden = false;
    startDialogs(tidings, rooms, talk);
    const roomInfo = startRoomInfo(tidings, rooms, talk);
    talk.onSeen = room => markers.noteSeen(room);
    talk.onDrawn = () => {
        status.draw();
        roomInfo.draw();
    };
    tidings.open({ since: asOf, device });
    shareConnections(rest, resume);
    status.start();
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
        tidings.open({ device });
    }
}

async function readState() {
    const [asOf, blocked] = await Promise.all(
        [readRooms(), readPages('/v1/blocks', page => page.blocks)]);
    rooms.people.blocked = new Set(blocked.map(block => block.userId));
    return asOf;
}

async function readPages(path, take) {
    const found = [];
    let next = null;
    do {
        const query = next ? `?from=${encodeURIComponent(next)}` : '';
        const page = await tidings.request('GET', path + query);
        found.push(...take(page));
        next = page.next;
    } while (next);
    return found;
}

async function readRooms() {
    let asOf = null; // the first page's: what changed since then comes as events
    const infos = await readPages('/v1/rooms', page => {
        asOf ??= page.asOf;
        return page.rooms.map(info => ({ ...info, asOf: page.asOf }));
    });
    rooms.putRooms(infos, asOf);
    return asOf;
}

/** Something was missed (`reset`, `gap`): what is here may be out of date or have holes. */
function reload() {
    reloading ??= (async () => {
        try {
            await readRooms();
            talk.route();
            await talk.reload();
        } catch (error) {
            setTimeout(reload, error.retryAfterMs ?? 3_000);
        }
        reloading = null;
    })();
}

/** Everything has been given: do we count as many unread as the server did? */
function checkCounts() {
    if (told && told.unread !== rooms.unread) {
        readRooms().then(() => talk.changed()).catch(() => {}); // compared again next time
    }
    told = null;
}

/** Only the server can tell how much of a room is unread. */
async function recount(room) {
    recounted.add(room);
    await tidings.request('GET', `/v1/rooms/${encodeURIComponent(room.id)}`)
        .then(info => rooms.putRoom(info)).catch(() => {}); // asked again at its next event
    recounted.delete(room);
    talk.changed();
}

function onEvent(event) {
    switch (event.type) {
    case 'connected':
        if (event.userId !== rooms.me) {
            storage.saveMe({ userId: event.userId, name: event.userId });
            location.reload(); // the cookie is someone else's by now
        }
        told = event;
        status.onConnected();
        return;
    case 'reset':
        rooms.startAnew();
        reload();
        return;
    case 'gap':
        reload();
        return;
    default:
    }
    if (!applyEvent(rooms, event)) {
        return;
    }
    const room = rooms.get(event.roomId);
    if (event.type === 'new_message') {
        onMessage(event, room);
    } else if (event.type === 'caught_up') {
        markers.noteGiven();
        status.onCaughtUp(rooms.partners);
        checkCounts();
    }
    if (room?.doubtful && !recounted.has(room)) {
        recount(room);
    }
    if ((rooms.get(talk.wanted) ?? null) !== talk.room) {
        talk.route(); // the room before us has become ours, or is ours no more
    }
    talk.changed();
}

function onMessage(event, room) {
    if (event.sender?.userId === rooms.me) {
        talk.keepOutbox();
        return;
    }
    markers.noteGiven();
    if (room === talk.room) {
        speak(`${rooms.people.nameOf(event.sender?.userId)}: ${event.text ?? 'sent data'}`);
    }
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
        button.onclick = () => tidings.open({ device });
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
    storage.saveOutbox(rooms.me, []);
    storage.saveMe(null); // other tabs hear of it and go too
    location.replace('/');
}

function keepMarkers() {
    if (!rooms.me) {
        return;
    }
    storage.saveMarkers(rooms.me, rooms.sorted.slice(0, 50)
        .map(room => [room.id, [...room.markers].slice(-50)]));
}

async function main() {
    addEventListener('pagehide', keepMarkers);
    byId('sign-out').onclick = signOut;
    addEventListener('storage', change => {
        if (change.key === storage.ME_KEY && storage.loadMe()?.userId !== rooms.me && rooms.me) {
            location.reload();
        }
    });
    if (!storage.loadMe()) {
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
