// A form has a property for each of its fields, and a document for each of its forms and images. None of them may mislead
// the script: it reads the browser's own properties, by `dom.js` alone.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { cell, css, header, label, on, open, record, role, rows, targetOf, testId, text, xpath } from "./page.mjs";

const folder = new URL("../../src/engine/inject/", import.meta.url);
const source = (file) => readFileSync(new URL(file, folder), "utf8");
const OWN = source("dom.js").match(/const OWN = `([^`]+)`/)[1].split(/\s+/);

/** Everything is in forms: the page, a dialog, a group, a text, and the records of a list. */
const PAGE = `
<form id=outer onsubmit="return false"><h1>Members</h1>
  <label>Search <input id=q data-testid=q></label><label><input type=checkbox> Active</label>
  <label>Role <select><option>Viewer<option>Admin</select></label>
  <table aria-label=T><thead><tr><th>Email<th>Do</thead><tbody><tr><td>ada@x<td><button type=button onclick="note('pressed ada')">Remove</button>
    <tr><td>bo@x<td><button type=button onclick="note('pressed bo')">Remove</button></table>
  <p role=status>Two members</p>
</form>
<form role=dialog aria-label="Remove member" onsubmit="return false"><p>Remove ada@x?</p><button type=button onclick="note('confirmed')">Yes</button></form>
<form role=group aria-label=Days onsubmit="return false"><label><input type=checkbox checked>Mon</label><label><input type=checkbox>Tue</label></form>
<form role=textbox contenteditable aria-label=Note onsubmit="return false"></form>
<div role=list aria-label=Teams><form role=listitem onsubmit="return false"><b>Red</b> <button type=button onclick="note('left red')">Leave</button></form>
  <form role=listitem onsubmit="return false"><b>Blue</b> <button type=button onclick="note('left blue')">Leave</button></form></div>
<script>const notes = [], note = (said) => notes.push(said); window.noted = () => notes;
  // The browser's own, for this page itself.
  const set = (node, name) => Element.prototype.setAttribute.call(node, "name", name), put = Element.prototype.append, make = Document.prototype.createElement;
  window.clobber = (names) => {
    const body = Object.getOwnPropertyDescriptor(Document.prototype, "body").get.call(document);
    for (const form of Document.prototype.querySelectorAll.call(document, "form")) for (const name of names) {
      const field = make.call(document, "input");
      field.type = "hidden", set(field, name), put.call(form, field);
    }
    for (const name of names) { const image = make.call(document, "img"); set(image, name), image.alt = "", put.call(body, image) }
  };</script>`;

/** All that is asked, and what came of it, without what differs each time. */
async function answers({ ask, aim, click, edit, records, text: read, probe, page, main }) {
  const said = [];
  const note = (answer) => said.push(JSON.parse(JSON.stringify(answer, (key, value) => (["token", "at", "origin"].includes(key) ? undefined : value))));
  const table = rows(role("table", "T"));
  const list = rows(role("list", "Teams"));
  const inTeam = (query) => ({ ...query, within: targetOf(record(list, cell(css("b")), "Red")) });
  const ada = record(table, header("Email"), "ada@x");
  note(await click(role("button", "Remove", { within: ada })));
  note(await click(inTeam(role("button", "Leave"))));
  note(await click(role("button", "Yes", { within: role("dialog", "Remove member", { about: { identity: "ada@x", ignore_case: false } }) })));
  note(await main("noted()"));
  for (const [target, typed] of [[testId("q"), "find"], [label("Note"), "word"]]) {
    const control = await edit(target);
    note(control);
    await page.keyboard.insertText(typed);
    note(await ask({ ask: "value", token: control.token, leave: true }));
  }
  for (const target of [label("Active"), label("Days"), label("Role")]) note(await edit(target));
  const chosen = await edit(label("Role"));
  note(await ask({ ask: "set", token: chosen.token, values: ["Admin"] }));
  const key = await ask({ ask: "aim_key", target: targetOf(testId("q")), key: "Enter", search: false });
  await page.keyboard.press("Enter");
  note(await ask({ ask: "verdict", token: key.token }, 1000));
  note(await records({ rows: table, columns: [{ name: "mail", at: header("Email") }] }));
  note(await records({ rows: list, columns: [{ name: "team", at: cell(css("b")) }] }));
  note(await ask({ ask: "scan", view: { rows: table, columns: [{ name: "mail", at: header("Email") }] } }));
  note(await ask({ ask: "hover", target: targetOf(text("Two members")) }));
  note(await ask({ ask: "scroll", target: targetOf(role("form")), to: "itself" }));
  note(await read(xpath("//form//h1")));
  note(await read(role("listitem", undefined, { nth: 1 })));
  note(await probe(role("status", undefined, { under: { exact: "Members" } }), role("group", "Days"), [role("button", "Nope"), "hidden"]));
  note(await aim(role("button", "Nope")));
  note(await ask({ ask: "contains", needles: ["bo@x"] }));
  note(await ask({ ask: "page" }));
  return said;
}

test("fields, forms and images with the names of all properties of nodes change nothing", async () => {
  const plain = await open(PAGE);
  const expected = await answers(plain);
  await plain.close();
  assert.deepEqual(expected[3], ["pressed ada", "left red", "confirmed"]);
  await on(PAGE, async (page) => {
    const names = await page.main(`(() => {
      const kinds = [EventTarget, Node, Text, Element, HTMLElement, SVGElement, Document, HTMLDocument, DocumentFragment, ShadowRoot, HTMLFormElement, HTMLInputElement, HTMLSelectElement, HTMLOptionElement, HTMLTableCellElement, HTMLSlotElement, HTMLIFrameElement];
      const names = [...new Set(kinds.flatMap(({ prototype }) => Object.getOwnPropertyNames(prototype)).concat(${JSON.stringify(OWN)}))];
      clobber(names);
      return names;
    })()`);
    assert.ok(names.length > 400);
    assert.equal(await page.main("typeof document.querySelectorAll"), "object", "the page itself is misled");
    assert.deepEqual(await answers(page), expected);
  });
});

test("an element that came from a frame is pressed and read", () => on(`<iframe srcdoc="<div id=inner><button>Inner</button> <b>bold</b></div>"></iframe>`, async (page) => {
  await page.page.frames().at(-1).waitForSelector("#inner");
  // The script in the frame keeps it: it comes with the prototypes of the frame.
  const worlds = [];
  page.cdp.on("Runtime.executionContextCreated", ({ context }) => worlds.push(context));
  await page.cdp.send("Runtime.disable");
  await page.cdp.send("Runtime.enable");
  for (const { id, name } of worlds) if (name === "seatwright") await page.cdp.send("Runtime.evaluate", { contextId: id, expression: "globalThis.kept = [...document.querySelectorAll('*')]" });
  await page.main("document.body.append(document.querySelector('iframe').contentDocument.getElementById('inner'))");
  assert.equal((await page.click(role("button", "Inner"))).hit, true);
  assert.equal((await page.text(css("#inner"))).text, "Inner bold");
}));

/** What the names of properties of nodes also mean: parts of our own objects, and of others that have no fields. */
const OTHER = new Set(["length", "normalize", "evaluate", "append", "DOCUMENT_POSITION_FOLLOWING", "TEXT_NODE", "ELEMENT_NODE"]);
const OTHERS = new Set([
  "event.type", "told.multiple", "told.options", "told.checked", "open.multiple", "open.options", "shownIdentities.size", "kinds.size", "starts.size", "how.hidden", "way.hidden",
  "value.role", "value.name", "value.before", "value.after", "text.before", ".before", "file.name", "].name", "range.getClientRects", "range.getBoundingClientRect", "asked.target", "condition.target", "owner.target", "press.target", "].target", ").target",
]);
/** What is set, on fields and options only. */
const SET = new Set(["element.value", "option.selected", "].selected"]);

test("no property of a node is read but by dom.js", async () => {
  const page = await open("");
  const generic = await page.main(`[...new Set([EventTarget, Node, Element, HTMLElement, SVGElement, Document, DocumentFragment, ShadowRoot, HTMLFormElement].flatMap(({ prototype }) => Object.getOwnPropertyNames(prototype)))]`);
  await page.close();
  const names = new Set([...generic, ...OWN]);
  const direct = [];
  const used = new Set(["colSpan", "nodeType"]);
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".js") && name !== "dom.js")) {
    source(file).split("\n").forEach((line, at) => {
      if (/^\s*(?:\/?\*|\/\/)/.test(line)) return;
      for (const [, name] of line.matchAll(/\bdom\.(\w+)/g)) used.add(name);
      for (const [said, owner, name, set] of line.replaceAll("...", " ").matchAll(/(dom|\w+|[)\]]|)\??\.([A-Za-z]\w*)( = )?/g)) {
        const place = `${owner}.${name}`;
        if (names.has(name) && owner !== "dom" && !OTHER.has(name) && !OTHERS.has(place) && !(set && SET.has(place))) direct.push(`${file}:${at + 1}: ${said}`);
      }
    });
  }
  assert.deepEqual(direct, []);
  assert.deepEqual([...used].sort(), [...OWN].sort(), "the list of dom.js is what is used");
});
