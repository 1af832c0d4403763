/**
 * Joining and making rooms, who is in one, leaving it.
 */
import { explain, slug } from './signin.js';
import { byId, drawMembers } from './view.js';

export function startDialogs(tidings, rooms, talk) {
    const roomPath = (roomId, rest = '') => `/v1/rooms/${encodeURIComponent(roomId)}${rest}`;

    async function join(roomId) {
        const answer = await tidings.request('POST', roomPath(roomId, '/join'));
        const info = await tidings.request('GET', roomPath(roomId));
        answer.members?.forEach(each => rooms.learnName(each.userId, each.userData?.name));
        return rooms.putRoom({ ...info, role: answer.role });
    }

    /** Joins the public room of that name, or makes it; a private one is always made. */
    async function joinOrMake(name, isPrivate) {
        const roomId = slug(name);
        if (isPrivate || !roomId) {
            const kind = isPrivate ? 'private' : 'public';
            return rooms.putRoom(await tidings.request('POST', '/v1/rooms', { kind, name }));
        }
        const naming = name === roomId ? {} : { name };
        try {
            const room = await join(roomId);
            if (room.info.role === 'owner' && !room.info.name && naming.name) {
                // The server made it just now, under its id alone.
                return rooms.putRoom(await tidings.request('PUT', roomPath(roomId), naming));
            }
            return room;
        } catch (error) {
            if (error.status !== 404) {
                throw error;
            }
        }
        return rooms.putRoom(await tidings.request('PUT', roomPath(roomId),
            { kind: 'public', ...naming }));
    }

    /** Runs what a button asks for, with the button off and its problem told beside it. */
    async function attempt(button, problem, work) {
        problem.textContent = '';
        button.disabled = true;
        try {
            await work();
        } catch (error) {
            problem.textContent = error.status === 404
                ? 'There is no such room, or not for you.' : explain(error);
        }
        button.disabled = false;
    }

    async function showMembers(room) {
        const members = [];
        let next = null;
        do {
            const query = next ? `?from=${encodeURIComponent(next)}` : '';
            const page = await tidings.request('GET', roomPath(room.id, `/members${query}`));
            members.push(...page.members);
            next = page.next;
        } while (next && members.length < 500);
        members.forEach(each => rooms.learnName(each.userId, each.userData?.name));
        drawMembers(members, rooms);
        if (!next) {
            describe(room, members.length);
        }
    }

    function describe(room, count) {
        byId('room-info-what').textContent = [
            room.info.kind === 'public' ? 'Public room' : 'Private room',
            `${count} ${count === 1 ? 'person' : 'people'}`, `id ${room.id}`].join(' · ');
    }

    function openInfo() {
        const { room } = talk;
        byId('room-info-title').textContent = room.title;
        describe(room, room.info.memberCount);
        byId('add-member').hidden = room.info.role !== 'owner';
        byId('members').replaceChildren();
        byId('room-info').showModal();
        attempt(byId('leave'), byId('room-info-problem'), () => showMembers(room));
    }

    for (const button of document.querySelectorAll('dialog .cancel')) {
        button.onclick = () => button.closest('dialog').close();
    }

    byId('new-room-open').onclick = () => {
        byId('new-room').querySelector('form').reset();
        byId('new-room-problem').textContent = '';
        byId('new-room').showModal();
        byId('new-room-name').focus();
    };
    byId('new-room').onsubmit = submit => {
        submit.preventDefault();
        const name = byId('new-room-name').value.trim();
        attempt(submit.submitter, byId('new-room-problem'), async () => {
            if (!name) {
                throw new Error('Please give it a name.');
            }
            const room = await joinOrMake(name, byId('new-room-private').checked);
            byId('new-room').close();
            talk.go(room.id);
        });
    };

    byId('join-lobby').onclick = () => attempt(byId('join-lobby'),
        byId('no-rooms').querySelector('.problem'),
        async () => talk.go((await joinOrMake('Lobby', false)).id));
    const stranger = byId('stranger');
    stranger.querySelector('button').onclick = () => attempt(stranger.querySelector('button'),
        stranger.querySelector('.problem'), async () => talk.go((await join(talk.wanted)).id));

    byId('room-open').onclick = openInfo;
    byId('room-info').onsubmit = submit => {
        submit.preventDefault();
        const { room } = talk;
        const userId = byId('add-member-id').value.trim();
        attempt(byId('add-member-go'), byId('room-info-problem'), async () => {
            await tidings.request('POST', roomPath(room.id, '/members'), { users: [userId] });
            byId('add-member-id').value = '';
            await showMembers(room);
        });
    };
    byId('leave').onclick = () => attempt(byId('leave'), byId('room-info-problem'), async () => {
        const { room } = talk;
        await tidings.request('POST', roomPath(room.id, '/leave'));
        rooms.remove(room.id);
        byId('room-info').close();
        talk.go('');
    });
}
