// The guard during a press: every event is judged again, and what became somebody else's is swallowed from there on.
import assert from "node:assert/strict";
import { test } from "node:test";
import { header, label, on, record, role, rows, targetOf } from "./page.mjs";

const EVENTS = ["pointerdown", "mousedown", "pointerup", "mouseup", "click"];
const people = ["ada@x", "boss@x", "cy@x"];
const TABLE = `<table aria-label=T><thead><tr><th>Email<th>Role<th>Name<th>Do</thead><tbody>
  ${people.map((mail) => `<tr><td>${mail}<td><select aria-label=Role><option>Viewer<option>Admin</select><td><input aria-label=Name value=x><td><button>Remove</button>`).join("")}</tbody></table>
  <script>
    window.log = [];
    const rows = () => [...document.querySelectorAll("tbody tr")];
    const mailOf = (node) => node.closest?.("tr")?.cells[0].textContent;
    for (const type of ${JSON.stringify(EVENTS)}) document.addEventListener(type, (event) => log.push(type + " " + mailOf(event.target)));
    const rotate = () => { const all = rows(), mails = all.map((row) => row.cells[0].textContent); all.forEach((row, index) => { row.cells[0].textContent = mails[(index + 1) % mails.length] }) };
    const reorder = () => document.querySelector("tbody").append(rows()[0]);
    const redraw = () => { document.querySelector("tbody").innerHTML = rows().map((row) => row.outerHTML).reverse().join("") };
    const again = () => { document.querySelector("tbody").innerHTML = rows().map((row) => row.outerHTML).join("") };
    const once = (type, work) => addEventListener(type, work, { once: true });
  </script>`;
const row = record(rows(role("table", "T")), header("Email"), "ada@x");
const removeAda = role("button", "Remove", { within: row });

for (const [index, type] of EVENTS.slice(0, 4).entries()) {
  test(`rows patched in place at ${type}: the rest is swallowed, and who is there now is said`, () => on(TABLE, async (page) => {
    await page.main(`once("${type}", rotate)`);
    const verdict = await page.click(removeAda);
    assert.deepEqual([verdict.hit, verdict.heard, verdict.other], [false, true, "boss@x"]);
    assert.deepEqual(await page.main("log"), EVENTS.slice(0, index + 1).map((one) => `${one} ada@x`));
  }));

  test(`rows exchanged at ${type}: nobody else gets an event`, () => on(TABLE, async (page) => {
    await page.main(`once("${type}", ${index % 2 ? "reorder" : "redraw"})`);
    const verdict = await page.click(removeAda);
    // The click of a button that only moved to another place at `mouseup` is still its own.
    assert.deepEqual([verdict.hit, verdict.heard], [type === "mouseup", true]);
    assert.deepEqual((await page.main("log")).filter((line) => !/ada|undefined/.test(line)), []);
  }));
}

test("drawn anew at the first event: the browser sends no click, and that is said", () => on(TABLE, async (page) => {
  await page.main(`once("pointerdown", again)`);
  const verdict = await page.click(removeAda);
  assert.deepEqual([verdict.hit, verdict.heard, verdict.instead], [false, true, 'button "Remove", which replaced it during the press']);
  assert.deepEqual((await page.main("log")).filter((line) => !/ada|undefined/.test(line)), []);
}));

test("the label changes on the way: the click is swallowed", () => on(`<button onmousedown="this.textContent = 'Enable'" onclick="document.title = 'done'">Disable</button>`, async (page) => {
  const verdict = await page.click(role("button", "Disable"));
  assert.deepEqual([verdict.hit, verdict.heard, await page.main("document.title")], [false, true, "Test"]);
}));

test("swallowed whole: not heard", () => on(TABLE, async (page) => {
  await page.main(`addEventListener("mousemove", rotate)`);
  const verdict = await page.click(removeAda);
  assert.deepEqual([verdict.hit, verdict.heard, verdict.other], [false, false, null]);
  assert.deepEqual(await page.main("log"), []);
}));

test("a page that acts on the press itself and moves its button was heard, and has changed", () => on(`<button onmousedown="document.body.insertAdjacentHTML('afterbegin', '<p style=height:200px>Saving</p>')">Save</button>`, async (page) => {
  const verdict = await page.click(role("button", "Save"));
  assert.deepEqual([verdict.hit, verdict.heard, verdict.changed], [false, true, true]);
}));

test("a document that was asked nothing swallows a press", () => on(`<button onclick="document.title = 'pressed'">Go</button>`, async (page) => {
  await page.page.mouse.click(20, 20);
  assert.equal(await page.main("document.title"), "Test");
  assert.deepEqual((({ hit, heard }) => ({ hit, heard }))(await page.ask({ ask: "verdict", token: 1 })), { hit: false, heard: false });
}));

const choose = (page, token) => page.ask({ ask: "set", token, values: ["Admin"] });

test("a select is set in the row of the person at this very moment", () => on(TABLE, async (page) => {
  const control = await page.edit(label("Role", { within: row }));
  await page.main("rotate()");
  await page.main("window.set = []; addEventListener('change', (event) => set.push(mailOf(event.target)))");
  assert.equal((await choose(page, control.token)).answer, "control");
  assert.deepEqual(await page.main("set"), ["ada@x"]);
}));

test("a select whose person went away is not set; one that goes away at the input is not changed", () => on(TABLE, async (page) => {
  await page.main("window.set = []; addEventListener('change', (event) => set.push(mailOf(event.target)))");
  const control = await page.edit(label("Role", { within: row }));
  await page.main("rows()[0].cells[0].textContent = 'eve@x'");
  assert.equal((await choose(page, control.token)).kind, "not_found");
  assert.equal(await page.main("document.querySelector('select').value"), "Viewer");
  await page.main("rows()[0].cells[0].textContent = 'ada@x'; once('input', rotate)");
  const again = await page.edit(label("Role", { within: row }));
  assert.equal((await choose(page, again.token)).kind, "moving");
  assert.deepEqual(await page.main("set"), []);
}));

const name = label("Name", { within: row });

test("a field that became somebody else's when it got the focus is not edited", () => on(TABLE, async (page) => {
  await page.main("addEventListener('focusin', rotate)");
  assert.equal((await page.edit(name)).kind, "moving");
}));

test("text for a field that became somebody else's goes nowhere", () => on(TABLE, async (page) => {
  const control = await page.edit(name);
  await page.main("rotate()");
  await page.page.keyboard.insertText("Ada");
  assert.equal((await page.ask({ ask: "value", token: control.token })).kind, "covered");
  assert.deepEqual(await page.main("rows().map((row) => row.querySelector('input').value)"), ["x", "x", "x"]);
}));

test("typed text is taken back from a row that became somebody else's, and not saved there", () => on(TABLE, async (page) => {
  await page.main("window.set = []; addEventListener('change', (event) => set.push(mailOf(event.target)))");
  const control = await page.edit(name);
  await page.page.keyboard.insertText("Ada");
  await page.main("rotate()");
  assert.equal((await page.ask({ ask: "value", token: control.token })).kind, "not_found");
  await page.main("document.activeElement.blur()");
  assert.deepEqual(await page.main("[set, rows().map((row) => row.querySelector('input').value)]"), [[], ["x", "x", "x"]]);
}));

test("an option is pressed only for the control that was opened, in the same row", () => on(`${TABLE}<ul role=listbox aria-label=Menu><li role=option onclick="document.title = 'chosen'">Admin</ul>`, async (page) => {
  const opened = await page.aim(label("Role", { within: row }));
  const aim = () => page.ask({ ask: "aim", target: targetOf(role("option", "Admin", { within: role("listbox", "Menu") })), owner: { token: opened.token, target: targetOf(label("Role", { within: row })) } });
  const aimed = await aim();
  assert.equal(aimed.answer, "aimed");
  await page.main("rotate()");
  await page.press(aimed.at);
  const verdict = await page.ask({ ask: "verdict", token: aimed.token }, 1000);
  assert.deepEqual([verdict.hit, verdict.heard, await page.main("document.title")], [false, false, "Test"]);
  assert.equal((await aim()).kind, "not_found");
}));

// ---- keys -----------------------------------------------------------------------------------------

const KEYS = `<form onsubmit="document.title = 'sent'; return false"><input aria-label=Search id=q></form><button id=b onclick="document.title = 'pressed'">Remove</button>
  <script>window.log = []; for (const type of ["keydown", "keypress", "keyup"]) addEventListener(type, (event) => log.push(type + " " + (event.target.id || event.target.localName)), true)</script>`;
const aimKey = (page, target, more = {}) => page.ask({ ask: "aim_key", key: "Enter", search: false, ...(target ? { target: targetOf(target) } : {}), ...more });

test("a key arrives in its field", () => on(KEYS, async (page) => {
  const aimed = await aimKey(page, label("Search"), { search: true });
  assert.deepEqual([aimed.answer, aimed.element], ["armed", 'textbox "Search"']);
  await page.page.keyboard.press("Enter");
  const verdict = await page.ask({ ask: "verdict", token: aimed.token }, 1000);
  assert.deepEqual([verdict.hit, verdict.heard, await page.main("document.title")], [true, true, "sent"]);
}));

test("a key whose field lost the focus is swallowed whole", () => on(KEYS, async (page) => {
  const aimed = await aimKey(page, label("Search"));
  await page.main("b.focus()");
  await page.page.keyboard.press("Enter");
  const verdict = await page.ask({ ask: "verdict", token: aimed.token }, 1000);
  assert.deepEqual([verdict.hit, verdict.heard, verdict.instead, await page.main("document.title"), await page.main("log")], [false, false, 'button "Remove"', "Test", []]);
}));

test("a focus that moves during the key does not take the rest of it along", () => on(KEYS, async (page) => {
  await page.main("q.onkeydown = () => b.focus()");
  const aimed = await aimKey(page, label("Search"));
  await page.page.keyboard.press("Enter");
  const verdict = await page.ask({ ask: "verdict", token: aimed.token }, 1000);
  assert.deepEqual([verdict.heard, await page.main("document.title"), await page.main("log")], [true, "Test", ["keydown q"]]);
}));

test("without a target a key is held to what has the focus", () => on(KEYS, async (page) => {
  await page.main("b.focus()");
  const aimed = await aimKey(page, null);
  assert.equal(aimed.element, 'button "Remove"');
  await page.page.keyboard.press("Enter");
  assert.equal((await page.ask({ ask: "verdict", token: aimed.token }, 1000)).hit, true);
  assert.equal(await page.main("document.title"), "pressed");
}));

for (const [what, html, may] of [
  ["a form that sends, another button first", "<form method=post><button>Delete selected</button><input aria-label=Search><button>Search</button></form>", false],
  ["a form that reads, another button first", "<form><button>Delete selected</button><input aria-label=Search><button>Search</button></form>", false],
  ["a list before the first button", "<form method=post><input aria-label=Search><table><tr><th>Name<tr><td>Ada</table><button>Delete</button></form>", false],
  ["its button follows", "<form method=post><input aria-label=Search><select><option>All</select><button type=button>x</button><button>Go</button><table><tr><td>Ada</table><button>Delete</button></form>", true],
  ["a form that reads, one button before", "<form><button>Go</button><input aria-label=Search></form>", true],
  ["a search landmark", "<form method=post><search><button>Go</button><input aria-label=Search></search><button>Delete</button></form>", true],
  ["no button", "<form method=post><input aria-label=Search></form>", true],
  ["no form", "<input aria-label=Search><button>Delete</button>", true],
]) {
  test(`Enter in a search: ${what}`, () => on(html, async (page) => {
    const aimed = await aimKey(page, label("Search"), { search: true });
    assert.equal(aimed.answer, may ? "armed" : "refused", JSON.stringify(aimed));
    if (!may) assert.equal(aimed.kind, "other_button");
    assert.equal((await aimKey(page, label("Search"))).answer, "armed", "where the playbook names the key, it is its author's");
  }));
}

test("a button that comes before the search's own while the key is on its way is not pressed", () => on(`<form onsubmit="return false"><input aria-label=Search id=q><button>Go</button></form>`, async (page) => {
  const aimed = await aimKey(page, label("Search"), { search: true });
  await page.main(`q.onkeydown = () => q.insertAdjacentHTML('beforebegin', '<button onclick="document.title = \\'deleted\\'">Delete</button>')`);
  await page.page.keyboard.press("Enter");
  const verdict = await page.ask({ ask: "verdict", token: aimed.token }, 1000);
  assert.deepEqual([verdict.hit, await page.main("document.title")], [false, "Test"]);
}));
