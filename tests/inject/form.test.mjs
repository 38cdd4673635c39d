// Form controls of every kind: described, edited, set, read back.
import assert from "node:assert/strict";
import { test } from "node:test";
import { css, label, on, role, testId, text } from "./page.mjs";

const value = (page, token) => page.ask({ ask: "value", token });
const set = (page, token, ...values) => page.ask({ ask: "set", token, values });

/** Types over what a control holds and reads it back. */
async function typed(page, target, content) {
  const control = await page.edit(target);
  assert.equal(control.answer, "control", control.message);
  await page.page.keyboard.insertText(content);
  return value(page, control.token);
}

test("the kinds", () => on(`
  <input aria-label=text><input type=email aria-label=email><input type=number aria-label=number><input type=search aria-label=search><textarea aria-label=area></textarea>
  <div contenteditable aria-label=rich>x</div><input type=password aria-label=password><select aria-label=select><option>a</select><select multiple aria-label=many><option>a</select>
  <input type=checkbox aria-label=checkbox><div role=checkbox aria-label=acheckbox>x</div><button role=switch aria-label=switch>x</button><input type=checkbox role=switch aria-label=iswitch>
  <input type=radio aria-label=radio><fieldset><legend>radios</legend><label><input type=radio>A</label><label><input type=radio checked>B</label></fieldset>
  <div role=group aria-label=checks><label><input type=checkbox checked>C</label><label><input type=checkbox checked>D</label></div>
  <div role=radiogroup aria-label=aradios><div role=radio aria-checked=true>E</div><div role=radio>F</div></div>
  <input type=date aria-label=date><input type=time aria-label=time><input type=color aria-label=color><input type=range aria-label=range>
  <input role=combobox aria-label=combo><div role=combobox aria-label=divcombo tabindex=0>Chosen</div><button aria-haspopup=listbox aria-label=buttoncombo>One</button>
  <div role=listbox aria-label=list><div role=option aria-selected=true>X</div><div role=option>Y</div></div><input list=dl aria-label=datalist><datalist id=dl><option>q</datalist>`, async (page) => {
  const kinds = {};
  for (const name of ["text", "email", "number", "search", "area", "rich", "datalist", "password", "select", "many", "checkbox", "acheckbox", "switch", "iswitch", "radio", "radios", "aradios", "checks", "date", "time", "color", "range", "combo", "divcombo", "buttoncombo", "list"]) {
    kinds[name] = (await page.edit(label(name))).kind;
  }
  assert.deepEqual(kinds, {
    text: "text", email: "text", number: "text", search: "text", area: "text", rich: "text", datalist: "text", password: "password", select: "select", many: "select_many",
    checkbox: "checkbox", acheckbox: "checkbox", switch: "switch", iswitch: "switch", radio: "radio", radios: "radio_group", aradios: "radio_group", checks: "checkbox_group",
    date: "formatted", time: "formatted", color: "formatted", range: "formatted", combo: "combobox", divcombo: "combobox", buttoncombo: "combobox", list: "listbox",
  });
  const radios = await page.edit(label("radios"));
  assert.deepEqual([radios.options, radios.values, radios.origin], [["A", "B"], ["B"], "http://page.test"]);
  assert.deepEqual((await page.edit(label("checks"))).values, ["C", "D"]);
  assert.deepEqual((await page.edit(label("aradios"))).values, ["E"]);
  const list = await page.edit(label("list"));
  assert.deepEqual([list.options, list.values], [["X", "Y"], ["X"]]);
  assert.deepEqual((await page.edit(label("divcombo"))).values, ["Chosen"]);
}));

for (const [kind, html] of Object.entries({
  text: '<input aria-label=F value="old text">', email: '<input type=email aria-label=F value=old@x>', number: "<input type=number aria-label=F value=12>",
  area: "<textarea aria-label=F>old\nlines</textarea>", rich: "<div contenteditable aria-label=F>old <b>rich</b> text</div>",
  shadow: "<x-f></x-f><script>document.querySelector('x-f').attachShadow({ mode: 'open' }).innerHTML = '<input aria-label=F value=old>'</script>",
  "rich in a shadow root": "<x-f></x-f><script>document.querySelector('x-f').attachShadow({ mode: 'open' }).innerHTML = '<div contenteditable aria-label=F>old <b>x</b></div>'</script>",
})) {
  test(`what is typed replaces what was there: ${kind}`, () => on(html, async (page) => {
    const control = await typed(page, label("F"), "42");
    assert.deepEqual([control.values, control.length], [["42"], 2]);
  }));
}

test("a password: its length, never itself", () => on('<label>Password <input type=password value="old secret"></label>', async (page) => {
  const control = await typed(page, label("Password"), "hunter2");
  assert.deepEqual([control.kind, control.values, control.length], ["password", [], 7]);
  assert.ok(!JSON.stringify(control).includes("hunter2"));
  assert.equal((await page.text(label("Password"), 0, "value")).text, "");
  assert.equal((await page.text(label("Password"))).text, "");
}));

test("leaving a control fires change once, and the result is read", () => on(`
  <script>window.log = []</script><label>Phone <input onchange="log.push('change'); this.value = this.value.replace(/\\D/g, '')" onblur="log.push('blur')"></label>`, async (page) => {
  assert.deepEqual((await typed(page, label("Phone"), "030 12")).values, ["03012"]);
  assert.deepEqual(await page.main("log"), ["change", "blur"]);
}));

test("a field that is taken away when left keeps its last word; a field that is gone is gone", () => on(`<input aria-label=Inline onblur="this.remove()">`, async (page) => {
  const control = await typed(page, label("Inline"), "Ada");
  assert.deepEqual(control.values, ["Ada"]);
  assert.equal((await value(page, control.token)).kind, "not_found");
  assert.equal((await set(page, 1, "x")).kind, "not_found");
}));

test("read-only, disabled, no field, two fields", () => on(`
  <input aria-label=Fixed readonly><input aria-label=Off disabled><button>Press</button><input type=file aria-label=Photo>
  <div data-testid=both><input><select><option>a</select></div><div data-testid=single><span><input value=in></span></div><label for=z>Zip</label><input id=z value=label>`, async (page) => {
  assert.equal((await page.edit(label("Fixed"))).kind, "not_editable");
  assert.equal((await page.edit(label("Off"))).kind, "disabled");
  assert.equal((await page.edit(role("button", "Press"))).kind, "not_editable");
  assert.equal((await page.edit(label("Photo"))).kind, "file");
  assert.equal((await page.edit(testId("both"))).kind, "not_editable");
  assert.deepEqual((await page.edit(testId("single"))).values, ["in"], "a wrapper of one field is that field");
  assert.deepEqual((await page.edit(text("Zip"))).values, ["label"], "a label is its field");
}));

test("a select: by text, by value, strictly", () => on(`
  <script>window.log = []</script>
  <label>Role <select oninput="log.push('input')" onchange="log.push('change ' + this.value)"><option value="">None</option><option value=v>Viewer</option><option value=a>  Admin
   </option><option value=o disabled>Owner</option><option value=t1>Twin</option><option value=t2>Twin</option></select></label>`, async (page) => {
  const { token, options, values } = await page.edit(label("Role"));
  assert.deepEqual([options, values], [["None", "Viewer", "Admin", "Owner", "Twin", "Twin"], ["None"]]);
  assert.deepEqual((await set(page, token, "Admin")).values, ["Admin"]);
  assert.deepEqual((await set(page, token, "v")).values, ["Viewer"]);
  assert.deepEqual(await page.main("log"), ["input", "change a", "input", "change v"]);
  const refused = await set(page, token, "admin");
  assert.deepEqual([refused.kind, refused.candidates[0]], ["no_such_option", '"Admin"']);
  assert.equal((await set(page, token, "Owner")).kind, "disabled");
  assert.equal((await set(page, token, "Twin")).kind, "ambiguous");
  assert.equal((await set(page, token, "Viewer", "Admin")).kind, "not_editable");
  assert.deepEqual((await set(page, token)).values, ["None"], "nothing chosen is the empty option");
  assert.equal((await page.main("log")).length, 6, "a refusal tells the page nothing");
}));

test("a select of many: exactly these", () => on("<label>Teams <select multiple><option>Red<option selected>Blue<option>Green</select></label>", async (page) => {
  const { token } = await page.edit(label("Teams"));
  assert.deepEqual((await set(page, token, "Red", "Green")).values, ["Red", "Green"]);
  assert.equal((await set(page, token, "Red", "Pink")).kind, "no_such_option");
  assert.deepEqual((await value(page, token)).values, ["Red", "Green"]);
  assert.deepEqual((await set(page, token)).values, []);
}));

test("controls with a format of their own", () => on(`
  <input type=date aria-label=date max=2030-01-01><input type=time aria-label=time><input type=datetime-local aria-label=both><input type=month aria-label=month>
  <input type=week aria-label=week><input type=color aria-label=color><input type=range aria-label=range min=0 max=10>`, async (page) => {
  for (const [name, good] of [["date", "2026-11-23"], ["time", "09:30"], ["both", "2026-11-23T09:30"], ["month", "2026-11"], ["week", "2026-W48"], ["color", "#aabbcc"], ["range", "7"]]) {
    const { token } = await page.edit(label(name));
    assert.deepEqual((await set(page, token, good)).values, [good]);
  }
  for (const [name, bad] of [["date", "23.11.2026"], ["date", "2031-01-01"], ["time", "9 am"], ["range", "11"], ["color", "red"]]) {
    const { token, values } = await page.edit(label(name));
    assert.equal((await set(page, token, bad)).kind, "not_editable", bad);
    assert.deepEqual((await value(page, token)).values, values, "and it is as before");
  }
}));

test("frameworks that keep their own copy of a value hear of it", () => on(`<input type=date aria-label=Born><script>
  // As React does: the instance's own property remembers what the page wrote, and an event without news is dropped.
  const input = document.querySelector("input"), native = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value");
  let kept = ""; window.heard = [];
  Object.defineProperty(input, "value", { get() { return native.get.call(this) }, set(value) { kept = value; native.set.call(this, value) } });
  input.addEventListener("input", () => { if (input.value !== kept) heard.push(kept = input.value) });
</script>`, async (page) => {
  await set(page, (await page.edit(label("Born"))).token, "2026-11-23");
  assert.deepEqual(await page.main("heard"), ["2026-11-23"]);
}));

test("ticking: the state, before and after the press", () => on("<label><input type=checkbox> Agree</label><div role=switch aria-checked=mixed tabindex=0 aria-label=S onclick=\"this.setAttribute('aria-checked', 'true')\">x</div>", async (page) => {
  for (const name of ["Agree", "S"]) {
    const { token, checked } = await page.edit(label(name));
    assert.equal(checked, false);
    await page.click(label(name));
    assert.equal((await value(page, token)).checked, true);
  }
}));

test("one option of a group, by its name in it", () => on("<fieldset><legend>Role</legend><label><input type=radio name=r> Viewer</label><label><input type=radio name=r> Admin</label></fieldset><fieldset><legend>Other</legend><label><input type=radio name=o> Admin</label></fieldset>", async (page) => {
  const { token } = await page.edit(label("Role"));
  assert.equal((await page.click(role("radio", "Admin", { within: label("Role") }))).hit, true);
  assert.deepEqual((await value(page, token)).values, ["Admin"]);
}));

test("a combobox of the app returns its options when it is open", () => on(`<input role=combobox aria-label=Team aria-controls=l onclick="l.hidden = false"><ul id=l role=listbox hidden><li role=option>Red<li role=option aria-selected=true>Blue</ul>`, async (page) => {
  assert.deepEqual((await page.edit(label("Team"))).options, []);
  await page.click(label("Team"));
  assert.deepEqual((await page.edit(label("Team"))).options, ["Red", "Blue"]);
}));

test("a combobox that is only opened", () => on(`
  <span id=r>Role</span><button role=combobox aria-haspopup=listbox aria-expanded=false aria-labelledby=r aria-controls=l onclick="l.hidden = false; this.ariaExpanded = 'true'">Viewer <span aria-hidden=true>expand_more</span> ▾</button>
  <div id=l role=listbox hidden><div role=option aria-selected=false>Admin</div><div role=option aria-selected=true>Viewer</div></div>
  <div role=listbox aria-label=Other><div role=option>Nothing</div></div>`, async (page) => {
  const closed = await page.edit(label("Role"));
  assert.deepEqual([closed.kind, closed.editable, closed.multiple, closed.values, closed.options], ["combobox", false, false, ["Viewer"], []]);
  await page.click(label("Role"));
  const open = await page.edit(label("Role"));
  assert.deepEqual([open.values, open.options], [["Viewer"], ["Admin", "Viewer"]]);
}));

test("a combobox that is typed into, its list drawn elsewhere", () => on(`
  <label>Person <input role=combobox aria-autocomplete=list oninput="pop.hidden = !this.value; this.ariaExpanded = String(!!this.value)" aria-expanded=false></label>
  <div id=pop hidden><ul role=listbox><li role=option aria-selected=true>Ada<li role=option aria-disabled=true>Adam</ul></div>`, async (page) => {
  const closed = await page.edit(label("Person"));
  assert.deepEqual([closed.editable, closed.values, closed.options], [true, [], []]);
  await page.page.keyboard.insertText("Ad");
  const open = await page.edit(label("Person"));
  assert.deepEqual([open.options, open.values, open.length], [["Ada", "Adam"], ["Ad"], 2], "what the arrow keys are on is not chosen");
}));

test("a combobox of many: what its open list marks", () => on(`
  <div role=combobox aria-label=Teams tabindex=0 aria-expanded=true aria-controls=l>2 chosen</div>
  <div id=l role=listbox aria-multiselectable=true><div role=option aria-selected=true>Red</div><div role=option aria-checked=true>Blue</div><div role=option>Green</div></div>`, async (page) => {
  const { multiple, values, options } = await page.edit(label("Teams"));
  assert.deepEqual([multiple, values, options], [true, ["Red", "Blue"], ["Red", "Blue", "Green"]]);
  await page.main("for (const one of l.children) { one.ariaSelected = 'false'; one.ariaChecked = null }");
  assert.deepEqual((await page.edit(label("Teams"))).values, []);
}));

test("a box with the role around the line that is typed into is one field", () => on(`
  <div data-testid=f><label id=n for=i>City</label><div role=combobox aria-labelledby=n aria-expanded=true aria-owns=l><input id=i value=Be aria-controls=l></div></div><ul id=l role=listbox><li role=option>Bern</ul>`, async (page) => {
  for (const target of [label("City"), css("#i"), testId("f")]) {
    const { kind, editable, values, options } = await page.edit(target);
    assert.deepEqual([kind, editable, values, options], ["combobox", true, ["Be"], ["Bern"]]);
  }
  await page.page.keyboard.insertText("Rome");
  assert.deepEqual((await page.edit(label("City"))).values, ["Rome"]);
}));

test("two open lists: whose is whose is not guessed", () => on(`
  <div role=combobox aria-label=A tabindex=0>x</div><div role=listbox><div role=option>1</div></div><div role=listbox><div role=option>2</div></div>`, async (page) => {
  assert.deepEqual((await page.edit(label("A"))).options, []);
}));

test("a list with a search line in a dialog of its own; a list of another combobox", () => on(`
  <button aria-haspopup=listbox aria-expanded=true aria-label=A aria-controls=d>x</button><div id=d><input aria-label=Search><div role=listbox><div role=option>1</div></div></div>
  <button role=combobox aria-label=B>y</button>`, async (page) => {
  assert.deepEqual((await page.edit(label("A"))).options, ["1"]);
  await page.main("document.querySelector('[aria-label=A]').setAttribute('aria-controls', 'm'); document.querySelector('[role=listbox]').id = 'm'");
  assert.deepEqual((await page.edit(label("B"))).options, []);
}));

test("a list of one's own", () => on(`<div role=listbox aria-label=Tags aria-multiselectable=true><div role=option aria-selected=true>X</div><div role=option>Y</div></div>`, async (page) => {
  const { kind, multiple, values, options } = await page.edit(label("Tags"));
  assert.deepEqual([kind, multiple, values, options], ["listbox", true, ["X"], ["X", "Y"]]);
}));

test("a file input, also one behind a label that looks like a button", () => on(`
  <label>One <input type=file></label><label>Many <input type=file multiple style="display:none"></label><input type=file hidden aria-label=Gone><label hidden>Away <input type=file></label>`, async (page) => {
  assert.deepEqual([(await page.edit(label("One"))).kind, (await page.edit(label("One"))).multiple], ["file", false]);
  const { kind, multiple, values } = await page.edit(label("Many"));
  assert.deepEqual([kind, multiple, values], ["file", true, []]);
  assert.equal((await page.edit(text("Many"))).kind, "file", "a label is its field");
  assert.equal((await page.edit(label("Gone"))).kind, "hidden");
  assert.equal((await page.edit(label("Away"))).kind, "hidden");
}));

test("a field that gives the focus away cannot be typed into", () => on('<input aria-label=A onfocus="this.blur()">', async (page) => {
  assert.match((await page.edit(label("A"))).message, /does not take the focus/);
  assert.equal((await page.edit(css("input"))).kind, "not_editable");
}));

test("a label of a custom element is one of the only field inside it, or of the element that is a control itself", () => on(`
  <label for=t>Title</label><x-line id=t></x-line> <label>Digest <x-switch role=switch aria-checked=false tabindex=0></x-switch></label>
  <label>Range <x-two></x-two></label> <label>Terms <x-tick></x-tick></label>
  <script>
    const define = (name, html) => customElements.define(name, class extends HTMLElement {
      static formAssociated = true;
      constructor() {
        super();
        this.attachInternals();
        this.attachShadow({ mode: "open", delegatesFocus: true }).innerHTML = html;
      }
    });
    define("x-line", "<input value=old>");
    define("x-switch", "<i>on</i>");
    define("x-two", "<input><input>");
    define("x-tick", "<input type=checkbox>");
  </script>`, async (page) => {
  const { token, ...line } = await page.edit(label("Title"));
  assert.deepEqual([line.kind, line.values, line.element], ["text", ["old"], 'textbox "Title"']);
  await page.page.keyboard.insertText("new");
  assert.deepEqual((await page.ask({ ask: "value", token })).values, ["new"]);
  assert.equal((await page.edit(label("Digest"))).kind, "switch");
  assert.equal((await page.edit(label("Range"))).kind, "not_found");
  assert.equal((await page.edit(label("Terms"))).kind, "checkbox");
  assert.equal((await page.click(label("Terms"))).hit, true);
  assert.equal((await page.edit(label("Terms"))).checked, true);
}));
