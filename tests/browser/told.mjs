// SPDX-License-Identifier: MIT
// A daemon that tells what a test says, as fast as the page takes it. It serves the files
// of the dashboard and GET /v1/watch; all else is not there.
import { once } from "node:events";
import { createReadStream, existsSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";

const WEB = fileURLToPath(new URL("../../web/", import.meta.url));
const TYPES = { ".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml" };

export class Teller {
  constructor() {
    this.watcher = null;
    this.server = createServer((request, answer) => this.answer(request, answer));
  }

  /** Where it listens. */
  async begin() {
    await once(this.server.listen(0, "127.0.0.1"), "listening");
    return `http://127.0.0.1:${this.server.address().port}`;
  }

  answer({ url }, answer) {
    const path = url.split("?")[0];
    const file = join(WEB, path === "/" ? "index.html" : path.replace("/assets/", ""));
    if (path === "/v1/watch") {
      answer.writeHead(200, { "Content-Type": "text/event-stream" });
      answer.flushHeaders();
      this.watcher = answer;
      this.server.emit("watched");
    } else if (existsSync(file)) {
      answer.writeHead(200, { "Content-Type": TYPES[extname(file)] });
      createReadStream(file).pipe(answer);
    } else {
      answer.writeHead(404, { "Content-Type": "application/json" });
      answer.end('{"detail":"there is nothing at this path"}');
    }
  }

  async watched() {
    if (this.watcher === null) {
      await once(this.server, "watched");
    }
  }

  /** One event; waits while the page has not read the ones before. */
  async tell(event, value) {
    const { watcher } = this;
    if (!watcher.write(`event: ${event}\ndata: ${JSON.stringify(value)}\n\n`)) {
      const gone = new AbortController();
      watcher.once("close", () => gone.abort(new Error("the page reads no more")));
      await once(watcher, "drain", { signal: gone.signal });
      watcher.removeAllListeners("close");
    }
  }

  end() {
    this.watcher?.end();
    this.server.close();
    this.server.closeAllConnections();
  }
}
