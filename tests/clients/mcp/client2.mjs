// @modelcontextprotocol/client 2.x, unmodified: revision 2026-07-28, or those before.
//
//     client2.mjs URL [--era legacy|auto|2026-07-28] [--elicitation accept|decline|cancel]
import { Client, StreamableHTTPClientTransport, UnauthorizedError } from '@modelcontextprotocol/client';
import { Callback, Kept, obey, opens, told } from './puppet.mjs';

const { url, era = 'auto', elicitation } = told();
const callback = await Callback.listens();
const authProvider = new Kept(callback);
const asked = [];
let client;
let transport;

const authorized = async (act) => {
  try { return await act(); } catch (error) {
    if (!(error instanceof UnauthorizedError)) throw error;
    const back = await callback.next();
    if (back.get('state') !== authProvider.expected) throw new Error('another state came back');
    await transport.finishAuth(back);
    return act();
  }
};

const connect = async () => {
  client = new Client({ name: 'puppet', version: '2' }, {
    capabilities: elicitation ? { elicitation: { url: {} } } : {},
    versionNegotiation: { mode: ['legacy', 'auto'].includes(era) ? era : { pin: era } },
  });
  if (elicitation) {
    client.setRequestHandler('elicitation/create', async ({ params }) => {
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
  call: ({ name, arguments: given }) => authorized(() => client.callTool({ name, arguments: given })),
  asked: () => asked,
  end: () => client?.close(),
});
