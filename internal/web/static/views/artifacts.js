import { get } from "../api.js";
import { filter, h } from "../dom.js";
import { artifactTable } from "./jobs.js";

export const nav = { name: "Artifacts", path: "/artifacts", key: "f", order: 7 };
export const pages = [[/^\/artifacts$/, artifacts]];

const most = 500;

export async function artifacts({ me }) {
  const files = await get(`artifacts?limit=${most}`);
  return [
    h("h1", {}, "Artifacts"),
    h("div", { class: "bar" }, filter("Search these files")),
    artifactTable(files, me),
    files.length === most && h("p", { class: "faint" }, `The newest ${most}. Older ones are on their job's page, and in pipeline artifacts list.`),
  ].filter(Boolean);
}
