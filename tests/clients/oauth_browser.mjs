// A person lets an OAuth client in, and types in a device's code, in a real Chromium.
//
//     oauth_browser.mjs AUTHORIZATION_REQUEST DEVICE_PAGE USER_CODE FOLDER
//
// The client's redirect URI is one on loopback, where this program listens, on another port than the registered one. Screenshots go to FOLDER. Prints
// what came to the redirect URI. Exits 0 only if the pages run no script, cannot be framed, name the client, its host, the service and the scopes.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { launch } from './chromium.mjs';

const [request, devicePage, userCode, folder] = process.argv.slice(2);
const canary = process.env.CANARY;
const gateway = new URL(request).origin;

const client = createServer();
const arrived = new Promise((resolve) => {
  client.on('request', (asked, answer) => {
    answer.writeHead(200, { 'content-type': 'text/html' });
    answer.end('<p id="client">You can close this page.');
    const url = new URL(asked.url, `http://${asked.headers.host}`);
    if (url.pathname === '/callback') resolve(url);
  });
});
await new Promise((done) => client.listen(0, '127.0.0.1', done));
const redirectUri = `http://127.0.0.1:${client.address().port}/callback`;
const link = new URL(request);
link.searchParams.set('redirect_uri', redirectUri);

const browser = await launch();
try {
  const context = await browser.newContext({ viewport: { width: 900, height: 900 } });
  const page = await context.newPage();
  const bodies = [];
  const blocked = [];
  page.on('response', async (response) => {
    if (response.url().startsWith(gateway)) bodies.push(JSON.stringify(await response.allHeaders()) + await response.text().catch(() => ''));
  });
  page.on('console', (message) => { if (!message.location().url.endsWith('/favicon.ico')) blocked.push(message.text()); });
  const look = async (name) => {
    assert.equal(await page.locator('script').count(), 0, name);
    await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
  };
  const press = (value, url) => Promise.all([page.waitForURL(url), page.click(`button[value=${value}]`)]);

  // Another site frames the page.
  const evil = createServer((_, answer) => { answer.writeHead(200, { 'content-type': 'text/html' }); answer.end(`<iframe src="${link.href.replaceAll('&', '&amp;')}"></iframe>`); });
  await new Promise((done) => evil.listen(0, '127.0.0.1', done));
  await page.goto(`http://localhost:${evil.address().port}/`);
  await page.waitForTimeout(300);
  for (const frame of page.frames().filter((frame) => frame !== page.mainFrame())) {
    assert.ok(!(await frame.content()).includes('Plain Client'), 'the page was framed');
  }
  evil.close();
  blocked.length = 0;

  await page.goto(link.href);
  const text = await page.locator('body').innerText();
  for (const said of ['Plain Client', '127.0.0.1', 'Acme Helpdesk', 'See your tickets', 'any program on your machine']) assert.ok(text.includes(said), `${said}: ${text}`);
  await look('oauth-consent');
  await press('allow', /localhost/);
  await page.fill('[name=username]', 'alice@acme.test');
  await page.fill('[name=password]', 'demo1234');
  await page.locator('form button').first().click();
  await page.waitForSelector('[value=allow]');
  await press('allow', (url) => url.origin === gateway);
  assert.ok((await page.locator('body').innerText()).includes('alice@acme.test'), 'the account is named');
  await look('oauth-account');
  await press('continue', (url) => url.href.startsWith(redirectUri));
  assert.equal(await page.locator('#client').innerText(), 'You can close this page.');
  const back = await arrived;

  await page.goto(devicePage);
  await look('oauth-device');
  await page.fill('[name=user_code]', userCode.toLowerCase());
  await page.locator('form button').first().click();
  await page.waitForSelector('[value=allow]');
  const asked = await page.locator('body').innerText();
  for (const said of ['Plain Client', 'Acme Helpdesk', 'See your tickets']) assert.ok(asked.includes(said), `${said}: ${asked}`);
  await look('oauth-device-consent');
  await page.click('button[value=allow]');
  await page.waitForLoadState('load');
  assert.equal(await page.locator('button[value=allow]').count(), 0, await page.content());
  assert.ok((await page.locator('body').innerText()).includes('Plain Client'));
  await look('oauth-device-done');

  assert.deepEqual(blocked, [], 'nothing on a page is refused by its own policy');
  assert.ok(bodies.length >= 5 && !bodies.some((body) => body.includes(canary)), 'a page shows a token of the upstream');
  console.log(JSON.stringify({ redirect_uri: redirectUri, ...Object.fromEntries(back.searchParams) }));
} finally {
  await browser.close();
  client.close();
}
