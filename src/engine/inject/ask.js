// Asking: the loop that tries and waits, and the interface of the script.

/** The pauses between attempts, in milliseconds, if nothing changes. */
const PAUSES = [20, 50, 100, 250];

const WATCHED = new Set(["await", "aim", "aim_key", "hover", "scroll", "edit", "set", "text", "records", "scan"]);

/** Answers a `Question` with an `Answer`, both as in `src/query`. */
async function ask({ ask: asked, within, watch = [] }) {
  const watched = WATCHED.has(asked.ask) || asked.settle ? watch : [];
  try {
    switch (asked.ask) {
      case "probe":
        if (asked.settle) await settled();
        return await tried(watched, () => ({ answer: "holds", holds: asked.conditions.map(holds) }));
      case "await":
        return await afterLeaving(within, watched, () => ({ answer: "which", index: whichHolds(asked.any) }));
      case "aim":
        return await afterLeaving(within, watched, (round) => aim(asked.target, asked.owner, round));
      case "aim_key":
        return await trying(within, watched, () => aimKey(asked.target, asked.key, asked.search));
      case "hover":
        return await afterLeaving(within, watched, (round) => hover(asked.target, round));
      case "scroll":
        return await trying(within, watched, () => scroll(asked.target, asked.to));
      case "verdict":
        return await verdict(asked.token, within);
      case "edit":
        return await afterLeaving(within, watched, () => edit(asked.target));
      case "value":
        return await tried(watched, () => value(asked.token, asked.leave));
      case "review":
        return await tried(watched, () => ({ answer: "controls", controls: review(asked.fields) }));
      case "set":
        return await tried(watched, () => set(asked.token, asked.values));
      case "text":
        return await trying(within, watched, () => ({ answer: "text", text: readTarget(asked.target, asked.attribute) }));
      case "records":
        return await trying(within, watched, () => ({ answer: "records", ...readRecords(asked.view) }));
      case "scan":
        return await trying(within, watched, () => scan(asked));
      case "still":
        return { answer: "still", changed_ms: await still(within) };
      case "page":
        return await tried(watched, () => ({ answer: "page", ...pageFacts() }));
      case "contains":
        return await tried(watched, () => ({ answer: "contains", contains: pageContains(asked.needles) }));
      default:
        throw new Error(`unknown question ${asked.ask}`);
    }
  } catch (error) {
    if (error instanceof Miss) return { answer: "refused", ...error.refusal() };
    throw error;
  } finally {
    forget();
  }
}

/** One attempt. */
async function tried(watched, work) {
  forget();
  return interruption(watched) ?? work(0);
}

/** Tries until an attempt succeeds or the time is over; then the last miss is thrown. */
async function trying(within, watched, work) {
  const end = performance.now() + within;
  let changes = null;
  try {
    for (let round = 0; ; round++) {
      const begun = performance.now();
      try {
        return await tried(watched, () => work(round));
      } catch (miss) {
        const now = performance.now();
        if (!(miss instanceof Miss) || miss.final || now >= end) throw miss;
        changes ??= new Changes();
        // Attempts take at most half of the page's time, even if it changes all the time.
        await changes.next(Math.min(PAUSES[Math.min(round, PAUSES.length - 1)], end - now), now - begun);
      }
    }
  } finally {
    changes?.stop();
  }
}

/**
 * The same, for what a step waits for. The step may need what the page does when the last field is left (enabling a
 * button, closing a list that covers it). A person leaves the field by going to the next one; here it is left after some time,
 * or at once if that is the only way on.
 */
function afterLeaving(within, watched, work) {
  const leaveAt = performance.now() + Math.min(1000, within / 2);
  return trying(within, watched, async (round) => {
    try {
      return await work(round);
    } catch (miss) {
      const blocked = miss instanceof Miss && (miss.kind === "disabled" || miss.kind === "covered");
      if (within > 0 && (blocked || performance.now() >= leaveAt)) leaveEdited();
      throw miss;
    }
  });
}

/** Wakes when anything changes in the document or an open shadow tree. */
class Changes {
  constructor() {
    this.seen = false;
    this.wake = null;
    this.observed = new WeakSet();
    this.observer = new MutationObserver(() => {
      this.seen = true;
      this.wake?.();
    });
  }

  /** Resolves at a change (also one since the last call), after `most` ms at the latest, not before `least` ms. */
  async next(most, least) {
    for (const root of roots()) {
      if (this.observed.has(root)) continue;
      this.observed.add(root);
      this.observer.observe(root, { subtree: true, childList: true, attributes: true, characterData: true });
    }
    await pause(Math.min(least, most));
    if (!this.seen) {
      await new Promise((resolve) => {
        this.wake = resolve;
        setTimeout(resolve, Math.max(0, most - least));
      });
    }
    this.wake = null;
    this.seen = false;
  }

  stop() {
    this.observer.disconnect();
  }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until the effects of the last input have begun. */
async function settled() {
  await pause(0);
  await pause(0);
  await frame();
}

// ---- stillness ----------------------------------------------------------------------------------

/** Follows the changes of this document, from the first question on. @type {{at: number | null, observer: MutationObserver, observed: WeakSet<Node>} | null} */
let followed = null;

function followChanges() {
  if (!followed) {
    const observer = new MutationObserver(() => (followed.at = performance.now()));
    followed = { at: null, observer, observed: new WeakSet() };
  }
  for (const root of roots()) {
    if (followed.observed.has(root)) continue;
    followed.observed.add(root);
    followed.observer.observe(root, { subtree: true, childList: true, attributes: true, characterData: true });
  }
}

/** Waits for two frames without a change, at most `within` ms. @returns how long ago the document last changed, in ms */
async function still(within) {
  const end = performance.now() + within;
  followChanges();
  await pause(0);
  for (;;) {
    const before = followed.at;
    await frame();
    await frame();
    followChanges();
    if (followed.at === before || performance.now() >= end) break;
  }
  return followed.at === null ? null : Math.round(performance.now() - followed.at);
}

/** Reports the addresses of calls whose bodies have ended. The driver has to know: headers come earlier. */
new PerformanceObserver((list) => {
  const ended = list.getEntries().filter(({ initiatorType }) => /^(?:fetch|xmlhttprequest)$/.test(initiatorType));
  // Not an element with this id, which would be a property of the window, too.
  if (ended.length && Object.hasOwn(globalThis, "__seatwrightEnded")) globalThis.__seatwrightEnded(ended.map(({ name }) => name).join("\n"));
}).observe({ type: "resource", buffered: true });

// ---- conditions -----------------------------------------------------------------------------------

/** Does a `Condition` hold now? */
function holds(condition) {
  const found = any(condition.target);
  switch (condition.state ?? "visible") {
    case "hidden":
      return found.length === 0;
    case "enabled":
      return found.some((element) => !isDisabled(element));
    case "disabled":
      return found.length > 0 && found.every(isDisabled);
    default:
      return found.length > 0;
  }
}

function whichHolds(conditions) {
  const index = conditions.findIndex(holds);
  if (index >= 0) return index;
  throw new Miss("not_found", () => `not on the page: ${conditions.map(sayCondition).join(", or ")}`, () => conditions.flatMap(nearCondition));
}

function sayCondition({ target, state }) {
  if (state && state !== "visible") return `${sayTarget(target)} (${state})`;
  const lack = target.any.map(lackOf).find(Boolean);
  return lack ? `${sayTarget(target)} (${lack})` : sayTarget(target);
}

/** Why there can be no record: its table, or the column of its identity, is missing. @returns {string | null} */
function lackOf({ by, within }) {
  const [kind, record] = variant(by);
  if (kind !== "record" || within) return null;
  try {
    reader(record.column, one(record.rows.within));
    return hiddenIdentity(record, document);
  } catch (error) {
    if (error instanceof Miss) return error.refusal().message;
    throw error;
  }
}

const nearCondition = ({ target, state }) => (state === "hidden" ? any(target).map(describeWhere) : target.any.flatMap((query) => attempt(() => near(query, document)) ?? []));

/** The first watched condition that holds, as an answer. */
function interruption(watched) {
  const index = watched.findIndex(holds);
  if (index < 0) return null;
  const [element] = any(watched[index].target);
  return { answer: "interrupted", watch: index, text: element ? clip(textOf(element) || nameOf(element), 400) : "" };
}

/** The element of a frame, for questions inside it; else the refusal, as text. */
async function frameElement(target, within) {
  try {
    return await trying(within, [], () => {
      const element = one(target);
      if (/^i?frame$/.test(dom.localName(element))) return element;
      throw new Miss("not_found", () => `${describe(element)} is not a frame`, undefined, true);
    });
  } catch (error) {
    if (error instanceof Miss) return JSON.stringify({ answer: "refused", ...error.refusal() });
    throw error;
  } finally {
    forget();
  }
}

/** Where a point inside a frame is in the viewport of this document: an answer, as text. */
async function throughFrame(owner, point, round) {
  try {
    return JSON.stringify(await tried([], () => through(owner, point, round)));
  } catch (error) {
    if (error instanceof Miss) return JSON.stringify({ answer: "refused", ...error.refusal() });
    throw error;
  } finally {
    forget();
  }
}

Object.defineProperty(globalThis, "__seatwright", { value: Object.freeze({ ask, frame: frameElement, through: throughFrame, shut, held }) });
