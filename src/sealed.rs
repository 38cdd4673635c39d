//! Secrets for somebody else: encrypted to the reader's public key, in the format of age.

use age::x25519::Recipient;

use crate::secret::Secret;

/// The public key of somebody who gets secrets.
pub struct SecretReader(Recipient);

impl SecretReader {
    /// Reads an age public key (`age1…`). `None`: this is not one.
    pub fn parse(key: &str) -> Option<Self> {
        key.parse().ok().map(Self)
    }

    /// The secret as a text (ASCII armor) that only the reader can decrypt. `None`: the library could not encrypt it.
    pub fn seal(&self, secret: &Secret) -> Option<String> {
        age::encrypt_and_armor(&self.0, secret.expose().as_bytes()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_reader_can_read_it() {
        let (ours, other) = (age::x25519::Identity::generate(), age::x25519::Identity::generate());
        let reader = SecretReader::parse(&ours.to_public().to_string()).expect("a key");
        let secret = Secret::new("correct horse".to_owned());
        let sealed = reader.seal(&secret).expect("it is encrypted");
        assert!(sealed.starts_with("-----BEGIN AGE ENCRYPTED FILE-----") && !sealed.contains("horse"));
        assert_eq!(age::decrypt(&ours, sealed.as_bytes()).expect("it can be read"), b"correct horse");
        assert!(age::decrypt(&other, sealed.as_bytes()).is_err());
        assert_ne!(reader.seal(&secret), Some(sealed), "it is never the same text");
    }

    #[test]
    fn what_is_not_a_public_key_is_not_one() {
        for text in ["", "age1", "age1qqqq", "nobody", "AGE-SECRET-KEY-1QQQQ"] {
            assert!(SecretReader::parse(text).is_none(), "{text}");
        }
    }
}
