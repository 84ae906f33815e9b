// A service as the library with a key finds it: silent unless the key is right, and every report is recorded.

import { wsServer } from "../loopback.mjs";

export const KEY = "nehonix@the-key.nsl";

/** `received` has every frame, with the number of its connection. `answers(frame, socket)` may replace the answer. */
export async function fakeService(t, answers = () => false, https) {
  const received = [];
  let connections = 0;
  const server = await wsServer((socket, request) => {
    const connection = (connections += 1);
    socket.on("message", (text) => {
      const frame = JSON.parse(text);
      received.push({ connection, headers: request.headers, path: request.url, ...frame });
      if (answers(frame, socket) || frame.type !== "auth" || frame.data.apiKey !== KEY) return;
      const { userId, appId } = frame.data;
      socket.send(JSON.stringify({ type: "auth_success", payload: { userId, appId } }));
    });
  }, https);
  t.after(server.end);
  const of = (...types) => received.filter(({ type }) => types.includes(type));
  return { url: server.url, received, of, reports: () => of("send_metrics", "metrics"), get connections() { return connections; } };
}

/** Resolves as soon as it is true. */
export async function until(isTrue) {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 5));
}
