// Another site's attempts on the consent pages, in a real Chromium that holds the victim's cookies.
//
//     framing.mjs AUTHORIZATION_URL
//
// The provider behind the gateway must agree at once. Exits 0 only if every frame stayed blank, every form from elsewhere was refused, and GET
// changed nothing; then the person allows and goes on, and the last URL is printed.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { launch } from './chromium.mjs';

const [link] = process.argv.slice(2);
const gateway = new URL(link).origin;
const session = new URL(link).searchParams.get('session_id');
const escape = (text) => text.replaceAll('&', '&amp;').replaceAll('"', '&quot;');

// What the evil site serves, by path; the same on localhost, which is another site, and on another port of 127.0.0.1, which is not.
const pages = new Map();
const evil = createServer((request, response) => {
  response.writeHead(200, { 'content-type': 'text/html', 'referrer-policy': 'unsafe-url' });
  response.end(pages.get(request.url) ?? '<!doctype html>nothing');
});
await new Promise((done) => evil.listen(0, '127.0.0.1', done));
const sites = [`http://localhost:${evil.address().port}`, `http://127.0.0.1:${evil.address().port}`];

const frame = (url) => [
  `<iframe src="${escape(url)}"></iframe>`,
  `<iframe sandbox="allow-forms allow-scripts allow-same-origin" src="${escape(url)}"></iframe>`,
  `<iframe srcdoc='<iframe src="${escape(url)}"></iframe>'></iframe>`,
  `<object data="${escape(url)}"></object>`,
  `<embed src="${escape(url)}">`,
].join('');
const form = (action, fields, enctype) => `<form method="post" enctype="${enctype}" action="${action}">${Object.entries(fields)
  .map(([name, value]) => `<input name="${name}" value="${escape(value)}">`).join('')}</form><script>document.forms[0].submit()</script>`;
const ENCODINGS = ['application/x-www-form-urlencoded', 'text/plain', 'multipart/form-data'];

const browser = await launch();
try {
  const context = await browser.newContext();
  const page = await context.newPage();
  const posts = [];
  page.on('response', (response) => {
    if (response.request().method() === 'POST' && response.url().startsWith(gateway)) {
      posts.push([response.status(), response.request().headers().origin]);
    }
  });

  /** Everything the evil site can try while `url` is a page of the victim's with this form on it. */
  async function attack(url, action, decision, words) {
    assert.equal((await page.goto(url)).status(), 200);
    const token = await page.locator('input[name=csrf]').inputValue();
    const fields = { session_id: session, csrf: token, decision };
    let tried = 0;
    for (const site of sites) {
      pages.set('/frame', `<!doctype html><p>You have won</p>${frame(url)}`);
      await page.goto(`${site}/frame`);
      await page.waitForTimeout(400);
      const frames = page.frames().filter((inner) => inner !== page.mainFrame());
      assert.ok(frames.length >= 4, `${frames.length} frames`);
      for (const inner of frames) {
        assert.ok(!(await inner.content()).includes(words), `a page was framed by ${site}`);
        assert.equal(await inner.locator('form').count(), 0, `a form was framed by ${site}`);
      }
      for (const enctype of ENCODINGS) {
        pages.set('/form', form(`${gateway}${action}`, fields, enctype));
        const before = posts.length;
        await page.goto(`${site}/form`, { waitUntil: 'commit' });
        await page.waitForURL(`${gateway}/**`);
        await page.waitForLoadState();
        assert.equal(posts.length, before + 1);
        const [status] = posts.at(-1);
        assert.ok(status === 403 || status === 400, `a form from ${site} got ${status}`);
        assert.ok(enctype !== ENCODINGS[0] || status === 403, `a form from ${site} got ${status}`);
        tried += 1;
      }
      // Without leaving the evil page: cookies where the browser sends them along, the answer where it may be read.
      pages.set('/fetch', '<!doctype html>');
      await page.goto(`${site}/fetch`);
      const read = await page.evaluate(async ([target, body]) => {
        const results = [];
        for (const mode of ['no-cors', 'cors']) {
          for (const headers of [{ 'content-type': 'application/x-www-form-urlencoded' }, {}]) {
            const options = { method: 'POST', mode, credentials: 'include', headers, body, redirect: 'manual' };
            const text = await fetch(target, options).then((answer) => answer.text()).catch(() => '');
            results.push(text);
          }
        }
        return results;
      }, [`${gateway}${action}`, new URLSearchParams(fields).toString()]);
      assert.deepEqual(read, ['', '', '', ''], 'another origin reads an answer');
      tried += 4;
    }
    // GET changes nothing, whatever it carries.
    const query = new URLSearchParams(fields).toString();
    for (const target of [`${gateway}${action}?${query}`, `${url}&${query.replace(/session_id=[^&]*&/, '')}`]) {
      const shown = await page.goto(target);
      assert.equal(shown.status(), 200, target);
      assert.equal(shown.request().redirectedFrom(), null, target);
      assert.ok((await page.content()).includes(words), target);
      pages.set('/image', `<!doctype html><link rel="prefetch" href="${escape(target)}"><link rel="prerender" href="${escape(target)}"><img src="${escape(target)}">`);
      for (const site of sites) await page.goto(`${site}/image`);
    }
    return tried;
  }

  let tried = await attack(link, '/ath/consent', 'allow', 'asks for access');
  tried += await attack(link, '/ath/consent', 'deny', 'asks for access');

  await page.goto(link);
  await page.getByRole('button', { name: 'Allow' }).click();
  await page.waitForURL(/\/ath\/consent\/account/);
  const account = page.url();
  tried += await attack(account, '/ath/consent/account', 'continue', 'Is this the right account?');
  tried += await attack(account, '/ath/consent/account', 'undo', 'Is this the right account?');

  await page.goto(account);
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.waitForURL(/success=true/);
  console.log(JSON.stringify({ tried, code: await page.locator('#code').innerText() }));
} finally {
  await browser.close();
  evil.close();
}
