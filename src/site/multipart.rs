//! Forms with files (`multipart/form-data`, RFC 7578): the fields and the files.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// The fields of a form or an address, each with its values.
pub(super) type Fields = BTreeMap<String, Vec<String>>;

/// A form: its fields, and its files by the name of their control.
pub(super) type Form = (Fields, Map<String, Value>);

/// Reads a form with this `Content-Type`; `None` if it is of another kind.
pub(super) fn read(media_type: &str, body: &[u8]) -> Option<Result<Form, String>> {
    let parameters = media_type.strip_prefix("multipart/form-data")?;
    let boundary = parameters.split(';').find_map(|one| one.trim().strip_prefix("boundary="));
    Some(match boundary.map(|boundary| boundary.trim_matches('"')) {
        Some(boundary) if !boundary.is_empty() => parts(body, boundary),
        _ => Err("the content type of the form has no `boundary`".to_owned()),
    })
}

fn parts(body: &[u8], boundary: &str) -> Result<Form, String> {
    let (mut fields, mut files) = (Fields::new(), Map::new());
    let between = format!("--{boundary}");
    let Some((_, mut rest)) = cut(body, between.as_bytes()) else {
        return Err(format!("the form has no part: it does not contain `{between}`"));
    };
    let between = format!("\r\n{between}");
    while let Some(part) = rest.strip_prefix(b"\r\n") {
        let Some((head, content)) = cut(part, b"\r\n\r\n") else {
            return Err("a part of the form has no head".to_owned());
        };
        let Some((content, after)) = cut(content, between.as_bytes()) else {
            return Err("the last part of the form does not end".to_owned());
        };
        rest = after;
        let head = String::from_utf8_lossy(head);
        let Some(name) = parameter(&head, "name") else {
            return Err("a part of the form has no name".to_owned());
        };
        match parameter(&head, "filename") {
            // A file control without a chosen file.
            Some(file) if file.is_empty() => {}
            Some(file) => {
                let kind = head.lines().find_map(|line| {
                    let (key, value) = line.split_once(':')?;
                    key.eq_ignore_ascii_case("content-type").then(|| value.trim().to_owned())
                });
                let text = String::from_utf8_lossy(content);
                files
                    .insert(name, json!({ "name": file, "type": kind, "size": content.len(), "text": text }));
            }
            None => {
                fields.entry(name).or_default().push(String::from_utf8_lossy(content).into_owned());
            }
        }
    }
    Ok((fields, files))
}

/// The parts before and after the first match.
fn cut<'b>(body: &'b [u8], at: &[u8]) -> Option<(&'b [u8], &'b [u8])> {
    let start = body.windows(at.len()).position(|window| window == at)?;
    Some((&body[..start], &body[start + at.len()..]))
}

/// The value of `name="email"` in the head of a part. Browsers write a quote in it as `%22`.
fn parameter(head: &str, name: &str) -> Option<String> {
    let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with("content-disposition:"))?;
    let (_, rest) = line.split_once(&format!("; {name}=\""))?;
    let (value, _) = rest.split_once('"')?;
    Some(value.replace("%22", "\"").replace("%0D", "\r").replace("%0A", "\n"))
}
