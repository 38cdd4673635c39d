// Which elements are meant, strictly, and what is said when it is not clear.
import assert from "node:assert/strict";
import { test } from "node:test";
import { css, header, label, on, placeholder, record, role, rows, testId, text, title, xpath } from "./page.mjs";

const said = async (page, query, more) => (await page.text(query, 0, "data-is", more)).text;

test("a role also finds its kinds", () => on(`
  <input type=search aria-label=Find data-is=search><div role=alertdialog aria-label=Sure data-is=sure>x</div>
  <div role=grid aria-label=Grid data-is=grid><div role=row><div role=gridcell data-is=cell>x</div></div></div>
  <input type=checkbox role=switch aria-label=Wifi data-is=switch>`, async (page) => {
  assert.equal(await said(page, role("textbox", "Find")), "search");
  assert.equal(await said(page, role("searchbox", "Find")), "search");
  assert.equal(await said(page, role("dialog", "Sure")), "sure");
  assert.equal(await said(page, role("table", "Grid")), "grid");
  assert.equal(await said(page, role("cell", "x")), "cell");
  assert.equal(await said(page, role("checkbox", "Wifi")), "switch");
  assert.deepEqual(await page.probe(role("grid", "Grid"), role("switch", "Wifi"), role("alertdialog"), role("listbox")), [true, true, true, false]);
}));

test("names compare exactly after folding, or contain, or match a pattern", () => on("<button>  Save \n changes </button>", async (page) => {
  assert.deepEqual(await page.probe(
    role("button", "Save changes"), role("button", "save changes"), role("button", "Save"), role("button", { contains: "SAVE" }),
    role("button", { glob: "Save*" }), role("button", { glob: "*ave" }), role("button", { glob: "S*e*s" }), role("button", { exact: " Save  changes " }),
  ), [true, false, false, true, true, false, true, true]);
}));

for (const [why, style] of Object.entries({
  "display: none": '<div style="display:none">@</div>', "visibility: hidden": '<div style="visibility:hidden">@</div>',
  "aria-hidden": "<div aria-hidden=true>@</div>", inert: "<div inert>@</div>", "closed details": "<details><summary>x</summary>@</details>",
  "content-visibility": '<div style="content-visibility:hidden">@</div>', hidden: "<div hidden>@</div>",
})) {
  test(`hidden by ${why}: no match, but said`, () => on(style.replace("@", "<button>Save</button>"), async (page) => {
    assert.deepEqual(await page.probe(role("button", "Save"), text("Save"), css("button"), [role("button", "Save"), "hidden"]), [false, false, false, true]);
    assert.equal((await page.aim(role("button", "Save"))).kind, "hidden");
    assert.equal((await page.aim(text("Save"))).kind, "hidden");
  }));
}

test("visible again inside what is hidden", () => on('<div style="visibility:hidden"><p>no</p><button style="visibility:visible">Save</button></div>', async (page) => {
  assert.deepEqual(await page.probe(role("button", "Save"), text("Save"), text("no")), [true, true, false]);
}));

test("what has no size is not visible, unless what it holds has", () => on(`
  <div role=status></div><div role=alert>Failed</div><div role=dialog aria-label=Portal><div style="position:fixed;top:50px">Hello</div></div>
  <span style="display:contents" role=button tabindex=0>Boxless</span>`, async (page) => {
  assert.deepEqual(await page.probe(role("status"), role("alert"), role("dialog", "Portal"), role("button", "Boxless")), [false, true, true, true]);
}));

test("none: the nearest names, then other roles, then what is there", () => on(`
  <button>Save changes</button><button>Cancel</button><a href=#>Invite people</a>`, async (page) => {
  assert.deepEqual((await page.aim(role("button", "Save"))).candidates, ['button "Save changes"']);
  assert.deepEqual((await page.aim(role("button", "Cancle"))).candidates, ['button "Cancel"']);
  const other = await page.aim(role("button", "Invite people"));
  assert.equal(other.message, 'no button "Invite people"');
  assert.deepEqual(other.candidates, ['link "Invite people"']);
  assert.deepEqual((await page.aim(role("button", "Qwzx"))).candidates, ['button "Save changes"', 'button "Cancel"']);
}));

test("several: all that match, with where they stand", () => on(`
  <table aria-label=Members><tr><th>Email<th>Do<tr><td>ada@x<td><button>Edit</button><tr><td>bob@x<td><button>Edit</button></table>
  <div role=dialog aria-label="Edit member"><button>Edit</button></div><h2>Other</h2><button>Edit</button>`, async (page) => {
  const refused = await page.aim(role("button", "Edit"));
  assert.equal(refused.kind, "ambiguous");
  assert.match(refused.message, /^4 elements match button "Edit"/);
  assert.deepEqual(refused.candidates, [
    'button "Edit" in row "ada@x Edit"', 'button "Edit" in row "bob@x Edit"', 'button "Edit" in dialog "Edit member"', 'button "Edit" under heading "Other"',
  ]);
}));

test("within, has, text, nth", () => on(`
  <ul aria-label=People><li data-is=ada>Ada <button>Edit</button></li><li data-is=bob>Bob <a href=#>Edit</a></li></ul>
  <button data-is=loose>Edit</button>
  <div role=dialog aria-label=A>x</div><div role=dialog aria-label=A>y</div>`, async (page) => {
  assert.equal(await said(page, role("listitem", undefined, { has: [role("link", "Edit")] })), "bob");
  assert.equal(await said(page, role("listitem", undefined, { text: { contains: "ada" } })), "ada");
  assert.equal(await said(page, role("listitem", undefined, { nth: 1 })), "bob");
  assert.equal((await page.aim(role("listitem", undefined, { nth: 2 }))).kind, "not_found");
  assert.equal((await page.aim(role("button", "Edit", { within: role("list", "People") }))).answer, "aimed");
  assert.equal((await page.aim(role("button", "Edit", { within: role("list", "Peple") }))).message, 'no list "Peple"');
  assert.equal((await page.aim(text("x", { within: role("dialog", "A") }))).kind, "ambiguous");
  assert.deepEqual(await page.probe(text("y", { within: role("dialog", "A") }), [text("z", { within: role("dialog", "A") }), "hidden"]), [true, true], "a condition looks into all of them");
}));

test("the text of a query is matched as a whole, not as a part of a longer text", () => on(`
  <p data-is=1>Remove nada@x?</p><p data-is=2>Remove ada@x.org?</p><p data-is=3>Remove ada@x.</p><p data-is=4>Remove a-ada@x</p><p data-is=5>Remove Ada@x</p>`, async (page) => {
  assert.equal(await said(page, css("p", { text: { exact: "ada@x" } })), "3");
  assert.equal((await page.text(css("p", { text: { contains: "ada@x" } }))).kind, "ambiguous");
}));

test("alternatives: the first that resolves; if they must agree, one element", () => on(`
  <button data-testid=invite data-is=one>Invite</button><button data-testid=other data-is=two>Other</button><button>Twin</button><button>Twin</button>`, async (page) => {
  assert.equal(await said(page, [role("button", "Nope"), role("button", "Twin"), testId("other")]), "two");
  assert.equal((await page.aim({ any: [role("button", "Invite"), testId("invite"), role("button", "Nope")], agree: true })).answer, "aimed");
  const refused = await page.aim({ any: [role("button", "Invite"), testId("other")], agree: true });
  assert.equal(refused.kind, "disagree");
  assert.deepEqual(refused.candidates, ['button "Invite"', 'button "Other"']);
  assert.equal((await page.aim([role("button", "Nope"), role("button", "Twin")])).kind, "ambiguous", "two that match say more than none");
}));

test("test ids, placeholders, titles, selectors, XPath", () => on(`
  <p data-testid=a data-is=a>1</p><p data-test-id=b data-is=b>2</p><p data-test=c data-is=c>3</p><p data-cy="d&quot;d" data-is=d>4</p>
  <input placeholder="Type  here" data-is=e><span title="Tip" data-is=f>x</span>`, async (page) => {
  assert.deepEqual([await said(page, testId("a")), await said(page, testId("b")), await said(page, testId("c")), await said(page, testId('d"d'))], ["a", "b", "c", "d"]);
  assert.equal(await said(page, placeholder("Type here")), "e");
  assert.equal(await said(page, title({ contains: "ti" })), "f");
  assert.equal(await said(page, css("p:nth-of-type(2)")), "b");
  assert.equal(await said(page, xpath("//p[.='3']")), "c");
  for (const bad of [css("p["), xpath("//p["), css("p", { within: css("[") })]) assert.equal((await page.aim(bad, 5000)).kind, "bad_selector");
  assert.equal((await page.ask({ ask: "probe", conditions: [{ target: { any: [css("[")] } }] })).kind, "bad_selector");
}));

test("text: the innermost elements, through inline markup", () => on(`
  <div data-is=outer><p data-is=p>No <b>members</b> match</p></div><script>"No members match"</script><input type=submit value="Send it" data-is=send>
  <p data-is=hid>Part <span hidden>not</span> seen</p><div data-is=block><div>Two</div><div>lines</div></div>`, async (page) => {
  assert.equal(await said(page, text("No members match")), "p");
  assert.equal(await said(page, text({ contains: "MEMBERS MATCH" })), "p");
  assert.equal(await said(page, text({ glob: "No * match" })), "p");
  assert.equal(await said(page, text("Send it")), "send");
  assert.equal(await said(page, text("Part seen")), "hid");
  assert.equal(await said(page, text("Two lines")), "block");
}));

test("labels: every way to label a field", () => on(`
  <label for=a>Email *</label><input id=a data-is=a><label>Wrapped: <input data-is=b></label><input aria-label=Aria data-is=c>
  <span id=r>By reference</span><input aria-labelledby=r data-is=d><input placeholder=Placeheld data-is=e>
  <div contenteditable aria-label=Notes data-is=f>x</div><div role=switch aria-label=Dark data-is=g>x</div>
  <fieldset data-is=h><legend>Role</legend><label><input type=radio name=r>Admin</label></fieldset>
  <div role=group aria-label=Teams data-is=i><label><input type=checkbox>Blue</label></div>
  <label for=j>Shown</label><input id=j aria-label="For helpers" data-is=j>
  <fieldset><legend>Size</legend><div role=radiogroup aria-label=Size data-is=k><div role=radio>S</div></div></fieldset>
  <label>Hit <button>Hit</button></label><label style="display:block">Zip<span style="color:red"> (*)</span> <input data-is=l></label>`, async (page) => {
  const labels = ["Email", "Email *", "Wrapped", "Aria", "By reference", "Placeheld", "Notes", "Dark", "Role", "Teams", "Shown", "For helpers", "Size", "Zip"];
  const found = [];
  for (const name of labels) found.push(await said(page, label(name)));
  assert.deepEqual(found, ["a", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "j", "k", "l"]);
  assert.equal((await page.aim(label("Hit"))).kind, "not_found", "a button is no field");
  assert.deepEqual((await page.aim(label("E-mail"))).candidates.slice(0, 1), ['textbox "Email *"']);
}));

test("open shadow roots and slots are seen as one tree", () => on(`
  <x-card><button slot=foot>Slotted</button><label>Inner <input></label><p>Unslotted</p></x-card><x-outer></x-outer>
  <script>
    const card = document.querySelector("x-card").attachShadow({ mode: "open" });
    card.innerHTML = '<div role=dialog aria-label="Shadow dialog"><h2>Shadow title</h2><slot name=foot></slot></div><button>Deep</button>';
    const outer = document.querySelector("x-outer").attachShadow({ mode: "open" });
    outer.innerHTML = "<x-inner></x-inner>";
    outer.firstChild.attachShadow({ mode: "open" }).innerHTML = "<button data-testid=deep>Deeper <span>still</span></button>";
  </script>`, async (page) => {
  assert.deepEqual(await page.probe(
    role("button", "Deep"), role("button", "Deeper still"), role("heading", "Shadow title"), testId("deep"), text("Shadow title"), css("button[data-testid]"),
    role("button", "Slotted", { within: role("dialog", "Shadow dialog") }), role("button", "Deep", { within: role("dialog", "Shadow dialog") }),
    text("Unslotted"), label("Inner"), text("Slotted", { within: role("dialog", "Shadow dialog") }),
  ), [true, true, true, true, true, true, true, false, false, false, true]);
  assert.deepEqual(await page.click(role("button", "Deeper still")), { answer: "pressed", hit: true, heard: true, instead: null, other: null, changed: false });
}));

test("a modal dialog: what is in reach counts first, what is behind is covered", () => on(`
  <button>Save</button><button>Only behind</button><dialog aria-label="What's new"><button>Save</button></dialog>
  <script>document.querySelector("dialog").showModal()</script>`, async (page) => {
  assert.equal((await page.click(role("button", "Save"))).hit, true);
  const refused = await page.aim(role("button", "Only behind"));
  assert.equal(refused.kind, "covered");
  assert.equal(refused.message, 'covered by dialog "What\'s new"');
}));

test("a modal dialog made by ARIA: what is behind is hidden, and by what", () => on(`
  <div aria-hidden=true><button>Save</button></div><div role=dialog aria-modal=true aria-label="What's new">x</div>`, async (page) => {
  const refused = await page.aim(role("button", "Save"));
  assert.equal(refused.kind, "hidden");
  assert.equal(refused.message, 'button "Save" is on the page, but not visible: behind dialog "What\'s new"');
}));

test("states of conditions", () => on(`
  <button>Next</button><button disabled>Back</button><fieldset disabled><button>In set</button></fieldset><div aria-disabled=true><button>In aria</button></div>`, async (page) => {
  assert.deepEqual(await page.probe(
    [role("button", "Next"), "enabled"], [role("button", "Next"), "disabled"], [role("button", "Back"), "enabled"], [role("button", "Back"), "disabled"],
    [role("button", "In set"), "disabled"], [role("button", "In aria"), "disabled"], [role("button", "None"), "disabled"], [role("button", "None"), "hidden"],
    [role("button"), "enabled"],
  ), [true, false, false, true, true, true, false, true, true]);
}));

test("what is said of a record", () => on("<table aria-label=T><tr><th>Email<th>x<tr><td>ada@x<td><button>Edit</button></table>", async (page) => {
  const row = record(rows(role("table", "T")), header("Email"), "bob@x");
  assert.equal((await page.aim(role("button", "Edit", { within: row }))).message, 'no record "bob@x"');
  assert.equal((await page.aim(role("button", "Edt", { within: { any: [record(rows(role("table", "T")), header("Email"), "ada@x")] } }))).message, 'no button "Edt" in record "ada@x"');
}));

const FAR = { width: 600, height: 400 };

test("what can never come into sight is not there", () => on(`
  <label>Email <input id=real></label>
  <aside style="position: fixed; top: 0; left: 0; width: 300px; height: 100%; transform: translateX(-110%)"><label>Email <input></label><button>Menu</button></aside>
  <aside style="position: fixed; top: 100%; left: 0; width: 300px; height: 200px; overflow: auto"><button>Sheet</button></aside>
  <div style="position: absolute; left: -5000px"><label>Email <input tabindex=-1></label><p role=status>Saved</p><p>Unseen</p></div>
  <div style="height: 0; overflow: hidden"><button>Folded</button></div>
  <div style="width: 200px; height: 40px; overflow: clip"><button style="position: relative; top: 80px">Clipped</button></div>
  <div style="position: relative; height: 100px; overflow: auto"><button style="position: absolute; top: -90px">Above</button></div>`, async (page) => {
  assert.equal((await page.edit(label("Email"))).answer, "control");
  assert.equal(await page.main("document.activeElement.id"), "real");
  const gone = ["Menu", "Sheet", "Folded", "Above", "Clipped"].map((name) => role("button", name));
  assert.deepEqual(await page.probe(...gone, text("Unseen")), [false, false, false, false, false, false]);
  assert.deepEqual(await page.probe(role("status")), [true], "what is read out is heard");
  assert.equal((await page.aim(role("button", "Menu"))).kind, "hidden");
  await page.main("document.querySelector('aside').style.transform = ''");
  assert.deepEqual(await page.probe(role("button", "Menu")), [true]);
}, FAR));

test("what can be scrolled into sight is there", () => on(`
  <style>div { width: 300px; height: 60px } i { display: block; width: 2000px; height: 2000px }</style>
  <div style="overflow: auto"><i></i><button>Below</button></div>
  <div style="overflow: hidden"><i></i><button>Wheel</button></div>
  <div style="overflow: auto"><i></i><div style="overflow: auto"><i></i><button>Deep</button></div></div>
  <div style="overflow: auto; direction: rtl"><i><button style="position: relative; right: 1500px">Left</button></i></div>
  <div style="overflow: auto; display: flex; flex-direction: column-reverse"><p>Newest</p><i style="flex: none"></i><button>Oldest</button></div>
  <div style="position: fixed; right: 0; top: 0; overflow: auto"><i></i><button>Drawer</button></div>
  <div style="position: absolute; width: 0; height: 0"><div style="position: fixed; top: 40px; left: 40px"><button>Portal</button></div></div>
  <p style="position: absolute; left: 3000px">Right</p><i></i><footer>Footer</footer>`, async (page) => {
  const all = ["Below", "Wheel", "Deep", "Left", "Oldest", "Drawer", "Portal"].map((name) => role("button", name));
  assert.deepEqual(await page.probe(...all, text("Right"), text("Footer")), all.concat(1, 1).map(() => true));
  await page.main("scrollTo(0, 1e6); for (const box of document.querySelectorAll('div')) box.scrollTo(box.scrollWidth, box.scrollHeight)");
  assert.deepEqual(await page.probe(...all, text("Newest"), text("Footer")), all.concat(1, 1).map(() => true), "also when it is scrolled away from");
}, FAR));

test("a page from right to left is scrolled to the left", () => on(`<!doctype html><html dir=rtl><body style="margin: 0">
  <p style="position: absolute; left: -2000px">Left</p><p style="position: absolute; right: -2000px">Right</p>`, async (page) => {
  assert.deepEqual(await page.probe(text("Left"), text("Right")), [true, false]);
  await page.main("scrollTo(-2000, 0)");
  assert.deepEqual(await page.probe(text("Left"), text("Right")), [true, false]);
}, FAR));

test("of a drawn control and its original, which is cut to nothing, the drawn one is meant", () => on(`
  <label for=o>Role</label><select id=o style="position: absolute; clip: rect(0 0 0 0); width: 1px; height: 1px"><option>Viewer</select><span role=combobox aria-label=Role tabindex=0 id=drawn>Viewer</span>
  <label for=p>Team</label><select id=p style="position: absolute; clip-path: inset(50%)"><option>Red<option>Blue</select>`, async (page) => {
  assert.equal((await page.edit(label("Role"))).kind, "combobox");
  assert.equal((await page.edit(label("Team"))).kind, "select", "without another one, the original is");
}));
