// Accessible names: W3C accname 1.2.

/** Roles that are named by their content. */
const NAMED_BY_CONTENT = new Set(
  "button cell checkbox columnheader gridcell heading link menuitem menuitemcheckbox menuitemradio option radio row rowheader switch tab tooltip treeitem".split(" "),
);

const TYPED = new Set(["textbox", "searchbox"]);
const CHOSEN = new Set(["combobox", "listbox"]);
const MEASURED = new Set(["slider", "spinbutton", "progressbar", "meter", "scrollbar"]);

/** Elements without text for people. */
const isUnread = (element) => /^(?:script|style|noscript|template|head|title)$/.test(element.localName) && element.namespaceURI === "http://www.w3.org/1999/xhtml";

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
  if (!match.exact || !NAMED_BY_CONTENT.has(roleOf(element)) || element.shadowRoot) return true;
  if (element.localName === "input" || element.hasAttribute("aria-label") || element.hasAttribute("aria-labelledby") || labelsOf(element).length) return true;
  return !saysOther(element, fold(match.exact));
}

/** Does it show a text that is not a part of this? */
function saysOther(element, wanted) {
  for (let node = element.firstChild; node; node = node.nextSibling) {
    if (node.nodeType === Node.TEXT_NODE) {
      if (!wanted.includes(fold(node.data))) return true;
    } else if (node.nodeType === Node.ELEMENT_NODE && PLAIN_TEXT.has(node.localName) && !TELLING.some((name) => node.hasAttribute(name)) && !node.shadowRoot && saysOther(node, wanted) && isExposed(node)) return true;
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
  const label = fold(element.getAttribute("aria-label") ?? "");
  if (label) return label;
  if (role !== "none" && role !== "presentation") {
    const native = nativeText(element, way);
    if (native !== null) return native;
  }
  if (way.inside || way.referenced || NAMED_BY_CONTENT.has(role)) {
    const text = contentText(element, way);
    if (fold(text)) return text;
  }
  return element.getAttribute("title") || (role && lastResort(element)) || "";
}

function referencedText(element) {
  const ids = element.getAttribute("aria-labelledby");
  if (!ids) return "";
  const root = element.getRootNode();
  const texts = [];
  for (const id of ids.split(/\s+/).filter(Boolean)) {
    const other = root.getElementById?.(id);
    // A fresh `seen`: an element may name itself together with others.
    if (other) texts.push(fold(alternative(other, { seen: new Set(), referenced: true, inside: false, hidden: !isExposed(other) })));
  }
  return texts.filter(Boolean).join(" ");
}

/** The value of a control inside a name. Null: it is not such a control. */
function embeddedValue(element, role) {
  if (TYPED.has(role)) return element.type === "password" ? "" : element.value ?? element.textContent;
  if (CHOSEN.has(role)) return chosenTexts(element).join(" ");
  if (MEASURED.has(role)) return element.getAttribute("aria-valuetext") ?? element.getAttribute("aria-valuenow") ?? String(element.value ?? "");
  return null;
}

/** The chosen options of a select, listbox or combobox. @returns {string[]} */
function chosenTexts(element) {
  if (element.localName === "select") return [...element.selectedOptions].map(optionText);
  if (element.localName === "input") return element.value ? [element.value] : [];
  const chosen = collect(element, "[role=option][aria-selected=true]").map(nameOf);
  return chosen.length || roleOf(element) === "listbox" ? chosen : [fold(element.textContent)].filter(Boolean);
}

const optionText = (option) => fold(option.label || option.textContent);

/** The name by the rules of HTML. Null: HTML has no rule for it. */
function nativeText(element, way) {
  switch (element.localName) {
    case "input":
      if (element.type === "submit" || element.type === "reset" || element.type === "button") {
        return labelText(element, way) || element.value || element.getAttribute("title") || { submit: "Submit", reset: "Reset", button: "" }[element.type];
      }
      if (element.type === "image") return labelText(element, way) || element.getAttribute("alt") || element.getAttribute("title") || "Submit";
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
      return element.getAttribute("alt") || null;
    case "fieldset":
      return partText(element, "legend", way);
    case "figure":
      return partText(element, "figcaption", way);
    case "table":
      return partText(element, "caption", way);
    case "svg":
      return partText(element, "title", way);
    case "optgroup":
      return element.label || null;
    case "option":
      return element.getAttribute("label") || null;
    default:
      // A form-associated custom element has labels like a field. Others have at least the labels that point at them.
      return element.localName.includes("-") ? labelText(element, way) || pointedText(element, way) : null;
  }
}

function labelText(element, way) {
  const texts = labelsOf(element).map((label) => fold(alternative(label, { ...way, inside: true })));
  return texts.filter(Boolean).join(" ") || null;
}

function pointedText(element, way) {
  if (!element.id) return null;
  const labels = [...element.getRootNode().querySelectorAll(`label[for="${CSS.escape(element.id)}"]`)];
  return labels.map((label) => fold(alternative(label, { ...way, inside: true }))).filter(Boolean).join(" ") || null;
}

function partText(element, part, way) {
  const found = [...element.children].find((child) => child.localName === part);
  if (!found) return null;
  // The title of an SVG drawing is never rendered, but it is its name.
  return (part === "title" ? found.textContent : alternative(found, { ...way, inside: true })) || null;
}

const lastResort = (element) => element.getAttribute("placeholder") || element.getAttribute("aria-placeholder") || "";

/** The content of an element as one text, with generated content. */
function contentText(element, way) {
  let text = generated(element, "::before");
  for (const child of childrenOf(element)) {
    if (child.nodeType === Node.TEXT_NODE) text += child.data;
    else if (child.nodeType === Node.ELEMENT_NODE) {
      const part = child.localName === "br" ? " " : alternative(child, { ...way, inside: true });
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
    .map(([, text, name]) => (name ? element.getAttribute(name) ?? "" : text.replace(/\\(.)/g, "$1"))).join("");
  const slash = content.match(/^((?:"(?:[^"\\]|\\.)*"|[^"/])*)\/(.*)$/s);
  const text = parts(slash ? slash[2] : content);
  return style.display === "inline" || !text ? text : ` ${text} `;
}
