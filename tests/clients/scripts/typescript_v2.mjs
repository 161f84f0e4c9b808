// The TypeScript SDK, version 2: both eras.

import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport, getDefaultEnvironment } from "@modelcontextprotocol/client/stdio";
import { session } from "./session.mjs";

await session({
  environment: getDefaultEnvironment,
  connect: async (server, mode, person) => {
    const options = { versionNegotiation: { mode }, capabilities: { elicitation: {} } };
    const client = new Client({ name: "clients", version: "0" }, options);
    client.setRequestHandler("elicitation/create", person);
    await client.connect(new StdioClientTransport(server));
    return { client, protocol: () => client.getNegotiatedProtocolVersion() };
  },
  call: (client, name, args, options) => client.callTool({ name, arguments: args }, options),
});
