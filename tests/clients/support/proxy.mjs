// A TCP proxy whose connections can be cut, as a network does: no HTTP end, no warning to either side.

import { once } from "node:events";
import { connect, createServer } from "node:net";

/** Starts a proxy in front of the server at `url`. */
export async function startProxy(url) {
  const { hostname, port } = new URL(url);
  const sockets = new Set();
  let down = false;
  const server = createServer((client) => {
    client.on("error", () => {});
    if (down) return void client.resetAndDestroy();
    const upstream = connect(Number(port), hostname);
    for (const [one, other] of [[client, upstream], [upstream, client]]) {
      sockets.add(one);
      one.setNoDelay(true);
      one.pipe(other);
      one.on("error", () => other.destroy());
      one.on("close", () => {
        sockets.delete(one);
        other.destroy();
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = () => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    /** Cuts every open connection; new ones are accepted as before. */
    cut,
    /** Cuts every open connection, and each new one at once until `restore`. */
    fail: () => {
      down = true;
      cut();
    },
    /** Lets connections through again. */
    restore: () => {
      down = false;
    },
    stop: async () => {
      cut();
      server.close();
      await once(server, "close");
    },
  };
}
