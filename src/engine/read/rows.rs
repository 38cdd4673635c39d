//! The rows of a view as they are read: page by page, in a list that grows, or in a list that scrolls.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    contract::{Code, Failure},
    playbook::{check::STATED_BY, syntax::View},
    query::{canonical, may_be_cut},
};

/// What a record shows, in the order of the view's columns. The columns of its own page are last.
pub(crate) type Row = Vec<Option<String>>;

/// All rows of a view, over all its pages.
pub(crate) struct Walked {
    pub(crate) rows: Vec<Row>,
    pub(crate) pages: u32,
    pub(crate) shown: Option<u64>,
    pub(crate) last_page_seen: bool,
    pub(crate) stopped_by: &'static str,
    /// The list has changed while it was read.
    pub(crate) moved: bool,
    pub(crate) key: Option<usize>,
    /// Identities in other upper and lower case are the same.
    pub(crate) ignore_case: bool,
}

impl Walked {
    /// Is every user in it, once, by the number that the app itself shows? No list of users is empty: the service account is a
    /// user.
    pub(crate) fn is_whole(&self) -> bool {
        let rows = self.rows.len() as u64;
        let is_counted = self.shown == Some(rows) && rows > 0;
        self.last_page_seen
            && !self.moved
            && is_counted
            && distinct(&self.rows, self.key, self.ignore_case) == rows
    }
}

/// How many different records these are: by identity, or where a view has none, by all that they show.
fn distinct(rows: &[Row], key: Option<usize>, ignore_case: bool) -> u64 {
    let named = |row: &Row| match key {
        Some(key) => {
            vec![canonical(row.get(key).and_then(Option::as_deref).unwrap_or_default(), ignore_case)]
        }
        None => row.iter().flatten().cloned().collect(),
    };
    let known: BTreeSet<Vec<String>> =
        rows.iter().map(named).filter(|name| name.iter().any(|part| !part.is_empty())).collect();
    known.len() as u64
}

/// The records that were read so far.
pub(crate) struct RowsRead {
    pub(crate) rows: Vec<Row>,
    /// The column of the identity, if the view has it.
    pub(crate) key: Option<usize>,
    ignore_case: bool,
    /// The rows by identity. A list that scrolls shows them more than once.
    known: BTreeMap<String, usize>,
    /// The page that was read last.
    pub(crate) page: Vec<Row>,
    pub(crate) way: Way,
    /// The number of records that the app showed when the first of them were read.
    pub(crate) shown: Option<u64>,
    /// The columns of a list that scrolls which were empty first, and were filled in later.
    late: BTreeSet<usize>,
}

/// How a list continues.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// In pages, each with records of its own.
    Pages,
    /// With more records below those that are there.
    Grows,
    /// It draws only the records in front, and is scrolled.
    Scrolls,
}

impl RowsRead {
    pub(crate) fn new(view: &View, identity: &str, ignore_case: bool) -> Self {
        let way = match &view.pages {
            Some(pages) if pages.scroll.is_some() => Way::Scrolls,
            Some(pages) if pages.more.is_some() => Way::Grows,
            _ => Way::Pages,
        };
        let key = view.columns.names().position(|name| name == identity);
        Self {
            rows: Vec::new(),
            key,
            ignore_case,
            known: BTreeMap::new(),
            page: Vec::new(),
            way,
            shown: None,
            late: BTreeSet::new(),
        }
    }

    /// Nothing of the same list.
    pub(super) fn afresh(&self) -> Self {
        let (rows, page, known) = (Vec::new(), Vec::new(), BTreeMap::new());
        let (key, ignore_case, way, late) = (self.key, self.ignore_case, self.way, self.late.clone());
        Self { rows, key, ignore_case, known, page, way, shown: None, late }
    }

    /// What was read, over this many pages.
    pub(crate) fn into_walked(self, pages: u32, last_page_seen: bool, stopped_by: &'static str) -> Walked {
        let Self { rows, key, ignore_case, shown, .. } = self;
        Walked { rows, pages, shown, last_page_seen, stopped_by, moved: false, key, ignore_case }
    }

    pub(crate) fn add(&mut self, page: Vec<Row>) {
        self.page.clone_from(&page);
        match self.way {
            Way::Pages => self.rows.extend(page),
            Way::Grows => self.rows = page,
            Way::Scrolls => {
                for row in page {
                    let key = match self.key.and_then(|key| row.get(key).cloned().flatten()) {
                        Some(identity) => identity,
                        None => row.iter().flatten().cloned().collect::<Vec<_>>().join("\u{1f}"),
                    };
                    // A row that is still empty is read later.
                    if key.trim().is_empty() {
                        continue;
                    }
                    let next = self.rows.len();
                    let at = *self.known.entry(key).or_insert(next);
                    match self.rows.get_mut(at) {
                        Some(before) => merge(before, row, &mut self.late),
                        None => self.rows.push(row),
                    }
                }
            }
        }
    }

    /// Leaves out a record that is shown again on each page, if without it the number is that of the app.
    pub(crate) fn leave_out_repeats(&mut self, total: Option<u64>) {
        if total == Some(self.distinct()) {
            let mut known = BTreeSet::new();
            self.rows.retain(|row| known.insert(row.clone()));
        }
    }

    /// How many different records were read.
    pub(crate) fn distinct(&self) -> u64 {
        distinct(&self.rows, self.key, self.ignore_case)
    }

    /// Does the row lack what the list fills in later?
    pub(super) fn lacks(&self, row: &Row) -> bool {
        self.late.iter().any(|column| row.get(*column).is_some_and(is_blank))
    }

    pub(super) fn any_lacks(&self) -> bool {
        self.rows.iter().any(|row| self.lacks(row))
    }

    /// Does one of the records of this page lack it, in all that was read of it?
    pub(super) fn lacks_of(&self, page: &[Row]) -> bool {
        let read = |row: &Row| {
            let key = self.key.and_then(|key| row.get(key)?.as_ref());
            key.and_then(|key| self.known.get(key)).and_then(|at| self.rows.get(*at))
        };
        page.iter().any(|row| self.lacks(read(row).unwrap_or(row)))
    }

    /// What the list did not fill in was not read.
    pub(super) fn leave_unread(&mut self) {
        for row in &mut self.rows {
            for column in &self.late {
                if let Some(cell) = row.get_mut(*column).filter(|cell| is_blank(cell)) {
                    *cell = None;
                }
            }
        }
    }

    /// Did the list change while its pages were read? Then its number of records has changed, or the same record was read
    /// twice in the place of another one.
    pub(crate) fn has_moved(&self, total: Option<u64>) -> bool {
        let rows = self.rows.len() as u64;
        (self.way == Way::Pages && self.shown != total) || (total == Some(rows) && self.distinct() < rows)
    }

    /// A record that shows no identity may be the user's: it proves nothing.
    pub(crate) fn all_named(&self, identity: &str) -> Result<(), Failure> {
        let Some(key) = self.key else { return Ok(()) };
        let is_named =
            |row: &Row| row.get(key).and_then(Option::as_deref).is_some_and(|name| !name.is_empty());
        if self.rows.iter().all(is_named) {
            return Ok(());
        }
        let message = format!("a record shows no `{identity}`: it may be the user's");
        Err(Failure::new(Code::ListIncomplete, message)
            .hint("see whether the page hides it, and read it where it is shown"))
    }

    /// Is there a row that is still empty?
    pub(crate) fn waits(&self, page: &[Row]) -> bool {
        let empty = |row: &Row| match self.key {
            Some(key) => row.get(key).and_then(Option::as_deref).is_none_or(|shown| shown.trim().is_empty()),
            None => row.iter().flatten().all(|shown| shown.trim().is_empty()),
        };
        self.way == Way::Scrolls && page.iter().any(empty)
    }
}

/// A record is read again. What is empty now and was not before is being drawn again.
fn merge(before: &mut Row, row: Row, late: &mut BTreeSet<usize>) {
    for (column, (before, cell)) in before.iter_mut().zip(row).enumerate() {
        match (is_blank(before), is_blank(&cell)) {
            (true, false) => {
                late.insert(column);
            }
            (false, true) => continue,
            _ => {}
        }
        *before = cell;
    }
}

/// No value yet, or only a sign in its place.
fn is_blank(cell: &Option<String>) -> bool {
    !cell.as_deref().is_some_and(|cell| cell.contains(char::is_alphanumeric))
}

/// What is read to its end for one user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whole {
    /// What a search has found.
    Hits,
    /// All users.
    List,
}

/// The identities of all records that were read, by attribute and name.
#[derive(Default)]
pub(crate) struct Namesakes(BTreeMap<(&'static str, String), BTreeSet<String>>);

impl Namesakes {
    pub(crate) fn note(&mut self, view: &View, identity: &str, rows: &[Row]) {
        let place = |name: &str| view.columns.names().position(|column| column == name);
        let Some(key) = place(identity) else { return };
        for name in STATED_BY {
            let Some(at) = place(name) else { continue };
            for row in rows {
                if let (Some(Some(who)), Some(Some(shown))) = (row.get(key), row.get(at)) {
                    let all = self.0.entry((name, canonical(shown, true))).or_default();
                    all.insert(canonical(who, true));
                }
            }
        }
    }

    /// How many people have this name, or one that is cut off and may be this one.
    pub(crate) fn of(&self, attribute: &'static str, name: &str) -> usize {
        let name = canonical(name, true);
        let named = self
            .0
            .iter()
            .filter(|((at, shown), _)| *at == attribute && (*shown == name || may_be_cut(shown, &name)));
        named.flat_map(|(_, bearers)| bearers).collect::<BTreeSet<_>>().len()
    }
}
