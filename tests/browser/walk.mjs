// Two people on the chat page talk while the server restarts:
//   node walk.mjs '{"origin", "screenshots"?}'
import { Person, ask, run, say } from './person.mjs';

// Chromium's own EventSource, by the cookie of the page, by types.
async function nativeStream(person, said) {
  await person.page.evaluate(() => {
    window.heard = [];
    window.source = new EventSource('/v1/events');
    for (const type of ['connected', 'new_message']) {
      window.source.addEventListener(type, (event) => window.heard.push(
        { type, id: event.lastEventId, data: JSON.parse(event.data) }));
    }
  });
  await person.page.waitForFunction(() => window.heard.some((one) => one.type === 'connected'));
  await person.send('natively');
  said.push('natively');
  await person.page.waitForFunction(() => window.heard.some((one) => one.type === 'new_message'));
  const heard = await person.page.evaluate(() => window.heard.at(-1));
  if (heard.data.text !== 'natively' || heard.id !== heard.data.id) {
    throw new Error(`heard ${JSON.stringify(heard)}`);
  }
}

async function walk(browser) {
  const said = ['Hello?', 'Is anyone here?', 'I will wait.'];
  const alice = await Person.enter(browser, 'Alice');
  await alice.join('walk');
  for (const text of said) await alice.send(text);
  await alice.sees(said);
  say({ seen: 'one person talks to herself' });

  const bob = await Person.enter(browser, 'Bob');
  await bob.join('walk');
  await bob.sees(said);
  say({ seen: 'history on joining' });

  for (const [who, text] of [[bob, 'Here I am \u{1F44B}'], [alice, '<b>Welcome</b> & "hello"'],
    [bob, 'Line one\nline two'], [alice, 'Good.']]) {
    await who.send(text);
    said.push(text);
    await alice.sees(said);
    await bob.sees(said);
  }
  say({ seen: 'they chat' });

  await nativeStream(alice, said);
  await bob.sees(said);
  say({ seen: 'a native EventSource by cookie' });

  await alice.isIn('live');
  await ask('stop the server');
  await bob.isIn('reconnecting');
  say({ seen: 'the break is shown' });
  said.push(...JSON.parse(await ask('start the server and post')));
  await bob.sees(said);
  await alice.sees(said);
  await alice.isIn('live');
  await bob.isIn('live');
  await bob.send('That was short.');
  said.push('That was short.');
  await alice.sees(said);
  say({ seen: 'both come back by themselves and missed nothing' });

  await alice.page.waitForFunction((count) => window.heard.filter(
    (one) => one.type === 'new_message').length === count, said.length - 7);
  say({ seen: 'so does the native EventSource' });

  await alice.screenshot('walk');
  const problems = [...alice.problems, ...bob.problems];
  if (problems.length) throw new Error(problems.join('; '));
  say({ seen: 'no error in the page' });
}

await run(walk);
