// SPDX-License-Identifier: MIT
// The official TypeScript clients of MCP ask a server, and print what they got as JSON.
//
//     node mcp_client.mjs NODE_MODULES MODE URL
//     node mcp_client.mjs NODE_MODULES MODE COMMAND ARGUMENT...
//
// MODE is `v1`, the package of the handshake's era, or of the one after it `legacy`,
// `auto` or a revision.
import { createRequire } from "node:module";

const [modules, mode, ...server] = process.argv.slice(2);
const require = createRequire(`${modules}/`);
const old = mode === "v1";
const from = (one, other) => require(`@modelcontextprotocol/${old ? one : other}`);
const { Client } = from("sdk/client/index.js", "client");
const { StreamableHTTPClientTransport } = from("sdk/client/streamableHttp.js", "client");
const { StdioClientTransport } = from("sdk/client/stdio.js", "client/stdio");

const pinned = ["v1", "legacy", "auto"].includes(mode) ? mode : { pin: mode };
const options = old ? {} : { versionNegotiation: { mode: pinned } };
const client = new Client({ name: "peer", version: "1" }, options);
const [command, ...args] = server;
const transport = command.startsWith("http")
  ? new StreamableHTTPClientTransport(new URL(command))
  : new StdioClientTransport({ command, args, env: process.env, stderr: "inherit" });

const call = (name, given, more) => {
  const params = { name: `judged.${name}`, arguments: given };
  return old ? client.callTool(params, undefined, more) : client.callTool(params, more);
};

await client.connect(transport);
const told = { version: transport.protocolVersion, heard: [], unknown: "" };
if (!old) told.version = client.getNegotiatedProtocolVersion();
told.tools = (await client.listTools()).tools.map((tool) => tool.name).sort();
// What is answered late is answered before the next call, which waits for it.
const cancel = new AbortController();
const naps = call("wait", { seconds: 60 }, { signal: cancel.signal });
setTimeout(() => cancel.abort("enough"), 200);
told.cancelled = await naps.then(() => "", (error) => String(error));
told.added = (await call("add", { a: 40, b: 2 })).structuredContent;
told.greeted = (await call("greet", { name: "snake" })).content[0].text;
told.failed = (await call("add", { c: 1 })).isError;
const onprogress = ({ progress, message }) => told.heard.push([progress, message]);
told.counted = (await call("count", { n: 3 }, { onprogress })).structuredContent;
try {
  await call("nothing", {});
} catch (error) {
  told.unknown = String(error);
}
told.late = (await call("add", { a: 1 })).structuredContent;
await client.close();
console.log(JSON.stringify(told));
