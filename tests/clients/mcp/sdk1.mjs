// @modelcontextprotocol/sdk 1.x, unmodified: the revisions before 2026-07-28.
//
//     sdk1.mjs URL [--package NAME] [--elicitation accept]
import { Callback, Kept, obey, opens, told } from './puppet.mjs';

const { url, package: name = '@modelcontextprotocol/sdk', elicitation } = told();
const { Client } = await import(`${name}/client/index.js`);
const { StreamableHTTPClientTransport } = await import(`${name}/client/streamableHttp.js`);
const { UnauthorizedError } = await import(`${name}/client/auth.js`);
const callback = await Callback.listens();
const authProvider = new Kept(callback);
const asked = [];
let client;
let transport;

/** As a host does it: where the SDK has sent the person away, wait for them, hand over the code, and try again. */
const authorized = async (act) => {
  try { return await act(); } catch (error) {
    if (!(error instanceof UnauthorizedError)) throw error;
    const back = await callback.next();
    if (back.get('state') !== authProvider.expected) throw new Error('another state came back');
    await transport.finishAuth(back.get('code'));
    return act();
  }
};

const connect = async () => {
  client = new Client({ name: 'puppet', version: '1' }, { capabilities: elicitation ? { elicitation: { url: {}, form: {} } } : {} });
  if (elicitation) {
    const { ElicitRequestSchema } = await import(`${name}/types.js`);
    client.setRequestHandler(ElicitRequestSchema, async ({ params }) => {
      asked.push(params);
      if (elicitation === 'accept') await opens(params.url);
      return { action: elicitation };
    });
  }
  transport = new StreamableHTTPClientTransport(new URL(url), { authProvider });
  await client.connect(transport);
};

await obey({
  connect: async () => {
    await authorized(connect);
    return { server: client.getServerVersion(), instructions: client.getInstructions(), capabilities: client.getServerCapabilities() };
  },
  list: async () => (await authorized(() => client.listTools())).tools,
  call: ({ name: tool, arguments: given }) => authorized(() => client.callTool({ name: tool, arguments: given })),
  asked: () => asked,
  end: () => client?.close(),
});
