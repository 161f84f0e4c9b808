// The TypeScript SDK, version 2: both eras.

import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport, getDefaultEnvironment } from "@modelcontextprotocol/client/stdio";
import { session } from "./session.mjs";

await session({
  environment: getDefaultEnvironment,
  connect: async (server, mode) => {
    const client = new Client({ name: "clients", version: "0" }, { versionNegotiation: { mode } });
    await client.connect(new StdioClientTransport(server));
    return { client, protocol: () => client.getNegotiatedProtocolVersion() };
  },
  call: (client, name, args, options) => client.callTool({ name, arguments: args }, options),
});
