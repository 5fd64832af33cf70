// npm's oidc-provider as a modern authorization server, with a small API of its own behind it.
//
//     oidc_provider.mjs PORT REDIRECT_URI
//
// With $CLIENT_KEY, the path of a public key in PEM, and $CLIENT_ALG the client proves itself by private_key_jwt and has no secret.
// With $DPOP=required every token is bound to a key (RFC 9449), and every proof needs a nonce; /me is the API then, which verifies proofs.
// With $REGISTRATION=on clients register themselves (RFC 7591).
// With $REALM it is laid out as Keycloak lays out a realm of that name: the issuer has a path, and the endpoints have Keycloak's. $CLIENT_ID is the client's.
// PKCE is required, refresh tokens rotate and their reuse is detected. Access tokens live for $ACCESS_TTL seconds. GET /_control/state tells what was issued
// and how often the token endpoint was asked. GET /_control/spoil?nonce=x makes every later ID token carry that nonce, likewise iss and aud;
// callback_iss and callback_state change what the browser brings back; without parameters all is well again. Prints READY when it listens.
import { createPublicKey, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

// Whoever waits for READY reads no further.
process.stdout.on('error', () => {});

const [port, redirectUri] = process.argv.slice(2);
const realm = process.env.REALM ? `/realms/${process.env.REALM}` : '';
const issuer = `http://localhost:${port}${realm}`;
const clientId = process.env.CLIENT_ID ?? 'ath-gateway';
const issued = new Set();
let spoilt = {};
const dpop = process.env.DPOP === 'required';
const requests = { authorization_code: 0, refresh_token: 0, failed: 0 };

const key = process.env.CLIENT_KEY && createPublicKey(readFileSync(process.env.CLIENT_KEY)).export({ format: 'jwk' });
const proof = key
  ? { token_endpoint_auth_method: 'private_key_jwt', token_endpoint_auth_signing_alg: process.env.CLIENT_ALG, jwks: { keys: [{ ...key, kid: 'k-1', use: 'sig' }] } }
  : { token_endpoint_auth_method: 'client_secret_basic', client_secret: 'the-client-secret-of-the-gateway' };
let revoked = 0;

const provider = new Provider(issuer, {
  clients: [{
    client_id: clientId, ...proof, redirect_uris: [redirectUri],
    grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'], response_types: ['code'],
    dpop_bound_access_tokens: dpop,
  }],
  enabledJWA: { clientAuthSigningAlgValues: ['RS256', 'ES256', 'EdDSA'] },
  scopes: ['openid', 'email', 'offline_access', 'api:read', 'api:write'],
  claims: { openid: ['sub'], email: ['email'] },
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  rotateRefreshToken: true,
  issueRefreshToken: () => true,
  ttl: { AccessToken: Number(process.env.ACCESS_TTL ?? 3600), RefreshToken: 86400, Interaction: 600, Session: 600, Grant: 86400, AuthorizationCode: 60, IdToken: 3600 },
  features: { devInteractions: { enabled: false }, deviceFlow: { enabled: true }, revocation: { enabled: true },
    registration: { enabled: process.env.REGISTRATION === 'on' },
    dPoP: dpop ? { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => true, allowReplay: false } : { enabled: false },
  },
  ...(realm && { routes: Object.fromEntries([['authorization', 'auth'], ['token', 'token'], ['userinfo', 'userinfo'], ['jwks', 'certs'],
    ['end_session', 'logout'], ['revocation', 'revoke']].map(([name, path]) => [name, `/protocol/openid-connect/${path}`])) }),
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  cookies: { keys: ['only for tests'] },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, email: `${id}@idp.test` }) }),
});
for (const name of ['access_token', 'refresh_token', 'authorization_code']) {
  provider.on(`${name}.saved`, (token) => issued.add(token.jti));
}
provider.on('grant.revoked', () => { revoked += 1; });
provider.on('grant.success', (ctx) => { requests[ctx.oidc.params.grant_type] += 1; });
provider.on('grant.error', (ctx, error) => { requests.failed += 1; console.error('grant.error', error.message, error.error_description ?? ''); });

// Signatures are for those who check them: the gateway has the token from the token endpoint itself.
const spoil = (token) => {
  const [head, body, signature] = token.split('.');
  const claims = { ...JSON.parse(Buffer.from(body, 'base64url')), ...spoilt };
  return [head, Buffer.from(JSON.stringify(claims)).toString('base64url'), signature].join('.');
};
provider.use(async (ctx, next) => {
  await next();
  if (ctx.path === '/token' && ctx.body?.id_token) ctx.body.id_token = spoil(ctx.body.id_token);
  const location = ctx.response.get('location') ?? '';
  if (location.startsWith(redirectUri)) {
    const url = new URL(location);
    for (const name of ['iss', 'state']) {
      const value = spoilt[`callback_${name}`];
      if (value === '') url.searchParams.delete(name);
      else if (value !== undefined) url.searchParams.set(name, value);
    }
    ctx.response.set('location', url.href);
  }
});

const read = async (request) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return new URLSearchParams(Buffer.concat(chunks).toString());
};
const json = (response, status, body) => {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
};

// One form that signs in, one that consents.
async function interaction(request, response) {
  const details = await provider.interactionDetails(request, response);
  const { prompt, params, session } = details;
  if (request.method === 'GET') {
    const fields = prompt.name === 'login' ? '<input name="login"><input name="password" type="password">' : '';
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end(`<!doctype html><title>${prompt.name}</title><form method="post" action="${request.url}">${fields}<button name="go" value="on">Go on</button></form>`);
    return;
  }
  const form = await read(request);
  if (prompt.name === 'login') {
    await provider.interactionFinished(request, response, { login: { accountId: form.get('login') } }, { mergeWithLastSubmission: false });
    return;
  }
  const grant = details.grantId ? await provider.Grant.find(details.grantId) : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  await provider.interactionFinished(request, response, { consent: { grantId: await grant.save() } }, { mergeWithLastSubmission: true });
}

// The API that the gateway stands in front of.
async function api(request, response) {
  const token = await provider.AccessToken.find((request.headers.authorization ?? '').replace(/^Bearer /, ''));
  if (!token || token.isExpired) return json(response, 401, { error: 'invalid_token' });
  const path = new URL(request.url, issuer).pathname;
  const needed = request.method === 'GET' ? 'api:read' : 'api:write';
  if (!token.scope.split(' ').includes(needed)) return json(response, 403, { error: 'insufficient_scope' });
  if (path === '/api/echo') return json(response, 200, { headers: request.headers });
  return json(response, 200, { things: ['one', 'two'], account: token.accountId });
}

const handle = provider.callback();
createServer((request, response) => {
  const path = request.url.split('?')[0];
  const failed = (error) => { console.error(error); response.writeHead(500); response.end(); };
  if (path === '/_control/state') return json(response, 200, { issued: [...issued], requests, revoked });
  if (path === '/_control/spoil') {
    spoilt = Object.fromEntries(new URL(request.url, issuer).searchParams);
    return json(response, 200, spoilt);
  }
  if (path.startsWith('/interaction/')) return interaction(request, response).catch(failed);
  if (path.startsWith('/api/')) return api(request, response).catch(failed);
  if (!path.startsWith(`${realm}/`)) return json(response, 404, {});
  request.originalUrl = request.url;
  request.url = request.url.slice(realm.length);
  return handle(request, response);
}).listen(Number(port), '127.0.0.1', () => console.log(`READY ${issuer}`));
