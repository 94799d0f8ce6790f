import { get } from "../api.js";
import { endpointLink, eventLink, h, ruleLink, state, table, when } from "../dom.js";
import { answers, periods, span, to } from "../query.js";

export const nav = { name: "Events", path: "/events", also: ["/dead"], key: "e", order: 3.5 };
export const pages = [[/^\/events$/, events]];

const columns = [
  { name: "When", cell: (e) => when(e.time || e.received) },
  { name: "Host", cell: (e) => (e.host || e.sensors?.length) && endpointLink(e.server, e.sensors?.length === 1 && e.sensors[0], e.host || e.sensors[0]) },
  { name: "What happened", cell: (e) => eventLink(e.id, e.story) },
  { name: "Type", cell: (e) => h("span", { class: "faint" }, e.type) },
  { name: "What became of it", cell: (e) => (e.jobs?.length
    ? h("span", {}, e.jobs.map((j) => [ruleLink(j.rule), " ", h("a", { href: `#/jobs/${encodeURIComponent(j.id)}` }, state(j.state)), " "]))
    : e.verdict) },
];

const verdicts = [["", "all verdicts"], ["job", "with a job"], ["no_job", "matched, no job"], ["no_match", "no rule matched"], ["other_server", "of another server"], ["failed", "a rule failed"]];

// events lists the last events; the address holds the search.
export async function events({ query }) {
  const field = (name) => query.get(name) ?? "";
  const verdict = field("verdict");
  const p = await get(`events?${new URLSearchParams({ host: field("host"), text: field("q"), process: field("process"), verdict, ...span(query, "0.04"), limit: 200 })}`);
  const go = (e) => {
    e.preventDefault();
    location.hash = to("/events", answers(e.target.closest("form")));
  };
  return [
    h("h1", {}, "Events"),
    h("form", { class: "bar", role: "search", onsubmit: go },
      h("input", { type: "search", name: "host", value: field("host"), placeholder: "Host", "aria-label": "Host" }),
      h("input", { type: "search", name: "process", value: field("process"), placeholder: "Process", "aria-label": "Process" }),
      h("input", { type: "search", name: "q", value: field("q"), placeholder: "Text", "aria-label": "Text" }),
      h("select", { name: "verdict", "aria-label": "Verdict", onchange: (e) => e.target.form.requestSubmit() },
        verdicts.map(([value, name]) => h("option", { value, selected: value === verdict }, name))),
      periods(query, "0.04"), h("button", {}, "Search"), h("a", { href: "#/dead" }, "Dead letters")),
    table(columns, p.events, { key: (e) => e.id, empty: p.read
      ? `None of the ${p.read} events that arrived in this time fits. Widen the time, or search for less.`
      : "No event has arrived in this time. Is a source set up? `pipeline doctor` tries them all." }),
    !p.whole && h("p", { class: "problem" }, "There are more events than could be looked at: choose a shorter time."),
  ].filter(Boolean);
}
