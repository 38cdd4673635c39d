// Records: rows of tables and grids, items of lists, and their places.

const isTable = (element) => isRole(element, "table");

/** The roles besides tables whose parts are records, with the role of a part. */
const ITEMS = { list: "listitem", listbox: "option", tree: "treeitem", feed: "article", menu: "menuitem" };

/** The elements that are records of a container. @returns {Element[]} */
function rowsOf(rows, container) {
  if (rows.each) return find(rows.each, container, { lenient: true });
  if (isTable(container)) return gridOf(container).records;
  const role = roleOf(container);
  const item = ITEMS[role];
  if (!item) throw new Miss("not_found", () => `${describe(container)} is not a table, a grid or a list: its records are not known`);
  return inOrder(collect(container, roleSelector(item)).filter((part) => isRole(part, item) && isVisible(part) && around(part, (outer) => roleOf(outer) === role) === container));
}

/**
 * A table as people see it: which cell is in which column.
 * @returns {{headers: {text: string, element: Element, start: number, end: number}[], records: Element[], cells: Map<Element, {element: Element, start: number, end: number}[]>}}
 */
function gridOf(table) {
  const known = memo.grids.get(table);
  if (known) return known;
  const owned = (part) => around(part, isTable) === table;
  const rows = inOrder(collect(table, roleSelector("row")).filter((row) => isRole(row, "row") && owned(row) && isExposed(row)));
  const cells = new Map();
  const headers = [];
  const records = [];
  /** By column, the cell from above that spans it, and until which row. @type {{until: number, cell: object}[]} */
  const taken = [];
  let lastSection = null;
  rows.forEach((row, index) => {
    const section = dom.closest(row, "thead, tbody, tfoot");
    // No cell spans from one section of a table into the next.
    if (section !== lastSection) taken.length = 0;
    lastSection = section;
    // A cell from an earlier row that spans this row belongs to it. A header does not: it is not a value of a record.
    const spanning = new Set(taken.filter(({ until, cell }) => until > index && roleOf(cell.element) !== "columnheader").map(({ cell }) => cell));
    const placed = [];
    let column = 0;
    for (const cell of placesOf(row)) {
      const said = Number(dom.getAttribute(cell, "aria-colindex"));
      if (said > 0) column = said - 1;
      else while (taken[column]?.until > index) column++;
      const width = span(cell, "colSpan", "aria-colspan");
      const height = dom.rowSpan(cell) === 0 ? rows.length : span(cell, "rowSpan", "aria-rowspan");
      const place = { element: cell, start: column, end: column + width };
      for (let at = column; at < place.end; at++) taken[at] = { until: index + height, cell: place };
      placed.push(place);
      if (roleOf(cell) === "columnheader" && isExposed(cell)) headers.push({ text: textOf(cell) || nameOf(cell), ...place });
      column += width;
    }
    cells.set(row, [...placed, ...spanning]);
    const isHead = section !== null && /^t(?:head|foot)$/.test(dom.localName(section));
    if (!isHead && hasBox(row) && placed.some(({ element }) => roleOf(element) !== "columnheader")) records.push(row);
  });
  const columns = Math.max(0, ...headers.map((header) => header.end));
  // One cell across the whole table is a message ("nothing found", "loading"), not a record.
  const isMessage = (row) => columns > 1 && cells.get(row).length === 1 && cells.get(row)[0].end - cells.get(row)[0].start >= columns;
  const grid = { headers, cells, records: records.filter((row) => !isMessage(row)) };
  memo.grids.set(table, grid);
  return grid;
}

const span = (cell, property, attribute) => Math.min(1000, Math.max(1, Number(dom.getAttribute(cell, attribute)) || dom[property](cell) || 1));

const CELLS = ["cell", "gridcell", "columnheader", "rowheader"].map(roleSelector).join(",");

const isCell = (element) => /^(?:cell|gridcell|columnheader|rowheader)$/.test(roleOf(element));

function cellsOf(row) {
  return placesOf(row).filter(isExposed);
}

/** The cells of a row, also those that are hidden and keep their place. */
function placesOf(row) {
  return inOrder(collect(row, CELLS).filter((cell) => isCell(cell) && (isExposed(cell) || hasBox(cell)) && around(cell, (outer) => isRole(outer, "row")) === row));
}

/** @returns {number} the column under the header of this name @throws {Miss} */
function columnOf(table, match) {
  const { headers } = gridOf(table);
  const matches = matcher(match, bareHeader);
  let found = headers.filter((header) => matches(header.text));
  if (found.length === 0) found = headers.filter((header) => matches(nameOf(header.element)));
  // A header over a single column is preferred to one of the same name over several.
  const narrow = found.filter((header) => header.end - header.start === 1);
  if (found.length > 1 && narrow.length) found = narrow;
  const starts = new Set(found.map((header) => header.start));
  if (starts.size === 1) return found[0].start;
  if (starts.size > 1) throw new Miss("ambiguous", () => `${found.length} columns of ${describe(table)} have the header ${sayMatch(match)}`, () => found.map((header) => `column ${header.start + 1} ${quote(header.text)}`));
  const hidden = collect(table, roleSelector("columnheader")).some((header) => isRole(header, "columnheader") && !isExposed(header) && matches(fold(dom.textContent(header))));
  throw new Miss(hidden ? "hidden" : "no_such_column", () => (hidden ? `the column ${sayMatch(match)} of ${describe(table)} is there, but hidden` : `${describe(table)} has no column ${sayMatch(match)}`), () => headers.map((header) => quote(header.text)));
}

/**
 * How to read one place of each record of a container. Null: the record does not show it.
 * @param {boolean} [several] the place may show several values
 * @returns {(record: Element) => string | null}
 */
function reader(at, container, several) {
  const see = seer(at, container, several);
  return (record) => {
    const seen = see(record);
    return seen instanceof Miss ? null : seen;
  };
}

/**
 * As `reader`; instead of null, the reason why the record does not show it.
 * @returns {(record: Element) => string | Miss}
 */
function seer(at, container, several, show = (element) => cellText(element, several)) {
  const [kind, value] = variant(at);
  if (kind === "says") {
    const see = seer(value.at, container, false);
    return (record) => {
      const seen = see(record);
      if (seen instanceof Miss) return seen;
      return between(seen, value.before, value.after) ?? new Miss("not_found", () => `it shows ${quote(seen)}, not ${quote(`${value.before}…${value.after}`)}`);
    };
  }
  if (kind === "attribute") return seer(value.at, container, false, (element) => attributeOf(element, value.name));
  if (kind === "cell") {
    return (record) => {
      const found = find(value, record, { lenient: true });
      if (found.length > 1) throw new Miss("ambiguous", () => `${found.length} elements of ${describe(record)} match ${sayQuery(value)}`, () => found.map(describe));
      if (found.length) return whole(show(found[0]), found[0], several);
      return empties(value, record).length === 1 ? "" : new Nothing(value, record);
    };
  }
  if (kind === "each") return (record) => each(value, record, show);
  if (!isTable(container)) throw new Miss("no_such_column", () => `${describe(container)} is not a table: it has no column ${sayMatch(value)}`);
  const column = columnOf(container, value);
  return (record) => {
    const row = gridOf(container).cells.has(record) ? record : around(record, (outer) => gridOf(container).cells.has(outer));
    const cell = row && gridOf(container).cells.get(row).find(({ start, end }) => start <= column && column < end);
    if (!cell) return new Miss("not_found", () => `it has no cell in the column ${sayMatch(value)}`);
    if (!isExposed(cell.element)) return new Miss("hidden", () => `its cell in the column ${sayMatch(value)} is there, but hidden`);
    return whole(show(cell.element), cell.element, several);
  };
}

/**
 * The values of several elements. None of them is a value, too, where the record shows the part that would contain them:
 * what is around them, or their heading.
 * @returns {string | Miss}
 */
function each(query, record, show) {
  const found = find(query, record, { lenient: true });
  const holders = query.within ? any(query.within, record) : [];
  if (!found.length) {
    if (holders.length || query.within?.any.some((around) => empties(around, record).length)) return "";
    const bare = { by: { role: { role: "heading", name: query.under } } };
    return query.under && !query.within && find(bare, document, { lenient: true }).length ? "" : new Nothing(query, record);
  }
  const texts = [];
  for (const element of found) {
    const text = show(element);
    if (text instanceof Miss) return text;
    if (text) texts.push(text);
  }
  return cutOff(query, record, found, texts, holders) ?? texts.join(BETWEEN);
}

/** Elements without any content: they are there, and have no size only because nothing is in them. */
const empties = (query, record) =>
  (attempt(() => find(query, record, { hidden: true, lenient: true })) ?? []).filter((element) => isExposed(element) && !fold(dom.textContent(element)) && dom.childElementCount(element) === 0);

/** Values that are there, and not shown: hidden ones among the others, or as many as "+3 more" says. @returns {Miss | undefined} */
function cutOff(query, record, found, texts, holders) {
  const parents = new Set(found.map(parentOf));
  const hidden = (attempt(() => find({ ...query, nth: undefined }, record, { hidden: true, lenient: true })) ?? [])
    .filter((element) => holders.length || parents.has(parentOf(element)))
    .map((element) => fold(dom.textContent(element)))
    .filter((text) => text && !texts.includes(text));
  if (hidden.length) return new Miss("hidden", () => `${hidden.length} of its values ${hidden.length === 1 ? "is" : "are"} there, but hidden`, () => hidden.map((text) => quote(text)));
  const beside = [...parents].flatMap((parent) => [...childrenOf(parent)].filter((child) => isElement(child)));
  const parts = [...beside, ...holders.flatMap((holder) => collect(holder, "*").filter((part) => dom.childElementCount(part) === 0))];
  const said = [...texts, ...[...parents, ...holders].flatMap(ownTexts), ...parts.filter(isVisible).map(textOf)];
  const drawn = [...parents, ...holders, ...parts].filter(isExposed).map(drawnText);
  const more = said.find((text) => MORE.test(text)) ?? drawn.find((text) => MORE.test(text));
  return more && onlySome(more);
}

const OTHERS = "(?:more|others?|weitere[nrs]?|andere[nrs]?|autres?|otr[oa]s?|más|altr[aeio]|outr[oa]s?|mais)";

/** `+3`, `+3 more`, `2 others`. */
const NUMBER_MORE = String.raw`(?:[+＋] ?\p{Nd}{1,3}(?: ?[\p{L}\p{M}]+){0,3}|(?:(?:and|show|plus|und|et|y|e|&) ?)?\p{Nd}{1,3} ${OTHERS})`;

/** A text that stands for values which are not shown: `+3`, `(+3 more)`, `and 2 others`, `…`. */
const MORE = new RegExp(String.raw`^[(\[{（【]? ?(?:…|\.{3}|(?:(?:and|&|…|\.{3}) ?)?${NUMBER_MORE}) ?[)\]}）】]?…?$`, "iu");

/** A text of several values that ends in such a text. */
const CUT = new RegExp(String.raw`(?:…|\.{3}|(?:^|[^\p{L}\p{N}+#])${NUMBER_MORE}) ?[)\]}）】]?$`, "iu");

const onlySome = (text) => new Miss("hidden", () => `it shows only some of its values: ${quote(text)}`);

/** The text of an element, if nothing is cut off. Only where there may be several values: a name may end in anything. */
function whole(text, element, several) {
  if (!several || typeof text !== "string") return text;
  if (CUT.test(text) || text.split(/[,;|\n\u001f]/u).some((part) => MORE.test(fold(part)))) return onlySome(text);
  const more = [element, ...collect(element, "*")].filter(isExposed).map(drawnText).find((drawn) => CUT.test(drawn));
  return more === undefined ? text : onlySome(more);
}

/** The text of an element with what its style draws before and after it; nothing, if it draws nothing. */
function drawnText(element) {
  const [before, after] = [generated(element, "::before"), generated(element, "::after")];
  if (!before && !after) return "";
  const text = fold(before + textOf(element) + after);
  // Three dots on a button open a menu.
  return /^(?:…|\.{3})$/u.test(text) && dom.closest(element, "button, a, [role=button]") ? "" : text;
}

/** @returns {string | Miss} */
function attributeOf(element, name) {
  const text = attempt(() => readText(element, name));
  return text === undefined ? new Miss("not_found", () => `${describe(element)} has no attribute ${quote(name)}`) : fold(text);
}

/** The separator of several values in one place: not a text for people. */
const BETWEEN = "\u001f";

/** The part of a text between two others; null if the text is different. */
function between(text, before, after) {
  if (text.length < before.length + after.length || !text.startsWith(before) || !text.endsWith(after)) return null;
  return fold(text.slice(before.length, text.length - after.length));
}

/** The records that show this identity. */
function byRecord(record, scope, wanted, how) {
  // A hidden record has no cells to read.
  if (how.hidden) return [];
  const containers = how.lenient ? any(record.rows.within, scope) : [one(record.rows.within, scope)];
  const same = (text) => canonical(text, record.ignore_case);
  const identity = same(record.equals);
  return containers.flatMap((container) => {
    const read = reader(record.column, container);
    return rowsOf(record.rows, container).filter((row) => {
      const text = read(row);
      noteIdentity(text);
      return text !== null && same(text) === identity && wanted(row);
    });
  });
}

function nearRecords(record, scope) {
  const container = one(record.rows.within, scope);
  const read = reader(record.column, container);
  const identities = rowsOf(record.rows, container).map(read).filter(Boolean);
  const close = nearest(record.equals, identities, (identity) => identity);
  return (close.length ? close : identities.slice(0, 8)).map((identity) => quote(identity));
}

/** Does a hidden place of a record show this identity? Its text, for people. @returns {string | null} */
function hiddenIdentity(record, scope) {
  const [kind, value] = variant(record.column);
  const container = attempt(() => one(record.rows.within, scope));
  if (kind !== "cell" || !container) return null;
  const wanted = canonical(record.equals, record.ignore_case);
  const shows = (row) => (attempt(() => find(value, row, { hidden: true, lenient: true })) ?? []).some((element) => canonical(dom.textContent(element), record.ignore_case) === wanted);
  return (attempt(() => rowsOf(record.rows, container)) ?? []).some(shows) ? `${sayQuery(value)} with ${quote(record.equals)} is there, but hidden` : null;
}

/** All records of a view. @returns {{rows: (string | null)[][]}} */
function readRecords(view) {
  const container = one(view.rows.within);
  const read = rowReader(view, container);
  const rows = rowsOf(view.rows, container).map((row) => {
    const { texts, lack } = read(row);
    if (lack) throw lack;
    return texts;
  });
  // No records yet, or only placeholders: this is not an empty list.
  if (isBusy(container) && rows.every((row) => row.every((text) => !text))) throw new Miss("not_found", () => `${describe(container)} is still loading: it shows no record and is marked aria-busy`);
  return { rows };
}

/**
 * How to read a whole record. `lack`: it is the record that `view.whole` is about, and does not show a column that it must
 * show.
 * @returns {(record: Element) => {texts: (string | null)[], lack: Miss | null}}
 */
function rowReader(view, container) {
  const seers = view.columns.map((column) => seer(column.at, container, column.several));
  const { whole: asked } = view;
  const wanted = asked && canonical(asked.equals, asked.ignore_case);
  return (record) => {
    const seen = seers.map((see) => see(record));
    const texts = seen.map((text) => (text instanceof Miss ? null : text));
    let lack = null;
    if (asked && texts[asked.column] !== null && canonical(texts[asked.column], asked.ignore_case) === wanted) {
      const at = seen.findIndex((text, column) => text instanceof Miss && !view.columns[column].optional);
      if (at >= 0) lack = lacking(seen[at], view.columns[at].name, texts[asked.column]);
    }
    return { texts, lack };
  };
}

function lacking(miss, name, identity) {
  const refused = miss.refusal();
  return new Miss(refused.kind, () => `the record ${quote(identity)} does not show \`${name}\`: ${refused.message}`, () => refused.candidates);
}

const isBusy = (element) => {
  const busy = (one) => dom.getAttribute(one, "aria-busy") === "true";
  return busy(element) || Boolean(around(element, busy));
};
