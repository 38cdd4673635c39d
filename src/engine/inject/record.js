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
    const section = row.closest("thead, tbody, tfoot");
    // No cell spans from one section of a table into the next.
    if (section !== lastSection) taken.length = 0;
    lastSection = section;
    // A cell from an earlier row that spans this row belongs to it. A header does not: it is not a value of a record.
    const spanning = new Set(taken.filter(({ until, cell }) => until > index && roleOf(cell.element) !== "columnheader").map(({ cell }) => cell));
    const placed = [];
    let column = 0;
    for (const cell of cellsOf(row)) {
      const said = Number(cell.getAttribute("aria-colindex"));
      if (said > 0) column = said - 1;
      else while (taken[column]?.until > index) column++;
      const width = span(cell, "colSpan", "aria-colspan");
      const height = cell.rowSpan === 0 ? rows.length : span(cell, "rowSpan", "aria-rowspan");
      const place = { element: cell, start: column, end: column + width };
      for (let at = column; at < place.end; at++) taken[at] = { until: index + height, cell: place };
      placed.push(place);
      if (roleOf(cell) === "columnheader") headers.push({ text: textOf(cell) || nameOf(cell), ...place });
      column += width;
    }
    cells.set(row, [...placed, ...spanning]);
    const isHead = section?.localName === "thead" || section?.localName === "tfoot";
    if (!isHead && hasBox(row) && placed.some(({ element }) => roleOf(element) !== "columnheader")) records.push(row);
  });
  const columns = Math.max(0, ...headers.map((header) => header.end));
  // One cell across the whole table is a message ("nothing found", "loading"), not a record.
  const isMessage = (row) => columns > 1 && cells.get(row).length === 1 && cells.get(row)[0].end - cells.get(row)[0].start >= columns;
  const grid = { headers, cells, records: records.filter((row) => !isMessage(row)) };
  memo.grids.set(table, grid);
  return grid;
}

const span = (cell, property, attribute) => Math.min(1000, Math.max(1, Number(cell.getAttribute(attribute)) || cell[property] || 1));

const CELLS = ["cell", "gridcell", "columnheader", "rowheader"].map(roleSelector).join(",");

const isCell = (element) => /^(?:cell|gridcell|columnheader|rowheader)$/.test(roleOf(element));

function cellsOf(row) {
  return inOrder(collect(row, CELLS).filter((cell) => isCell(cell) && isExposed(cell) && around(cell, (outer) => isRole(outer, "row")) === row));
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
  throw new Miss("no_such_column", () => `${describe(table)} has no column ${sayMatch(match)}`, () => headers.map((header) => quote(header.text)));
}

/**
 * How to read one place of each record of a container.
 * @returns {(record: Element) => string | null}
 */
function reader(at, container) {
  const [kind, value] = variant(at);
  if (kind === "says") {
    const read = reader(value.at, container);
    return (record) => between(read(record), value.before, value.after);
  }
  if (kind === "cell") {
    return (record) => {
      const found = find(value, record, { lenient: true });
      if (found.length > 1) throw new Miss("ambiguous", () => `${found.length} elements of ${describe(record)} match ${sayQuery(value)}`, () => found.map(describe));
      return found.length ? cellText(found[0]) : null;
    };
  }
  if (kind === "each") return (record) => find(value, record, { lenient: true }).map(cellText).filter(Boolean).join(BETWEEN);
  if (!isTable(container)) throw new Miss("no_such_column", () => `${describe(container)} is not a table: it has no column ${sayMatch(value)}`);
  const column = columnOf(container, value);
  return (record) => {
    const row = gridOf(container).cells.has(record) ? record : around(record, (outer) => gridOf(container).cells.has(outer));
    const cell = row && gridOf(container).cells.get(row).find(({ start, end }) => start <= column && column < end);
    return cell ? cellText(cell.element) : null;
  };
}

/** The separator of several values in one place: not a text for people. */
const BETWEEN = "\u001f";

/** The part of a text between two others; null if the text is different. */
function between(text, before, after) {
  if (text === null || text.length < before.length + after.length || !text.startsWith(before) || !text.endsWith(after)) return null;
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

/** All records of a view. @returns {{rows: (string | null)[][]}} */
function readRecords(view) {
  const container = one(view.rows.within);
  const readers = view.columns.map((column) => reader(column.at, container));
  const rows = rowsOf(view.rows, container).map((row) => readers.map((read) => read(row)));
  // No records yet, or only placeholders: this is not an empty list.
  if (isBusy(container) && rows.every((row) => row.every((text) => !text))) throw new Miss("not_found", () => `${describe(container)} is still loading: it shows no record and is marked aria-busy`);
  return { rows };
}

const isBusy = (element) => {
  const busy = (one) => one.getAttribute("aria-busy") === "true";
  return busy(element) || Boolean(around(element, busy));
};
