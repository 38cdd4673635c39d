//! Which Chromium is started, how, and the errors when that fails.
//!
//! This module must not know how the running browser is used.

use std::{
    env,
    ffi::OsString,
    fs,
    io::Read,
    path::{Path, PathBuf},
};

/// What to start.
#[derive(Debug, Clone, Default)]
pub struct ChromiumOptions {
    /// The program. Without it: the first one in the usual places.
    pub executable: Option<PathBuf>,
    /// Whether the sandbox is required.
    pub sandbox: Sandbox,
    /// More arguments, after our own.
    pub extra_args: Vec<String>,
}

/// Whether the browser's own sandbox isolates pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sandbox {
    /// Without a sandbox, no browser starts.
    #[default]
    Required,
    /// No sandbox: a page that breaks out of its renderer has the rights of our account.
    Off,
}

/// Why there is no browser.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    #[error(
        "Chromium was not found: looked for {}.\nInstall it (Debian: apt-get install chromium-headless-shell), or name \
         the program: `--browser PROGRAM`, in seatwright.yaml `browser.executable`",
        list(looked_for)
    )]
    NotFound { looked_for: Vec<PathBuf> },
    #[error(
        "Chromium cannot use its sandbox: {reason}.\nWithout the sandbox, a page that breaks out of Chromium controls \
         your account. Run seatwright as an ordinary user, on a kernel that allows user namespaces.\nFor a trial or a \
         test with pages that you trust: `--allow-no-sandbox`, in seatwright.yaml `browser.allow_no_sandbox: true`"
    )]
    SandboxUnavailable { reason: String },
    #[error("{} ended while starting: {reason}.\nIts last output:\n{stderr}", program.display())]
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

/// Where packages install the real program, best first: the headless shell is half the size of the full browser.
/// Launcher scripts are skipped: they add flags of their own and stay between us and the browser.
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

/// Is it a program, not a script that starts one?
fn is_program(path: &Path) -> bool {
    let mut magic = [0; 4];
    fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok_and(|()| magic == *b"\x7fELF")
}

/// Refuses a start that cannot work.
pub(super) fn check_sandbox(sandbox: Sandbox) -> Result<(), LaunchError> {
    if sandbox == Sandbox::Required && rustix::process::geteuid().is_root() {
        let reason = "seatwright runs as root".to_owned();
        return Err(LaunchError::SandboxUnavailable { reason });
    }
    Ok(())
}

/// The error for a browser that ended while starting.
pub(super) fn died(program: PathBuf, reason: String, stderr: String) -> LaunchError {
    let no_sandbox = ["No usable sandbox", "without --no-sandbox", "setuid sandbox"];
    match no_sandbox.iter().any(|words| stderr.contains(words)) {
        true => LaunchError::SandboxUnavailable { reason: format!("Chromium reported:\n{stderr}") },
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
    // The full browser would open a window of its own and connect to its maker from it.
    "--no-startup-window",
    "--site-per-process",
    "--disable-gpu",
    "--disable-quic",
    // An HTTP/2 connection carries many requests at once: it cannot be ended for one of them.
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
    // A dump of a crashed page would contain typed text.
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

/// One list, because only the last `--disable-features` counts.
const FEATURES_OFF: [&str; 9] = [
    "AutofillServerCommunication",
    "Translate",
    "OptimizationHints",
    "MediaRouter",
    "DialMediaRouteProvider",
    "HttpsUpgrades",
    "BlockOriginHeaderModificationOnRedirect",
    // A prerendered page would replace the page to which we are attached.
    "Prerender2",
    // A spare process costs each context more than it saves.
    "SpareRendererForSitePerProcess",
];

/// The variables that Chromium gets from our environment, and all that begin with `LC_`. The others stay here: a page that
/// breaks out of its renderer could read them, and secrets may be among them.
const KEPT: [&str; 13] = [
    "PATH",
    "LD_LIBRARY_PATH",
    "CHROME_DEVEL_SANDBOX",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TZDIR",
    "FONTCONFIG_FILE",
    "FONTCONFIG_PATH",
    "FONTCONFIG_SYSROOT",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "SSL_DIR",
];

/// The variables that name a folder of the user. All of them name the profile, which is removed with its browser.
const FOLDERS: [&str; 6] =
    ["HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"];

/// The environment of the program.
pub(super) fn environment(profile: &Path) -> Vec<(OsString, OsString)> {
    let kept = env::vars_os().filter(|(name, _)| {
        name.to_str().is_some_and(|name| KEPT.contains(&name) || name.starts_with("LC_"))
    });
    kept.chain(FOLDERS.map(|name| (name.into(), profile.into()))).collect()
}

/// What the user's own folders have that Chromium needs: the certificates that the user trusts (NSS), and the cache of the
/// fonts. Each is linked to where Chromium looks for it in the profile.
pub(super) fn link_user_folders(profile: &Path) {
    let Some(home) = env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute()) else { return };
    let named = |name: &str, usual: &str| env::var_os(name).map_or_else(|| home.join(usual), PathBuf::from);
    for (user, link) in [
        (home.join(".pki"), ".pki"),
        (named("XDG_DATA_HOME", ".local/share").join("pki"), "pki"),
        (named("XDG_CACHE_HOME", ".cache").join("fontconfig"), "fontconfig"),
    ] {
        // Without the link the browser works too: it trusts what the system trusts, and makes a cache.
        if user.is_dir() {
            let _ = std::os::unix::fs::symlink(user, profile.join(link));
        }
    }
}

/// Is `/dev/shm` small? Containers have 64 MB there, which a few pages fill.
fn small_shared_memory() -> bool {
    rustix::fs::statvfs("/dev/shm").is_ok_and(|shm| shm.f_blocks.saturating_mul(shm.f_frsize) < 512 << 20)
}
