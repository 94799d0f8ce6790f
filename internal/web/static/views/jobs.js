import { get, post } from "../api.js";
import { ask, attempt } from "../ask.js";
import { bytes, filter, h, jobLink, json, state, table, when } from "../dom.js";

export const nav = { name: "Jobs", path: "/jobs", key: "j", order: 2 };
export const pages = [[/^\/jobs$/, jobList], [/^\/jobs\/(.+)$/, jobPage]];

const columns = [
  { name: "Job", cell: (j) => jobLink(j.id) },
  { name: "State", cell: (j) => h("span", {}, state(j.state), j.mode === "shadow" && h("span", { class: "state shadow" }, "shadow")) },
  { name: "Rule", cell: (j) => j.rule || `by ${j.submitter}` },
  { name: "Sensor", cell: (j) => j.host || `sensor ${j.sensor}` },
  { name: "Why", cell: (j) => [j.reason, j.detail].filter(Boolean).join(": ") },
  { name: "Steps", cell: (j) => `${j.done}/${j.steps}`, num: true },
  { name: "Priority", cell: (j) => j.priority },
  { name: "Created", cell: (j) => when(j.created) },
];

// most is how many jobs a list shows; the newest.
const most = 200;

export async function jobList({ query }) {
  const chosen = query.get("state") ?? "";
  const params = new URLSearchParams(query);
  params.set("limit", most);
  const jobs = await get(`jobs?${params}`);
  const list = table(columns, jobs, { key: (j) => j.id, empty: "No job is like that. Matches of your rules will appear here." });
  const states = ["", "live", "ended", "queued", "parked", "held", "running", "succeeded", "failed", "unknown", "denied", "expired", "cancelled"];
  return [
    h("h1", {}, "Jobs"),
    h("div", { class: "bar" }, filter("Search these jobs"),
      h("select", { "aria-label": "State", onchange: (e) => {
        const next = new URLSearchParams(query);
        if (e.target.value) next.set("state", e.target.value); else next.delete("state");
        e.target.blur();
        location.hash = `/jobs?${next}`;
      } },
        states.map((s) => h("option", { value: s, selected: s === chosen }, s || "all states")))),
    about(query),
    list,
    jobs.length === most && h("p", { class: "faint" }, `The newest ${most}. Narrow it down by state, rule or sensor to see others.`),
  ].filter(Boolean);
}

// about names what the list is narrowed down to.
function about(query) {
  const parts = ["rule", "sensor"].filter((k) => query.has(k)).map((k) => `${k} ${query.get(k)}`);
  return parts.length > 0 && h("p", {}, `Only ${parts.join(", ")}. `, h("a", { href: "#/jobs" }, "Show all"));
}

export async function jobPage({ id, me, refresh }) {
  const p = await get(`jobs/${encodeURIComponent(id)}`);
  const j = p.job;
  const ended = ["succeeded", "failed", "cancelled", "expired", "denied", "unknown"].includes(p.state);
  return [
    h("h1", {}, `${p.rule || "Job"} on ${p.host || `sensor ${p.sensor}`}`),
    h("p", { id: "state" }, state(p.state), " ", p.why || [p.reason, p.detail].filter(Boolean).join(": ")),
    me.role === "admin" && actions(p, ended, refresh),
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
    ended && !["succeeded", "unknown"].includes(p.state) && button("Run again", "retry", {}, { text: "A new job with the same steps; steps that succeeded are not repeated." }),
    p.state === "succeeded" && button("Undo", "undo", {}, { text: "Steps that can be undone, such as isolation or a ban, are undone by a new job." }),
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
