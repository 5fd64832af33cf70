// A person who types a code in at the provider, in a real browser, while the gateway's page waits in another tab.
//
//     device.mjs LINK FOLDER
//
// Prints where the first tab was sent at the end.
import { launch } from './chromium.mjs';

const [link, folder] = process.argv.slice(2);
const browser = await launch();
const context = await browser.newContext({ javaScriptEnabled: false });
const page = await context.newPage();
await page.goto(link);
await page.click('button[value=allow]');
await page.waitForURL('**/ath/consent/device**');
await page.screenshot({ path: `${folder}/device.png`, fullPage: true });

// On another machine.
const elsewhere = await (await browser.newContext()).newPage();
await elsewhere.goto(await page.getAttribute('a[rel~=noopener]', 'href'));
for (let step = 0; step < 6; step += 1) {
  if (await elsewhere.locator('input[name=login]').count()) {
    await elsewhere.fill('input[name=login]', 'ada');
    await elsewhere.fill('input[name=password]', 'x');
  }
  const button = elsewhere.locator('button[type=submit], button[name=go], button[autofocus]').first();
  if (!await button.count()) break;
  await Promise.all([elsewhere.waitForLoadState('load'), button.click()]);
  await elsewhere.waitForTimeout(500);
}

// By itself: the first tab runs no script.
await page.waitForURL('**/ath/consent/account**', { timeout: 30000 });
const ended = new Promise((resolve) => {
  page.on('request', (request) => { if (new URL(request.url()).pathname === '/callback') resolve(request.url()); });
});
await page.click('button[value=continue]', { noWaitAfter: true });
console.log(await ended);
await browser.close();
