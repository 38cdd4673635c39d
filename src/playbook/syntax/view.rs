//! Views: where records are read.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::playbook::{
    at::{At, List, Names, OneOrMany},
    locator::Locator,
    step::Step,
};

/// A view: a place where records are read.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct View {
    /// The address of the view.
    pub open: At<String>,
    /// The steps before reading: choose a page size, clear a filter.
    #[serde(default)]
    pub prepare: Option<List<Step>>,
    /// The elements that are the records. Without `rows`, the whole page is one record.
    #[serde(default)]
    pub rows: Option<Rows>,
    /// The attributes of a record, and where the record shows them.
    pub columns: Names<Column>,
    /// Attributes and kinds of entitlements that the app never shows. They are typed, and the result lists them under
    /// `unverified`.
    #[serde(default)]
    pub unread: Vec<At<String>>,
    /// How to get to the next page.
    #[serde(default)]
    pub pages: Option<Pages>,
    /// Other views that show more of the same records, such as their roles. Each has the identity among its columns; its own
    /// `detail` is not read.
    #[serde(default)]
    pub also: Vec<At<String>>,
    /// The views of `also`.
    #[serde(skip)]
    pub joined: Vec<View>,
    /// Attributes that only the detail page of a record shows; a list, if several pages or tabs show them.
    #[serde(default)]
    pub detail: OneOrMany<Detail>,
}

impl View {
    /// The columns of the list, followed by those of the views of `also`, and those of each part of the detail.
    pub fn every_column(&self) -> impl Iterator<Item = &(At<String>, Column)> {
        let joined = self.joined.iter().flat_map(|other| other.columns.iter());
        self.columns.iter().chain(joined).chain(self.detail.iter().flat_map(|part| part.columns.iter()))
    }

    /// The steps before the list is read, and those before each part of the detail.
    pub fn every_prepare(&self) -> impl Iterator<Item = &List<Step>> {
        self.prepare.iter().chain(self.detail.iter().filter_map(|part| part.prepare.as_ref()))
    }

    /// The column of an attribute, on the list or on the detail page.
    pub fn column(&self, attribute: &str) -> Option<&Column> {
        self.every_column().find(|(name, _)| name.value == attribute).map(|(_, column)| column)
    }
}

/// The detail page of each record, or one part of it.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Detail {
    /// The element to click inside the record, in the list. After a user is read, the browser stays on the user's last part,
    /// and `user row` is there.
    #[serde(default)]
    pub open: Option<Locator>,
    /// The steps before reading: choose a tab, open another page. They know what was read so far as `record.…`.
    #[serde(default)]
    pub prepare: Option<List<Step>>,
    /// `true`: this opens a window. The window is closed after it was read.
    #[serde(default)]
    pub window: bool,
    /// The element that contains the record on the page.
    #[serde(rename = "in")]
    pub within: Locator,
    /// The attributes in this part, including the identity. Each needs `cell` or `each`.
    pub columns: Names<Column>,
    /// The element to click to return to the list. Without it, the view is opened again.
    #[serde(default)]
    pub back: Option<Locator>,
}

/// The elements that are the records.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rows {
    /// The table, grid or list.
    #[serde(rename = "in")]
    pub within: Locator,
    /// One record. Without `each`: the rows of a table, or the items of a list.
    #[serde(default)]
    pub each: Option<Locator>,
}

/// Where a record shows an attribute.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// The header of the column.
    #[serde(default)]
    pub column: Option<At<String>>,
    /// Or the element inside the record.
    #[serde(default)]
    pub cell: Option<Locator>,
    /// Or several elements inside the record, each with one value. With `in`: if the element around them is there and
    /// contains none of them, the record has no value.
    #[serde(default)]
    pub each: Option<Locator>,
    /// The attribute of the element that contains the value: `title`, `href`.
    #[serde(default)]
    pub attribute: Option<At<String>>,
    /// The text around the value: `User: {value}`. An element with another text has no value.
    #[serde(default)]
    pub says: Option<At<String>>,
    /// The value if a record has no such element. Otherwise a user without this element is not read: `target_missing`.
    #[serde(default)]
    pub without: Option<String>,
    /// Text on the page → value: `{ Active: true, Suspended: false, Invited: invited }`.
    #[serde(default)]
    pub map: Option<Names<At<String>>>,
    /// The text is a list; this text separates its items.
    #[serde(default)]
    pub split: Option<At<String>>,
}

/// How to read the next records.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pages {
    /// The element to click for the next page.
    #[serde(default)]
    pub next: Option<Locator>,
    /// Or the element to click to load more records below.
    #[serde(default)]
    pub more: Option<Locator>,
    /// Or `true`: scrolling loads more records. Records out of sight may leave the page.
    #[serde(default)]
    pub scroll: Option<At<bool>>,
    /// How to recognize the last page: by `next` or `more`.
    #[serde(default)]
    pub until: Option<Until>,
    /// The largest number of pages to read.
    pub max: At<u64>,
    /// The text with the number of records; `{n}` stands for the number.
    #[serde(default)]
    pub total: Option<Locator>,
}

/// How to recognize the last page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// `next` or `more` is disabled.
    Disabled,
    /// `next` or `more` is missing.
    Absent,
}
