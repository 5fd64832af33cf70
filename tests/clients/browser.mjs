// A person's consent in a real Chromium.
//
//     browser.mjs AUTHORIZATION_URL FOLDER
//
// Screenshots of every page go to FOLDER. Exits 0 only if everything held: the pages run no script, cannot be framed, show no $CANARY, refuse a form from
// another site and a second browser, and lead to the end.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { launch } from './chromium.mjs';

const [link, folder] = process.argv.slice(2);
const canary = process.env.CANARY;
const gateway = new URL(link).origin;
const browser = await launch();
try {
  const context = await browser.newContext({ viewport: { width: 900, height: 760 } });
  const page = await context.newPage();
  const bodies = [];
  page.on('response', async (response) => {
    if (response.url().startsWith(gateway)) bodies.push(JSON.stringify(await response.allHeaders()) + await response.text().catch(() => ''));
  });
  const blocked = [];
  page.on('console', (message) => blocked.push(message.text()));

  // Another site frames the consent page, and sends a form to it.
  const session = new URL(link).searchParams.get('session_id');
  const evil = createServer((request, response) => {
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end(request.url === '/frame'
      ? `<iframe src="${link}" width="600" height="600"></iframe>`
      : `<form method="post" action="${gateway}/ath/consent"><input name="session_id" value="${session}"><input name="csrf" value="x"><input name="decision" value="allow"><button>go</button></form>`);
  });
  await new Promise((done) => evil.listen(0, '127.0.0.1', done));
  const site = `http://localhost:${evil.address().port}`;
  await page.goto(`${site}/frame`);
  await page.waitForTimeout(300);
  const framed = page.frames().filter((frame) => frame !== page.mainFrame());
  for (const frame of framed) assert.ok(!(await frame.content()).includes('asks for access'), 'the consent page was framed');
  await page.goto(`${site}/form`);
  await Promise.all([page.waitForNavigation(), page.click('button')]);
  assert.ok((await page.content()).includes('not sent from here'), 'a form from another site was accepted');
  evil.close();

  const shown = await page.goto(link);
  const policy = shown.headers()['content-security-policy'];
  assert.match(policy, /default-src 'none'/);
  assert.match(policy, /frame-ancestors 'none'/);
  assert.equal(await page.locator('script').count(), 0);
  assert.equal(await page.locator('h1').innerText(), 'Ticket Helper asks for access to Acme Helpdesk');
  await page.screenshot({ path: `${folder}/01-consent.png` });
  await page.getByRole('button', { name: 'Allow' }).click();
  await page.waitForURL(/localhost/);
  await page.screenshot({ path: `${folder}/02-login.png` });

  const other = await browser.newContext();
  const second = await (await other.newPage()).goto(link);
  assert.equal(second.status(), 409, 'a second browser may not answer');
  await other.close();

  await page.fill('[name=username]', 'alice@acme.test');
  await page.fill('[name=password]', 'demo1234');
  await page.locator('form button[type=submit], form button').first().click();
  await page.waitForSelector('[value=allow]');
  await page.screenshot({ path: `${folder}/03-helpdesk-consent.png` });
  await page.click('[name=decision][value=allow]');
  await page.waitForURL((url) => url.origin === gateway);
  assert.ok((await page.content()).includes('alice@acme.test'), 'the account is named');
  await page.screenshot({ path: `${folder}/04-account.png` });
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.waitForURL(/success=true|\/callback\?/);
  await page.screenshot({ path: `${folder}/05-end.png` });

  assert.ok(bodies.length >= 4, `${bodies.length} answers of the gateway's were seen`);
  assert.ok(!bodies.some((body) => body.includes(canary)), 'a page shows a token of the upstream');
  const cookies = await context.cookies(gateway);
  assert.ok(cookies.filter((cookie) => cookie.name.startsWith('ath_')).every((cookie) => cookie.httpOnly && cookie.sameSite === 'Lax'), JSON.stringify(cookies));
  console.log(JSON.stringify({ ok: true, final_url: page.url(), code: await page.locator('#code').innerText().catch(() => null) }));
} finally {
  await browser.close();
}
