//! The service account's secrets: fetched once, masked everywhere, and one-time codes given once.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::{limits::CODE_MARGIN, new_user::NewUserSecrets};
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
    /// The first secrets of the user that the run creates.
    pub(super) new_user: NewUserSecrets,
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

    /// Takes the first secrets of a new user, before anything is shown.
    pub(super) fn add(&mut self, new_user: NewUserSecrets) {
        new_user.all().for_each(|secret| self.mask.add(secret.clone()));
        self.new_user = new_user;
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
            "the code is valid from {time} on, and the clock of this worker shows {} now: check this clock first, then \
             the secret",
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
    used: Mutex<BTreeMap<[u8; 32], Used>>,
}

/// The last code of a secret.
#[derive(Debug, Clone, Copy)]
struct Used {
    step: u64,
    /// The time when it was taken, by the wall clock and by a clock that never goes back.
    wall: u64,
    at: Instant,
}

impl Used {
    /// The step in the time of the wall clock now. A wall clock that was set back shifts the step back too.
    fn step_by(&self, now: u64, at: Instant, period: u64) -> u64 {
        let expected = self.wall + at.saturating_duration_since(self.at).as_secs();
        let set_back = expected.saturating_sub(now) / period;
        self.step.saturating_sub(set_back)
    }
}

impl Codes {
    /// Takes the first time step (seconds since 1970 / period) that is still valid and was not used. Returns the seconds
    /// until it begins, and the step. Nothing is taken if the wait is longer than `patience` (seconds).
    pub(super) fn take(
        &self,
        secret: &Secret,
        (now, at): (u64, Instant),
        period: u64,
        patience: u64,
    ) -> (u64, u64) {
        let key = Sha256::digest(secret.expose().as_bytes()).into();
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let mut step = now / period;
        if period - now % period < CODE_MARGIN.min(period / 2) {
            step += 1;
        }
        if let Some(last) = used.get(&key) {
            step = step.max(last.step_by(now, at, period) + 1);
            // A small step back of the clock may lead to the very code that was used.
            if step == last.step {
                step += 1;
            }
        }
        let wait = (step * period).saturating_sub(now);
        if wait <= patience {
            used.insert(key, Used { step, wall: now, at });
        }
        (wait, step)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn no_code_is_given_twice_and_none_that_is_about_to_expire() {
        let codes = Codes::default();
        let secret = Secret::new("JBSWY3DPEHPK3PXP".to_owned());
        let begin = Instant::now();
        let take = |secret: &Secret, now: u64, passed: u64| {
            codes.take(secret, (now, begin + Duration::from_secs(passed)), 30, 60)
        };
        let table = [
            // (now, wait, step)
            (60, 0, 2),
            (61, 29, 3),
            (91, 29, 4),
            (200, 0, 6),
            (238, 2, 8),
        ];
        for (now, wait, step) in table {
            assert_eq!(take(&secret, now, now - 60), (wait, step), "at {now}");
        }
        let other = Secret::new("KRSXG5CTMVRXEZLU".to_owned());
        assert_eq!(take(&other, 239, 179), (1, 8), "another secret has codes of its own");
    }

    #[test]
    fn a_clock_that_goes_back_takes_the_codes_back_with_it() {
        let codes = Codes::default();
        let secret = Secret::new("JBSWY3DPEHPK3PXP".to_owned());
        let begin = Instant::now();
        let at = |passed| begin + Duration::from_secs(passed);
        assert_eq!(codes.take(&secret, (7_200, at(0)), 30, 60), (0, 240));
        // Two hours back, ten seconds later: the next period, not the one in two hours.
        assert_eq!(codes.take(&secret, (10, at(10)), 30, 60), (20, 1));
        // Nor is a code used up that nobody waited for.
        assert_eq!(codes.take(&secret, (11, at(11)), 30, 5), (49, 2));
        assert_eq!(codes.take(&secret, (12, at(12)), 30, 60), (48, 2));
    }
}
