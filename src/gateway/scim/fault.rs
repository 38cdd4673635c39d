//! Errors as SCIM answers them (RFC 7644 §3.12).

use serde_json::{Value, json};

use crate::contract::{Class, Failure};

/// An error answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScimFault {
    /// HTTP status.
    pub status: u16,
    pub scim_type: Option<String>,
    /// For people.
    pub detail: String,
}

impl ScimFault {
    pub fn new(status: u16, scim_type: Option<&str>, detail: impl Into<String>) -> Self {
        Self { status, scim_type: scim_type.map(str::to_owned), detail: detail.into() }
    }

    /// 400 with one of the words of the RFC: `invalidValue`, `invalidPath`, `mutability`.
    pub fn bad(scim_type: &str, detail: impl Into<String>) -> Self {
        Self::new(400, Some(scim_type), detail)
    }

    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(404, None, detail)
    }

    pub fn unauthorized() -> Self {
        Self::new(401, None, "this address needs a valid token of its integration: `Authorization: Bearer …`")
    }

    /// As JSON.
    pub fn to_json(&self) -> Value {
        let mut body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
            "status": self.status.to_string(),
            "detail": self.detail,
        });
        if let Some(scim_type) = &self.scim_type {
            body["scimType"] = Value::from(scim_type.as_str());
        }
        body
    }
}

impl From<&Failure> for ScimFault {
    fn from(failure: &Failure) -> Self {
        let detail = match &failure.hint {
            Some(hint) => format!("{}; {hint}", failure.message),
            None => failure.message.clone(),
        };
        // 401 and 403 are kept for tokens: for these a provider stops a whole job at once.
        let ours = !matches!(failure.class, Class::Guard);
        match failure.scim.status {
            401 | 403 if ours => Self { status: 503, scim_type: None, detail },
            403 => Self { status: 400, scim_type: Some("invalidValue".to_owned()), detail },
            status => Self { status, scim_type: failure.scim.scim_type.clone(), detail },
        }
    }
}
