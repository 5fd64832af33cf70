// The Inspector's command line, unmodified: a process for each deed, with what it keeps in a folder of its own.
//
//     inspector.mjs URL [--era legacy|modern|auto]
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { obey, told } from './puppet.mjs';

const { url, era = 'legacy' } = told();
const modules = fileURLToPath(new URL('../node_modules/', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'inspector-'));
const probe = createServer().listen(0, '127.0.0.1');
await new Promise((resolve) => { probe.once('listening', resolve); });
const { port } = probe.address();
await new Promise((resolve) => { probe.close(resolve); });

const inspects = (...deed) => new Promise((resolve, reject) => {
  const options = ['--cli', '--server-url', url, '--transport', 'http', '--protocol-era', era, '--format', 'json', '--callback-url', `http://127.0.0.1:${port}/oauth/callback`];
  const env = { ...process.env, HOME: folder, MCP_STORAGE_DIR: folder, MCP_AUTO_OPEN_ENABLED: 'true', MCP_INSPECTOR_SECRET_STORE: 'file' };
  const program = spawn(join(modules, 'node/bin/node'), [join(modules, '@modelcontextprotocol/inspector/clients/launcher/build/index.js'), ...options, ...deed], { env });
  let [said, complained] = ['', ''];
  program.stdout.on('data', (bytes) => { said += bytes; });
  program.stderr.on('data', (bytes) => { complained += bytes; });
  program.on('error', reject);
  program.on('close', (code) => {
    // 5 says that the tool has failed, which is an answer.
    if (code === 0 || code === 5) resolve({ code, ...JSON.parse(said.trim().split('\n').at(-1)) });
    else reject(new Error(`${code}: ${said}${complained}`));
  });
});

await obey({
  connect: async () => { await inspects('--method', 'tools/list'); return {}; },
  list: async () => { const listed = await inspects('--method', 'tools/list'); return (listed.result ?? listed).tools; },
  call: async ({ name, arguments: given }) => {
    const { code, ...called } = await inspects('--method', 'tools/call', '--tool-name', name, '--tool-args-json', JSON.stringify(given));
    return called.result ?? called;
  },
  asked: () => [],
  end: () => rmSync(folder, { recursive: true, force: true }),
});
