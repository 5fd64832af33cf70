// The orchestration of @modelcontextprotocol/sdk, unmodified, as a client that is known by its metadata document and registers nowhere.
//
//     oauth_mcp_document.mjs GATEWAY_URL PATH DOCUMENT_URL
import assert from 'node:assert/strict';
import { auth, extractWWWAuthenticateParams } from '@modelcontextprotocol/sdk/client/auth.js';
import { Person, finish, recorded } from './oauth_person.mjs';

const [gateway, path, clientMetadataUrl] = process.argv.slice(2);
const texts = recorded();
const redirectUri = `http://localhost:${49160 + (process.pid % 1000)}/callback`;
const kept = {};
const provider = {
  redirectUrl: redirectUri,
  clientMetadataUrl,
  clientMetadata: { client_name: 'of the document', redirect_uris: [redirectUri] },
  clientInformation: () => kept.client,
  saveClientInformation: (client) => { kept.client = client; },
  tokens: () => kept.tokens,
  saveTokens: (tokens) => { kept.tokens = tokens; },
  redirectToAuthorization: (link) => { kept.link = link; },
  saveCodeVerifier: (verifier) => { kept.verifier = verifier; },
  codeVerifier: () => kept.verifier,
};
const call = () => fetch(`${gateway}${path}/tickets`, { headers: kept.tokens ? { authorization: `Bearer ${kept.tokens.access_token}` } : {} });

const whole = { serverUrl: `${gateway}${path}`, ...extractWWWAuthenticateParams(await call()) };
assert.equal(await auth(provider, whole), 'REDIRECT');
assert.equal(kept.client.client_id, clientMetadataUrl, 'it registered nowhere');
const person = new Person(gateway);
const back = await person.consents(kept.link, redirectUri);
assert.equal(await auth(provider, { ...whole, authorizationCode: back.searchParams.get('code') }), 'AUTHORIZED');
assert.equal((await call()).status, 200);
assert.equal(await auth(provider, whole), 'AUTHORIZED', 'it refreshes');
assert.equal((await call()).status, 200);
finish('@modelcontextprotocol/sdk', ['document'], texts, person);
