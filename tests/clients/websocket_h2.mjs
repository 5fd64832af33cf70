// An agent that opens WebSockets over HTTP/2 (RFC 8441): node's http2 with npm's ws on its streams.
//
//     websocket_h2.mjs WHAT ORIGIN PATH TOKEN AGENT
//
// WHAT is echo, hold, or the name of a handshake that is to be refused. Prints a line of JSON; ends with an error where something is not as it should be.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:http2';
import WebSocket from 'ws';

const [what, origin, path, token, agent] = process.argv.slice(2);
const session = connect(origin);
const [settings] = await once(session, 'remoteSettings');
assert.equal(settings.enableConnectProtocol, true);

const request = (changes) => {
  const headers = {
    ':method': 'CONNECT', ':protocol': 'websocket', ':scheme': 'http', ':path': path, ':authority': new URL(origin).host,
    authorization: `Bearer ${token}`, 'x-ath-agent-id': agent, 'sec-websocket-version': '13', 'sec-websocket-protocol': 'other, chat.v2', ...changes,
  };
  for (const name of Object.keys(headers)) if (headers[name] === undefined) delete headers[name];
  return session.request(headers, { endStream: false });
};

const answer = async (stream) => {
  const [headers] = await once(stream, 'response');
  return headers;
};

const socket = (stream) => {
  const socket = new WebSocket(null, undefined, {});
  socket._isServer = false;
  stream.setNoDelay = () => {};
  socket.setSocket(stream, Buffer.alloc(0), { allowSynchronousEvents: true, maxPayload: 0, skipUTF8Validation: false });
  return socket;
};

const refusals = {
  version: { 'sec-websocket-version': '8' },
  length: { 'content-length': '5' },
  token: { authorization: undefined },
  other: { ':protocol': 'connect-udp' },
  answered: {},
};

if (what in refusals) {
  const stream = request(refusals[what]);
  const reset = once(stream, 'close').then(() => ({ ':status': 0 })).catch(() => ({ ':status': 0 }));
  const headers = await Promise.race([answer(stream).catch(() => reset), reset]);
  if (headers[':status'] === 0) {
    console.log(JSON.stringify({ reset: stream.rstCode }));
    process.exit(0);
  }
  let body = '';
  stream.setEncoding('utf8');
  stream.on('data', (piece) => { body += piece; });
  await once(stream, 'end');
  if (!body.startsWith('{')) body = '{}';
  console.log(JSON.stringify({ status: headers[':status'], reason: JSON.parse(body || '{}').details?.reason, version: headers['sec-websocket-version'] }));
} else if (what === 'hold') {
  const stream = request({});
  assert.equal((await answer(stream))[':status'], 200);
  const ws = socket(stream);
  const echoed = once(ws, 'message');
  ws.send('hello');
  assert.equal(String((await echoed)[0]), 'hello');
  console.log('OPEN');
  const [code, reason] = await once(ws, 'close');
  console.log(JSON.stringify({ code, reason: String(reason) }));
} else {
  const stream = request({});
  const headers = await answer(stream);
  assert.equal(headers[':status'], 200);
  assert.equal(headers['sec-websocket-protocol'], 'chat.v2');
  assert.equal(headers['sec-websocket-accept'], undefined);
  const ws = socket(stream);
  const next = async () => (await once(ws, 'message', { signal: AbortSignal.timeout(20000) }));
  const said = async (data) => { const came = next(); ws.send(data); return came; };
  const large = randomBytes(1 << 20);
  for (const data of ['hello', 'grüße', large, Buffer.alloc(0)]) {
    const [back, binary] = await said(data);
    assert.equal(binary, typeof data !== 'string');
    assert.ok(Buffer.from(data).equals(back));
  }
  const whole = next();
  ws.send('one ', { fin: false });
  ws.send('two', { fin: true });
  assert.equal(String((await whole)[0]), 'one two');
  const pong = once(ws, 'pong');
  ws.ping('there?');
  assert.equal(String((await pong)[0]), 'there?');
  for (const how of ['text', 'fragments', 'bytes']) {
    const [masked] = await said(`!token ${how}`);
    assert.ok(!String(masked).includes('CANARY-'), `${how}: ${masked}`);
  }
  const pinged = once(ws, 'ping');
  const told = next();
  ws.send('!token ping');
  assert.match(String((await pinged)[0]), /^Bearer \*+$/);
  assert.equal(String((await told)[0]), 'pinged');
  const count = 10000;
  let expected = 0;
  const all = new Promise((done) => {
    ws.on('message', (data) => { assert.equal(String(data), String(expected++)); if (expected === count) done(); });
  });
  for (let number = 0; number < count; number++) ws.send(String(number));
  await all;
  // A second stream of the same connection: the first one's traffic has not used up what both share.
  const second = request({});
  assert.equal((await answer(second))[':status'], 200);
  const other = socket(second);
  const echoed = once(other, 'message');
  other.send('second');
  assert.equal(String((await echoed)[0]), 'second');
  other.close(1000);
  ws.removeAllListeners('message');
  const closed = once(ws, 'close');
  ws.send('!close 4002 the service goes');
  const [code, reason] = await closed;
  console.log(JSON.stringify({ code, reason: String(reason) }));
}
session.close();
