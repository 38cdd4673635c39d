//! The part of the service account that a plan needs.

use std::collections::BTreeMap;

use crate::contract::LoginMethod;

/// The part of the service account that a plan needs.
#[derive(Debug, Clone)]
pub struct Account<'a> {
    pub username: &'a str,
    pub login: LoginMethod,
    /// Settings of the integration.
    pub settings: &'a BTreeMap<String, String>,
    /// Users of the integration that no job may change.
    pub protected: &'a [String],
}
