// Roles and names against Chromium's own accessibility tree.
import assert from "node:assert/strict";
import { test } from "node:test";
import { open } from "./page.mjs";

const CASES = `
<button id=b1>Save</button>
<button id=b2>  Save <b>all</b>
  changes </button>
<button id=b3 aria-label="Close dialog">×</button>
<button id=b4 title="Tip"></button>
<button id=b5 title="Tip">Text</button>
<button id=b6><img alt="Search" src=x></button>
<button id=b7><svg width=9 height=9><title>Gear</title></svg></button>
<button id=b8><span aria-hidden=true>edit</span> Edit</button>
<button id=b9><span style="display:none">no</span>Yes</button>
<style>#b10::before{content:"→ "} #b10::after{content:"!"} #b11::before{content:"★" / "star"} #b11b::before{content:"x";display:block}</style>
<button id=b10>Next</button>
<button id=b11>Rate</button>
<button id=b11b>Block</button>
<button id=b12><div>One</div><div>Two</div></button>
<button id=b13>One<br>Two</button>
<button id=b14><span>One</span><span>Two</span></button>
<button id=b15><span style="display:inline-block">One</span><span style="display:inline-block">Two</span></button>
<span id=ref1>Remove</span><span id=ref2 hidden>Ada</span>
<button id=b16 aria-labelledby="ref1 ref2">x</button>
<button id=b17 aria-labelledby="b17 ref2" aria-label="Delete">x</button>
<input id=i1 type=submit><input id=i2 type=reset><input id=i3 type=button value=Go><input id=i4 type=image alt=Send>
<input id=i5 type=submit value="Log in">
<label for=t1>Email</label><input id=t1>
<label>Name <input id=t2></label>
<label>Flash <input id=t3 type=number value=3> times <input id=t4 type=checkbox></label>
<input id=t5 placeholder="Type here">
<input id=t6 placeholder="Type here" title="Titled">
<input id=t7 type=search aria-label="Find"><input id=t8 type=password aria-label="Secret"><input id=t9 type=email aria-label=Mail>
<textarea id=t10 aria-label=Notes></textarea>
<label id=l1 for=t11>Hidden label</label><input id=t11><style>#l1{display:none}</style>
<label for=t12>A</label><label for=t12>B</label><input id=t12>
<label>Choice <select id=s1><option id=o1>One<option id=o2 label="Two!">2</select></label>
<select id=s2 multiple aria-label=Many><option id=o3>X</select><select id=s3 size=3 aria-label=Sized><option>Y</select>
<label><input id=c1 type=checkbox> Agree to <a href=#>terms</a></label>
<label><input id=r1 type=radio name=q> Yes</label>
<div id=sw role=switch aria-checked=true tabindex=0>Dark mode</div>
<input id=sw2 type=checkbox role=switch aria-label="Wifi">
<fieldset id=f1><legend>Role</legend><input aria-label=x></fieldset>
<div id=g1 role=radiogroup aria-label=Size><div role=radio id=r2 aria-checked=false tabindex=0>Small</div></div>
<a id=a1 href=#>Link <i>text</i></a><a id=a2>No link</a>
<h1 id=h1>Title</h1><h3 id=h3 aria-label=Other>Title</h3><div id=h4 role=heading aria-level=2>Div</div>
<img id=im1 alt=Logo src=x><img id=im2 src=x title=Titled><div id=im3 role=img aria-label=Star></div>
<nav id=n1 aria-label=Main>x</nav><main id=m1>x</main><section id=se1 aria-label=Part>x</section><section id=se2>x</section>
<form id=fo1 aria-label=Login>x</form><aside id=as1>x</aside><article id=ar1>x</article>
<header id=hd>x</header><footer id=ft>x</footer>
<ul id=ul1><li id=li1>Item</li></ul><ol id=ol1><li>1</li></ol>
<table id=tb1><caption>Members</caption><thead><tr id=tr1><th id=th1>Email<th id=th2 scope=col>Name</tr></thead><tbody><tr id=tr2><th id=th3>ada<td id=td1>Ada</tr></tbody></table>
<table id=tb2 role=grid aria-label=Grid><tr><th>x</th></tr><tr><td id=td2>y</td></tr></table>
<table id=tb3 role=presentation><tr id=tr3><td id=td3>z</td></tr></table>
<figure id=fi1><figcaption>Chart</figcaption><p>x</figure>
<div id=d1 role=dialog aria-labelledby=dh><h2 id=dh>Edit member</h2></div>
<div id=d2 role=alertdialog aria-label=Sure>x</div>
<div id=al role=alert>Failed</div><div id=st role=status>Saved</div><output id=ou>42</output>
<div role=tablist><div id=ta role=tab>First</div></div>
<div role=menu aria-label=M><div id=mi role=menuitem>Remove</div><div id=mc role=menuitemcheckbox aria-checked=true>Bold</div></div>
<div role=listbox aria-label=L><div id=op role=option>Opt</div></div>
<input id=ra type=range aria-label=Vol><progress id=pr aria-label=Load value=.5></progress><meter id=me aria-label=Disk value=.5></meter>
<details id=de open><summary id=su>More</summary>x</details>
<input id=cb list=dl aria-label=Combo><datalist id=dl><option>q</datalist>
<div id=cb2 role=combobox aria-label=Pick tabindex=0>Chosen</div>
<div id=ce contenteditable role=textbox aria-label=Editor>txt</div>
<hr id=hr><p id=pa>para</p>
<button id=no1 role=none>Still a button</button><button id=no2 role="bogus link">Second</button>
<x-box id=xb></x-box>
<div id=tip role=tooltip>Tooltip text</div>
<button id=sl></button>
<label>Amount <input id=e1 value=10> in <select id=e2><option>EUR<option selected>USD</select> <input id=e3 type=checkbox></label>
<button id=up style="text-transform:uppercase">upper</button>
<input id=da type=date aria-label=Born><input id=fl type=file aria-label=Photo><input id=co type=color aria-label=Tint>
<button id=nb>Not&nbsp;breaking</button>
<button id=nest><h2 id=nh>Inside</h2></button>
<div id=spb role=spinbutton aria-label=Count aria-valuenow=3 tabindex=0></div>
`;

/** Where this script and Chromium part ways on purpose: id → why. */
const DIFFERENCES = {
  b11: "Chromium sets the alternative text of generated content apart",
  fi1: "a figure is named by its figcaption (HTML-AAM)",
  fl: "a file input has no ARIA role; Chromium says button",
  up: "the text as authored, not as `text-transform` paints it",
  tr1: "a row is named by its cells (accname 1.2), Chromium leaves it unnamed",
  tr2: "a row is named by its cells (accname 1.2), Chromium leaves it unnamed",
};

/** Chromium's words for the same role. */
const SPELLING = { DisclosureTriangle: "button", image: "img", SvgRoot: "img", ColorWell: "", Date: "", none: "", generic: "", FigureCaption: "caption", LayoutTable: "table", sectionheader: "", sectionfooter: "", RootWebArea: "document" };

test("roles and names are those of Chromium, but for the listed differences", async () => {
  const page = await open(CASES);
  await page.main(`(() => {
    const root = document.getElementById("xb").attachShadow({ mode: "open" });
    root.innerHTML = "<button id=inner><slot></slot>Shadow</button>";
  })()`);
  await page.cdp.send("DOM.getDocument", { depth: 0 });
  const ids = await page.main("[...document.querySelectorAll('[id]')].map((element) => element.id)");
  const own = Object.fromEntries(await page.run(`${JSON.stringify(ids)}.map((id) => [id, __look(id)])`));
  const differing = {};
  for (const id of ids) {
    const { result } = await page.cdp.send("Runtime.evaluate", { expression: `document.getElementById(${JSON.stringify(id)})` });
    const { nodes } = await page.cdp.send("Accessibility.getPartialAXTree", { objectId: result.objectId, fetchRelatives: false });
    const node = nodes[0];
    if (node.ignored) continue;
    const raw = node.role?.value ?? "";
    const theirs = { role: SPELLING[raw] ?? raw, name: (node.name?.value ?? "").replace(/\s+/g, " ").trim() };
    if (JSON.stringify(theirs) !== JSON.stringify(own[id])) differing[id] = [theirs, own[id]];
  }
  for (const [id, pair] of Object.entries(differing)) if (!(id in DIFFERENCES)) console.error(id, JSON.stringify(pair));
  assert.ok(ids.length >= 60);
  assert.deepEqual(Object.keys(differing).sort(), Object.keys(DIFFERENCES).sort());
  await page.close();
});
