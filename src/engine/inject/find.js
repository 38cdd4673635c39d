// Finding: from a target to elements, strictly or leniently, and the messages when it fails.

/** An attempt that failed. Its message is made only if it is the last attempt. */
class Miss {
  /**
   * @param {string} kind a `RefusalKind`
   * @param {() => string} message @param {() => string[]} [candidates]
   * @param {boolean} [final] waiting does not help
   */
  constructor(kind, message, candidates = () => [], final = false) {
    Object.assign(this, { kind, message, candidates, final });
  }

  refusal() {
    return { kind: this.kind, message: this.message(), candidates: this.candidates().slice(0, 8) };
  }
}

/** Nothing visible matched. Hidden matches and near ones are searched only for the message. */
class Nothing extends Miss {
  constructor(query, scope) {
    super("not_found");
    Object.assign(this, { query, scope });
  }

  refusal() {
    const { query, scope } = this;
    const others = query.about ? attempt(() => find({ ...query, about: undefined }, scope, {})) ?? [] : [];
    if (others.length === 1) {
      const why = personTrouble(query.about, others[0]);
      return { kind: why.startsWith("also names") ? "names_others" : "not_found", message: `${describe(others[0])} ${why}`, candidates: [] };
    }
    const [kind, record] = variant(query.by);
    const unseen = kind === "record" && !query.within ? hiddenIdentity(record, scope) : null;
    if (unseen) return { kind: "hidden", message: `${sayQuery(query)}: ${unseen}`, candidates: [] };
    const hidden = attempt(() => find({ ...query, nth: undefined }, scope, { hidden: true })) ?? [];
    if (hidden.length) {
      const front = attempt(() => collect(document, roleSelector("dialog")).findLast((dialog) => isRole(dialog, "dialog") && isVisible(dialog)));
      const behind = front && !isWithin(front, hidden[0]) && isShielded(hidden[0]) ? `: behind ${describe(front)}` : "";
      return { kind: "hidden", message: `${sayQuery(query)} is on the page, but not visible${behind}`, candidates: hidden.slice(0, 8).map(describeWhere) };
    }
    return { kind: "not_found", message: `no ${sayQuery(query)}`, candidates: attempt(() => near(query, scope)) ?? [] };
  }
}

/** The value, or undefined if the attempt fails. A final failure (an unreadable selector) is thrown. */
function attempt(work) {
  try {
    return work();
  } catch (error) {
    if (error instanceof Miss && !error.final) return undefined;
    throw error;
  }
}

/**
 * The one visible element of a target. @throws {Miss}
 * @returns {Element}
 */
function one(target, scope = document) {
  let worst = null;
  let chosen = null;
  for (const query of target.any) {
    try {
      const element = only(query, scope);
      if (!target.agree) return element;
      if (chosen && chosen.element !== element) {
        const { query: first, element: other } = chosen;
        throw new Miss("disagree", () => `${sayQuery(first)} and ${sayQuery(query)} are not the same element`, () => [other, element].map(describeWhere));
      }
      chosen ??= { query, element };
    } catch (error) {
      if (!(error instanceof Miss)) throw error;
      if (error.final || error.kind === "disagree") throw error;
      // Two matches explain the problem better than none.
      if (!worst || (worst instanceof Nothing && !(error instanceof Nothing))) worst = error;
    }
  }
  if (chosen) return chosen.element;
  throw worst ?? new Miss("not_found", () => "the target has no locator");
}

function only(query, scope) {
  const found = find(query, scope, {});
  if (found.length === 1) return found[0];
  if (found.length === 0) throw new Nothing(query, scope);
  throw new Miss("ambiguous", () => `${found.length} elements match ${sayQuery(query)}`, () => found.slice(0, 8).map(describeWhere));
}

/**
 * All visible elements of the first alternative that has any. Lenient: of two containers both are searched, because a
 * condition asks whether *any* such element is visible.
 */
function any(target, scope = document) {
  for (const query of target.any) {
    const found = attempt(() => find(query, scope, { lenient: true }));
    if (found?.length) return found;
  }
  return [];
}

/**
 * @param {{lenient?: boolean, hidden?: boolean}} how `hidden`: only those that match but are not visible
 * @returns {Element[]} in the order in which they are shown
 */
function find(query, scope, how) {
  const scopes = !query.within ? [scope] : how.lenient ? any(query.within, scope) : [one(query.within, scope)];
  let found = scopes.flatMap((inside) => candidates(query.by, inside, how));
  if (scopes.length > 1) found = [...new Set(found)];
  if (query.text) {
    const matches = holder(query.text);
    found = found.filter((element) => matches(textOf(element)));
  }
  if (query.about) found = found.filter((element) => !personTrouble(query.about, element));
  if (query.under) found = found.filter(underHeading(query.under));
  for (const inner of query.has ?? []) found = found.filter((element) => (attempt(() => find(inner, element, { lenient: true })) ?? []).length > 0);
  // Elements behind a modal dialog count only if none in front matches: then the press fails with the reason.
  if (found.length > 1 && modal()) {
    const reachable = found.filter((element) => !isBehind(element));
    if (reachable.length) found = reachable;
  }
  // Of a control that the page draws itself and its original, which is cut to nothing, people see the former.
  if (found.length > 1) {
    const drawn = found.filter((element) => !isCut(element));
    if (drawn.length) found = drawn;
  }
  found = inOrder(found);
  if (query.nth === undefined || query.nth === null) return found;
  return found.slice(query.nth, query.nth + 1);
}

/**
 * A predicate for elements under a heading of this name: after it, and before the next one of its level or a higher one.
 * For pages whose parts differ by nothing else.
 * @returns {(element: Element) => boolean}
 */
function underHeading(match) {
  const matches = matcher(match);
  const all = inOrder(collect(document, roleSelector("heading")).filter((element) => isRole(element, "heading") && isVisible(element)));
  const parts = [];
  all.forEach((heading, index) => {
    if (!matches(nameOf(heading)) && !matches(textOf(heading))) return;
    const next = all.slice(index + 1).find((other) => levelOf(other) <= levelOf(heading));
    parts.push({ from: pathTo(heading), to: next && pathTo(next) });
  });
  return (element) => {
    const path = pathTo(element);
    return parts.some(({ from, to }) => comesBefore(from, path) && !(to && comesBefore(to, path)));
  };
}

/** The level of a heading: by its ARIA attribute or its element; 2 without either. */
const levelOf = (heading) => Number(dom.getAttribute(heading, "aria-level")) || Number(/^h([1-6])$/.exec(dom.localName(heading))?.[1]) || 2;

function candidates(by, scope, how) {
  const wanted = how.hidden ? (element) => !isVisible(element) : isVisible;
  const [kind, value] = variant(by);
  switch (kind) {
    case "role": {
      const matches = value.name ? matcher(value.name) : null;
      const called = (element) =>
        (mayBeCalled(element, value.name) && matches(nameOf(element))) || (SAYS.test(value.role) && matches(textOf(element)));
      return collect(scope, roleSelector(value.role)).filter((element) => isRole(element, value.role) && (!matches || called(element)) && wanted(element));
    }
    case "label":
      return byLabel(value, scope, wanted);
    case "text":
      return byText(value, scope, wanted, how);
    case "test_id": {
      const id = CSS.escape(value);
      return collect(scope, ["data-testid", "data-test-id", "data-test", "data-cy"].map((name) => `[${name}="${id}"]`).join(",")).filter(wanted);
    }
    case "placeholder":
    case "title": {
      const matches = matcher(value);
      return collect(scope, `[${kind}]`).filter((element) => matches(fold(dom.getAttribute(element, kind))) && wanted(element));
    }
    case "frame": {
      const matches = matcher(value);
      const called = (element) => [nameOf(element), dom.title(element), dom.name(element), dom.getAttribute(element, "src"), dom.src(element)].some((name) => name && matches(fold(name)));
      return collect(scope, "iframe,frame").filter((element) => called(element) && wanted(element));
    }
    case "css":
      return legible(value, () => collect(scope, value)).filter(wanted);
    case "xpath":
      return legible(value, () => byXpath(value, scope)).filter(wanted);
    case "record":
      return byRecord(value, scope, wanted, how);
    default:
      throw new Miss("not_found", () => `unknown kind of locator: ${kind}`, undefined, true);
  }
}

/** Form controls of HTML and of apps, and groups of them. */
const FIELDS = [
  "input:not([type=hidden i],[type=submit i],[type=reset i],[type=button i],[type=image i])", "textarea", "select", "fieldset", "meter", "progress",
  "[contenteditable]:not([contenteditable=false i])", "button[aria-haspopup=listbox]",
  ..."textbox searchbox combobox listbox checkbox switch radio spinbutton slider group radiogroup".split(" ").map((role) => `[role~=${role} i]`),
].join(",");

function byLabel(match, scope, wanted) {
  const matches = matcher(match, bareLabel);
  const found = collect(scope, FIELDS).filter((field) => {
    if (!matches(nameOf(field)) && !labelTexts(field).some((text) => matches(text))) return false;
    return wanted(field);
  });
  if (found.length < 2) return found;
  // Of a fieldset and a radio group of the same name, the inner group is meant; of a combobox, neither its input nor its open list.
  const isListOf = (field, other) => other !== field && isList(field) && !isList(other) && listOf(other) === field;
  const stands = (field) => !(isGroup(field) && found.some((other) => other !== field && isWithin(field, other))) && !found.includes(wrapperOf(field)) && !found.some((other) => isListOf(field, other));
  return found.filter(stands);
}

/** The labels that people read, in addition to the accessible name of a field. */
function labelTexts(field) {
  const texts = labelsOf(field).map(textOf);
  if (!texts.length && !nameOf(field)) texts.push(...textBefore(field), ...headOfRow(field));
  return texts;
}

/** The text directly before a field: it names a field without a name. */
function textBefore(field) {
  for (let node = dom.previousSibling(field); node; node = dom.previousSibling(node)) {
    if (isText(node) && fold(node.data)) return [fold(node.data)];
    if (!isElement(node)) continue;
    // A text of another field does not count.
    if (dom.matches(node, FIELDS) || dom.localName(node) === "br" || dom.control(node) || dom.querySelector(node, FIELDS)) break;
    if (isExposed(node) && textOf(node)) return [textOf(node)];
  }
  return [];
}

/** The header of the row before a field: in a form that is laid out as a table, it names a field without a name. */
function headOfRow(field) {
  const cell = around(field, isCell);
  const row = cell && roleOf(cell) === "cell" && around(cell, (outer) => isRole(outer, "row"));
  const heads = row ? cellsOf(row).filter((other) => roleOf(other) === "rowheader" && comesBefore(pathTo(other), pathTo(cell))) : [];
  return heads.length ? [textOf(heads.at(-1))] : [];
}

/** Roles that are named by their text. Most of them have no accessible name from content; the name of a cell may include its sorting links, which people do not read. */
const SAYS = /^(?:alert|status|row|listitem|cell|gridcell|columnheader|rowheader)$/;

const isGroup = (element) => dom.localName(element) === "fieldset" || /^(?:group|radiogroup)$/.test(roleOf(element));

function byText(match, scope, wanted, how) {
  const matches = matcher(match);
  const { words, lower } = clues(match);
  const top = scope === document ? dom.documentElement(document) : scope;
  const withHosts = new Set();
  for (const host of hosts()) for (let at = host; at && !withHosts.has(at); at = parentOf(at)) withHosts.add(at);
  for (const slot of collect(document, "slot")) for (let at = slot; at && !withHosts.has(at); at = parentOf(at)) withHosts.add(at);
  for (const button of collect(document, "input[type=submit i],input[type=reset i],input[type=button i]")) for (let at = button; at && !withHosts.has(at); at = parentOf(at)) withHosts.add(at);
  const found = [];
  /** @returns {boolean} is it, or something inside it, a match? */
  const visit = (element) => {
    if (isUnread(element)) return false;
    if (!withHosts.has(element)) {
      const raw = lower ? dom.textContent(element).toLowerCase() : dom.textContent(element);
      if (!words.every((word) => raw.includes(word))) return false;
    }
    if (!how.hidden && !isExposed(element) && getComputedStyle(element).visibility === "visible") return false;
    let inner = false;
    for (const child of childrenOf(element)) if (isElement(child) && visit(child)) inner = true;
    if (inner) return true;
    if (!matches(how.hidden ? fold(dom.textContent(element)) : textOf(element)) || !wanted(element)) return false;
    found.push(element);
    return true;
  };
  // If the text has no element of its own, its container matches.
  if (top) visit(top);
  return found.length || how.hidden || !top ? found : besideOthers(match, top, wanted);
}

/** Elements in which a text is next to other elements: `<p><a>1</a> <a>2</a> 300 users</p>`. */
function besideOthers(match, top, wanted) {
  const matches = matcher(match);
  const { words, lower } = clues(match);
  if (hosts().length === 0) {
    const raw = lower ? dom.textContent(top).toLowerCase() : dom.textContent(top);
    if (!words.every((word) => raw.includes(word))) return [];
  }
  return collect(top, "*").filter((element) => {
    if (dom.childElementCount(element) === 0 || isUnread(element)) return false;
    const holds = (text) => words.every((word) => (lower ? text.toLowerCase() : text).includes(word)) && matches(text);
    return ownTexts(element).some(holds) && wanted(element);
  });
}

/** The folded texts between the elements of an element. */
function ownTexts(element) {
  const runs = [""];
  for (const child of childrenOf(element)) {
    if (isText(child)) runs[runs.length - 1] += child.data;
    else if (isElement(child)) runs.push("");
  }
  return runs.map(fold).filter(Boolean);
}

function byXpath(expression, scope) {
  const result = new XPathEvaluator().evaluate(expression, scope, null, XPathResult.ORDERED_NODE_SNAPSHOT_TYPE, null);
  const found = [];
  for (let index = 0; index < result.snapshotLength; index++) {
    const node = result.snapshotItem(index);
    if (isElement(node) && (scope === document || (node !== scope && isWithin(scope, node)))) found.push(node);
  }
  return found;
}

function legible(selector, work) {
  try {
    return work();
  } catch (error) {
    if (error instanceof DOMException || error instanceof TypeError) throw new Miss("bad_selector", () => `the page cannot read the selector ${quote(selector)}`, undefined, true);
    throw error;
  }
}

// ---- messages ---------------------------------------------------------------------------------

/** What the author may have meant: the same role by a near name, the same name in another role, else all that is there. */
function near(query, scope) {
  const inside = query.within ? one(query.within, scope) : scope;
  const [kind, value] = variant(query.by);
  const say = (elements) => elements.map(describeWhere);
  if (kind === "role") {
    const peers = collect(inside, roleSelector(value.role)).filter((element) => isRole(element, value.role) && isVisible(element)).slice(0, 400);
    if (!value.name) return [...new Set(collect(inside, "*").filter(isVisible).slice(0, 2000).map(roleOf).filter(Boolean))].slice(0, 8);
    const close = nearest(essence(value.name), peers, nameOf);
    if (close.length) return say(close);
    const others = collect(inside, CALLED).filter((element) => isVisible(element)).slice(0, 400);
    const called = nearest(essence(value.name), others, nameOf);
    return say(called.length ? called : peers);
  }
  if (kind === "label") {
    const fields = collect(inside, FIELDS).filter(isVisible).slice(0, 400);
    const close = nearest(essence(value), fields, (field) => bareLabel(nameOf(field) || (labelTexts(field)[0] ?? "")));
    return say(close.length ? close : fields);
  }
  if (kind === "text") {
    const leaves = collect(inside, "*").filter((element) => dom.childElementCount(element) === 0 && isVisible(element) && textOf(element)).slice(0, 2000);
    return nearest(essence(value), leaves, textOf).map((element) => quote(textOf(element)));
  }
  if (kind === "placeholder" || kind === "title") {
    return nearest(essence(value), collect(inside, `[${kind}]`).filter(isVisible).slice(0, 400), (element) => dom.getAttribute(element, kind)).map((element) => `${describe(element)} with ${kind} ${quote(dom.getAttribute(element, kind))}`);
  }
  if (kind === "test_id") {
    const ids = ["data-testid", "data-test-id", "data-test", "data-cy"].flatMap((name) => collect(inside, `[${name}]`).filter(isVisible).map((element) => dom.getAttribute(element, name)));
    return nearest(value, [...new Set(ids)].slice(0, 400), (id) => id).map((id) => quote(id));
  }
  if (kind === "record") return nearRecords(value, inside);
  if (kind === "frame") return collect(inside, "iframe,frame").filter(isVisible).map((element) => `frame ${quote(dom.title(element) || nameOf(element) || dom.name(element) || dom.src(element))}`);
  return [];
}

/** Elements that people call by a name. */
const CALLED = `${FIELDS},button,summary,input,a[href],h1,h2,h3,h4,h5,h6,dialog,table,option,${"button link tab menuitem option dialog alertdialog heading table grid alert status".split(" ").map((role) => `[role~=${role}]`).join(",")}`;

/** For people: `button "Save"`. */
function describe(element) {
  const role = roleOf(element);
  if (!role || role === "generic" || role === "presentation" || role === "none" || role === "paragraph") {
    const kind = dom.localName(element) === "input" ? `${dom.type(element)} field` : null;
    const name = kind ? nameOf(element) : fold(dom.getAttribute(element, "aria-label") ?? "") || textOf(element);
    return [kind ?? sayTag(element), name && quote(name, 60)].filter(Boolean).join(" ");
  }
  const name = nameOf(element) || (/^(?:alert|status|listitem|row|dialog|alertdialog)$/.test(role) ? textOf(element) : "");
  return name ? `${role} ${quote(name, 60)}` : `${role} without a name`;
}

function sayTag(element) {
  const mark = dom.id(element) ? `#${dom.id(element)}` : dom.classList(element).length ? `.${dom.classList(element)[0]}` : "";
  return `<${dom.localName(element)}${clip(mark, 40)}>`;
}

/** With its surroundings: `button "Edit" in row "ada@example.org Ada"`. */
function describeWhere(element) {
  const place = around(element, (outer) => /^(?:row|listitem|dialog|alertdialog|form|region|navigation|article|menu|tabpanel|group|radiogroup|table|main)$/.test(roleOf(outer)) && placeName(outer) !== "");
  if (place) return `${describe(element)} in ${roleOf(place)} ${quote(placeName(place), 60)}`;
  const heading = collect(document, "h1,h2,h3,h4,h5,h6,[role=heading]").findLast((one) => isVisible(one) && one !== element && !isWithin(one, element) && !isWithin(element, one) && dom.compareDocumentPosition(one, element) & Node.DOCUMENT_POSITION_FOLLOWING);
  return heading ? `${describe(element)} under heading ${quote(nameOf(heading), 60)}` : describe(element);
}

const placeName = (element) => nameOf(element) || (/^(?:listitem|row|article)$/.test(roleOf(element)) ? textOf(element) : "");

/** A query in words: `button "Save" in dialog "Edit member"`. */
function sayQuery(query) {
  const [kind, value] = variant(query.by);
  let said;
  if (kind === "role") said = value.name ? `${value.role} ${sayMatch(value.name)}` : value.role;
  else if (kind === "record") said = `record ${quote(value.equals)}`;
  else if (typeof value === "string") said = `${kind.replace("_", " ")} ${quote(value)}`;
  else said = `${kind === "label" ? "field labelled" : kind} ${sayMatch(value)}`;
  if (query.text) said += ` with text ${sayMatch(query.text)}`;
  if (query.about) said += ` about ${quote(query.about.identity)} alone`;
  if (query.under) said += ` under heading ${sayMatch(query.under)}`;
  for (const inner of query.has ?? []) said += ` that has ${sayQuery(inner)}`;
  if (typeof query.nth === "number") said += ` number ${query.nth + 1}`;
  return query.within ? `${said} in ${sayTarget(query.within)}` : said;
}

const sayTarget = (target) => target.any.map(sayQuery).join(" or ");
