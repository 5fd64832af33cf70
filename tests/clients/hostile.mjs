// What agents and providers say of themselves, on the pages that a person reads, in a real Chromium.
//
//     hostile.mjs FILE
//
// FILE is JSON: `plain`, `nameless` and `cases`, each with the links of two consents of one agent; in `plain` all texts are harmless, in `nameless` there
// is no purpose, and no name of the account. Exits 0 only if every page has the elements and attributes of a harmless one, runs no script, asks nobody
// else, and shows no character that hides or turns text around.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { launch } from './chromium.mjs';

const { plain, nameless, cases } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const gateway = new URL(plain.links[0]).origin;
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/u;

/** Elements and attributes, in order, without what differs from session to session; and every piece of text. */
const inspect = () => {
  const own = (element, name) => element.tagName === 'INPUT' && name === 'value' && element.type !== 'radio';
  const structure = (element) => {
    const attributes = [...element.attributes].map(({ name, value }) => (own(element, name) || (element.type === 'radio' && name === 'value') ? name : `${name}=${value}`));
    return `<${element.tagName} ${attributes.join(' ')}>${[...element.children].map(structure).join('')}</>`;
  };
  const texts = [];
  const walker = document.createTreeWalker(document, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) texts.push(walker.currentNode.data);
  const facts = [...document.querySelectorAll('h1 strong, dd, .account, p strong, label')].map((element) => element.textContent);
  return {
    structure: structure(document.documentElement), texts, facts, title: document.title, ran: 'ran' in window,
    wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    others: document.querySelectorAll('script, iframe, object, embed, svg, math, base, style, template, img, video, audio, a').length,
  };
};

const browser = await launch();
let seen = 0;
try {
  /** Both consents of an agent, page by page. */
  const context = await browser.newContext({ viewport: { width: 700, height: 900 } });
  const page = await context.newPage();
  let events = [];
  page.on('dialog', (dialog) => { events.push(`dialog ${dialog.message()}`); dialog.dismiss(); });
  page.on('pageerror', (error) => events.push(`error ${error.message}`));
  page.on('console', (message) => { if (!message.text().includes('favicon')) events.push(`console ${message.text()}`); });
  page.on('request', (request) => {
    const { origin, hostname } = new URL(request.url());
    if (origin !== gateway && hostname !== 'localhost') events.push(`request ${request.url()}`);
  });
  const press = (value, url) => Promise.all([page.waitForURL(url), page.evaluate((value) => document.querySelector(`button[value=${value}]`).click(), value)]);
  const walk = async ({ links }, whole) => {
    events = [];
    const found = {};
    const look = async (name) => { found[name] = await page.evaluate(inspect); seen += 1; };
    await page.goto(links[0]);
    await look('consent');
    await press('allow', /\/ath\/consent\/account/);
    await look('account');
    if (whole) {
      await press('continue', /success=true/);
      await look('done');
      await page.goto(links[1]);
      await look('again');
    }
    await context.clearCookies();
    return { found, events };
  };

  const [harmless, silent] = [await walk(plain, true), await walk(nameless, true)];
  assert.deepEqual(Object.keys(harmless.found), ['consent', 'account', 'done', 'again']);
  assert.notEqual(harmless.found.account.structure, silent.found.account.structure);
  const limit = { consent: 80 * 2 + 80 + 240 + 8, account: 80 + 120 + 4, done: 80 + 2, again: 80 * 2 + 80 + 240 + 120 + 8 };
  const length = (page) => [...page.texts.join('')].length;
  for (const [number, agent] of cases.entries()) {
    const { found, events } = await walk(agent, number % 4 === 0);
    const where = (name) => `${name} of ${JSON.stringify(agent.texts).slice(0, 400)}`;
    assert.deepEqual(events, [], where('events'));
    for (const [name, page] of Object.entries(found)) {
      const like = [harmless, silent].filter((other) => other.found[name].structure === page.structure);
      assert.equal(like.length > 0, true, `${where(name)}\n${page.structure}\n${harmless.found[name].structure}`);
      assert.equal(page.ran, false, where(name));
      assert.equal(page.others, 0, where(name));
      assert.ok(page.wide <= 0, `${where(name)} is ${page.wide} pixels too wide`);
      for (const text of [...page.texts.map((text) => text.replaceAll('\n', '')), ...page.facts, page.title]) {
        assert.ok(!HIDDEN.test(text), `${where(name)}: ${JSON.stringify(text)}`);
      }
      assert.ok(length(page) <= length(like[0].found[name]) + limit[name] + 400, `${where(name)}: ${length(page)} characters`);
      for (const fact of page.facts) assert.ok([...fact].length <= 360, `${where(name)}: ${fact.length}`);
      const shown = page.facts[0].trim();
      assert.notEqual(shown, '', `${where(name)}: somebody without a name`);
      assert.ok([...shown].length <= 121, `${where(name)}: ${shown}`);
    }
    // What can be shown is shown as it is, and read by nothing on the way.
    for (const [role, text] of Object.entries(agent.texts)) {
      if (!/^[\x21-\x7e]+( [\x21-\x7e]+)*$/.test(text) || text.length > 80) continue;
      const page = role === 'label' ? found.account : found.consent;
      assert.ok(page.facts.some((fact) => fact.includes(text)), `${where(role)} is not shown: ${JSON.stringify(page.facts)}`);
    }
  }
  console.log(JSON.stringify({ cases: cases.length, pages: seen }));
} finally {
  await browser.close();
}
