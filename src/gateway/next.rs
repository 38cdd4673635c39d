//! The next job for a user: a pure function of what was seen in the app and what the identity provider asks for. It is called when
//! a wish arrives and when a result arrives, until nothing more is to do.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::{
    config::{OnDeactivate, OnDelete, ScimConfig},
    contract::{Code, Entitlement, Failure, Operation, User, UserRecord},
    plan::{
        diff::{attribute_of, folded, held},
        is_used,
    },
    playbook::{Playbook, check::ATTRIBUTES, syntax::View, visit::template_names},
    ports::mirror::{Seen, SentUser, Wished},
    query::same,
};

/// The most jobs for one wish. More would be a loop.
const MOST_JOBS: u32 = 30;

/// The enterprise extension (RFC 7643 §4.3).
pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// What an app's playbook can do for users.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Abilities {
    /// The SCIM attribute that identifies people in the app.
    pub identity: String,
    /// Whether the identity ignores upper and lower case.
    pub ignore_case: bool,
    pub operations: BTreeSet<Operation>,
    /// The attributes that `user.create` types.
    pub typed: BTreeSet<String>,
    /// The kinds that a new user can get. `None`: all.
    pub gives: Option<BTreeSet<String>>,
    /// The attributes and kinds that `user.update` can change.
    pub changes: BTreeSet<String>,
    /// The attributes and kinds that are read of a user.
    pub shown: BTreeSet<String>,
    pub kinds: BTreeMap<String, KindRule>,
    /// The most entitlements of one job.
    pub most_granted: Option<u64>,
    pub most_revoked: Option<u64>,
}

/// A kind of entitlements.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KindRule {
    /// A user has exactly one.
    pub exclusive: bool,
    pub default: Option<String>,
}

/// What is next for a user.
#[derive(Debug, Clone, PartialEq)]
pub enum NextStep {
    /// The app shows what is asked for.
    Met,
    Refuse(Box<Failure>),
    Do(Box<Task>),
}

/// What a job does.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    pub operation: Operation,
    pub user: User,
    pub entitlements: Vec<Entitlement>,
}

impl Abilities {
    /// The abilities of a playbook.
    pub fn of(playbook: &Playbook) -> Self {
        let identity = playbook.identity.as_ref();
        let steps = |operation: Operation| {
            playbook.operations.get(operation.as_str()).filter(|body| body.unsupported.is_none())
        };
        let implied = |operation: &Operation| match operation {
            Operation::ConnectionTest => true,
            Operation::UserGet => playbook.find_user.is_some(),
            _ => false,
        };
        let names = |all: &[crate::playbook::At<String>]| all.iter().map(|name| name.value.clone()).collect();
        let most = |operation| steps(operation).and_then(|body| body.max.as_ref()).map(|max| max.value);
        let columns = playbook.view_of_user().into_iter().flat_map(View::every_column);
        let shown: BTreeSet<String> = columns.map(|(name, _)| name.value.clone()).collect();
        let create = steps(Operation::UserCreate).and_then(|body| body.steps.as_ref());
        let typed = template_names(playbook, create.into_iter().flat_map(|steps| steps.iter()));
        Self {
            identity: identity
                .map_or_else(|| "userName".to_owned(), |identity| identity.attribute.value.clone()),
            ignore_case: identity.is_some_and(|identity| identity.ignore_case),
            operations: Operation::ALL
                .iter()
                .copied()
                .filter(|operation| steps(*operation).is_some() || implied(operation))
                .collect(),
            gives: steps(Operation::UserCreate).and_then(|body| body.gives.as_deref()).map(names),
            changes: steps(Operation::UserUpdate)
                .and_then(|body| body.changes.as_deref())
                .map(names)
                .unwrap_or_default(),
            typed: ATTRIBUTES
                .iter()
                .map(|name| (*name).to_owned())
                .chain(shown.iter().cloned())
                .filter(|name| is_used(&typed, name))
                .collect(),
            shown,
            kinds: playbook
                .entitlements
                .iter()
                .map(|(name, rule)| {
                    let default = rule.default.as_ref().map(|default| default.value.clone());
                    (name.value.clone(), KindRule { exclusive: rule.one_of.is_some(), default })
                })
                .collect(),
            most_granted: most(Operation::EntitlementGrant),
            most_revoked: most(Operation::EntitlementRevoke),
        }
    }

    fn can(&self, operation: Operation) -> bool {
        self.operations.contains(&operation)
    }
}

/// What is next for a user whose wish is open.
pub fn next(
    user_name: &str,
    seen: &Seen,
    wish: &Wished,
    sent: &SentUser,
    abilities: &Abilities,
    policy: ScimConfig,
) -> NextStep {
    let next = Decision { user_name, wish, sent, abilities, policy }.next(seen);
    let NextStep::Do(work) = &next else { return next };
    if let Some(done) = &wish.done
        && (done.operation, &done.entitlements) == (work.operation, &work.entitlements)
    {
        return NextStep::Refuse(Box::new(done.failure.clone()));
    }
    if wish.jobs >= MOST_JOBS {
        let message = format!("{MOST_JOBS} jobs did not make the app as requested");
        return NextStep::Refuse(Box::new(Failure::new(Code::Internal, message)));
    }
    next
}

struct Decision<'a> {
    user_name: &'a str,
    wish: &'a Wished,
    sent: &'a SentUser,
    abilities: &'a Abilities,
    policy: ScimConfig,
}

impl Decision<'_> {
    fn next(&self, seen: &Seen) -> NextStep {
        match seen {
            Seen::Unknown(_) if self.abilities.can(Operation::UserGet) => self.job(Operation::UserGet),
            // Without a way to read one user, every operation reads first anyway.
            Seen::Unknown(record) => {
                record.as_ref().map_or_else(|| self.absent(), |record| self.there(record))
            }
            Seen::Absent => self.absent(),
            Seen::There(record) => self.there(record),
        }
    }

    fn absent(&self) -> NextStep {
        if self.wish.delete || self.wish.active == Some(false) {
            return NextStep::Met;
        }
        if !self.abilities.can(Operation::UserCreate) {
            return unsupported(Operation::UserCreate);
        }
        let mut wanted = self.sent.entitlements.clone();
        wanted.extend(self.wish.entitlements.clone());
        let given = |kind: &String| self.abilities.gives.as_ref().is_none_or(|gives| gives.contains(kind));
        let entitlements = wanted
            .iter()
            .filter(|(kind, _)| given(kind))
            .flat_map(|(kind, values)| named(kind, values))
            .collect();
        NextStep::Do(Box::new(Task { operation: Operation::UserCreate, user: self.new_user(), entitlements }))
    }

    /// The user as sent, without what the app sets: `user.update` changes that afterwards, if it can.
    fn new_user(&self) -> User {
        let mut user = serde_json::to_value(&self.sent.user).unwrap_or_default();
        for name in self.abilities.shown.difference(&self.abilities.typed) {
            if !matches!(name.as_str(), "active" | "userName") && *name != self.abilities.identity {
                unset(&mut user, name);
            }
        }
        let user: User = serde_json::from_value(user).unwrap_or_default();
        User { user_name: Some(self.user_name.to_owned()), ..user }
    }

    fn there(&self, record: &UserRecord) -> NextStep {
        if self.wish.delete {
            return self.delete(record);
        }
        match self.wish.active {
            // A leaver leaves before all else, and nothing else is done.
            Some(false) => self.leave(record),
            Some(true) if record.active == Some(false) => {
                if self.abilities.can(Operation::UserEnable) {
                    self.job(Operation::UserEnable)
                } else {
                    unsupported(Operation::UserEnable)
                }
            }
            _ => self.differences(record),
        }
    }

    fn delete(&self, record: &UserRecord) -> NextStep {
        if let Some(cancel) = self.cancel(record) {
            return cancel;
        }
        if self.abilities.can(Operation::UserDelete) {
            return self.job(Operation::UserDelete);
        }
        match self.policy.on_delete {
            OnDelete::Refuse => unsupported(Operation::UserDelete),
            OnDelete::Disable => self.leave(record),
        }
    }

    fn leave(&self, record: &UserRecord) -> NextStep {
        if record.active == Some(false) {
            return NextStep::Met;
        }
        if let Some(cancel) = self.cancel(record) {
            return cancel;
        }
        if self.abilities.can(Operation::UserDisable) {
            return self.job(Operation::UserDisable);
        }
        match self.policy.on_deactivate {
            OnDeactivate::Delete if self.abilities.can(Operation::UserDelete) => {
                self.job(Operation::UserDelete)
            }
            OnDeactivate::Revoke if self.abilities.can(Operation::EntitlementRevoke) => {
                let all: Vec<Entitlement> = self
                    .abilities
                    .kinds
                    .keys()
                    .flat_map(|kind| named(kind, &self.revocable(record, kind)))
                    .collect();
                self.some(Operation::EntitlementRevoke, all, self.abilities.most_revoked)
            }
            _ => unsupported(Operation::UserDisable),
        }
    }

    /// Somebody who has not accepted their invitation leaves by its end.
    fn cancel(&self, record: &UserRecord) -> Option<NextStep> {
        (record.is_invited() && self.abilities.can(Operation::InviteCancel))
            .then(|| self.job(Operation::InviteCancel))
    }

    /// `user.update` for what it can change; then grants, then revokes.
    fn differences(&self, record: &UserRecord) -> NextStep {
        let changeable =
            |name: &String| self.abilities.changes.contains(name) && self.abilities.shown.contains(name);
        let attributes: BTreeMap<String, String> = self
            .wish
            .attributes
            .iter()
            .filter(|(name, _)| changeable(name) && **name != self.abilities.identity)
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let differs = |name: &str, value: &str| {
            let is = attribute_of(record, name).unwrap_or_default();
            let unread = record.unread.iter().any(|unread| unread == name);
            !unread && !same(&is, value, matches!(name, "userName" | "emails"))
        };
        let other_kinds: Vec<(&String, Vec<String>, Vec<String>)> = self
            .wish
            .entitlements
            .iter()
            .filter(|(kind, _)| self.abilities.shown.contains(*kind) && !record.unread.contains(kind))
            .map(|(kind, values)| (kind, self.wanted(kind, values), held(record, kind)))
            .filter(|(_, wanted, held)| wanted != held)
            .collect();
        let by_update = |kind: &String, wanted: &[String]| changeable(kind) && !wanted.is_empty();
        let kinds: Vec<_> = other_kinds.iter().filter(|(kind, wanted, _)| by_update(kind, wanted)).collect();
        if !kinds.is_empty() || attributes.iter().any(|(name, value)| differs(name, value)) {
            let entitlements = kinds.iter().flat_map(|(kind, wanted, _)| named(kind, wanted)).collect();
            let user = self.user_with(&attributes);
            return NextStep::Do(Box::new(Task { operation: Operation::UserUpdate, user, entitlements }));
        }
        let missing: Vec<Entitlement> = other_kinds
            .iter()
            .flat_map(|(kind, wanted, held)| {
                named(kind, &wanted.iter().filter(|one| !held.contains(one)).cloned().collect::<Vec<_>>())
            })
            .collect();
        if !missing.is_empty() {
            return self.some(Operation::EntitlementGrant, missing, self.abilities.most_granted);
        }
        let surplus: Vec<Entitlement> = other_kinds
            .iter()
            .flat_map(|(kind, wanted, held)| {
                named(kind, &held.iter().filter(|one| !wanted.contains(one)).cloned().collect::<Vec<_>>())
            })
            .collect();
        self.some(Operation::EntitlementRevoke, surplus, self.abilities.most_revoked)
    }

    /// The values of a kind that the user is to have, sorted.
    fn wanted(&self, kind: &str, values: &[String]) -> Vec<String> {
        let rule = self.abilities.kinds.get(kind);
        let default =
            rule.filter(|rule| rule.exclusive && values.is_empty()).and_then(|rule| rule.default.clone());
        let mut wanted: Vec<String> = values.iter().map(|value| folded(value)).chain(default).collect();
        wanted.sort();
        wanted.dedup();
        wanted
    }

    /// What can be taken of one kind: of an exclusive kind with a default, everything but the default.
    fn revocable(&self, record: &UserRecord, kind: &str) -> Vec<String> {
        let default =
            self.abilities.kinds.get(kind).and_then(|rule| rule.default.as_ref().filter(|_| rule.exclusive));
        held(record, kind).into_iter().filter(|value| Some(value) != default).collect()
    }

    /// A job for as many of these as one job may have. Met, if there are none.
    fn some(&self, operation: Operation, mut entitlements: Vec<Entitlement>, most: Option<u64>) -> NextStep {
        if entitlements.is_empty() {
            return NextStep::Met;
        }
        if !self.abilities.can(operation) {
            return unsupported(operation);
        }
        if let Some(most) = most {
            entitlements.truncate(usize::try_from(most.max(1)).unwrap_or(usize::MAX));
        }
        let user = self.user_with(&BTreeMap::new());
        NextStep::Do(Box::new(Task { operation, user, entitlements }))
    }

    fn job(&self, operation: Operation) -> NextStep {
        let user = self.user_with(&BTreeMap::new());
        NextStep::Do(Box::new(Task { operation, user, entitlements: Vec::new() }))
    }

    /// The user with just their identity and these attributes.
    fn user_with(&self, attributes: &BTreeMap<String, String>) -> User {
        let mut user = Map::new();
        user.insert("userName".to_owned(), Value::from(self.user_name));
        let identity = &self.abilities.identity;
        if identity != "userName"
            && let Some(value) = sent_attribute(&self.sent.user, identity)
        {
            set(&mut user, identity, &value);
        }
        for (name, value) in attributes {
            set(&mut user, name, value);
        }
        serde_json::from_value(Value::Object(user)).unwrap_or_default()
    }
}

/// The text of an attribute that was sent.
fn sent_attribute(user: &User, attribute: &str) -> Option<String> {
    let mut value = serde_json::to_value(user).ok()?;
    for part in attribute.split('.') {
        value = match value {
            Value::Array(items) => items.into_iter().next()?,
            other => other,
        };
        value = value.get(part)?.clone();
    }
    match value {
        Value::String(text) => Some(text),
        Value::Array(items) => items.first()?.get("value")?.as_str().map(str::to_owned),
        other => other.get("value").or(other.get("formatted"))?.as_str().map(str::to_owned),
    }
}

/// Writes an attribute, by its name in records, into a SCIM user.
pub fn set(user: &mut Map<String, Value>, attribute: &str, value: &str) {
    const IN_ENTERPRISE: &[&str] =
        &["employeeNumber", "costCenter", "organization", "division", "department", "manager"];
    let (place, name) = match attribute.rsplit_once(':') {
        Some((urn, name)) => (Some(urn), name),
        None if IN_ENTERPRISE.contains(&attribute.split('.').next().unwrap_or_default()) => {
            (Some(ENTERPRISE), attribute)
        }
        None => (None, attribute),
    };
    let object = match place {
        Some(urn) => user.entry(urn).or_insert_with(|| json!({})).as_object_mut(),
        None => Some(user),
    };
    let Some(object) = object else { return };
    match name.split_once('.') {
        Some(("addresses", part)) => {
            let addresses = object.entry("addresses").or_insert_with(|| json!([{}]));
            addresses[0][part] = Value::from(value);
        }
        Some((whole, part)) => object.entry(whole).or_insert_with(|| json!({}))[part] = Value::from(value),
        None if name == "addresses" => {
            object.insert(name.to_owned(), json!([{ "formatted": value }]));
        }
        None if matches!(name, "emails" | "phoneNumbers" | "ims" | "photos") => {
            object.insert(name.to_owned(), json!([{ "value": value }]));
        }
        None if name == "manager" => {
            object.insert(name.to_owned(), json!({ "value": value }));
        }
        None => {
            object.insert(name.to_owned(), Value::from(value));
        }
    }
}

/// Removes an attribute, by its name in records, from a SCIM user.
pub fn unset(user: &mut Value, attribute: &str) {
    let (place, name) = match attribute.rsplit_once(':') {
        Some((urn, name)) => (Some(urn), name),
        None if user.get(attribute.split('.').next().unwrap_or_default()).is_none() => {
            (Some(ENTERPRISE), attribute)
        }
        None => (None, attribute),
    };
    let object = match place {
        Some(urn) => user.get_mut(urn),
        None => Some(user),
    };
    let Some(object) = object.and_then(Value::as_object_mut) else { return };
    match name.split_once('.') {
        Some((whole, part)) => {
            if let Some(whole) = object.get_mut(whole).and_then(Value::as_object_mut) {
                whole.shift_remove(part);
            }
        }
        None => {
            object.shift_remove(name);
        }
    }
}

fn named(kind: &str, values: &[String]) -> Vec<Entitlement> {
    let one = |value: &String| Entitlement { kind: kind.to_owned(), value: value.clone(), display: None };
    values.iter().map(one).collect()
}

fn unsupported(operation: Operation) -> NextStep {
    let message = format!("the playbook of this app has no {operation}");
    NextStep::Refuse(Box::new(Failure::new(Code::UnsupportedOperation, message)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        playbook::{self, Modules},
        ports::mirror::DoneJob,
    };

    fn abilities(change: impl FnOnce(&mut Abilities)) -> Abilities {
        let source = include_str!("../../playbooks/ledgerly/playbook.yaml");
        let loaded = playbook::load("playbook.yaml", "ledgerly", source, &Modules::new());
        let mut abilities = Abilities::of(loaded.playable().expect("a playbook without errors"));
        change(&mut abilities);
        abilities
    }

    fn ada(active: Option<bool>, name: &str, role: &str, teams: &[&str]) -> UserRecord {
        let one =
            |kind: &str, value: &str| Entitlement { kind: kind.into(), value: value.into(), display: None };
        UserRecord {
            user_name: "ada@acme.example".into(),
            active,
            pending: active.is_none().then(|| "invited".into()),
            attributes: [("displayName".into(), name.into())].into(),
            entitlements: [one("role", role)]
                .into_iter()
                .chain(teams.iter().map(|team| one("team", team)))
                .collect(),
            ..UserRecord::default()
        }
    }

    fn there(record: UserRecord) -> Seen {
        Seen::There(Box::new(record))
    }

    /// The next job, in words: `user.update displayName role=Admin`, `met`, `refuse unsupported_operation`.
    fn shown(seen: &Seen, wish: &Wished, abilities: &Abilities, policy: ScimConfig) -> String {
        let sent = SentUser {
            user: serde_json::from_value(json!({
                "userName": "ada@acme.example", "displayName": "Ada King", "name": { "givenName": "Ada", "familyName": "King" },
            }))
            .expect("a user"),
            ..SentUser::default()
        };
        match next("ada@acme.example", seen, wish, &sent, abilities, policy) {
            NextStep::Met => "met".to_owned(),
            NextStep::Refuse(failure) => format!("refuse {}", failure.code),
            NextStep::Do(work) => {
                let name =
                    work.user.display_name.map(|name| format!(" displayName={name}")).unwrap_or_default();
                let values = work.entitlements.iter().map(|one| format!(" {}={}", one.kind, one.value));
                format!("{}{name}{}", work.operation, values.collect::<String>())
            }
        }
    }

    fn wish(active: Option<bool>, name: Option<&str>, role: Option<&str>, teams: Option<&[&str]>) -> Wished {
        let values = |values: &[&str]| values.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        Wished {
            number: 1,
            active,
            attributes: name.map(|name| ("displayName".to_owned(), name.to_owned())).into_iter().collect(),
            entitlements: role
                .map(|role| ("role".to_owned(), vec![role.to_owned()]))
                .into_iter()
                .chain(teams.map(|teams| ("team".to_owned(), values(teams))))
                .collect(),
            ..Wished::default()
        }
    }

    #[test]
    fn each_difference_has_its_job() {
        let all = abilities(|_| {});
        let usual = || there(ada(Some(true), "Ada King", "Member", &["Sales"]));
        let leave = Wished { number: 1, delete: true, ..Wished::default() };
        let table = [
            (Seen::Absent, wish(Some(true), None, Some("Admin"), None), "user.create role=Admin"),
            (Seen::Absent, wish(None, None, None, None), "user.create"),
            (Seen::Absent, wish(Some(false), None, None, None), "met"),
            (Seen::Absent, leave.clone(), "met"),
            (Seen::Unknown(None), wish(Some(true), None, None, None), "user.get"),
            (usual(), wish(Some(true), Some("Ada King"), Some("Member"), Some(&["Sales"])), "met"),
            (usual(), wish(None, None, None, None), "met"),
            (usual(), wish(Some(false), Some("Ada Lovelace"), None, None), "user.disable"),
            (usual(), leave.clone(), "user.delete"),
            (usual(), wish(None, Some("Ada Lovelace"), None, None), "user.update displayName=Ada Lovelace"),
            (usual(), wish(None, None, Some("Admin"), None), "user.update role=Admin"),
            // No job can carry that none is left: the rest of a kind is revoked.
            (usual(), wish(None, None, None, Some(&[])), "entitlement.revoke team=Sales"),
            // A role has a default, which is what an empty list means.
            (
                usual(),
                Wished { entitlements: [("role".into(), vec![])].into(), ..wish(None, None, None, None) },
                "met",
            ),
            (
                there(ada(Some(false), "Ada King", "Member", &[])),
                wish(Some(true), Some("Ada L"), None, None),
                "user.enable",
            ),
            (
                there(ada(Some(false), "Ada King", "Member", &[])),
                wish(Some(false), Some("Ada L"), None, None),
                "met",
            ),
            (there(ada(None, "Ada King", "Member", &[])), wish(Some(true), None, None, None), "met"),
            (there(ada(None, "Ada King", "Member", &[])), leave, "user.delete"),
        ];
        for (seen, wish, wanted) in table {
            assert_eq!(shown(&seen, &wish, &all, ScimConfig::default()), wanted, "{seen:?} {wish:?}");
        }
    }

    #[test]
    fn what_a_playbook_lacks_is_done_as_configured_or_refused() {
        let usual = || there(ada(Some(true), "Ada King", "Member", &["Sales"]));
        let without = |operation| abilities(|abilities| abilities.operations.retain(|one| *one != operation));
        let leave = wish(Some(false), None, None, None);
        let delete = Wished { number: 1, delete: true, ..Wished::default() };
        let on_deactivate = |on_deactivate| ScimConfig { on_deactivate, ..ScimConfig::default() };
        let no_disable = without(Operation::UserDisable);
        let table = [
            (&leave, &no_disable, ScimConfig::default(), "refuse unsupported_operation"),
            (&leave, &no_disable, on_deactivate(OnDeactivate::Delete), "user.delete"),
            (&leave, &no_disable, on_deactivate(OnDeactivate::Revoke), "entitlement.revoke team=Sales"),
            (&delete, &without(Operation::UserDelete), ScimConfig::default(), "refuse unsupported_operation"),
            (
                &delete,
                &without(Operation::UserDelete),
                ScimConfig { on_delete: OnDelete::Disable, ..ScimConfig::default() },
                "user.disable",
            ),
        ];
        for (wish, abilities, policy, wanted) in table {
            assert_eq!(shown(&usual(), wish, abilities, policy), wanted, "{wish:?} {policy:?}");
        }
        // By grants, where `user.update` cannot change the kind.
        let by_grants = abilities(|abilities| {
            abilities.changes.remove("team");
            abilities.most_granted = Some(1);
        });
        let more = wish(None, None, None, Some(&["Finance", "Support"]));
        assert_eq!(
            shown(&usual(), &more, &by_grants, ScimConfig::default()),
            "entitlement.grant team=Finance"
        );
        let after = there(ada(Some(true), "Ada King", "Member", &["Finance", "Sales", "Support"]));
        assert_eq!(shown(&after, &more, &by_grants, ScimConfig::default()), "entitlement.revoke team=Sales");
    }

    #[test]
    fn the_same_job_is_not_done_twice() {
        let failure = Failure::new(Code::VerifyMismatch, "x");
        let done = DoneJob { operation: Operation::UserUpdate, entitlements: Vec::new(), failure };
        let again = Wished { done: Some(Box::new(done)), ..wish(None, Some("Ada Lovelace"), None, None) };
        let seen = there(ada(Some(true), "Ada King", "Member", &[]));
        assert_eq!(shown(&seen, &again, &abilities(|_| {}), ScimConfig::default()), "refuse verify_mismatch");
    }

    #[test]
    fn a_new_user_is_not_asked_to_be_what_the_app_decides() {
        let all = abilities(|_| {});
        assert!(all.typed.contains("userName") && !all.typed.contains("displayName"), "{all:?}");
        assert_eq!(
            shown(&Seen::Absent, &wish(None, None, None, None), &all, ScimConfig::default()),
            "user.create"
        );
    }
}
