// The OAuth half of @modelcontextprotocol/sdk, unmodified, as a client of the gateway's: step by step with a secret, then all at once by `auth()` without one.
//
//     oauth_mcp_sdk.mjs GATEWAY_URL PATH
import assert from 'node:assert/strict';
import {
  auth, discoverAuthorizationServerMetadata, discoverOAuthProtectedResourceMetadata, exchangeAuthorization, extractWWWAuthenticateParams,
  refreshAuthorization, registerClient, startAuthorization,
} from '@modelcontextprotocol/sdk/client/auth.js';
import { InvalidGrantError } from '@modelcontextprotocol/sdk/server/auth/errors.js';
import { Person, finish, recorded } from './oauth_person.mjs';

const [gateway, path] = process.argv.slice(2);
const texts = recorded();
const steps = [];
const api = `${gateway}${path}/tickets`;
const redirectUri = 'http://localhost:49154/callback';
const clientMetadata = {
  client_name: 'MCP SDK', redirect_uris: [redirectUri], grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'],
  token_endpoint_auth_method: 'client_secret_basic', scope: 'read:tickets',
};
const call = (token) => fetch(api, { headers: token ? { authorization: `Bearer ${token}` } : {} });

const { resourceMetadataUrl, scope } = extractWWWAuthenticateParams(await call());
assert.ok(resourceMetadataUrl && scope, 'the challenge says where and what for');
const resourceMetadata = await discoverOAuthProtectedResourceMetadata(`${gateway}${path}`, { resourceMetadataUrl });
const resource = new URL(resourceMetadata.resource);
steps.push('challenge');

const [issuer] = resourceMetadata.authorization_servers;
const metadata = await discoverAuthorizationServerMetadata(issuer);
steps.push('discovery');

const clientInformation = await registerClient(issuer, { metadata, clientMetadata });
assert.ok(clientInformation.client_secret, 'a client with a secret');
steps.push('registration');

const { authorizationUrl, codeVerifier } = await startAuthorization(issuer, { metadata, clientInformation, redirectUrl: redirectUri, scope: 'read:tickets', state: 'of the client', resource });
const person = new Person(gateway);
const callback = (await person.consents(authorizationUrl, redirectUri)).searchParams;
assert.deepEqual([callback.get('state'), callback.get('iss')], ['of the client', metadata.issuer]);
steps.push('authorization');

const tokens = await exchangeAuthorization(issuer, { metadata, clientInformation, authorizationCode: callback.get('code'), codeVerifier, redirectUri, resource });
steps.push('token');
assert.equal((await call(tokens.access_token)).status, 200);
steps.push('call');

const renewed = await refreshAuthorization(issuer, { metadata, clientInformation, refreshToken: tokens.refresh_token, resource });
assert.notEqual(renewed.refresh_token, tokens.refresh_token, 'the refresh token rotates');
assert.equal((await call(renewed.access_token)).status, 200);
steps.push('refresh');

// The SDK has neither introspection nor revocation; what it discovered says where they are.
const basic = `Basic ${btoa(`${clientInformation.client_id}:${clientInformation.client_secret}`)}`;
const post = (endpoint, token) => fetch(endpoint, { method: 'POST', headers: { authorization: basic }, body: new URLSearchParams({ token }) });
const told = await (await post(metadata.introspection_endpoint, renewed.access_token)).json();
assert.deepEqual([told.active, told.client_id, told.aud], [true, clientInformation.client_id, resourceMetadata.resource]);
steps.push('introspection');

for (const token of [renewed.access_token, renewed.refresh_token]) assert.equal((await post(metadata.revocation_endpoint, token)).status, 200);
await assert.rejects(refreshAuthorization(issuer, { metadata, clientInformation, refreshToken: renewed.refresh_token, resource }), InvalidGrantError);
steps.push('revocation');

const refused = await call(renewed.access_token);
assert.deepEqual([refused.status, extractWWWAuthenticateParams(refused).error], [401, 'invalid_token']);
steps.push('refused');

// The same by the SDK's own orchestration, as its transports call it.
const kept = {};
const provider = {
  redirectUrl: redirectUri,
  clientMetadata: { ...clientMetadata, token_endpoint_auth_method: 'none' },
  state: () => 'of the orchestration',
  clientInformation: () => kept.client,
  saveClientInformation: (client) => { kept.client = client; },
  tokens: () => kept.tokens,
  saveTokens: (tokens) => { kept.tokens = tokens; },
  redirectToAuthorization: (link) => { kept.link = link; },
  saveCodeVerifier: (verifier) => { kept.verifier = verifier; },
  codeVerifier: () => kept.verifier,
  invalidateCredentials: (what) => { kept.invalidated = what; if (what === 'tokens') delete kept.tokens; },
};
const whole = { serverUrl: `${gateway}${path}`, resourceMetadataUrl, scope };
assert.equal(await auth(provider, whole), 'REDIRECT');
assert.equal(kept.client.client_secret, undefined, 'a public client has no secret');
const back = await person.consents(kept.link, redirectUri);
assert.equal(await auth(provider, { ...whole, authorizationCode: back.searchParams.get('code') }), 'AUTHORIZED');
assert.equal((await call(kept.tokens.access_token)).status, 200);
const before = kept.tokens;
assert.equal(await auth(provider, whole), 'AUTHORIZED', 'it refreshes');
assert.notEqual(kept.tokens.refresh_token, before.refresh_token);
await fetch(metadata.revocation_endpoint, { method: 'POST', body: new URLSearchParams({ token: kept.tokens.refresh_token, client_id: kept.client.client_id }) });
assert.equal((await call(kept.tokens.access_token)).status, 401, 'what came of the same consent ends with its refresh token');
assert.equal(await auth(provider, whole), 'REDIRECT', 'after invalid_grant it begins anew');
assert.equal(kept.invalidated, 'tokens');
steps.push('orchestration');
finish('@modelcontextprotocol/sdk', steps, texts, person);
