// Reading a list that draws only a part of its records: window after window, to its end.

/** How long one question scrolls before overlays are checked again. */
const SPELL = 400;

/** How long a list may take to draw more records, before it is scrolled on anyway. */
const LATE = 200;

/**
 * Reads the drawn records and scrolls until the last of them is on top, again and again. The next window begins with the
 * last record that was read, so no record is missed, however late it is drawn.
 * @param {{view: object, key?: number, until?: object[]}} asked `key`: the column without which a record is not complete
 * @throws {Miss}
 */
async function scan({ view, key, until = [] }) {
  const over = performance.now() + SPELL;
  const known = new Set();
  const scanned = { answer: "scanned", rows: [], moves: 0, end: false, whole: true, busy: false, stopped: false };
  let late = null;
  for (;;) {
    forget();
    let container;
    let placed;
    try {
      container = one(view.rows.within);
      placed = placedRecords(view, container);
    } catch (miss) {
      // The records that were read so far are kept.
      if (!(miss instanceof Miss) || scanned.moves === 0) throw miss;
      return { ...scanned, whole: false };
    }
    const unread = placed.find(({ lack }) => lack);
    // The user's record is drawn, and a part of it is not.
    if (unread && scanned.moves === 0) throw unread.lack;
    const waiting = placed.findIndex(({ row, lack }) => lack || !hasCome(row, key));
    const come = waiting < 0 ? placed : placed.slice(0, waiting);
    for (const { row, lack } of placed) {
      const said = JSON.stringify(row);
      if (lack || !hasCome(row, key) || known.has(said)) continue;
      known.add(said);
      scanned.rows.push(row);
    }
    scanned.whole = waiting < 0;
    scanned.busy = isBusy(container);
    scanned.stopped = until.some(holds);
    scanned.end = placed.length === 0;
    if (scanned.stopped || come.length === 0) return scanned;
    const last = come.at(-1);
    const said = JSON.stringify(last.row);
    const way = scrollPast(container, last.element, said === late);
    scanned.end = way === "end" && scanned.whole;
    if (way === "end" || (way === "drawing" && !scanned.whole)) return scanned;
    if (way === "drawing") {
      late = said;
      await pause(LATE);
    } else {
      scanned.moves++;
      // The page gets the event before the next frame, and draws in that frame or soon after it.
      await frame();
      await pause(0);
    }
    if (performance.now() >= over) return scanned;
  }
}

const hasCome = (row, key) => (typeof key === "number" ? Boolean(row[key]) : row.some(Boolean));

/** The records from top to bottom: reused elements are in any order. */
function placedRecords(view, container) {
  const read = rowReader(view, container);
  const placed = (element) => {
    const { texts, lack } = read(element);
    return { element, row: texts, lack, rect: dom.getBoundingClientRect(element) };
  };
  return rowsOf(view.rows, container)
    .map(placed)
    .sort((one, other) => one.rect.top - other.rect.top || one.rect.left - other.rect.left);
}

/**
 * Scrolls until a record is on top; by nine tenths of a window, if the record is taller than that.
 * @param {boolean} anyway scroll on, if it is on top already
 * @returns {"moved" | "end" | "drawing"} drawing: it is on top, nothing is below it, but this is not the end
 */
function scrollPast(container, element, anyway) {
  const box = scrollerOf(container);
  const window = Math.max(1, Math.floor(dom.clientHeight(box) * 0.9));
  const top = box === dom.scrollingElement(document) ? 0 : dom.getBoundingClientRect(box).top + dom.clientTop(box);
  const rect = dom.getBoundingClientRect(element);
  let by = rect.height >= window ? window : rect.top - top;
  if (by < 1 && dom.scrollTop(box) + dom.clientHeight(box) < dom.scrollHeight(box) - 1) {
    if (!anyway) return "drawing";
    by = window;
  }
  const before = dom.scrollTop(box);
  if (by >= 1) dom.scrollTo(box, { top: before + by, behavior: "instant" });
  return Math.abs(dom.scrollTop(box) - before) >= 1 ? "moved" : "end";
}
