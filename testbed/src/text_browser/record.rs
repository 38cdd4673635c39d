//! Records: rows of tables and grids, items of lists, and the places in them.

use super::{
    document::{Document, Id},
    find::{Look, Miss},
    text::{Matcher, bare_header, fold, nearest, quote, say_match},
};
use seatwright::query::{
    BETWEEN, Column, ColumnAt, RecordQuery, Records, RefusalKind, Rows, Scanned, TextMatch, View, same,
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
    Attribute(Box<Reader<'a>>, &'a str),
    Between(Box<Reader<'a>>, &'a str, &'a str),
}

/// What a place of a record shows, or why it shows nothing.
type Seen = Result<String, Miss>;

const CELLS: [&str; 4] = ["cell", "gridcell", "columnheader", "rowheader"];

impl Document {
    /// All records of a view.
    pub(super) fn records(&self, view: &View) -> Result<Records, Miss> {
        let container = self.one(&view.rows.within, None)?;
        let readers: Vec<_> =
            view.columns.iter().map(|column| self.reader(&column.at, container)).collect::<Result<_, _>>()?;
        let rows = self.rows_of(&view.rows, container)?.into_iter();
        let rows = rows.map(|row| self.whole_row(view, &readers, row));
        Ok(Records { rows: rows.collect::<Result<_, _>>()? })
    }

    /// One record. Refused if it is the one that has to be whole, and is not.
    fn whole_row(&self, view: &View, readers: &[Reader<'_>], row: Id) -> Result<Vec<Option<String>>, Miss> {
        let see = |(reader, column): (&Reader<'_>, &Column)| self.see(reader, row, column.several);
        let mut seen: Vec<Seen> = readers.iter().zip(&view.columns).map(see).collect::<Result<_, _>>()?;
        let identity = view.whole.as_ref().and_then(|whole| {
            let shown = seen.get(whole.column)?.as_ref().ok()?;
            same(shown, &whole.equals, whole.ignore_case).then(|| shown.clone())
        });
        let lacking =
            seen.iter().zip(&view.columns).position(|(seen, column)| seen.is_err() && !column.optional);
        if let (Some(identity), Some(at)) = (identity, lacking)
            && let Err(miss) = seen.swap_remove(at)
        {
            let name = &view.columns[at].name;
            let message =
                format!("the record {} does not show `{name}`: {}", quote(&identity), miss.refusal.message);
            return Err(Miss::new(miss.refusal.kind, message, miss.refusal.candidates));
        }
        Ok(seen.into_iter().map(Result::ok).collect())
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

    /// Does a hidden place of a record show this identity?
    pub(super) fn hidden_identity(&self, record: &RecordQuery, scope: Option<Id>) -> Option<String> {
        let ColumnAt::Cell(query) = &record.column else { return None };
        let container = self.one(&record.rows.within, scope).ok()?;
        let shows = |row: Id| {
            let hidden = self.find(query, Some(row), Look::Hidden).unwrap_or_default();
            hidden.into_iter().any(|id| same(&self.text_content(id), &record.equals, record.ignore_case))
        };
        let mut rows = self.rows_of(&record.rows, container).ok()?.into_iter();
        rows.any(shows)
            .then(|| format!("{} with {} is there, but hidden", self.say_query(query), quote(&record.equals)))
    }

    /// The container is one, also where the question is lenient: an identity in another table is another's.
    fn identities(&self, record: &RecordQuery, scope: Option<Id>) -> Result<Vec<(Id, String)>, Miss> {
        let container = self.one(&record.rows.within, scope)?;
        let reader = self.reader(&record.column, container)?;
        let mut identities = Vec::new();
        for row in self.rows_of(&record.rows, container)? {
            if let Ok(identity) = self.see(&reader, row, false)? {
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
            for id in self.places_of(row) {
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
            grid.headers.extend(placed.iter().filter(is_header).filter(|cell| self.is_exposed(cell.id)));
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
        self.places_of(row).into_iter().filter(|&cell| self.is_exposed(cell)).collect()
    }

    /// The cells of a row, also those that are hidden and keep their place.
    fn places_of(&self, row: Id) -> Vec<Id> {
        let is_own = |&cell: &Id| {
            CELLS.contains(&self.role(cell))
                && (self.is_exposed(cell) || self.keeps_place(cell))
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
            ColumnAt::Attribute { at, name } => {
                Ok(Reader::Attribute(Box::new(self.reader(at, container)?), name))
            }
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
            let is_hidden = |&header: &Id| {
                self.role(header) == "columnheader"
                    && !self.is_exposed(header)
                    && wanted.matches(&fold(&self.text_content(header)))
            };
            if self.inside(Some(table)).any(|header| is_hidden(&header)) {
                let message = format!(
                    "the column {} of {} is there, but hidden",
                    say_match(text),
                    self.describe(table)
                );
                return Err(Miss::new(RefusalKind::Hidden, message, Vec::new()));
            }
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

    fn see(&self, reader: &Reader<'_>, record: Id, several: bool) -> Result<Seen, Miss> {
        self.see_by(reader, record, &|id| Ok(self.cell_text(id, several)), several)
    }

    /// `show`: what an element says.
    fn see_by(
        &self,
        reader: &Reader<'_>,
        record: Id,
        show: &dyn Fn(Id) -> Seen,
        several: bool,
    ) -> Result<Seen, Miss> {
        let whole = |seen: Seen| {
            seen.and_then(|text| if several && is_cut(&text) { Err(only_some(&text)) } else { Ok(text) })
        };
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
                Ok(match found.first() {
                    Some(&id) => whole(show(id)),
                    None if self.empties(query, record).len() == 1 => Ok(String::new()),
                    None => Err(self.nothing(query, Some(record))),
                })
            }
            Reader::Each(query) => self.each(query, record, show),
            Reader::Attribute(inner, name) => {
                let attribute = |id: Id| {
                    self.attr(id, name).map(fold).ok_or_else(|| {
                        let message = format!("{} has no attribute {}", self.describe(id), quote(name));
                        Miss::new(RefusalKind::NotFound, message, Vec::new())
                    })
                };
                self.see_by(inner, record, &attribute, false)
            }
            Reader::Between(inner, before, after) => {
                Ok(self.see_by(inner, record, show, false)?.and_then(|text| {
                    let inside =
                        text.strip_prefix(before).and_then(|text| text.strip_suffix(after)).map(fold);
                    inside.ok_or_else(|| {
                        let wanted = quote(&format!("{before}…{after}"));
                        let message = format!("it shows {}, not {wanted}", quote(&text));
                        Miss::new(RefusalKind::NotFound, message, Vec::new())
                    })
                }))
            }
            Reader::Column(grid, column) => {
                let row = self.up(record).find_map(|at| grid.cells.iter().find(|(row, _)| *row == at));
                let cells = row.map(|(_, cells)| &cells[..]).unwrap_or_default();
                Ok(match cells.iter().find(|cell| (cell.start..cell.end).contains(column)) {
                    Some(cell) if self.is_exposed(cell.id) => whole(show(cell.id)),
                    Some(_) => Err(Miss::new(
                        RefusalKind::Hidden,
                        "its cell in this column is there, but hidden",
                        Vec::new(),
                    )),
                    None => {
                        Err(Miss::new(RefusalKind::NotFound, "it has no cell in this column", Vec::new()))
                    }
                })
            }
        }
    }

    /// Elements without any content: they are there, and have no size only because nothing is in them.
    fn empties(&self, query: &seatwright::query::Query, record: Id) -> Vec<Id> {
        let hidden = self.find(query, Some(record), Look::Hidden).unwrap_or_default().into_iter();
        let is_empty = |id: &Id| {
            self.is_exposed(*id)
                && self.text_content(*id).trim().is_empty()
                && self.children(*id).next().is_none()
        };
        hidden.filter(is_empty).collect()
    }

    /// The values of several elements. None of them is a value too, if what is around them, or their heading, is there.
    fn each(
        &self,
        query: &seatwright::query::Query,
        record: Id,
        show: &dyn Fn(Id) -> Seen,
    ) -> Result<Seen, Miss> {
        let found = self.find(query, Some(record), Look::Lenient)?;
        let holders = match &query.within {
            Some(within) => self.any(within, Some(record))?,
            None => Vec::new(),
        };
        if found.is_empty() {
            let under = query.under.as_ref().filter(|_| query.within.is_none());
            let heads = under.is_some_and(|under| !self.parts_under(&Matcher::new(under)).is_empty());
            let is_empty = |query| !self.empties(query, record).is_empty();
            let around = query.within.iter().flat_map(|within| &within.any);
            let is_shown = heads || !holders.is_empty() || around.into_iter().any(is_empty);
            return Ok(if is_shown { Ok(String::new()) } else { Err(self.nothing(query, Some(record))) });
        }
        let mut texts = Vec::new();
        for &id in &found {
            match show(id) {
                Ok(text) if text.is_empty() => {}
                Ok(text) => texts.push(text),
                Err(miss) => return Ok(Err(miss)),
            }
        }
        let parents: Vec<Id> = found.iter().filter_map(|&id| self.parent(id)).collect();
        let bare = seatwright::query::Query { nth: None, ..query.clone() };
        let hidden: Vec<String> = self
            .find(&bare, Some(record), Look::Hidden)
            .unwrap_or_default()
            .into_iter()
            .filter(|&id| {
                !holders.is_empty() || self.parent(id).is_some_and(|parent| parents.contains(&parent))
            })
            .map(|id| fold(&self.text_content(id)))
            .filter(|text| !text.is_empty() && !texts.contains(text))
            .collect();
        if !hidden.is_empty() {
            let are = if hidden.len() == 1 { "is" } else { "are" };
            let message = format!("{} of its values {are} there, but hidden", hidden.len());
            let candidates = hidden.iter().map(|text| quote(text)).collect();
            return Ok(Err(Miss::new(RefusalKind::Hidden, message, candidates)));
        }
        let beside = parents.iter().flat_map(|&parent| self.children(parent));
        let deeper = holders
            .iter()
            .flat_map(|&holder| self.inside(Some(holder)).filter(|&id| self.children(id).next().is_none()));
        let mut said = beside
            .chain(deeper)
            .filter(|&id| self.is_visible(id))
            .map(|id| self.text(id))
            .chain(texts.iter().cloned());
        Ok(match said.find(|text| stands_for_more(text)) {
            Some(more) => Err(only_some(&more)),
            None => Ok(texts.join(&BETWEEN.to_string())),
        })
    }
}

fn only_some(text: &str) -> Miss {
    Miss::new(RefusalKind::Hidden, format!("it shows only some of its values: {}", quote(text)), Vec::new())
}

/// `+3`, `+3 more`, `2 others`.
const NUMBER_MORE: &str = r"(?:[+＋] ?\p{Nd}{1,3}(?: ?[\p{L}\p{M}]+){0,3}|(?:(?:and|show|plus|und|et|y|e|&) ?)?\p{Nd}{1,3} (?:more|others?|weitere[nrs]?|andere[nrs]?|autres?|otr[oa]s?|más|altr[aeio]|outr[oa]s?|mais))";

/// A text that stands for values which are not shown: `+3`, `(+3 more)`, `and 2 others`, `…`.
pub(super) fn stands_for_more(text: &str) -> bool {
    let more =
        format!(r"(?i)^[(\[{{（【]? ?(?:…|\.{{3}}|(?:(?:and|&|…|\.{{3}}) ?)?{NUMBER_MORE}) ?[)\]}}）】]?…?$");
    matches(text, &more)
}

/// Does a text of several values end in such a text, or is one of its values one?
fn is_cut(text: &str) -> bool {
    let cut = format!(r"(?i)(?:…|\.{{3}}|(?:^|[^\p{{L}}\p{{N}}+#]){NUMBER_MORE}) ?[)\]}}）】]?$");
    matches(text, &cut) || text.split([',', ';', '|', '\n', BETWEEN]).any(|part| stands_for_more(part.trim()))
}

fn matches(text: &str, pattern: &str) -> bool {
    regex::Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(text))
}
