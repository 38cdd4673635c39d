// Who an element is about: exactly one person, by the whole identity, in text that a person can see. `query/about.rs` has
// the same rules for texts, and `tests/inject/about.json` holds both to them.

/** What continues an identity: `o'ada`, `corp/ada`, `ada-old`, `ada@acme.example.org` are other people. */
const GOES_ON_BEFORE = /(?:[\p{L}\p{N}\p{M}_@.+\-/\\#&%*=^~$|!{}]|[\p{L}\p{N}\p{M}_]['’`"])$/u;
const GOES_ON_AFTER = /^(?:[\p{L}\p{N}\p{M}_@+\-/\\#&%*=^~$|{}…]|\.\.|[.:?!'’`][\p{L}\p{N}\p{M}_@])/u;
const POSSESSIVE = /^['’]s(?:$|[^\p{L}\p{N}\p{M}_@.'’-])/u;
const ADDRESS = /[^\s<>()[\],;:"“”„«»‹›@]+@[^\s<>()[\],;:"“”„«»‹›@]+/gu;

/** What speaks of more people without naming them: "and 1 other", "+2 more", "3 users", "2 selected". */
const COUNT = "(?:\\d+|an?|one|two|three|four|five|several|ein(?:e[nr]?)?|zwei|drei|une?|deux|trois|uno?|una|dos|tres|due|tre)";
const MORE_THAN_ONE = "(?:[2-9]|\\d{2,}|two|three|four|five|six|seven|eight|nine|ten|several|multiple|both|zwei|drei|mehrere|deux|trois|plusieurs|dos|tres|varios|due|tre)";
const OTHER_PEOPLE = "(?:others?|more|weitere[nrs]?|andere[nrs]?|autres?|otr[oa]s?|más|altr[aeio]|outr[oa]s?|mais)";
const ANY_PEOPLE = "(?:users|people|persons|members|accounts|employees|profiles|guests|contacts|selected|benutzer|nutzer|personen|mitglieder|konten|ausgewählte?|utilisateurs|personnes|membres|comptes|usuarios|personas|miembros|cuentas|utenti|persone|membri)";
const SPEAKS_OF_MORE = new RegExp(`(?:^|[^\\p{L}\\p{N}])((?:and|&|\\+|plus|und|et|y|e) ?(?:${COUNT} ${OTHER_PEOPLE}|others)|${MORE_THAN_ONE} (?:${OTHER_PEOPLE} |selected )?${ANY_PEOPLE})(?:[^\\p{L}\\p{N}]|$)`, "iu");
/** The same, right after an identity, and perhaps a name in brackets: "+2". A telephone number goes on. */
const PLUS_MORE = /^["'’”»>)\]]*(?: ?\([^()]*\))? ?,? ?(\+ ?\d{1,3}) *(?:$|[^ \d(\-./]|\.(?:$| ))/u;

/** The words that speak of more people than the one who has this identity. Both texts are canonical. */
function moreThanOne(text, identity) {
  for (let at = text.indexOf(identity); at >= 0; at = text.indexOf(identity, at + 1)) {
    const plus = PLUS_MORE.exec(text.slice(at + identity.length));
    if (plus) return plus[1];
  }
  return SPEAKS_OF_MORE.exec(text)?.[1];
}

/** Does an identity between these two stand for itself? */
function isWhole(before, after) {
  if (GOES_ON_BEFORE.test(before)) return false;
  // Quotes stand on both sides, or the first one is a part of the name.
  for (const mark of ["'", "`", "’"]) if (before.endsWith(mark) && !after.startsWith(mark)) return false;
  return !GOES_ON_AFTER.test(after) || POSSESSIVE.test(after);
}

/** Is this identity in the text, as a whole? Both are canonical. */
function hasWhole(text, identity) {
  for (let at = text.indexOf(identity); at >= 0; at = text.indexOf(identity, at + 1)) if (isWhole(text.slice(0, at), text.slice(at + identity.length))) return true;
  return false;
}

/** An address without the marks of the sentence around it. */
const bareAddress = (address) => address.replace(/^[.?!'’‘`…]+|[.?!'’‘`…]+$/gu, "");

/**
 * Why a text is not about this person alone. Null: it is.
 * @param {{identity: string, ignore_case: boolean, own?: string[]}} person @param {Iterable<string>} others identities that the page has shown
 */
function troubleOf(person, text, others = []) {
  const shown = canonical(text, person.ignore_case);
  const identity = canonical(person.identity, person.ignore_case);
  if (!identity) return "does not name a person";
  if (!hasWhole(shown, identity)) return `does not show ${quote(person.identity)} as a whole`;
  const more = moreThanOne(shown, identity);
  if (more) return `also speaks of ${quote(more)}`;
  const own = (person.own ?? []).map((one) => canonical(one, true));
  const isOwn = (address) => address === identity || own.includes(canonical(address, true)) || (!identity.includes("@") && own.length === 0 && address.split("@")[0] === identity);
  const address = (shown.match(ADDRESS) ?? []).map(bareAddress).find((one) => !isOwn(one));
  if (address) return `also names ${quote(address)}`;
  for (const other of others) {
    const name = canonical(other, person.ignore_case);
    if (name.length > 1 && name !== identity && !isOwn(name) && !identity.includes(name) && hasWhole(shown, name)) return `also names ${quote(other)}`;
  }
  return null;
}

/** The identities that this document has shown in its lists. */
const shownIdentities = new Set();

function noteIdentity(text) {
  if (text && shownIdentities.size < 5000) shownIdentities.add(text);
}

const personTrouble = (person, element) => troubleOf(person, fold(seenText(element)), shownIdentities);

const CHOICE = /^(?:option|radio|switch|menuitemradio|menuitemcheckbox|listbox|combobox|radiogroup|textbox|searchbox|spinbutton)$/;

/** The text that a person can see, outside of what can be chosen or typed. */
function seenText(element) {
  const boxes = collect(element, roleSelector("checkbox")).length;
  const isChoice = (part) => {
    if (/^(?:select|option|datalist|input|textarea|script|style|template|noscript)$/.test(dom.localName(part)) || CHOICE.test(roleOf(part) ?? "")) return true;
    const ticked = dom.localName(part) === "label" && dom.control(part) && isTickable(dom.control(part)) ? dom.type(dom.control(part)) : isRole(part, "checkbox") ? "checkbox" : null;
    // One box to tick is a confirmation; several are a list.
    return ticked === "radio" || (ticked === "checkbox" && boxes > 1);
  };
  const read = (part) => {
    let text = "";
    for (const child of childrenOf(part)) {
      if (isText(child)) text += isSeen(child) ? child.data : "";
      else if (dom.localName(child) === "br") text += " ";
      else if (isElement(child) && !isChoice(child) && isRendered(child)) text += isInline(child) ? read(child) : ` ${read(child)} `;
    }
    return text;
  };
  return read(element);
}

/** Can a person see this text: not transparent, not clipped away, not outside the page? */
function isSeen(node) {
  if (!/\S/.test(node.data)) return true;
  const holder = dom.assignedSlot(node) ?? parentOf(node);
  if (!holder) return false;
  const range = new Range();
  range.selectNodeContents(node);
  let rects = [...range.getClientRects()].filter(({ width, height, right, bottom }) => width > 1 && height > 1 && right + scrollX > 0 && bottom + scrollY > 0);
  if (/(?:^|, )(?:0|0?\.0\d*)\)$|\/ 0(?:\.0\d*)?\)$/.test(alphaOf(getComputedStyle(holder).color))) return false;
  let opacity = 1;
  // What is positioned is clipped only by its containing block and the elements around that; in the top layer by nothing.
  let clipped = "static";
  for (let at = holder; at && rects.length; at = parentOf(at)) {
    const style = getComputedStyle(at);
    const isClip = clipped === "static" || (clipped === "absolute" && style.position !== "static");
    opacity *= Number(style.opacity);
    if (opacity < 0.1 || (style.clip !== "auto" && style.position !== "static") || /inset\((?:50|100)%|circle\(0|polygon\(0(?:px|%)? 0(?:px|%)?, 0/.test(style.clipPath)) return false;
    if (isClip) clipped = isModal(at) ? "fixed" : style.position === "absolute" || style.position === "fixed" ? style.position : "static";
    if (!isClip || !/hidden|clip/.test(style.overflow) || at === dom.body(document) || at === dom.documentElement(document)) continue;
    const box = dom.getBoundingClientRect(at);
    rects = rects.filter((rect) => Math.min(rect.right, box.right) - Math.max(rect.left, box.left) > 1 && Math.min(rect.bottom, box.bottom) - Math.max(rect.top, box.top) > 1);
  }
  return rects.length > 0;
}

/** Only colors with an alpha value have one. */
const alphaOf = (color) => (/^rgba\(|\//.test(color) ? color : "");
