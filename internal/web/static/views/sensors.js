import { get } from "../api.js";
import { endpointLink, h, jobLink, number, pager, table, when } from "../dom.js";

export const nav = { name: "Sensors", path: "/sensors", also: ["/endpoints"], key: "s", order: 5 };
export const pages = [[/^\/sensors$/, sensors]];

const page = 100;

export async function sensors({ query }) {
  const offset = Number(query.get("offset")) || 0, text = query.get("q") ?? "", busy = query.has("busy");
  const params = new URLSearchParams({ limit: page, offset, q: text });
  if (busy) params.set("busy", "1");
  const p = await get(`sensors?${params}`);
  const go = (changes) => { location.hash = `/sensors?${new URLSearchParams({ ...(text && { q: text }), ...(busy && { busy: 1 }), ...changes })}`; };
  return [
    h("h1", {}, "Sensors"),
    h("form", { class: "bar", onsubmit: (e) => { e.preventDefault(); go({ q: e.target.q.value }); } },
      h("input", { type: "search", name: "q", value: text, placeholder: "Search by name, id or system", "aria-label": "Search sensors" }), h("button", {}, "Search"),
      h("a", { class: "button", href: busy ? "#/sensors" : "#/sensors?busy=1" }, busy ? "Show all" : "Only those with jobs")),
    ...(p.problems ?? []).map((text) => h("p", { class: "problem", role: "alert" }, `Sensors are missing: ${text}`)),
    h("p", { class: "faint" }, `${number(p.total)} sensors, ${number(p.online)} online. Those with jobs come first.`),
    table([
      { name: "Sensor", cell: (s) => h("span", {}, endpointLink(s.server, s.id, s.hostname), ` ${s.server}/${s.id}`) },
      { name: "State", cell: (s) => h("span", { class: `state ${s.online ? "good" : "off"}` }, s.online ? "online" : "offline") },
      { name: "Isolation", cell: (s) => (s.isolation === "normal" ? "" : h("span", { class: "state bad" }, s.isolation)) },
      { name: "System", cell: (s) => s.os_version || s.os },
      { name: "Checked in", cell: (s) => when(s.last_checkin) },
      { name: "Waiting", cell: (s) => (s.queue ? h("a", { href: `#/jobs?state=live&sensor=${encodeURIComponent(`${s.server}/${s.id}`)}` }, number(s.queue)) : ""), num: true },
      { name: "Running", cell: (s) => (s.running ? jobLink(s.running) : "") },
    ], p.sensors, { key: (s) => `${s.server}/${s.id}`, empty: p.problems?.length ? "No sensor is known while a server does not answer." : text || busy ? "No sensor is like that." : "The EDR server knows no sensor." }),
    pager(offset, page, p.total, (to) => go({ offset: to })),
  ].filter(Boolean);
}
