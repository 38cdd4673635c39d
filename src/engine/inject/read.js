// What people read: the text of elements and cells.

/** The folded text of an element without its hidden parts. */
function textOf(element) {
  let text = memo.texts.get(element);
  if (text === undefined) {
    text = fold(shownText(element, false));
    memo.texts.set(element, text);
  }
  return text;
}

/**
 * @param {boolean} values also the values of controls and the names of pictures
 * @param {(part: Element, before: string) => boolean} [isLeftOut] parts that are not read, by the text before them
 * @param {string} [before] the text before the element
 */
function shownText(element, values, isLeftOut, before = "") {
  if (isUnread(element)) return "";
  if (dom.localName(element) === "input") return values ? valueText(element) : BUTTON_TYPES.has(dom.type(element)) ? dom.value(element) : "";
  if (dom.localName(element) === "textarea") return values ? dom.value(element) : "";
  if (dom.localName(element) === "select") return values ? chosenTexts(element).join(", ") : "";
  if (values && isSwitchable(element)) return "";
  if (values && pictured(element)) return nameOf(element);
  let text = "";
  for (const child of childrenOf(element)) {
    if (isText(child)) text += child.data;
    else if (isElement(child)) {
      if (dom.localName(child) === "br") text += " ";
      else if (isExposed(child) && !isLeftOut?.(child, before + text)) {
        const part = shownText(child, values, isLeftOut, before + text);
        text += isInline(child) ? part : ` ${part} `;
      }
    }
  }
  return text;
}

const BUTTON_TYPES = new Set(["submit", "reset", "button"]);

const valueText = (input) => (dom.type(input) === "password" || dom.type(input) === "checkbox" || dom.type(input) === "radio" || dom.type(input) === "hidden" ? "" : dom.value(input));

/** An image, or an icon that only has a name. */
const pictured = (element) => roleOf(element) === "img" || (!roleOf(element) && dom.localName(element) !== "svg" && dom.childElementCount(element) === 0 && !dom.shadowRoot(element) && !fold(dom.textContent(element)) && dom.hasAttribute(element, "aria-label"));

/**
 * The content of a place of a record: text, values, names of pictures. Of boxes to tick: the state of the only one, or the
 * names of those that are ticked. Several values are separated by `BETWEEN`.
 * @param {boolean} [several] it may have several values: the texts of its parts are values
 */
function cellText(element, several) {
  if (isSwitchable(element)) return String(isOn(element));
  const text = fold(shownText(element, true, several ? isSign : isBeside)) || fold(shownText(element, true));
  const boxes = collect(element, BOXES).filter((box) => (isSwitchable(box) || isRole(box, "radio")) && (isVisible(box) || labelsOf(box).some(isVisible)));
  if (boxes.length && !beyondLabels(element, boxes, text)) {
    if (boxes.length === 1 && isSwitchable(boxes[0])) return String(isOn(boxes[0]));
    return boxes.filter(isOn).map(nameOf).filter(Boolean).join(BETWEEN);
  }
  if (!text) return iconText(element);
  return several ? valuesIn(element)?.join(BETWEEN) ?? text : text;
}

/** A button or link that is only a sign: to edit, copy or remove. Three dots may stand for what is not shown. */
function isSign(part) {
  if (!/^(?:button|link)$/.test(roleOf(part)) || !isAction(part)) return false;
  return !/[\p{L}\p{N}….⋯]/u.test(shownText(part, true));
}

/** Is it beside a text, and no part of it: a sign, or a button after the text? */
const isBeside = (part, before) => isSign(part) || (roleOf(part) === "button" && isAction(part) && /[\p{L}\p{N}]/u.test(before) && !MORE.test(fold(shownText(part, true))));

/** Does it only do something? What is pressed in, opened, or chosen from a list shows a value. */
const isAction = (part) => dom.localName(part) !== "summary" && !opensList(part) && !dom.hasAttribute(part, "aria-pressed");

/** What icons say where there is no text: the title of an element or of a drawing. The title of a field or cell is a hint. */
function iconText(element) {
  const isIcon = (icon) => (dom.localName(icon) === "svg" || dom.hasAttribute(icon, "title")) && !dom.matches(icon, FIELDS) && !isCell(icon) && isVisible(icon);
  const icons = [element, ...collect(element, "svg,[title]")].filter(isIcon);
  return fold(icons.filter((icon) => !icons.some((outer) => outer !== icon && isWithin(outer, icon))).map((icon) => dom.getAttribute(icon, "title") || nameOf(icon)).join(" "));
}

const BOXES = ["checkbox", "radio"].map(roleSelector).join(",");

/** Does a text say more than the labels of these boxes? */
function beyondLabels(element, boxes, text) {
  let rest = text;
  for (const box of boxes) for (const label of labelsOf(box)) if (isWithin(element, label)) rest = rest.replace(textOf(label), "");
  return fold(rest) !== "";
}

/** The texts of the parts that alone make up an element: chips, items of a list. Null: it is one text. @returns {string[] | null} */
function valuesIn(element) {
  const parts = [];
  for (const child of childrenOf(element)) {
    if (isText(child) && /[^\s,;|·]/u.test(fold(child.data))) return null;
    if (isElement(child) && dom.localName(child) !== "br" && isExposed(child) && !isSign(child) && fold(shownText(child, true, isSign))) parts.push(child);
  }
  if (parts.length === 1) return valuesIn(parts[0]);
  return parts.length ? parts.map((part) => fold(shownText(part, true, isSign))) : null;
}

const isSwitchable = (element) => isRole(element, "checkbox");

const isOn = (element) => (dom.localName(element) === "input" ? dom.checked(element) : dom.getAttribute(element, "aria-checked") === "true");

/** The text of a target; the text that the target looks for, if it is next to other elements. @param {string} [attribute] */
function readTarget(target, attribute) {
  const element = one(target);
  const text = readText(element, attribute);
  if (attribute) return text;
  for (const { by } of target.any) {
    const [kind, match] = variant(by);
    if (kind !== "text" || matcher(match)(text)) continue;
    const own = ownTexts(element).find(matcher(match));
    if (own) return own;
  }
  return text;
}

/** @param {object} [attribute] */
function readText(element, attribute) {
  if (attribute) {
    const typed = attribute === "value" && typeof dom.value(element) === "string" && dom.type(element) !== "password";
    const value = typed ? dom.value(element) : dom.type(element) === "password" && attribute === "value" ? "" : dom.getAttribute(element, attribute);
    if (value === null) throw new Miss("not_found", () => `${describe(element)} has no attribute ${quote(attribute)}`);
    return value;
  }
  return ["input", "textarea", "select"].includes(dom.localName(element)) ? fold(shownText(element, true)) : textOf(element);
}

/** What is on the page, for a person who does not see it. */
function pageFacts() {
  const seen = (selector) => collect(document, selector).filter(isVisible);
  const said = (texts, most) => [...new Set(texts.filter(Boolean).map((text) => clip(text, 160)))].slice(0, most);
  const roled = (...names) => seen(names.map(roleSelector).join(",")).filter((element) => names.some((name) => isRole(element, name)));
  const front = modal();
  const dialogs = roled("dialog").filter((dialog) => dialog !== front);
  if (front && isVisible(front)) dialogs.push(front);
  const fields = seen(FIELDS).filter((field) => dom.localName(field) !== "fieldset" && !/^(?:group|radiogroup)$/.test(roleOf(field)));
  return {
    url: location.href,
    title: dom.title(document),
    status: performance.getEntriesByType("navigation")[0]?.responseStatus ?? 0,
    headings: said(roled("heading").map(nameOf), 40),
    alerts: said([...roled("alert", "status"), ...complaints(seen)].map(textOf), 40),
    dialogs: dialogs.map((dialog) => clip(nameOf(dialog) || textOf(dialog))),
    controls: said(roled("button", "link", "tab", "menuitem").filter(nameOf).map(describe), 40),
    fields: said(fields.map((field) => nameOf(field)), 40),
    invalid: said(fields.filter(isCalledInvalid).map(sayInvalid), 10),
    tables: said(roled("table").map(describeTable), 40),
    text: ownWords(),
  };
}

/** How pages without roles mark what went wrong. */
const COMPLAINT = ["error", "alert", "danger", "warning", "invalid-feedback"].flatMap((word) => [`[class*="${word}" i]`, `[id*="${word}" i]`]).join(",");

/** Elements that are marked by their class or id. The innermost count, and short ones: a whole page is not a complaint. */
function complaints(seen) {
  const marked = seen(COMPLAINT).filter((element) => !dom.closest(element, "nav,a[href],button") && !dom.querySelector(element, COMPLAINT));
  return marked.filter((element) => textOf(element).length <= 200);
}

/** What the facts list by its kind. */
const LISTED = `nav,a[href],button,label,legend,table,select,textarea,h1,h2,h3,h4,h5,h6,output,${["navigation", "link", "button", "tab", "menuitem", "heading", "alert", "status", "table", "grid"].map((role) => `[role=${role}]`).join(",")}`;

/** The words of the page that are neither a control nor in a table. */
function ownWords() {
  const words = [];
  for (const element of collect(document, "body,body *")) {
    const own = fold([...dom.childNodes(element)].filter((node) => isText(node)).map((node) => node.data).join(" "));
    if (own && !dom.closest(element, LISTED) && isVisible(element)) words.push(own);
    if (words.join(" ").length > 400) break;
  }
  return clip(words.join(" "), 400);
}

/** Does the page, or the browser after an attempt to submit, call this field invalid? */
const isCalledInvalid = (field) => /^(?:true|grammar|spelling)$/.test(dom.getAttribute(field, "aria-invalid") ?? "") || (Boolean(dom.validity(field)) && dom.matches(field, ":user-invalid"));

function sayInvalid(field) {
  const told = dom.getAttribute(field, "aria-errormessage") ?? dom.getAttribute(field, "aria-describedby") ?? "";
  const words = told.split(/\s+/).map((id) => id && dom.getElementById(dom.getRootNode(field), id)).filter(Boolean).map(textOf);
  const why = words.filter(Boolean).join(" ") || dom.validationMessage(field) || "invalid";
  return `${nameOf(field) || describe(field)}: ${why}`;
}

function describeTable(table) {
  const headers = gridOf(table).headers.map((header) => header.text).filter(Boolean);
  return headers.length ? `${describe(table)} with ${headers.map((header) => quote(header, 40)).join(", ")}` : describe(table);
}

/** Does anything on the page, visible or not, contain one of these? Password fields do not count. */
function pageContains(needles) {
  // Without white space on both sides: a secret in groups, or split over elements, is found too.
  const squash = (text) => text.replace(/\s+/g, "").toLowerCase();
  const wanted = needles.map(squash).filter(Boolean);
  if (wanted.length === 0) return false;
  const holds = (text) => {
    const squashed = squash(text);
    return wanted.some((needle) => squashed.includes(needle));
  };
  for (const root of roots()) {
    const texts = dom.createTreeWalker(document, root, NodeFilter.SHOW_TEXT, (node) => (dom.parentElement(node) && /^(?:script|style|noscript)$/.test(dom.localName(dom.parentElement(node))) ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT));
    let whole = "";
    while (texts.nextNode()) whole += texts.currentNode.data;
    if (holds(whole)) return true;
    for (const element of dom.querySelectorAll(root, "*")) {
      const secret = dom.localName(element) === "input" && dom.type(element) === "password";
      if (!secret && typeof dom.value(element) === "string" && holds(dom.value(element))) return true;
      for (const { name, value } of dom.attributes(element)) if (!(secret && name === "value") && value && holds(value)) return true;
    }
  }
  return false;
}
