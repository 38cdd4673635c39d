//! The places of records: in the list, and in the parts of a record's detail.

use super::scope::{Placed, Scope, placed};
use crate::{
    contract::{Code, Failure},
    playbook::{
        Locator,
        syntax::{self, Column, Detail},
    },
    query as page,
    query::{Query, Target},
};

impl Scope {
    /// The record where the user was read: in the last part of the detail, or in an earlier one, if steps have returned to it.
    /// Without parts that stay in front: in the list.
    pub(super) fn user_row(&self) -> Result<Vec<Placed>, Failure> {
        let view = self.find_view()?;
        let mut parts: Vec<Placed> = Vec::new();
        for part in view.detail.iter().rev().filter(|part| !part.window) {
            let mut rows = self.page_of_record(part)?;
            let frame = std::mem::take(&mut rows.within.frame);
            let query = self.record(rows, part.columns.get(self.identity()?))?;
            // One question is about one frame.
            if parts.first().is_none_or(|(last, _)| *last == frame) {
                parts.push((frame, query));
            }
        }
        if parts.is_empty() {
            parts.push(self.list_row()?);
        }
        Ok(parts)
    }

    /// A detail page, as a list with one record.
    fn page_of_record(&self, detail: &Detail) -> Result<page::Rows, Failure> {
        let record = self.target(&detail.within, false)?;
        let document = Target::from(Query::new(page::By::Css("body".to_owned())));
        Ok(page::Rows {
            within: Target { frame: record.frame, ..document },
            each: record.any.into_iter().next(),
        })
    }

    /// The detail page of the record with this identity.
    pub fn detail_record(&self, detail: &Detail, column: &Column, identity: &str) -> Result<Target, Failure> {
        let mut rows = self.page_of_record(detail)?;
        let frame = std::mem::take(&mut rows.within.frame);
        let record = page::RecordQuery {
            rows,
            column: self.column(column)?,
            equals: identity.to_owned(),
            ignore_case: self.subject.as_ref().is_some_and(|subject| subject.ignore_case),
        };
        Ok(placed((frame, Query::new(page::By::Record(Box::new(record))))))
    }

    /// A detail page, as a question to the page.
    pub fn detail_view(&self, detail: &Detail) -> Result<page::View, Failure> {
        self.asked(self.page_of_record(detail)?, &detail.columns)
    }

    fn find_view(&self) -> Result<&syntax::View, Failure> {
        let view = self.source.playbook.view_of_user();
        view.ok_or_else(|| Failure::new(Code::Internal, "`user row` without find_user and its view"))
    }

    fn identity(&self) -> Result<&str, Failure> {
        let subject = self.subject.as_ref().map(|subject| subject.attribute.as_str());
        subject.ok_or_else(|| Failure::new(Code::Internal, "`user row` without a user"))
    }

    /// The user's record in the list.
    fn list_row(&self) -> Result<Placed, Failure> {
        let view = self.find_view()?;
        let mut rows = self.rows(view.rows.as_ref())?;
        let frame = std::mem::take(&mut rows.within.frame);
        self.record(rows, view.columns.get(self.identity()?)).map(|query| (frame, query))
    }

    fn record(&self, rows: page::Rows, column: Option<&Column>) -> Result<Query, Failure> {
        let bug = |what: &str| Failure::new(Code::Internal, format!("`user row` without {what}"));
        let subject = self.subject.as_ref().ok_or_else(|| bug("a user"))?;
        let column = self.column(column.ok_or_else(|| bug("an identity column"))?)?;
        Ok(Query::new(page::By::Record(Box::new(page::RecordQuery {
            rows,
            column,
            equals: subject.value.clone(),
            ignore_case: subject.ignore_case,
        }))))
    }

    /// The record of the user in the list.
    pub fn user_record(&self) -> Result<Target, Failure> {
        self.list_row().map(placed)
    }

    /// An element inside the record with this identity.
    pub fn inside_record(
        &self,
        view: &syntax::View,
        column: &Column,
        identity: &str,
        inner: &Locator,
    ) -> Result<Target, Failure> {
        let mut rows = self.rows(view.rows.as_ref())?;
        let frame = std::mem::take(&mut rows.within.frame);
        let record = page::RecordQuery {
            rows,
            column: self.column(column)?,
            equals: identity.to_owned(),
            ignore_case: false,
        };
        let record = Target::from(Query::new(page::By::Record(Box::new(record))));
        let mut target = self.target(inner, false)?;
        for query in &mut target.any {
            query.within = Some(Box::new(record.clone()));
        }
        Ok(Target { frame, ..target })
    }
}
