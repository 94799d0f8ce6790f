import { get, post } from "../api.js";
import { ask, attempt, tell } from "../ask.js";
import { bytes, clip, h, number, table, when } from "../dom.js";
import { to } from "../query.js";

export const pages = [[/^\/dead$/, deadList], [/^\/dead\/(\d+)$/, deadLetter]];

const size = 100;

async function replay(choice, what, refresh) {
  const why = await ask(`Put back ${what}`, { text: "Rules decide on it as if it arrived now. Mend what was wrong before.", go: "Put back" });
  if (why === null) return;
  await attempt(async () => {
    const done = await post("dead/replay", { ...choice, why });
    if (done.failed?.length) throw new Error(`${done.done} put back; ${done.failed[0]}`);
    tell(`${done.done} put back.`);
  });
  refresh();
}

// deadList is the input that could not be used.
export async function deadList({ query, me, refresh }) {
  const reason = query.get("reason") ?? "", before = query.get("before") ?? "";
  const p = await get(`dead?${new URLSearchParams({ reason, limit: size, ...(before && { before }) })}`);
  const last = p.letters.at(-1)?.seq;
  return [
    h("h1", {}, "Dead letters"),
    h("p", { class: "faint" }, "Input from which no event could be read, or that a rule failed on. ", h("a", { href: "#/events" }, "Events")),
    h("div", { class: "bar" },
      Object.keys(p.reasons).sort().map((r) => h("a", { class: "button", href: to("/dead", { reason: r === reason ? "" : r }), "aria-current": r === reason }, `${r} (${number(p.reasons[r])})`)),
      me.role === "admin" && reason && p.total > 0 && h("button", { class: "primary", onclick: () => replay({ reason }, `${p.total} of ${reason}`, refresh) }, `Put back all of ${reason}`)),
    table([
      { name: "Number", cell: (l) => h("a", { href: `#/dead/${l.seq}` }, String(l.seq)) },
      { name: "When", cell: (l) => when(l.time) },
      { name: "Reason", cell: (l) => l.reason },
      { name: "Error", cell: (l) => l.error },
      { name: "From", cell: (l) => l.origin },
      { name: "Size", cell: (l) => bytes(l.bytes), num: true },
      { name: "", label: h("span", { class: "unseen" }, "Put back"), cell: (l) => me.role === "admin" && !l.cut && h("button", { onclick: () => replay({ sequences: [l.seq] }, `number ${l.seq}`, refresh) }, "Put back") },
    ], p.letters, { key: (l) => l.seq, empty: reason || before ? "None fits." : "None: all that arrived could be used." }),
    p.letters.length === size && h("p", {}, h("a", { href: to("/dead", { reason, before: last }) }, "Older ones")),
  ].flat().filter(Boolean);
}

// deadLetter is one of them with its body.
export async function deadLetter({ id, me, refresh }) {
  const l = await get(`dead/${id}`);
  return [
    h("h1", {}, `Dead letter ${l.seq}`),
    h("p", { class: "problem" }, clip(l.error || l.reason)),
    h("p", {}, `${l.reason} · from ${l.origin || "an unknown place"} · ${bytes(l.bytes)} · `, when(l.time), l.cut ? " · only its beginning was kept" : ""),
    h("div", { class: "bar" }, h("a", { class: "button", href: to("/dead", { reason: l.reason }) }, `All of ${l.reason}`),
      me.role === "admin" && !l.cut && h("button", { class: "primary", onclick: () => replay({ sequences: [l.seq] }, `number ${l.seq}`, () => { location.hash = "/dead"; }) }, "Put back")),
    h("h2", {}, "Body"),
    h("pre", {}, new TextDecoder().decode(Uint8Array.from(atob(l.body_b64 ?? ""), (c) => c.charCodeAt(0)))),
  ].filter(Boolean);
}
