//! What the worker's configuration knows of an integration.

use std::collections::BTreeMap;

use crate::contract::{Job, ServiceAccount};

/// An integration in the worker's configuration.
#[derive(Debug, Clone, Default)]
pub struct KnownIntegration {
    pub app: String,
    pub settings: BTreeMap<String, String>,
    pub service_account: Option<ServiceAccount>,
    pub protected: Vec<String>,
}

/// The account that a job supplies, unless it is the configured one of its integration: `INTEGRATION/USER`.
pub(super) fn supplied_account(job: &Job, known: Option<&KnownIntegration>) -> Option<String> {
    let username = &job.service_account.as_ref()?.username;
    let own = known.and_then(|known| known.service_account.as_ref());
    let supplied = own.is_none_or(|own| own.username != *username);
    supplied.then(|| format!("{}/{username}", job.integration.id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::LoginMethod;

    #[test]
    fn an_account_is_supplied_unless_it_is_the_configured_one_of_its_integration() {
        let job = |username: Option<&str>| {
            let account = username.map(|name| serde_json::json!({ "username": name, "secrets": {} }));
            let mut job = serde_json::json!({
                "id": "job", "app": "ledgerly", "operation": "user.list", "integration": { "id": "int" },
            });
            if let Some(account) = account {
                job["service_account"] = account;
            }
            Job::parse(job.to_string().as_bytes()).expect("a job")
        };
        let account = ServiceAccount {
            username: "svc".to_owned(),
            login: LoginMethod::default(),
            secrets: BTreeMap::new(),
        };
        let known = KnownIntegration { service_account: Some(account), ..KnownIntegration::default() };
        let table = [
            (None, Some(&known), None),
            (Some("svc"), Some(&known), None),
            (Some("own"), Some(&known), Some("int/own")),
            // Another integration's account of the same name.
            (Some("svc"), None, Some("int/svc")),
            (Some("svc"), Some(&KnownIntegration::default()), Some("int/svc")),
        ];
        for (username, known, wanted) in table {
            assert_eq!(supplied_account(&job(username), known).as_deref(), wanted, "{username:?}");
        }
    }
}
