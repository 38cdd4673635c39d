//! Views: the records of a page, and the attributes of each.

use serde::{Deserialize, Serialize};

use super::{ColumnAt, Rows};

/// The elements that are the records, and the attributes to read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct View {
    pub rows: Rows,
    pub columns: Vec<Column>,
}

/// One attribute of a record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    pub at: ColumnAt,
}
