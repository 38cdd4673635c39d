import assert from "node:assert/strict";
import { test } from "node:test";
import { css, header, label, on, role, rows, text } from "./page.mjs";

const MEMBERS = `
<h1>Members</h1>
<table aria-label=Members><thead><tr><th>Email<th>Name<th>Active</tr></thead><tbody>
<tr><td>ada@x<td>Ada Lovelace<td><input type=checkbox checked></tr>
<tr><td>nada@x<td>Nada<td><input type=checkbox></tr></tbody></table>
<form><label>Email * <input name=email></label><label>Role <select><option>Viewer<option>Admin</select></label>
<button type=button onclick="document.title='pressed'">Save changes</button></form>`;

test("every question is answered on one page", () => on(MEMBERS, async (page) => {
  assert.deepEqual(await page.probe(role("heading", "Members"), [role("button", "Nope"), "hidden"], [role("button", "Save changes"), "disabled"]), [true, true, false]);
  assert.deepEqual(await page.ask({ ask: "await", any: [{ target: { any: [text("Nope")] } }, { target: { any: [text("Nada")] } }] }), { answer: "which", index: 1 });
  assert.deepEqual(await page.click(role("button", "Save changes")), { answer: "pressed", hit: true, heard: true, instead: null, other: null, changed: false });
  assert.equal(await page.main("document.title"), "pressed");
  const control = await page.edit(label("Email"));
  assert.equal(control.kind, "text");
  await page.page.keyboard.insertText("eve@x");
  assert.deepEqual((await page.ask({ ask: "value", token: control.token })).values, ["eve@x"]);
  const select = await page.edit(label("Role"));
  assert.deepEqual(select.options, ["Viewer", "Admin"]);
  assert.deepEqual((await page.ask({ ask: "set", token: select.token, values: ["Admin"] })).values, ["Admin"]);
  assert.equal((await page.ask({ ask: "set", token: select.token, values: ["Admn"] })).kind, "no_such_option");
  assert.deepEqual(await page.records({ rows: rows(role("table", "Members")), columns: [{ name: "userName", at: header("Email") }, { name: "active", at: header("Active") }] }),
    { answer: "records", rows: [["ada@x", "true"], ["nada@x", "false"]] });
  assert.deepEqual(await page.text(css("h1")), { answer: "text", text: "Members" });
  const facts = await page.ask({ ask: "page" });
  assert.deepEqual(facts.headings, ["Members"]);
  assert.deepEqual(facts.tables, ['table "Members" with "Email", "Name", "Active"']);
  assert.deepEqual(await page.ask({ ask: "contains", needles: ["EVE@X"] }), { answer: "contains", contains: true });
  const miss = await page.aim(role("button", "Save"));
  assert.equal(miss.kind, "not_found");
  assert.match(miss.candidates[0], /button "Save changes"/);
}));
