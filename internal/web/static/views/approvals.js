import { get, post } from "../api.js";
import { h, jobLink, when } from "../dom.js";

export async function approvals({ me, refresh }) {
  const held = (await get("jobs?state=held")).filter((j) => j.asks?.length);
  const may = me.role !== "viewer";
  return [
    h("h1", {}, "Approvals"),
    held.length === 0 && h("div", { class: "card empty" }, "Nobody has to decide anything."),
    ...held.flatMap((j) => j.asks.map((a) => question(j, a, may, refresh))),
  ].filter(Boolean);
}

function question(j, a, may, refresh) {
  const why = h("input", { placeholder: "why (recorded)", "aria-label": "why", maxlength: 500 });
  const answer = (allow) => async () => {
    try { await post(`jobs/${encodeURIComponent(j.id)}/answer`, { step: a.step, allow, why: why.value }); } catch (e) { alert(e.message); }
    why.blur();
    refresh();
  };
  return h("section", { class: "card" },
    h("h2", {}, `${a.uses || "this job"} on ${j.host || `sensor ${j.sensor}`}?`),
    h("p", {}, `Rule ${j.rule || "–"}, job `, jobLink(j.id), `. ${a.given} of ${a.need} ${a.need === 1 ? "person has" : "people have"} agreed`,
      a.from?.length ? `; asked: ${a.from.join(", ")}` : "", a.until ? ["; decided without you ", when(a.until), `: ${a.otherwise || "deny"}`] : ""),
    may ? h("div", { class: "bar" }, why, h("button", { class: "primary", onclick: answer(true) }, "Allow"), h("button", { class: "danger", onclick: answer(false) }, "Deny"))
      : h("p", { class: "faint" }, "You may look, and approvers may answer."));
}
