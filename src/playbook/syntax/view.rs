//! Views: where records are read.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::playbook::{
    at::{At, List, Names},
    locator::Locator,
    step::Step,
};

/// A place where records are read.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct View {
    /// Its address.
    pub open: At<String>,
    /// What is done there before it is read: a page size, a filter that is cleared.
    #[serde(default)]
    pub prepare: Option<List<Step>>,
    /// Which elements are the records. Without it the page is one record.
    #[serde(default)]
    pub rows: Option<Rows>,
    /// Which attributes a record shows, and where.
    pub columns: Names<Column>,
    /// How to go on to the next page.
    #[serde(default)]
    pub pages: Option<Pages>,
    /// What a record shows only on a page of its own.
    #[serde(default)]
    pub detail: Option<Detail>,
}

impl View {
    /// The columns of the list, and those of the detail page.
    pub fn every_column(&self) -> impl Iterator<Item = &(At<String>, Column)> {
        self.columns.iter().chain(self.detail.iter().flat_map(|detail| detail.columns.iter()))
    }

    /// Where an attribute is read, on the list or on the detail page.
    pub fn column(&self, attribute: &str) -> Option<&Column> {
        self.every_column().find(|(name, _)| name.value == attribute).map(|(_, column)| column)
    }
}

/// A page of its own for each record.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Detail {
    /// Clicked inside the record. After a user was read, their page is in front, and `user row` is on it.
    pub open: Locator,
    /// What holds the record there.
    #[serde(rename = "in")]
    pub within: Locator,
    /// What it shows, the identity among it; each in a `cell`, or in `each` of several elements.
    pub columns: Names<Column>,
    /// Clicked to get back to the list.
    pub back: Locator,
}

/// Which elements are the records.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rows {
    /// The table, grid or list.
    #[serde(rename = "in")]
    pub within: Locator,
    /// One record. Without it: the rows of a table, the items of a list.
    #[serde(default)]
    pub each: Option<Locator>,
}

/// Where a record shows an attribute.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Under this column header.
    #[serde(default)]
    pub column: Option<At<String>>,
    /// Or in this element inside the record.
    #[serde(default)]
    pub cell: Option<Locator>,
    /// Or in each of these elements inside the record: several values.
    #[serde(default)]
    pub each: Option<Locator>,
    /// What it says around the value: `User: {value}`. What says something else has no value.
    #[serde(default)]
    pub says: Option<At<String>>,
    /// Taken where the record has no such element.
    #[serde(default)]
    pub without: Option<String>,
    /// What the page says → what it means: `{ Active: true, Suspended: false, Invited: invited }`.
    #[serde(default)]
    pub map: Option<Names<At<String>>>,
    /// The text is a list with this between its items.
    #[serde(default)]
    pub split: Option<At<String>>,
}

/// How to read on.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pages {
    /// Clicked for the next page.
    #[serde(default)]
    pub next: Option<Locator>,
    /// Or: clicked for more records below those that are there.
    #[serde(default)]
    pub more: Option<Locator>,
    /// Or: more come by scrolling; those that went out of sight may be gone from the page.
    #[serde(default)]
    pub scroll: Option<At<bool>>,
    /// How the last page shows: on `next` or `more`.
    #[serde(default)]
    pub until: Option<Until>,
    /// Never more pages than this.
    pub max: At<u64>,
    /// Where the app says how many there are: a text with `{n}`.
    #[serde(default)]
    pub total: Option<Locator>,
}

/// How the last page shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// `next` is disabled.
    Disabled,
    /// `next` is not there.
    Absent,
}
