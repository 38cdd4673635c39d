//! One-time codes (TOTP, RFC 6238): each is entered once, and none that is about to expire.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;
use totp_rs::{Builder, Totp};

use super::super::{credentials::no_secret, page::StepError, run::Run};
use crate::{
    contract::{Code, Failure},
    event::EventKind,
    playbook::step::EnterCode,
    query::Ask,
    secret::Secret,
};

/// Reads a secret as apps show it: base32 (with or without spaces), or an `otpauth://totp/…` address.
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
    pub(crate) async fn enter_code(&mut self, enter: &EnterCode, within: Duration) -> Result<(), StepError> {
        let name = &enter.from.value;
        let Some(secret) = self.credentials.get(name).cloned() else {
            let message =
                format!("the app asks for a one-time code, and the service account has no secret `{name}`");
            return Err(no_secret(Code::MfaRequired, message, name).into());
        };
        let Some(totp) = totp(&secret) else {
            let message = format!("the secret `{name}` is neither base32 nor an otpauth:// address");
            return Err(Failure::new(Code::SecretMissing, message)
                .hint("copy the text that the app shows next to its QR code")
                .into());
        };
        let target = self.attempt.scope.target(&enter.into, false)?;
        // A code is taken only when its field is there.
        self.ask(Ask::Edit { target: target.clone() }, within).await?;
        let (wait, step) = self.environment.codes.take(&secret, now(), totp.step());
        if wait > 0 {
            let begins = Instant::now() + Duration::from_secs(wait);
            if begins >= self.environment.deadline {
                let message = format!("the next one-time code begins in {wait} s, after the job's deadline");
                return Err(Failure::new(Code::DeadlinePassed, message).into());
            }
            self.emit(EventKind::Noticed { what: format!("waiting {wait} s for the next one-time code") });
            // The next code begins at this time, not earlier.
            tokio::time::sleep_until(begins).await;
        }
        let code = Secret::new(totp.generate(step * totp.step()).to_string());
        self.credentials.hide_code(code.clone(), step * totp.step());
        self.type_secret(target, &code, within).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
