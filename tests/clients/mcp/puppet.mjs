// What the MCP clients in JavaScript have in common: they do what a test tells them, line by line, and send links to a person.
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

/** The address, and the options behind it: `--name value`. */
export const told = () => {
  const [url, ...rest] = process.argv.slice(2);
  const options = {};
  for (let at = 0; at < rest.length; at += 2) options[rest[at].slice(2)] = rest[at + 1];
  return { url, ...options };
};

/** Sends a link to the person who sits there. */
export const opens = async (link) => { await (await fetch(`${process.env.PERSON}/?link=${encodeURIComponent(link)}`)).text(); };

/** Where a person's browser comes back to. */
export class Callback {
  #arrived = [];
  #awaited = [];

  static async listens() {
    const callback = new Callback();
    callback.server = createServer((request, response) => {
      const { pathname, searchParams } = new URL(request.url, 'http://localhost');
      response.end('thank you');
      if (pathname !== '/callback') return;
      const next = callback.#awaited.shift();
      if (next) next(searchParams); else callback.#arrived.push(searchParams);
    });
    await new Promise((resolve) => { callback.server.listen(0, '127.0.0.1', resolve); });
    callback.server.unref();
    return callback;
  }

  get redirectUri() { return `http://127.0.0.1:${this.server.address().port}/callback`; }

  next() {
    const arrived = this.#arrived.shift();
    return arrived ? Promise.resolve(arrived) : new Promise((resolve) => { this.#awaited.push(resolve); });
  }
}

/** What a host keeps of its client's authorization, in the form that both SDKs of TypeScript ask for it. */
export class Kept {
  constructor(callback, { clientMetadataUrl } = {}) {
    this.redirectUrl = callback.redirectUri;
    this.clientMetadataUrl = clientMetadataUrl;
    this.clientMetadata = {
      client_name: 'Puppet', redirect_uris: [callback.redirectUri], grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'],
      token_endpoint_auth_method: 'none',
    };
  }

  state() { this.expected = crypto.randomUUID(); return this.expected; }
  clientInformation() { return this.client; }
  saveClientInformation(client) { this.client = client; }
  tokens() { return this.kept; }
  saveTokens(tokens) { this.kept = tokens; }
  redirectToAuthorization(link) { return opens(link.href); }
  saveCodeVerifier(verifier) { this.verifier = verifier; }
  codeVerifier() { return this.verifier; }
  invalidateCredentials(what) {
    if (what === 'all' || what === 'client') delete this.client;
    if (what === 'all' || what === 'tokens') delete this.kept;
  }
}

/** Does what comes in, one line after the other, until nothing comes any more. */
export const obey = async (deeds) => {
  for await (const line of createInterface({ input: process.stdin })) {
    const { do: deed, ...given } = JSON.parse(line);
    let answer;
    try { answer = { said: await deeds[deed](given) ?? null }; } catch (error) { answer = { failed: String(error?.stack ?? error) }; }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  }
  await deeds.end?.();
  process.exit(0);
};
