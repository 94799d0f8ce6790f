import { get } from "../api.js";
import { clip, h, jobLink, ruleLink, table, when } from "../dom.js";
import { to } from "../query.js";
import { silenceButton, silenceTable } from "../silence.js";
import { artifactTable, jobTable } from "./jobs.js";

export const pages = [[/^\/endpoints\/(.+)$/, endpoint]];

// endpoint is what is known of an endpoint, and what was done there.
export async function endpoint({ id, me, refresh }) {
  const p = await get(`endpoint?${new URLSearchParams({ of: id })}`);
  const at = p.endpoint, name = p.host || at;
  return [
    h("h1", {}, clip(name)),
    h("p", { id: "state" }, ...standing(p, at)),
    p.problem && h("p", { class: "problem", role: "alert" }, clip(p.problem), ". What is shown was known before."),
    h("div", { class: "bar" },
      h("a", { class: "button", href: to("/events", { host: p.host || at, days: "1" }) }, "Its events"),
      h("a", { class: "button", href: to("/why", { about: p.host || at, days: "1" }) }, "Why did it happen, or not?"),
      me.role !== "viewer" && silenceButton({ sensor: at }, `Silence ${at}`, refresh)),
    h("h2", {}, "Facts"),
    table([
      { name: "Fact", cell: (f) => h("code", {}, f.name) },
      { name: "Value", cell: (f) => f.value || h("span", { class: "faint" }, "none") },
      { name: "Origin", cell: (f) => f.origin },
      { name: "Others say", cell: (f) => (f.over ?? []).join("; ") },
    ], p.facts, { key: (f) => f.name, empty: "Nothing is known of it." }),
    p.unknown?.length > 0 && h("p", {}, "Nobody says: ", h("code", {}, p.unknown.join(", ")), ". Guards and conditions on these hold or do not match; write them into the endpoints file."),
    p.pending?.length > 0 && h("p", {}, "The server could not be asked yet for: ", h("code", {}, p.pending.join(", ")), "."),
    h("h2", {}, "Isolation"),
    p.isolation_found && h("p", {}, "Somebody else had isolated it before: it stays isolated when all below is undone."),
    table([
      { name: "Wanted by", cell: (r) => (r.rule ? ruleLink(r.rule) : r.by || "a person") },
      { name: "Job", cell: (r) => jobLink(r.job) },
      { name: "Since", cell: (r) => when(r.since) },
      { name: "Until", cell: (r) => when(r.until) || "somebody undoes it" },
    ], p.isolation_wanted, { key: (r) => `${r.job} ${r.step}`, empty: "No job has it isolated." }),
    h("h2", {}, "Jobs"),
    jobTable(p.jobs.slice(0, 100), { empty: "None in the last day." }),
    p.jobs.length > 100 && h("p", {}, h("a", { href: to("/jobs", { sensor: at, days: "1" }) }, `All ${p.jobs.length}`)),
    h("h2", {}, "Live Response sessions"),
    table([
      { name: "Session", cell: (c) => c.session || "opening" },
      { name: "Job", cell: (c) => (c.job ? jobLink(c.job) : "idle") },
      { name: "Replica", cell: (c) => c.owner },
    ], p.sessions, { key: (c) => c.session ?? "", empty: "None of ours is open." }),
    h("h2", {}, "Silences"), silenceTable(p.silences, me, refresh),
    h("h2", {}, "Collected files"), artifactTable(p.artifacts, me),
  ].flat().filter(Boolean);
}

// standing says how the endpoint is now.
function standing(p, at) {
  const s = p.sensor;
  if (!s) return [at];
  return [
    h("span", { class: `state ${s.online ? "good" : "off"}` }, s.online ? "online" : "offline"), " ",
    s.isolation && s.isolation !== "normal" ? h("span", { class: "state bad" }, s.isolation) : "", " ",
    at, " · ", s.os_version || s.os || "", " · checked in ", when(s.last_checkin), s.queue ? ` · ${s.queue} ${s.queue === 1 ? "job waits" : "jobs wait"}` : "", s.running ? [" · running ", jobLink(s.running)] : "",
  ].flat();
}
