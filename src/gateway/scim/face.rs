//! What an integration publishes: the attributes that its app takes and shows. Made once from a playbook.

use std::collections::BTreeSet;

use super::names::IN_ENTERPRISE;
use crate::{
    contract::Operation,
    gateway::next::Abilities,
    playbook::{Playbook, check::ATTRIBUTES, syntax::Values},
};

/// What an integration publishes.
#[derive(Debug, Clone, PartialEq)]
pub struct Face {
    pub title: String,
    /// Attributes by their names in records: `name.givenName`, `department`. Without `active` and kinds.
    pub attributes: Vec<FaceAttribute>,
    pub kinds: Vec<FaceKind>,
    /// The attributes that are read of a user.
    pub shown: BTreeSet<String>,
    /// New users are invited.
    pub invites: bool,
}

/// An attribute that the app takes or shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaceAttribute {
    pub name: String,
    pub mutability: Mutability,
    /// A new user needs it.
    pub required: bool,
}

/// Who may change an attribute (RFC 7643 §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutability {
    ReadWrite,
    /// Only a new user gets it.
    Immutable,
    ReadOnly,
}

impl Mutability {
    /// As in a schema.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadWrite => "readWrite",
            Self::Immutable => "immutable",
            Self::ReadOnly => "readOnly",
        }
    }
}

/// A kind of entitlements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaceKind {
    pub name: String,
    /// A user has exactly one. It is among `roles`; other kinds are among `entitlements`.
    pub exclusive: bool,
    /// `None`: the app decides.
    pub values: Option<Vec<String>>,
    /// A user without a value gets this one.
    pub default: Option<String>,
    pub mutability: Mutability,
}

impl Face {
    /// What an integration with this playbook publishes.
    pub fn of(playbook: &Playbook) -> Self {
        let abilities = Abilities::of(playbook);
        let own = |name: &&&str| {
            !matches!(**name, "active" | "id" | "externalId" | "groups" | "roles" | "entitlements")
        };
        let mutability = |name: &str| {
            let can = |names: &BTreeSet<String>| names.contains(name);
            match name {
                // A user with another identity is another user.
                _ if name == abilities.identity || name == "userName" => Some(Mutability::Immutable),
                _ if can(&abilities.changes) => Some(Mutability::ReadWrite),
                _ if can(&abilities.typed) => Some(Mutability::Immutable),
                _ if can(&abilities.shown) => Some(Mutability::ReadOnly),
                _ => None,
            }
        };
        let others = abilities.shown.iter().chain(&abilities.changes).filter(|name| name.starts_with("urn:"));
        let names = ATTRIBUTES.iter().filter(own).map(|name| (*name).to_owned()).chain(others.cloned());
        let create = playbook.operations.get(Operation::UserCreate.as_str());
        let needed =
            |name: &str| create.is_some_and(|body| body.requires.iter().any(|one| one.value == name));
        let attribute = |name: String| {
            let (mutability, required) = (mutability(&name)?, needed(&name));
            Some(FaceAttribute { name, mutability, required })
        };
        let attributes = names.collect::<BTreeSet<_>>().into_iter().filter_map(attribute).collect();
        let grants = abilities.operations.contains(&Operation::EntitlementGrant);
        let kinds = playbook.entitlements.iter().map(|(name, rule)| {
            let values = rule.values().map(Values::listed).unwrap_or_default();
            let discovered = matches!(rule.values(), Some(Values::Discovered(_)));
            let given = abilities.gives.as_ref().is_none_or(|gives| gives.contains(&name.value));
            FaceKind {
                name: name.value.clone(),
                exclusive: rule.one_of.is_some(),
                values: (!discovered).then(|| values.iter().map(|value| value.value.clone()).collect()),
                default: rule.default.as_ref().map(|default| default.value.clone()),
                mutability: match (grants || abilities.changes.contains(&name.value), given) {
                    (true, _) => Mutability::ReadWrite,
                    (false, true) => Mutability::Immutable,
                    (false, false) => Mutability::ReadOnly,
                },
            }
        });
        let title = playbook.title.clone().unwrap_or_else(|| playbook.app.value.clone());
        let invites = create.is_some_and(|body| body.becomes.is_some());
        Self { title, attributes, kinds: kinds.collect(), shown: abilities.shown, invites }
    }

    /// The attribute of this name.
    pub fn attribute(&self, name: &str) -> Option<&FaceAttribute> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }

    /// Are there attributes of the enterprise extension?
    pub fn is_enterprise(&self) -> bool {
        self.attributes.iter().any(|attribute| in_enterprise(&attribute.name))
    }
}

/// Is an attribute, by its name in records, one of the enterprise extension?
pub fn in_enterprise(name: &str) -> bool {
    IN_ENTERPRISE.contains(&name.split('.').next().unwrap_or_default())
}
