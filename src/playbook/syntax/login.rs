//! How the service account signs in.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::playbook::{
    at::{At, List},
    locator::Locator,
    step::Step,
};

/// How to sign in.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// Seen when one is signed in.
    pub signed_in: Locator,
    /// Makes sure that the right tenant is in front.
    #[serde(default)]
    pub tenant: Option<Tenant>,
    /// The steps of a sign-in by password.
    #[serde(default)]
    pub password: Option<List<Step>>,
    /// The steps of a sign-in through an identity provider.
    #[serde(default)]
    pub sso: Option<List<Step>>,
    /// An access token instead of a sign-in page.
    #[serde(default)]
    pub token: Option<Token>,
}

/// An access token: how the app takes it.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// By which way.
    pub send: SendToken,
    /// The header field, cookie, storage key or query parameter.
    pub name: At<String>,
    /// `Bearer {{ secret.token }}`
    pub value: At<String>,
}

/// Where a token goes. To the origin of `start`, and to no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SendToken {
    /// A header field of every request.
    Header,
    /// A cookie.
    Cookie,
    /// An item of `localStorage`.
    Storage,
    /// A parameter of the first address.
    Query,
}

/// What shows the tenant.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tenant {
    /// The element that shows it.
    pub text_of: Locator,
    /// What it must say.
    pub equals: At<String>,
}
