// Keys and text: they go to the element that they are meant for, or nowhere.

const nowhere = () => ({ token: null, element: null, target: null, came: false, instead: null });

/**
 * The target of the next text. In a document that was not asked anything: nowhere. Null: whatever has the
 * focus. @type {{token: number | null, element: Element | null, target: object | null, came: boolean, instead: string | null} | null}
 */
let meant = nowhere();

/** What the next key is meant for, like `aimed`. `button`: what Enter may press. */
let keyed = null;

stand();

/** Is the element still what it was when it was found? */
function isHeldTo({ element, target }) {
  if (!target) return true;
  forget();
  const now = attempt(() => one(target));
  return now !== undefined && (now === element || attempt(() => controlOf(now)) === element || isWithin(now, element));
}

/** The edited element may be a part of what the browser edits. */
const isIn = (element, path) => path[0] === element || (element !== dom.body(document) && path.includes(element)) || (element !== null && dom.isContentEditable(element) && isElement(path[0]) && isWithin(path[0], element));

/** Text goes to the focused element: a secret must not go into a field that took the focus in the meantime. */
function guardText(event) {
  if (replaced && event.isTrusted) selectAgain(event);
  const held = keyed ?? meant;
  if (!held || held.phase === "done" || !event.isTrusted || guarded.has(event)) return;
  guarded.add(event);
  const path = event.composedPath();
  if (isIn(held.element, path) && isHeldTo(held)) {
    held.came = true;
    return;
  }
  swallow(event);
  forget();
  held.instead = describe(path[0]);
}

/** A key goes to the focused element, too, and Enter from there to a button. */
function guardKey(event) {
  const held = keyed ?? meant;
  if (!held || held.phase === "done" || !event.isTrusted || guarded.has(event)) return;
  guarded.add(event);
  const path = event.composedPath();
  const passes = held.phase !== "swallowing" && isIn(held.element, path) && isHeldTo(held);
  if (passes) {
    held.came = true;
    if (held.phase === "armed") held.phase = "passing";
    // A key may move the focus.
    if (held === meant) meant = null;
  } else {
    swallow(event);
    forget();
    // After the key has arrived, the focus may go on.
    if (!held.came) held.instead ??= describe(path[0]);
    if (held.phase === "armed") held.phase = "swallowing";
  }
  if (held === keyed && event.type === "keyup") setTimeout(keySettled, 0, held);
}

/** The click that a key causes: of the button that has the focus, or that Enter submits a form with. */
function guardKeyClick(event) {
  if (!keyed) {
    if (meant?.token === null) swallow(event);
    return;
  }
  if (keyed.phase === "done") return;
  const path = event.composedPath();
  const isOwn = isIn(keyed.element, path);
  const may = keyed.phase === "passing" && (isOwn || !keyed.search || (keyed.button !== null && path.includes(keyed.button)));
  if (may) return;
  swallow(event);
  forget();
  keyed.instead ??= describe(hitOf(event));
}

function keySettled(held) {
  held.phase = "done";
  for (const tell of held.told.splice(0)) tell();
}

/** One attempt at aiming a key. Without a target it is meant for what has the focus. @throws {Miss} */
function aimKey(target, key, search) {
  const element = target ? controlOf(one(target)) : deepFocus() ?? dom.body(document);
  const line = (target && kindOf(element) === "combobox" && lineOf(element)) || element;
  if (target) {
    if (isDisabled(element)) throw new Miss("disabled", () => `${describe(element)} is disabled`);
    takeOver(line);
    forget();
    if (controlOf(one(target)) !== element) throw new Miss("moving", () => `${sayTarget(target)} is now another element`);
  }
  const button = search && key === "Enter" ? ownButton(line) : null;
  const token = keep(element, target);
  stand();
  // What has the focus inside a frame cannot be seen from here.
  const phase = /^i?frame$/.test(dom.localName(element)) ? "done" : "armed";
  keyed = { token, target, element: line, button, search, phase, came: phase === "done", instead: null, told: [] };
  meant = null;
  aimed.watched?.disconnect();
  aimed = { phase: "shut", came: false, told: [] };
  return { answer: "armed", token, element: describe(element) };
}

async function keyVerdict(within) {
  const press = keyed;
  await decided(press, within, "no key arrived");
  return { answer: "pressed", hit: press.came && press.instead === null, heard: press.came, instead: press.instead, other: null, changed: false };
}

// ---- what Enter submits ---------------------------------------------------------------------------

/** The first submit button of a form: Enter in a field of the form presses it. */
const defaultButton = (form) => [...dom.querySelectorAll(dom.getRootNode(form), "button,input")].find((button) => dom.form(button) === form && /^(?:submit|image)$/.test(dom.type(button))) ?? null;

/**
 * The button that Enter in a search field may press. A form may have other buttons, and the first of them is the one that
 * Enter presses, whatever it does. It belongs to the search if it is the only one of a search landmark, if it follows the
 * field with no list in between, or if it is the only one of a form that only reads (GET).
 * @returns {Element | null} null: Enter presses no button @throws {Miss}
 */
function ownButton(field) {
  const form = dom.localName(field) === "input" ? dom.form(field) : null;
  const button = form && defaultButton(form);
  if (!button || dom.matches(button, ":disabled")) return null;
  const buttons = (scope) => collect(scope, "button,input").filter((one) => dom.form(one) === form && /^(?:submit|image)$/.test(dom.type(one)));
  const landmark = around(field, (outer) => dom.localName(outer) === "search" || roleOf(outer) === "search");
  if (landmark && isWithin(landmark, button) && buttons(landmark).length === 1) return button;
  const [before, after] = [pathTo(field), pathTo(button)];
  const lists = collect(document, LISTS).filter((list) => PARTED.test(roleOf(list)));
  const between = (path) => comesBefore(before, path) && comesBefore(path, after);
  if (comesBefore(before, after) && !lists.some((list) => isVisible(list) && !isWithin(list, button) && between(pathTo(list)))) return button;
  const reads = !/^post$/i.test(dom.getAttribute(button, "formmethod") ?? dom.getAttribute(form, "method") ?? "");
  if (reads && buttons(document).length === 1) return button;
  throw new Miss("other_button", () => `Enter in ${describe(field)} would press ${describeWhere(button)}, the first button of its form`, () => buttons(document).map(describe), true);
}

const PARTED = /^(?:table|grid|treegrid|list|listbox|tree|feed|row|listitem|article)$/;
const LISTS = `table,ul,ol,${["table", "grid", "treegrid", "list", "listbox", "tree", "feed", "row", "listitem", "article"].map((role) => `[role~=${role}]`).join(",")}`;
