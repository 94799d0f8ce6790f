import { get } from "../api.js";
import { clip, endpointLink, h, jobLink, json, ruleLink, state, table, when } from "../dom.js";
import { to } from "../query.js";

export const pages = [[/^\/events\/(.+)$/, event]];

const tones = { matches: "good", unclear: "wait", fails: "bad", "no match": "off", off: "off" };

// event is what happened, what each rule makes of it, and what came of it.
export async function event({ id }) {
  const p = await get(`events/${encodeURIComponent(id)}`);
  const host = p.host || p.sensors?.[0];
  return [
    h("h1", {}, "Event"),
    h("p", { id: "story" }, clip(p.story), "."),
    h("p", {}, host ? [endpointLink(p.server, p.sensors?.length === 1 && p.sensors[0], p.host), " · "] : "", h("code", {}, p.type), " · ", when(p.time) || "at an unknown time", p.received ? [" · received ", when(p.received)] : ""),
    p.from_job && h("p", { class: "faint" }, "The bus no longer has it: this is from the record of a job."),
    h("h2", {}, "What came of it"),
    h("p", { id: "verdict" }, clip(p.verdict || "nothing")),
    table([
      { name: "Job", cell: (j) => jobLink(j.id) },
      { name: "Rule", cell: (j) => ruleLink(j.rule) },
      { name: "State", cell: (j) => state(j.state) },
      { name: "Why", cell: (j) => j.detail },
    ], p.jobs ?? [], { key: (j) => j.id, empty: "There is no job." }),
    p.decisions.length > 0 && [h("h2", {}, "Why there is no job"), decisionTable(p.decisions)],
    h("h2", {}, "What the rules make of it now"),
    table([
      { name: "Rule", cell: (r) => ruleLink(r.id) },
      { name: "Verdict", cell: (r) => h("span", { class: `state ${tones[r.verdict]}` }, r.verdict) },
      { name: "Because", cell: (r) => h("ul", { class: "plain" }, (r.reasons ?? []).map((x) => h("li", {}, clip(x)))) },
    ], p.for_rules, { key: (r) => r.id, empty: `No rule in force is for events of type ${p.type}.` }),
    h("h2", {}, "The event"),
    h("div", { class: "bar" }, host && h("a", { class: "button", href: to("/events", { host, days: "1" }) }, "Others of this host")),
    json(p.event),
  ].flat().filter(Boolean);
}

export const decisionTable = (decisions, options = {}) => table([
  { name: "When", cell: (d) => when(d.at) },
  { name: "Rule", cell: (d) => ruleLink(d.rule) },
  { name: "Host", cell: (d) => (d.host || d.sensor) && endpointLink(d.server, d.sensor, d.host) },
  { name: "Event", cell: (d) => d.event && h("a", { href: `#/events/${encodeURIComponent(d.event)}`, class: "mono" }, d.event.slice(0, 10)) },
  { name: "Reason", cell: (d) => [d.reason, d.detail].filter(Boolean).join(": ") },
], decisions, { key: (d) => `${d.event} ${d.rule} ${d.sensor} ${d.reason}`, ...options });
