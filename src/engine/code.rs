//! One-time codes (TOTP, RFC 6238): never the same one twice, and none that is about to expire.

use std::{
    collections::BTreeMap,
    sync::Mutex,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use sha2::{Digest, Sha256};
use tokio::time::Instant;
use totp_rs::{Builder, Totp};

use super::{page::Trouble, run::Run};
use crate::{
    contract::{Code, Failure},
    event::EventKind,
    playbook::step::EnterCode,
    secret::Secret,
};

/// A code that is good for less than this may be too old when it arrives.
const TOO_LITTLE: u64 = 4;

/// The last time step of which each secret gave a code. Outlives sessions: a code is good for one sign-in.
#[derive(Debug, Default)]
pub struct Codes {
    used: Mutex<BTreeMap<[u8; 32], u64>>,
}

impl Codes {
    /// Takes the first time step (seconds since 1970 / period) that is still good and was not used. Seconds to wait
    /// for its beginning, and the step.
    fn take(&self, secret: &Secret, now: u64, period: u64) -> (u64, u64) {
        let key = Sha256::digest(secret.expose().as_bytes()).into();
        let mut used = self.used.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut step = now / period;
        if period - now % period < TOO_LITTLE.min(period / 2) {
            step += 1;
        }
        if let Some(last) = used.get(&key) {
            step = step.max(last + 1);
        }
        used.insert(key, step);
        ((step * period).saturating_sub(now), step)
    }
}

/// A secret as apps give it: base32 (with or without spaces), or an `otpauth://totp/…` address.
fn totp(secret: &Secret) -> Option<Totp> {
    let text = secret.expose().trim();
    if text.starts_with("otpauth://") {
        return Totp::from_url_unchecked(text).ok();
    }
    let plain: String = text.chars().filter(|c| !c.is_whitespace() && *c != '-' && *c != '=').collect();
    let bytes = totp_rs::Secret::try_from_base32(plain.to_uppercase()).ok()?;
    Some(Builder::new().with_secret(bytes).build_noncompliant())
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

impl Run<'_> {
    pub(super) async fn enter_code(&mut self, enter: &EnterCode, within: Duration) -> Result<(), Trouble> {
        let name = &enter.from.value;
        let Some(secret) = self.secrets.get(name).cloned() else {
            return Err(Failure::new(
                Code::MfaRequired,
                format!("the app asks for a one-time code, and the service account has no secret `{name}`"),
            )
            .hint(format!("give a reference: secrets: {{ {name}: env:NAME }}"))
            .into());
        };
        let Some(totp) = totp(&secret) else {
            let message = format!("the secret `{name}` is neither base32 nor an otpauth:// address");
            return Err(Failure::new(Code::SecretMissing, message)
                .hint("copy what the app showed beside its QR code")
                .into());
        };
        let target = self.scope.target(&enter.into, false)?;
        // What cannot be filled needs no code.
        self.ask(crate::query::Ask::Edit { target: target.clone() }, within).await?;
        let (wait, step) = self.world.codes.take(&secret, now(), totp.step());
        if wait > 0 {
            let begins = Instant::now() + Duration::from_secs(wait);
            if begins >= self.world.deadline {
                let message = format!("the next one-time code is {wait} s away, after the job's deadline");
                return Err(Failure::new(Code::DeadlinePassed, message).into());
            }
            self.emit(EventKind::Noticed { what: format!("waiting {wait} s for the next one-time code") });
            // Only time makes the next code.
            tokio::time::sleep_until(begins).await;
        }
        let code = Secret::new(totp.generate(step * totp.step()).to_string());
        self.mask.add(code.clone());
        self.code_of = Some(step * totp.step());
        self.type_secret(target, &code, within).await
    }

    /// What a person has to compare when a code is refused.
    pub(super) fn clock_hint(&self) -> Option<String> {
        let since = i64::try_from(self.code_of?).ok()?;
        let time = jiff::Timestamp::from_second(since).ok()?;
        Some(format!(
            "the code was the one that begins at {time} by this worker's clock, which says {} now: compare the clocks, \
             then the secret",
            jiff::Timestamp::now().strftime("%H:%M:%S")
        ))
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

    #[test]
    fn codes_are_those_of_rfc_6238() {
        // RFC 6238, appendix B: the secret "12345678901234567890", SHA-1, the last six of its eight digits.
        let secret = Secret::new("GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ".to_owned());
        let totp = totp(&secret).expect("base32 with spaces");
        for (time, code) in [(59, "287082"), (1_111_111_109, "081804"), (2_000_000_000, "279037")] {
            assert_eq!(totp.generate(time).to_string(), code);
        }
    }
}
