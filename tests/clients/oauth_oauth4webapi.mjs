// oauth4webapi, unmodified, as an OAuth client of the gateway's: discovery from the resource's metadata, HTTP Basic at the token endpoint.
//
//     oauth_oauth4webapi.mjs GATEWAY_URL PATH
import assert from 'node:assert/strict';
import * as oauth from 'oauth4webapi';
import { Person, finish, recorded } from './oauth_person.mjs';

const [gateway, path] = process.argv.slice(2);
const texts = recorded();
const steps = [];
const plain = { [oauth.allowInsecureRequests]: true };
const resource = `${gateway}${path}`;
const api = new URL(`${resource}/tickets`);
const redirectUri = 'http://127.0.0.1:49153/callback';

const challenge = await oauth.protectedResourceRequest('ath_tk_nobodys', 'GET', api, undefined, null, plain).catch((error) => error);
assert.ok(challenge instanceof oauth.WWWAuthenticateChallengeError && challenge.status === 401, `${challenge}`);
const [{ scheme, parameters }] = challenge.cause;
assert.deepEqual([scheme, parameters.error], ['bearer', 'invalid_token']);
const described = await oauth.resourceDiscoveryRequest(new URL(resource), plain);
assert.equal(described.url, parameters.resource_metadata, 'the challenge names what RFC 9728 expects');
const server = await oauth.processResourceDiscoveryResponse(new URL(resource), described);
steps.push('challenge');

const issuer = new URL(server.authorization_servers[0]);
const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...plain }));
assert.deepEqual(as.code_challenge_methods_supported, ['S256']);
steps.push('discovery');

const registration = { client_name: 'oauth4webapi', redirect_uris: [redirectUri], grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'], token_endpoint_auth_method: 'client_secret_basic' };
const client = await oauth.processDynamicClientRegistrationResponse(await oauth.dynamicClientRegistrationRequest(as, registration, plain));
const proof = oauth.ClientSecretBasic(client.client_secret);
steps.push('registration');

const verifier = oauth.generateRandomCodeVerifier();
const state = oauth.generateRandomState();
const link = new URL(as.authorization_endpoint);
for (const [name, value] of Object.entries({
  client_id: client.client_id, redirect_uri: redirectUri, response_type: 'code', scope: 'read:tickets write:tickets', resource, state,
  code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
})) link.searchParams.set(name, value);
const person = new Person(gateway);
const callback = oauth.validateAuthResponse(as, client, await person.consents(link, redirectUri), state);
steps.push('authorization');

const grant = (callback, verifier) => oauth.authorizationCodeGrantRequest(as, client, proof, callback, redirectUri, verifier, { additionalParameters: { resource }, ...plain });
const tokens = await oauth.processAuthorizationCodeResponse(as, client, await grant(callback, verifier));
assert.deepEqual(tokens.scope.split(' ').sort(), ['read:tickets', 'write:tickets']);
steps.push('token');

const call = (token, method = 'GET', body = null) => oauth.protectedResourceRequest(token, method, api, new Headers(body ? { 'content-type': 'application/json' } : {}), body, plain);
assert.ok((await (await call(tokens.access_token)).json()).tickets.length > 0);
const opened = await call(tokens.access_token, 'POST', JSON.stringify({ title: 'Card payments fail', team: 'payments', priority: 'p1' }));
assert.equal(opened.status, 201);
steps.push('call');

const refresh = (token, parameters) => oauth.refreshTokenGrantRequest(as, client, proof, token, { additionalParameters: { resource, ...parameters }, ...plain });
const narrowed = await oauth.processRefreshTokenResponse(as, client, await refresh(tokens.refresh_token, { scope: 'read:tickets' }));
assert.equal(narrowed.scope, 'read:tickets');
assert.ok(narrowed.refresh_token && narrowed.refresh_token !== tokens.refresh_token, 'the refresh token rotates');
assert.equal((await call(narrowed.access_token)).status, 200);
const beyond = await call(narrowed.access_token, 'POST', '{}').catch((error) => error);
assert.deepEqual([beyond.status, beyond.cause[0].parameters.error], [403, 'insufficient_scope']);
steps.push('refresh');

const introspect = async (token) => oauth.processIntrospectionResponse(as, client, await oauth.introspectionRequest(as, client, proof, token, plain));
const told = await introspect(narrowed.access_token);
assert.deepEqual([told.active, told.client_id, told.aud, told.scope], [true, client.client_id, resource, 'read:tickets']);
steps.push('introspection');

const revoke = async (token) => oauth.processRevocationResponse(await oauth.revocationRequest(as, client, proof, token, plain));
await revoke(narrowed.access_token);
assert.equal((await introspect(narrowed.access_token)).active, false);
await revoke(narrowed.refresh_token);
await assert.rejects(async () => oauth.processRefreshTokenResponse(as, client, await refresh(narrowed.refresh_token)), { error: 'invalid_grant' });
steps.push('revocation');

const refused = await call(narrowed.access_token).catch((error) => error);
assert.deepEqual([refused.status, refused.cause[0].parameters.error], [401, 'invalid_token']);
steps.push('refused');

// A second client of the same library's, which signs instead of having a secret (RFC 7523).
const keys = await oauth.generateKeyPair('ES256', { extractable: true });
const jwk = { ...(await crypto.subtle.exportKey('jwk', keys.publicKey)), kid: 'of-the-client', alg: 'ES256', use: 'sig' };
const signing = await oauth.processDynamicClientRegistrationResponse(await oauth.dynamicClientRegistrationRequest(as, {
  ...registration, token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [jwk] },
}, plain));
assert.equal(signing.client_secret, undefined);
const signed = oauth.PrivateKeyJwt({ key: keys.privateKey, kid: 'of-the-client' });
link.searchParams.set('client_id', signing.client_id);
const second = oauth.validateAuthResponse(as, signing, await person.consents(link, redirectUri), state);
const issued = await oauth.processAuthorizationCodeResponse(as, signing, await oauth.authorizationCodeGrantRequest(as, signing, signed, second, redirectUri, verifier, plain));
assert.equal((await call(issued.access_token)).status, 200);
assert.equal((await oauth.processIntrospectionResponse(as, signing, await oauth.introspectionRequest(as, signing, signed, issued.access_token, plain))).active, true);
steps.push('signing');
finish('oauth4webapi', steps, texts, person);
