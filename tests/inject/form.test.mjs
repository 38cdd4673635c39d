// Form controls of every kind: described, edited, set, read back.
import assert from "node:assert/strict";
import { test } from "node:test";
import { css, header, label, on, record, role, targetOf, testId, text } from "./page.mjs";

const value = (page, token) => page.ask({ ask: "value", token });
const leave = (page, token) => page.ask({ ask: "value", token, leave: true });
/** Reads controls again: of each, its answer and its target. */
const review = async (page, ...fields) => (await page.ask({ ask: "review", fields: fields.map(([{ token }, target, text]) => ({ token, target: targetOf(target), text })) })).controls;
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

test("reading a control does not leave it; leaving fires change once, and the result is read", () => on(`
  <script>window.log = []</script><label>Phone <input onchange="log.push('change'); this.value = this.value.replace(/\\D/g, '')" onblur="log.push('blur')"></label>`, async (page) => {
  const control = await typed(page, label("Phone"), "030 12");
  assert.deepEqual(control.values, ["030 12"]);
  assert.deepEqual(await page.main("log"), []);
  assert.deepEqual((await leave(page, control.token)).values, ["03012"]);
  assert.deepEqual(await page.main("log"), ["change", "blur"]);
}));

test("a field that is taken away when left keeps its last word; a field that is gone is gone", () => on(`<input aria-label=Inline onblur="this.remove()">`, async (page) => {
  const control = await typed(page, label("Inline"), "Ada");
  assert.deepEqual((await leave(page, control.token)).values, ["Ada"]);
  assert.equal((await value(page, control.token)).kind, "not_found");
  assert.equal((await set(page, 1, "x")).kind, "not_found");
}));

for (const [kind, html] of Object.entries({
  text: '<input id=f aria-label=F value="old text">', email: "<input type=email id=f aria-label=F value=old@x>", number: "<input type=number id=f aria-label=F value=12>",
  area: "<textarea id=f aria-label=F>old lines</textarea>", rich: "<div id=f contenteditable aria-label=F>old <b>rich</b> text</div>",
})) {
  test(`what is typed replaces what was there, though the page moves the cursor: ${kind}`, () => on(html, async (page) => {
    const control = await page.edit(label("F"));
    await page.main(`{ const f = document.getElementById("f"); if (f.value === undefined || /email|number/.test(f.type)) getSelection().collapse(f); else f.setSelectionRange(f.value.length, f.value.length); if (f.type === "email") { f.type = "text"; f.setSelectionRange(1, 1); f.type = "email" } }`);
    await page.page.keyboard.insertText("4");
    await page.page.keyboard.insertText("2");
    assert.deepEqual((await value(page, control.token)).values, ["42"]);
    await page.edit(label("F"));
    await page.main(`{ const f = document.getElementById("f"); if (f.setSelectionRange && f.type.startsWith("text")) f.setSelectionRange(1, 1) }`);
    await page.page.keyboard.press("Backspace");
    assert.deepEqual((await value(page, control.token)).values, []);
  }));
}

test("controls are read again without a touch: changed, replaced, gone, hidden, and those of another document", () => on(`
  <script>window.log = []</script>
  <label>Name <input id=name onfocus="log.push('focus')" onblur="log.push('blur')" value=Ada></label> <label>Role <select id=role><option>Viewer<option>Admin</select></label>
  <label><input type=checkbox id=tick> Contractor</label> <label>Gone <input id=gone></label> <label>Away <input id=away></label>`, async (page) => {
  const names = ["Role", "Contractor", "Gone", "Away", "Name"];
  const fields = [];
  for (const name of names) fields.push([await page.edit(label(name)), label(name)]);
  assert.equal((await page.edit(label("Name"))).token, fields.at(-1)[0].token, "an element keeps its token");
  await page.main(`{ role.selectedIndex = 1; tick.checked = true; gone.parentNode.remove(); away.hidden = true; const other = document.getElementById("name").cloneNode(); other.value = "Bo"; document.getElementById("name").replaceWith(other); log.length = 0 }`);
  const [chosen, ticked, gone, away, name] = await review(page, ...fields);
  assert.deepEqual([chosen.values, ticked.checked, gone, away, name.values], [["Admin"], true, null, null, ["Bo"]]);
  assert.deepEqual((await review(page, [name, label("Name")])).map(({ token }) => token), [name.token], "the new element has a token of its own");
  assert.deepEqual(await page.main("log"), []);
  assert.deepEqual(await review(page, [{ token: 1 }, label("Name")]), [null], "another document has no such field");
}));

test("a control of a record is read where the record is now", () => on(`<table aria-label=T><tr><th>Email<th>Pick
  <tr><td>ada@x<td><input type=checkbox><tr><td>bob@x<td><input type=checkbox></table>`, async (page) => {
  const pick = role("checkbox", undefined, { within: targetOf(record({ within: targetOf(role("table", "T")) }, header("Email"), "ada@x")) });
  const box = await page.edit(pick);
  await page.main("{ const [, ada, bob] = document.querySelectorAll('tr'); ada.cells[0].textContent = 'bob@x'; bob.cells[0].textContent = 'ada@x'; bob.querySelector('input').click() }");
  assert.equal((await review(page, [box, pick]))[0].checked, true);
}));

test("a select that the page takes away or replaces was set, once", () => on(`
  <script>window.log = []</script><label>Role <select onchange="log.push(this.value); this.replaceWith(this.cloneNode(true))"><option>Viewer<option>Admin</select></label>`, async (page) => {
  assert.deepEqual((await set(page, (await page.edit(label("Role"))).token, "Admin")).values, ["Admin"]);
  assert.deepEqual(await page.main("log"), ["Admin"]);
}));

test("a chip next to its empty line is the value of the line", () => on(`
  <form><label>Name <input value=x></label> <label for=to>Invite</label><div><span><input id=to></span></div><p>ada@acme.example</p></form>`, async (page) => {
  const field = await page.edit(label("Invite"));
  const read = async () => (await review(page, [field, label("Invite"), "ada@acme.example"]))[0].values;
  assert.deepEqual(await read(), [], "a text elsewhere is no chip");
  await page.main("to.insertAdjacentHTML('beforebegin', '<i><b>ada@acme.example</b> <button type=button>x</button></i>')");
  assert.deepEqual(await read(), ["ada@acme.example"]);
  await page.main("to.value = 'bo'");
  assert.deepEqual(await read(), ["bo"]);
}));

test("a step that waits in vain leaves the field that was typed into last: what the page does then may be what it needs", () => on(`
  <label>Name <input onchange="save.disabled = false"></label> <button id=save disabled>Save</button>
  <label>City <input onfocus="pop.hidden = false" onblur="pop.hidden = true"></label> <button>Go</button> <div id=pop hidden style="position: fixed; inset: 0; top: 60px; background: #eee">Suggestions</div>
  <label>Code <input onchange="said.textContent = 'Code is free'"></label> <p id=said></p>`, async (page) => {
  await typed(page, label("Name"), "Ada");
  assert.equal((await page.aim(role("button", "Save"))).kind, "disabled", "a look that does not wait leaves nothing");
  assert.equal((await page.aim(role("button", "Save"), 1000)).answer, "aimed");
  await typed(page, label("City"), "Bern");
  await page.main("document.querySelector('#pop').style.top = 0");
  assert.equal((await page.aim(role("button", "Go"), 1000)).answer, "aimed");
  await typed(page, label("Code"), "A1");
  assert.equal((await page.ask({ ask: "await", any: [{ target: targetOf(text("Code is free")) }] }, 2000)).answer, "which");
}));

test("a select whose choice the page takes back was not set", () => on(`
  <label>Role <select onchange="if (this.value === 'Admin') this.value = 'Viewer'"><option>Viewer<option>Editor<option>Admin</select></label>
  <label>Later <select onchange="Promise.resolve().then(() => { this.selectedIndex = 0 })"><option>A<option>B</select></label>
  <label>Day <input type=date onchange="this.value = ''"></label>`, async (page) => {
  const { token } = await page.edit(label("Role"));
  assert.deepEqual((await set(page, token, "Editor")).values, ["Editor"]);
  const refused = await set(page, token, "Admin");
  assert.deepEqual([refused.kind, refused.message], ["not_kept", 'combobox "Role" was given "Admin" and shows "Viewer"']);
  assert.equal((await set(page, (await page.edit(label("Later"))).token, "B")).kind, "not_kept");
  assert.equal((await set(page, (await page.edit(label("Day"))).token, "2026-11-30")).kind, "not_kept");
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
