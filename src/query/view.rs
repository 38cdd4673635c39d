//! Where a page shows records, and what is read of each.

use serde::{Deserialize, Serialize};

use super::{Query, Target, TextMatch};

/// Where records are shown: which elements are the records, and what is read of each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct View {
    pub rows: Rows,
    pub columns: Vec<Column>,
}

/// Which elements are the records.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rows {
    /// The table, grid or list that holds them.
    pub within: Target,
    /// One record, inside the container. Without it: of a table or grid its rows that are not headers, of a list its items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each: Option<Query>,
}

/// One attribute of a record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    pub at: ColumnAt,
}

/// Where in a record an attribute stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnAt {
    /// In the cell under the column header of this name.
    Header(TextMatch),
    /// In the element found by this inside the record.
    Cell(Query),
    /// In each of the elements found by this inside the record: several values, with [`BETWEEN`] between them.
    Each(Query),
    /// There, between these two texts. What says something else has no value.
    Says { at: Box<ColumnAt>, before: String, after: String },
}

/// What stands between the values of a place that has several: no text for people.
pub const BETWEEN: char = '\u{1F}';
