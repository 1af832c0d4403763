/**
 * Signing in: by a name where the server gives out development tokens, else by a token.
 *
 * The token goes to the server once, which answers with a cookie that scripts cannot read. The
 * name is remembered, to prefill the form and to renew development tokens.
 */
import { Problem, makeId } from './tidings.js';
import { loadMe, saveMe } from './storage.js';
import { byId } from './view.js';

/** A name as an identifier: `Zoë Q.` is `zoe-q`; empty if nothing of it can stay. */
export function slug(name) {
    return name.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase()
        .replace(/[^a-z0-9._~-]+/g, '-').replace(/^[-.]+|[-.]+$/g, '').slice(0, 100);
}

/** A sentence for people. */
export function explain(error) {
    if (error instanceof Problem) {
        return error.status === 429 ? 'That was too much at once. Wait a moment.' : error.message;
    }
    if (error instanceof TypeError || error.name === 'TimeoutError') {
        return 'The server cannot be reached.';
    }
    return error.message;
}

/** What tidings.js calls when it needs a token. */
export async function developmentToken() {
    const me = loadMe();
    if (!me) {
        throw new Problem(401, { code: 'token_missing', detail: 'Nobody has signed in.' });
    }
    const answer = await fetch('/v1/dev/token', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ userId: me.userId, name: me.name }),
    });
    const body = await answer.json().catch(() => ({}));
    if (!answer.ok) {
        throw new Problem(answer.status, body);
    }
    return body.token;
}

async function signInByName(tidings, name) {
    if (!name) {
        byId('name').focus();
        throw new Error('Please give a name.');
    }
    saveMe({ userId: slug(name) || makeId('user'), name });
    await tidings.signIn();
}

async function signInByToken(tidings, token) {
    if (!token) {
        byId('token').focus();
        throw new Error('Please paste a token.');
    }
    const { userId } = await tidings.signIn(token);
    saveMe({ userId, name: userId });
}

function askForToken() {
    byId('by-name').hidden = true;
    byId('by-token').hidden = false;
    byId('token').focus();
}

/** Shows the form; `then` is called when someone has signed in. */
export function showSignIn(tidings, then) {
    byId('app').hidden = true;
    byId('sign-in').hidden = false;
    byId('name').value = loadMe()?.name ?? '';
    document.title = 'Tidings';
    offerSecondPerson();
    byId('sign-in-form').onsubmit = async submit => {
        submit.preventDefault();
        const button = byId('sign-in-form').querySelector('button');
        byId('sign-in-problem').textContent = '';
        button.disabled = true;
        try {
            if (byId('by-name').hidden) {
                await signInByToken(tidings, byId('token').value.trim());
            } else {
                await signInByName(tidings, byId('name').value.trim());
            }
            await then();
        } catch (error) {
            if (!byId('by-name').hidden && [403, 404, 405].includes(error.status)) {
                askForToken();
            } else {
                byId('sign-in-problem').textContent = explain(error);
            }
        }
        button.disabled = false;
    };
    byId('name').focus();
}

/** A browser holds one cookie for each host name, and a loopback server has two of these. */
function offerSecondPerson() {
    const other = { '127.0.0.1': 'localhost', localhost: '127.0.0.1' }[location.hostname];
    if (!other) {
        return;
    }
    const link = document.createElement('a');
    link.href = `${location.protocol}//${other}:${location.port}/${location.hash}`;
    link.textContent = other;
    byId('two-people').replaceChildren('To be a second person at the same time, use a private',
        ' window or ', link, '.');
    byId('two-people').hidden = false;
}
