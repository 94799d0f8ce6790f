import { get, post } from "../api.js";
import { attempt } from "../ask.js";
import { h, jobLink, json, when } from "../dom.js";

export const nav = { name: "Approvals", path: "/approvals", key: "a", order: 3, badge: (overview) => overview.approvals };
export const pages = [[/^\/approvals$/, approvals]];

export async function approvals({ me, refresh }) {
  const held = (await get("jobs?state=held&limit=1000")).filter((j) => j.asks?.length).reverse(); // a new question comes last and moves no button
  const may = me.role !== "viewer";
  return [
    h("h1", {}, "Approvals"),
    held.length === 0 && h("div", { class: "card empty" }, "Nobody has to decide anything."),
    ...held.flatMap((j) => j.asks.map((a) => question(j, a, may, refresh))),
  ].filter(Boolean);
}

function question(j, a, may, refresh) {
  const answer = (allow) => async (e) => {
    const why = e.target.closest(".question").querySelector("input").value;
    await attempt(() => post(`jobs/${encodeURIComponent(j.id)}/answer`, { step: a.step, allow, why }), allow ? "You allowed it." : "You denied it.");
    refresh();
  };
  return h("section", { class: "card question", "data-key": `${j.id} ${a.step}` },
    h("h2", {}, `${a.uses || "This job"} on ${j.host || `sensor ${j.sensor}`}?`),
    h("p", {}, j.rule ? `Rule ${j.rule}` : `Submitted by ${j.submitter}`, ", job ", jobLink(j.id), ", ", when(j.created), "."),
    a.with && json(a.with),
    h("p", { class: "faint" }, `${a.given} of ${a.need} ${a.need === 1 ? "answer" : "answers"}`, a.from?.length ? ` from ${a.from.join(", ")}` : "",
      a.until ? [". Without one, ", when(a.until), `: ${a.otherwise || "deny"}`] : "", "."),
    may ? h("div", { class: "bar" }, h("input", { placeholder: "Why? This is recorded.", "aria-label": "why", maxlength: 500, class: "grow" }),
      h("button", { class: "primary", onclick: answer(true) }, "Allow"), h("button", { class: "danger", onclick: answer(false) }, "Deny"))
      : h("p", { class: "faint" }, "You may look; approvers may answer."));
}
