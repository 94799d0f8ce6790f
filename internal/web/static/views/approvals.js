import { get, post } from "../api.js";
import { attempt, tell } from "../ask.js";
import { h, jobLink, json, when } from "../dom.js";

export const nav = { name: "Approvals", path: "/approvals", key: "a", order: 3, badge: (overview) => overview.approvals };
export const pages = [[/^\/approvals$/, approvals]];

const keyOf = (j, a) => `${j.id} ${a.step ?? ""} ${a.item ?? 0}`;

// may says whether this person's word counts for a question.
const may = (me, a) => me.role !== "viewer" && (!a.from?.length || a.from.includes(me.name) || a.from.some((g) => me.groups?.includes(g)));

export async function approvals({ me, refresh }) {
  const held = (await get("jobs?state=held&limit=1000")).jobs.filter((j) => j.asks?.length).reverse(); // a new question comes last and moves no button
  const all = held.flatMap((j) => j.asks.map((a) => ({ j, a })));
  const mine = all.filter(({ a }) => may(me, a));
  return [
    h("h1", {}, "Approvals"),
    all.length === 0 && h("div", { class: "card empty" }, "Nobody has to decide anything."),
    mine.length > 1 && several(mine, refresh),
    ...all.map(({ j, a }) => question(j, a, may(me, a), mine.length > 1, refresh)),
  ].filter(Boolean);
}

const send = (j, a, allow, why) => post(`jobs/${encodeURIComponent(j.id)}/answer`, { step: a.step, allow, why, digest: a.digest });

// several answers all questions that are marked with one word.
function several(all, refresh) {
  const answer = (allow) => async (e) => {
    const bar = e.target.closest(".several");
    const marked = all.filter(({ j, a }) => document.querySelector(`[data-key=${CSS.escape(keyOf(j, a))}] input[type=checkbox]`)?.checked);
    if (marked.length === 0) { tell("Mark the questions that you answer.", { bad: true }); return; }
    const why = bar.querySelector("input").value;
    for (const { j, a } of marked) await attempt(() => send(j, a, allow, why));
    tell(`${marked.length} answered.`);
    refresh();
  };
  return h("div", { class: "bar several", role: "group", "aria-label": "Answer several at once" },
    h("span", {}, "All that are marked:"), h("input", { placeholder: "Why? This is recorded.", "aria-label": "why, for all that are marked", maxlength: 500, class: "grow" }),
    h("button", { class: "primary", onclick: answer(true) }, "Allow marked"), h("button", { class: "danger", onclick: answer(false) }, "Deny marked"));
}

function question(j, a, allowed, mark, refresh) {
  const answer = (allow) => async (e) => {
    const why = e.target.closest(".question").querySelector("input:not([type=checkbox])").value;
    await attempt(() => send(j, a, allow, why), allow ? "You allowed it." : "You denied it.");
    refresh();
  };
  return h("section", { class: "card question", "data-key": keyOf(j, a) },
    h("h2", {}, mark && allowed && h("input", { type: "checkbox", "aria-label": `mark ${a.uses} on ${j.host}` }), ` ${a.uses || "This job"} on ${j.host || `sensor ${j.sensor}`}?`),
    h("p", {}, j.story, "."),
    h("p", { class: "faint" }, j.rule ? ["Rule ", h("a", { href: "#/rules" }, j.rule)] : `Submitted by ${j.submitter}`, ", job ", jobLink(j.id), ", ", when(j.created),
      ". ", h("a", { href: `#/why?about=${encodeURIComponent(j.host || `sensor:${j.sensor}`)}` }, "What else happened on this host")),
    a.with && Object.keys(a.with).length > 0 && [h("h3", {}, a.evaluated ? "What will be sent" : "As the rule is written"), json(a.with)],
    a.unknown?.length > 0 && h("p", {}, `Not known yet: ${a.unknown.join(", ")}.`),
    a.digest && h("p", { class: "faint" }, "Call ", h("code", {}, a.digest.slice(0, 12)), " is what you answer; another call asks again."),
    h("p", { class: "faint" }, `${a.given} of ${a.need} ${a.need === 1 ? "answer" : "answers"}`, a.from?.length ? ` from ${a.from.join(", ")}` : "",
      a.until ? [". Without one, ", when(a.until), `: ${a.otherwise || "deny"}`] : "", "."),
    allowed ? h("div", { class: "bar" }, h("input", { placeholder: "Why? This is recorded.", "aria-label": "why", maxlength: 500, class: "grow" }),
      h("button", { class: "primary", onclick: answer(true) }, "Allow"), h("button", { class: "danger", onclick: answer(false) }, "Deny"))
      : h("p", { class: "faint" }, a.from?.length ? `Only ${a.from.join(", ")} may answer.` : "You may look; approvers may answer."));
}
