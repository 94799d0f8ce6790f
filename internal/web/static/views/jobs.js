import { get, post } from "../api.js";
import { ask, attempt } from "../ask.js";
import { bytes, h, jobLink, json, number, pager, state, table, when } from "../dom.js";
import { periods, since, to } from "../query.js";

export const nav = { name: "Jobs", path: "/jobs", key: "j", order: 2 };
export const pages = [[/^\/jobs$/, jobList], [/^\/jobs\/(.+)$/, jobPage]];

// The columns of the list; sort is the order of the server that a click on the name asks for.
const columns = [
  { name: "Job", cell: (j) => jobLink(j.id) },
  { name: "State", sort: "state", cell: (j) => h("span", {}, state(j.state), j.undo && h("span", { class: "state undo" }, "undo")) },
  { name: "What happened", cell: (j) => j.story },
  { name: "Rule", sort: "rule", cell: (j) => (j.rule ? h("a", { href: to("/jobs", { rule: j.rule }) }, j.rule) : `by ${j.submitter}`) },
  { name: "Host", sort: "host", cell: (j) => h("a", { href: `#/why?about=${encodeURIComponent(j.host || `sensor:${j.sensor}`)}` }, j.host || `sensor ${j.sensor}`) },
  { name: "Why", cell: (j) => [j.reason, j.detail].filter(Boolean).join(": ") },
  { name: "Steps", cell: (j) => `${j.done}/${j.steps}`, num: true },
  { name: "Created", sort: "created", cell: (j) => when(j.created) },
];

const size = 100; // jobs a page
const states = ["", "live", "ended", "queued", "parked", "held", "running", "succeeded", "shadowed", "skipped", "failed", "unknown", "denied", "expired", "cancelled"];
const fields = ["q", "state", "rule", "host", "action", "sensor"];

// jobList searches, filters, sorts and pages on the server; the address holds the query.
export async function jobList({ query }) {
  const field = (name) => query.get(name) ?? "";
  const days = field("days") || "1", offset = Number(field("offset")) || 0;
  const now = Object.fromEntries([...fields, "sort", "days"].map((f) => [f, field(f)]));
  const p = await get(`jobs?${new URLSearchParams({ text: field("q"), state: field("state"), rule: field("rule"), host: field("host"), action: field("action"), sensor: field("sensor"), sort: field("sort"), since: since(days), limit: size, offset })}`);
  const submit = (e) => {
    e.preventDefault();
    location.hash = to("/jobs", { ...now, ...Object.fromEntries(new FormData(e.target.closest("form"))) });
  };
  const sorting = columns.map((c) => (!c.sort ? c : { ...c, label: h("a", {
    href: to("/jobs", { ...now, sort: now.sort === c.sort ? `-${c.sort}` : c.sort }), "aria-label": `Sort by ${c.name}`,
  }, c.name, now.sort === c.sort ? " ↑" : now.sort === `-${c.sort}` ? " ↓" : "") }));
  const input = (name, label) => h("input", { type: "search", name, value: field(name), placeholder: label, "aria-label": label });
  return [
    h("h1", {}, "Jobs"),
    h("form", { class: "bar", role: "search", onsubmit: submit },
      input("q", "Search"), input("host", "Host"), input("rule", "Rule"), input("action", "Action"),
      h("select", { name: "state", "aria-label": "State", onchange: (e) => e.target.form.requestSubmit() },
        states.map((s) => h("option", { value: s, selected: s === field("state") }, s || "all states"))),
      periods(days, (e) => e.target.form.requestSubmit()), h("button", {}, "Search"),
      fields.some(field) && h("a", { href: "#/jobs" }, "Show all")),
    field("sensor") && h("p", { class: "faint" }, `Only on sensor ${field("sensor")}.`),
    table(sorting, p.jobs, { key: (j) => j.id, empty: fields.some(field)
      ? "No job fits. Widen the time, or search for less."
      : "No job in this time. What rules match appears here; the page Events shows what arrives." }),
    pager(offset, size, p.total, (n) => { location.hash = to("/jobs", { ...now, offset: n }); }),
    h("p", { class: "faint" }, `${p.more ? "more than " : ""}${number(p.more ? p.total - 1 : p.total)} jobs: live ones, and those that ended since `, when(p.since), "."),
  ].flat().filter(Boolean);
}

export async function jobPage({ id, me, refresh }) {
  const p = await get(`jobs/${encodeURIComponent(id)}`);
  const j = p.job;
  const ended = !["held", "queued", "parked", "running"].includes(p.state);
  return [
    h("h1", {}, `${p.undo ? "Undo" : p.rule || "Job"} on ${p.host || `sensor ${p.sensor}`}`),
    h("p", { id: "story" }, p.story, "."),
    p.of && h("p", { class: "faint" }, p.undo ? "It takes back what job " : "It goes on for job ", jobLink(p.of), p.undo ? " did." : "."),
    h("p", { id: "state" }, state(p.state), " ", p.why || [p.reason, p.detail].filter(Boolean).join(": ")),
    p.asks?.length > 0 && h("p", {}, h("a", { class: "button", href: "#/approvals" }, "Answer what it asks")),
    me.role === "admin" && actions(p, ended, refresh),
    me.role !== "viewer" && p.rule && h("p", { class: "faint" }, h("a", { href: to("/guards", { rule: p.rule }) }, "Silence this rule"), " · ", h("a", { href: `#/why?about=${encodeURIComponent(p.id)}` }, "Why, step by step"), " · ", h("a", { href: `#/why?about=${encodeURIComponent(p.host || `sensor:${p.sensor}`)}` }, "What else happened on this host")),
    h("div", { class: "cards" },
      fact("Job", h("span", { class: "mono" }, p.id)), fact("Created", when(p.created)), fact("Started", when(j.started)), fact("Ended", when(j.ended)),
      fact("Priority", p.priority), fact("Submitted by", p.submitter), j.digest && fact("Rule digest", h("span", { class: "mono" }, j.digest.slice(0, 16)))),
    h("h2", {}, "Steps"),
    h("ol", { class: "timeline" }, flat(j.steps).flatMap((s) => stepItems(s, (j.done ?? []).filter((d) => d.id === s.id)))),
    p.artifacts.length > 0 && [h("h2", {}, "Artifacts"), artifactTable(p.artifacts, me)],
    j.event && [h("h2", {}, "Event"), h("details", { "data-key": "event" }, h("summary", {}, `${j.event.event.type} at ${j.event.event.time ?? "an unknown time"}`), json(j.event))],
    h("h2", {}, "History"),
    table([
      { name: "When", cell: (t) => new Date(t.at).toLocaleTimeString() },
      { name: "State", cell: (t) => state(t.state) },
      { name: "Why", cell: (t) => [t.reason, t.detail].filter(Boolean).join(": ") },
    ], j.history ?? []),
  ].flat(2).filter(Boolean);
}

const fact = (name, value) => value && h("div", { class: "card" }, h("div", { class: "name" }, name), h("div", {}, value));

// flat lists steps that run in parallel like the others.
const flat = (steps) => steps.flatMap((s) => (s.parallel?.length ? flat(s.parallel) : [s]));

// stepItems shows a step as planned, or each of its runs.
function stepItems(step, runs) {
  if (runs.length === 0) return [h("li", { class: "pending" }, h("strong", {}, step.uses), " ", h("span", { class: "faint" }, step.id), " ", state("pending"))];
  return runs.map((r) => h("li", { class: r.state },
    h("strong", {}, r.uses), " ", h("span", { class: "faint" }, r.item ? `${r.id} #${r.item}` : r.id), " ", state(r.state), " ",
    h("span", { class: "faint" }, took(r), r.session ? ` · session ${r.session}` : "", r.command ? ` · command ${r.command}` : ""),
    r.error && h("p", { class: "problem" }, r.error),
    (r.args || r.output) && h("details", { "data-key": `${r.id}-${r.item ?? 0}` }, h("summary", {}, "input and output"), r.args && [h("h3", {}, "Input"), json(r.args)], r.output && [h("h3", {}, "Output"), json(r.output)])));
}

function took(r) {
  if (!r.started || !r.ended || r.ended.startsWith("0001")) return "";
  return `${((new Date(r.ended) - new Date(r.started)) / 1000).toFixed(2)} s`;
}

function actions(p, ended, refresh) {
  const button = (label, verb, body = {}, options = {}) => h("button", {
    class: options.danger ? "danger" : "", async onclick() {
      const why = await ask(label, { go: label, ...options });
      if (why === null) return;
      await attempt(() => post(`jobs/${encodeURIComponent(p.id)}/${verb}`, { ...body, why }), `${label}: asked for.`);
      refresh();
    },
  }, label);
  return h("div", { class: "bar" },
    !ended && button("Cancel", "cancel", {}, { danger: true, go: "Cancel the job", text: "Steps that have not begun are left out; what was done stays done." }),
    ended && !["succeeded", "unknown"].includes(p.state) && !p.undo && button("Run again", "retry", {}, { text: "A new job with the same steps; steps that succeeded are not repeated." }),
    p.state === "succeeded" && !p.undo && button("Undo", "undo", {}, { text: "Steps that can be undone, such as isolation or a ban, are undone by a new job." }),
    p.state === "unknown" && Object.entries(outcomes).map(([outcome, label]) => button(label, "resolve", { outcome }, { label: "How do you know? This is recorded." })));
}

const outcomes = { happened: "It was done: go on", never: "It was not done: run it", settled: "Leave it" };

export function artifactTable(list, me) {
  const may = me.role !== "viewer";
  return table([
    { name: "File", cell: (a) => !may ? a.name : h("a", { href: `/api/v1/artifacts/${encodeURIComponent(a.id)}`, download: a.name }, a.name) },
    { name: "From", cell: (a) => h("code", {}, a.path) },
    { name: "Sensor", cell: (a) => a.sensor, num: true },
    { name: "Size", cell: (a) => bytes(a.size), num: true },
    { name: "SHA-256", cell: (a) => h("code", {}, a.sha256) },
    { name: "Collected", cell: (a) => when(a.time) },
    { name: "Job", cell: (a) => a.job && jobLink(a.job) },
  ], list, { key: (a) => a.id, empty: "No file has been collected." });
}
