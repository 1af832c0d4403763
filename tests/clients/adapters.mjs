// The clients under test, each started the way its users do. An adapter takes the address of the
// stream, a token, and `take(type, id, data)`, and gives a function that closes it.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { EventSource as PackageEventSource } from 'eventsource';
import { EventSource as UndiciEventSource } from 'undici';
import { XMLHttpRequest } from './xhr.mjs';

const require = createRequire(import.meta.url);
const TYPES = ['connected', 'caught_up', 'heartbeat', 'new_message', 'reset', 'gap', 'ended',
  'busy', 'reconnect', 'room_denied', 'user_joined'];

function withQuery(url, token) {
  const full = new URL(url);
  full.searchParams.set('access_token', token);
  return full.href;
}

function listen(source, take) {
  for (const type of TYPES) {
    source.addEventListener(type, (event) => take(type, event.lastEventId, event.data));
  }
  return () => source.close();
}

function eventsource(url, token, take) {
  return listen(new PackageEventSource(url, {
    fetch: (input, init) => fetch(input, { ...init,
      headers: { ...init.headers, Authorization: `Bearer ${token}` } }),
  }), take);
}

function undici(url, token, take) {
  return listen(new UndiciEventSource(withQuery(url, token)), take);
}

function polyfill(url, token, take) {
  const { EventSourcePolyfill } = require('event-source-polyfill');
  return listen(new EventSourcePolyfill(url, { headers: { Authorization: `Bearer ${token}` } }),
    take);
}

// As in www/clients.html: the cursor is the one that was handled. React Native's bundler takes
// module syntax in any file; Node 18 wants to be told.
async function reactNative(url, token, take) {
  globalThis.XMLHttpRequest = XMLHttpRequest;
  const text = readFileSync(require.resolve('react-native-sse/src/EventSource.js'), 'utf8');
  const { default: EventSource } = await import(
    `data:text/javascript,${encodeURIComponent(text)}`);
  let cursor = null;
  const headers = {
    get Authorization() { source.lastEventId = cursor; return `Bearer ${token}`; },
  };
  const source = new EventSource(url, { headers, timeoutBeforeConnection: 0 });
  return listen(source, (type, id, data) => {
    take(type, id, data);
    cursor = id;
  });
}

// This client takes an id for received as soon as its line is, even if the rest of the block never
// comes: cut there, it would skip that event. So the cursor is kept where events are handled, and
// put into each request, as in www/clients.html.
function fetchEventSource(url, token, take) {
  globalThis.window ??= globalThis;
  globalThis.document ??= { hidden: false, addEventListener() {}, removeEventListener() {} };
  const { fetchEventSource: start } = require('@microsoft/fetch-event-source');
  const controller = new AbortController();
  let cursor;
  start(url, {
    fetch: (input, init) => {
      const { 'last-event-id': early, ...headers } = init.headers;
      return fetch(input, { ...init,
        headers: cursor ? { ...headers, 'Last-Event-ID': cursor } : headers });
    },
    headers: { Authorization: `Bearer ${token}` },
    signal: controller.signal,
    openWhenHidden: true,
    onmessage(event) {
      take(event.event, event.id, event.data);
      if (event.id) cursor = event.id;
    },
    onclose() {
      throw new Error('ended: come back');
    },
    onerror() {}, // again, after the `retry:` of the server
  });
  return () => controller.abort();
}

export const adapters = {
  eventsource,
  undici,
  'event-source-polyfill': polyfill,
  'react-native-sse': reactNative,
  '@microsoft/fetch-event-source': fetchEventSource,
};
