// The tree that a person sees: light tree, open shadow roots and slots as one; and which parts of it are shown.

/**
 * Results about the page in its current state. `forget` drops them: it is called before every attempt and whenever the
 * page may have run.
 */
let memo = blank();

function blank() {
  return {
    hosts: null, modal: undefined, labels: null, reach: null,
    shielded: new Map(), rendered: new Map(), boxed: new Map(), layouts: new Map(),
    roles: new Map(), names: new Map(), texts: new Map(), grids: new Map(),
  };
}

function forget() {
  memo = blank();
}

/** All elements except the most frequent ones that cannot have a shadow root: the browser excludes them much faster. */
const MAY_HOST = "*:not(a,b,br,button,em,form,g,i,img,input,label,li,option,path,script,select,strong,svg,table,tbody,td,textarea,th,thead,tr,ul,use)";

/** All elements with an open shadow root, nested ones included, outer before inner. */
function hosts() {
  if (!memo.hosts) {
    memo.hosts = [];
    const roots = [document];
    for (const root of roots) {
      for (const element of dom.querySelectorAll(root, MAY_HOST)) {
        if (dom.shadowRoot(element)) {
          memo.hosts.push(element);
          roots.push(dom.shadowRoot(element));
        }
      }
    }
  }
  return memo.hosts;
}

/** The document and all open shadow roots. */
const roots = () => [document, ...hosts().map((host) => dom.shadowRoot(host))];

/** The labels of a form control. One walk for all of them: the browser's own `labels` is one walk for each. */
function labelsOf(element) {
  if (!memo.labels) {
    memo.labels = new Map();
    for (const root of roots()) {
      for (const label of dom.querySelectorAll(root, "label")) {
        const control = dom.control(label) && labelled(dom.control(label));
        if (control) memo.labels.set(control, [...(memo.labels.get(control) ?? []), label]);
      }
    }
  }
  return memo.labels.get(element) ?? [];
}

/** The control that a label names: of a custom element without a role, the only field inside it. */
function labelled(control) {
  if (!dom.shadowRoot(control) || roleOf(control)) return control;
  const fields = collect(control, FIELDS).filter((field) => !isGroup(field));
  return fields.length === 1 ? fields[0] : control;
}

/**
 * All elements below `scope` that match a selector: into open shadow roots and, from within one, into its slotted
 * elements. Each shadow tree is searched separately, because a selector does not cross its border.
 * @returns {Element[]} in document order, a host before its shadow tree
 */
function collect(scope, selector) {
  const found = [];
  gather(scope, selector, found);
  if (hosts().length === 0 || !isElement(scope) || !dom.host(dom.getRootNode(scope))) return found;
  const slots = [...dom.querySelectorAll(scope, "slot")];
  if (dom.localName(scope) === "slot") slots.unshift(scope);
  for (const slot of slots) {
    for (const assigned of dom.assignedElements(slot, { flatten: true })) {
      if (dom.matches(assigned, selector)) found.push(assigned);
      gather(assigned, selector, found);
    }
  }
  return [...new Set(found)];
}

function gather(scope, selector, found) {
  if (dom.shadowRoot(scope)) gather(dom.shadowRoot(scope), selector, found);
  const own = dom.querySelectorAll(scope, selector);
  const inner = hosts().filter((host) => host !== scope && dom.contains(scope, host));
  let next = 0;
  for (const host of inner) {
    while (next < own.length && !(dom.compareDocumentPosition(host, own[next]) & Node.DOCUMENT_POSITION_FOLLOWING)) found.push(own[next++]);
    gather(dom.shadowRoot(host), selector, found);
  }
  while (next < own.length) found.push(own[next++]);
}

/** The element in which this one is shown. @returns {Element | null} */
function parentOf(node) {
  if (dom.assignedSlot(node)) return dom.assignedSlot(node);
  const parent = dom.parentElement(node);
  if (parent) return parent;
  const root = dom.parentNode(node);
  return (root && dom.host(root)) ?? null;
}

/** The nodes shown in an element. @returns {Iterable<Node>} */
function childrenOf(element) {
  if (dom.shadowRoot(element)) return dom.childNodes(dom.shadowRoot(element));
  if (dom.localName(element) === "slot") {
    const assigned = dom.assignedNodes(element, { flatten: true });
    if (assigned.length) return assigned;
  }
  return dom.childNodes(element);
}

/** The elements around an element and itself, from the outside in, as they are shown. */
function pathTo(element) {
  const path = [];
  for (let at = element; at; at = parentOf(at)) path.unshift(at);
  return path;
}

/** The same elements in the order in which they are shown: a slotted one at its slot. */
function inOrder(elements) {
  if (elements.length < 2 || hosts().length === 0) return elements;
  const paths = new Map(elements.map((element) => [element, pathTo(element)]));
  return [...elements].sort((one, other) => (comesBefore(paths.get(one), paths.get(other)) ? -1 : 1));
}

/** Is the first of two elements shown before the other, or around it? Both are given by their paths. */
function comesBefore(path, beside) {
  const parting = path.findIndex((element, depth) => element !== beside[depth]);
  if (parting < 0) return path.length < beside.length;
  if (!beside[parting]) return false;
  return Boolean(dom.compareDocumentPosition(path[parting], beside[parting]) & Node.DOCUMENT_POSITION_FOLLOWING);
}

/** Is it this element, or shown inside it? */
function isWithin(container, element) {
  for (let at = element; at; at = parentOf(at)) if (at === container) return true;
  return false;
}

/** The nearest element around this one (not itself) that meets the condition. */
function around(element, isSo) {
  for (let at = parentOf(element); at; at = parentOf(at)) if (isSo(at)) return at;
  return null;
}

/** Does the app hide it, or something around it, from assistive tools: `aria-hidden`, `inert`? */
function isShielded(element) {
  const known = memo.shielded.get(element);
  if (known !== undefined) return known;
  const parent = parentOf(element);
  // Chromium ignores `aria-hidden` on the root and the body, because it would hide the whole page. A modal dialog is in
  // the top layer and is not inert with its surroundings.
  const own = (dom.getAttribute(element, "aria-hidden") === "true" && element !== dom.body(document) && element !== dom.documentElement(document))
    || dom.inert(element);
  const shielded = own || (parent !== null && !isModal(element) && isShielded(parent));
  memo.shielded.set(element, shielded);
  return shielded;
}

const isModal = (element) => dom.localName(element) === "dialog" && dom.matches(element, ":modal");

/** Is it laid out: no `display: none`, no `visibility: hidden`, not inside closed `details`? */
function isRendered(element) {
  const known = memo.rendered.get(element);
  if (known !== undefined) return known;
  let rendered = dom.checkVisibility(element, { visibilityProperty: true });
  if (!rendered && dom.isConnected(element)) {
    // An element without a box of its own, which its children or its control show.
    const parent = parentOf(element);
    const style = getComputedStyle(element);
    const boxless = style.display === "contents" || ((dom.localName(element) === "option" || dom.localName(element) === "optgroup") && style.display !== "none");
    rendered = boxless && style.visibility === "visible" && parent !== null && isRendered(parent);
  }
  memo.rendered.set(element, rendered);
  return rendered;
}

/** Is it there for people and assistive tools: rendered and not shielded? */
const isExposed = (element) => isRendered(element) && !isShielded(element);

/** How an element lays out what is in it. The elements of a page share most of those around them. */
function layoutOf(element) {
  let layout = memo.layouts.get(element);
  if (layout === undefined) {
    const { position, overflowX, overflowY } = getComputedStyle(element);
    // The browser gives the overflow of these two to the viewport.
    const isPage = element === dom.body(document) || element === dom.documentElement(document);
    const clips = !isPage && (overflowX !== "visible" || overflowY !== "visible");
    layout = { position, overflowX, overflowY, clips, isPage, extent: null };
    memo.layouts.set(element, layout);
  }
  return layout;
}

/** Is it the containing block of everything in it, of fixed elements too? */
function holdsAll(element, { isPage }) {
  if (isPage) return false;
  const { transform, filter, contain } = getComputedStyle(element);
  return transform !== "none" || filter !== "none" || contain !== "none";
}

/**
 * The window of an element that clips its content, and how far the content can be scrolled to, both in the viewport. Content that
 * begins at the right or at the bottom is scrolled to the other side.
 */
function extentOf(scroller, layout) {
  if (layout.extent) return layout.extent;
  const rect = dom.getBoundingClientRect(scroller);
  // It may be drawn smaller or larger than it is laid out.
  const across = dom.offsetWidth(scroller) ? rect.width / dom.offsetWidth(scroller) : 1;
  const down = dom.offsetHeight(scroller) ? rect.height / dom.offsetHeight(scroller) : 1;
  const left = rect.left + dom.clientLeft(scroller) * across;
  const top = rect.top + dom.clientTop(scroller) * down;
  const seen = { left, top, right: left + dom.clientWidth(scroller) * across, bottom: top + dom.clientHeight(scroller) * down };
  layout.extent = { seen, whole: reachOf(scroller, seen, across, down) };
  return layout.extent;
}

function reachOf(scroller, { left, top, right, bottom }, across = 1, down = 1) {
  // The page is scrolled as its body is written.
  const { direction, writingMode, flexDirection } = getComputedStyle(scroller === dom.scrollingElement(document) ? dom.body(document) ?? scroller : scroller);
  const isUnusual = writingMode !== "horizontal-tb" || flexDirection.endsWith("-reverse");
  const isBackward = direction === "rtl" && !isUnusual;
  const [width, height] = [Math.max(right - left, dom.scrollWidth(scroller) * across), Math.max(bottom - top, dom.scrollHeight(scroller) * down)];
  const [x, y] = [left - dom.scrollLeft(scroller) * across, top - dom.scrollTop(scroller) * down];
  const [back, up] = [x + right - left - width, y + bottom - top - height];
  return { left: isBackward || isUnusual ? back : x, right: isBackward ? back + width : x + width, top: isUnusual ? up : y, bottom: y + height };
}

/** Is it in sight, or can it be scrolled into sight? A drawer that is pushed out of the window, or a field far left of the page, is not. */
function isInReach(element) {
  let { left, top, right, bottom } = dom.getBoundingClientRect(element);
  let { position } = layoutOf(element);
  for (let at = parentOf(element); at; at = parentOf(at)) {
    const layout = layoutOf(at);
    // A positioned element is clipped only by its containing block and the elements around that.
    if ((position === "fixed" || (position === "absolute" && layout.position === "static")) && !holdsAll(at, layout)) continue;
    ({ position } = layout);
    if (!layout.clips || dom.getClientRects(at).length === 0) continue;
    const { seen, whole } = extentOf(at, layout);
    if (layout.overflowX !== "visible") {
      const range = layout.overflowX === "clip" ? seen : whole;
      if (seen.right <= seen.left || right <= range.left || left >= range.right) return false;
      ({ left, right } = seen);
    }
    if (layout.overflowY !== "visible") {
      const range = layout.overflowY === "clip" ? seen : whole;
      if (seen.bottom <= seen.top || bottom <= range.top || top >= range.bottom) return false;
      ({ top, bottom } = seen);
    }
  }
  const window = { left: 0, top: 0, right: innerWidth, bottom: innerHeight };
  memo.reach ??= reachOf(dom.scrollingElement(document) ?? dom.documentElement(document), window);
  const range = position === "fixed" ? window : memo.reach;
  return right > range.left && left < range.right && bottom > range.top && top < range.bottom;
}

/** Is it read out when it changes? Such messages are often kept out of sight. */
const isAnnounced = (element) => {
  const is = (one) => /^(?:status|alert|log)$/.test(roleOf(one)) || /^(?:polite|assertive)$/.test(dom.getAttribute(one, "aria-live") ?? "");
  return is(element) || Boolean(around(element, is));
};

/** Is it cut to nothing: the original of a control that the page draws itself? */
function isCut(element) {
  const { clip, clipPath, position } = getComputedStyle(element);
  const { width, height } = dom.getBoundingClientRect(element);
  return (width <= 1 && height <= 1) || /^inset\((?:50|100)%/.test(clipPath) || (/^(?:absolute|fixed)$/.test(position) && /^rect\((?:0px,? ?){4}\)$/.test(clip));
}

/** Does it, or its content, have a size, in sight or where it can be scrolled into sight? */
function hasBox(element) {
  const known = memo.boxed.get(element);
  if (known !== undefined) return known;
  const { width, height } = dom.getBoundingClientRect(element);
  const isSized = width > 0 && height > 0;
  let boxed = isSized && (isInReach(element) || isAnnounced(element));
  // A wrapper without a size shows its fixed or floating content (the portal of a dialog).
  if (!boxed) {
    for (const child of childrenOf(element)) {
      if (isElement(child) ? isRendered(child) && hasBox(child) : !isSized && dom.localName(element) !== "option" && textBox(child)) {
        boxed = true;
        break;
      }
    }
  }
  // A checkbox that its label draws often has no size.
  if (!boxed && isTickable(element)) boxed = labelsOf(element).some((label) => isRendered(label) && hasBox(label));
  memo.boxed.set(element, boxed);
  return boxed;
}

function textBox(node) {
  if (!isText(node) || !/\S/.test(node.data)) return false;
  const range = new Range();
  range.selectNodeContents(node);
  const { width, height } = range.getBoundingClientRect();
  return width > 0 && height > 0;
}

const isTickable = (element) => dom.localName(element) === "input" && (dom.type(element) === "checkbox" || dom.type(element) === "radio");

/** Exposed and of some size. */
const isVisible = (element) => (isExposed(element) && hasBox(element)) || isPickedByLabel(element);

/** A hidden file input whose label looks like a button: people press the label. */
const isPickedByLabel = (element) => dom.localName(element) === "input" && dom.type(element) === "file" && labelsOf(element).some((label) => isExposed(label) && hasBox(label));

/** The topmost modal dialog, which makes the rest of the page unreachable. @returns {Element | null} */
function modal() {
  if (memo.modal === undefined) {
    const open = roots().flatMap((root) => [...dom.querySelectorAll(root, "dialog:modal")]);
    // The order of the top layer cannot be read: the dialog that is hit at its own center is in front.
    memo.modal = open.length < 2 ? open[0] ?? null : open.findLast((dialog) => {
      const { x, y, width, height } = dom.getBoundingClientRect(dialog);
      const hit = hitAt(x + width / 2, y + height / 2);
      return hit && isWithin(dialog, hit);
    }) ?? open.at(-1);
  }
  return memo.modal;
}

/** Is it behind a modal dialog, and so unreachable? */
function isBehind(element) {
  const front = modal();
  return front !== null && !isWithin(front, element);
}

/** Is it disabled: itself, by a fieldset, by ARIA, or as a part of a disabled element? */
function isDisabled(element) {
  for (let at = element; at; at = parentOf(at)) {
    if (dom.getAttribute(at, "aria-disabled") === "true") return true;
    if (dom.matches(at, ":disabled") && (at === element || dom.localName(at) !== "fieldset")) return true;
  }
  return false;
}

/** The innermost element at a point of the viewport, through open shadow roots. */
function hitAt(x, y) {
  let hit = dom.elementFromPoint(document, x, y);
  while (hit && dom.shadowRoot(hit)) {
    const inner = dom.elementFromPoint(dom.shadowRoot(hit), x, y);
    if (!inner || inner === hit) return slotAt(hit, x, y) ?? hit;
    hit = inner;
  }
  return hit;
}

/** The slot at a point: for the text of a host, the browser reports the host and not the slot that shows the text. */
function slotAt(host, x, y) {
  const range = new Range();
  for (const node of dom.childNodes(host)) {
    if (!isText(node) || !dom.assignedSlot(node)) continue;
    range.selectNodeContents(node);
    if ([...range.getClientRects()].some(({ left, top, right, bottom }) => left <= x && x < right && top <= y && y < bottom)) return dom.assignedSlot(node);
  }
  return null;
}
