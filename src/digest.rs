//! SHA-256 digests in hexadecimal.

use sha2::{Digest, Sha256};

/// The SHA-256 digest of these bytes, in lower-case hexadecimal.
pub fn sha256(bytes: impl AsRef<[u8]>) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
