// Judging: may this element be pressed, and where?

/** Where elements were when they were last checked. */
const lastRects = new WeakMap();

/** Tokens start at a random number: a token of an earlier document must not be valid in this one. */
let lastToken = crypto.getRandomValues(new Uint32Array(1))[0] >>> 1;

const nextToken = () => ++lastToken;

/** One attempt at aiming. @param {object} owner the control that the target belongs to @param {number} round from 0 @throws {Miss} */
async function aim(target, owner, round) {
  const element = usable(target);
  if (lastRects.get(element) !== rectOf(element) || isAnimated(element)) {
    if (!(await staysStill(element))) throw new Miss("moving", () => `${describe(element)} is moving`);
    // The page has run in the meantime.
    forget();
    if (usable(target) !== element) throw new Miss("moving", () => `${sayTarget(target)} was just replaced`);
  }
  const under = isUnderPointer(element);
  if (await bringIntoView(element, round)) {
    forget();
    // What is shown only under the pointer is not there until the pointer comes after it.
    if (under && !isUnderPointer(element) && !attempt(() => one(target))) throw leftBehind(element);
    if (usable(target) !== element) throw new Miss("moving", () => `${sayTarget(target)} was just replaced`);
  }
  const at = pressPoint(element);
  lastRects.set(element, rectOf(element));
  const owned = owner && ownerOf(owner);
  return { answer: "aimed", token: arm(target, element, owned, at), at, element: describe(element) };
}

/** Is the pointer over something around this element that is not the whole page? */
const isUnderPointer = (element) => Boolean(around(element, (outer) => outer !== dom.body(document) && outer !== dom.documentElement(document) && dom.matches(outer, ":hover")));

/** Why an element was scrolled away from the pointer. Waiting does not bring it back. */
function leftBehind(element) {
  const miss = covered.get(element)?.miss;
  if (miss) return new Miss(miss.kind, miss.message, miss.candidates, true);
  return new Miss("hidden", () => `${describe(element)} is shown only under the pointer, and was scrolled into view`, undefined, true);
}

/** One attempt to find the point for the pointer: nothing is armed. @throws {Miss} */
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
    dom.scrollIntoView(boxed(element), { block: "center", inline: "nearest", behavior: "instant" });
    await frame();
    return { answer: "scrolled", moved: true };
  }
  const box = scrollerOf(element);
  const before = dom.scrollTop(box);
  dom.scrollTo(box, { top: to === "start" ? 0 : before + Math.max(1, Math.floor(dom.clientHeight(box) * 0.9)), behavior: "instant" });
  const moved = Math.abs(dom.scrollTop(box) - before) >= 1;
  // The page gets the event with the next frame and draws in the one after that.
  if (moved) {
    await frame();
    await frame();
  }
  return { answer: "scrolled", moved };
}

const scrolls = (element) => dom.scrollHeight(element) > dom.clientHeight(element) + 1 && /^(?:auto|scroll|overlay)$/.test(getComputedStyle(element).overflowY);

/** It scrolls, and is not the page. */
const scrollsItself = (element) => element !== dom.body(document) && element !== dom.documentElement(document) && scrolls(element);

/** The element that scrolls: itself, the nearest around it, one inside it; else the document. */
function scrollerOf(element) {
  if (scrolls(element)) return element;
  return around(element, scrollsItself) ?? collect(element, "*").find(scrolls) ?? dom.scrollingElement(document) ?? dom.documentElement(document);
}

/**
 * Where a point of a frame's viewport is in the viewport of this document: in view and not covered. @throws {Miss}
 * @param {{x: number, y: number}} point
 * @param {number} round from 0: later attempts scroll it to other positions, away from fixed elements
 */
async function through(owner, point, round) {
  // The content has just been scrolled into view, which takes a moment across processes.
  if (!(await staysStill(owner))) throw new Miss("moving", () => `${describe(owner)} is moving`);
  forget();
  let at = pointOf(owner, point);
  if (!isInView(at) || round > 0) {
    if (round % 2 === 1) dom.scrollIntoView(owner, { block: "nearest", inline: "nearest", behavior: "instant" });
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

/** The point in this viewport. The content of a frame begins inside its border and padding, and may be scaled. */
function pointOf(owner, { x, y }) {
  const { left, top, width, height } = dom.getBoundingClientRect(owner);
  const { paddingLeft, paddingTop } = getComputedStyle(owner);
  const across = dom.offsetWidth(owner) ? width / dom.offsetWidth(owner) : 1;
  const down = dom.offsetHeight(owner) ? height / dom.offsetHeight(owner) : 1;
  return { x: left + (dom.clientLeft(owner) + parseFloat(paddingLeft) + x) * across, y: top + (dom.clientTop(owner) + parseFloat(paddingTop) + y) * down };
}

function usable(target) {
  const element = one(target);
  if (isDisabled(element)) throw new Miss("disabled", () => `${describe(element)} is disabled`);
  return element;
}

/** The element, or the nearest one around it that has a box: a slot has none. */
const boxed = (element) => (dom.getClientRects(element).length ? element : around(element, (outer) => dom.getClientRects(outer).length > 0) ?? element);

const rectOf = (element) => {
  const { x, y, width, height } = dom.getBoundingClientRect(boxed(element));
  return [x, y, width, height].join(" ");
};

/** Does it stay in place for a frame? Asked only if an animation may move it, or if it was not checked before. */
async function staysStill(element) {
  const rect = rectOf(element);
  const animated = isAnimated(element);
  const drawn = await frame();
  // An animation that is about to begin moves nothing in the first frame. A busy page draws its frames late: without one,
  // nothing is known.
  if (animated && !(await frame(250)) && !drawn && dom.visibilityState(document) === "visible") return false;
  const after = dom.isConnected(element) ? rectOf(element) : null;
  lastRects.set(element, after);
  return after === rect;
}

function isAnimated(element) {
  for (let at = element; at; at = parentOf(at)) if (dom.getAnimations(at).some((one) => one.playState === "running" || one.pending)) return true;
  return false;
}

/** The next animation frame, or the end of `most` ms where none comes (background tabs). @returns whether one came */
const frame = (most = 50) => new Promise((resolve) => {
  const timer = setTimeout(() => resolve(false), most);
  requestAnimationFrame(() => {
    clearTimeout(timer);
    resolve(true);
  });
});

/** Where an element is put that is covered: away from a sticky header or footer, and from what floats above the page. */
const PLACES = ["center", "start", "end", 0.25, 0.75];

/** How often an element could not be pressed where it was, and why. @type {WeakMap<Element, {times: number, miss: Miss}>} */
const covered = new WeakMap();

/**
 * Scrolls it into view: not to the edge, where what it opens has no room. Later attempts scroll it to another place, if it was
 * covered. The page has then heard of the scrolling (many close their menus), and it is drawn: the browser chooses the frame of
 * a press by what was drawn last.
 * @returns whether the page may have run
 */
async function bringIntoView(element, round) {
  const before = rectOf(element);
  const box = boxed(element);
  const put = (block) => dom.scrollIntoView(box, { block, inline: "nearest", behavior: "instant" });
  const turn = round > 0 ? covered.get(element)?.times ?? 0 : 0;
  const place = PLACES[(turn + PLACES.length - 1) % PLACES.length];
  if (turn === 0) {
    put("nearest");
    if (rectOf(element) !== before) put("center");
  } else if (typeof place === "string") {
    put(place);
  } else {
    put("center");
    const scroller = around(box, scrollsItself) ?? dom.scrollingElement(document) ?? dom.documentElement(document);
    dom.scrollTo(scroller, { top: dom.scrollTop(scroller) + dom.clientHeight(scroller) * (0.5 - place), behavior: "instant" });
  }
  if (rectOf(element) === before) return false;
  await drawn();
  return true;
}

/** Waits until the changes are drawn. */
async function drawn() {
  await frame();
  await frame();
}

/** @returns {{x: number, y: number}} the center of its visible part @throws {Miss} */
function pressPoint(element) {
  const surfaces = [element, ...labelsOf(element)];
  let first = null;
  for (const surface of surfaces) {
    const box = visibleBox(surface);
    if (!box) continue;
    const points = [[0.5, 0.5], [0.25, 0.5], [0.75, 0.5], [0.5, 0.25], [0.5, 0.75]].map(([x, y]) => ({ x: box.left + box.width * x, y: box.top + box.height * y }));
    const hits = points.map(({ x, y }) => hitAt(x, y));
    if (hits[0] && belongsTo(element, hits[0])) {
      // A press on a row or card must not hit a button in its middle.
      const clean = hits.findIndex((hit) => hit && belongsTo(element, hit) && !isNested(element, hit));
      return points[Math.max(0, clean)];
    }
    first ??= hits[0];
  }
  const miss = first === null ? new Miss("hidden", () => `${describe(element)} cannot be scrolled into view`) : new Miss("covered", () => `covered by ${describe(coverOf(first, element))}`);
  covered.set(element, { times: (covered.get(element)?.times ?? 0) + 1, miss });
  throw miss;
}

/** The largest part of an element inside the viewport and all clipping elements. */
function visibleBox(element) {
  let best = null;
  const rects = [...dom.getClientRects(element)].filter(({ width, height }) => width > 0 && height > 0);
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
      // A positioned element is clipped only by its containing block and the elements around that.
      if ((position === "fixed" || (position === "absolute" && style.position === "static")) && !holdsAll) continue;
      ({ position } = style);
      if (style.overflow === "visible" || at === dom.body(document) || at === dom.documentElement(document)) continue;
      const clipping = dom.getBoundingClientRect(at);
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

/** The boxes of the children, texts included, of an element without a box. */
function boxesInside(element) {
  const boxes = [];
  for (const child of childrenOf(element)) {
    const range = isText(child) ? new Range() : null;
    range?.selectNodeContents(child);
    const laid = range ?? (isElement(child) ? child : null);
    if (laid) boxes.push(...[...dom.getClientRects(laid)].filter(({ width, height }) => width > 0 && height > 0));
  }
  return boxes;
}

/** Does a press on `hit` reach the element: is it the element, a part of it, or its label? */
function belongsTo(element, hit) {
  if (isWithin(element, hit)) return true;
  const label = dom.localName(hit) === "label" ? hit : around(hit, (outer) => dom.localName(outer) === "label");
  return label !== null && labelsOf(element).includes(label) && !isNested(label, hit);
}

const ACTIVE = "a[href],button,input,select,textarea,summary,[contenteditable]:not([contenteditable=false i]),[role=button],[role=link],[role=checkbox],[role=switch],[role=radio],[role=menuitem],[role=tab],[role=option],[role=combobox]";

/** Is the hit on a control inside the element? */
function isNested(element, hit) {
  for (let at = hit; at && at !== element; at = parentOf(at)) if (dom.matches(at, ACTIVE) && at !== dom.control(element)) return true;
  return false;
}

/** The cover as people know it: its dialog, else the nearest element with a role. */
function coverOf(hit, element) {
  const outside = [];
  for (let at = hit; at && !isWithin(at, element); at = parentOf(at)) outside.push(at);
  return outside.find((one) => isRole(one, "dialog")) ?? outside.find((one) => roleOf(one) && !/^(?:generic|presentation|none|paragraph)$/.test(roleOf(one)) && nameOf(one)) ?? outside.at(-1) ?? hit;
}
