//! The sign-ins that are under way, and what they leave behind.

/// Who is on the way in, by the session that they are on the way with.
#[derive(Default)]
pub(super) struct Arrivals {
    /// Those whose password was right, and whose code is awaited: session, account.
    pub(super) awaited: Vec<(String, String)>,
    /// What the identity provider has given out, once each: code, account.
    pub(super) granted: Vec<(String, String)>,
    /// One-time codes that were taken: account, code.
    pub(super) used: Vec<(String, String)>,
    /// Devices that need no code: device, account.
    pub(super) devices: Vec<(String, String)>,
    /// Wrong passwords, by account.
    pub(super) wrong: Vec<String>,
}
