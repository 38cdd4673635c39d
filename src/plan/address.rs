//! Settings, the first address, and the allowed origins of one integration.

use std::collections::BTreeMap;

use serde_json::json;
use url::Url;

use super::{account::Account, scope::Scope, source::Source};
use crate::{
    contract::{Code, Failure},
    playbook::{
        Action, At, Step,
        at::List,
        template::{self, TemplateError},
        visit::each_step,
    },
};

/// The settings of the integration, with the playbook's defaults.
pub(super) fn settings(source: &Source, account: &Account) -> Result<BTreeMap<String, String>, Failure> {
    let mut settings = BTreeMap::new();
    for (name, setting) in source.playbook.settings.iter() {
        let place = || source.place(name.span);
        let value = match account.settings.get(&name.value).or(setting.default.as_ref()) {
            Some(value) => value.clone(),
            None => {
                let failure = Failure::new(
                    Code::MissingAttribute,
                    format!("the integration has no setting `{}`", name.value),
                );
                let help =
                    setting.help.clone().unwrap_or_else(|| "add the setting to the integration".to_owned());
                return Err(failure.hint(help).at("settings", place()));
            }
        };
        if let Some(pattern) = &setting.pattern {
            let fits =
                regex::Regex::new(&format!("^(?:{})$", pattern.value)).is_ok_and(|p| p.is_match(&value));
            if !fits {
                let message = format!(
                    "the setting `{}` is `{value}`, which does not match `{}`",
                    name.value, pattern.value
                );
                return Err(Failure::new(Code::InvalidValue, message).at("settings", place()));
            }
        }
        settings.insert(name.value.clone(), value);
    }
    Ok(settings)
}

/// The first address and the origins. A setting can fill a part of a host or a port, nothing else.
pub(super) fn start_and_origins(
    source: &Source,
    account: &Account,
    settings: &BTreeMap<String, String>,
) -> Result<(Url, Vec<String>), Failure> {
    let playbook = &source.playbook;
    let harmless = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let plain: BTreeMap<&String, &String> =
        settings.iter().filter(|(_, v)| v.chars().all(harmless)).collect();
    let scope = json!({ "settings": plain, "account": { "username": account.username } });
    let render = |text: &At<String>| {
        let refuse = |reason: String| {
            Failure::new(Code::InvalidValue, format!("`{}`: {reason}", text.value))
                .at("origins", source.place(text.span))
        };
        let address = template::render(&text.value, &scope).map_err(|e| {
            refuse(match e {
                TemplateError::Missing(name) => {
                    format!("`{name}` is missing, or has a character that a host name cannot have")
                }
                TemplateError::Bad(reason) => reason,
            })
        })?;
        Url::parse(&address).map_err(|e| refuse(format!("`{address}` is not an address: {e}")))
    };
    let origins = playbook
        .origins
        .iter()
        .map(|o| render(o).map(|url| url.origin().ascii_serialization()))
        .collect::<Result<Vec<_>, _>>()?;
    let start = render(&playbook.start)?;
    if !origins.contains(&start.origin().ascii_serialization()) {
        return Err(Failure::new(
            Code::OriginViolation,
            format!("`start` ({start}) is not on any of the origins"),
        )
        .at("start", source.place(playbook.start.span)));
    }
    Ok((start, origins))
}

/// The origins of the modules that these steps use.
pub(super) fn of_modules<'s>(
    source: &Source,
    scope: &Scope,
    all: impl Iterator<Item = &'s List<Step>>,
) -> Result<Vec<String>, Failure> {
    let mut origins = Vec::new();
    let mut calls = Vec::new();
    for steps in all {
        each_step(steps, &mut |step| {
            if let Action::Use(call) = &step.action {
                calls.push(call);
            }
        });
    }
    for call in calls {
        let loaded = source.loaded.modules.get(&call.module.value);
        let Some((loaded, module)) = loaded.and_then(|loaded| Some((loaded, loaded.playable()?))) else {
            continue;
        };
        let fixed = module.origins.iter().all(|origin| !origin.value.contains("{{"));
        let with = if fixed { serde_json::Map::new() } else { scope.parameters(module, call)? };
        let inner = scope.inside(loaded, with);
        for origin in module.origins.iter() {
            let address = inner.text(origin)?;
            let url = Url::parse(&address).map_err(|error| {
                Failure::new(Code::InvalidValue, format!("`{address}` is not an address: {error}"))
                    .at("origins", loaded.place(origin.span.start))
            })?;
            origins.push(url.origin().ascii_serialization());
        }
    }
    Ok(origins)
}
