// Accessible names: W3C accname 1.2.

/** Roles that are named by their content. */
const NAMED_BY_CONTENT = new Set(
  "button cell checkbox columnheader gridcell heading link menuitem menuitemcheckbox menuitemradio option radio row rowheader switch tab tooltip treeitem".split(" "),
);

const TYPED = new Set(["textbox", "searchbox"]);
const CHOSEN = new Set(["combobox", "listbox"]);
const MEASURED = new Set(["slider", "spinbutton", "progressbar", "meter", "scrollbar"]);

/** Elements without text for people. */
const isUnread = (element) => /^(?:script|style|noscript|template|head|title)$/.test(dom.localName(element)) && dom.namespaceURI(element) === "http://www.w3.org/1999/xhtml";

/** @returns {string} the accessible name, folded */
function nameOf(element) {
  let name = memo.names.get(element);
  if (name === undefined) {
    name = fold(alternative(element, { seen: new Set(), referenced: false, inside: false, hidden: !isExposed(element) }));
    memo.names.set(element, name);
  }
  return name;
}

/** False only for an element that certainly has another name: it has a text that is not a part of the name. This skips most of a big page. */
function mayBeCalled(element, match) {
  if (!match.exact || !NAMED_BY_CONTENT.has(roleOf(element)) || dom.shadowRoot(element)) return true;
  if (dom.localName(element) === "input" || dom.hasAttribute(element, "aria-label") || dom.hasAttribute(element, "aria-labelledby") || labelsOf(element).length) return true;
  return !saysOther(element, fold(match.exact));
}

/** Does it show a text that is not a part of this? */
function saysOther(element, wanted) {
  for (let node = dom.firstChild(element); node; node = dom.nextSibling(node)) {
    if (isText(node)) {
      if (!wanted.includes(fold(node.data))) return true;
    } else if (isElement(node) && PLAIN_TEXT.has(dom.localName(node)) && !TELLING.some((name) => dom.hasAttribute(node, name)) && !dom.shadowRoot(node) && saysOther(node, wanted) && isExposed(node)) return true;
  }
  return false;
}

/** Elements that add only their text to a name, unless they have one of the attributes below. */
const PLAIN_TEXT = new Set(["span", "div", "b", "i", "strong", "em", "p", "small", "u"]);
const TELLING = ["role", "aria-label", "aria-labelledby"];

/**
 * The text alternative of one element on the way to a name.
 * @param {{seen: Set<Element>, referenced: boolean, inside: boolean, hidden: boolean}} way `referenced`: reached by
 *   aria-labelledby (not followed twice); `inside`: a part of the element to name; `hidden`: hidden parts count, because
 *   the whole is hidden
 */
function alternative(element, way) {
  if (way.seen.has(element) || isUnread(element)) return "";
  if (way.inside && !way.hidden && !isExposed(element)) return "";
  way.seen.add(element);
  if (!way.referenced) {
    const text = referencedText(element);
    if (text) return text;
  }
  const role = roleOf(element);
  if (way.inside) {
    const value = embeddedValue(element, role);
    if (value !== null) return value;
  }
  const label = fold(dom.getAttribute(element, "aria-label") ?? "");
  if (label) return label;
  if (role !== "none" && role !== "presentation") {
    const native = nativeText(element, way);
    if (native !== null) return native;
  }
  if (way.inside || way.referenced || NAMED_BY_CONTENT.has(role)) {
    const text = contentText(element, way);
    if (fold(text)) return text;
  }
  return dom.getAttribute(element, "title") || (role && lastResort(element)) || "";
}

function referencedText(element) {
  const ids = dom.getAttribute(element, "aria-labelledby");
  if (!ids) return "";
  const root = dom.getRootNode(element);
  const texts = [];
  for (const id of ids.split(/\s+/).filter(Boolean)) {
    const other = dom.getElementById(root, id);
    // A fresh `seen`: an element may name itself together with others.
    if (other) texts.push(fold(alternative(other, { seen: new Set(), referenced: true, inside: false, hidden: !isExposed(other) })));
  }
  return texts.filter(Boolean).join(" ");
}

/** The value of a control inside a name. Null: it is not such a control. */
function embeddedValue(element, role) {
  if (TYPED.has(role)) return dom.type(element) === "password" ? "" : dom.value(element) ?? dom.textContent(element);
  if (CHOSEN.has(role)) return chosenTexts(element).join(" ");
  if (MEASURED.has(role)) return dom.getAttribute(element, "aria-valuetext") ?? dom.getAttribute(element, "aria-valuenow") ?? String(dom.value(element) ?? "");
  return null;
}

/** The chosen options of a select, listbox or combobox. @returns {string[]} */
function chosenTexts(element) {
  if (dom.localName(element) === "select") return [...dom.selectedOptions(element)].map(optionText);
  if (dom.localName(element) === "input") return dom.value(element) ? [dom.value(element)] : [];
  const chosen = collect(element, "[role=option][aria-selected=true]").map(nameOf);
  return chosen.length || roleOf(element) === "listbox" ? chosen : [fold(dom.textContent(element))].filter(Boolean);
}

const optionText = (option) => fold(dom.label(option) || dom.textContent(option));

/** The name by the rules of HTML. Null: HTML has no rule for it. */
function nativeText(element, way) {
  switch (dom.localName(element)) {
    case "input":
      if (dom.type(element) === "submit" || dom.type(element) === "reset" || dom.type(element) === "button") {
        return labelText(element, way) || dom.value(element) || dom.getAttribute(element, "title") || { submit: "Submit", reset: "Reset", button: "" }[dom.type(element)];
      }
      if (dom.type(element) === "image") return labelText(element, way) || dom.getAttribute(element, "alt") || dom.getAttribute(element, "title") || "Submit";
      return labelText(element, way);
    case "button":
    case "meter":
    case "output":
    case "progress":
    case "select":
    case "textarea":
      return labelText(element, way);
    case "img":
    case "area":
      return dom.getAttribute(element, "alt") || null;
    case "fieldset":
      return partText(element, "legend", way);
    case "figure":
      return partText(element, "figcaption", way);
    case "table":
      return partText(element, "caption", way);
    case "svg":
      return partText(element, "title", way);
    case "optgroup":
      return dom.label(element) || null;
    case "option":
      return dom.getAttribute(element, "label") || null;
    default:
      // A form-associated custom element has labels like a field. Others have at least the labels that point at them.
      return dom.localName(element).includes("-") ? labelText(element, way) || pointedText(element, way) : null;
  }
}

function labelText(element, way) {
  const texts = labelsOf(element).map((label) => fold(alternative(label, { ...way, inside: true })));
  return texts.filter(Boolean).join(" ") || null;
}

function pointedText(element, way) {
  if (!dom.id(element)) return null;
  const labels = [...dom.querySelectorAll(dom.getRootNode(element), `label[for="${CSS.escape(dom.id(element))}"]`)];
  return labels.map((label) => fold(alternative(label, { ...way, inside: true }))).filter(Boolean).join(" ") || null;
}

function partText(element, part, way) {
  const found = [...dom.children(element)].find((child) => dom.localName(child) === part);
  if (!found) return null;
  // The title of an SVG drawing is never rendered, but it is its name.
  return (part === "title" ? dom.textContent(found) : alternative(found, { ...way, inside: true })) || null;
}

const lastResort = (element) => dom.getAttribute(element, "placeholder") || dom.getAttribute(element, "aria-placeholder") || "";

/** The content of an element as one text, with generated content. */
function contentText(element, way) {
  let text = generated(element, "::before");
  for (const child of childrenOf(element)) {
    if (isText(child)) text += child.data;
    else if (isElement(child)) {
      const part = dom.localName(child) === "br" ? " " : alternative(child, { ...way, inside: true });
      if (part) text += isInline(child) ? part : ` ${part} `;
    }
  }
  return text + generated(element, "::after");
}

function isInline(element) {
  const { display } = getComputedStyle(element);
  return display === "inline" || display === "contents";
}

/** The text of a pseudo-element: its alternative text, if the style has one. */
function generated(element, which) {
  const style = getComputedStyle(element, which);
  const { content } = style;
  if (content === "none" || content === "normal" || !content) return "";
  if (style.display === "none" || style.visibility !== "visible") return "";
  const parts = (source) => [...source.matchAll(/"((?:[^"\\]|\\.)*)"|attr\(\s*([\w-]+)/g)]
    .map(([, text, name]) => (name ? dom.getAttribute(element, name) ?? "" : text.replace(/\\(.)/g, "$1"))).join("");
  const slash = content.match(/^((?:"(?:[^"\\]|\\.)*"|[^"/])*)\/(.*)$/s);
  const text = parts(slash ? slash[2] : content);
  return style.display === "inline" || !text ? text : ` ${text} `;
}
