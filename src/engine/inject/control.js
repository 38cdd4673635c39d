// Form controls: what kind, what they hold, editing them.

/** Controls by token. Held weakly: the page may throw them away. @type {Map<number, WeakRef<Element>>} */
const edited = new Map();

const FORMATTED = new Set(["date", "time", "datetime-local", "month", "week", "color", "range"]);
const UNTYPED = new Set(["hidden", "submit", "reset", "button", "image"]);

/** @returns {string | null} a `ControlKind`, or null for what is none */
function kindOf(element) {
  const role = roleOf(element);
  const tag = element.localName;
  if (tag === "select") return element.multiple ? "select_many" : "select";
  if (role === "switch") return "switch";
  if (role === "checkbox" || role === "menuitemcheckbox") return "checkbox";
  if (role === "radio" || role === "menuitemradio") return "radio";
  if (tag === "input") {
    if (element.type === "file") return "file";
    if (UNTYPED.has(element.type)) return null;
    if (FORMATTED.has(element.type)) return "formatted";
    if (element.type === "password") return "password";
    // With a native list of suggestions it is still typed into.
    return role === "combobox" && !element.hasAttribute("list") ? "combobox" : "text";
  }
  if (tag === "textarea") return "text";
  if (role === "combobox" || role === "listbox" || (tag === "button" && element.getAttribute("aria-haspopup") === "listbox")) return "combobox";
  if (element.isContentEditable) return "text";
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
  return collect(container, FIELDS).filter((field) => !isGroup(field) && kindOf(field) !== null && isVisible(field));
}

/** The control that is meant: itself, what a label is for, or the only one inside (a custom element around an input). */
function controlOf(element) {
  if (kindOf(element)) return element;
  if (element.localName === "label" && element.control) return element.control;
  const parts = partsOf(element);
  if (parts.length === 1) return parts[0];
  throw new Miss("not_editable", () => (parts.length ? `${describe(element)} holds ${parts.length} fields of different kinds` : `${describe(element)} cannot be filled`), () => parts.map(describe));
}

/** One attempt at editing. @throws {Miss} */
function edit(target) {
  const element = controlOf(one(target));
  const kind = kindOf(element);
  if (isDisabled(element)) throw new Miss("disabled", () => `${describe(element)} is disabled`);
  const typed = kind === "text" || kind === "password";
  if ((typed || kind === "formatted") && (element.readOnly || element.getAttribute("aria-readonly") === "true")) throw new Miss("not_editable", () => `${describe(element)} is read-only`);
  if (typed || (kind === "combobox" && element.localName === "input")) takeOver(element);
  forget();
  const token = nextToken();
  edited.set(token, new WeakRef(element));
  return control(element, token);
}

/** Focuses it and selects all that it holds. */
function takeOver(element) {
  element.focus();
  if (!element.matches(":focus, :focus-within")) throw new Miss("not_editable", () => `${describe(element)} does not take the focus`);
  if (element.select) element.select();
  else getSelection().selectAllChildren(element);
}

/** A control as it is now. */
function control(element, token) {
  const kind = kindOf(element);
  if (!kind) throw new Miss("not_editable", () => `${describe(element)} cannot be filled any more`);
  const told = { answer: "control", token, kind, element: describe(element), values: [], checked: null, length: 0, options: [], origin: globalThis.origin };
  switch (kind) {
    case "password":
      told.length = [...element.value].length;
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
      told.options = [...element.options].map(optionText);
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
      told.values = parts.filter(isOn).map(nameOf);
      break;
    }
    case "combobox":
      told.values = chosenTexts(element);
      told.options = listedOptions(element);
      told.length = element.localName === "input" ? [...element.value].length : 0;
      break;
  }
  return told;
}

const typedText = (element) => (typeof element.value === "string" ? element.value : element.innerText.replace(/\n$/, ""));

/** What an app's own combobox offers, as far as it is there. */
function listedOptions(element) {
  const id = (element.getAttribute("aria-controls") ?? element.getAttribute("aria-owns") ?? "").split(/\s+/)[0];
  const list = roleOf(element) === "listbox" ? element : id ? element.getRootNode().getElementById?.(id) ?? document.getElementById(id) : null;
  return list ? collect(list, roleSelector("option")).filter((option) => roleOf(option) === "option" && isVisible(option)).map(nameOf) : [];
}

function held(token) {
  const element = edited.get(token)?.deref();
  if (!element?.isConnected) throw new Miss("not_found", () => "the field is not on the page any more", undefined, true);
  return element;
}

/** Leaves the control and reads it. */
async function value(token) {
  const element = held(token);
  const before = control(element, token);
  const focused = deepFocus();
  if (focused && isWithin(element, focused)) {
    focused.blur();
    // What the page does on `change` and `blur` (trimming, formatting) is part of what will be sent.
    await new Promise((resolve) => setTimeout(resolve, 0));
    forget();
  }
  // A field that is taken away when left (editing in place) keeps its last word.
  return element.isConnected ? control(element, token) : before;
}

function deepFocus() {
  let focused = document.activeElement;
  while (focused?.shadowRoot?.activeElement) focused = focused.shadowRoot.activeElement;
  return focused;
}

/** Sets a native control that cannot be typed into. */
function set(token, values) {
  const element = held(token);
  const kind = kindOf(element);
  if (isDisabled(element)) throw new Miss("disabled", () => `${describe(element)} is disabled`);
  if (kind === "select" || kind === "select_many") choose(element, values);
  else if (kind === "formatted") setFormatted(element, values);
  else throw new Miss("not_editable", () => `${describe(element)} cannot be set, only used`);
  element.dispatchEvent(new Event("input", { bubbles: true, composed: true }));
  element.dispatchEvent(new Event("change", { bubbles: true, composed: true }));
  forget();
  return control(held(token), token);
}

function choose(select, values) {
  if (!select.multiple && values.length > 1) throw new Miss("not_editable", () => `${describe(select)} takes one option, not ${values.length}`);
  // Nothing to choose is the choice of nothing: the empty option.
  const wanted = !select.multiple && values.length === 0 ? [optionOf(select, "")] : values.map((text) => optionOf(select, text));
  if (select.multiple) for (const option of select.options) option.selected = wanted.includes(option);
  else wanted[0].selected = true;
}

function optionOf(select, text) {
  const wanted = fold(text);
  const options = [...select.options];
  let found = options.filter((option) => optionText(option) === wanted);
  if (found.length === 0) found = options.filter((option) => option.value === text);
  if (found.length === 0) throw new Miss("no_such_option", () => `${describe(select)} has no option ${quote(wanted)}`, () => nearestOptions(wanted, options));
  if (found.length > 1) throw new Miss("ambiguous", () => `${describe(select)} has ${found.length} options ${quote(wanted)}`, () => found.map((option) => `${quote(optionText(option))} (${option.value})`));
  if (found[0].matches(":disabled")) throw new Miss("disabled", () => `option ${quote(wanted)} of ${describe(select)} is disabled`);
  return found[0];
}

function nearestOptions(wanted, options) {
  const texts = options.map(optionText).filter(Boolean);
  return [...new Set([...nearest(wanted, texts, (text) => text), ...texts])].map((text) => quote(text));
}

function setFormatted(element, values) {
  const text = values[0] ?? "";
  const before = element.value;
  // The property as the browser defines it: what the page put in its place is not there in this world.
  element.value = text;
  const kept = element.type === "range" ? Number(element.value) === Number(text) : element.type === "color" ? element.value === text.toLowerCase() : element.value === text;
  const { rangeUnderflow, rangeOverflow, stepMismatch } = element.validity;
  if (kept && !rangeUnderflow && !rangeOverflow && !stepMismatch) return;
  element.value = before;
  throw new Miss("not_editable", () => `${describe(element)} does not take ${quote(text)}`);
}
