//! Reading the entitlements that the app shows, and whether these are all.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    super::run::Run,
    rows::{Row, Walked},
};
use crate::{
    contract::{Code, Completeness, Failure},
    digest,
    plan::diff,
    playbook::{
        Playbook,
        syntax::{OperationSteps, View},
    },
};

/// What the views of `entitlement.list` show.
pub(crate) struct EntitlementsRead {
    /// Type, value, display.
    pub(crate) found: Vec<(String, String, Option<String>)>,
    pub(crate) completeness: Completeness,
    /// Why more of them may be in the app.
    pub(crate) doubt: Option<Failure>,
}

impl Run<'_> {
    /// Every entitlement that the app shows. With `kinds`, only views that show one of these.
    pub(crate) async fn read_entitlements(
        &mut self,
        kinds: Option<&[&str]>,
    ) -> Result<EntitlementsRead, Failure> {
        let source = Arc::clone(&self.plan.playbook);
        let playbook = &source.playbook;
        let mut found = Vec::new();
        let mut doubt = None;
        let mut all = Completeness {
            complete: true,
            pages: 0,
            shown: Some(0),
            rows: 0,
            stopped_by: "last_page".to_owned(),
            sha256: String::new(),
        };
        let listed = playbook.operations.get("entitlement.list");
        for name in listed.into_iter().flat_map(OperationSteps::every_view) {
            let view = source.view(&name.value)?;
            let named = |kind: &str| view.columns.get(kind).is_some();
            let is_wanted = |kinds: &[&str]| named("value") || kinds.iter().any(|kind| named(kind));
            if !kinds.is_none_or(is_wanted) {
                continue;
            }
            let walked = self.walk(view).await;
            self.read();
            let walked = match walked {
                Ok(walked) => walked,
                Err(error) => {
                    return Err(self
                        .page()
                        .explain(error)
                        .await
                        .failure
                        .at(format!("views.{}", name.value), source.place(view.open.span)));
                }
            };
            for row in &walked.rows {
                entitlements_of(playbook, view, row, &mut found);
            }
            let rows = different(view, &walked);
            if doubt.is_none() && !may_be_all(&walked, rows) {
                let place = source.place(view.open.span);
                doubt = Some(not_all(&walked, rows).at(format!("views.{}", name.value), place));
            }
            add(&mut all, &walked, rows);
        }
        let names: BTreeSet<String> =
            found.iter().map(|(kind, value, _)| format!("{kind}\u{1f}{value}\n")).collect();
        all.sha256 = digest::sha256(names.into_iter().collect::<String>());
        Ok(EntitlementsRead { found, completeness: all, doubt })
    }
}

/// How many records were read. One that is read twice may stand in the place of another, where each is an entitlement.
fn different(view: &View, walked: &Walked) -> u64 {
    let rows = match view.columns.get("value") {
        Some(_) => walked.rows.iter().collect::<BTreeSet<_>>().len(),
        None => walked.rows.len(),
    };
    rows as u64
}

/// Does nothing speak against it that these are all? A list without a number is believed when its last page was read.
fn may_be_all(walked: &Walked, rows: u64) -> bool {
    walked.last_page_seen && !walked.moved && walked.shown.is_none_or(|shown| shown == rows)
}

fn add(all: &mut Completeness, walked: &Walked, rows: u64) {
    all.complete &= may_be_all(walked, rows) && walked.shown.is_some() && rows > 0;
    all.pages = all.pages.saturating_add(walked.pages);
    all.shown = all.shown.zip(walked.shown).map(|(all, one)| all.saturating_add(one));
    all.rows = all.rows.saturating_add(rows);
    if walked.stopped_by != "last_page" && all.stopped_by == "last_page" {
        all.stopped_by = walked.stopped_by.to_owned();
    }
}

fn not_all(walked: &Walked, rows: u64) -> Failure {
    let message = match walked.shown {
        Some(shown) if shown != rows => {
            format!("{rows} records were read, but the app shows {shown} as their number")
        }
        _ if walked.moved => "the list changed while it was read".to_owned(),
        _ => format!("{rows} records were read, and the list goes on"),
    };
    Failure::new(Code::ListIncomplete, message)
        .hint("see how the list goes on (`pages`), and what its number counts (`total`)")
}

/// The entitlements in one record of a view.
fn entitlements_of(
    playbook: &Playbook,
    view: &View,
    row: &Row,
    found: &mut Vec<(String, String, Option<String>)>,
) {
    let cells = || view.columns.iter().zip(row);
    let read = |wanted: &str| {
        let (_, cell) = cells().find(|((name, _), _)| name.value == wanted)?;
        let column = view.columns.get(wanted)?;
        cell.as_deref().or(column.without.as_deref()).map(|cell| diff::meaning(column, &diff::folded(cell)))
    };
    // A column with the name of a kind contains entitlements of that kind.
    for ((name, column), cell) in cells() {
        if playbook.entitlements.get(&name.value).is_some() {
            let shown = diff::folded(cell.as_deref().unwrap_or_default());
            let items = diff::items(column, &shown).into_iter();
            found.extend(items.map(|value| (name.value.clone(), value, read("display"))));
        }
    }
    let kind = || read("type").or_else(|| playbook.only_kind_listed().map(str::to_owned));
    if let Some(value) = read("value")
        && let Some(kind) = kind()
    {
        found.push((kind, value, read("display")));
    }
}
