//! Records: rows of tables and grids, items of lists, and the places in them.

use super::{
    document::{Document, Id},
    find::{Look, Miss},
    text::{Matcher, bare_header, fold, nearest, quote, say_match},
};
use seatwright::query::{
    BETWEEN, ColumnAt, RecordQuery, Records, RefusalKind, Rows, Scanned, TextMatch, View, same,
};

/// A table as people see it: which cell stands in which column.
struct Grid {
    headers: Vec<Cell>,
    /// The rows that are records.
    records: Vec<Id>,
    cells: Vec<(Id, Vec<Cell>)>,
}

/// A cell, from its first column to the one after its last.
#[derive(Clone, Copy)]
struct Cell {
    id: Id,
    start: usize,
    end: usize,
}

/// How to read one place of each record of a container.
enum Reader<'a> {
    Column(Grid, usize),
    Part(&'a seatwright::query::Query),
    Each(&'a seatwright::query::Query),
    Between(Box<Reader<'a>>, &'a str, &'a str),
}

const CELLS: [&str; 4] = ["cell", "gridcell", "columnheader", "rowheader"];

impl Document {
    /// All records of a view.
    pub(super) fn records(&self, view: &View) -> Result<Records, Miss> {
        let container = self.one(&view.rows.within, None)?;
        let readers: Vec<_> =
            view.columns.iter().map(|column| self.reader(&column.at, container)).collect::<Result<_, _>>()?;
        let read_all = |row| readers.iter().map(|reader| self.read(reader, row)).collect::<Result<_, _>>();
        let rows = self.rows_of(&view.rows, container)?.into_iter().map(read_all);
        Ok(Records { rows: rows.collect::<Result<_, _>>()? })
    }

    /// The same of a list that may be scrolled: here all of it is drawn, and its end is in sight.
    pub(super) fn scan(&self, view: &View, key: Option<usize>, stopped: bool) -> Result<Scanned, Miss> {
        let container = self.one(&view.rows.within, None)?;
        let says = |value: &Option<String>| value.as_deref().is_some_and(|text| !text.is_empty());
        let has_come = |row: &Vec<Option<String>>| match key {
            Some(key) => row.get(key).is_some_and(says),
            None => row.iter().any(says),
        };
        let (rows, late): (Vec<_>, Vec<_>) = self.records(view)?.rows.into_iter().partition(has_come);
        let is_busy = |id: Id| self.attr(id, "aria-busy") == Some("true");
        let busy = is_busy(container) || self.around(container).any(is_busy);
        let whole = late.is_empty();
        Ok(Scanned { rows, moves: 0, end: whole && !stopped, whole, busy, stopped })
    }

    /// The records that show this identity.
    pub(super) fn by_record(&self, record: &RecordQuery, scope: Option<Id>) -> Result<Vec<Id>, Miss> {
        let identities = self.identities(record, scope)?.into_iter();
        let is_meant = |shown: &str| same(shown, &record.equals, record.ignore_case);
        Ok(identities.filter(|(_, identity)| is_meant(identity)).map(|(row, _)| row).collect())
    }

    pub(super) fn near_records(&self, record: &RecordQuery, scope: Option<Id>) -> Result<Vec<String>, Miss> {
        let identities: Vec<_> =
            self.identities(record, scope)?.into_iter().map(|(_, identity)| identity).collect();
        let close = nearest(&record.equals, identities.clone(), String::clone);
        let said = if close.is_empty() { identities } else { close };
        Ok(said.iter().take(8).map(|identity| quote(identity)).collect())
    }

    /// The container is one, also where the question is lenient: an identity in another table is another's.
    fn identities(&self, record: &RecordQuery, scope: Option<Id>) -> Result<Vec<(Id, String)>, Miss> {
        let container = self.one(&record.rows.within, scope)?;
        let reader = self.reader(&record.column, container)?;
        let mut identities = Vec::new();
        for row in self.rows_of(&record.rows, container)? {
            if let Some(identity) = self.read(&reader, row)? {
                identities.push((row, identity));
            }
        }
        Ok(identities)
    }

    fn rows_of(&self, rows: &Rows, container: Id) -> Result<Vec<Id>, Miss> {
        if let Some(each) = &rows.each {
            return self.find(each, Some(container), Look::Lenient);
        }
        if self.is_role(container, "table") {
            return Ok(self.grid(container).records);
        }
        let role = self.role(container);
        let item = match role {
            "list" => "listitem",
            "listbox" => "option",
            "tree" => "treeitem",
            "feed" => "article",
            "menu" => "menuitem",
            _ => {
                let message = format!(
                    "{} is not a table, a grid or a list: its records are not known",
                    self.describe(container)
                );
                return Err(Miss::new(RefusalKind::NotFound, message, Vec::new()));
            }
        };
        let is_own = |&part: &Id| {
            self.is_role(part, item)
                && self.is_visible(part)
                && self.around(part).find(|&outer| self.role(outer) == role) == Some(container)
        };
        Ok(self.inside(Some(container)).filter(is_own).collect())
    }

    fn grid(&self, table: Id) -> Grid {
        let own_rows = |&part: &Id| {
            self.is_role(part, "row")
                && self.is_exposed(part)
                && self.around(part).find(|&outer| self.is_role(outer, "table")) == Some(table)
        };
        let rows: Vec<Id> = self.inside(Some(table)).filter(own_rows).collect();
        let mut grid = Grid { headers: Vec::new(), records: Vec::new(), cells: Vec::new() };
        // Until which row a column is taken by a cell from above, and by which.
        let mut taken: Vec<(usize, Option<Cell>)> = Vec::new();
        for (index, &row) in rows.iter().enumerate() {
            let mut column = 0;
            let mut placed: Vec<Cell> = Vec::new();
            // A cell that began further up stands in this row, too. A header does not: it is none of a record's values.
            let from_above = taken.iter().filter(|(until, _)| *until > index).filter_map(|(_, cell)| *cell);
            let mut spanning: Vec<Cell> =
                from_above.filter(|cell| self.role(cell.id) != "columnheader").collect();
            spanning.dedup_by_key(|cell| cell.id);
            for id in self.cells_of(row) {
                while taken.get(column).is_some_and(|&(until, _)| until > index) {
                    column += 1;
                }
                let end = column + self.span(id, "colspan");
                let height = match self.attr(id, "rowspan").map(str::trim) {
                    Some("0") => rows.len() - index,
                    _ => self.span(id, "rowspan").min(rows.len() - index),
                };
                let cell = Cell { id, start: column, end };
                taken.resize(taken.len().max(end), (0, None));
                taken[column..end].fill((index + height, Some(cell)));
                placed.push(cell);
                column = end;
            }
            let is_header = |cell: &&Cell| self.role(cell.id) == "columnheader";
            grid.headers.extend(placed.iter().filter(is_header));
            let in_body = !matches!(self.section(row), Some("thead" | "tfoot"));
            if in_body && self.has_box(row) && !placed.iter().all(|cell| is_header(&cell)) {
                grid.records.push(row);
            }
            placed.extend(spanning);
            grid.cells.push((row, placed));
        }
        // One cell across the whole table is a message ("nothing found"), no record.
        let columns = grid.headers.iter().map(|header| header.end).max().unwrap_or(0);
        let cells = &grid.cells;
        grid.records.retain(|row| {
            let placed = cells.iter().find(|(known, _)| known == row).map(|(_, placed)| &placed[..]);
            !matches!(placed, Some([cell]) if columns > 1 && cell.end - cell.start >= columns)
        });
        grid
    }

    fn cells_of(&self, row: Id) -> Vec<Id> {
        let is_own = |&cell: &Id| {
            CELLS.contains(&self.role(cell))
                && self.is_exposed(cell)
                && self.around(cell).find(|&outer| self.is_role(outer, "row")) == Some(row)
        };
        self.inside(Some(row)).filter(is_own).collect()
    }

    fn span(&self, cell: Id, name: &str) -> usize {
        let said = self.attr(cell, &format!("aria-{name}")).or_else(|| self.attr(cell, name));
        said.and_then(|said| said.trim().parse().ok()).unwrap_or(1).clamp(1, 1000)
    }

    /// A form laid out as a table: what the head of a field's row says, which stands before it.
    pub(super) fn head_of_row(&self, field: Id) -> Option<String> {
        let cell = self.around(field).find(|&outer| CELLS.contains(&self.role(outer)))?;
        if self.role(cell) != "cell" {
            return None;
        }
        let row = self.around(cell).find(|&outer| self.is_role(outer, "row"))?;
        let head =
            self.cells_of(row).into_iter().rfind(|&other| other < cell && self.role(other) == "rowheader");
        head.map(|head| self.text(head))
    }

    /// The texts of the headers of a table.
    pub(super) fn header_texts(&self, table: Id) -> Vec<String> {
        self.grid(table).headers.iter().map(|header| self.text(header.id)).collect()
    }

    fn reader<'a>(&self, at: &'a ColumnAt, container: Id) -> Result<Reader<'a>, Miss> {
        match at {
            ColumnAt::Cell(query) => Ok(Reader::Part(query)),
            ColumnAt::Each(query) => Ok(Reader::Each(query)),
            ColumnAt::Says { at, before, after } => {
                Ok(Reader::Between(Box::new(self.reader(at, container)?), before, after))
            }
            ColumnAt::Header(text) if !self.is_role(container, "table") => {
                let message = format!(
                    "{} is not a table: it has no column {}",
                    self.describe(container),
                    say_match(text)
                );
                Err(Miss::new(RefusalKind::NoSuchColumn, message, Vec::new()))
            }
            ColumnAt::Header(text) => {
                let grid = self.grid(container);
                let column = self.column(&grid, container, text)?;
                Ok(Reader::Column(grid, column))
            }
        }
    }

    /// The column under the header of this name.
    fn column(&self, grid: &Grid, table: Id, text: &TextMatch) -> Result<usize, Miss> {
        let wanted = Matcher::baring(text, bare_header);
        let called = |name: &dyn Fn(Id) -> String| -> Vec<Cell> {
            grid.headers.iter().copied().filter(|header| wanted.matches(&name(header.id))).collect()
        };
        let mut found = called(&|id| self.text(id));
        if found.is_empty() {
            found = called(&|id| self.name(id));
        }
        // A header over several columns yields to one of the same name over a single one.
        if found.len() > 1 && found.iter().any(|header| header.end - header.start == 1) {
            found.retain(|header| header.end - header.start == 1);
        }
        let Some(first) = found.first() else {
            let message = format!("{} has no column {}", self.describe(table), say_match(text));
            let headers = grid.headers.iter().map(|header| quote(&self.text(header.id))).collect();
            return Err(Miss::new(RefusalKind::NoSuchColumn, message, headers));
        };
        if found.iter().all(|header| header.start == first.start) {
            return Ok(first.start);
        }
        let message = format!(
            "{} columns of {} have the header {}",
            found.len(),
            self.describe(table),
            say_match(text)
        );
        let candidates = found
            .iter()
            .map(|header| format!("column {} {}", header.start + 1, quote(&self.text(header.id))))
            .collect();
        Err(Miss::new(RefusalKind::Ambiguous, message, candidates))
    }

    fn read(&self, reader: &Reader<'_>, record: Id) -> Result<Option<String>, Miss> {
        match reader {
            Reader::Part(query) => {
                let found = self.find(query, Some(record), Look::Lenient)?;
                if found.len() > 1 {
                    let message = format!(
                        "{} elements of {} match {}",
                        found.len(),
                        self.describe(record),
                        self.say_query(query)
                    );
                    let candidates = found.iter().map(|&id| self.describe(id)).collect();
                    return Err(Miss::new(RefusalKind::Ambiguous, message, candidates));
                }
                Ok(found.first().map(|&id| self.cell_text(id)))
            }
            Reader::Each(query) => {
                let found = self.find(query, Some(record), Look::Lenient)?;
                let texts = found.iter().map(|&id| self.cell_text(id)).filter(|text| !text.is_empty());
                Ok(Some(texts.collect::<Vec<_>>().join(&BETWEEN.to_string())))
            }
            Reader::Between(inner, before, after) => {
                let text = self.read(inner, record)?;
                let between =
                    text.as_deref().and_then(|text| text.strip_prefix(before)?.strip_suffix(after).map(fold));
                Ok(between)
            }
            Reader::Column(grid, column) => {
                let row = self.up(record).find_map(|at| grid.cells.iter().find(|(row, _)| *row == at));
                let cells = row.map(|(_, cells)| &cells[..]).unwrap_or_default();
                let cell = cells.iter().find(|cell| (cell.start..cell.end).contains(column));
                Ok(cell.map(|cell| self.cell_text(cell.id)))
            }
        }
    }

    /// What stands in a place of a record: text, values, pictures' names; of a lone checkbox whether it is on.
    fn cell_text(&self, id: Id) -> String {
        let is_box = |id: Id| self.is_role(id, "checkbox");
        if is_box(id) {
            return self.is_on(id).to_string();
        }
        let text = fold(&self.shown_text(id, true));
        if !text.is_empty() {
            return text;
        }
        let boxes: Vec<Id> =
            self.inside(Some(id)).filter(|&part| is_box(part) && self.is_visible(part)).collect();
        match boxes[..] {
            [only] => self.is_on(only).to_string(),
            _ => text,
        }
    }
}
