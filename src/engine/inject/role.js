// Roles: WAI-ARIA 1.2, implicit ones as in HTML-AAM.

/** The elements that may have a role without `role=`. These are candidates only: `roleOf` decides. */
const NATIVE = {
  article: "article",
  banner: "header",
  blockquote: "blockquote",
  button: "button,summary,input[type=button i],input[type=submit i],input[type=reset i],input[type=image i]",
  caption: "caption",
  cell: "td,th",
  checkbox: "input[type=checkbox i]",
  code: "code",
  columnheader: "th",
  combobox: "select,input[list]",
  complementary: "aside",
  contentinfo: "footer",
  definition: "dd",
  dialog: "dialog",
  document: "html",
  figure: "figure",
  form: "form",
  gridcell: "td,th",
  group: "fieldset,details,optgroup,address,hgroup",
  heading: "h1,h2,h3,h4,h5,h6",
  img: "img,svg",
  link: "a[href],area[href]",
  list: "ul,ol,menu",
  listbox: "select,datalist",
  listitem: "li",
  main: "main",
  math: "math",
  meter: "meter",
  navigation: "nav",
  option: "option",
  paragraph: "p",
  progressbar: "progress",
  radio: "input[type=radio i]",
  region: "section",
  row: "tr",
  rowgroup: "tbody,thead,tfoot",
  rowheader: "th",
  search: "search",
  searchbox: "input[type=search i]",
  separator: "hr",
  slider: "input[type=range i]",
  spinbutton: "input[type=number i]",
  status: "output",
  table: "table",
  term: "dt,dfn",
  textbox: "textarea,input",
  time: "time",
};

/** A role also finds these kinds of it, which are the same to a person. */
const KINDS = {
  cell: ["gridcell"],
  checkbox: ["switch"],
  dialog: ["alertdialog"],
  grid: ["treegrid"],
  image: ["img"],
  menuitem: ["menuitemcheckbox", "menuitemradio"],
  none: ["presentation"],
  presentation: ["none"],
  table: ["grid", "treegrid"],
  textbox: ["searchbox"],
};

/** All roles that an author may write in `role=`. */
const KNOWN = new Set([
  ...Object.keys(NATIVE),
  ..."alert alertdialog application deletion directory emphasis feed generic grid image insertion log marquee menu menubar menuitem".split(" "),
  ..."menuitemcheckbox menuitemradio none note presentation radiogroup scrollbar strong subscript superscript switch tab".split(" "),
  ..."tablist tabpanel timer toolbar tooltip tree treegrid treeitem".split(" "),
]);

const INPUT_ROLES = {
  button: "button", submit: "button", reset: "button", image: "button", checkbox: "checkbox", radio: "radio",
  range: "slider", number: "spinbutton", search: "searchbox", email: "textbox", tel: "textbox", text: "textbox",
  url: "textbox", password: "textbox",
};

const PLAIN = {
  article: "article", aside: "complementary", blockquote: "blockquote", button: "button", caption: "caption", code: "code",
  datalist: "listbox", dd: "definition", del: "deletion", details: "group", dfn: "term", dialog: "dialog", dt: "term",
  em: "emphasis", fieldset: "group", figure: "figure", form: "form", h1: "heading", h2: "heading", h3: "heading",
  h4: "heading", h5: "heading", h6: "heading", hgroup: "group", address: "group", hr: "separator", html: "document",
  ins: "insertion", main: "main", math: "math", menu: "list", meter: "meter", nav: "navigation", ol: "list",
  optgroup: "group", option: "option", output: "status", p: "paragraph", progress: "progressbar", s: "deletion",
  search: "search", strong: "strong", sub: "subscript", summary: "button", sup: "superscript", svg: "img",
  table: "table", tbody: "rowgroup", textarea: "textbox", tfoot: "rowgroup", thead: "rowgroup", time: "time", ul: "list",
};

/** The selector of the candidates for a role. */
function roleSelector(role) {
  return [role, ...(KINDS[role] ?? [])]
    .map((one) => `[role~="${CSS.escape(one)}" i]${NATIVE[one] ? `,${NATIVE[one]}` : ""}`)
    .join(",");
}

const isRole = (element, role) => {
  const own = roleOf(element);
  return own === role || (KINDS[role]?.includes(own) ?? false);
};

/** @returns {string} the ARIA role; empty if the element has none */
function roleOf(element) {
  let role = memo.roles.get(element);
  if (role === undefined) {
    role = explicitRole(element) ?? implicitRole(element);
    memo.roles.set(element, role);
  }
  return role;
}

function explicitRole(element) {
  const said = dom.getAttribute(element, "role");
  if (!said) return null;
  const role = said.toLowerCase().split(/\s+/).find((one) => KNOWN.has(one));
  if (!role) return null;
  // An element that can be focused, or has more ARIA attributes, is not decoration.
  if ((role === "none" || role === "presentation") && isMeant(element)) return null;
  if (role === "image") return "img";
  // A region without a name is not a region.
  if (role === "region" && !hasName(element)) return null;
  return role;
}

const isMeant = (element) => dom.tabIndex(element) >= 0 || ["aria-label", "aria-labelledby", "aria-describedby", "aria-live", "aria-controls", "aria-owns"].some((name) => dom.hasAttribute(element, name));

/** Has its author named it? That is enough for roles that need a name. */
const hasName = (element) => ["aria-label", "aria-labelledby", "title"].some((name) => fold(dom.getAttribute(element, name) ?? "") !== "");

function implicitRole(element) {
  switch (dom.localName(element)) {
    case "a":
    case "area":
      return dom.hasAttribute(element, "href") ? "link" : "";
    case "header":
    case "footer":
      return around(element, (outer) => /^(?:article|aside|main|nav|section)$/.test(dom.localName(outer)) || /^(?:article|complementary|main|navigation|region)$/.test(dom.getAttribute(outer, "role") ?? ""))
        ? "" : dom.localName(element) === "header" ? "banner" : "contentinfo";
    case "section":
      return hasName(element) ? "region" : "";
    case "img":
      return dom.getAttribute(element, "alt") === "" && !hasName(element) ? "presentation" : "img";
    case "input":
      if (dom.hasAttribute(element, "list") && /^(?:text|search|tel|url|email)$/.test(dom.type(element))) return "combobox";
      return INPUT_ROLES[dom.type(element)] ?? "";
    case "select":
      return dom.multiple(element) || dom.size(element) > 1 ? "listbox" : "combobox";
    case "li":
      return parentOf(element) && roleOf(parentOf(element)) === "list" ? "listitem" : "";
    case "tr":
      return tableRole(element) ? "row" : "";
    case "tbody":
    case "thead":
    case "tfoot":
      return tableRole(element) ? "rowgroup" : "";
    case "td":
      return cellRole(element);
    case "th":
      return headerRole(element);
    default:
      return PLAIN[dom.localName(element)] ?? "";
  }
}

/** The role of the table of a part; empty for a table that is only layout. */
function tableRole(part) {
  const table = dom.closest(part, "table");
  const role = table ? roleOf(table) : "";
  return role === "table" || role === "grid" || role === "treegrid" ? role : "";
}

function cellRole(cell) {
  const role = tableRole(cell);
  return role === "" ? "" : role === "table" ? "cell" : "gridcell";
}

function headerRole(cell) {
  if (!tableRole(cell)) return "";
  const scope = dom.scope(cell);
  if (scope === "col" || scope === "colgroup") return "columnheader";
  if (scope === "row" || scope === "rowgroup") return "rowheader";
  const section = dom.closest(cell, "thead, tbody, tfoot");
  if (section && dom.localName(section) === "thead") return "columnheader";
  const row = dom.parentElement(cell);
  const data = row ? [...dom.children(row)].some((other) => dom.localName(other) === "td") : false;
  return data ? "rowheader" : "columnheader";
}
