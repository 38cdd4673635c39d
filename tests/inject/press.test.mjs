// Aiming, and the guard: a press arrives where it was aimed at, or not at all.
import assert from "node:assert/strict";
import { test } from "node:test";
import { css, header, label, on, record, role, rows, text } from "./page.mjs";

const LOG = `<script>window.log = []; for (const type of ["pointerdown", "mousedown", "mouseup", "click"]) addEventListener(type, (event) => log.push(type + " " + (event.target.textContent || event.target.localName)), true);</script>`;

test("the whole press reaches the page", () => on(`${LOG}<button>Go</button>`, async (page) => {
  assert.deepEqual(await page.click(role("button", "Go")), { answer: "pressed", hit: true, heard: true, instead: null, other: null, changed: false });
  assert.deepEqual(await page.main("log"), ["pointerdown Go", "mousedown Go", "mouseup Go", "click Go"]);
  await page.page.mouse.click(5, 5);
  assert.equal((await page.main("log")).length, 8, "later presses are not guarded");
}));

test("disabled", () => on("<button disabled>A</button><fieldset disabled><button>B</button></fieldset><button aria-disabled=true>C</button><button disabled><span>D</span></button>", async (page) => {
  for (const target of [role("button", "A"), role("button", "B"), role("button", "C"), css("button:last-of-type span")]) assert.equal((await page.aim(target)).kind, "disabled");
}));

test("covered: by what", () => on(`
  <button>Save</button><div role=dialog aria-label="What's new" style="position:fixed;inset:0;background:#fff"><p>News <b>today</b></p></div>`, async (page) => {
  const refused = await page.aim(role("button", "Save"));
  assert.deepEqual(refused, { answer: "refused", kind: "covered", message: 'covered by dialog "What\'s new"', candidates: [] });
}));

test("covered by something without a name", () => on('<button>Save</button><div id=veil style="position:fixed;inset:0"></div>', async (page) => {
  assert.equal((await page.aim(role("button", "Save"))).message, "covered by <div#veil>");
}));

test("from under a sticky header, out of a scrolled box, far down", () => on(`${LOG}
  <div style="position:sticky;top:0;height:120px;background:#eee" role=banner>Head</div>
  <div style="height:200px;overflow:auto;border:1px solid"><div style="height:900px"></div><button>Boxed</button><div style="height:900px"></div></div>
  <div style="height:3000px"></div><button>Far</button><div style="height:3000px"></div><button>Low</button>`, async (page) => {
  for (const name of ["Low", "Boxed", "Far"]) assert.equal((await page.click(role("button", name))).hit, true, name);
  await page.main("scrollTo(0, document.querySelectorAll('button')[1].getBoundingClientRect().top + scrollY - 40)");
  assert.equal((await page.click(role("button", "Far"))).hit, true, "under the header");
  assert.deepEqual((await page.main("log")).filter((line) => line.startsWith("click")), ["click Low", "click Boxed", "click Far", "click Far"]);
}));

test("the page has heard of the scrolling before the press: a menu that closes at a scroll is open then", () => on(`
  <div style="height:3000px"></div><button>More</button><div style="height:3000px"></div>
  <script>addEventListener("scroll", () => document.documentElement.dataset.scrolled = "yes")</script>`, async (page) => {
  const aimed = JSON.stringify({ ask: { ask: "aim", target: { any: [role("button", "More")] } }, within: 1000, watch: [] });
  assert.deepEqual(await page.run(`__seatwright.ask(${aimed}).then(({ answer }) => [answer, document.documentElement.dataset.scrolled])`), ["aimed", "yes"]);
}));

test("what is scrolled into view has room below it for its menu", () => on(`
  <div style="height:3000px"></div><button onclick="menu.style.top = getBoundingClientRect().bottom + 'px'; menu.hidden = false">More</button><div style="height:3000px"></div>
  <div id=menu role=menu style="position:fixed" hidden><div role=menuitem onclick="document.title = 'done'">Deactivate</div></div>`, async (page) => {
  assert.equal((await page.click(role("button", "More"))).hit, true);
  assert.equal((await page.click(role("menuitem", "Deactivate"))).hit, true);
  assert.equal(await page.main("document.title"), "done");
}));

test("in the gap between a header, a chat and a banner, also in a box that scrolls", () => {
  const far = '<div style="height:3000px"></div><div style="text-align:right"><button>Suspend</button></div><div style="height:3000px"></div>';
  const above = [[0, 90], [380, 420]].map(([top, height]) => `<div style="position:fixed;left:0;right:0;top:${top}px;height:${height}px;background:#cfc">x</div>`).join("");
  return Promise.all([far, `<div style="height:800px;overflow:auto">${far}</div>`].map((list) => on(`<style>body{margin:0}</style>${LOG}${list}${above}`, async (page) => {
    assert.equal((await page.click(role("button", "Suspend"))).hit, true);
  })));
});

test("a button that only the pointer shows: scrolled away from a cover, it is refused at once, with the cover", () => on(`
  <style>li button{visibility:hidden} li:hover button{visibility:visible} li{height:40px;text-align:right}</style>
  <div style="height:1500px"></div><ul aria-label=L><li>Ada <button>Suspend</button></ul><div style="height:1500px"></div>
  <div style="position:fixed;right:0;top:300px;width:300px;height:500px">Chat with us</div>`, async (page) => {
  const over = async () => {
    const aimed = await page.ask({ ask: "hover", target: { any: [role("listitem")] } }, 1000);
    await page.page.mouse.move(aimed.at.x, aimed.at.y);
  };
  await over();
  const begun = performance.now();
  const refused = await page.aim(role("button", "Suspend"), 5000);
  assert.deepEqual([refused.kind, refused.message], ["covered", "covered by <div> \"Chat with us\""]);
  assert.ok(performance.now() - begun < 2500, "waiting does not help");
  // With the pointer over the row again, the attempts go on where they ended.
  for (let turn = 0; turn < 6; turn++) {
    await over();
    const aimed = await page.aim(role("button", "Suspend"), 1000);
    if (aimed.answer === "aimed") return;
  }
  assert.fail("it is never where it can be pressed");
}));

test("the text of a host, slotted into the button of its shadow root", () => on(`
  <x-button>Go</x-button> <x-outer>Deep</x-outer>
  <script>
    const define = (name, html) => customElements.define(name, class extends HTMLElement {
      constructor() {
        super();
        this.attachShadow({ mode: "open", delegatesFocus: true }).innerHTML = html;
        this.shadowRoot.querySelector("button")?.addEventListener("click", () => log.push(this.localName));
      }
    });
    window.log = [];
    define("x-button", "<button><slot></slot></button>");
    define("x-outer", "<x-button><slot></slot></x-button>");
  </script>`, async (page) => {
  for (const name of ["Go", "Deep"]) assert.equal((await page.click(role("button", name))).hit, true, name);
  assert.deepEqual(await page.main("log"), ["x-button", "x-button"]);
  await page.main("document.querySelector('x-button').insertAdjacentHTML('afterend', '<p style=\"position:fixed;inset:0;margin:0\">Veil</p>')");
  assert.match((await page.aim(role("button", "Go"))).message, /^covered by /);
}));

test("a slot, which has no box of its own, far down", () => on(`${LOG}<div style="height:3000px"></div><x-word>Far</x-word>
  <script>document.querySelector("x-word").attachShadow({ mode: "open" }).innerHTML = "<p>Not <slot></slot></p>"</script>`, async (page) => {
  assert.equal((await page.click(text("Far"))).hit, true);
  assert.equal((await page.main("log")).at(-1), "click Far");
}));

test("a control through its label", () => on(`${LOG}
  <label for=c>Agree</label><input id=c type=checkbox style="position:absolute;opacity:0;width:0;height:0">
  <label><input id=d type=checkbox style="position:absolute;clip-path:inset(50%);width:1px;height:1px"> Clipped</label>`, async (page) => {
  assert.equal((await page.click(role("checkbox", "Agree"))).hit, true);
  assert.equal((await page.click(label("Clipped"))).hit, true);
  assert.deepEqual(await page.main("[c.checked, d.checked]"), [true, true]);
}));

test("a card is not pressed on the button in its middle", () => on(`${LOG}
  <ul><li style="width:400px;height:60px;text-align:center;line-height:60px">Ada <button onclick="document.title='deleted'">Delete</button> x</li></ul>`, async (page) => {
  assert.equal((await page.click(role("listitem"))).hit, true);
  assert.equal(await page.main("document.title"), "Test");
}));

test("a menu item that is all link", () => on('<div role=menu><div role=menuitem><a href="#gone" style="display:block">Remove</a></div></div>', async (page) => {
  assert.equal((await page.click(role("menuitem", "Remove"))).hit, true);
  assert.equal(await page.main("location.hash"), "#gone");
}));

test("a link over two lines", () => on('<div style="width:150px">some words <a href="#there">that go over the edge</a> of the line</div>', async (page) => {
  assert.equal((await page.click(role("link"))).hit, true);
  assert.equal(await page.main("location.hash"), "#there");
}));

test("moving: not before it is still", () => on(`
  <style>@keyframes in { from { transform: translateX(600px) } to { transform: none } } button { animation: in 3s linear infinite }</style><button>Slide</button>`, async (page) => {
  assert.equal((await page.aim(role("button", "Slide"))).kind, "moving");
  await page.main("setTimeout(() => { document.querySelector('button').style.animation = 'none' }, 100)");
  assert.equal((await page.click(role("button", "Slide"), 20_000)).hit, true);
}));

test("an endless animation that moves nothing is no obstacle", () => on('<style>@keyframes p { to { opacity: .5 } } button { animation: p 1s infinite }</style><button>Pulse</button>', async (page) => {
  assert.equal((await page.click(role("button", "Pulse"), 0)).hit, true);
}));

const TABLE = `${LOG}<table aria-label=T><thead><tr><th>Email<th>Do</thead><tbody>
  <tr><td>ada@x<td><button>Delete</button><tr><td>bob@x<td><button>Delete</button></tbody></table>`;
const ada = record(rows(role("table", "T")), header("Email"), "ada@x");
const deleteAda = role("button", "Delete", { within: ada });

test("rows re-sorted between aim and press: nothing is pressed", () => on(TABLE, async (page) => {
  const aimed = await page.aim(deleteAda);
  await page.main("document.querySelector('tbody').append(document.querySelector('tbody tr'))");
  await page.press(aimed.at);
  const verdict = await page.ask({ ask: "verdict", token: aimed.token }, 1000);
  assert.equal(verdict.hit, false);
  assert.equal(verdict.instead, 'button "Delete" in row "bob@x Delete"');
  assert.deepEqual(await page.main("log"), []);
}));

test("identities exchanged in place, elements the same: nothing is pressed", () => on(TABLE, async (page) => {
  const aimed = await page.aim(deleteAda);
  await page.main("(() => { const [a, b] = document.querySelectorAll('td:first-child'); [a.textContent, b.textContent] = [b.textContent, a.textContent]; })()");
  await page.press(aimed.at);
  const verdict = await page.ask({ ask: "verdict", token: aimed.token }, 1000);
  assert.equal(verdict.hit, false);
  assert.match(verdict.instead, /now another element: button "Delete" in row "ada@x Delete"/);
  assert.deepEqual(await page.main("log"), []);
}));

test("the record gone, its button still there: nothing is pressed", () => on(TABLE, async (page) => {
  const aimed = await page.aim(deleteAda);
  await page.main("document.querySelector('td').textContent = 'eve@x'");
  await page.press(aimed.at);
  assert.equal((await page.ask({ ask: "verdict", token: aimed.token }, 1000)).instead, 'no record "ada@x"');
  assert.deepEqual(await page.main("log"), []);
}));

test("an overlay comes up: nothing is pressed", () => on(`${LOG}<button>Save</button>`, async (page) => {
  const aimed = await page.aim(role("button", "Save"));
  await page.main(`document.body.insertAdjacentHTML("beforeend", '<div role=dialog aria-label="Still there?" style="position:fixed;inset:0;background:#fff"><button style="width:100%;height:100%">Log out</button></div>')`);
  await page.press(aimed.at);
  assert.deepEqual(await page.ask({ ask: "verdict", token: aimed.token }, 1000), { answer: "pressed", hit: false, heard: false, instead: 'dialog "Still there?"', other: null, changed: false });
  assert.deepEqual(await page.main("log"), []);
}));

test("replaced by an equal element: nothing is pressed", () => on(`${LOG}<div><button>Save</button></div>`, async (page) => {
  const aimed = await page.aim(role("button", "Save"));
  await page.main("document.querySelector('div').innerHTML = '<button>Save</button>'");
  await page.press(aimed.at);
  assert.equal((await page.ask({ ask: "verdict", token: aimed.token }, 1000)).hit, false);
  assert.deepEqual(await page.main("log"), []);
  assert.equal((await page.click(role("button", "Save"))).hit, true, "the next one counts again");
}));

test("disabled, or a twin came: nothing is pressed", () => on(`${LOG}<div><button>Save</button></div>`, async (page) => {
  let aimed = await page.aim(role("button", "Save"));
  await page.main("document.querySelector('button').setAttribute('aria-disabled', 'true')");
  await page.press(aimed.at);
  assert.match((await page.ask({ ask: "verdict", token: aimed.token }, 1000)).instead, /disabled now/);
  await page.main("document.querySelector('button').removeAttribute('aria-disabled')");
  aimed = await page.aim(role("button", "Save"));
  await page.main("document.querySelector('div').insertAdjacentHTML('beforeend', '<button>Save</button>')");
  await page.press(aimed.at);
  assert.match((await page.ask({ ask: "verdict", token: aimed.token }, 1000)).instead, /2 elements match/);
  assert.deepEqual(await page.main("log"), []);
}));

test("moved away by what the press itself set off: not clicked", () => on(`
  <input id=i autofocus onblur="document.body.insertAdjacentHTML('afterbegin', '<p style=height:200px>Required</p>')">
  <br><button onclick="document.title='saved'">Save</button>`, async (page) => {
  await page.main("i.focus()");
  const verdict = await page.click(role("button", "Save"));
  assert.deepEqual(verdict, { answer: "pressed", hit: false, heard: true, instead: 'button "Save" moved away during the press', other: null, changed: false });
  assert.equal(await page.main("document.title"), "Test");
  assert.equal((await page.click(role("button", "Save"))).hit, true);
}));

test("a menu that opens on the way down was pressed", () => on(`
  <button id=b onpointerdown="document.body.insertAdjacentHTML('beforeend', '<div style=position:fixed;inset:0 role=menu>menu</div>')">More</button>`, async (page) => {
  assert.equal((await page.click(role("button", "More"))).hit, true);
}));

test("an element that goes away when pressed was pressed", () => on(`<button onmousedown="this.remove()">Dismiss</button>`, async (page) => {
  assert.equal((await page.click(role("button", "Dismiss"))).hit, true);
}));

test("an element that the page draws anew as the button goes up was not clicked", () => on(`<div onmouseup="this.innerHTML = this.innerHTML"><button onclick="document.title = 'open'">More</button></div>`, async (page) => {
  assert.deepEqual(await page.click(role("button", "More")), { answer: "pressed", hit: false, heard: true, instead: 'button "More", which replaced it during the press', other: null, changed: true });
  assert.equal(await page.main("document.title"), "Test");
}));

test("events made by the page do not count as the press", () => on(`<button onclick="document.title += '!'">Go</button>`, async (page) => {
  const aimed = await page.aim(role("button", "Go"));
  await page.main("document.querySelector('button').click()");
  await page.press(aimed.at);
  assert.equal((await page.ask({ ask: "verdict", token: aimed.token }, 1000)).hit, true);
  assert.equal(await page.main("document.title"), "Test!!");
}));

test("the verdict comes when the page has dealt with the click", () => on(`<button onclick="document.title = 'done'">Go</button>`, async (page) => {
  const aimed = await page.aim(role("button", "Go"));
  const verdict = page.run(`__seatwright.ask({ ask: { ask: "verdict", token: ${aimed.token} }, within: 20000 }).then((answer) => answer.hit && document.title)`);
  await page.press(aimed.at);
  assert.equal(await verdict, "done");
}));

test("what is positioned out of a clipping box", () => on(`
  <div style="overflow:hidden;width:50px;height:50px"><div style="position:absolute;left:300px;top:100px"><button>Menu</button></div></div>
  <div style="overflow:hidden;width:9px;height:9px"><button style="position:fixed;left:400px;top:200px">Toast</button></div>`, async (page) => {
  assert.equal((await page.click(role("button", "Menu"))).hit, true);
  assert.equal((await page.click(role("button", "Toast"))).hit, true);
}));

test("no press, wrong token", () => on(`<button onclick="document.title = 'pressed'">Go</button>`, async (page) => {
  const aimed = await page.aim(role("button", "Go"));
  assert.deepEqual(await page.ask({ ask: "verdict", token: aimed.token }), { answer: "pressed", hit: false, heard: false, instead: "no press arrived", other: null, changed: false });
  await page.press(aimed.at);
  assert.equal(await page.main("document.title"), "Test", "too late is not at all");
  assert.equal((await page.ask({ ask: "verdict", token: aimed.token + 1 }, 1000)).kind, "not_found");
}));

test("a select and a text in a button can be pressed", () => on("<label>Role <select><option>A</select></label><button>Two <b>words</b></button>", async (page) => {
  assert.equal((await page.click(role("combobox", "Role"))).hit, true);
  await page.page.keyboard.press("Escape");
  assert.equal((await page.click(text("words"))).hit, true);
}));
