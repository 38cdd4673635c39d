//! The service account's secrets: fetched once, masked everywhere, and one-time codes given once.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use sha2::{Digest, Sha256};

use super::limits::CODE_MARGIN;
use crate::{
    contract::{Code, Failure, SecretRef},
    ports::secrets::{SecretError, Secrets},
    secret::{Mask, Secret},
};

/// What a run knows of the service account, and keeps out of everything that it shows.
#[derive(Default)]
pub(super) struct Credentials {
    secrets: BTreeMap<String, Secret>,
    mask: Mask,
    /// The beginning of the one-time code that was entered last, in seconds since 1970.
    code_begins: Option<u64>,
}

impl Credentials {
    /// Fetches every secret, before anything is shown.
    pub(super) async fn fetch(
        &mut self,
        secrets: &dyn Secrets,
        references: &BTreeMap<String, SecretRef>,
    ) -> Result<(), Failure> {
        for (name, secret) in fetch_all(secrets, references).await? {
            self.mask.add(secret.clone());
            self.secrets.insert(name, secret);
        }
        Ok(())
    }

    pub(super) fn get(&self, name: &str) -> Option<&Secret> {
        self.secrets.get(name)
    }

    pub(super) fn all(&self) -> &BTreeMap<String, Secret> {
        &self.secrets
    }

    /// What hides the secrets.
    pub(super) fn mask(&self) -> &Mask {
        &self.mask
    }

    /// Hides a value that was made of secrets.
    pub(super) fn hide(&mut self, secret: Secret) {
        self.mask.add(secret);
    }

    /// Hides a one-time code that is about to be entered, and remembers when it begins.
    pub(super) fn hide_code(&mut self, code: Secret, begins: u64) {
        self.mask.add(code);
        self.code_begins = Some(begins);
    }

    /// What a person has to compare when a code is refused.
    pub(super) fn clock_hint(&self) -> Option<String> {
        let begins = i64::try_from(self.code_begins?).ok()?;
        let time = jiff::Timestamp::from_second(begins).ok()?;
        Some(format!(
            "the code was the one that begins at {time}; this worker's clock shows {} now: compare the clocks, then the \
             secret",
            jiff::Timestamp::now().strftime("%H:%M:%S")
        ))
    }
}

/// Fetches every secret of a service account.
pub(super) async fn fetch_all(
    secrets: &dyn Secrets,
    references: &BTreeMap<String, SecretRef>,
) -> Result<BTreeMap<String, Secret>, Failure> {
    let mut fetched = BTreeMap::new();
    for (name, reference) in references {
        let secret = secrets.fetch(reference).await.map_err(|error| unreadable(name, &error))?;
        fetched.insert(name.clone(), secret);
    }
    Ok(fetched)
}

/// A secret that no provider gives.
fn unreadable(name: &str, error: &SecretError) -> Failure {
    let message = format!("the secret `{name}` of the service account cannot be read: {error}");
    Failure::new(Code::SecretMissing, message).hint("see the worker's environment and `secrets_root`")
}

/// A secret that the service account does not have.
pub(super) fn no_secret(code: Code, message: String, name: &str) -> Failure {
    Failure::new(code, message).hint(format!("give a reference: secrets: {{ {name}: env:NAME }}"))
}

/// The last time step that each secret gave a one-time code of. It outlives sessions: a code is valid for one sign-in.
#[derive(Debug, Default)]
pub struct Codes {
    used: Mutex<BTreeMap<[u8; 32], u64>>,
}

impl Codes {
    /// Takes the first time step (seconds since 1970 / period) that is still valid and was not used. Returns the seconds
    /// until it begins, and the step.
    pub(super) fn take(&self, secret: &Secret, now: u64, period: u64) -> (u64, u64) {
        let key = Sha256::digest(secret.expose().as_bytes()).into();
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let mut step = now / period;
        if period - now % period < CODE_MARGIN.min(period / 2) {
            step += 1;
        }
        if let Some(last) = used.get(&key) {
            step = step.max(last + 1);
        }
        used.insert(key, step);
        ((step * period).saturating_sub(now), step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_code_is_given_twice_and_none_that_is_about_to_expire() {
        let codes = Codes::default();
        let secret = Secret::new("JBSWY3DPEHPK3PXP".to_owned());
        let table = [
            // (now, wait, step)
            (60, 0, 2),
            (61, 29, 3),
            (91, 29, 4),
            (200, 0, 6),
            (238, 2, 8),
        ];
        for (now, wait, step) in table {
            assert_eq!(codes.take(&secret, now, 30), (wait, step), "at {now}");
        }
        let other = Secret::new("KRSXG5CTMVRXEZLU".to_owned());
        assert_eq!(codes.take(&other, 239, 30), (1, 8), "another secret has codes of its own");
    }
}
