/**
 * Joining and making rooms.
 */
import { roomPath } from './pane.js';
import { explain, slug } from './signin.js';
import { byId } from './view.js';

/** Runs what a button asks for, with the button off and its problem told beside it. */
export async function attempt(button, problem, work) {
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

export function startDialogs(tidings, rooms, talk) {
    async function join(roomId) {
        const answer = await tidings.request('POST', roomPath(roomId, '/join'));
        const info = await tidings.request('GET', roomPath(roomId));
        answer.members?.forEach(each => rooms.people.learn(each.userId, each.userData));
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
}
