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
    /// An element that is visible only when the service account is signed in.
    pub signed_in: Locator,
    /// Checks that the session is in the right tenant.
    #[serde(default)]
    pub tenant: Option<Tenant>,
    /// The steps to sign in with a password.
    #[serde(default)]
    pub password: Option<List<Step>>,
    /// The steps to sign in through an identity provider.
    #[serde(default)]
    pub sso: Option<List<Step>>,
    /// An access token instead of a sign-in page.
    #[serde(default)]
    pub token: Option<Token>,
}

/// How to send an access token to the app.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// Where to put the token.
    pub send: SendToken,
    /// The name of the header field, cookie, storage key or query parameter.
    pub name: At<String>,
    /// The value: `Bearer {{ secret.token }}`
    pub value: At<String>,
}

/// Where the token is sent, always only to the origin of `start`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SendToken {
    /// A header field of every request.
    Header,
    /// A cookie.
    Cookie,
    /// An item of `localStorage`.
    Storage,
    /// A query parameter of the first address.
    Query,
}

/// The element that shows the tenant, and its expected text.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tenant {
    /// The element that shows the tenant.
    pub text_of: Locator,
    /// The expected text.
    pub equals: At<String>,
}
