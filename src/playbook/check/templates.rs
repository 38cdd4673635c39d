//! Rules about templates: which names are known at a place.

use super::{ATTRIBUTES, Checker, place::Place, steps::how_to_type};
use crate::{
    nearest::nearest,
    playbook::{
        at::{At, Span},
        diagnostic::Finding,
        syntax::{Token, View},
        template::{self, TemplateError},
    },
};

impl Checker<'_> {
    /// Checks the value of a token: the only template that may contain a secret.
    pub(super) fn token(&mut self, token: &Token) {
        match template::names(&token.value.value) {
            Ok(names) => {
                let (secrets, others): (Vec<&String>, Vec<&String>) =
                    names.iter().partition(|name| name.starts_with("secret."));
                if secrets.is_empty() {
                    self.note(
                        Finding::TokenWithoutSecret,
                        token.value.span,
                        "this token contains no secret",
                    )
                    .help = Some("write `value: \"Bearer {{ secret.token }}\"`".into());
                }
                for name in others {
                    self.template_name(name, token.value.span, &Place::default());
                }
            }
            Err(_) => self.template(&token.value, &Place::default()),
        }
    }

    pub(super) fn template(&mut self, text: &At<String>, place: &Place) {
        match template::names(&text.value) {
            Ok(names) => names.iter().for_each(|name| self.template_name(name, text.span, place)),
            Err(TemplateError::Missing(reason) | TemplateError::Bad(reason)) => {
                self.note(
                    Finding::BadTemplate,
                    text.span,
                    format!("this template cannot be parsed: {reason}"),
                )
                .help = Some(
                    "write `{{ user.userName }}`, or `{{ user.userName | lower }}` with a filter".into(),
                );
            }
        }
    }

    fn template_name(&mut self, name: &str, span: Span, place: &Place) {
        let (first, rest) = name.split_once('.').unwrap_or((name, ""));
        let problem = match first {
            "start" | "settings" if place.with.is_some() => Some((
                format!("`{first}` is not known in a module; pass it as a parameter and use `with.…`"),
                None,
            )),
            "start" if rest.is_empty() => None,
            "page" if place.paging && rest.is_empty() => None,
            "account" if matches!(rest, "" | "username") => None,
            "settings" => {
                let known = self.playbook.settings.get(rest.split('.').next().unwrap_or_default()).is_some();
                (!known).then(|| {
                    (format!("there is no setting `{rest}`"), nearest(rest, self.playbook.settings.names()))
                })
            }
            "with" if place.with.is_some() => {
                let known = place.with.iter().flatten().map(String::as_str);
                (!known.clone().any(|parameter| parameter == rest))
                    .then(|| (format!("the module has no parameter `{rest}`"), nearest(rest, known)))
            }
            "user" if place.job => {
                let known = rest.is_empty()
                    || ATTRIBUTES.iter().any(|a| {
                        *a == rest || a.starts_with(&format!("{rest}.")) || rest.starts_with(&format!("{a}."))
                    })
                    || rest.starts_with("urn:");
                (!known).then(|| {
                    (
                        format!("a SCIM user has no attribute `{rest}`"),
                        nearest(rest, ATTRIBUTES.iter().copied()),
                    )
                })
            }
            "entitlements" | "asked" if place.job => {
                let known = rest.is_empty() || self.playbook.entitlements.get(rest).is_some();
                (!known).then(|| {
                    (
                        format!("there is no entitlement `{rest}`"),
                        nearest(rest, self.playbook.entitlements.names()),
                    )
                })
            }
            "record" if place.captures.contains("record") => None,
            "record" if place.record => {
                let columns = self
                    .playbook
                    .view_of_user()
                    .into_iter()
                    .flat_map(View::every_column)
                    .map(|(name, _)| name.value.as_str());
                let is_kind = |name: &&str| self.playbook.entitlements.get(name).is_some();
                let known: Vec<&str> = columns.filter(|name| !is_kind(name) && *name != "active").collect();
                (!known.contains(&rest)).then(|| {
                    (format!("the view of `find_user` has no column `{rest}`"), nearest(rest, known))
                })
            }
            "user" | "entitlements" | "asked" | "record" => {
                Some((format!("`{first}` is not known here: this runs before the job's user is read"), None))
            }
            "secret" => {
                self.note(Finding::SecretOutsideLogin, span, "a template cannot contain a secret").help =
                    Some(how_to_type(place).to_owned());
                return;
            }
            capture if place.captures.contains(capture) => None,
            other => {
                let known = ["user", "record", "entitlements", "asked", "settings", "account", "start"];
                Some((
                    format!("the name `{other}` is not known here"),
                    nearest(other, known.into_iter().chain(place.captures.iter().map(String::as_str))),
                ))
            }
        };
        if let Some((message, near)) = problem {
            let label = near.map(|near| format!("did you mean `{near}`?"));
            self.note(Finding::UnknownName, span, message).label = label;
        }
    }
}
