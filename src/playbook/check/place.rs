//! What may be named at a place of a playbook.

use std::collections::BTreeSet;

/// What may be named at a place.
#[derive(Clone, Default)]
pub(super) struct Place {
    /// Is the user's record in front here?
    pub row: bool,
    /// Is known here what was read of a record?
    pub record: bool,
    /// Are the job's user and entitlements known here?
    pub job: bool,
    /// May secrets be typed here?
    pub secrets: bool,
    /// May the first password of a new user be typed here?
    pub new_user: bool,
    pub captures: BTreeSet<String>,
    /// Is the number of a list's page known here?
    pub paging: bool,
    /// The parameters of the module that this is.
    pub with: Option<BTreeSet<String>>,
}
