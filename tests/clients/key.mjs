// A person who pastes a key, in a real browser.
//
//     key.mjs LINK KEY FOLDER
//
// Prints where the browser was sent at the end.
import { launch } from './chromium.mjs';

const [link, key, folder] = process.argv.slice(2);
const browser = await launch();
const page = await browser.newPage();
const complaints = [];
page.on('console', (message) => { if (message.type() === 'error') complaints.push(message.text()); });
await page.goto(link);
await page.click('button[value=allow]');
await page.waitForURL('**/ath/consent/key**');
await page.screenshot({ path: `${folder}/key.png`, fullPage: true });
await page.fill('input[name=key]', 'not-the-right-one');
await page.click('button[type=submit]');
await page.waitForSelector('.problem');
if (await page.inputValue('input[name=key]') !== '') throw new Error('the key is shown again');
await page.fill('input[name=key]', key);
await page.click('button[type=submit]');
await page.waitForURL('**/ath/consent/account**');
const ended = new Promise((resolve) => {
  page.on('request', (request) => { if (new URL(request.url()).pathname === '/callback') resolve(request.url()); });
});
await page.click('button[value=continue]', { noWaitAfter: true });
console.log(await ended);
if (complaints.some((text) => text.includes('Content Security Policy'))) throw new Error(complaints.join('\n'));
await browser.close();
