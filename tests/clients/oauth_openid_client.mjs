// openid-client, unmodified, as an OAuth client of the gateway's with a secret.
//
//     oauth_openid_client.mjs GATEWAY_URL PATH
//
// PATH is that of a provider, `/helpdesk`. Exits 0 only if everything held; the last line is a report.
import assert from 'node:assert/strict';
import * as client from 'openid-client';
import { Person, challenged, finish, recorded } from './oauth_person.mjs';

const [gateway, path] = process.argv.slice(2);
const texts = recorded();
const steps = [];
const api = new URL(`${gateway}${path}/tickets`);
const redirectUri = 'http://127.0.0.1:49152/callback';

const { resource, authorization_servers: [issuer] } = await (await fetch(await challenged(api))).json();
assert.equal(resource, `${gateway}${path}`);
steps.push('challenge');

const registration = {
  client_name: 'openid-client', redirect_uris: [redirectUri], grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'], token_endpoint_auth_method: 'client_secret_post',
};
const config = await client.dynamicClientRegistration(new URL(issuer), registration, undefined, { algorithm: 'oauth2', execute: [client.allowInsecureRequests] });
assert.ok(config.clientMetadata().client_secret, 'a client with a secret');
steps.push('discovery', 'registration');

const verifier = client.randomPKCECodeVerifier();
const state = client.randomState();
const link = client.buildAuthorizationUrl(config, {
  redirect_uri: redirectUri, scope: 'read:tickets', resource, state,
  code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256',
});
const person = new Person(gateway);
const callback = await person.consents(link, redirectUri);
assert.equal(callback.searchParams.get('iss'), issuer);
steps.push('authorization');

const tokens = await client.authorizationCodeGrant(config, callback, { pkceCodeVerifier: verifier, expectedState: state }, { resource });
assert.equal(tokens.scope, 'read:tickets');
steps.push('token');

const call = (token) => client.fetchProtectedResource(config, token, api, 'GET');
assert.ok((await (await call(tokens.access_token)).json()).tickets.length > 0);
steps.push('call');

const renewed = await client.refreshTokenGrant(config, tokens.refresh_token, { resource });
assert.ok(renewed.refresh_token && renewed.refresh_token !== tokens.refresh_token, 'the refresh token rotates');
assert.notEqual(renewed.access_token, tokens.access_token);
assert.equal((await call(renewed.access_token)).status, 200);
steps.push('refresh');

const told = await client.tokenIntrospection(config, renewed.access_token);
assert.deepEqual([told.active, told.scope, told.client_id, told.aud], [true, 'read:tickets', config.clientMetadata().client_id, resource]);
steps.push('introspection');

await client.tokenRevocation(config, renewed.access_token);
assert.equal((await client.tokenIntrospection(config, renewed.access_token)).active, false);
await client.tokenRevocation(config, renewed.refresh_token);
await assert.rejects(client.refreshTokenGrant(config, renewed.refresh_token), { error: 'invalid_grant' });
steps.push('revocation');

await assert.rejects(call(renewed.access_token), (error) => error.status === 401 && error.cause[0].parameters.error === 'invalid_token');
steps.push('refused');

// The same person by OpenID Connect: the ID token's signature is looked at, too.
client.enableNonRepudiationChecks(config);
const [second, nonce] = [client.randomPKCECodeVerifier(), client.randomNonce()];
const request = client.buildAuthorizationUrl(config, {
  redirect_uri: redirectUri, scope: 'openid read:tickets', resource, nonce, state,
  code_challenge: await client.calculatePKCECodeChallenge(second), code_challenge_method: 'S256',
});
const back = await person.consents(request, redirectUri);
const identified = await client.authorizationCodeGrant(config, back, { pkceCodeVerifier: second, expectedNonce: nonce, expectedState: state, idTokenExpected: true });
const { sub, aud } = identified.claims();
assert.equal(aud, config.clientMetadata().client_id);
assert.equal((await client.fetchUserInfo(config, identified.access_token, sub)).sub, sub);
await assert.rejects(client.fetchUserInfo(config, tokens.access_token, sub), (error) => [401, 403].includes(error.status));
steps.push('identity');
finish('openid-client', steps, texts, person);
