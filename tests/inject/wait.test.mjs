// Waiting happens in the page, until it is so or the time is over. Driven by timers of the page; no test asks how long.
import assert from "node:assert/strict";
import { test } from "node:test";
import { conditionOf, css, header, label, on, role, rows, targetOf, testId, text } from "./page.mjs";

const later = (ms, code) => `<script>setTimeout(() => { ${code} }, ${ms})</script>`;
const LONG = 20_000;

test("a button that appears", () => on(later(150, `document.body.insertAdjacentHTML("beforeend", "<button>Late</button>")`), async (page) => {
  assert.equal((await page.click(role("button", "Late"), LONG)).hit, true);
}));

test("a button that is enabled, uncovered, shown", () => on(`
  <button disabled>A</button><button>B</button><div id=veil style="position:fixed;inset:0"></div><button hidden>C</button>
  ${later(100, "veil.remove()")}${later(200, "document.querySelector('button').disabled = false")}${later(250, "document.querySelector('[hidden]').hidden = false")}`, async (page) => {
  for (const name of ["B", "A", "C"]) assert.equal((await page.click(role("button", name), LONG)).hit, true, name);
}));

test("changes that no observer sees: a style sheet, a value, a scroll", () => on(`
  <style id=s>#a { display: none }</style><button id=a>Styled</button><input aria-label=I value=x>
  ${later(100, "s.sheet.deleteRule(0)")}`, async (page) => {
  assert.equal((await page.aim(role("button", "Styled"), LONG)).answer, "aimed");
}));

test("something in a shadow root that is attached later", () => on(`<x-a></x-a>
  ${later(80, 'document.querySelector("x-a").attachShadow({ mode: "open" })')}
  ${later(160, 'document.querySelector("x-a").shadowRoot.innerHTML = "<button>Deep</button>"')}`, async (page) => {
  assert.equal((await page.aim(role("button", "Deep"), LONG)).answer, "aimed");
}));

test("ambiguous only for a while", () => on(`<button>Go</button><button id=twin>Go</button>${later(120, "twin.remove()")}`, async (page) => {
  assert.equal((await page.aim(role("button", "Go"), LONG)).answer, "aimed");
}));

test("the last miss is the answer; one attempt is always made", () => on(`<button>Other</button><button disabled>Off</button>`, async (page) => {
  assert.equal((await page.aim(role("button", "Other"), 0)).answer, "aimed");
  assert.equal((await page.aim(role("button", "Off"), 120)).kind, "disabled");
  const refused = await page.ask({ ask: "await", any: [conditionOf(role("status", "Saved")), conditionOf([role("button", "Other"), "hidden"])] }, 60);
  assert.equal(refused.kind, "not_found");
  assert.equal(refused.message, 'not on the page: status "Saved", or button "Other" (hidden)');
  assert.ok(refused.candidates.some((candidate) => candidate.startsWith('button "Other"')));
}));

test("await says which", () => on(later(100, `document.body.insertAdjacentHTML("beforeend", "<p role=alert>Failed</p>")`), async (page) => {
  assert.deepEqual(await page.ask({ ask: "await", any: [conditionOf(text("Saved")), conditionOf(role("alert"))] }, LONG), { answer: "which", index: 1 });
}));

test("what is watched interrupts, before anything is done", () => on(`${later(100, `document.body.insertAdjacentHTML("beforeend", "<div role=dialog aria-label=News>What is <b>new</b></div><button>Late</button>")`)}`, async (page) => {
  const watch = [conditionOf(text("No seats left")), conditionOf(role("dialog", "News"))];
  assert.deepEqual(await page.ask({ ask: "aim", target: targetOf(role("button", "Late")) }, LONG, watch), { answer: "interrupted", watch: 1, text: "What is new" });
  assert.equal((await page.ask({ ask: "aim", target: targetOf(role("button", "Late")) }, 0, watch)).answer, "interrupted", "on the first attempt too");
  assert.equal((await page.ask({ ask: "text", target: targetOf(css("button")) }, 0, [conditionOf(css("["))])).kind, "bad_selector");
}));

test("a table that fills later, a column that comes later", () => on(`<div id=d></div>
  ${later(80, `d.innerHTML = "<table aria-label=T><tr><th>Mail</table>"`)}${later(160, `d.innerHTML = "<table aria-label=T><tr><th>Email<tr><td>ada@x</table>"`)}`, async (page) => {
  assert.deepEqual((await page.records({ rows: rows(role("table", "T")), columns: [{ name: "e", at: header("Email") }] }, LONG)).rows, [["ada@x"]]);
}));

test("a page that never rests is still answered", () => on(`<p id=p></p><script>(function tick() { p.textContent = Math.random(); setTimeout(tick, 0) })()</script>${later(150, `document.body.insertAdjacentHTML("beforeend", "<input aria-label=Late>")`)}`, async (page) => {
  assert.equal((await page.edit(label("Late"), LONG)).kind, "text");
  assert.equal((await page.aim(role("button", "Never"), 100)).kind, "not_found");
}));

test("settle: what the last input set off has begun", () => on(`<button onclick="setTimeout(() => document.body.insertAdjacentHTML('beforeend', '<p>Begun</p>'))">Go</button>`, async (page) => {
  await page.click(role("button", "Go"));
  assert.deepEqual((await page.ask({ ask: "probe", conditions: [conditionOf(text("Begun"))], settle: true })).holds, [true]);
}));

test("the script again in the same world changes nothing", () => on("<button>Go</button>", async (page) => {
  const aimed = await page.aim(role("button", "Go"));
  await page.again();
  await page.press(aimed.at);
  assert.equal((await page.ask({ ask: "verdict", token: aimed.token }, 1000)).hit, true);
}));

test("a page that rewrote itself is guarded again", () => on("<p>old</p>", async (page) => {
  await page.main(`document.open(); document.write("<button onclick='this.textContent += 1'>New</button>"); document.close()`);
  const aimed = await page.aim(role("button", "New"), LONG);
  await page.main(`document.body.insertAdjacentHTML("afterbegin", "<p style=height:300px></p>")`);
  await page.press(aimed.at);
  assert.equal((await page.ask({ ask: "verdict", token: aimed.token }, 1000)).hit, false);
  assert.equal((await page.click(role("button", "New"))).hit, true);
}));

test("what the page overrides is not in the way", () => on(`<button data-testid=go>Go</button><script>
  Element.prototype.getBoundingClientRect = () => { throw 1 }; Array.prototype.filter = () => []; window.setTimeout = () => 0; JSON.stringify = () => "no"; document.querySelectorAll = () => [];
  EventTarget.prototype.addEventListener = () => {}; Event.prototype.composedPath = () => []</script>`, async (page) => {
  assert.equal((await page.click([role("button", "Go"), testId("go")])).hit, true);
}));
