//! A playbook as authored. The JSON Schema for editors comes from here.

use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, de::Visitor};

use super::{
    at::{At, List, Names, section},
    locator::Locator,
    step::Step,
};
use crate::{contract::Code, duration, query::Key};

/// A playbook: how the users of one app are managed through its own pages.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Playbook {
    /// The version of the language: 1.
    pub playbook: At<u64>,
    /// The app: the name of the folder.
    pub app: At<String>,
    /// The version of this playbook.
    pub version: At<String>,
    /// What people call the app.
    #[serde(default)]
    pub title: Option<String>,
    /// Where the app is: an address with `{{ settings.… }}`.
    pub start: At<String>,
    /// The only places that a page may navigate to, and that secrets may be typed on.
    #[serde(deserialize_with = "section")]
    pub origins: List<At<String>>,
    /// What an integration must bring.
    #[serde(default, deserialize_with = "section")]
    pub settings: Names<Setting>,
    /// Which user attribute names a person in this app.
    #[serde(default)]
    pub identity: Option<Identity>,
    /// The kinds of entitlements, and what they may be.
    #[serde(default, deserialize_with = "section")]
    pub entitlements: Names<EntitlementRule>,
    /// Elements with a name.
    #[serde(default, deserialize_with = "section")]
    pub targets: Names<Locator>,
    /// Where records are read.
    #[serde(default, deserialize_with = "section")]
    pub views: Names<View>,
    /// How one user is found.
    #[serde(default, deserialize_with = "section")]
    pub find_user: Option<FindUser>,
    /// How long the app may take to show a change that it has made, at most: `10s` where nothing is said. What it does not show
    /// by then is `indeterminate`, and is looked at again later.
    #[serde(default)]
    pub settle: Option<At<String>>,
    /// Things that get in the way, at any time, and how to put them away.
    #[serde(default, deserialize_with = "section")]
    pub overlays: List<Overlay>,
    /// What the app says, and what it means; looked at after every step.
    #[serde(default, deserialize_with = "section")]
    pub screens: List<Screen>,
    /// How to sign in.
    #[serde(default, deserialize_with = "section")]
    pub login: Option<Login>,
    /// What can be done.
    #[serde(default, deserialize_with = "section")]
    pub operations: Names<OperationSteps>,
}

impl Playbook {
    /// How long the app may take to show a change.
    pub fn settle_time(&self) -> Duration {
        self.settle.as_ref().and_then(|time| duration::in_playbook(&time.value)).unwrap_or(SETTLE_TIME)
    }
}

/// How long an app may take to show a change, where its playbook does not say.
const SETTLE_TIME: Duration = Duration::from_secs(10);

/// A setting that an integration must bring.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// A regular expression that the whole value must match.
    #[serde(default)]
    pub pattern: Option<At<String>>,
    /// Taken where the integration brings none.
    #[serde(default)]
    pub default: Option<String>,
    /// For the person who fills it in.
    #[serde(default)]
    pub help: Option<String>,
}

/// The attribute that names a person.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    pub attribute: At<String>,
    /// Upper and lower case are the same.
    pub ignore_case: bool,
}

impl<'de> Deserialize<'de> for Identity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Long {
            attribute: At<String>,
            #[serde(default)]
            ignore_case: bool,
        }
        enum Raw {
            Short(String),
            Long(Long),
        }
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Raw;

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("an attribute such as userName, or { attribute: userName, ignore_case: true }")
            }

            fn visit_str<E>(self, name: &str) -> Result<Raw, E> {
                Ok(Raw::Short(name.to_owned()))
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Raw, A::Error> {
                Long::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(Raw::Long)
            }
        }
        struct Inner(Raw);
        impl<'de> Deserialize<'de> for Inner {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                d.deserialize_any(Either).map(Inner)
            }
        }
        let read = At::<Inner>::deserialize(deserializer)?;
        Ok(match read.value.0 {
            Raw::Short(value) => Identity { attribute: At { value, span: read.span }, ignore_case: false },
            Raw::Long(long) => Identity { attribute: long.attribute, ignore_case: long.ignore_case },
        })
    }
}

impl JsonSchema for Identity {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Identity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "description": "The SCIM attribute that names a person in this app, compared whole and exactly.",
            "anyOf": [
                { "type": "string", "x-word": true },
                { "type": "object", "x-whole": true, "required": ["attribute"], "additionalProperties": false, "properties": {
                    "attribute": { "type": "string" },
                    "ignore_case": { "type": "boolean", "description": "Upper and lower case are the same." } } }
            ]
        })
    }
}

/// What entitlements of one kind there are.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EntitlementRule {
    /// A user has exactly one of these.
    #[serde(default)]
    pub one_of: Option<Values>,
    /// A user has any number of these.
    #[serde(default)]
    pub any_of: Option<Values>,
    /// What a new user gets where the job names none.
    #[serde(default)]
    pub default: Option<At<String>>,
    /// The last user with this one is never removed, disabled or changed.
    #[serde(default)]
    pub protect_last: Option<At<String>>,
}

impl EntitlementRule {
    /// What there is to have.
    pub fn values(&self) -> Option<&Values> {
        self.one_of.as_ref().or(self.any_of.as_ref())
    }
}

/// What there is to have.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// These, and no others.
    Listed(Vec<At<String>>),
    /// `discovered`: what the view of `entitlement.list` shows at the time.
    Discovered(At<()>),
}

impl Values {
    /// Those that the playbook names.
    pub fn listed(&self) -> &[At<String>] {
        match self {
            Values::Listed(values) => values,
            Values::Discovered(_) => &[],
        }
    }
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Raw;

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("a list of values, or `discovered`")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Raw, E> {
                match text {
                    "discovered" => Ok(Raw(None)),
                    other => Err(E::custom(format!("`{other}` is no list of values, nor `discovered`"))),
                }
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = seq.next_element()? {
                    values.push(value);
                }
                Ok(Raw(Some(values)))
            }
        }
        struct Raw(Option<Vec<At<String>>>);
        impl<'de> Deserialize<'de> for Raw {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                d.deserialize_any(Either)
            }
        }
        let read = At::<Raw>::deserialize(deserializer)?;
        Ok(match read.value.0 {
            Some(values) => Values::Listed(values),
            None => Values::Discovered(At { value: (), span: read.span }),
        })
    }
}

impl JsonSchema for Values {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Values".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "description": "The values, or `discovered`: what the view of `entitlement.list` shows at the time.",
            "anyOf": [
                { "type": "array", "items": { "type": ["string", "number", "boolean"] } },
                { "const": "discovered" }
            ]
        })
    }
}

impl Playbook {
    /// The kind of the entitlements in a view of `entitlement.list` that does not say it: the only one that there is, or
    /// that only the app knows.
    pub fn only_kind_listed(&self) -> Option<&str> {
        let discovered =
            self.entitlements.iter().filter(|(_, rule)| matches!(rule.values(), Some(Values::Discovered(_))));
        let mut kinds: Vec<&str> = discovered.map(|(name, _)| name.value.as_str()).collect();
        if kinds.is_empty() {
            kinds = self.entitlements.names().collect();
        }
        if let [only] = kinds[..] { Some(only) } else { None }
    }
}

/// A place where records are read.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct View {
    /// Its address.
    pub open: At<String>,
    /// What is done there before it is read: a page size, a filter that is cleared.
    #[serde(default)]
    pub prepare: Option<List<Step>>,
    /// Which elements are the records. Without it the page is one record.
    #[serde(default)]
    pub rows: Option<Rows>,
    /// Which attributes a record shows, and where.
    pub columns: Names<Column>,
    /// How to go on to the next page.
    #[serde(default)]
    pub pages: Option<Pages>,
    /// What a record shows only on a page of its own.
    #[serde(default)]
    pub detail: Option<Detail>,
}

impl View {
    /// The columns of the list, and those of the detail page.
    pub fn every_column(&self) -> impl Iterator<Item = &(At<String>, Column)> {
        self.columns.iter().chain(self.detail.iter().flat_map(|detail| detail.columns.iter()))
    }

    /// Where an attribute is read, on the list or on the detail page.
    pub fn column(&self, attribute: &str) -> Option<&Column> {
        self.every_column().find(|(name, _)| name.value == attribute).map(|(_, column)| column)
    }
}

/// A page of its own for each record.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Detail {
    /// Clicked inside the record. After a user was read, their page is in front, and `user row` is on it.
    pub open: Locator,
    /// What holds the record there.
    #[serde(rename = "in")]
    pub within: Locator,
    /// What it shows, the identity among it; each in a `cell`, or in `each` of several elements.
    pub columns: Names<Column>,
    /// Clicked to get back to the list.
    pub back: Locator,
}

/// Which elements are the records.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rows {
    /// The table, grid or list.
    #[serde(rename = "in")]
    pub within: Locator,
    /// One record. Without it: the rows of a table, the items of a list.
    #[serde(default)]
    pub each: Option<Locator>,
}

/// Where a record shows an attribute.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Under this column header.
    #[serde(default)]
    pub column: Option<At<String>>,
    /// Or in this element inside the record.
    #[serde(default)]
    pub cell: Option<Locator>,
    /// Or in each of these elements inside the record: several values.
    #[serde(default)]
    pub each: Option<Locator>,
    /// What it says around the value: `User: {value}`. What says something else has no value.
    #[serde(default)]
    pub says: Option<At<String>>,
    /// Taken where the record has no such element.
    #[serde(default)]
    pub without: Option<String>,
    /// What the page says → what it means: `{ Active: true, Suspended: false, Invited: invited }`.
    #[serde(default)]
    pub map: Option<Names<At<String>>>,
    /// The text is a list with this between its items.
    #[serde(default)]
    pub split: Option<At<String>>,
}

/// How to read on.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pages {
    /// Clicked for the next page.
    #[serde(default)]
    pub next: Option<Locator>,
    /// Or: clicked for more records below those that are there.
    #[serde(default)]
    pub more: Option<Locator>,
    /// Or: more come by scrolling; those that went out of sight may be gone from the page.
    #[serde(default)]
    pub scroll: Option<At<bool>>,
    /// How the last page shows: on `next` or `more`.
    #[serde(default)]
    pub until: Option<Until>,
    /// Never more pages than this.
    pub max: At<u64>,
    /// Where the app says how many there are: a text with `{n}`.
    #[serde(default)]
    pub total: Option<Locator>,
}

/// How the last page shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// `next` is disabled.
    Disabled,
    /// `next` is not there.
    Absent,
}

/// How one user is found.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FindUser {
    /// The view in which users are looked for.
    pub view: At<String>,
    /// Without it, the pages are walked.
    #[serde(default)]
    pub search: Option<Search>,
    /// How the app says that there is nobody.
    #[serde(default)]
    pub absent: Option<Locator>,
}

/// A search.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// The search field.
    pub into: Locator,
    /// What is typed.
    pub value: At<String>,
    /// Pressed afterwards; Enter where nothing is said.
    #[serde(default)]
    pub press: Option<At<Key>>,
}

/// Something that gets in the way.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Overlay {
    /// What comes up.
    pub when: Locator,
    /// How to put it away.
    #[serde(rename = "do")]
    pub steps: List<Step>,
    /// How often within one job.
    #[serde(default)]
    pub max: Option<At<u64>>,
}

/// What the app says, and what it means.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Screen {
    /// What the app says.
    pub when: Locator,
    /// The error code that it stands for.
    pub code: Code,
}

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

/// A module: steps that several playbooks share, such as the sign-in at an identity provider.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Module {
    /// The version of the language: 1.
    pub module: At<u64>,
    /// What people call it.
    #[serde(default)]
    pub title: Option<String>,
    /// What whoever uses it must bring; seen as `{{ with.… }}`.
    #[serde(default, deserialize_with = "section")]
    pub parameters: Names<Parameter>,
    /// Where its pages are; added to those of the playbook.
    #[serde(default, deserialize_with = "section")]
    pub origins: List<At<String>>,
    /// Elements with a name, seen by its steps alone.
    #[serde(default, deserialize_with = "section")]
    pub targets: Names<Locator>,
    /// Looked at while its steps are done, before those of the playbook.
    #[serde(default, deserialize_with = "section")]
    pub screens: List<Screen>,
    /// What is done where a step says `use`.
    #[serde(default, deserialize_with = "section")]
    pub steps: List<Step>,
}

/// A parameter of a module.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// Taken where none is brought.
    #[serde(default)]
    pub default: Option<At<String>>,
    /// A regular expression that the whole value must match.
    #[serde(default)]
    pub pattern: Option<At<String>>,
    /// For the person who writes the playbook.
    #[serde(default)]
    pub help: Option<String>,
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

/// One operation: its steps, or the view that it reads, or why the app cannot.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OperationSteps {
    /// Why the app cannot do this, and what to do instead.
    #[serde(default)]
    pub unsupported: Option<At<String>>,
    /// The view that a list reads.
    #[serde(default)]
    pub view: Option<At<String>>,
    /// Or several, one after the other: entitlements of different kinds stand on different pages (entitlement.list).
    #[serde(default)]
    pub views: Vec<At<String>>,
    /// Attributes without which the job is refused.
    #[serde(default)]
    pub requires: Vec<At<String>>,
    /// What `user.update` can change; anything else is refused before a browser opens.
    #[serde(default)]
    pub changes: Option<Vec<At<String>>>,
    /// Which kinds of entitlements a new user can be given; a job that asks for others is refused before a browser opens
    /// (user.create).
    #[serde(default)]
    pub gives: Option<Vec<At<String>>>,
    /// The most entitlements that one job may name, where the app takes them one by one (entitlement.grant,
    /// entitlement.revoke).
    #[serde(default)]
    pub max: Option<At<u64>>,
    /// What a person would do, the commit among it.
    #[serde(default)]
    pub steps: Option<List<Step>>,
    /// `pending_external`: the person has to accept first (user.create).
    #[serde(default)]
    pub becomes: Option<At<Becomes>>,
    /// For the reader.
    #[serde(default)]
    pub note: Option<String>,
}

impl OperationSteps {
    /// Every view that it reads, in order.
    pub fn every_view(&self) -> impl Iterator<Item = &At<String>> {
        self.view.iter().chain(&self.views)
    }
}

/// What a new user is at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Becomes {
    /// Invited: not a user until they accept.
    PendingExternal,
}
