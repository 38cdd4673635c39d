//! Reading records: one user, all users, all entitlements.

mod detail;
mod doubtful;
mod entitlements;
mod filled;
mod find;
mod holders;
mod joined;
mod namesakes;
mod quiet;
mod reading;
mod rows;
mod scan;
mod total;
mod walk;

pub(super) use reading::Reading;
pub(super) use rows::{Namesakes, Row};

use super::page::StepError;
use crate::{
    contract::{Code, Failure},
    playbook::syntax::Pages,
};

fn within_bounds(paging: &Pages, pages: u32) -> Result<(), StepError> {
    if u64::from(pages) < paging.max.value {
        return Ok(());
    }
    let message = format!("the list has more pages than `max: {}` of the playbook allows", paging.max.value);
    Err(Failure::new(Code::ListIncomplete, message)
        .hint("raise `pages.max`, or give `find_user` a search")
        .into())
}
