//! Reads Rust text as far as the guards need it. Not a parser: it separates code from comments, strings and tests.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

/// Files by path below `src`.
pub type Files = BTreeMap<String, String>;

/// The text with comments, strings and characters replaced by spaces. Lines and offsets stay.
pub fn code(text: &str) -> String {
    let from = text.as_bytes();
    let mut to = from.to_vec();
    let mut at = 0;
    while at < from.len() {
        let end = match from[at] {
            b'/' if from[at..].starts_with(b"//") => find(from, at, b"\n").unwrap_or(from.len()),
            b'/' if from[at..].starts_with(b"/*") => block_comment(from, at),
            b'"' => string(from, at),
            b'r' if !at
                .checked_sub(1)
                .is_some_and(|before| word_byte(from[before]) && from[before] != b'b') =>
            {
                raw_string(from, at).unwrap_or(at)
            }
            b'\'' => character(text, at).unwrap_or(at),
            _ => at,
        };
        for byte in &mut to[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end.max(at + 1);
    }
    String::from_utf8(to).expect("whole characters are replaced")
}

/// The other half of [`code`]: comments and strings, outside tests.
pub fn prose(text: &str) -> String {
    let mut text = text.to_owned();
    for part in test_parts(&code(&text)).into_iter().rev() {
        text.replace_range(part, "");
    }
    let code = code(&text);
    let bytes = text.bytes().zip(code.bytes());
    let prose = bytes.map(|(of, code)| if of == code && of != b'\n' { b' ' } else { of }).collect();
    String::from_utf8(prose).expect("whole characters are replaced")
}

/// The code without the items that are compiled for tests only.
pub fn without_tests(text: &str) -> String {
    let mut code = code(text);
    for part in test_parts(&code).into_iter().rev() {
        let blank: String = code[part.clone()].chars().map(|c| if c == '\n' { c } else { ' ' }).collect();
        code.replace_range(part, &blank);
    }
    code
}

/// How many lines a file has without its tests.
pub fn lines(text: &str) -> usize {
    let code = code(text);
    let tests: usize = test_parts(&code).into_iter().map(|part| 1 + code[part].matches('\n').count()).sum();
    text.lines().count() - tests
}

/// Each function outside tests: its name, and how many lines it has.
pub fn functions(text: &str) -> Vec<(String, usize)> {
    let code = without_tests(text);
    bodies(&code).into_iter().map(|(name, at)| (name, 1 + code[at].matches('\n').count())).collect()
}

/// Each function of the code: its name, and where it is.
fn bodies(code: &str) -> Vec<(String, Range<usize>)> {
    let mut found = Vec::new();
    for (at, name) in declared(code, "fn") {
        let mut depth = 0;
        let body = code[at..].char_indices().find(|(_, c)| {
            depth += i32::from("([".contains(*c)) - i32::from(")]".contains(*c));
            depth == 0 && matches!(c, '{' | ';')
        });
        if let Some((start, '{')) = body {
            found.push((name, at..closing(code, at + start)));
        }
    }
    found
}

/// The names of the structs, enums and traits outside tests. A type that only one function can see does not count.
pub fn types(text: &str) -> Vec<String> {
    let code = without_tests(text);
    let bodies = bodies(&code);
    let inner = |at| bodies.iter().any(|(_, body)| body.contains(&at));
    let kinds = ["struct", "enum", "trait"].into_iter();
    let all = kinds.flat_map(|kind| declared(&code, kind));
    all.filter(|(at, _)| !inner(*at)).map(|(_, name)| name).collect()
}

/// Groups of files that import each other, directly or in a circle; `mod.rs` and `lib.rs`, which only lead somewhere, are
/// left out.
pub fn circles(files: &Files) -> Vec<Vec<String>> {
    let edges = imports(files);
    let reach: BTreeMap<&String, BTreeSet<&String>> = edges
        .keys()
        .map(|from| {
            let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
            while let Some(file) = next.pop() {
                next.extend(edges[file].iter().filter(|to| seen.insert(*to)));
            }
            (from, seen)
        })
        .collect();
    let mut found = BTreeSet::new();
    for (file, reached) in &reach {
        let circle: Vec<String> =
            reached.iter().filter(|other| reach[**other].contains(*file)).map(|f| (*f).clone()).collect();
        if circle.len() > 1 {
            found.insert(circle);
        }
    }
    found.into_iter().collect()
}

/// Which files each file imports. A name that a `mod.rs` passes on leads to the file that has it.
pub fn imports(files: &Files) -> BTreeMap<String, BTreeSet<String>> {
    let modules: BTreeMap<Vec<String>, &String> = files.keys().map(|file| (module(file), file)).collect();
    let paths: BTreeMap<&String, Vec<Named>> = files
        .iter()
        .map(|(file, text)| (file, paths(&without_tests(text), &module(file), &modules)))
        .collect();
    let mut passed_on = BTreeMap::new();
    for (file, named) in &paths {
        if leads_only(file) {
            for one in named.iter().filter(|one| one.used) {
                let mut place = module(file);
                place.push(one.as_name.clone());
                passed_on.insert(place, one.path.clone());
            }
        }
    }
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (file, named) in &paths {
        let tos = named.iter().filter_map(|one| resolve(&one.path, &modules, &passed_on));
        let tos = tos.filter(|to| to != *file && !leads_only(to)).collect();
        if !leads_only(file) {
            edges.insert((*file).clone(), tos);
        }
    }
    edges
}

/// A path that a file names.
struct Named {
    path: Vec<String>,
    /// The name by which it is known afterwards.
    as_name: String,
    /// It is named by `use`.
    used: bool,
}

fn leads_only(file: &str) -> bool {
    matches!(file.rsplit('/').next(), Some("mod.rs" | "lib.rs" | "main.rs"))
}

/// `worker/desk.rs` → `worker`, `desk`
fn module(file: &str) -> Vec<String> {
    let path = file.trim_end_matches(".rs");
    let path = path.strip_suffix("/mod").unwrap_or(path);
    path.split('/').filter(|part| !part.is_empty() && *part != "lib").map(str::to_owned).collect()
}

/// The file that a path leads to.
fn resolve(
    path: &[String],
    modules: &BTreeMap<Vec<String>, &String>,
    passed_on: &BTreeMap<Vec<String>, Vec<String>>,
) -> Option<String> {
    let mut path = path.to_vec();
    for _ in 0..8 {
        let long = (0..=path.len()).rev().find(|long| modules.contains_key(&path[..*long]))?;
        let file = modules[&path[..long]];
        let next = path.get(..=long).and_then(|place| passed_on.get(place));
        match next {
            Some(place) if leads_only(file) => path = [place.as_slice(), &path[long + 1..]].concat(),
            _ => return Some(file.clone()),
        }
    }
    None
}

/// All paths that begin with `crate`, `super`, `self` or a module below.
fn paths(code: &str, here: &[String], modules: &BTreeMap<Vec<String>, &String>) -> Vec<Named> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(long) = code[at..].find("::") {
        let end = at + long;
        let start = code[..end].rfind(|c: char| !word_char(c)).map_or(0, |before| before + 1);
        let first = &code[start..end];
        let inner = code[..start].trim_end().ends_with([':', '.']);
        let mut child = here.to_vec();
        child.push(first.to_owned());
        let base = match first {
            _ if inner => None,
            "crate" => Some(Vec::new()),
            "super" => here.split_last().map(|(_, above)| above.to_vec()),
            "self" => Some(here.to_vec()),
            _ if modules.contains_key(&child) => Some(child),
            _ => None,
        };
        at = end + 2;
        if let Some(base) = base {
            let used = code[..start].split_whitespace().next_back() == Some("use");
            at = tree(code, at, base, used, &mut found);
        }
    }
    found
}

/// Reads what follows a `::`, and returns where it ends.
fn tree(code: &str, mut at: usize, mut path: Vec<String>, used: bool, found: &mut Vec<Named>) -> usize {
    let skip = |at: usize| at + code[at..].len() - code[at..].trim_start().len();
    loop {
        at = skip(at);
        if code[at..].starts_with('{') {
            at += 1;
            while !code[at..].is_empty() && !code[at..].starts_with('}') {
                let next = tree(code, at, path.clone(), used, found);
                let next = skip(next);
                at = if code[next..].starts_with(',') { skip(next + 1) } else { next.max(at + 1) };
            }
            return at + 1;
        }
        let word: String = code[at..].chars().take_while(|c| word_char(*c)).collect();
        at += word.len();
        match word.as_str() {
            "super" => drop(path.pop()),
            "self" | "" => {}
            _ => path.push(word.clone()),
        }
        if code[skip(at)..].starts_with("::") && !word.is_empty() {
            at = skip(at) + 2;
            continue;
        }
        let renamed = code[skip(at)..].strip_prefix("as ").map(|rest| rest.split(|c| !word_char(c)).next());
        let as_name = renamed.flatten().map(str::to_owned);
        if let Some(name) = &as_name {
            at = skip(at) + "as ".len() + name.len();
        }
        let as_name = as_name.or_else(|| path.last().cloned()).unwrap_or_default();
        found.push(Named { path, as_name, used });
        return at;
    }
}

/// Where `kind NAME` stands in the code.
fn declared(code: &str, kind: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(kind) {
        let rest = &code[at + kind.len()..];
        let whole = !code[..at].ends_with(word_char) && rest.starts_with(char::is_whitespace);
        let name: String = rest.trim_start().chars().take_while(|c| word_char(*c)).collect();
        if whole && !name.is_empty() {
            found.push((at, name));
        }
    }
    found
}

/// The items that follow a `#[cfg(test)]`.
fn test_parts(code: &str) -> Vec<Range<usize>> {
    const MARK: &str = "#[cfg(test)]";
    let mut found: Vec<Range<usize>> = Vec::new();
    for (start, _) in code.match_indices(MARK) {
        if found.last().is_some_and(|last| last.contains(&start)) {
            continue;
        }
        let mut at = start + MARK.len();
        let end = loop {
            let Some(next) = code[at..].find(['{', ';']) else { break code.len() };
            at += next;
            if code[at..].starts_with(';') {
                break at + 1;
            }
            at = closing(code, at);
            if !code[start + MARK.len()..].trim_start().starts_with("use ") {
                break at;
            }
        };
        found.push(start..end);
    }
    found
}

/// Behind the brace that closes the one at this place.
fn closing(code: &str, open: usize) -> usize {
    let mut depth = 0;
    for (at, c) in code[open..].char_indices() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if depth == 0 {
            return open + at + 1;
        }
    }
    code.len()
}

fn block_comment(text: &[u8], start: usize) -> usize {
    let (mut depth, mut at) = (0, start);
    while at < text.len() {
        if text[at..].starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if text[at..].starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    at
}

fn string(text: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < text.len() && text[at] != b'"' {
        at += if text[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(text.len())
}

fn raw_string(text: &[u8], start: usize) -> Option<usize> {
    let hashes = text[start + 1..].iter().take_while(|byte| **byte == b'#').count();
    let open = start + 1 + hashes;
    if text.get(open) != Some(&b'"') {
        return None;
    }
    let end = [b"\"".as_slice(), &b"#".repeat(hashes)].concat();
    Some(find(text, open + 1, &end).map_or(text.len(), |at| at + end.len()))
}

/// `'x'` or `'\n'`; a lifetime is none.
fn character(text: &str, start: usize) -> Option<usize> {
    let mut rest = text[start + 1..].char_indices();
    let (_, first) = rest.next()?;
    if first == '\\' {
        rest.next()?;
        return rest.find(|(_, c)| *c == '\'').map(|(at, _)| start + 2 + at);
    }
    rest.next().filter(|(_, c)| *c == '\'').map(|(at, _)| start + 2 + at)
}

fn find(text: &[u8], from: usize, what: &[u8]) -> Option<usize> {
    text[from..].windows(what.len()).position(|part| part == what).map(|at| from + at)
}

fn word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn word_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
