//! References to secrets.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a secret is stored: `env:NAME`, `file:path/under/the/secrets/root`, `vault:path#field`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct SecretRef(#[schemars(regex(pattern = r"^(env|file|vault):.+$"))] String);

impl SecretRef {
    /// Scheme and rest: `("env", "LEDGERLY_PASSWORD")`.
    pub fn parts(&self) -> (&str, &str) {
        self.0.split_once(':').unwrap_or(("", ""))
    }

    /// The reference as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The reference in this text. Another text might be a secret in clear text, so callers must not repeat it.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once(':')?;
        (matches!(scheme, "env" | "file" | "vault") && !rest.trim().is_empty()).then(|| Self(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // The text itself may be a secret: the message must not quote it.
        Self::parse(&text).ok_or_else(|| {
            serde::de::Error::custom(
                "this is not a reference to a secret: write env:NAME, file:PATH or vault:PATH#FIELD",
            )
        })
    }
}
