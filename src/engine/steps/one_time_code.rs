//! One-time codes (TOTP, RFC 6238): each is entered once, and none that is about to expire.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;
use totp_rs::{Algorithm, Builder, Totp};

use super::super::{
    credentials::no_secret,
    limits::INPUT_TIME,
    page::{StepError, gone},
    run::Run,
};
use crate::{
    contract::{Code, Failure},
    event::EventKind,
    playbook::step::EnterCode,
    query::{Answer, Ask, By, Control, ControlKind, Key, Query, Target},
    secret::Secret,
};

/// Reads a secret as apps show it: base32 (with or without spaces), or an `otpauth://totp/…` address. Of the address only what
/// makes the code counts: label and issuer are captions, and apps write them as they like.
fn totp(secret: &Secret) -> Option<Totp> {
    let text = secret.expose().trim();
    let is_address = text.get(..10).is_some_and(|scheme| scheme.eq_ignore_ascii_case("otpauth://"));
    if !is_address {
        return Some(Builder::new().with_secret(base32(text)?).build_noncompliant());
    }
    let kind = text.get(10..14).unwrap_or_default();
    if !kind.eq_ignore_ascii_case("totp") {
        return None;
    }
    let (_, query) = text.split_once('?')?;
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    let mut builder = Builder::new();
    let mut found = false;
    for (key, value) in pairs {
        match key.to_ascii_lowercase().as_str() {
            "secret" => {
                builder = builder.with_secret(base32(&value)?);
                found = true;
            }
            "algorithm" => {
                let plain = value.to_ascii_uppercase().replace(['-', '_'], "");
                builder = builder.with_algorithm(match plain.trim_start_matches("HMAC") {
                    "SHA1" | "" => Algorithm::SHA1,
                    "SHA256" => Algorithm::SHA256,
                    "SHA512" => Algorithm::SHA512,
                    _ => return None,
                });
            }
            "digits" if !value.is_empty() => {
                let digits = value.trim().parse().ok().filter(|digits| (6..=8).contains(digits))?;
                builder = builder.with_digits(digits);
            }
            "period" if !value.is_empty() => {
                let period = value.trim().parse().ok().filter(|period| (5..=600).contains(period))?;
                builder = builder.with_step_duration(period);
            }
            _ => {}
        }
    }
    found.then(|| builder.build_noncompliant())
}

/// Base32 (RFC 4648) as people copy it: in groups, in small letters, with or without padding.
fn base32(text: &str) -> Option<totp_rs::Secret> {
    let plain: String = text.chars().filter(|c| !c.is_whitespace() && *c != '-' && *c != '=').collect();
    if plain.is_empty() {
        return None;
    }
    totp_rs::Secret::try_from_base32(plain.to_uppercase()).ok()
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
        let clocks = (now(), Instant::now());
        let patience = self.environment.deadline.saturating_duration_since(clocks.1).as_secs();
        let (wait, step) = self.environment.codes.take(&secret, clocks, totp.step(), patience);
        if wait > 0 {
            let begins = clocks.1 + Duration::from_secs(wait);
            if wait > patience {
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

    /// A code in several boxes of one digit each. The first box has the first digit. Most pages move the focus to the next box,
    /// and some fill all boxes from the first input.
    pub(crate) async fn type_in_boxes(
        &mut self,
        first: &Target,
        first_token: u32,
        code: &Secret,
        within: Duration,
    ) -> Result<(), StepError> {
        let focused =
            Target { frame: first.frame.clone(), ..Query::new(By::Css(":focus".to_owned())).into() };
        let mut last = first_token;
        for digit in code.expose().chars().skip(1) {
            let mut box_ = self.edit(focused.clone(), within).await?;
            if box_.token == last {
                self.before_input().await?;
                self.attempt.front.page.press(Key::Tab, self.until(within)).await?;
                box_ = self.edit(focused.clone(), within).await?;
            }
            let is_box = matches!(box_.kind, ControlKind::Text | ControlKind::Password);
            if !is_box || box_.token == last || box_.length > 1 {
                let message =
                    format!("the boxes of the code end before {}: the code has more digits", box_.element);
                return Err(Failure::new(Code::TargetMissing, message).into());
            }
            last = box_.token;
            if box_.length == 1 {
                // The page has filled all boxes itself.
                return Ok(());
            }
            let digit = Secret::new(digit.to_string());
            self.before_input().await?;
            self.attempt.front.page.insert_text(digit.expose(), self.until(within)).await?;
            let read = self.ask_once(Ask::Value { token: last, leave: false }, INPUT_TIME).await;
            if !matches!(read.map_err(gone)?, Answer::Control(Control { length: 1, .. })) {
                let message = format!("{} does not take one digit of the code", box_.element);
                return Err(Failure::new(Code::TargetCovered, message).into());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_real_apps_print_them() {
        let plain = totp(&Secret::new("JBSWY3DPEHPK3PXP".to_owned())).expect("base32");
        for address in [
            "otpauth://totp/Example:alice@example.com?secret=JBSWY3DPEHPK3PXP&issuer=Example",
            "otpauth://totp/Contoso:alice@contoso.com?secret=jbswy3dpehpk3pxp&issuer=Microsoft",
            "otpauth://totp/http://git.example:3000:alice?secret=JBSWY3DPEHPK3PXP&issuer=http://git.example:3000",
            "otpauth://totp/a?secret=JBSW%20Y3DP%20EHPK%203PXP&digits=6&period=30&algorithm=SHA1",
            "OTPAUTH://TOTP/?SECRET=JBSWY3DPEHPK3PXP====",
            "otpauth://totp/x?issuer=&secret=JBSWY3DPEHPK3PXP&algorithm=&digits=&period=&image=https://x.example/y.png",
        ] {
            let read = totp(&Secret::new(address.to_owned())).unwrap_or_else(|| panic!("{address} is read"));
            assert_eq!(read.generate(59).to_string(), plain.generate(59).to_string(), "{address}");
        }
        let eight = "otpauth://totp/a?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&digits=8&period=30";
        let eight = totp(&Secret::new(eight.to_owned())).expect("eight digits");
        assert_eq!(eight.generate(59).to_string(), "94287082");
        for wrong in [
            "otpauth://totp/a",
            "otpauth://totp/a?secret=",
            "otpauth://totp/a?secret=1",
            "otpauth://hotp/a?secret=JBSWY3DPEHPK3PXP&counter=1",
            "",
            "x=1",
        ] {
            assert!(totp(&Secret::new(wrong.to_owned())).is_none(), "{wrong}");
        }
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
