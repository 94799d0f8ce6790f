import { get } from "../api.js";
import { h, state, table, when } from "../dom.js";
import { periods, since } from "../query.js";

export const nav = { name: "Events", path: "/events", key: "e", order: 3.5 };
export const pages = [[/^\/events$/, events]];

const columns = [
  { name: "When", cell: (e) => when(e.time || e.received) },
  { name: "Host", cell: (e) => e.host && h("a", { href: `#/why?about=${encodeURIComponent(e.host)}` }, e.host) },
  { name: "What happened", cell: (e) => h("a", { href: `#/why?about=${encodeURIComponent(e.id)}` }, e.story) },
  { name: "Type", cell: (e) => h("span", { class: "faint" }, e.type) },
  { name: "What became of it", cell: (e) => (e.jobs?.length
    ? h("span", {}, e.jobs.map((j) => [h("a", { href: `#/jobs/${encodeURIComponent(j.id)}` }, j.rule), " ", state(j.state), " "]))
    : e.verdict) },
];

// events lists the last events; the address holds the search.
export async function events({ query }) {
  const field = (name) => query.get(name) ?? "";
  const days = field("days") || "0.04";
  const p = await get(`events?${new URLSearchParams({ host: field("host"), text: field("q"), process: field("process"), since: since(days), limit: 200 })}`);
  const go = (e) => {
    e.preventDefault();
    const f = e.target.closest("form");
    location.hash = `/events?${new URLSearchParams([...new FormData(f)].filter(([, v]) => v))}`;
  };
  return [
    h("h1", {}, "Events"),
    h("form", { class: "bar", role: "search", onsubmit: go },
      h("input", { type: "search", name: "host", value: field("host"), placeholder: "Host", "aria-label": "Host" }),
      h("input", { type: "search", name: "process", value: field("process"), placeholder: "Process", "aria-label": "Process" }),
      h("input", { type: "search", name: "q", value: field("q"), placeholder: "Text", "aria-label": "Text" }),
      periods(days, (e) => e.target.form.requestSubmit()), h("button", {}, "Search")),
    table(columns, p.events, { key: (e) => e.id, empty: p.read
      ? `None of the ${p.read} events that arrived in this time fits. Widen the time, or search for less.`
      : "No event has arrived in this time. Is a source set up? `pipeline doctor` tries them all." }),
    !p.whole && h("p", { class: "problem" }, "There are more events than could be looked at: choose a shorter time."),
  ].filter(Boolean);
}
