// What the OAuth clients have in common: a person's stand-in browser, a record of all that a client was sent, and the report at the end.
import assert from 'node:assert/strict';
import { request } from 'node:http';

const decode = (text) => text.replace(/&(?:#38|amp);/g, '&').replace(/&(?:#34|quot);/g, '"').replace(/&#(?:39|x27);/g, "'").replace(/&(?:#60|lt);/g, '<').replace(/&(?:#62|gt);/g, '>');
const attribute = (tag, name) => { const found = tag.match(new RegExp(`\\s${name}="([^"]*)"`)); return found && decode(found[1]); };

/** The forms of a page: where each goes, what is filled in already, and which buttons it has. */
const forms = (html) => html.split('<form').slice(1).map((rest) => {
  const [tag, inside] = [rest.slice(0, rest.indexOf('>')), rest.slice(rest.indexOf('>') + 1, rest.indexOf('</form>'))];
  const inputs = [...inside.matchAll(/<input\b[^>]*>/g)].map(([input]) => ({
    name: attribute(input, 'name'), value: attribute(input, 'value') ?? '', type: attribute(input, 'type') ?? 'text', checked: / checked/.test(input),
  }));
  const buttons = [...inside.matchAll(/<button\b[^>]*>/g)].map(([button]) => ({ name: attribute(button, 'name'), value: attribute(button, 'value') }));
  return { action: attribute(tag, 'action') ?? '', inputs, buttons };
});

/** Somebody who signs in at the helpdesk and says yes to everything. */
export class Person {
  /** Everything that the gateway showed. */
  seen = [];
  #jar = new Map();

  constructor(gateway, { username = 'alice@acme.test', password = 'demo1234' } = {}) {
    this.gateway = new URL(gateway).origin;
    this.filled = { username, password };
  }

  /** Opens a link, and goes on until a page leads to the client's redirect URI; that URL, which is not opened. */
  async consents(link, redirectUri) {
    let page = await this.#go('GET', new URL(link), undefined, redirectUri);
    for (let step = 0; step < 10; step += 1) {
      if (page.end) return page.end;
      assert.equal(page.status, 200, `${page.url}: ${page.status} ${page.body}`);
      page = await this.#press(page, redirectUri);
    }
    throw new Error(`no end at ${page.url}: ${page.body}`);
  }

  #press(page, redirectUri) {
    const known = forms(page.body).filter(({ inputs, buttons }) => inputs.some(({ name }) => name === 'username') || buttons.some(({ value }) => ['allow', 'continue'].includes(value)));
    assert.ok(known.length > 0, `nothing to press at ${page.url}: ${page.body}`);
    const [{ action, inputs, buttons }] = known;
    const form = new URLSearchParams();
    for (const { name, value, type, checked } of inputs) {
      if (!name) continue;
      if (name in this.filled) form.append(name, this.filled[name]);
      else if (type === 'hidden' || checked) form.append(name, value);
    }
    const button = buttons.find(({ value }) => ['allow', 'continue'].includes(value));
    if (button) form.append(button.name, button.value);
    return this.#go('POST', new URL(action, page.url), form.toString(), redirectUri);
  }

  async #go(method, url, form, redirectUri) {
    for (let hop = 0; hop < 12; hop += 1) {
      const page = await this.#one(method, url, form);
      const { location } = page.headers;
      if (!location || page.status < 300 || page.status > 399) return page;
      url = new URL(location, url);
      if (redirectUri && url.href.startsWith(redirectUri)) return { end: url };
      [method, form] = ['GET', undefined];
    }
    throw new Error(`too many redirects, the last to ${url}`);
  }

  #one(method, url, form) {
    const cookies = this.#jar.get(url.hostname) ?? new Map();
    const headers = { accept: 'text/html', cookie: [...cookies].map((pair) => pair.join('=')).join('; ') };
    if (form !== undefined) Object.assign(headers, { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(form), origin: url.origin });
    return new Promise((resolve, reject) => {
      const sent = request(url, { method, headers, agent: false }, async (answer) => {
        let body = '';
        for await (const chunk of answer) body += chunk;
        for (const cookie of answer.headers['set-cookie'] ?? []) {
          const [pair] = cookie.split(';');
          const [name, value] = [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)];
          if (cookie.includes('Max-Age=0')) cookies.delete(name); else cookies.set(name, value);
        }
        this.#jar.set(url.hostname, cookies);
        if (url.origin === this.gateway) this.seen.push(JSON.stringify(answer.rawHeaders) + body);
        resolve({ url, status: answer.statusCode, headers: answer.headers, body });
      });
      sent.on('error', reject);
      sent.end(form);
    });
  }
}

/** From here on everything that `fetch` brings is kept, headers and bodies. Returns the texts. */
export const recorded = () => {
  const texts = [];
  const original = globalThis.fetch;
  globalThis.fetch = async (...request) => {
    const answer = await original(...request);
    texts.push(JSON.stringify([...answer.headers]) + await answer.clone().text());
    return answer;
  };
  return texts;
};

/** The metadata URL in a challenge of RFC 9728. */
export const challenged = async (url) => {
  const answer = await fetch(url);
  assert.equal(answer.status, 401, `${url}: ${answer.status}`);
  const challenge = answer.headers.get('www-authenticate') ?? '';
  const [, metadata] = challenge.match(/^Bearer .*resource_metadata="([^"]+)"/) ?? assert.fail(`no resource_metadata: ${challenge}`);
  return metadata;
};

/** Ends well, with a report, if nothing of the upstream's was among what came. */
export const finish = (client, steps, texts, person) => {
  const canary = process.env.CANARY;
  const all = [...texts, ...person.seen];
  assert.ok(canary && all.length > 8, `${all.length} answers were seen`);
  assert.ok(!all.some((text) => text.includes(canary)), 'a token of the upstream was seen');
  console.log(JSON.stringify({ client, steps, bytes: all.reduce((sum, text) => sum + text.length, 0) }));
};
