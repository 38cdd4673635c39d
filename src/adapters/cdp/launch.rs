//! Which Chromium is started, how, and what is said when it cannot be.
//!
//! This module must not know what is asked of the browser once it runs.

use std::{
    env, fs,
    io::Read,
    path::{Path, PathBuf},
};

/// What to start.
#[derive(Debug, Clone, Default)]
pub struct ChromiumOptions {
    /// The program. Without it: the first that is found where the usual packages put it.
    pub executable: Option<PathBuf>,
    /// Whether pages are locked in.
    pub sandbox: Sandbox,
    /// Further arguments, after our own.
    pub extra_args: Vec<String>,
}

/// Whether the browser's own sandbox locks pages in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sandbox {
    /// No sandbox, no browser.
    #[default]
    Required,
    /// Without: a page that breaks out of its renderer is in our account.
    Off,
}

/// Why there is no browser.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    #[error(
        "Chromium is not there: looked for {}.\nInstall it (Debian: apt-get install chromium-headless-shell), or name \
         the program: `--browser PROGRAM`, in seatwright.yaml `browser.executable`",
        list(looked_for)
    )]
    NotFound { looked_for: Vec<PathBuf> },
    #[error(
        "Chromium has no sandbox: {reason}.\nWithout it, a page that breaks out of Chromium controls your account. Run \
         seatwright as an ordinary user, on a kernel that allows user namespaces.\nFor a trial or a test, if you trust \
         every page that it opens: `--allow-no-sandbox`, in seatwright.yaml `browser.allow_no_sandbox: true`"
    )]
    SandboxUnavailable { reason: String },
    #[error("{} ended while starting: {reason}.\nIts last words:\n{stderr}", program.display())]
    DiedAtStart { program: PathBuf, reason: String, stderr: String },
    #[error("{} could not be started: {source}", program.display())]
    NotStarted { program: PathBuf, source: std::io::Error },
}

impl ChromiumOptions {
    /// Finds out, without starting anything, whether Chromium is there and whether it may have its sandbox.
    pub fn check(&self) -> Result<(), LaunchError> {
        check_sandbox(self.sandbox)?;
        find(self.executable.as_deref()).map(drop)
    }
}

fn list(paths: &[PathBuf]) -> String {
    let shown: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
    shown.join(", ")
}

/// Where packages put the real program, best first: the headless shell is half the size of the full browser.
/// Launcher scripts are passed over: they add flags of their own and stay between us and the browser.
const USUAL_PLACES: [&str; 8] = [
    "/usr/lib/chromium/chromium-headless-shell",
    "/usr/lib64/chromium-browser/headless_shell",
    "/opt/chrome-headless-shell/chrome-headless-shell",
    "/usr/lib/chromium/chromium",
    "/usr/lib64/chromium-browser/chromium-browser",
    "/usr/lib/chromium-browser/chromium-browser",
    "/opt/google/chrome/chrome",
    "/opt/chromium/chrome",
];
const USUAL_NAMES: [&str; 5] =
    ["chrome-headless-shell", "headless_shell", "chromium", "chromium-browser", "chrome"];

/// Finds the program.
pub(super) fn find(executable: Option<&Path>) -> Result<PathBuf, LaunchError> {
    if let Some(named) = executable {
        return match named.is_file() {
            true => Ok(named.to_owned()),
            false => Err(LaunchError::NotFound { looked_for: vec![named.to_owned()] }),
        };
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let looked_for: Vec<PathBuf> =
        USUAL_PLACES.iter().map(PathBuf::from).chain(USUAL_NAMES.iter().map(PathBuf::from)).collect();
    USUAL_PLACES
        .iter()
        .map(PathBuf::from)
        .chain(
            USUAL_NAMES.iter().flat_map(|name| env::split_paths(&path).map(move |folder| folder.join(name))),
        )
        .find(|candidate| is_program(candidate))
        .ok_or(LaunchError::NotFound { looked_for })
}

/// A real program, not a script that starts one.
fn is_program(path: &Path) -> bool {
    let mut magic = [0; 4];
    fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok_and(|()| magic == *b"\x7fELF")
}

/// Refuses what cannot work before anything is started.
pub(super) fn check_sandbox(sandbox: Sandbox) -> Result<(), LaunchError> {
    if sandbox == Sandbox::Required && rustix::process::geteuid().is_root() {
        let reason = "you run it as root".to_owned();
        return Err(LaunchError::SandboxUnavailable { reason });
    }
    Ok(())
}

/// What the browser's last words mean.
pub(super) fn died(program: PathBuf, reason: String, stderr: String) -> LaunchError {
    let no_sandbox = ["No usable sandbox", "without --no-sandbox", "setuid sandbox"];
    match no_sandbox.iter().any(|words| stderr.contains(words)) {
        true => LaunchError::SandboxUnavailable { reason: format!("Chromium says:\n{stderr}") },
        false => LaunchError::DiedAtStart { program, reason, stderr },
    }
}

/// The arguments of the program.
pub(super) fn arguments(options: &ChromiumOptions, profile: &Path) -> Vec<String> {
    let mut arguments: Vec<String> = ARGUMENTS.map(str::to_owned).into();
    arguments.push(format!("--user-data-dir={}", profile.display()));
    arguments.push(format!("--disable-features={}", FEATURES_OFF.join(",")));
    if options.sandbox == Sandbox::Off {
        arguments.push("--no-sandbox".to_owned());
    }
    if small_shared_memory() {
        arguments.push("--disable-dev-shm-usage".to_owned());
    }
    arguments.extend(options.extra_args.iter().cloned());
    arguments
}

const ARGUMENTS: [&str; 30] = [
    "--headless",
    "--remote-debugging-pipe",
    // The full browser would open a window of its own, and call home from it.
    "--no-startup-window",
    "--site-per-process",
    "--disable-gpu",
    "--disable-quic",
    // Its connections carry many requests at once: none of them could be ended for the sake of one.
    "--disable-http2",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--disable-ipc-flooding-protection",
    "--disable-back-forward-cache",
    "--disable-hang-monitor",
    "--disable-prompt-on-repost",
    "--disable-popup-blocking",
    // A dump of a crashed page would hold what was typed into it.
    "--disable-breakpad",
    "--disable-crash-reporter",
    "--password-store=basic",
    "--use-mock-keychain",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
    "--mute-audio",
    "--metrics-recording-only",
    "--lang=en-US",
    "--window-size=1280,800",
];

/// One list, because of several only the last counts.
const FEATURES_OFF: [&str; 9] = [
    "AutofillServerCommunication",
    "Translate",
    "OptimizationHints",
    "MediaRouter",
    "DialMediaRouteProvider",
    "HttpsUpgrades",
    "BlockOriginHeaderModificationOnRedirect",
    // A page that was rendered ahead would take the place of the one that we are attached to.
    "Prerender2",
    // A process ready for the next page costs each context more than it saves.
    "SpareRendererForSitePerProcess",
];

/// Containers have 64 MB there, which a few pages fill.
fn small_shared_memory() -> bool {
    rustix::fs::statvfs("/dev/shm").is_ok_and(|shm| shm.f_blocks.saturating_mul(shm.f_frsize) < 512 << 20)
}
