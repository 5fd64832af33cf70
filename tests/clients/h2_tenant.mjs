// One tenant's API over HTTP/2 and TLS.
//
//     h2_tenant.mjs PORT CERTIFICATE KEY
//
// Refuses tokens that begin with CANARY-at-1- and CANARY-at-2-, as if they had been taken back; echoes who was asked with which token by
// whichever version. Prints READY when it listens, and then a line of JSON for each request.
import { readFileSync } from 'node:fs';
import { createSecureServer } from 'node:http2';

const [port, certificate, key] = process.argv.slice(2);
const server = createSecureServer({ cert: readFileSync(certificate), key: readFileSync(key), allowHTTP1: false });
server.on('stream', (stream, headers) => {
  const seen = { authority: headers[':authority'], path: headers[':path'], authorization: headers.authorization, host: headers.host };
  console.log(JSON.stringify(seen));
  const status = /CANARY-at-[12]-/.test(headers.authorization) ? 401 : 200;
  stream.respond({ ':status': status, 'content-type': 'application/json', location: `https://${headers[':authority']}${headers[':path']}/1` });
  stream.end(JSON.stringify({ at: `https://${headers[':authority']}${headers[':path']}` }));
});
server.listen(Number(port), '127.0.0.1', () => console.log('READY'));
