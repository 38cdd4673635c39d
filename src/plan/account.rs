//! The service account, as far as a plan needs it.

use std::collections::BTreeMap;

use crate::contract::LoginMethod;

/// What the plan has to know of the service account.
#[derive(Debug, Clone)]
pub struct Account<'a> {
    pub username: &'a str,
    pub login: LoginMethod,
    /// Settings of the integration.
    pub settings: &'a BTreeMap<String, String>,
    /// Users of the integration that are never touched.
    pub protected: &'a [String],
}
