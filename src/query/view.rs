//! Views: the records of a page, and the attributes of each.

use serde::{Deserialize, Serialize};

use super::{ColumnAt, Rows};

/// The elements that are the records, and the attributes to read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct View {
    pub rows: Rows,
    pub columns: Vec<Column>,
    /// The record that has to show every column that is not optional. A question waits for it, and is refused if a
    /// column stays missing or hidden.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole: Option<WholeRecord>,
}

/// The record with this identity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WholeRecord {
    /// The column of the identity.
    pub column: usize,
    pub equals: String,
    /// Ignore upper and lower case.
    pub ignore_case: bool,
}

/// One attribute of a record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    pub at: ColumnAt,
    /// A record may lack it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// It may show several values: the parts of its element are values, separated by [`BETWEEN`](super::BETWEEN).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub several: bool,
}
