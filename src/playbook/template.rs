//! Templates: `{{ … }}` in values. Unknown names are errors, the work is limited, and there are no side effects.
//!
//! The result of a template is data: it is typed or compared, and never parsed as a locator, a selector or an origin.

use std::collections::{BTreeSet, HashSet};

use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value, value::Serde};

/// How much work one template may do (minijinja fuel).
const FUEL: u64 = 20_000;

/// Why a template has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A name has no value.
    #[error("`{0}` has no value")]
    Missing(String),
    /// The template cannot be parsed or evaluated.
    #[error("{0}")]
    Bad(String),
}

fn environment() -> Environment<'static> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    env.set_fuel(Some(FUEL));
    env.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    env.add_filter("date", date);
    env.add_filter("primary", primary);
    // A missing value is never typed as the word "none".
    env.set_formatter(|out, state, value| match value.is_none() {
        true => Err(minijinja::Error::new(ErrorKind::UndefinedError, "it has no value")),
        false => minijinja::escape_formatter(out, state, value),
    });
    env
}

/// `{{ user.emails | primary }}`: the primary value, or else the first one (RFC 7643 §2.4). A missing list stays missing.
fn primary(several: Value) -> Value {
    let items: Vec<Value> = several.try_iter().map(Iterator::collect).unwrap_or_default();
    let marked = items.iter().find(|item| item.get_attr("primary").is_ok_and(|is| is.is_true()));
    let chosen = marked.or(items.first()).and_then(|item| item.get_attr("value").ok());
    chosen.unwrap_or(Value::UNDEFINED)
}

/// `{{ user.startDate | date("%d.%m.%Y") }}`: an ISO 8601 date in another format (strftime).
fn date(value: String, format: &str) -> Result<String, minijinja::Error> {
    let refuse =
        |e: jiff::Error| minijinja::Error::new(ErrorKind::InvalidOperation, format!("not a date: {e}"));
    let day: &str = value.get(..10).unwrap_or(&value);
    let date: jiff::civil::Date = day.parse().map_err(refuse)?;
    jiff::fmt::strtime::format(format, date).map_err(refuse)
}

/// The names that a template uses, with their paths: `user.name.givenName`.
pub fn names(source: &str) -> Result<BTreeSet<String>, TemplateError> {
    let env = environment();
    let template = env.template_from_str(source).map_err(|e| bad(&e))?;
    Ok(template.undeclared_variables(true).into_iter().collect())
}

/// Where a template writes this value as it is (`{{ user.userName }}`, perhaps in lower case): the texts before and after. A
/// condition or another filter may write something else.
pub fn written<'s>(source: &'s str, name: &str) -> Vec<(&'s str, &'s str)> {
    let mut places = Vec::new();
    if source.contains("{%") {
        return places;
    }
    for (at, _) in source.match_indices("{{") {
        let Some((inside, after)) = source[at + 2..].split_once("}}") else { break };
        let mut parts = inside.trim_matches('-').split('|').map(str::trim);
        if parts.next() == Some(name)
            && parts.all(|filter| matches!(filter, "lower" | "upper" | "trim" | "primary"))
        {
            places.push((&source[..at], after));
        }
    }
    places
}

/// The result of a template as text. A part of an absent value is absent too, so that `default` can replace it. A value
/// that is absent in the end is [`TemplateError::Missing`].
pub fn render(source: &str, scope: &serde_json::Value) -> Result<String, TemplateError> {
    if !source.contains("{{") && !source.contains("{%") {
        return Ok(source.to_owned());
    }
    let env = environment();
    let template = env.template_from_str(source).map_err(|e| bad(&e))?;
    let whole = with_parents(&template.undeclared_variables(true), scope);
    template.render(Value::from(Serde(&whole))).map_err(|e| failed(source, scope, &e))
}

/// The result of a template as an address, or a part of one. Each value is percent-encoded, so that it stays one part of the
/// path or of the query (RFC 3986 §2.1). A value that the address begins with is itself an address, and stays as it is, as
/// does the result of the filter `urlencode`.
pub fn render_address(source: &str, scope: &serde_json::Value) -> Result<String, TemplateError> {
    if !source.contains("{{") && !source.contains("{%") {
        return Ok(source.to_owned());
    }
    let mut env = environment();
    let begins = std::sync::atomic::AtomicBool::new(source.trim_start().starts_with("{{"));
    env.add_filter("urlencode", |value: Value| match value.is_none() || value.is_undefined() {
        true => value,
        false => Value::from_safe_string(percent_encoded(&value.to_string())),
    });
    env.set_formatter(move |out, state, value| {
        let is_address = begins.swap(false, std::sync::atomic::Ordering::Relaxed);
        if value.is_none() {
            return Err(minijinja::Error::new(ErrorKind::UndefinedError, "it gives nothing"));
        }
        if value.is_undefined() {
            return minijinja::escape_formatter(out, state, value);
        }
        if is_address || value.is_safe() {
            return minijinja::escape_formatter(out, state, value);
        }
        let encoded = percent_encoded(&value.to_string());
        minijinja::escape_formatter(out, state, &Value::from_safe_string(encoded))
    });
    let template = env.template_from_str(source).map_err(|e| bad(&e))?;
    let whole = with_parents(&template.undeclared_variables(true), scope);
    template.render(Value::from(Serde(&whole))).map_err(|e| failed(source, scope, &e))
}

/// Everything encoded but unreserved characters (RFC 3986 §2.3), and `@` and `:`, which a path segment and a query may contain.
fn percent_encoded(text: &str) -> String {
    const KEPT: percent_encoding::AsciiSet = percent_encoding::NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~')
        .remove(b'@')
        .remove(b':');
    percent_encoding::utf8_percent_encode(text, &KEPT).to_string()
}

/// The result of a template. A source of one `{{ … }}` may give any value, also a list, or null where a value that it
/// needs is absent; other sources give a text.
pub fn evaluate(source: &str, scope: &serde_json::Value) -> Result<serde_json::Value, TemplateError> {
    let inner = source.trim().strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
    match inner {
        Some(expression) if !expression.contains("}}") && !expression.contains("{{") => {
            let env = environment();
            let compiled = env.compile_expression(expression).map_err(|e| bad(&e))?;
            let whole = with_parents(&compiled.undeclared_variables(true), scope);
            match compiled.eval(Value::from(Serde(&whole))) {
                Ok(value) if value.is_undefined() => Ok(serde_json::Value::Null),
                Ok(value) => serde_json::to_value(&value).map_err(|e| TemplateError::Bad(e.to_string())),
                // A missing value is allowed here: it leaves a control alone.
                Err(error) if error.kind() == ErrorKind::UndefinedError => Ok(serde_json::Value::Null),
                Err(error) => Err(bad(&error)),
            }
        }
        _ => render(source, scope).map(serde_json::Value::from),
    }
}

/// The scope, in which what the names lie in is there, if only empty: `user.name` for `user.name.familyName`.
fn with_parents(names: &HashSet<String>, scope: &serde_json::Value) -> serde_json::Value {
    let mut whole = scope.clone();
    for name in names {
        let mut place = &mut whole;
        let keys: Vec<&str> = name.split('.').collect();
        // The first is a name of the language: whether it is known here is the check's business.
        for (depth, key) in keys[..keys.len() - 1].iter().enumerate() {
            // A part that the template names itself, to see whether it is there, is not made up.
            if names.contains(&keys[..=depth].join(".")) {
                break;
            }
            let Some(map) = place.as_object_mut() else { break };
            if depth == 0 && !map.contains_key(*key) {
                break;
            }
            place = map.entry(*key).or_insert_with(|| serde_json::json!({}));
            if place.is_null() {
                *place = serde_json::json!({});
            }
        }
    }
    whole
}

fn failed(source: &str, scope: &serde_json::Value, error: &minijinja::Error) -> TemplateError {
    if error.kind() == ErrorKind::UndefinedError {
        let missing =
            names(source).ok().and_then(|names| names.into_iter().find(|name| !present(name, scope)));
        if let Some(name) = missing {
            return TemplateError::Missing(name);
        }
    }
    bad(error)
}

fn present(name: &str, scope: &serde_json::Value) -> bool {
    name.split('.').try_fold(scope, |value, key| value.get(key)).is_some_and(|value| !value.is_null())
}

fn bad(error: &minijinja::Error) -> TemplateError {
    TemplateError::Bad(match error.detail() {
        Some(detail) => detail.to_owned(),
        None => error.kind().to_string(),
    })
}

/// `200KiB`, `1MiB`: in bytes, at most 16 MiB.
pub fn size(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..digits].parse().ok()?;
    let bytes = match &text[digits..] {
        "KiB" => number.checked_mul(1 << 10)?,
        "MiB" => number.checked_mul(1 << 20)?,
        _ => return None,
    };
    (bytes > 0 && bytes <= 16 << 20).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_written_where_nothing_decides_about_it() {
        let is_written = |source| !written(source, "user.userName").is_empty();
        for source in ["{{ user.userName }}", "Remove {{user.userName|lower}}?", "{{- user.userName -}}"] {
            assert!(is_written(source), "{source}");
        }
        for source in [
            "{{ 'all' if user.userName }}",
            "{% if user.userName %}all{% endif %}",
            "{{ user.userName | truncate(3) }}",
            "{{ user.userName.x }}",
            "{{ user.name }}",
            "user.userName",
        ] {
            assert!(!is_written(source), "{source}");
        }
        let around = written("Remove {{ record.displayName }}? {{ user.userName }}", "record.displayName");
        assert_eq!(around, [("Remove ", "? {{ user.userName }}")]);
    }

    #[test]
    fn what_is_inside_something_absent_can_be_said_instead() {
        let scope = json!({ "user": { "title": null } });
        let both = "{{ user.name.familyName | default('n/a') }}, {{ user.name.givenName | default('n/a') }}";
        assert_eq!(render(both, &scope), Ok("n/a, n/a".to_owned()));
        assert_eq!(evaluate("{{ user.name.familyName | default('n/a') }}", &scope), Ok(json!("n/a")));
        assert_eq!(evaluate("{{ user.name.familyName }}", &scope), Ok(json!(null)));
        assert_eq!(
            evaluate("{{ user.nickName | upper }}", &scope),
            Ok(json!(null)),
            "no empty text is made of it"
        );
        let missing = Err(TemplateError::Missing("user.name.familyName".to_owned()));
        assert_eq!(render("Dr {{ user.name.familyName }}", &scope), missing);
        assert_eq!(render("Dr {{ user.name.familyName | upper }}", &scope), missing);
    }

    #[test]
    fn a_value_in_an_address_stays_one_part_of_it() {
        let scope = json!({ "user": { "userName": "ada+ops/x?y&z#@acme.example" }, "start": "https://a.example/b", "id": 7 });
        let render = |source: &str| render_address(source, &scope);
        let encoded = "ada%2Bops%2Fx%3Fy%26z%23@acme.example";
        assert_eq!(render("/users?q={{ user.userName }}"), Ok(format!("/users?q={encoded}")));
        assert_eq!(render("/users/{{ user.userName }}/edit"), Ok(format!("/users/{encoded}/edit")));
        assert_eq!(render("/users?q={{ user.userName | urlencode }}"), Ok(format!("/users?q={encoded}")));
        assert_eq!(render("{{ start }}/users/{{ id }}"), Ok("https://a.example/b/users/7".to_owned()));
        assert_eq!(render("/plain?a=b&c"), Ok("/plain?a=b&c".to_owned()));
        assert_eq!(render("/u/{{ user.title }}"), Err(TemplateError::Missing("user.title".to_owned())));
    }

    #[test]
    fn of_several_the_primary_one_is_taken() {
        let primary =
            |emails| evaluate("{{ user.emails | primary }}", &json!({ "user": { "emails": emails } })).ok();
        let two = json!([{ "value": "a@x" }, { "value": "b@x", "primary": true }]);
        assert_eq!(primary(two), Some(json!("b@x")));
        assert_eq!(primary(json!([{ "value": "a@x", "primary": false }])), Some(json!("a@x")));
        assert_eq!(evaluate("{{ user.emails | primary }}", &json!({ "user": {} })).ok(), Some(json!(null)));
    }

    #[test]
    fn what_is_not_there_is_missing_and_never_the_word_none() {
        let scope = json!({ "user": { "title": "Clerk" }, "entitlements": { "rank": null } });
        let missing = |name: &str| Err(TemplateError::Missing(name.to_owned()));
        assert_eq!(render("{{ entitlements.rank }}", &scope), missing("entitlements.rank"));
        assert_eq!(render("as {{ entitlements.rank }}", &scope), missing("entitlements.rank"));
        assert_eq!(render("{{ user.locale }}", &scope), missing("user.locale"));
        assert_eq!(render("{{ entitlements.rank or user.title }}", &scope), Ok("Clerk".to_owned()));
        assert_eq!(
            render("{{ entitlements.rank | default('Reader', true) }}", &scope),
            Ok("Reader".to_owned())
        );
        assert_eq!(evaluate("{{ entitlements.rank }}", &scope), Ok(serde_json::Value::Null));
    }
}
