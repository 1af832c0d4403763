// Two people use all that a chat has:
//   node chat.mjs '{"origin", "screenshots"?}'
import { Person, ask, run, say } from './person.mjs';

const ROOM = 'Garden';

async function whoIsThere(alice, bob) {
  await alice.page.click('#room-open');
  const dot = alice.page.locator('#members li', { hasText: 'Bob' }).locator('.dot');
  await alice.has(dot.and(alice.page.locator('[data-status=online]')));
  await alice.closeMembers();
  await bob.has('#me-dot[data-status=online]');
  say({ seen: 'who is there' });
}

async function whoIsTyping(alice, bob) {
  await bob.page.locator('#text').pressSequentially('Hel');
  await alice.has(alice.page.locator('#typing', { hasText: 'Bob is typing' }));
  await alice.has(alice.room(ROOM).locator('.last.typing'));
  await bob.page.fill('#text', '');
  await alice.has(alice.page.locator('#typing:empty'));
  await bob.page.locator('#text').pressSequentially('Hello');
  await alice.has(alice.page.locator('#typing', { hasText: 'Bob is typing' }));
  await bob.page.press('#text', 'Enter');
  await alice.has(alice.message('Hello'));
  await alice.has(alice.page.locator('#typing:empty'));
  say({ seen: 'who is typing' });
}

async function edit(alice, bob) {
  await bob.send('Beans or paes?');
  await alice.has(alice.message('Beans or paes?'));
  await bob.page.press('#text', 'ArrowUp');
  await bob.page.fill('.editor textarea', 'Beans or peas?');
  await bob.page.press('.editor textarea', 'Enter');
  await alice.has(alice.message('Beans or peas?').locator('.edited', { hasText: 'edited' }));
  await alice.lacks(alice.message('Beans or paes?'));
  await bob.lacks('.editor');
  say({ seen: 'an edit in its place' });
}

async function reactions(alice, bob) {
  const reaction = (who) => who.message('Beans or peas?').locator('.reactions button');
  await alice.choose('Beans or peas?', '👍');
  await bob.has(reaction(bob).filter({ hasText: '👍' }).and(
    bob.page.locator('[aria-pressed=false]')));
  await reaction(bob).click(); // me too
  await alice.has(reaction(alice).filter({ hasText: '2' }).and(
    alice.page.locator('[aria-pressed=true][title="Alice, You"], [title="You, Bob"]')));
  await alice.choose('Beans or peas?', '🎉');
  await bob.has(reaction(bob), 2);
  await reaction(bob).first().click(); // not I
  await alice.has(reaction(alice).filter({ hasText: '1' }), 2);
  say({ seen: 'reactions' });
}

async function deletion(alice, bob) {
  await bob.send('Never mind');
  await alice.has(alice.message('Never mind'));
  await alice.choose('Never mind', 'Copy text');
  await bob.choose('Never mind', 'Delete');
  await alice.lacks(alice.message('Never mind'));
  await alice.has(alice.message('Message deleted'));
  await bob.has(bob.message('Message deleted').locator('.more[hidden]'));
  say({ seen: 'a deletion' });
}

async function mention(alice, bob) {
  await alice.join('Elsewhere');
  await bob.page.locator('#text').pressSequentially('@al');
  await bob.page.locator('#suggestions [aria-selected=true]', { hasText: 'Alice' }).waitFor();
  await bob.page.press('#text', 'Enter');
  await bob.page.locator('#text').pressSequentially('what do you say?');
  await bob.page.press('#text', 'Enter');
  await bob.has(bob.message('@Alice what do you say?').locator('.mention'));
  await alice.has(alice.room(ROOM).locator('.mentioned:not([hidden])'));
  await alice.room(ROOM).click();
  await alice.has(alice.message('what do you say?').locator('.mention.me'));
  await alice.has(alice.room(ROOM).locator('.mentioned[hidden]'));
  say({ seen: 'a mention' });
}

async function reply(alice, bob) {
  await alice.choose('what do you say?', 'Reply');
  await alice.send('Beans.');
  await bob.has(bob.message('Beans.').locator('.quote', { hasText: 'Bob: @Alice what do' }));
  await bob.message('Beans.').locator('.quote').click();
  await bob.has('#list .message.flash');
  say({ seen: 'a reply' });
}

async function thread(alice, bob) {
  await alice.choose('Beans or peas?', 'Reply in a thread');
  await alice.has(alice.message('Beans or peas?', '#thread'));
  await alice.page.fill('#thread-composer textarea', 'Which beans, though?');
  await alice.page.press('#thread-composer textarea', 'Enter');
  await bob.has(bob.message('Beans or peas?').locator('.replies', { hasText: '1 reply' }));
  await bob.lacks(bob.message('Which beans, though?'));
  await bob.message('Beans or peas?').locator('.replies').click();
  await bob.has(bob.message('Which beans, though?', '#thread'));
  await bob.page.fill('#thread-composer textarea', 'The red ones');
  await bob.page.press('#thread-composer textarea', 'Enter');
  await alice.has(alice.message('The red ones', '#thread'));
  await alice.has(alice.message('Beans or peas?').locator('.replies', { hasText: '2 replies' }));
  await alice.screenshot('thread');
  await alice.page.press('#thread-composer textarea', 'Escape');
  await bob.page.click('#thread-close');
  await bob.lacks('#thread:not([hidden])');
  say({ seen: 'a thread' });
}

async function unread(alice, bob) {
  await alice.room('Elsewhere').click();
  for (const text of ['One', 'Two', 'Three']) await bob.send(text);
  await alice.has(alice.room(ROOM).locator('.unread', { hasText: /^3$/ }));
  await alice.page.waitForFunction(() => document.title.startsWith('(3) '));
  await bob.choose('Two', 'Delete');
  await alice.has(alice.room(ROOM).locator('.unread', { hasText: /^2$/ }));
  await alice.page.reload();
  await alice.has(alice.room(ROOM).locator('.unread', { hasText: /^2$/ }));
  await alice.room(ROOM).click();
  await alice.has(alice.room(ROOM).locator('.unread[hidden]'));
  await alice.page.waitForFunction(() => !document.title.startsWith('('));
  await alice.has('#list .line.new');
  await alice.has(alice.message('Beans.').locator('.readers[hidden]')); // Bob has written since
  say({ seen: 'what is unread' });

  await bob.has(bob.message('Three').locator('.readers[title="Seen by Alice"] .avatar'));
  say({ seen: 'who has seen it' });
}

// What Alice reads on one screen is read on the other.
async function twoScreens(alice, bob, browser) {
  const phone = await Person.enter(browser, 'Alice', { viewport: { width: 390, height: 780 } });
  await phone.isIn('live');
  await alice.room('Elsewhere').click();
  await bob.send('Ring');
  await phone.has(phone.room(ROOM).locator('.unread', { hasText: /^1$/ }));
  await alice.has(alice.room(ROOM).locator('.unread', { hasText: /^1$/ }));
  await alice.room(ROOM).click();
  await phone.has(phone.room(ROOM).locator('.unread[hidden]'));
  await phone.page.waitForFunction(() => !document.title.startsWith('('));
  await phone.room(ROOM).click();
  await phone.has(phone.message('Ring'));
  await phone.send('From my phone');
  await alice.has(alice.page.locator('.message.mine', { hasText: 'From my phone' }));
  await bob.has(bob.message('From my phone'));
  alice.problems.push(...phone.problems);
  await phone.context.close();
  say({ seen: 'two screens of one person' });
}

async function roomOfTwo(alice, bob) {
  await alice.chooseMember('Bob', 'Write to them');
  await alice.has(alice.page.locator('#room-title', { hasText: /^Bob$/ }));
  await alice.has('#room-dot[data-status=online]');
  await alice.lacks('#list .line.note');
  await alice.send('Psst');
  await bob.has(bob.room('Alice').locator('.unread', { hasText: /^1$/ }));
  await alice.has(alice.message('Psst').locator('.ticks[title=Delivered]'));
  await bob.room('Alice').click();
  await bob.has(bob.message('Psst'));
  await alice.has(alice.message('Psst').locator('.ticks.seen[title=Seen]'));
  say({ seen: 'a room of two' });
}

async function reload(alice) {
  await alice.page.reload();
  await alice.has(alice.message('Psst').locator('.ticks.seen'));
  await alice.room(ROOM).click();
  await alice.has(alice.message('Beans or peas?').locator('.edited', { hasText: 'edited' }));
  await alice.has(alice.message('Beans or peas?').locator('.reactions [aria-pressed=true]'), 2);
  await alice.has(alice.message('Beans or peas?').locator('.replies', { hasText: '2 replies' }));
  await alice.has(alice.message('Message deleted'), 2);
  await alice.has(alice.message('Beans.').locator('.quote', { hasText: 'Bob: @Alice' }));
  await alice.lacks(alice.message('The red ones'));
  await alice.has(alice.room('Bob').locator('.dot[data-status=online]'));
  await alice.has('#me-dot[data-status=online]');
  say({ seen: 'a reload keeps all of it' });
}

async function ownStatus(alice, bob) {
  await bob.page.click('#me-open');
  await bob.page.check('#my-status [value=busy]');
  await bob.page.fill('#my-activity', 'Digging');
  await bob.page.click('#my-status .main');
  await alice.has(alice.room('Bob').locator('.dot[data-status=busy][title="Busy · Digging"]'));
  await bob.has(bob.page.locator('#me-activity', { hasText: 'Digging' }));
  await alice.screenshot('light');
  await bob.page.click('#me-open');
  await bob.page.check('#my-status [value=offline]');
  await bob.page.click('#my-status .main');
  await alice.has(alice.room('Bob').locator('.dot[data-status=offline]'));
  await alice.page.reload();
  await alice.has(alice.room('Bob').locator('.dot[data-status=offline][title^="Last seen"]'));
  await bob.page.click('#me-open');
  await bob.page.check('#my-status [value=online]');
  await bob.page.fill('#my-activity', '');
  await bob.page.click('#my-status .main');
  await alice.has(alice.room('Bob').locator('.dot[data-status=online]'));
  say({ seen: "a status of one's own" });
}

// Bob's page is hidden for more than a minute, and looked at again.
async function away(alice, bob) {
  const hide = (hidden) => bob.page.evaluate((value) => {
    Object.defineProperty(document, 'hidden', { value, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  }, hidden);
  await bob.page.clock.install();
  await bob.page.reload();
  await bob.isIn('live');
  await hide(true);
  await bob.page.clock.fastForward('01:01');
  await alice.has(alice.room('Bob').locator('.dot[data-status=away]'));
  await hide(false);
  await alice.has(alice.room('Bob').locator('.dot[data-status=online]'));
  say({ seen: 'who looks elsewhere' });
}

async function moderation(alice, bob) {
  await bob.room(ROOM).click();
  await alice.chooseMember('Bob', 'Mute for an hour');
  await bob.has(bob.page.locator('.silence:visible', { hasText: 'You are muted' }));
  await alice.has(alice.page.locator('#members .role', { hasText: 'muted' }));
  await alice.chooseMember('Bob', 'Unmute');
  await bob.has('#composer:visible');
  await alice.chooseMember('Bob', 'Make moderator');
  await alice.has(alice.page.locator('#members .role', { hasText: 'moderator' }));
  await alice.chooseMember('Bob', 'Make member');
  await alice.chooseMember('Bob', 'Ban');
  await bob.has('#stranger:visible');
  await bob.lacks(bob.room(ROOM));
  await alice.has(alice.page.locator('#bans li', { hasText: 'Bob' }));
  await alice.page.click('#bans button');
  await alice.lacks('#bans:visible');
  await alice.closeMembers();
  await bob.page.click('#stranger button');
  await bob.has('#composer:visible');
  await alice.lacks(alice.message('Three')); // the ban took what he had written
  say({ seen: 'a moderator mutes and bans' });
}

async function blocking(alice, bob) {
  await alice.room('Bob').click();
  await alice.chooseMember('Bob', 'Block');
  await alice.has(alice.page.locator('#members .role', { hasText: 'blocked' }));
  await alice.closeMembers();
  await alice.has(alice.page.locator('.silence:visible', { hasText: 'You have blocked' }));
  await bob.room('Alice').click();
  await bob.send('Hello?');
  await bob.has(bob.message('Hello?').locator('.failed'));
  await bob.page.click('.failed .discard');
  await bob.lacks(bob.message('Hello?'));
  await alice.page.click('#me-open');
  await alice.page.locator('#blocked li', { hasText: 'Bob' }).locator('button').click();
  await alice.lacks('#blocked:visible');
  await alice.page.click('#my-status .cancel');
  await alice.has('#composer:visible');
  say({ seen: 'someone is blocked' });
}

async function byKeyboard(alice, bob) {
  const { keyboard } = alice.page;
  await alice.send('Typed');
  await alice.has(alice.message('Typed').and(alice.page.locator(':not(.pending)')));
  await alice.page.focus('#messages');
  await keyboard.press('ArrowUp');
  await keyboard.press('Enter');
  await alice.page.locator('#menu').waitFor();
  await keyboard.press('Escape');
  await alice.page.locator('#menu').waitFor({ state: 'hidden' });
  await keyboard.press('Enter');
  await keyboard.press('ArrowRight'); // from the first emoji to the second
  await keyboard.press('Enter');
  await bob.has(bob.message('Typed').locator('.reactions button', { hasText: '❤️' }));
  say({ seen: 'by keyboard alone' });
}

async function restart(alice, bob) {
  await ask('stop the server');
  await alice.isIn('reconnecting');
  await bob.isIn('reconnecting');
  await ask('start the server');
  await alice.isIn('live');
  await bob.isIn('live');
  await alice.has(alice.room('Bob').locator('.dot[data-status=online]'));
  say({ seen: 'presence after a restart' });
}

async function hole(alice) {
  await alice.room(ROOM).click();
  await ask('let carol say something');
  await alice.has(alice.message('Compost?'));
  await alice.context.setOffline(true);
  await ask('stop the server');
  await alice.isIn('reconnecting');
  const said = JSON.parse(await ask('start the server and have carol say more'));
  await alice.context.setOffline(false);
  await alice.has(alice.message(/^Reason \d+$/), said.length - 1);
  const texts = await alice.texts();
  const first = texts.indexOf('Compost!');
  if (JSON.stringify(texts.slice(first)) !== JSON.stringify(said)) {
    throw new Error(`${alice.name} sees ${JSON.stringify(texts.slice(first))}`);
  }
  await alice.has(alice.message('Compost!').locator('.edited', { hasText: 'edited' }));
  say({ seen: 'more missed than is replayed' });
}

async function pictures(alice) {
  await alice.room(ROOM).click();
  await alice.page.emulateMedia({ colorScheme: 'dark' });
  await alice.screenshot('dark');
  await alice.page.emulateMedia({ colorScheme: 'light' });
  await alice.page.setViewportSize({ width: 390, height: 780 });
  await alice.screenshot('phone');
  await alice.page.click('#back');
  await alice.has('#rooms:visible');
  await alice.screenshot('phone-rooms');
  await alice.page.setViewportSize({ width: 1100, height: 760 });
}

async function chat(browser) {
  const alice = await Person.enter(browser, 'Alice');
  await alice.join(ROOM);
  const bob = await Person.enter(browser, 'Bob');
  await bob.join(ROOM);
  for (const step of [whoIsThere, whoIsTyping, edit, reactions, deletion, mention, reply, thread,
    unread, twoScreens, roomOfTwo, reload, ownStatus, away, moderation, blocking, byKeyboard,
    restart, hole, pictures]) {
    await step(alice, bob, browser);
  }
  await ask('stop the server');
  await alice.isIn('reconnecting');
  await bob.page.close();
  await ask('start the server');
  await alice.has(alice.room('Bob').locator('.dot[data-status=offline]'));
  say({ seen: 'who went meanwhile is gone' });
  const problems = [...alice.problems, ...bob.problems];
  if (problems.length) throw new Error(problems.join('; '));
  say({ seen: 'no error in the page' });
}

await run(chat);
