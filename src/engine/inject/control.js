// Form controls: their kinds and values, and how to edit them.

/** The token of each control that was edited. @type {WeakMap<Element, number>} */
const tokens = new WeakMap();

/** A control has the same token as long as its document is there. */
function tokenOf(element, target) {
  const token = tokens.get(element) ?? nextToken();
  tokens.set(element, token);
  kept.set(token, { element: new WeakRef(element), target });
  return token;
}

/**
 * The field whose content the next input replaces. The page may have moved the cursor in the meantime.
 * @type {WeakRef<Element> | null}
 */
let replaced = null;

/** The text field of the last edit. @type {WeakRef<Element> | null} */
let lastTyped = null;

const FORMATTED = new Set(["date", "time", "datetime-local", "month", "week", "color", "range"]);
const UNTYPED = new Set(["hidden", "submit", "reset", "button", "image"]);

/** @returns {string | null} a `ControlKind`, or null if it is not a control */
function kindOf(element) {
  const role = roleOf(element);
  const tag = dom.localName(element);
  if (tag === "select") return dom.multiple(element) ? "select_many" : "select";
  if (role === "switch") return "switch";
  if (role === "checkbox" || role === "menuitemcheckbox") return "checkbox";
  if (role === "radio" || role === "menuitemradio") return "radio";
  if (tag === "input") {
    if (dom.type(element) === "file") return "file";
    if (UNTYPED.has(dom.type(element))) return null;
    if (FORMATTED.has(dom.type(element))) return "formatted";
    if (dom.type(element) === "password") return "password";
    // An input with a native list of suggestions is a text field.
    return (role === "combobox" && !dom.hasAttribute(element, "list")) || wrapperOf(element) || opensList(element) ? "combobox" : "text";
  }
  if (tag === "textarea") return role === "combobox" ? "combobox" : "text";
  if (role === "listbox") return "listbox";
  if (role === "combobox" || (tag === "button" && opensList(element))) return "combobox";
  if (dom.isContentEditable(element)) return "text";
  if (isGroup(element)) return groupKind(element);
  return null;
}

function groupKind(group) {
  const kinds = new Set(partsOf(group).map(kindOf));
  if (kinds.size === 0) return null;
  if ([...kinds].every((kind) => kind === "radio")) return "radio_group";
  if ([...kinds].every((kind) => kind === "checkbox" || kind === "switch")) return "checkbox_group";
  return null;
}

/** The visible controls in a container. */
function partsOf(container) {
  return collect(container, FIELDS).filter((field) => !isGroup(field) && kindOf(field) !== null && !wrapperOf(field) && isVisible(field));
}

/** The control of an element: itself, that of a label, or the only one inside (a custom element around an input). */
function controlOf(element) {
  if (kindOf(element)) return element;
  if (dom.localName(element) === "label" && dom.control(element)) return dom.control(element);
  const parts = partsOf(element);
  if (parts.length === 1) return parts[0];
  throw new Miss("not_editable", () => (parts.length ? `${describe(element)} contains ${parts.length} fields of different kinds` : `${describe(element)} cannot be filled`), () => parts.map(describe));
}

/** One attempt at editing. @throws {Miss} */
function edit(target) {
  const element = controlOf(one(target));
  const kind = kindOf(element);
  if (isDisabled(element)) throw new Miss("disabled", () => `${describe(element)} is disabled`);
  const typed = kind === "text" || kind === "password";
  if ((typed || kind === "formatted") && isReadOnly(element)) throw new Miss("not_editable", () => `${describe(element)} is read-only`);
  const line = typed ? element : kind === "combobox" ? lineOf(element) : null;
  if (line) takeOver(line);
  replaced = line && new WeakRef(line);
  lastTyped = typed ? new WeakRef(element) : null;
  forget();
  // The page may have put another record there when the control got the focus.
  if (attempt(() => controlOf(one(target))) !== element) throw new Miss("moving", () => `${sayTarget(target)} is now another element`);
  const token = tokenOf(element, target);
  stand();
  keyed = null;
  meant = line ? { token, element: line, target, typed, before: dom.value(element), came: false, instead: null } : null;
  return control(element, token);
}

/** Focuses it and selects its content. */
function takeOver(element) {
  dom.focus(element);
  if (!dom.matches(element, ":focus, :focus-within")) throw new Miss("not_editable", () => `${describe(element)} does not take the focus`);
  selectAll(element);
}

function selectAll(element) {
  if (/^(?:input|textarea)$/.test(dom.localName(element))) dom.select(element);
  else getSelection().selectAllChildren(element);
}

/** Right before the first input after an edit: the input replaces the whole content. */
function selectAgain(event) {
  const element = replaced?.deref();
  replaced = null;
  if (element && event.composedPath().includes(element)) selectAll(element);
}

/** The current state of a control. */
function control(element, token) {
  const kind = kindOf(element);
  if (!kind) throw new Miss("not_editable", () => `${describe(element)} cannot be filled any more`);
  const told = { answer: "control", token, kind, element: describe(element), values: [], checked: null, length: 0, options: [], heads: [], multiple: false, editable: false, origin: globalThis.origin };
  switch (kind) {
    case "password":
      told.length = [...dom.value(element)].length;
      break;
    case "text":
    case "formatted": {
      const text = typedText(element);
      told.length = [...text].length;
      if (text) told.values = [text];
      break;
    }
    case "select":
    case "select_many":
      told.values = chosenTexts(element);
      told.options = [...dom.options(element)].map(optionText);
      told.multiple = dom.multiple(element);
      break;
    case "checkbox":
    case "switch":
    case "radio":
      told.checked = isOn(element);
      told.values = told.checked ? [nameOf(element)] : [];
      break;
    case "radio_group":
    case "checkbox_group": {
      const parts = partsOf(element);
      told.options = parts.map(nameOf);
      told.heads = parts.map((part) => headOf(labelsOf(part)[0] ?? part));
      told.values = parts.filter(isOn).map(nameOf);
      told.multiple = kind === "checkbox_group";
      break;
    }
    case "file":
      told.values = [...dom.files(element)].map((file) => file.name);
      told.multiple = dom.multiple(element);
      break;
    case "listbox":
      Object.assign(told, listed(element));
      break;
    case "combobox": {
      const line = lineOf(element);
      const list = listOf(element);
      const open = list ? listed(list) : { options: [], values: [], multiple: false };
      const marked = dom.getAttribute(element, "aria-multiselectable") === "true";
      told.editable = line !== null;
      told.length = line ? [...typedText(line)].length : 0;
      told.options = open.options;
      told.multiple = open.multiple || marked;
      // One that can be typed into shows its value itself: its list marks only the position of the arrow keys.
      const byList = list && (told.multiple || (!line && open.values.length > 0));
      told.values = byList ? open.values : [line ? typedText(line) : bareHeader(shownIn(element))].filter(Boolean);
      break;
    }
  }
  return told;
}

const HEADING = "b,strong,h1,h2,h3,h4,h5,h6,[role=heading]";

/** How the text of an option begins: its heading, or its first line. */
function headOf(element) {
  let text = "";
  /** @returns {boolean} has the beginning ended? */
  const read = (part) => {
    for (const child of childrenOf(part)) {
      if (isText(child)) text += child.data;
      if (!isElement(child) || !isExposed(child) || isUnread(child)) continue;
      const isLine = dom.localName(child) === "br" || !isInline(child);
      const begun = fold(text) !== "";
      if (isLine && begun) return true;
      if (read(child)) return true;
      if (fold(text) && (isLine || (!begun && dom.matches(child, HEADING)))) return true;
    }
    return false;
  };
  read(element);
  return fold(text);
}

const typedText = (element) => (typeof dom.value(element) === "string" ? dom.value(element) : dom.innerText(element).replace(/\n$/, ""));

const isReadOnly = (element) => dom.readOnly(element) || dom.getAttribute(element, "aria-readonly") === "true";

// ---- comboboxes and lists of apps -----------------------------------------------------------------

const opensList = (element) => dom.getAttribute(element, "aria-haspopup") === "listbox";

/** The combobox around an input (in ARIA 1.1, the role is on a box around it). */
const wrapperOf = (element) => around(element, (outer) => roleOf(outer) === "combobox");

/** The input of a combobox: itself, or the one inside it. Null: it cannot be typed into. */
function lineOf(combobox) {
  const typed = (one) => (dom.localName(one) === "input" ? !UNTYPED.has(dom.type(one)) : dom.localName(one) === "textarea" || dom.isContentEditable(one));
  const line = typed(combobox) ? combobox : collect(combobox, "input,textarea").find((one) => typed(one) && isVisible(one));
  return line && !isReadOnly(line) ? line : null;
}

/** What a combobox without an input shows: the value of its read-only line, or its text. */
function shownIn(combobox) {
  if (dom.localName(combobox) === "input" || dom.localName(combobox) === "textarea") return dom.value(combobox);
  return textOf(combobox) || fold(shownText(combobox, true));
}

/** The visible list of a combobox: the one that it points at, else the only possible one. Null: it is closed. */
function listOf(combobox) {
  const line = lineOf(combobox);
  const parts = [combobox, line, wrapperOf(combobox)].filter(Boolean);
  for (const id of parts.flatMap(pointedIds)) {
    const pointed = byId(combobox, id);
    if (!pointed || !isVisible(pointed)) continue;
    // A box around the list, with a search input of its own or in a dialog.
    const list = isList(pointed) ? pointed : collect(pointed, roleSelector("listbox")).find((inner) => isList(inner) && isVisible(inner));
    if (list || collect(pointed, roleSelector("option")).length) return list ?? pointed;
  }
  const told = parts.map((part) => dom.getAttribute(part, "aria-expanded")).filter(Boolean);
  if (told.includes("false")) return null;
  // If it does not report whether it is open, a list with another name is not its list.
  const mayPop = (list) => told.length > 0 || nameOf(list) === "" || nameOf(list) === nameOf(combobox);
  const others = new Set(collect(document, COMBOS).filter((other) => !parts.includes(other)).flatMap((other) => pointedIds(other).map((id) => byId(other, id))));
  const free = collect(document, roleSelector("listbox")).filter((list) => isList(list) && isVisible(list) && !others.has(list) && mayPop(list));
  return free.length === 1 ? free[0] : null;
}

const isList = (element) => dom.localName(element) !== "select" && roleOf(element) === "listbox";

const COMBOS = "[role~=combobox i],[aria-haspopup=listbox]";

const pointedIds = (element) => ["aria-controls", "aria-owns"].flatMap((name) => (dom.getAttribute(element, name) ?? "").split(/\s+/)).filter(Boolean);

/** In the same tree, else in any tree: apps draw popups elsewhere. */
function byId(element, id) {
  for (const root of [dom.getRootNode(element), ...roots()]) {
    const found = dom.getElementById(root, id);
    if (found) return found;
  }
  return null;
}

/** The options of a list and the chosen ones, as far as they are drawn. */
function listed(list) {
  const options = collect(list, roleSelector("option")).filter((option) => roleOf(option) === "option" && isVisible(option));
  const chosen = (option) => dom.getAttribute(option, "aria-selected") === "true" || dom.getAttribute(option, "aria-checked") === "true";
  return { options: options.map(nameOf), values: options.filter(chosen).map(nameOf), multiple: dom.getAttribute(list, "aria-multiselectable") === "true" };
}

function held(token) {
  const element = kept.get(token)?.element.deref();
  if (!element || !dom.isConnected(element)) throw new Miss("not_found", () => "the field is not on the page any more", undefined, true);
  return element;
}

/**
 * Reads a control. @throws {Miss} if the typed text went, or would have gone, to another element
 * @param {boolean} [leave] leaves the control first
 */
async function value(token, leave) {
  const element = held(token);
  const text = meant?.token === token && meant.typed ? meant : null;
  meant = null;
  if (text && !text.came && !dom.matches(element, ":focus, :focus-within")) text.instead ??= describe(deepFocus() ?? dom.documentElement(document));
  if (text?.instead) throw new Miss("covered", () => `${text.instead} took the focus from ${describe(element)}`, undefined, true);
  const before = control(element, token);
  // Leaving it makes many pages save it: not for somebody else.
  if (text?.came && !isHeldTo({ element, target: kept.get(token).target }) && typeof dom.value(element) === "string") {
    element.value = text.before;
    throw new Miss("not_found", () => `${describeWhere(element)} is not ${sayTarget(kept.get(token).target)} any more`, undefined, true);
  }
  if (!leave || !leaveField(element)) return before;
  // What the page changes on `change` and `blur` (trimming, formatting) is a part of what it sends.
  await pause(0);
  forget();
  // A field that the page removes when it is left (editing in place) keeps its last value.
  return dom.isConnected(element) ? control(element, token) : before;
}

/** Leaves a control if it has the focus. */
function leaveField(element) {
  const focused = deepFocus();
  if (!focused || !isWithin(element, focused)) return false;
  dom.blur(focused);
  return true;
}

/** Leaves the field that was typed into last, if it still has the focus: what the page does then may be what a step needs. */
function leaveEdited() {
  const element = lastTyped?.deref();
  lastTyped = null;
  return element && dom.isConnected(element) ? leaveField(element) : false;
}

/** The controls that were edited in this document, as they are now. */
function review(fields) {
  return fields.map(({ token, target, text }) => {
    const known = kept.get(token)?.element;
    // Another document has no such token.
    if (!known) return null;
    const was = known.deref();
    const found = () => attempt(() => controlOf(one(target)));
    // A list may use the elements of a row again for another record: in a record, what is found there now is meant.
    const element = (recordsOf(target).length && found()) || (was && dom.isConnected(was) ? was : found());
    if (!element || !kindOf(element) || !isVisible(element)) return null;
    const now = control(element, tokenOf(element, target));
    if (text && now.kind === "text" && now.length === 0 && isChip(element, text)) now.values = [text];
    return now;
  });
}

/** Has the page made a chip of what was typed: does the text stand next to its empty field, where no other field is? */
function isChip(field, text) {
  const wanted = fold(text);
  const is = (element) => textOf(element) === wanted && isVisible(element) && !isWithin(element, field) && !isRole(element, "option") && !around(element, (outer) => isRole(outer, "option"));
  for (let at = parentOf(field); at && at !== dom.body(document) && collect(at, FIELDS).every((other) => other === field || isGroup(other)); at = parentOf(at)) {
    if (collect(at, "*").some(is)) return true;
  }
  return false;
}

/** What has the focus, through open shadow roots. @returns {Element | null} */
function deepFocus(root = document) {
  const focused = dom.activeElement(root);
  const inner = focused && dom.shadowRoot(focused);
  return (inner && deepFocus(inner)) ?? focused;
}

/**
 * Sets a native control that cannot be typed into: the one that is the target at this very moment. @throws {Miss} if the page puts
 * something else into it at once
 */
async function set(token, values) {
  const { target } = kept.get(token) ?? {};
  const known = held(token);
  const kind = kindOf(known);
  const element = target ? controlOf(one(target)) : known;
  if (kindOf(element) !== kind) throw new Miss("not_found", () => `${sayTarget(target)} is now another control`, undefined, true);
  kept.set(token, { element: new WeakRef(element), target });
  if (isDisabled(element)) throw new Miss("disabled", () => `${describe(element)} is disabled`);
  const before = control(element, token);
  let given;
  if (kind === "select" || kind === "select_many") given = choose(element, values);
  else if (kind === "formatted") given = setFormatted(element, values);
  else throw new Miss("not_editable", () => `${describe(element)} cannot be set: it must be clicked or typed into`);
  dom.dispatchEvent(element, new Event("input", { bubbles: true, composed: true }));
  if (!isHeldTo({ element, target })) throw new Miss("moving", () => `${describeWhere(element)} was ${sayTarget(target)} when it was set`, undefined, true);
  dom.dispatchEvent(element, new Event("change", { bubbles: true, composed: true }));
  await pause(0);
  forget();
  // The page has replaced it, or taken it away: it was set, and is not set again.
  if (!dom.isConnected(element)) return { ...before, values: given };
  const now = control(element, token);
  const shown = now.values.join(", ");
  if (shown !== given.join(", ")) throw new Miss("not_kept", () => `${now.element} was given ${quote(given.join(", "))} and shows ${quote(shown)}`, undefined, true);
  return now;
}

function choose(select, values) {
  if (!dom.multiple(select) && values.length > 1) throw new Miss("not_editable", () => `${describe(select)} accepts one option, not ${values.length}`);
  // Without a value, the empty option is chosen.
  const wanted = !dom.multiple(select) && values.length === 0 ? [optionOf(select, "")] : values.map((text) => optionOf(select, text));
  const texts = dom.multiple(select) ? [...dom.options(select)].filter((option) => wanted.includes(option)).map(optionText) : wanted.map(optionText);
  if (dom.multiple(select)) for (const option of dom.options(select)) option.selected = wanted.includes(option);
  else wanted[0].selected = true;
  return texts;
}

function optionOf(select, text) {
  const wanted = fold(text);
  const options = [...dom.options(select)];
  let found = options.filter((option) => optionText(option) === wanted);
  if (found.length === 0) found = options.filter((option) => dom.value(option) === text);
  if (found.length === 0) throw new Miss("no_such_option", () => `${describe(select)} has no option ${quote(wanted)}`, () => nearestOptions(wanted, options));
  if (found.length > 1) throw new Miss("ambiguous", () => `${describe(select)} has ${found.length} options ${quote(wanted)}`, () => found.map((option) => `${quote(optionText(option))} (${dom.value(option)})`));
  if (dom.matches(found[0], ":disabled")) throw new Miss("disabled", () => `option ${quote(wanted)} of ${describe(select)} is disabled`);
  return found[0];
}

function nearestOptions(wanted, options) {
  const texts = options.map(optionText).filter(Boolean);
  return [...new Set([...nearest(wanted, texts, (text) => text), ...texts])].map((text) => quote(text));
}

function setFormatted(element, values) {
  const text = values[0] ?? "";
  const before = dom.value(element);
  // The property of the browser: a replacement by the page does not exist in this world.
  element.value = text;
  const kept = dom.type(element) === "range" ? Number(dom.value(element)) === Number(text) : dom.type(element) === "color" ? dom.value(element) === text.toLowerCase() : dom.value(element) === text;
  const { rangeUnderflow, rangeOverflow, stepMismatch } = dom.validity(element);
  if (kept && !rangeUnderflow && !rangeOverflow && !stepMismatch) return dom.value(element) ? [dom.value(element)] : [];
  element.value = before;
  throw new Miss("not_editable", () => `${describe(element)} does not accept ${quote(text)}`);
}
