//! Durations as people write them: `500ms`, `10s`, `2m`, `1h`.

use std::time::Duration;

/// The longest duration in a playbook.
const LONGEST_IN_PLAYBOOK: Duration = Duration::from_secs(10 * 60);

/// `500ms`, `10s`, `2m`, `1h`. Zero is not a duration.
pub fn parse(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..digits].parse().ok()?;
    let millis = match &text[digits..] {
        "ms" => number,
        "s" => number.checked_mul(1_000)?,
        "m" => number.checked_mul(60_000)?,
        "h" => number.checked_mul(3_600_000)?,
        _ => return None,
    };
    (millis > 0).then(|| Duration::from_millis(millis))
}

/// A duration in a playbook: at most ten minutes.
pub fn in_playbook(text: &str) -> Option<Duration> {
    parse(text).filter(|duration| *duration <= LONGEST_IN_PLAYBOOK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_unit() {
        assert_eq!(parse("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(parse("1h"), Some(Duration::from_secs(3_600)));
        for wrong in ["", "10", "0s", "-1s", "1.5s", "1d", "99999999999999999999s"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
        assert_eq!(in_playbook("10m"), Some(Duration::from_secs(600)));
        assert_eq!(in_playbook("11m"), None);
    }
}
