// The guard: it gets every pointer event of a press before the page does, and swallows what would reach something else.

/**
 * What the next press is meant for. A document that was not asked anything swallows every press: it was meant for the
 * document before it.
 *
 * `phase`: `armed` → `passing` or `swallowing` → `done`; `shut`: meant for another document. `heard`: an event was let
 * through. `instead`: why the press has not arrived. `other`: who is where the meant record was. `changed`: the page has
 * changed since the first event.
 */
let aimed = { phase: "shut", came: false, told: [] };

const PRESS = ["pointerdown", "mousedown", "pointerup", "mouseup", "click", "auxclick", "dblclick", "contextmenu", "touchstart", "touchend"];

/** The events that the guard has handled: it gets each event twice. */
const guarded = new WeakSet();

/**
 * Adds the listeners. Adding them again changes nothing, unless the page rewrote itself (`document.open`), which removes
 * listeners. The document listens as well: a window that another page opened does not always call its own listeners.
 */
function stand() {
  for (const heard of [globalThis, document]) {
    for (const type of PRESS) dom.addEventListener(heard, type, guard, { capture: true, passive: false });
    for (const type of ["keydown", "keypress", "keyup"]) dom.addEventListener(heard, type, guardKey, { capture: true });
    dom.addEventListener(heard, "beforeinput", guardText, { capture: true });
    for (const type of ["change", "blur", "focusout"]) dom.addEventListener(heard, type, leaving, { capture: true });
  }
}

/** Everything that was aimed at or edited, by token. The references are weak: the page may drop an element. @type {Map<number, {element: WeakRef<Element>, target: object}>} */
const kept = new Map();

/** @returns {number} the token of an element that was found by this target */
function keep(element, target) {
  const token = nextToken();
  kept.set(token, { element: new WeakRef(element), target });
  return token;
}

/** Arms the guard. @returns {number} the token for the verdict */
function arm(target, element, owner, at) {
  const token = keep(element, target);
  stand();
  meant = null;
  keyed = null;
  aimed?.watched?.disconnect();
  aimed = { token, target, element, owner, at, phase: "armed", heard: false, clicked: false, instead: null, other: null, changed: false, told: [] };
  watch(aimed);
  return token;
}

/** The control that an option belongs to: it must still be the element that was opened. @throws {Miss} */
function ownerOf({ token, target }) {
  const element = kept.get(token)?.element.deref();
  const owner = { element, target };
  if (!element || !isOwner(owner)) throw new Miss("not_found", () => `${sayTarget(target)} is not the control any more that was opened`, undefined, true);
  return owner;
}

function isOwner({ element, target }) {
  const now = attempt(() => one(target));
  return now !== undefined && (now === element || attempt(() => controlOf(now)) === element);
}

/** Notices whether the page changes during a press. */
function watch(press) {
  press.watched = new MutationObserver(() => note(press));
  for (const root of roots()) press.watched.observe(root, { subtree: true, childList: true, attributes: true, characterData: true });
}

function note(press) {
  if (press.phase !== "passing") return;
  press.stale = true;
  if (!press.leaves) press.changed = true;
}

/** Leaving a field makes many pages check it. What they change then is no answer to the press. */
function leaving(event) {
  if (aimed.phase !== "passing" || !event.isTrusted) return;
  if (aimed.watched.takeRecords().length) note(aimed);
  aimed.leaves = true;
}

/** The first event decides about the whole press. Later ones are judged again: the page may have changed meanwhile. */
function guard(event) {
  if (!event.isTrusted || aimed.phase === "done" || guarded.has(event)) return;
  // A click without a press before it comes from the keyboard.
  const isKeys = event.type === "click" && event.detail === 0 && (aimed.phase === "shut" || aimed.phase === "armed" || keyed !== null);
  guarded.add(event);
  if (isKeys) return guardKeyClick(event);
  let passes = false;
  if (aimed.phase === "shut") aimed.came = true;
  else if (aimed.phase === "armed") {
    forget();
    aimed.watched.takeRecords();
    aimed.instead = whatInstead(event);
    passes = aimed.instead === null;
    aimed.phase = passes ? "passing" : "swallowing";
    aimed.heard = passes;
  } else if (aimed.phase === "passing") passes = mayGoOn(aimed, event);
  if (!passes) swallow(event);
  else if (event.type === "click") aimed.clicked = true;
  if (aimed.phase === "shut") return;
  // Reported after the page has handled it. No click follows if the element went away under the press.
  if (event.type === "click" || event.type === "mouseup" || event.type === "pointerup") setTimeout(settle, 0, aimed);
  if (event.type === "click") aimed.phase = "done";
}

function swallow(event) {
  event.preventDefault();
  event.stopImmediatePropagation();
}

const hitOf = (event) => event.composedPath().find(isElement) ?? dom.documentElement(document);

function whatInstead(event) {
  const { target, element, owner } = aimed;
  const hit = hitOf(event);
  let now;
  try {
    now = one(target);
  } catch (error) {
    if (!(error instanceof Miss)) throw error;
    return error.refusal().message;
  }
  if (now !== element) return `${sayTarget(target)} is now another element: ${describeWhere(now)}`;
  if (owner && !isOwner(owner)) return `${sayTarget(owner.target)} is now another element`;
  if (!event.composedPath().includes(element) && !belongsTo(element, hit)) {
    const cover = coverOf(hit, element);
    return isRole(cover, "dialog") ? describe(cover) : describeWhere(cover);
  }
  if (isDisabled(element)) return `${describe(element)}, which is disabled now`;
  aimed.found = target.any.filter((query) => isFoundBy(query, element));
  return null;
}

const isFoundBy = (query, element) => Boolean(attempt(() => find(query, document, { lenient: true }))?.includes(element));

/** Is the element still what it was at the first event: by its label, its record, and the control that it belongs to? */
const isStill = ({ found, element, owner }) => found.every((query) => isFoundBy(query, element)) && (!owner || isOwner(owner));

/** Judges an event after one that was let through. @returns {boolean} may the page have it? */
function mayGoOn(press, event) {
  if (press.watched.takeRecords().length) note(press);
  press.leaves = false;
  const hit = hitOf(event);
  const arrives = () => event.composedPath().includes(press.element) || belongsTo(press.element, hit);
  if (!press.stale && arrives()) return true;
  press.stale = false;
  forget();
  if (!dom.isConnected(press.element)) adopt(press, event);
  if (arrives()) {
    if (isStill(press)) {
      press.instead = null;
      return true;
    }
    press.phase = "swallowing";
    press.other = otherRecord(press);
    // An element that the press itself has hidden, such as one behind a dialog that has opened, has had its effect.
    if (press.other !== null || isVisible(press.element)) press.instead = `${describeWhere(press.element)}: it was ${sayTarget(press.target)} when the press began`;
    return false;
  }
  press.instead = wentAstray(press);
  press.other ??= otherRecord(press);
  if (isOthers(press, hit)) {
    press.phase = "swallowing";
    return false;
  }
  return event.type !== "click" || press.instead === null;
}

/** The page has drawn the element anew during the press: the new one is as good, if it is what is meant. */
function adopt(press, event) {
  const now = attempt(() => one(press.target));
  if (!now || !event.composedPath().includes(now) || (press.owner && !isOwner(press.owner))) return;
  press.element = now;
  press.replaced = describe(now);
  press.found = press.target.any.filter((query) => isFoundBy(query, now));
}

/**
 * The press began on the element, and goes on elsewhere. An element that moved or was replaced in between was not
 * clicked. An element that reacted to the press itself (a menu that opens) was.
 */
function wentAstray({ target, element, at }) {
  if (!dom.isConnected(element)) {
    const now = attempt(() => one(target));
    return now && now !== element ? `${describe(now)}, which replaced it during the press` : null;
  }
  const { left, top, right, bottom } = dom.getBoundingClientRect(element);
  const moved = at.x < left || at.x > right || at.y < top || at.y > bottom;
  return moved ? `${describe(element)} moved away during the press` : null;
}

const PART = /^(?:row|listitem|option|treeitem|article|gridcell|cell|rowheader)$/;

/** Is the hit on another control, or in another record? */
function isOthers({ element }, hit) {
  for (let at = hit; at; at = parentOf(at)) if (!isWithin(at, element) && (dom.matches(at, ACTIVE) || PART.test(roleOf(at)))) return true;
  return false;
}

/** Every record that a target is inside of. */
const recordsOf = (target) => target.any.flatMap((query) => {
  const [kind, value] = variant(query.by);
  return [...(kind === "record" ? [value] : []), ...(query.within ? recordsOf(query.within) : [])];
});

/** Who is in the record that the element is in now, if it is somebody else. @returns {string | null} */
function otherRecord({ target, owner, element }) {
  const places = [[target, element], ...(owner ? [[owner.target, owner.element]] : [])];
  for (const [meant, place] of places) {
    for (const record of recordsOf(meant)) {
      const shown = attempt(() => {
        const container = one(record.rows.within);
        const row = rowsOf(record.rows, container).find((row) => isWithin(row, place));
        return row && reader(record.column, container)(row);
      });
      if (shown && canonical(shown, record.ignore_case) !== canonical(record.equals, record.ignore_case)) return shown;
    }
  }
  return null;
}

function settle(press) {
  press.watched.disconnect();
  if (press.phase === "passing" && !press.clicked && press.instead === null) {
    forget();
    if (press.replaced) press.instead = `${press.replaced}, which replaced it during the press`;
    else if (!dom.isConnected(press.element)) {
      press.instead = wentAstray(press);
      // The page has drawn it anew after it had heard the button go up. That may be its answer.
      press.changed ||= press.instead !== null;
    }
  }
  press.phase = "done";
  for (const tell of press.told.splice(0)) tell();
}

/** The next press is meant for another document: if it arrives in this one, it is swallowed. */
function shut() {
  stand();
  aimed.watched?.disconnect();
  aimed = { phase: "shut", came: false, told: [] };
  meant = nowhere();
  keyed = null;
}

/** Waits until the result of a press or of a key is known. An input after this is swallowed: the caller may send it again. */
async function decided(press, within, otherwise) {
  if (press.phase !== "done") {
    await new Promise((resolve) => {
      press.told.push(resolve);
      setTimeout(resolve, within);
    });
  }
  if (press.phase !== "armed") return;
  press.phase = "swallowing";
  press.instead = otherwise;
}

/** The result of the press. Waits until it is known. */
async function verdict(token, within) {
  if (keyed?.token === token) return keyVerdict(within);
  const press = aimed;
  if (press.phase === "shut" && press.came) return { answer: "pressed", hit: false, heard: false, instead: "another document", other: null, changed: false };
  if (press.token !== token) throw new Miss("not_found", () => "this document has no aim with this token", undefined, true);
  await decided(press, within, "no press arrived");
  const { heard, instead, other, changed } = press;
  return { answer: "pressed", hit: heard && instead === null, heard, instead, other, changed };
}
