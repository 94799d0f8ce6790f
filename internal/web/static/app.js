// The frame: which page is shown, what the bus says meanwhile, keys.
import { get, live } from "./api.js";
import { h } from "./dom.js";
import { patch } from "./patch.js";
import views from "./views/index.js";
import { heard } from "./views/live.js";

// Every file of views/ exports its pages, each a pattern of the address with the
// function that shows it, and mostly an entry in the navigation.
const pages = views.flatMap((v) => v.pages ?? []);
const entries = views.map((v) => v.nav).filter(Boolean).sort((a, b) => a.order - b.order);
document.getElementById("nav").replaceChildren(...entries.map((n) => {
  n.mark = n.badge && h("span", { id: `badge${n.path.replace("/", "-")}`, class: "badge", hidden: true });
  return h("a", { href: `#${n.path}` }, n.name, n.mark && " ", n.mark);
}));
document.getElementById("key-list").replaceChildren(...entries.flatMap((n) => [h("kbd", {}, n.key), " "]));
document.getElementById("key-names").textContent = `go to ${entries.map((n) => n.name.toLowerCase()).join(", ")}`;
const main = document.getElementById("main");
const me = await get("me");
document.getElementById("me").textContent = `${me.name} (${me.role})`;

let shown = 0; // the newest rendering; an older one that ends late is dropped
// show shows the page of the address, or brings it up to date when it is shown already.
async function show({ keep = false, unasked = false } = {}) {
  if (unasked && busy()) return; // the next refresh will do
  const mine = ++shown;
  const wanted = location.hash;
  keep &&= main.dataset.page === wanted; // a refresh that overtakes a change of page is that change
  const [path, query] = (location.hash.slice(1) || "/").split("?");
  const [pattern, page] = pages.find(([p]) => p.test(path)) ?? pages.find(([p]) => p.test("/"));
  for (const a of document.querySelectorAll("nav a")) {
    const at = a.getAttribute("href").slice(1);
    if (a.toggleAttribute("aria-current", at === "/" ? path === "/" : [at, ...(entries.find((n) => n.path === at)?.also ?? [])].some((p) => path === p || path.startsWith(`${p}/`))) && !keep) a.scrollIntoView({ block: "nearest", inline: "center" });
  }
  try {
    const content = await page({ id: decodeURIComponent(path.match(pattern)?.[1] ?? ""), query: new URLSearchParams(query), me, refresh: () => show({ keep: true }) });
    if (mine !== shown) return;
    if (keep && unasked && busy()) return;
    if (keep) update(content);
    else {
      main.replaceChildren(...content);
      scrollTo(0, 0);
    }
    main.dataset.page = wanted;
    document.title = `${main.querySelector("h1")?.textContent ?? "edrpipe"} – edrpipe`;
  } catch (e) {
    if (mine !== shown) return;
    main.dataset.page = wanted;
    main.replaceChildren(h("h1", {}, "That did not work"), h("p", { class: "problem", role: "alert" }, e.message));
  }
  try {
    await banner();
  } catch {} // the dot says that the service does not answer; the next refresh tries again
}

// update brings the page up to date. Who works by keyboard stays where they were;
// when that is gone, on the page and not before its beginning.
function update(content) {
  const focused = main.contains(document.activeElement) && document.activeElement;
  patch(main, content);
  if (focused && document.activeElement !== focused) (focused.isConnected ? focused : main).focus({ preventScroll: true });
  for (const field of main.querySelectorAll("input[type=search]")) field.oninput?.({ target: field });
}

// busy tells whether somebody is in the middle of a click or has just selected text. A
// selection that was left alone must not keep a page of the night from changing.
let pressed = false, selected = 0;
document.addEventListener("selectionchange", () => { selected = Date.now(); });
for (const what of ["pointerdown", "pointermove", "pointerup", "pointercancel"]) addEventListener(what, (e) => { pressed = (e.buttons & 1) === 1; }, { capture: true });
const busy = () => pressed || (String(getSelection()) !== "" && Date.now() - selected < 60_000);

async function banner() {
  const o = await get("overview");
  const bar = document.getElementById("banner");
  patch(bar, [
    o.stopped && h("div", { class: "stopped" }, `Stopped by ${o.stopped.by}${o.stopped.why ? `: ${o.stopped.why}` : ""}. Nothing new starts.`),
    o.dry_run && h("div", { class: "dry" }, "Dry run: everything is decided and recorded, nothing is done."),
    ...(o.stops ?? []).map((s) => h("div", { class: "stopped" }, `${s.server ? `Server ${s.server}` : `Tenant ${s.tenant}`} stopped by ${s.by}${s.why ? `: ${s.why}` : ""}. Nothing new starts there.`)),
    o.rules_error && h("div", { class: "stopped" }, "The newest rule files are not in force: ", h("a", { href: "#/rules" }, "see why")),
  ].filter(Boolean));
  for (const { badge, mark } of entries) {
    if (!badge) continue;
    mark.hidden = !badge(o);
    mark.textContent = badge(o);
  }
}

// Notices come in bursts: one refresh for all that came within a moment.
let due;
live((notice) => {
  heard(notice);
  due ??= setTimeout(() => { due = undefined; if (!entries.some((n) => n.still && location.hash.slice(1).split(/[/?]/)[1] === n.path.slice(1))) show({ keep: true, unasked: true }); }, 700);
}, (on) => { document.getElementById("connection").className = `dot ${on ? "on" : "off"}`; });
// What changes without a notice: rates, check-ins, the times of day.
const every = () => (/^#?\/?(\?|$)/.test(location.hash) ? 3000 : 15000);
(function again() {
  setTimeout(async () => {
    try {
      if (!document.hidden) await show({ keep: true, unasked: true });
    } finally {
      again();
    }
  }, every());
})();

const goto = Object.fromEntries(entries.map((n) => [n.key, n.path]));
let going = false;
addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey || ["INPUT", "TEXTAREA", "SELECT"].includes(e.target.tagName)) return;
  if (going && goto[e.key]) location.hash = goto[e.key];
  else if (e.key === "/") { e.preventDefault(); main.querySelector("input[type=search]")?.focus(); }
  else if (e.key === "?") document.getElementById("keys").showModal();
  going = e.key === "g";
});
addEventListener("hashchange", () => { show(); main.focus({ preventScroll: true }); });
show();
