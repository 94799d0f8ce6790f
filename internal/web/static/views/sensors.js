import { get } from "../api.js";
import { filter, h, jobLink, number, table, when } from "../dom.js";

export async function sensors() {
  const all = await get("sensors");
  const list = table([
    { name: "Sensor", cell: (s) => h("span", {}, h("strong", {}, s.hostname), ` ${s.id}`) },
    { name: "State", cell: (s) => h("span", { class: `state ${s.online ? "good" : "off"}` }, s.online ? "online" : "offline") },
    { name: "Isolation", cell: (s) => (s.isolation === "normal" ? "" : h("span", { class: "state bad" }, s.isolation)) },
    { name: "System", cell: (s) => s.os_version || s.os },
    { name: "Checked in", cell: (s) => when(s.last_checkin) },
    { name: "Waiting", cell: (s) => (s.queue ? h("a", { href: `#/jobs?state=live&sensor=${s.id}` }, number(s.queue)) : ""), num: true },
    { name: "Running", cell: (s) => (s.running ? jobLink(s.running) : "") },
  ], all, { empty: "The EDR server knows no sensor." });
  return [h("h1", {}, "Sensors"), h("div", { class: "bar" }, filter("Search these sensors", () => list)), list];
}
