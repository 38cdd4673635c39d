// What is read for people, and what must not be shown to them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { css, on, role, testId } from "./page.mjs";

test("the text of an element, or an attribute", () => on(`<p data-testid=p title="Tip" >Seats:  <b>3</b> of <span style="display:none">9</span><br>5</p><a href=/members data-testid=a>x</a><input data-testid=i value=first>`, async (page) => {
  assert.deepEqual(await page.text(testId("p")), { answer: "text", text: "Seats: 3 of 5" });
  assert.equal((await page.text(testId("p"), 0, "title")).text, "Tip");
  assert.equal((await page.text(testId("a"), 0, "href")).text, "/members");
  assert.equal((await page.text(testId("p"), 0, "lang")).kind, "not_found");
  await page.main("document.querySelector('input').value = 'second'");
  assert.equal((await page.text(testId("i"))).text, "second");
  assert.equal((await page.text(testId("i"), 0, "value")).text, "second");
}));

test("the page, for a person who was not there", () => on(`
  <h1>Members</h1><h2 hidden>No</h2><div role=alert>Failed</div><div role=status></div><output>Saved</output><nav><a href=#>Home</a></nav><button>Invite</button><button>Invite</button>
  <label>Email <input></label><input type=password aria-label=Password value=secret><table aria-label=People><tr><th>Email<th>Role<tr><td>ada@x<td>x</table>
  <div role=dialog aria-label=Under>x</div><dialog aria-label=Top><button>Close</button></dialog><script>document.querySelector("dialog").showModal()</script>`, async (page) => {
  const { text, ...facts } = await page.ask({ ask: "page" });
  assert.deepEqual(facts, {
    answer: "page", url: "http://page.test/", title: "Test", status: 203, headings: ["Members"], alerts: ["Failed", "Saved"], dialogs: ["Under", "Top"],
    controls: ['link "Home"', 'button "Invite"', 'button "Close"'], fields: ["Email", "Password"], invalid: [], tables: ['table "People" with "Email", "Role"'],
  });
  assert.equal(text, "x", "of the dialog: all else is listed by its kind");
  assert.ok(!JSON.stringify(facts).includes("secret"));
}));

test("a long page is cut", () => on(`<p>${"word ".repeat(500)}</p>${"<button>B</button>".repeat(3)}${Array.from({ length: 60 }, (_, index) => `<button>B${index}</button>`).join("")}`, async (page) => {
  const facts = await page.ask({ ask: "page" });
  assert.equal(facts.controls.length, 40);
  assert.ok(facts.text.length <= 400);
}));

test("an empty document is a page too", () => on("", async (page) => {
  assert.equal((await page.ask({ ask: "page" })).text, "");
  await page.main("document.documentElement.remove()");
  assert.equal((await page.ask({ ask: "page" })).answer, "page");
  assert.deepEqual(await page.probe(role("button")), [false]);
  assert.equal((await page.aim(css("p"))).kind, "not_found");
}));

const SECRET = "Hunter2 Secret";
for (const [where, html, shown] of [
  ["text", `<p>is: hunter2   secret!</p>`, true], ["split over elements", `<p>Hunt<b>er2</b> <i>Sec</i>ret</p>`, true], ["in groups", "<code>Hunt er2S ecre t</code>", true],
  ["an attribute", `<p title="hunter2 secret">x</p>`, true], ["a placeholder", `<input placeholder="Hunter2 Secret">`, true], ["an input", `<input value="x Hunter2 Secret">`, true],
  ["a text area", `<textarea>Hunter2\nSecret</textarea>`, true], ["a shadow root", `<x-a></x-a><script>document.querySelector("x-a").attachShadow({ mode: "open" }).innerHTML = "<p>Hunter2 Sec<b>ret</b></p>"</script>`, true],
  ["a hidden element", `<p hidden>Hunter2 Secret</p>`, true], ["the dots of a password", `<input type=password value="Hunter2 Secret">`, false], ["a script", `<script>"Hunter2 Secret"</script>`, false],
  ["nothing", "<p>Hunter</p><p>Secret</p>", false],
]) {
  test(`contains a secret in ${where}: ${shown}`, () => on(html, async (page) => {
    assert.deepEqual(await page.ask({ ask: "contains", needles: ["", "  ", SECRET] }), { answer: "contains", contains: shown });
  }));
}

test("contains what was typed, and a password that was revealed", () => on("<input id=a><input id=b type=password>", async (page) => {
  const contains = async () => (await page.ask({ ask: "contains", needles: ["hunter2"] })).contains;
  await page.main("b.value = 'hunter2'");
  assert.equal(await contains(), false);
  await page.main("b.type = 'text'");
  assert.equal(await contains(), true);
  await page.main("b.value = ''; a.value = 'HUNTER2'");
  assert.equal(await contains(), true);
  assert.equal((await page.ask({ ask: "contains", needles: [] })).contains, false);
}));
