//! Where the result of a message goes, and the id by which its sender knows it. The worker and its journal keep both as one
//! text, which only this adapter reads.

use lapin::BasicProperties;
use serde::{Deserialize, Serialize};

/// The answer that a message asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReplyAddress {
    /// AMQP `reply_to`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// AMQP `correlation_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
}

impl ReplyAddress {
    /// The answer that a message with these properties asks for.
    pub fn of(properties: &BasicProperties) -> Self {
        let text = |value: &Option<lapin::types::ShortString>| value.as_ref().map(|v| v.as_str().to_owned());
        Self { queue: text(properties.reply_to()), correlation_id: text(properties.correlation_id()) }
    }

    /// As one text: the queue alone, or both as JSON.
    pub fn to_text(&self) -> Option<String> {
        match (&self.queue, &self.correlation_id) {
            (None, None) => None,
            (Some(queue), None) if !queue.starts_with('{') => Some(queue.clone()),
            _ => serde_json::to_string(self).ok(),
        }
    }

    /// Reads what [`ReplyAddress::to_text`] has made.
    pub fn from_text(text: Option<&str>) -> Self {
        let Some(text) = text else { return Self::default() };
        let written = text.starts_with('{').then(|| serde_json::from_str(text).ok()).flatten();
        written.unwrap_or_else(|| Self { queue: Some(text.to_owned()), correlation_id: None })
    }
}

#[cfg(test)]
mod tests {
    use super::ReplyAddress;

    #[test]
    fn what_is_kept_is_read_again() {
        let some = |text: &str| Some(text.to_owned());
        for (queue, correlation_id) in [
            (None, None),
            (some("answers"), None),
            (some("answers"), some("42")),
            (None, some("42")),
            (some("{odd}"), None),
            (some("{\"queue\":\"x\"}"), some("\"")),
        ] {
            let reply = ReplyAddress { queue, correlation_id };
            assert_eq!(ReplyAddress::from_text(reply.to_text().as_deref()), reply);
        }
        // As journals have it from before.
        assert_eq!(ReplyAddress::from_text(Some("answers")).queue.as_deref(), Some("answers"));
    }
}
