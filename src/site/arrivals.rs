//! The sign-ins that are under way, and what they left.

/// The state of all sign-ins.
#[derive(Default)]
pub(super) struct Arrivals {
    /// Sign-ins with a correct password that still need a code: session, account.
    pub(super) awaited: Vec<(String, String)>,
    /// Codes that the identity provider has issued, each for one use: code, account.
    pub(super) granted: Vec<(String, String)>,
    /// One-time codes that were used: account, code.
    pub(super) used: Vec<(String, String)>,
    /// Devices that do not need a code: device, account.
    pub(super) devices: Vec<(String, String)>,
    /// Wrong passwords, by account.
    pub(super) wrong: Vec<String>,
}
