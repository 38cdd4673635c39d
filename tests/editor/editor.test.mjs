// What an author sees in an editor, with the real YAML language server, our schemas and our playbooks.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, existsSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { Server, root } from "./server.mjs";

const read = (file) => readFileSync(path.join(root, file), "utf8");
const modeline = "# yaml-language-server: $schema=../../docs/schema/playbook.draft-07.schema.json\n";
const everything = modeline + read("tests/language/everything/playbook.yaml");
let number = 0;
/// A new file for each text, because the server keeps what it has seen.
const file = () => `playbooks/editor${++number}/playbook.yaml`;
const within = (text, from, to) => {
  assert.ok(text.includes(from), `the example has ${from}`);
  return text.replace(from, to);
};
const words = (documentation) => documentation?.value ?? documentation ?? "";

let server;
before(async () => (server = await Server.start()));
after(async () => server.stop());

test("inside click, the locators are offered with their explanation", async () => {
  for (const step of ["- click: { b|~| }", "- click:\n          |~|"]) {
    const offered = await server.complete(file(), within(everything, "- click: save", step));
    const button = offered.find((item) => item.label === "button" && item.kind === 10);
    assert.match(words(button.documentation), /A button, by its name\./);
    assert.match(words(button.documentation), /`button`/);
    const labels = offered.map((item) => item.label);
    for (const key of ["link", "dialog", "label", "text", "testid", "in"]) assert.ok(labels.includes(key), key);
    assert.ok(!labels.includes("commit"), "a modifier of the step is not a key of a locator");
  }
});

test("a step is explained", async () => {
  const said = await server.hover(file(), within(everything, "- click: save", "- cl|~|ick: save"));
  assert.match(said, /Clicks an element when it is visible, enabled, still and not covered\./);
  assert.match(said, /- click: \{ button: Save \}/);
});

test("an unknown key is underlined, alone", async () => {
  const { diagnostics } = await server.open(file(), within(everything, "- click: save", "- clik: save"));
  assert.deepEqual(diagnostics.map((d) => d.message), ["Property clik is not allowed."]);
  const line = everything.split("\n").findIndex((line) => line.includes("- click: save"));
  assert.deepEqual(diagnostics[0].range.start, { line, character: 8 });
  const locator = await server.open(file(), within(everything, "- click: save", "- click: { buton: Save }"));
  assert.deepEqual(locator.diagnostics.map((d) => d.message), ["Property buton is not allowed."]);
});

test("two actions in one step have our own message", async () => {
  const step = await server.open(file(), within(everything, "- click: save", "- click: save\n        open: /"));
  assert.match(step.diagnostics[0].message, /^A step has exactly one action/);
  const locator = await server.open(file(), within(everything, "- click: save", "- click: { button: Save, link: Save }"));
  assert.match(locator.diagnostics[0].message, /^A locator finds an element in one way/);
});

test("the playbook with every word of the language has no diagnostics", async () => {
  assert.deepEqual((await server.open(file(), everything)).diagnostics, []);
});

test("steps, codes, operations and attributes are offered", async () => {
  const offers = async (from, to) => (await server.complete(file(), within(everything, from, to))).map((item) => item.label);
  const steps = await offers("- click: save", "- |~|\n      - click: save");
  for (const step of ["open", "click", "form", "expect", "commit", "when … do … else"]) assert.ok(steps.includes(step), step);
  assert.ok((await offers("code: no_seat", "code: n|~|")).includes("bad_credentials"));
  assert.ok((await offers("  user.delete:", "  |~|\n  user.delete:")).includes("invite.resend"));
  assert.ok((await offers("changes: [displayName, role]", "changes:\n      - |~|")).includes("name.givenName"));
  assert.ok((await offers("identity: { attribute: userName, ignore_case: true }", "identity: |~|")).includes("userName"));
  assert.ok((await offers("  absent: { text: Nobody found }", "  a|~|")).includes("absent"));
});

test("every shipped playbook names its schema and has no diagnostics", async () => {
  let seen = 0;
  for (const folder of readdirSync(path.join(root, "playbooks"))) {
    const name = `playbooks/${folder}/playbook.yaml`;
    if (!existsSync(path.join(root, name))) continue;
    const text = read(name);
    assert.ok(text.startsWith(modeline), `${name} begins with ${modeline}`);
    assert.deepEqual((await server.open(name, text)).diagnostics, [], name);
    seen++;
  }
  assert.ok(seen > 0);
});

test("every shipped module, too", async () => {
  const modules = readdirSync(path.join(root, "playbooks"), { withFileTypes: true })
    .filter((folder) => folder.isDirectory() && !existsSync(path.join(root, "playbooks", folder.name, "playbook.yaml")))
    .flatMap((folder) => readdirSync(path.join(root, "playbooks", folder.name)).map((name) => `playbooks/${folder.name}/${name}`))
    .filter((name) => name.endsWith(".yaml"));
  const line = modeline.replace("playbook.draft", "module.draft");
  for (const name of modules) {
    assert.ok(read(name).startsWith(line), `${name} begins with ${line}`);
    assert.deepEqual((await server.open(name, read(name))).diagnostics, [], name);
  }
  const example = line + read("tests/language/everything/module.yaml");
  assert.deepEqual((await server.open("playbooks/idp/editor.yaml", example)).diagnostics, []);
  const wrong = await server.open("playbooks/idp/editor2.yaml", example.replace("steps:", "stepps:"));
  assert.match(wrong.diagnostics[0].message, /stepps/);
});
