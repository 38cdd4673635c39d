// Text: folding, comparing, nearness, quoting. It must not know elements.

/** Runs of white space are one space, none at the ends. The signs of icon fonts (private use) are no text. */
const fold = (text) => text.replace(ICONS, "").replace(/\s+/g, " ").trim();

const ICONS = /[\uE000-\uF8FF\u{F0000}-\u{10FFFD}]+/gu;

/**
 * A text as identities are compared; `query/same.rs` is the same function, and `tests/inject/same.json` holds both to
 * it: without invisible characters, full-width forms made plain, white space folded, NFC, and case folded in full.
 */
function canonical(text, ignoreCase) {
  const plain = text.replace(/\p{Default_Ignorable_Code_Point}+/gu, "").replace(/[\uFF01-\uFFEE]/g, (letter) => letter.normalize("NFKC"));
  const folded = plain.replace(/[\s\u0085]+/g, " ").trim().normalize("NFC");
  if (!ignoreCase) return folded;
  // Full case folding: up and down again turns `ß` into `ss`. A dotless i would come back as another letter.
  const lower = folded.replace(/[^\u0131]+/gu, (part) => part.toLowerCase().toUpperCase().toLowerCase());
  return lower.replaceAll("\u03C2", "\u03C3").normalize("NFC");
}

/** Serde's external tagging: an object with one key. @returns {[string, any]} */
const variant = (tagged) => Object.entries(tagged)[0];

/**
 * A predicate for a `TextMatch`.
 * @param {object} match `{exact}`, `{contains}`, `{whole}` or `{glob}`
 * @param {(text: string) => string} [trim] removes what does not count (on both sides, in whole comparisons)
 * @returns {(text: string) => boolean} of folded text
 */
function matcher(match, trim = (text) => text) {
  const [how, raw] = variant(match);
  const wanted = fold(raw);
  if (how === "exact") {
    const bare = trim(wanted);
    return (text) => text === wanted || trim(text) === bare;
  }
  if (how === "contains") {
    const lower = wanted.toLowerCase();
    return (text) => text.toLowerCase().includes(lower);
  }
  if (how === "whole") {
    const pattern = new RegExp(`(?<![\\p{L}\\p{N}@._+-])${escapeRegExp(wanted)}(?![\\p{L}\\p{N}@_+-]|\\.[\\p{L}\\p{N}])`, "iu");
    return (text) => pattern.test(text);
  }
  const parts = wanted.split("*").map((part) => part.split("{n}").map(escapeRegExp).join(NUMBER));
  const pattern = new RegExp(`^${parts.join(".*")}$`, "su");
  return (text) => pattern.test(text) || pattern.test(trim(text));
}

/** Digits, in groups or not: `1,204`. */
const NUMBER = "(?:\\p{Nd}{1,2}(?:,\\p{Nd}{2})+,\\p{Nd}{3}|\\p{Nd}+(?:[.,'\u2019\u066C \u00A0\u2009\u202F]\\p{Nd}{3})*)";
/**
 * A predicate for a `TextMatch` that a text only has to contain. An exact one must be there as a whole, in the same case,
 * and not as a part of something longer: `ada@x` is not in `nada@x` nor in `ada@x.org`.
 */
function holder(match) {
  const [how, raw] = variant(match);
  if (how !== "exact") return matcher(match);
  const wanted = fold(raw);
  if (!wanted) return () => true;
  const before = /^[\p{L}\p{N}_]/u.test(wanted) ? "(?<![\\p{L}\\p{N}_@.+\\-])" : "";
  const after = /[\p{L}\p{N}_]$/u.test(wanted) ? "(?![\\p{L}\\p{N}_@+\\-]|\\.[\\p{L}\\p{N}])" : "";
  const pattern = new RegExp(before + escapeRegExp(wanted) + after, "u");
  return (text) => pattern.test(text);
}

const escapeRegExp = (text) => text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");

/** The label without marks such as "*" for a required field or ":" before the field. */
const bareLabel = (text) => text.replace(/\s*(?:[*:：]|\(\*\))+(?:\s*[*:：])*$/u, "");

/** The header without the arrow that shows how the column is sorted. */
const bareHeader = (text) => text.replace(/\s*[▲▼△▽▴▾▵▿↑↓↕⇅⇵⬆⬇]\uFE0E?$/u, "");

/** The words that every matching text contains, for cheap pruning. @returns {{words: string[], lower: boolean}} */
function clues(match) {
  const [how, raw] = variant(match);
  const lower = how === "contains" || how === "whole";
  const words = (lower ? raw.toLowerCase() : raw).split(how === "glob" ? /\s+|\*|\{n\}/ : /\s+/).filter(Boolean);
  return { words, lower };
}

const clip = (text, most = 80) => (text.length > most ? `${text.slice(0, most - 1).trimEnd()}…` : text);

const quote = (text, most = 80) => `"${clip(text, most)}"`;

/** `"Save"`, `containing "Save"`, `like "Save*"`. */
function sayMatch(match) {
  const [how, raw] = variant(match);
  const text = quote(fold(raw));
  return how === "exact" ? text : how === "contains" || how === "whole" ? `containing ${text}` : `like ${text}`;
}

/** The text that a `TextMatch` is about. */
const essence = (match) => fold(variant(match)[1]).replaceAll("*", "");

/** Edits from one text to the other (Levenshtein), over at most 64 characters of each. */
function distance(one, other) {
  const a = one.slice(0, 64);
  const b = other.slice(0, 64);
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const line = [row];
    for (let column = 1; column <= b.length; column++) {
      const change = above[column - 1] + (a[row - 1] === b[column - 1] ? 0 : 1);
      line.push(Math.min(change, above[column] + 1, line[column - 1] + 1));
    }
    above = line;
  }
  return above[b.length];
}

/** How different two texts are: 0 if they differ at most in case, up to 1 for nothing in common. */
function strangeness(wanted, text) {
  const a = wanted.toLowerCase();
  const b = text.toLowerCase();
  if (a === b) return 0;
  if (!a || !b) return 1;
  if (a.includes(b) || b.includes(a)) return 0.2 + 0.2 * (1 - Math.min(a.length, b.length) / Math.max(a.length, b.length));
  return distance(a, b) / Math.max(Math.min(a.length, 64), Math.min(b.length, 64));
}

/**
 * The items whose text is nearest to the wanted one, nearest first.
 * @template T @param {T[]} items @param {(item: T) => string} textOfItem @returns {T[]}
 */
function nearest(wanted, items, textOfItem, most = 8) {
  return items
    .map((item, order) => ({ item, order, far: strangeness(wanted, textOfItem(item)) }))
    .filter(({ far }) => far <= 0.5)
    .sort((a, b) => a.far - b.far || a.order - b.order)
    .slice(0, most)
    .map(({ item }) => item);
}
