/**
 * The dialog about a room: who is in it, what can be done with them, leaving.
 */
import { attempt } from './dialogs.js';
import { openMenu } from './menu.js';
import { roomPath } from './pane.js';
import { ago, byId, clone, drawAvatar, drawList, drawPresence, setText } from './view.js';

const HOUR_MS = 3_600_000;
const RANKS = { member: 0, moderator: 1, owner: 2 };

export function startRoomInfo(tidings, rooms, talk) {
    const { people } = rooms;
    const dialog = byId('room-info');
    const problem = byId('room-info-problem');
    const memberPath = userId => roomPath(talk.room.id, `/members/${encodeURIComponent(userId)}`);
    const banPath = userId => roomPath(talk.room.id, `/bans/${encodeURIComponent(userId)}`);
    let bans = [];

    /** Does it, with its problem told in the dialog, and shows what has come of it. */
    const act = (work, button = byId('leave')) => attempt(button, problem, async () => {
        await work();
        await read();
    });

    async function read() {
        const { room } = talk;
        if (!room || !dialog.open) {
            return;
        }
        if (!room.isDirect) {
            await talk.readMembers(room);
        }
        bans = room.mayModerate
            ? (await tidings.request('GET', roomPath(room.id, '/bans'))).bans : [];
        draw();
    }

    function draw() {
        const { room } = talk;
        if (!room || !dialog.open) {
            return;
        }
        const members = room.isDirect ? room.info.members ?? []
            : [...room.members?.values() ?? []];
        const kind = room.isDirect ? 'Just the two of you'
            : room.info.kind === 'public' ? 'Public room' : 'Private room';
        const count = room.info.memberCount ?? members.length;
        setText(byId('room-info-title'), room.title);
        setText(byId('room-info-what'), [kind, room.info.announce && 'announcements',
            !room.isDirect && `${count} ${count === 1 ? 'person' : 'people'}`,
            !room.isDirect && `id ${room.id}`].filter(Boolean).join(' · '));
        byId('add-member').hidden = !room.mayModerate;
        byId('leave').hidden = room.isDirect;
        drawList(byId('members'), sorted(members).map(memberRow));
        byId('bans').hidden = bans.length === 0;
        drawList(byId('bans').querySelector('ul'), bans.map(banRow));
    }

    const isThere = member => people.presenceOf(member.userId).status !== 'offline';

    /** Those who are there first, then by rank and name. */
    function sorted(members) {
        return [...members].sort((a, b) => isThere(b) - isThere(a)
            || (RANKS[b.role] ?? 0) - (RANKS[a.role] ?? 0)
            || people.nameOf(a.userId).localeCompare(people.nameOf(b.userId)));
    }

    function memberRow(member) {
        return {
            key: member.userId,
            make: () => clone('t-member'),
            update(row) {
                const name = people.nameOf(member.userId);
                drawAvatar(row.querySelector('.avatar'), member.userId, name);
                drawPresence(row.querySelector('.dot'), people, member.userId);
                setText(row.querySelector('b'), name);
                setText(row.querySelector('.what .soft'),
                    [`@${member.userId}`, people.describe(member.userId, ago)]
                        .filter(Boolean).join(' · '));
                setText(row.querySelector('.role'), [
                    member.role === 'member' ? '' : member.role,
                    isMuted(member) ? 'muted' : '',
                    people.blocked.has(member.userId) ? 'blocked' : ''].filter(Boolean).join(', '));
                const more = row.querySelector('.more');
                more.hidden = member.userId === rooms.me;
                more.onclick = () => openMenu(more, linesFor(member, name));
            },
        };
    }

    const isMuted = member => (member.mutedUntil ?? 0) > Date.now();

    function linesFor(member, name) {
        const { userId } = member;
        const blocked = people.blocked.has(userId);
        return [
            !talk.room.isDirect && { label: 'Write to them', act: () => openDirect(userId) },
            ...moderation(member, name),
            { label: blocked ? 'Unblock' : 'Block', bad: !blocked,
                act: () => act(() => block(userId, !blocked)) },
        ];
    }

    /** By rank: those below oneself, and owners one another. */
    function moderation(member, name) {
        const { room } = talk;
        const own = RANKS[room.info.role] ?? 0;
        const theirs = RANKS[member.role] ?? 0;
        if (!room.mayModerate || (theirs >= own && room.info.role !== 'owner')) {
            return [];
        }
        const change = body => () => act(() => tidings.request('PUT', memberPath(member.userId),
            body));
        const roles = Object.keys(RANKS).filter(
            role => role !== member.role && RANKS[role] <= own);
        return [
            ...roles.map(role => ({ label: `Make ${role}`, act: change({ role }) })),
            isMuted(member) ? { label: 'Unmute', act: change({ mutedUntil: null }) }
                : { label: 'Mute for an hour',
                    act: () => change({ mutedUntil: Date.now() + HOUR_MS })() },
            { label: 'Remove from the room', bad: true, act: () => act(() =>
                tidings.request('DELETE', memberPath(member.userId))) },
            { label: 'Ban', bad: true, act: () => ban(member.userId, name) },
        ];
    }

    function ban(userId, name) {
        if (confirm(`Ban ${name} from this room, and delete what they wrote in it?`)) {
            act(() => tidings.request('PUT', banPath(userId), { deleteMessages: true }));
        } else if (confirm(`Ban ${name}, and keep what they wrote?`)) {
            act(() => tidings.request('PUT', banPath(userId), {}));
        }
    }

    function banRow({ userId, until }) {
        return {
            key: userId,
            make: () => clone('t-blocked'),
            update(row) {
                drawAvatar(row.querySelector('.avatar'), userId, people.nameOf(userId));
                setText(row.querySelector('b'), people.nameOf(userId));
                setText(row.querySelector('.what .soft'), until ? `until ${ago(until)}` : '');
                const button = row.querySelector('button');
                setText(button, 'Lift the ban');
                button.onclick = () => act(() => tidings.request('DELETE', banPath(userId)),
                    button);
            },
        };
    }

    async function block(userId, blocked) {
        await tidings.request(blocked ? 'PUT' : 'DELETE',
            `/v1/blocks/${encodeURIComponent(userId)}`);
        people.blocked[blocked ? 'add' : 'delete'](userId);
        talk.changed();
    }

    function openDirect(userId) {
        attempt(byId('leave'), problem, async () => {
            const { roomId } = await tidings.request('POST',
                `/v1/direct/${encodeURIComponent(userId)}`);
            rooms.putRoom(await tidings.request('GET', roomPath(roomId)));
            dialog.close();
            talk.go(roomId);
        });
    }

    byId('room-open').onclick = () => {
        byId('members').replaceChildren();
        bans = [];
        dialog.showModal();
        draw();
        attempt(byId('leave'), problem, read);
    };
    dialog.onsubmit = submit => {
        submit.preventDefault();
        const userId = byId('add-member-id').value.trim();
        act(async () => {
            await tidings.request('PUT', memberPath(userId), {});
            byId('add-member-id').value = '';
        }, byId('add-member-go'));
    };
    byId('leave').onclick = () => attempt(byId('leave'), problem, async () => {
        const { room } = talk;
        await tidings.request('POST', roomPath(room.id, '/leave'));
        rooms.remove(room.id);
        dialog.close();
        talk.go('');
    });
    return { draw };
}
