// Calls of the HTTP API. An error carries the service's own words.

// patience is how long an answer may take, in milliseconds: a refresh that waits for ever
// would be the last one.
const patience = 60_000;

async function call(method, path, body) {
  const r = await fetch("/api/v1/" + path, {
    method, headers: body ? { "Content-Type": "application/json" } : {}, body: body && JSON.stringify(body), signal: AbortSignal.timeout(patience),
  }).catch((e) => { throw new Error(e.name === "TimeoutError" ? "the service has not answered within a minute" : "the service does not answer: is it running, and does the network reach it? This page tries again by itself"); });
  if (r.status === 401) { location.assign("/login"); throw new Error("logged out"); }
  const answer = await r.json();
  if (!r.ok) throw new Error(answer.error ?? r.statusText);
  return answer;
}

export const get = (path) => call("GET", path);
export const post = (path, body = {}) => call("POST", path, body);
export const remove = (path) => call("DELETE", path);

// live calls see with every notice of the bus, and tell whether it is connected.
export function live(see, connected) {
  const source = new EventSource("/api/v1/stream");
  source.onopen = () => connected(true);
  source.onerror = () => connected(false);
  source.onmessage = (m) => see(JSON.parse(m.data));
}
