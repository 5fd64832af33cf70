// mcp-remote, unmodified, as hosts start it that know nothing but programs on the same machine; the host here is @modelcontextprotocol/sdk.
//
//     remote.mjs URL [--era legacy|auto]
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { obey, told } from './puppet.mjs';

const { url, era = 'legacy' } = told();
const program = fileURLToPath(new URL('../node_modules/mcp-remote/dist/proxy.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'mcp-remote-'));
let client;

await obey({
  connect: async () => {
    client = new Client({ name: 'puppet', version: '1' });
    const env = { ...process.env, HOME: folder, MCP_REMOTE_CONFIG_DIR: folder };
    const args = [program, url, '--transport', 'http-only', '--protocol', era, '--auth-timeout', '60'];
    await client.connect(new StdioClientTransport({ command: process.execPath, args, env, stderr: 'inherit' }), { timeout: 80_000 });
    return { server: client.getServerVersion(), instructions: client.getInstructions(), capabilities: client.getServerCapabilities() };
  },
  list: async () => (await client.listTools()).tools,
  call: ({ name, arguments: given }) => client.callTool({ name, arguments: given }, undefined, { timeout: 80_000 }),
  asked: () => [],
  end: async () => { await client?.close(); rmSync(folder, { recursive: true, force: true }); },
});
