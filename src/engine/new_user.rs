//! The first secrets of the user that a run creates: read or made once, typed by the steps, delivered to their reader.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    contract::{CharacterClass, Code, DeliveredSecrets, Failure, Mode, NewUser},
    plan::Plan,
    ports::secrets::Secrets,
    sealed::SecretReader,
    secret::Secret,
};

/// The first secrets of a new user. All are masked from the start.
#[derive(Default)]
pub(super) struct NewUserSecrets {
    known: BTreeMap<String, Secret>,
    typed: BTreeSet<String>,
}

impl NewUserSecrets {
    /// Reads or makes the secrets that the plan needs.
    pub(super) async fn prepare(plan: &Plan, secrets: &dyn Secrets) -> Result<Self, Failure> {
        let mut known = BTreeMap::new();
        let Some(new_user) = &plan.new_user else { return Ok(Self::default()) };
        if plan.mode == Mode::Verify {
            // Nothing is typed. The page may still show what was typed before: it is masked.
            for (name, reference) in &new_user.secrets {
                known.extend(secrets.fetch(reference).await.ok().map(|secret| (name.clone(), secret)));
            }
            return Ok(Self { known, typed: BTreeSet::new() });
        }
        for (name, reference) in &new_user.secrets {
            // Not an error of the service account: that would stop its lane.
            let unusable = |reason: String| {
                let message = format!("the secret `{name}` of the new user cannot be used: {reason}");
                Failure::new(Code::MissingAttribute, message)
                    .hint("check the reference in `new_user.secrets`, and the worker's environment and `secrets_root`")
            };
            let secret = secrets.fetch(reference).await.map_err(|error| unusable(error.to_string()))?;
            if !secret.can_be_masked() {
                return Err(unusable("it is too short to be kept out of results and logs".to_owned()));
            }
            known.insert(name.clone(), secret);
        }
        for (name, rule) in &new_user.generate {
            let classes: Vec<&str> = rule.classes.iter().copied().map(characters).collect();
            known.insert(name.clone(), Secret::random(usize::from(rule.length), &classes));
        }
        Ok(Self { known, typed: BTreeSet::new() })
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Secret> {
        self.known.values()
    }

    /// The secret that a step types.
    pub(super) fn typed(&mut self, name: &str) -> Result<Secret, Failure> {
        let Some(secret) = self.known.get(name) else {
            let message = format!("the job has no `{name}` for the new user");
            return Err(Failure::new(Code::MissingAttribute, message));
        };
        self.typed.insert(name.to_owned());
        Ok(secret.clone())
    }

    /// Is this one of them?
    pub(super) fn contains(&self, secret: &Secret) -> bool {
        self.known.values().any(|known| known.expose() == secret.expose())
    }

    /// What the result delivers: the secrets that were typed. `None`: nobody gets them.
    pub(super) fn delivered(&self, new_user: &NewUser) -> Option<DeliveredSecrets> {
        let reader = SecretReader::parse(new_user.reader()?);
        let sealed = |name: &String| {
            let secret = self.known.get(name)?;
            reader.as_ref()?.seal(secret)
        };
        let secrets = self.typed.iter().map(|name| (name.clone(), sealed(name))).collect();
        Some(DeliveredSecrets { secrets })
    }
}

/// Checks, before a browser opens, that somebody can read what the result delivers.
pub fn check_reader(plan: &Plan) -> Result<(), Failure> {
    let key = plan.new_user.as_ref().and_then(NewUser::reader);
    if key.is_none_or(|key| SecretReader::parse(key).is_some()) {
        return Ok(());
    }
    let message = "/new_user/deliver_to: this is not an age public key";
    Err(Failure::new(Code::InvalidJob, message)
        .hint("write the line `age1…` that `age-keygen` prints as the public key"))
}

/// The characters of a class, without those that look like another one.
fn characters(class: CharacterClass) -> &'static str {
    match class {
        CharacterClass::Lower => "abcdefghijkmnpqrstuvwxyz",
        CharacterClass::Upper => "ABCDEFGHJKLMNPQRSTUVWXYZ",
        CharacterClass::Digit => "23456789",
        CharacterClass::Symbol => "!#%+-=?@_",
    }
}
