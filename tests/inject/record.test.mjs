// Records: tables, grids, lists, cards; identities compared whole.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { cell, css, header, label, on, record, role, rows, testId, text } from "./page.mjs";

const view = (container, columns, each) => ({ rows: rows(container, each), columns: Object.entries(columns).map(([name, at]) => ({ name, at })) });
const T = role("table", "T");
const ada = (equals, ignoreCase) => record(rows(T), header("Email"), equals, ignoreCase);

test("identities are compared whole", () => on(`<table aria-label=T><tr><th>Email<tr><td>nada@x<tr><td>ada@x.org<tr><td>ADA@x<tr><td> ada@x <tr><td>Ada  Love<tr><td>dup@x<tr><td>dup@x</table>`, async (page) => {
  assert.equal((await page.text(ada("ada@x"))).text, "ada@x");
  assert.equal((await page.text(ada("Ada Love"))).text, "Ada Love");
  assert.equal((await page.text(ada("NADA@X"))).kind, "not_found");
  assert.equal((await page.text(ada("NADA@X", true))).text, "nada@x");
  assert.equal((await page.text(ada("ada@x", true))).kind, "ambiguous", "two that differ only in case");
  assert.equal((await page.text(ada("dup@x"))).kind, "ambiguous");
  const near = await page.text(ada("nadda@x"));
  assert.deepEqual([near.kind, near.message, near.candidates[0]], ["not_found", 'no record "nadda@x"', '"nada@x"']);
}));

test("who is who: the table of pairs, as the engine has it", () => on(`<table aria-label=T><thead><tr><th>Email<tbody><tr><td id=shown></table>`, async (page) => {
  const pairs = JSON.parse(readFileSync(new URL("same.json", import.meta.url), "utf8"));
  assert.ok(pairs.length >= 40);
  for (const { one, other, same, same_ignoring_case, why } of pairs) {
    await page.main(`document.getElementById("shown").textContent = ${JSON.stringify(one)}`);
    for (const [ignoreCase, wanted] of [[false, same], [true, same_ignoring_case]]) {
      const found = await page.text(ada(other, ignoreCase));
      assert.equal(found.answer === "text", wanted, `${why}, ${ignoreCase ? "ignoring case" : "with case"}`);
    }
  }
}));

test("a record by an element of it", () => on(`
  <ul aria-label=People><li><h3>Ada</h3><span class=mail>ada@x</span> <button>Edit</button></li><li><h3>Bob</h3><span class=mail>bob@x</span> <button>Edit</button><ul><li>nested</li></ul></li><li>No mail</li></ul>`, async (page) => {
  const people = role("list", "People");
  assert.equal((await page.aim(role("button", "Edit", { within: record(rows(people), cell(css(".mail")), "bob@x") }))).answer, "aimed");
  assert.deepEqual((await page.records(view(people, { mail: cell(css(".mail")), name: cell(role("heading")) }))).rows, [["ada@x", "Ada"], ["bob@x", "Bob"], [null, null]]);
}));

test("cards: each says what one record is", () => on(`
  <section data-testid=cards><article><b>Ada</b><i>ada@x</i></article><article><b>Bob</b><i>bob@x</i></article><article hidden><b>Eve</b></article></section>`, async (page) => {
  assert.deepEqual((await page.records(view(testId("cards"), { name: cell(css("b")) }, role("article")))).rows, [["Ada"], ["Bob"]]);
  assert.match((await page.records(view(testId("cards"), { name: cell(css("b")) }))).message, /not a table, a grid or a list/);
  const refused = await page.records(view(testId("cards"), { name: cell(css("b, i")) }, role("article")));
  assert.equal(refused.kind, "ambiguous");
}));

test("cells stand under their headers, through colspan and rowspan", () => on(`<table aria-label=T>
  <thead><tr><th rowspan=2>Email<th colspan=2>Name<th rowspan=2>Role</tr><tr><th>First<th>Last</tr></thead>
  <tbody><tr><td>ada@x<td>Ada<td>Love<td rowspan=2>Admin</tr><tr><td>bob@x<td colspan=2>Bob</tr><tr><th scope=row>eve@x<td>Eve<td>Hill<td>Member</tr></tbody>
  <tfoot><tr><td colspan=4>3 members</tfoot></table>`, async (page) => {
  assert.deepEqual((await page.records(view(T, { e: header("Email"), f: header("First"), l: header("Last"), n: header("Name"), r: header("Role") }))).rows, [
    ["ada@x", "Ada", "Love", "Ada", "Admin"], ["bob@x", "Bob", "Bob", "Bob", "Admin"], ["eve@x", "Eve", "Hill", "Eve", "Member"],
  ]);
}));

test("a cell over many rows is read in each, and makes no two of one", () => on(`<table aria-label=T><tr><th>Team<th>Email<th>Role
  <tr><td rowspan=3>Red<td>ada@x<td rowspan=2>Admin<tr><td>bob@x<tr><td>eve@x<td>Member<tr><td>Blue<td>kim@x<td>Member</table>`, async (page) => {
  assert.deepEqual((await page.records(view(T, { t: header("Team"), e: header("Email"), r: header("Role") }))).rows, [
    ["Red", "ada@x", "Admin"], ["Red", "bob@x", "Admin"], ["Red", "eve@x", "Member"], ["Blue", "kim@x", "Member"],
  ]);
  assert.equal((await page.text(record(rows(T), header("Team"), "Red"))).kind, "ambiguous");
  assert.equal((await page.text(ada("bob@x"))).text, "bob@x");
}));

test("a row that is one message is no record; a hidden row is none", () => on(`<table aria-label=T><tr><th>Email<th>Name<tr hidden><td>ada@x<td>Ada<tr><td colspan=2>No members match</table>`, async (page) => {
  assert.deepEqual((await page.records(view(T, { e: header("Email") }))).rows, []);
}));

test("tables in tables keep their rows and columns apart", () => on(`<table aria-label=T><tr><th>Email<th>Teams<tr><td>ada@x<td><table><tr><th>Email<tr><td>inner</table></table>`, async (page) => {
  assert.deepEqual((await page.records(view(T, { e: header("Email") }))).rows, [["ada@x"]]);
}));

test("grids of divs, and columns by aria-colindex where some are not rendered", () => on(`
  <div role=grid aria-label=T aria-colcount=9><div role=rowgroup><div role=row><div role=columnheader aria-colindex=1>Email</div><div role=columnheader aria-colindex=4>Role</div></div></div>
  <div role=rowgroup><div role=row><div role=gridcell aria-colindex=1>ada@x</div><div role=gridcell aria-colindex=3>?</div><div role=gridcell aria-colindex=4>Admin</div></div></div></div>`, async (page) => {
  assert.deepEqual((await page.records(view(T, { e: header("Email"), r: header("Role") }))).rows, [["ada@x", "Admin"]]);
}));

test("what a cell says", () => on(`<table aria-label=T><tr><th>C<tr><td>Two <b>words</b><span hidden>no</span><tr><td>One<br>Two<tr><td><div>A</div><div>B</div><tr><td><input type=checkbox checked>
  <tr><td><div role=switch aria-checked=false tabindex=0 aria-label=S>&nbsp;</div><tr><td><input value=typed><tr><td><img alt=Yes src=x width=9 height=9><tr><td><span role=img aria-label=Active>●</span>
  <tr><td><select><option>No<option selected>Chosen</select><tr><td><i class=icon aria-label=Suspended></i><tr><td><i aria-hidden=true>edit</i> Ada<tr><td><label><input type=checkbox> Agree</label><tr><td><input type=password value=secret><tr><td></table>`, async (page) => {
  assert.deepEqual((await page.records(view(T, { c: header("C") }))).rows.flat(), ["Two words", "One Two", "A B", "true", "false", "typed", "Yes", "Active", "Chosen", "Suspended", "Ada", "false", "", ""]);
}));

test("a button after a text is not a part of it", () => on(`<table aria-label=T><tr><th>C
  <tr><td><span>Ada Byron</span> <button aria-label="Edit name">✎</button><tr><td>ada@x <div><button>Copy</button></div><tr><td><button>★</button> Ada <a href=#>✎</a><tr><td>Invited <input type=submit value=Resend>
  <tr><td><button>Viewer ▾</button><tr><td><button>✎</button><tr><td><button>Ada</button> <span>Guest</span><tr><td>Ada <a href=#>Byron</a><tr><td>Role: <button aria-haspopup=listbox>Viewer</button>
  <tr><td>ada@acm <button>…</button><tr><td>Ada, Bob <button>+2 more</button><tr><td>Design <button aria-pressed=true>✓</button><tr><td>Teams <details><summary>Design</summary></details>
  <tr><td><label><input type=checkbox checked> Active</label> <button>Why?</button></table>`, async (page) => {
  assert.deepEqual((await page.records(view(T, { c: header("C") }))).rows.flat(), [
    "Ada Byron", "ada@x", "Ada", "Invited", "Viewer ▾", "✎", "Ada Guest", "Ada Byron", "Role: Viewer", "ada@acm …", "Ada, Bob +2 more", "Design ✓", "Teams Design", "true",
  ]);
  assert.equal((await page.text(record(rows(T), header("C"), "ada@x"))).answer, "text", "an identity with a button to copy it");
}));

test("of several values, the signs that remove or add one are no values", () => on(`<table aria-label=T><tr><th>C
  <tr><td><span>Sales <button aria-label="Remove Sales">×</button></span> <span>Ops <button>×</button></span> <button>+</button><tr><td><span><i>Sales</i><button>×</button></span>
  <tr><td>Sales, Ops <button>✎</button><tr><td><button>Sales</button> <button>Ops</button><tr><td><span>Sales</span> <button>Ops</button> <a href=#>×</a><tr><td><span>Sales</span> <button>+2</button><tr><td><span>Sales</span> <button>⋯</button></table>`, async (page) => {
  const several = { rows: rows(T), columns: [{ name: "c", at: header("C"), several: true }] };
  assert.deepEqual((await page.records(several)).rows.flat().map((text) => text?.split("\u001f") ?? text), [["Sales", "Ops"], ["Sales"], ["Sales, Ops"], ["Sales", "Ops"], ["Sales", "Ops"], null, ["Sales", "⋯"]]);
}));

test("a column that is not there, one that is there twice, one that is sorted", () => on(`<table aria-label=T><tr><th>Email ▲<th>Role<th>Role<th><button>Name<span aria-hidden=true>↓</span></button><tr><td>a<td>b<td>c<td>d</table>`, async (page) => {
  assert.deepEqual((await page.records(view(T, { e: header("Email"), n: header("Name"), g: header({ glob: "E*" }) }))).rows, [["a", "d", "a"]]);
  const none = await page.records(view(T, { e: header("E-mail") }));
  assert.deepEqual([none.kind, none.candidates], ["no_such_column", ['"Email ▲"', '"Role"', '"Role"', '"Name"']]);
  assert.equal((await page.records(view(T, { r: header("Role") }))).kind, "ambiguous");
  assert.equal((await page.text(record(rows(T), header("E-mail"), "a"))).kind, "no_such_column");
}));

test("the container is one, and is said when it is not there", () => on("<table aria-label=T><tr><th>E<tr><td>a</table><table aria-label=T><tr><th>E<tr><td>a</table>", async (page) => {
  assert.equal((await page.records(view(T, { e: header("E") }))).kind, "ambiguous");
  assert.equal((await page.records(view(role("table", "U"), { e: header("E") }))).kind, "not_found");
  assert.equal((await page.text(record(rows(T), header("E"), "a"))).kind, "ambiguous", "an identity of which table?");
  assert.deepEqual(await page.probe([record(rows(T), header("E"), "a"), "hidden"]), [false], "yet it is not absent");
}));

test("rows and cells in shadow roots", () => on(`<x-table></x-table><script>
  customElements.define("x-row", class extends HTMLElement { connectedCallback() { this.role = "row"; this.setAttribute("role", "row"); this.attachShadow({ mode: "open" }).innerHTML = "<slot></slot>" } });
  document.querySelector("x-table").attachShadow({ mode: "open" }).innerHTML = '<div role=grid aria-label=T><div role=row><span role=columnheader>Email</span></div><x-row><span role=gridcell>ada@x</span></x-row></div>'
</script>`, async (page) => {
  assert.deepEqual((await page.records(view(T, { e: header("Email") }))).rows, [["ada@x"]]);
  assert.equal((await page.aim(text("ada@x", { within: ada("ada@x") }))).answer, "aimed");
}));

test("a field in a record", () => on("<table aria-label=T><tr><th>Email<th>Role<tr><td>ada@x<td><select aria-label=Role><option>A</select><tr><td>bob@x<td><select aria-label=Role><option>B</select></table>", async (page) => {
  assert.deepEqual((await page.edit(label("Role", { within: ada("bob@x") }))).values, ["B"]);
}));

test("a list that is still loading is not an empty one", () => on(`
  <table aria-label=T aria-busy=true><thead><tr><th>Email<th>Name</thead><tbody id=b><tr><td><i></i><td><i></i></tr><tr aria-hidden=true><td><i></i><td><i></i></tr></tbody></table>`, async (page) => {
  const T2 = view(T, { e: header("Email") });
  const refused = await page.records(T2);
  assert.deepEqual([refused.kind, refused.message], ["not_found", 'table "T" is still loading: it shows no record and is marked aria-busy']);
  await page.main(() => { document.querySelector("#b tr td").textContent = "ada@x"; });
  assert.deepEqual((await page.records(T2)).rows[0], ["ada@x"], "old records of a list that loads again are records");
  await page.main(() => { document.querySelector("#b").replaceChildren(); document.querySelector("table").removeAttribute("aria-busy"); });
  assert.deepEqual((await page.records(T2)).rows, []);
}));

test("the record that has to be whole is waited for, and its hidden parts are named", () => on(`<ul aria-label=P><li><b>ada@x</b><li><b>bob@x</b></ul>
  <script>setTimeout(() => document.querySelector("li").insertAdjacentHTML("beforeend", "<i data-testid=groups>Design</i>"), 150)</script>`, async (page) => {
  const asked = (equals) => ({ ...view(role("list", "P"), { mail: cell(css("b")), group: cell(testId("groups")) }), whole: { column: 0, equals, ignore_case: false } });
  assert.deepEqual((await page.records(asked("ada@x"), 2000)).rows, [["ada@x", "Design"], ["bob@x", null]]);
  const refused = await page.records(asked("bob@x"));
  assert.deepEqual([refused.kind, refused.message], ["not_found", 'the record "bob@x" does not show `group`: no test id "groups"']);
}));

const some = (texts) => texts.map((text) => `<li><b>x</b><p>${text}</p></li>`).join("");
const team = { rows: rows(role("list", "P")), columns: [{ name: "t", at: cell(css("p")), several: true }] };

test("a list of values that is cut off is not read, in whatever way it says so", () => on(`<ul aria-label=P>${some([
  "Sales (+1)", "Sales [+12]", "Sales（+2）", "Sales & 2 more", "Sales &amp; +1", "Sales/+1", "Sales – +1", "Sales • +3", "Sales, +2 weitere", "Sales +2 de plus", "Sales, +2件", "Sales ＋3",
  "Sales und 2 weitere", "Sales et 3 autres", "+1", "(+1)", "Sales, +1, Add", "Sales (…)", "Sales, (+2 more)", "Sales (2 more)", "Sales, +٣",
  "<i>Sales</i> <i>+1</i> <i>Edit</i>", "<i>Sales</i> <i>(+1)</i>",
])}</ul>`, async (page) => {
  const read = await page.records(team);
  assert.deepEqual(read.rows.flat().filter((text) => text !== null), []);
}));

const WHOLE = ["C++ 3", "C++", "+4930123456", "Sales (3)", "A+", "Sales (+)", "Level 2", "Grade A+ 1", "C#+3", "Sales + Ops", "2 Ops", "Ops 24/7", "+"];

test("names with a plus or a number are whole values", () => on(`<ul aria-label=P>${some(WHOLE)}</ul>`, async (page) => {
  assert.deepEqual((await page.records(team)).rows.flat(), WHOLE);
}));

test("what the style draws counts, too: the number of values that are not shown", () => on(`<style>
  .more::after { content: "+" attr(data-n) } .plus::before { content: "+" } .dots::after { content: " …" } .add::after { content: "+" } .chip::before { content: "•" } .more.off::after { display: none }</style>
  <ul aria-label=P><li><b>a</b><p><i>Ops</i> <i class=more data-n=1></i></p><li><b>b</b><p>Ops <i class=plus>2</i></p><li><b>c</b><p class=dots>Ops</p>
  <li><b>d</b><p><i class=chip>Ops</i> <button class=add></button></p><li><b>e</b><p><i class=chip>Ops</i> <i class="more off" data-n=1></i></p></ul>`, async (page) => {
  assert.deepEqual((await page.records(team)).rows.flat(), [null, null, null, "Ops", "Ops"]);
  const each = { rows: team.rows, columns: [{ name: "t", at: { each: css("i:not(.more,.plus)") } }] };
  assert.deepEqual((await page.records(each)).rows.flat().slice(0, 2), [null, null]);
  assert.deepEqual((await page.records(each)).rows.flat().slice(3), ["Ops", "Ops"]);
}));
