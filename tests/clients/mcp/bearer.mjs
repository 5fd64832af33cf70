// Forwards what comes to a port as it is, with a token where none is: for programs that test a server and know nothing of logins.
//
//     TOKEN=... bearer.mjs PORT GATEWAY_PORT
import { createServer, request } from 'node:http';

const [port, gateway] = process.argv.slice(2).map(Number);
createServer((asked, answered) => {
  const headers = { ...asked.headers, authorization: asked.headers.authorization ?? `Bearer ${process.env.TOKEN}` };
  const sent = request({ host: '127.0.0.1', port: gateway, method: asked.method, path: asked.url, headers, setHost: false }, (answer) => {
    answered.writeHead(answer.statusCode, answer.rawHeaders.reduce((pairs, text, at) => { if (at % 2) pairs.at(-1).push(text); else pairs.push([text]); return pairs; }, []).flat());
    answer.pipe(answered);
  });
  sent.on('error', () => answered.destroy());
  asked.pipe(sent);
}).listen(port, '127.0.0.1', () => console.log('READY'));
