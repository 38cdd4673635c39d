//! The first secrets of a new user: where a job has them from, and how a result delivers them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SecretRef;

/// The only secret that a new user has: the name in jobs, playbooks and results.
pub const INITIAL_PASSWORD: &str = "initial_password";
/// The `deliver_to` of secrets that nobody gets.
const NOBODY: &str = "nobody";
/// How every age public key begins (X25519).
const AGE_KEY: &str = "age1";

/// The first secrets of the user that `user.create` makes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// References to secrets, by name (`initial_password`). Never the values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, SecretRef>,
    /// Secrets that the worker makes, by name (`initial_password`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub generate: BTreeMap<String, GeneratedSecret>,
    /// The reader of the secrets in the result: an age public key (`age1…`), to which they are encrypted, or `nobody`. Required
    /// with `generate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deliver_to: Option<String>,
}

/// How a secret is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GeneratedSecret {
    /// The number of characters.
    #[serde(default = "twenty")]
    #[schemars(range(min = 8, max = 128))]
    pub length: u8,
    /// The classes of its characters. The secret has at least one character of each.
    #[serde(default = "every_class")]
    #[schemars(length(min = 1))]
    pub classes: Vec<CharacterClass>,
}

/// A class of characters, without those that look like another one (`0` and `O`, `1` and `l` and `I`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CharacterClass {
    Lower,
    Upper,
    Digit,
    /// `! # % + - = ? @ _`
    Symbol,
}

/// The secrets of a new user, as a result delivers them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeliveredSecrets {
    /// By name: the secret that the new user has, encrypted to the job's `deliver_to` (age, ASCII armor). `null`: it is not known,
    /// because the worker lost the job during the commit. Then set another one in the app. Empty: the playbook typed none.
    pub secrets: BTreeMap<String, Option<String>>,
}

impl NewUser {
    /// The names of all its secrets.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.secrets.keys().chain(self.generate.keys())
    }

    /// The public key to which a result encrypts the secrets.
    pub fn reader(&self) -> Option<&str> {
        self.deliver_to.as_deref().filter(|to| *to != NOBODY)
    }

    /// Rules that the types do not express: the place below `new_user`, and the problem.
    pub(super) fn problem(&self) -> Option<(&'static str, String)> {
        if self.names().any(|name| name != INITIAL_PASSWORD) {
            return Some(("", format!("the only secret of a new user is `{INITIAL_PASSWORD}`")));
        }
        if self.names().count() > 1 {
            let problem = "give the secret as a reference (`secrets`) or have it made (`generate`), not both";
            return Some(("", problem.to_owned()));
        }
        for made in self.generate.values() {
            if !(8..=128).contains(&made.length) {
                let problem = format!("`length` is {}, but must be from 8 to 128", made.length);
                return Some(("/generate", problem));
            }
            if made.classes.is_empty() {
                return Some(("/generate", "`classes` is empty: name at least one class".to_owned()));
            }
        }
        if self.reader().is_some_and(|key| !key.starts_with(AGE_KEY)) {
            let problem = format!("write an age public key (`{AGE_KEY}…`), or `{NOBODY}`");
            return Some(("/deliver_to", problem));
        }
        if !self.generate.is_empty() && self.deliver_to.is_none() {
            let problem = "nobody would know a password that the worker makes: write an age public key (`age1…`), or `nobody` if \
                           the user gets another password anyway";
            return Some(("/deliver_to", problem.to_owned()));
        }
        None
    }
}

/// Is this a private key? It is a secret itself.
pub(super) fn is_private_key(text: &str) -> bool {
    let text = text.to_uppercase();
    text.contains("SECRET-KEY") || text.contains("PRIVATE KEY")
}

fn twenty() -> u8 {
    20
}

fn every_class() -> Vec<CharacterClass> {
    vec![CharacterClass::Lower, CharacterClass::Upper, CharacterClass::Digit, CharacterClass::Symbol]
}
