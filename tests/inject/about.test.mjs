// About whom: a dialog is about exactly one person, whom it names as a whole in text that a person can see.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { on, record, role, rows, header } from "./page.mjs";

const table = JSON.parse(readFileSync(new URL("about.json", import.meta.url), "utf8"));
const dialog = (identity, ignore_case = false, more = {}) => role("dialog", undefined, { about: { identity, ignore_case, ...more } });

test("the table of texts is kept, as in the program", () => on("<div role=dialog aria-label=D><p id=t></p></div>", async (page) => {
  for (const [text, identity, ignoreCase, isAbout] of table) {
    await page.main(`t.textContent = ${JSON.stringify(text)}`);
    const [found] = await page.probe(dialog(identity, ignoreCase));
    assert.equal(found, isAbout, `${text} about ${identity}`);
  }
}));

const ADA = "ada@acme.example";
for (const [what, html, isAbout] of [
  ["plain", `<p>Remove <b>${ADA}</b>?</p>`, true],
  ["in lines", `<p>Remove<br>${ADA}<br>for ever?</p>`, true],
  ["others only as choices", `<p>Remove ${ADA}?</p><label><input type=radio name=to> boss@acme.example</label><label><input type=radio name=to> cy@acme.example</label><select><option>dee@acme.example</select>`, true],
  ["a box to confirm", `<label><input type=checkbox> I know that ${ADA} will go</label>`, true],
  ["the whole dialog scrolls", `<div style="height:40px;overflow:auto"><p style="height:300px">Long</p><p>Remove ${ADA}?</p></div>`, true],
  ["transparent", `<p>Remove boss?</p><p style="opacity:0">${ADA}</p>`, false],
  ["transparent around it", `<div style="opacity:0"><p>${ADA}</p></div>`, false],
  ["clipped", `<p style="position:absolute;clip:rect(0 0 0 0)">${ADA}</p>`, false],
  ["for screen readers only", `<p style="position:absolute;width:1px;height:1px;overflow:hidden">${ADA}</p>`, false],
  ["off the page", `<p style="position:absolute;left:-9999px">${ADA}</p>`, false],
  ["without color", `<p style="color:transparent">${ADA}</p>`, false],
  ["without size", `<p style="font-size:0">${ADA}</p>`, false],
  ["as a radio button", `<p>To whom?</p><label><input type=radio> ${ADA}</label>`, false],
  ["as an option", `<p>To whom?</p><select><option>${ADA}</select>`, false],
  ["as an option of the app's own", `<div role=listbox><div role=option>${ADA}</div></div>`, false],
  ["one of several boxes", `<label><input type=checkbox checked> ${ADA}</label><label><input type=checkbox checked> boss@acme.example</label>`, false],
  ["two people in a list", `<ul><li>${ADA}<li>boss@acme.example</ul>`, false],
  ["two people in a sentence", `<p>Remove boss@acme.example? Their files go to ${ADA}.</p>`, false],
  ["hidden from screen readers, but seen", `<p>Remove ${ADA}?</p><p aria-hidden=true>and boss@acme.example</p>`, false],
]) {
  test(`a dialog about one person: ${what}`, () => on(`<div role=dialog aria-label=D style="position:fixed;inset:0;overflow:hidden">${html}</div>`, async (page) => {
    assert.deepEqual(await page.probe(dialog(ADA)), [isAbout]);
  }));
}

test("the refusal says who else is named", () => on(`<div role=dialog aria-label="Remove users">${ADA} boss@acme.example</div>`, async (page) => {
  const refused = await page.aim(dialog(ADA));
  assert.equal(refused.kind, "names_others");
  assert.equal(refused.message, 'dialog "Remove users" also names "boss@acme.example"');
}));

test("addresses of the same person may stand beside the name", () => on(`<div role=dialog aria-label=D>Remove ada (a.byron@acme.example)?</div>`, async (page) => {
  assert.deepEqual(await page.probe(dialog("ada"), dialog("ada", false, { own: ["a.byron@acme.example"] })), [false, true]);
}));

test("somebody else of the list on the page", () => on(`<table aria-label=T><tr><th>Name<tr><td>ada<tr><td>bo</table><div role=dialog aria-label=D>Remove ada, bo?</div>`, async (page) => {
  assert.deepEqual(await page.probe(dialog("ada")), [true], "nobody knows yet who bo is");
  assert.deepEqual(await page.probe(record(rows(role("table", "T")), header("Name"), "ada"), dialog("ada")), [true, false]);
}));
