//! Keys in the form that Chromium expects.

use serde_json::{Value, json};

use crate::query::Key;

/// The event of a key that goes down, with the text that the key types.
pub(super) fn down(key: Key) -> Value {
    let Stroke { key, code, number, text } = stroke(key);
    match text {
        Some(text) => json!({
            "type": "keyDown", "key": key, "code": code, "windowsVirtualKeyCode": number,
            "nativeVirtualKeyCode": number, "text": text, "unmodifiedText": text,
        }),
        None => json!({
            "type": "rawKeyDown", "key": key, "code": code, "windowsVirtualKeyCode": number,
            "nativeVirtualKeyCode": number,
        }),
    }
}

/// The event of a key that goes up.
pub(super) fn up(key: Key) -> Value {
    let Stroke { key, code, number, .. } = stroke(key);
    json!({
        "type": "keyUp", "key": key, "code": code, "windowsVirtualKeyCode": number,
        "nativeVirtualKeyCode": number,
    })
}

/// The event of a letter whose key goes up.
pub(super) fn released(letter: char) -> Value {
    json!({"type": "keyUp", "key": letter.to_string()})
}

struct Stroke {
    key: &'static str,
    code: &'static str,
    number: u32,
    text: Option<&'static str>,
}

fn stroke(key: Key) -> Stroke {
    let (key, code, number, text) = match key {
        Key::Enter => ("Enter", "Enter", 13, Some("\r")),
        Key::Tab => ("Tab", "Tab", 9, None),
        Key::Escape => ("Escape", "Escape", 27, None),
        Key::Backspace => ("Backspace", "Backspace", 8, None),
        Key::Delete => ("Delete", "Delete", 46, None),
        Key::Space => (" ", "Space", 32, Some(" ")),
        Key::ArrowUp => ("ArrowUp", "ArrowUp", 38, None),
        Key::ArrowDown => ("ArrowDown", "ArrowDown", 40, None),
        Key::ArrowLeft => ("ArrowLeft", "ArrowLeft", 37, None),
        Key::ArrowRight => ("ArrowRight", "ArrowRight", 39, None),
        Key::Home => ("Home", "Home", 36, None),
        Key::End => ("End", "End", 35, None),
        Key::PageUp => ("PageUp", "PageUp", 33, None),
        Key::PageDown => ("PageDown", "PageDown", 34, None),
    };
    Stroke { key, code, number, text }
}
