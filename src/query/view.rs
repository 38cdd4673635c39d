//! Where a page shows records, and what is read of each.

use serde::{Deserialize, Serialize};

use super::{ColumnAt, Rows};

/// Where records are shown: which elements are the records, and what is read of each.
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
