// The tree that a person sees: light tree, open shadow roots and slots as one; and what of it is shown.

/**
 * What was already worked out about the page as it is now. Everything here dies with `forget`, which is called
 * before every attempt and after everything that lets the page run.
 */
let memo = blank();

function blank() {
  return {
    hosts: null, modal: undefined, labels: null,
    shielded: new Map(), rendered: new Map(), boxed: new Map(),
    roles: new Map(), names: new Map(), texts: new Map(), grids: new Map(),
  };
}

function forget() {
  memo = blank();
}

/** All but the most frequent of those that cannot have a shadow root: sorting them out in the browser is much cheaper. */
const MAY_HOST = "*:not(a,b,br,button,em,form,g,i,img,input,label,li,option,path,script,select,strong,svg,table,tbody,td,textarea,th,thead,tr,ul,use)";

/** All elements with an open shadow root, nested ones included, outer before inner. */
function hosts() {
  if (!memo.hosts) {
    memo.hosts = [];
    const roots = [document];
    for (const root of roots) {
      for (const element of root.querySelectorAll(MAY_HOST)) {
        if (element.shadowRoot) {
          memo.hosts.push(element);
          roots.push(element.shadowRoot);
        }
      }
    }
  }
  return memo.hosts;
}

/** The document and all open shadow roots. */
const roots = () => [document, ...hosts().map((host) => host.shadowRoot)];

/** The labels of a form control. One walk for all of them: the browser's own `labels` is one walk for each. */
function labelsOf(element) {
  if (!memo.labels) {
    memo.labels = new Map();
    for (const root of roots()) {
      for (const label of root.querySelectorAll("label")) {
        const control = label.control && labelled(label.control);
        if (control) memo.labels.set(control, [...(memo.labels.get(control) ?? []), label]);
      }
    }
  }
  return memo.labels.get(element) ?? [];
}

/** What a label is read as a label of: of a custom element that means nothing by itself, the only field inside it. */
function labelled(control) {
  if (!control.shadowRoot || roleOf(control)) return control;
  const fields = collect(control, FIELDS).filter((field) => !isGroup(field));
  return fields.length === 1 ? fields[0] : control;
}

/**
 * All elements below `scope` that match a selector: into open shadow roots and, from within one, into what is slotted
 * there. Each shadow tree is asked by itself: a selector does not reach across.
 * @returns {Element[]} in document order, a host before its shadow tree
 */
function collect(scope, selector) {
  const found = [];
  gather(scope, selector, found);
  if (hosts().length === 0 || !(scope instanceof Element) || !(scope.getRootNode() instanceof ShadowRoot)) return found;
  const slots = [...scope.querySelectorAll("slot")];
  if (scope.localName === "slot") slots.unshift(scope);
  for (const slot of slots) {
    for (const assigned of slot.assignedElements({ flatten: true })) {
      if (assigned.matches(selector)) found.push(assigned);
      gather(assigned, selector, found);
    }
  }
  return [...new Set(found)];
}

function gather(scope, selector, found) {
  if (scope.shadowRoot) gather(scope.shadowRoot, selector, found);
  const own = scope.querySelectorAll(selector);
  const inner = hosts().filter((host) => host !== scope && scope.contains(host));
  let next = 0;
  for (const host of inner) {
    while (next < own.length && !(host.compareDocumentPosition(own[next]) & Node.DOCUMENT_POSITION_FOLLOWING)) found.push(own[next++]);
    gather(host.shadowRoot, selector, found);
  }
  while (next < own.length) found.push(own[next++]);
}

/** The element that this one is shown in. @returns {Element | null} */
function parentOf(node) {
  if (node.assignedSlot) return node.assignedSlot;
  const parent = node.parentNode;
  return parent instanceof ShadowRoot ? parent.host : node.parentElement;
}

/** The nodes shown in an element. @returns {Iterable<Node>} */
function childrenOf(element) {
  if (element.shadowRoot) return element.shadowRoot.childNodes;
  if (element.localName === "slot") {
    const assigned = element.assignedNodes({ flatten: true });
    if (assigned.length) return assigned;
  }
  return element.childNodes;
}

/** Those around an element and itself, from the outside in, as they are shown. */
function pathTo(element) {
  const path = [];
  for (let at = element; at; at = parentOf(at)) path.unshift(at);
  return path;
}

/** The same elements in the order in which they are shown: slotted ones where their slots are. */
function inOrder(elements) {
  if (elements.length < 2 || hosts().length === 0) return elements;
  const paths = new Map(elements.map((element) => [element, pathTo(element)]));
  return [...elements].sort((one, other) => (comesBefore(paths.get(one), paths.get(other)) ? -1 : 1));
}

/** Of two elements, by what is around them: is the one shown before the other, or around it? */
function comesBefore(path, beside) {
  const parting = path.findIndex((element, depth) => element !== beside[depth]);
  if (parting < 0) return path.length < beside.length;
  if (!beside[parting]) return false;
  return Boolean(path[parting].compareDocumentPosition(beside[parting]) & Node.DOCUMENT_POSITION_FOLLOWING);
}

/** Is it this element, or shown inside it? */
function isWithin(container, element) {
  for (let at = element; at; at = parentOf(at)) if (at === container) return true;
  return false;
}

/** The nearest element around this one (not itself) for which it is so. */
function around(element, isSo) {
  for (let at = parentOf(element); at; at = parentOf(at)) if (isSo(at)) return at;
  return null;
}

/** Is it, or something around it, kept from people's eyes by the app: `aria-hidden`, `inert`? */
function isShielded(element) {
  const known = memo.shielded.get(element);
  if (known !== undefined) return known;
  const parent = parentOf(element);
  // Chromium takes no `aria-hidden` from the root or the body: it would take away the page. A modal dialog is in the
  // top layer and escapes the inertness around it.
  const own = (element.getAttribute("aria-hidden") === "true" && element !== document.body && element !== document.documentElement)
    || element.inert;
  const shielded = own || (parent !== null && !isModal(element) && isShielded(parent));
  memo.shielded.set(element, shielded);
  return shielded;
}

const isModal = (element) => element.localName === "dialog" && element.matches(":modal");

/** Has it been laid out: no `display: none`, no `visibility: hidden`, not folded away in `details`? */
function isRendered(element) {
  const known = memo.rendered.get(element);
  if (known !== undefined) return known;
  let rendered = element.checkVisibility({ visibilityProperty: true });
  if (!rendered && element.isConnected) {
    // What has no box of its own but lives through its children, or through the control that shows it.
    const parent = parentOf(element);
    const style = getComputedStyle(element);
    const boxless = style.display === "contents" || ((element.localName === "option" || element.localName === "optgroup") && style.display !== "none");
    rendered = boxless && style.visibility === "visible" && parent !== null && isRendered(parent);
  }
  memo.rendered.set(element, rendered);
  return rendered;
}

/** Is it there for people and their helpers: rendered and not shielded? */
const isExposed = (element) => isRendered(element) && !isShielded(element);

/** Does it, or what it holds, take up room? */
function hasBox(element) {
  const known = memo.boxed.get(element);
  if (known !== undefined) return known;
  const { width, height } = element.getBoundingClientRect();
  let boxed = width > 0 && height > 0;
  // A wrapper of no size around fixed or floating content (a dialog's portal) shows that content.
  if (!boxed) {
    for (const child of childrenOf(element)) {
      if (child.nodeType === Node.ELEMENT_NODE ? isRendered(child) && hasBox(child) : element.localName !== "option" && textBox(child)) {
        boxed = true;
        break;
      }
    }
  }
  // Checkboxes that are drawn by their label often have no size themselves.
  if (!boxed && isTickable(element)) boxed = labelsOf(element).some((label) => isRendered(label) && hasBox(label));
  memo.boxed.set(element, boxed);
  return boxed;
}

function textBox(node) {
  if (node.nodeType !== Node.TEXT_NODE || !/\S/.test(node.data)) return false;
  const range = document.createRange();
  range.selectNodeContents(node);
  const { width, height } = range.getBoundingClientRect();
  return width > 0 && height > 0;
}

const isTickable = (element) => element.localName === "input" && (element.type === "checkbox" || element.type === "radio");

/** Exposed and of some size. */
const isVisible = (element) => (isExposed(element) && hasBox(element)) || isPickedByLabel(element);

/** A file input that is put away behind a label made to look like a button: what people press is that label. */
const isPickedByLabel = (element) => element.localName === "input" && element.type === "file" && labelsOf(element).some((label) => isExposed(label) && hasBox(label));

/** The modal dialog on top, which makes the rest of the page unreachable. @returns {Element | null} */
function modal() {
  if (memo.modal === undefined) {
    const open = roots().flatMap((root) => [...root.querySelectorAll("dialog:modal")]);
    // The order of the top layer cannot be read: the one that is hit at its own centre is in front.
    memo.modal = open.length < 2 ? open[0] ?? null : open.findLast((dialog) => {
      const { x, y, width, height } = dialog.getBoundingClientRect();
      const hit = hitAt(x + width / 2, y + height / 2);
      return hit && isWithin(dialog, hit);
    }) ?? open.at(-1);
  }
  return memo.modal;
}

/** Is it out of reach behind a modal dialog? */
function isBehind(element) {
  const front = modal();
  return front !== null && !isWithin(front, element);
}

/** Can it not be used: disabled by itself, by a fieldset, by ARIA, or as a part of something disabled? */
function isDisabled(element) {
  for (let at = element; at; at = parentOf(at)) {
    if (at.getAttribute("aria-disabled") === "true") return true;
    if (at.matches(":disabled") && (at === element || at.localName !== "fieldset")) return true;
  }
  return false;
}

/** The innermost element at a point of the viewport, through open shadow roots. */
function hitAt(x, y) {
  let hit = document.elementFromPoint(x, y);
  while (hit?.shadowRoot) {
    const inner = hit.shadowRoot.elementFromPoint(x, y);
    if (!inner || inner === hit) return slotAt(hit, x, y) ?? hit;
    hit = inner;
  }
  return hit;
}

/** The browser takes a host's own text for the host, though it is shown in a slot inside, in a button perhaps. */
function slotAt(host, x, y) {
  const range = document.createRange();
  for (const node of host.childNodes) {
    if (node.nodeType !== Node.TEXT_NODE || !node.assignedSlot) continue;
    range.selectNodeContents(node);
    if ([...range.getClientRects()].some(({ left, top, right, bottom }) => left <= x && x < right && top <= y && y < bottom)) return node.assignedSlot;
  }
  return null;
}
