//! Access tokens.

use crate::{digest::sha256, secret::Secret};

const CHARACTERS: &[&str] = &["ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz", "0123456789"];
/// 43 of 62 characters have 256 bits.
const LENGTH: usize = 43;

/// A new token, and its digest. Only the digest is kept.
pub fn make() -> (String, String) {
    let token = format!("swg_{}", Secret::random(LENGTH, CHARACTERS).expose());
    let digest = sha256(&token);
    (token, digest)
}
