// The browser's own properties and methods of nodes. A form has a property for each of its fields, and a document for each
// of its forms and images: in a form with a field `matches`, `form.matches` is that field, in every world. So this script
// reads nothing of a node by itself: `dom.matches(form, selector)` is what `form.matches(selector)` should be, and
// `dom.id(form)` what `form.id` should be.

/** The kinds of nodes, and what has the same methods, whose properties are read. */
const INTERFACES = [
  EventTarget, Node, Text, Element, HTMLElement, SVGElement, MathMLElement, Document, DocumentFragment, ShadowRoot, Range,
  HTMLButtonElement, HTMLFieldSetElement, HTMLFrameElement, HTMLIFrameElement, HTMLInputElement, HTMLLabelElement, HTMLLIElement,
  HTMLMeterElement, HTMLOptGroupElement, HTMLOptionElement, HTMLOutputElement, HTMLProgressElement, HTMLSelectElement,
  HTMLSlotElement, HTMLTableCellElement, HTMLTextAreaElement,
];

const OWN = `activeElement addEventListener assignedElements assignedNodes assignedSlot attributes blur body checkVisibility checked
  childElementCount childNodes children classList clientHeight clientLeft clientTop clientWidth closest colSpan
  compareDocumentPosition contains control createTreeWalker dispatchEvent documentElement elementFromPoint files firstChild focus
  form getAnimations getAttribute getBoundingClientRect getClientRects getElementById getRootNode hasAttribute host id inert innerText
  isConnected isContentEditable label localName matches multiple name namespaceURI nextSibling nodeType offsetHeight offsetWidth
  options parentElement parentNode previousSibling querySelector querySelectorAll readOnly rowSpan scope scrollHeight
  scrollIntoView scrollLeft scrollTo scrollTop scrollWidth scrollingElement select selectedOptions shadowRoot size src tabIndex
  textContent title type validationMessage validity value visibilityState`.split(/\s+/);

/** Each of them as a function of the node. Of a node without it, it is undefined. */
const dom = Object.fromEntries(OWN.map((name) => {
  // A field cannot have a symbol as its name. A node that was moved here from a frame has the prototype from there.
  const key = Symbol.for(`seatwright.${name}`);
  let isMethod = false;
  for (const { prototype } of INTERFACES) {
    const own = Object.getOwnPropertyDescriptor(prototype, name);
    if (!own) continue;
    Object.defineProperty(prototype, key, own);
    isMethod = !own.get;
  }
  return [name, isMethod ? (node, ...given) => node[key]?.(...given) : (node) => node[key]];
}));

const isElement = (node) => dom.nodeType(node) === Node.ELEMENT_NODE;

const isText = (node) => dom.nodeType(node) === Node.TEXT_NODE;
