import { get, post } from "../api.js";
import { attempt, tell } from "../ask.js";
import { clip, endpointLink, eventLink, h, jobLink, json, ruleLink, state, when } from "../dom.js";

export const nav = { name: "Approvals", path: "/approvals", key: "a", order: 3, badge: (overview) => overview.approvals };
export const pages = [[/^\/approvals$/, approvals]];

const most = 100; // jobs that the service lists

const keyOf = (j, a) => `${j.id} ${a.step ?? ""} ${a.item ?? 0}`;

// own says whether the person asked for the job: then another one has to allow it.
const own = (me, j) => j.submitter?.toLowerCase() === me.name.toLowerCase();

// may says whether this person's word counts for a question.
const may = (me, a) => me.role !== "viewer" && (!a.from?.length || a.from.includes(me.name) || a.from.some((g) => me.groups?.includes(g)));

export async function approvals({ me, refresh }) {
  const all = (await get("approvals")).flatMap((p) => p.job.asks.map((a) => ({ p, j: p.job, a }))); // a new question comes last and moves no button
  const mine = all.filter(({ a, j }) => may(me, a) && !own(me, j));
  return [
    h("h1", {}, "Approvals"),
    all.length === 0 && h("div", { class: "card empty" }, "Nobody has to decide anything. A step that needs somebody's word appears here."),
    mine.length > 1 && several(mine, refresh),
    ...all.map((q) => question(q, me, mine.length > 1, refresh)),
    all.length >= most && h("p", { class: "faint" }, `The oldest ${most}; more may wait.`),
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
    let done = 0;
    for (const { j, a } of marked) await attempt(async () => { await send(j, a, allow, why); done++; });
    if (done > 0) tell(`${done} of ${marked.length} answered.`);
    refresh();
  };
  const mark = (e) => {
    const boxes = [...e.target.closest("main").querySelectorAll(".question input[type=checkbox]")], set = boxes.some((b) => !b.checked);
    for (const b of boxes) b.checked = set;
  };
  return h("div", { class: "bar several", role: "group", "aria-label": "Answer several at once" },
    h("button", { onclick: mark }, "Mark all or none"), h("input", { placeholder: "Why? This is recorded.", "aria-label": "why, for all that are marked", maxlength: 500, class: "grow" }),
    h("button", { class: "primary", onclick: answer(true) }, "Allow marked"), h("button", { class: "danger", onclick: answer(false) }, "Deny marked"));
}

function question({ p, j, a }, me, many, refresh) {
  const mine = own(me, j), allowed = may(me, a), mark = many && !mine;
  const answer = (allow) => async (e) => {
    const why = e.target.closest(".question").querySelector("input:not([type=checkbox])").value;
    await attempt(() => send(j, a, allow, why), allow ? "You allowed it." : "You denied it.");
    refresh();
  };
  const title = `${a.uses || "Go on with the job"} on ${j.host || `sensor ${j.sensor}`}?`;
  return h("section", { class: "card question", "data-key": keyOf(j, a), "aria-label": title },
    h("h2", {}, mark && allowed && h("input", { type: "checkbox", "aria-label": `mark ${title}` }), " ", clip(title)),
    h("p", {}, clip(j.story), "."),
    h("p", { class: "warning" }, "Asks because: ", clip(a.about || j.detail || j.reason)),
    h("p", { class: "links" }, j.rule ? ["Rule ", ruleLink(j.rule)].flat() : `Submitted by ${j.submitter}`, " · job ", jobLink(j.id), " · ", when(j.created), " · endpoint ", endpointLink(j.server, j.sensor, j.host),
      p.event && " · ", p.event && eventLink(p.event.event.id, "event")),
    a.with && Object.keys(a.with).length > 0 && [h("h3", {}, a.evaluated ? "What will be sent" : "As the rule is written"), json(a.with)],
    h("p", {}, "The job: ", p.steps.map((s, i) => [i ? " → " : "", s === a.uses ? h("strong", {}, s) : s]).flat()),
    a.unknown?.length > 0 && h("p", {}, `Not known yet: ${a.unknown.join(", ")}.`),
    p.false_positives?.length > 0 && [h("h3", {}, "Known false positives"), h("ul", { class: "plain" }, p.false_positives.map((x) => h("li", {}, clip(x))))],
    facts(p),
    h("h3", {}, "Done on this endpoint before"),
    p.before.length === 0 ? h("p", { class: "faint" }, "Nothing in the last week.") : h("ul", { class: "plain" }, p.before.map((b) => h("li", {}, when(b.created), " ", jobLink(b.id), " ", state(b.state), " ", clip(b.story)))),
    p.event && h("details", { "data-key": "event" }, h("summary", {}, "The event"), json(p.event)),
    p.when && h("details", { "data-key": "rule" }, h("summary", {}, "Condition of the rule"), h("pre", {}, p.when)),
    a.digest && h("p", { class: "faint" }, "Call ", h("code", {}, a.digest.slice(0, 12)), " is what you answer; another call asks again."),
    (p.replies?.[a.step ?? ""] ?? []).map((w) => h("p", {}, `${w.by} ${w.allow ? "allowed" : "denied"} it`, w.why ? `: ${w.why}` : "", " ", when(w.at))),
    h("p", {}, `Needs ${a.need} ${a.need === 1 ? "answer" : "answers"}`, a.from?.length ? ` from ${a.from.join(", ")}` : "", a.given ? `, ${a.given} given` : "", ". ",
      a.until ? ["Without it, ", when(a.until), `: ${a.otherwise || "deny"}.`] : "It waits until somebody answers."),
    allowed && mine && h("p", { class: "faint" }, "You asked for it: another person has to allow it. You may take it back."),
    allowed ? h("div", { class: "bar" }, h("input", { placeholder: "Why? This is recorded.", "aria-label": `why, ${title}`, maxlength: 500, class: "grow" }),
      !mine && h("button", { class: "primary", onclick: answer(true) }, "Allow"), h("button", { class: "danger", onclick: answer(false) }, "Deny"))
      : h("p", { class: "faint" }, a.from?.length ? `Only ${a.from.join(", ")} may answer.` : "You may look; approvers may answer."));
}

// facts are what is known of the endpoint, and what is not.
const facts = (p) => [
  h("h3", {}, "Facts of the endpoint"),
  h("dl", { class: "facts" }, p.facts.flatMap((f) => [h("dt", {}, f.name.replace("sensor.", "")), h("dd", { title: f.origin }, clip(f.value || "none"))])),
  p.unknown?.length > 0 && h("p", { class: "faint" }, `Not known: ${p.unknown.join(", ")}.`),
];
