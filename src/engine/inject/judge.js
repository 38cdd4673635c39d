// Judging: may this element be pressed, where, and did the press arrive? The guard is here.

/** Where elements stood when they were last looked at. */
const lastRects = new WeakMap();

/** What the next press must hit. @type {{token: number, target: object, element: Element, at: object, phase: string, instead: string | null, told: ((answer: object) => void)[]} | null} */
let aimed = null;

/** Tokens begin anywhere: one of a document that is gone must not be taken for one of this document. */
let lastToken = crypto.getRandomValues(new Uint32Array(1))[0] >>> 1;

const nextToken = () => ++lastToken;

/** One attempt at aiming. @param {number} round from 0 @throws {Miss} */
async function aim(target, round) {
  const element = usable(target);
  if (lastRects.get(element) !== rectOf(element) || isAnimated(element)) {
    if (!(await staysStill(element))) throw new Miss("moving", () => `${describe(element)} is moving`);
    // The page ran meanwhile.
    forget();
    if (usable(target) !== element) throw new Miss("moving", () => `${sayTarget(target)} was just replaced`);
  }
  if (await bringIntoView(element, round)) {
    forget();
    if (usable(target) !== element) throw new Miss("moving", () => `${sayTarget(target)} was just replaced`);
  }
  const at = pressPoint(element);
  lastRects.set(element, rectOf(element));
  const token = nextToken();
  stand();
  meant = null;
  aimed = { token, target, element, at, phase: "armed", instead: null, told: [] };
  return { answer: "aimed", token, at, element: describe(element) };
}

/** One attempt at bringing it under the pointer: nothing is armed. @throws {Miss} */
async function hover(target, round) {
  const element = one(target);
  if (lastRects.get(element) !== rectOf(element) || isAnimated(element)) {
    if (!(await staysStill(element))) throw new Miss("moving", () => `${describe(element)} is moving`);
    forget();
  }
  if (await bringIntoView(element, round)) forget();
  const at = pressPoint(element);
  lastRects.set(element, rectOf(element));
  return { answer: "aimed", token: nextToken(), at, element: describe(element) };
}

/** @param {"itself" | "start" | "onward"} to @throws {Miss} */
async function scroll(target, to) {
  const element = one(target);
  if (to === "itself") {
    boxed(element).scrollIntoView({ block: "center", inline: "nearest", behavior: "instant" });
    await frame();
    return { answer: "scrolled", moved: true };
  }
  const box = scrollerOf(element);
  const before = box.scrollTop;
  box.scrollTo({ top: to === "start" ? 0 : before + Math.max(1, Math.floor(box.clientHeight * 0.9)), behavior: "instant" });
  const moved = Math.abs(box.scrollTop - before) >= 1;
  // The page hears of it with the next frame, and draws what is new in the one after that.
  if (moved) {
    await frame();
    await frame();
  }
  return { answer: "scrolled", moved };
}

/** What scrolls an element: itself, what is inside it, the nearest around it; else the document. */
function scrollerOf(element) {
  const scrolls = (one) => one.scrollHeight > one.clientHeight + 1 && /^(?:auto|scroll|overlay)$/.test(getComputedStyle(one).overflowY);
  if (scrolls(element)) return element;
  for (let at = parentOf(element); at; at = parentOf(at)) if (at !== document.body && at !== document.documentElement && scrolls(at)) return at;
  return collect(element, "*").find(scrolls) ?? document.scrollingElement ?? document.documentElement;
}

/**
 * Where a point of a frame's viewport is in this document's: brought into view, and nothing over it. @throws {Miss}
 * @param {{x: number, y: number}} point
 * @param {number} round from 0: later attempts bring it elsewhere, out from under what stays where it is
 */
async function through(owner, point, round) {
  // What is inside has just been brought into view: across processes that takes a moment.
  if (!(await staysStill(owner))) throw new Miss("moving", () => `${describe(owner)} is moving`);
  forget();
  let at = pointOf(owner, point);
  if (!isInView(at) || round > 0) {
    if (round % 2 === 1) owner.scrollIntoView({ block: "nearest", inline: "nearest", behavior: "instant" });
    at = pointOf(owner, point);
    const height = innerHeight * [0.5, 0.5, 0.25, 0.75][round % 4];
    scrollBy({ left: isInView({ x: at.x, y: 0 }) ? 0 : at.x - innerWidth / 2, top: at.y - height, behavior: "instant" });
    await drawn();
    forget();
    at = pointOf(owner, point);
  }
  const hit = isInView(at) ? hitAt(at.x, at.y) : null;
  if (!hit) throw new Miss("hidden", () => `this point of ${describe(owner)} cannot be scrolled into view`);
  if (hit !== owner) throw new Miss("covered", () => `covered by ${describe(coverOf(hit, owner))}`);
  return { answer: "aimed", token: 0, at, element: describe(owner) };
}

const isInView = ({ x, y }) => x >= 0 && y >= 0 && x < innerWidth && y < innerHeight;

/** The content of a frame begins inside its border and padding, and may be drawn larger or smaller than it is. */
function pointOf(owner, { x, y }) {
  const { left, top, width, height } = owner.getBoundingClientRect();
  const { paddingLeft, paddingTop } = getComputedStyle(owner);
  const across = owner.offsetWidth ? width / owner.offsetWidth : 1;
  const down = owner.offsetHeight ? height / owner.offsetHeight : 1;
  return { x: left + (owner.clientLeft + parseFloat(paddingLeft) + x) * across, y: top + (owner.clientTop + parseFloat(paddingTop) + y) * down };
}

function usable(target) {
  const element = one(target);
  if (isDisabled(element)) throw new Miss("disabled", () => `${describe(element)} is disabled`);
  return element;
}

/** The element, or the nearest around it that has a box of its own: a slot has none. */
const boxed = (element) => (element.getClientRects().length ? element : around(element, (outer) => outer.getClientRects().length > 0) ?? element);

const rectOf = (element) => {
  const { x, y, width, height } = boxed(element).getBoundingClientRect();
  return [x, y, width, height].join(" ");
};

/** Is it in the same place over a frame? Asked only where something runs that may move it, or where it is new to us. */
async function staysStill(element) {
  const rect = rectOf(element);
  const animated = isAnimated(element);
  await frame();
  // An animation that is only about to begin has not moved anything by the first frame; a busy page gives frames late.
  if (animated) await frame(250);
  const after = element.isConnected ? rectOf(element) : null;
  lastRects.set(element, after);
  return after === rect;
}

function isAnimated(element) {
  for (let at = element; at; at = parentOf(at)) if (at.getAnimations().some((one) => one.playState === "running" || one.pending)) return true;
  return false;
}

/** The next animation frame; after `most` ms also where none comes (background tabs). */
const frame = (most = 50) => new Promise((resolve) => {
  const timer = setTimeout(resolve, most);
  requestAnimationFrame(() => {
    clearTimeout(timer);
    resolve();
  });
});

/** Later attempts bring it elsewhere: out from under a sticky header or footer. @returns whether the page ran meanwhile */
async function bringIntoView(element, round) {
  const before = rectOf(element);
  const block = ["nearest", "center", "start", "end"][round % 4];
  boxed(element).scrollIntoView({ block, inline: "nearest", behavior: "instant" });
  if (rectOf(element) === before || !isComposed()) return false;
  await drawn();
  return true;
}

/** Frames in it, or itself in one: which of them a press goes to is decided by what was drawn last. */
const isComposed = () => window !== top || collect(document, "iframe,frame").length > 0;

/** What was changed is on the screen. */
async function drawn() {
  await frame();
  await frame();
}

/** @returns {{x: number, y: number}} the centre of what is visible of it @throws {Miss} */
function pressPoint(element) {
  const surfaces = [element, ...labelsOf(element)];
  let first = null;
  for (const surface of surfaces) {
    const box = visibleBox(surface);
    if (!box) continue;
    const points = [[0.5, 0.5], [0.25, 0.5], [0.75, 0.5], [0.5, 0.25], [0.5, 0.75]].map(([x, y]) => ({ x: box.left + box.width * x, y: box.top + box.height * y }));
    const hits = points.map(({ x, y }) => hitAt(x, y));
    if (hits[0] && belongsTo(element, hits[0])) {
      // A press on a row or card must not land on a button that happens to be in its middle.
      const clean = hits.findIndex((hit) => hit && belongsTo(element, hit) && !isNested(element, hit));
      return points[Math.max(0, clean)];
    }
    first ??= hits[0];
  }
  if (first === null) throw new Miss("hidden", () => `${describe(element)} cannot be scrolled into view`);
  throw new Miss("covered", () => `covered by ${describe(coverOf(first, element))}`);
}

/** The largest piece of an element that is inside the viewport and everything that clips it. */
function visibleBox(element) {
  let best = null;
  const rects = [...element.getClientRects()].filter(({ width, height }) => width > 0 && height > 0);
  for (const rect of rects.length ? rects : boxesInside(element)) {
    let { left, top, right, bottom } = rect;
    left = Math.max(left, 0);
    top = Math.max(top, 0);
    right = Math.min(right, innerWidth);
    bottom = Math.min(bottom, innerHeight);
    let { position } = getComputedStyle(element);
    for (let at = parentOf(element); at; at = parentOf(at)) {
      const style = getComputedStyle(at);
      const holdsAll = style.transform !== "none" || style.filter !== "none" || style.contain !== "none";
      // What is positioned is clipped only from the box on that it is positioned in.
      if ((position === "fixed" || (position === "absolute" && style.position === "static")) && !holdsAll) continue;
      ({ position } = style);
      if (style.overflow === "visible" || at === document.body || at === document.documentElement) continue;
      const clipping = at.getBoundingClientRect();
      left = Math.max(left, clipping.left);
      top = Math.max(top, clipping.top);
      right = Math.min(right, clipping.right);
      bottom = Math.min(bottom, clipping.bottom);
    }
    const box = { left, top, width: right - left, height: bottom - top };
    if (box.width > 0 && box.height > 0 && (!best || box.width * box.height > best.width * best.height)) best = box;
  }
  return best;
}

/** Of an element without a box: those of its children, texts among them. */
function boxesInside(element) {
  const boxes = [];
  for (const child of childrenOf(element)) {
    const range = child.nodeType === Node.TEXT_NODE ? document.createRange() : null;
    range?.selectNodeContents(child);
    const laid = range ?? (child.nodeType === Node.ELEMENT_NODE ? child : null);
    if (laid) boxes.push(...[...laid.getClientRects()].filter(({ width, height }) => width > 0 && height > 0));
  }
  return boxes;
}

/** Does a press on `hit` reach the element: as itself, as a part of it, as its label? */
function belongsTo(element, hit) {
  if (isWithin(element, hit)) return true;
  const label = hit.localName === "label" ? hit : around(hit, (outer) => outer.localName === "label");
  return label !== null && labelsOf(element).includes(label) && !isNested(label, hit);
}

const ACTIVE = "a[href],button,input,select,textarea,summary,[contenteditable]:not([contenteditable=false i]),[role=button],[role=link],[role=checkbox],[role=switch],[role=radio],[role=menuitem],[role=tab],[role=option],[role=combobox]";

/** Is the hit on something inside the element that acts by itself? */
function isNested(element, hit) {
  for (let at = hit; at && at !== element; at = parentOf(at)) if (at.matches(ACTIVE) && at !== element.control) return true;
  return false;
}

/** The cover as people know it: the dialog it is part of, else the nearest thing with a role. */
function coverOf(hit, element) {
  const outside = [];
  for (let at = hit; at && !isWithin(at, element); at = parentOf(at)) outside.push(at);
  return outside.find((one) => isRole(one, "dialog")) ?? outside.find((one) => roleOf(one) && !/^(?:generic|presentation|none|paragraph)$/.test(roleOf(one)) && nameOf(one)) ?? outside.at(-1) ?? hit;
}

// ---- the guard ----------------------------------------------------------------------------------

const PRESS = ["pointerdown", "mousedown", "pointerup", "mouseup", "click", "auxclick", "dblclick", "contextmenu", "touchstart", "touchend"];

/** What the guard has dealt with: it hears each event twice. */
const guarded = new WeakSet();

/**
 * Listening again changes nothing, unless the page wrote itself anew (`document.open`), which takes listeners away. The
 * document listens as well: a window that another page opened does not always tell its own listeners.
 */
function stand() {
  for (const heard of [globalThis, document]) {
    for (const type of PRESS) heard.addEventListener(type, guard, { capture: true, passive: false });
    for (const type of ["beforeinput", "keydown"]) heard.addEventListener(type, guardText, { capture: true });
  }
}

stand();

/**
 * What the next text is meant for; in a document that nobody has asked anything of, for nothing; null: for whatever has the
 * focus. @type {{token: number | null, element: Element | null, came: boolean, instead: string | null} | null}
 */
let meant = { token: null, element: null, came: false, instead: null };

/** Typed is into whatever has the focus: a secret must not go into a field that took it meanwhile. */
function guardText(event) {
  if (!meant || !event.isTrusted || guarded.has(event)) return;
  guarded.add(event);
  if (event.type === "keydown") {
    // A key may move the focus: that is what it was pressed for.
    meant = null;
    return;
  }
  const path = event.composedPath();
  // What is edited may be a part of what the browser edits.
  if (path.includes(meant.element) || (meant.element?.isContentEditable && isWithin(path[0], meant.element))) {
    meant.came = true;
    return;
  }
  event.preventDefault();
  event.stopImmediatePropagation();
  forget();
  meant.instead = describe(path[0]);
}

/**
 * Sees every event of the next press before the page does. It is decided by the first one: hits the very element, and
 * the target is still that element — or the whole press is swallowed.
 */
function guard(event) {
  if (!aimed || !event.isTrusted || aimed.phase === "done" || guarded.has(event)) return;
  guarded.add(event);
  if (aimed.phase === "shut") {
    // A click that no press came before is one of the keyboard.
    if (event.type !== "pointerdown" && event.type !== "mousedown") return;
    aimed.phase = "swallowing";
  }
  if (aimed.phase === "armed") {
    forget();
    aimed.instead = whatInstead(event);
    aimed.phase = aimed.instead === null ? "passing" : "swallowing";
  }
  if (event.type === "click" && aimed.phase === "passing") aimed.instead = wentAstray(event);
  if (aimed.phase === "swallowing" || aimed.instead !== null) {
    event.preventDefault();
    event.stopImmediatePropagation();
  }
  if (event.type === "click") aimed.phase = "done";
  // Told when the page has dealt with it. No click follows where the element went away under the press, or gets none.
  if (event.type === "click" || event.type === "mouseup" || event.type === "pointerup") setTimeout(settle, 0, aimed);
}

function whatInstead(event) {
  const { target, element } = aimed;
  const path = event.composedPath();
  const hit = path.find((node) => node instanceof Element) ?? document.documentElement;
  let now;
  try {
    now = one(target);
  } catch (error) {
    if (!(error instanceof Miss)) throw error;
    return error.refusal().message;
  }
  if (now !== element) return `${sayTarget(target)} is now another element: ${describeWhere(now)}`;
  if (!path.includes(element) && !belongsTo(element, hit)) {
    const cover = coverOf(hit, element);
    return isRole(cover, "dialog") ? describe(cover) : describeWhere(cover);
  }
  return isDisabled(element) ? `${describe(element)}, which is disabled now` : null;
}

/**
 * The press began on the element; did the click get there too? An element that moved away or was replaced between the
 * two was not clicked. One that did its work on the way down (a menu that opens) was.
 */
function wentAstray(event) {
  const { target, element, at } = aimed;
  const hit = event.composedPath()[0];
  if (event.composedPath().includes(element) || (hit instanceof Element && belongsTo(element, hit))) return null;
  forget();
  if (!element.isConnected) {
    const now = attempt(() => one(target));
    return now && now !== element ? `${describe(now)}, which replaced it during the press` : null;
  }
  const { left, top, right, bottom } = element.getBoundingClientRect();
  const moved = at.x < left || at.x > right || at.y < top || at.y > bottom;
  return moved ? `${describe(element)} moved away during the press` : null;
}

function settle(press) {
  press.phase = "done";
  for (const tell of press.told.splice(0)) tell();
}

/** The next press is meant for another document: should it arrive in this one, it is swallowed. */
function shut() {
  stand();
  aimed = { token: null, phase: "shut", instead: "another document", told: [] };
}

/** What became of the press. Waits until it was seen. */
async function verdict(token, within) {
  const press = aimed;
  if (!press || press.token !== token) throw new Miss("not_found", () => "this document has no aim with this token", undefined, true);
  if (press.phase !== "done") {
    await new Promise((resolve) => {
      press.told.push(resolve);
      setTimeout(resolve, within);
    });
  }
  if (press.phase === "armed") {
    // A press that comes after this answer is swallowed: whoever was told that there was none may press again.
    press.phase = "swallowing";
    press.instead = "no press arrived";
    return { answer: "pressed", hit: false, instead: press.instead };
  }
  return { answer: "pressed", hit: press.instead === null, instead: press.instead };
}
