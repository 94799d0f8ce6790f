import { get } from "../api.js";
import { clip, h } from "../dom.js";

export const nav = { name: "Connection", path: "/connection", key: "c", order: 10, still: true };
export const pages = [[/^\/connection$/, connection]];

const tones = { ok: "good", failed: "bad" };

// connection tries what the configuration names, as `pipeline doctor` does.
export async function connection({ me, refresh }) {
  const list = me.role === "viewer" ? null : await get("doctor");
  const bad = list?.filter((f) => f.state === "failed").length;
  return [
    h("h1", {}, "Connection"),
    h("p", { class: "faint" }, "Files, rules, guards, EDR servers, bus, disk and sources are tried, each for real. Nothing is changed."),
    !list && h("p", {}, "Approvers and admins may try it; the overview shows the health of the service."),
    list && h("div", { class: "bar" }, h("button", { class: "primary", onclick: refresh }, "Try again"), h("span", { role: "status" }, bad ? `${bad} of ${list.length} checks failed.` : "Nothing fails.")),
    list && h("ul", { class: "checks card" }, list.map((f) => h("li", {},
      h("span", { class: `state ${tones[f.state] ?? "wait"}` }, f.state), " ", h("strong", {}, f.check), " ", clip(f.text), f.cure ? h("div", { class: "cure" }, `→ ${f.cure}`) : ""))),
  ].filter(Boolean);
}
