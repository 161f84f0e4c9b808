// The TypeScript SDK, version 1: revisions with `initialize` only.

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport, getDefaultEnvironment } from "@modelcontextprotocol/sdk/client/stdio.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { session } from "./session.mjs";

await session({
  environment: getDefaultEnvironment,
  connect: async (server, _mode, person) => {
    const transport = new StdioClientTransport(server);
    // The client tells its transport what was agreed on, and nobody else.
    let version;
    transport.setProtocolVersion = (agreed) => (version = agreed);
    const client = new Client({ name: "clients", version: "0" }, { capabilities: { elicitation: {} } });
    client.setRequestHandler(ElicitRequestSchema, person);
    await client.connect(transport);
    return { client, protocol: () => version };
  },
  call: (client, name, args, options) => client.callTool({ name, arguments: args }, undefined, options),
});
