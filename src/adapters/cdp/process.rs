//! The browser as a program: its start, its end, and the removal of its profile.
//!
//! One thread for each browser starts the program, waits for its end and removes its profile. The kernel kills the
//! browser when that thread ends, so a killed worker leaves no browser behind.
//!
//! This module must not know what the connection carries.

use std::{
    collections::VecDeque,
    io,
    mem::ManuallyDrop,
    os::{
        fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
        unix::{
            net::UnixStream,
            process::{CommandExt, ExitStatusExt},
        },
    },
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Resource, Rlimit, Signal, WaitId, WaitIdOptions, getrlimit, setrlimit};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::ChildStderr,
    sync::{oneshot, watch},
    task::JoinHandle,
};

use super::{
    launch::{environment, link_user_folders},
    profile::Profile,
};

/// The descriptors on which Chromium reads and writes.
const READS_ON: RawFd = 3;
const WRITES_ON: RawFd = 4;

/// The number of lines of standard error that are kept.
const STDERR_LINES: usize = 20;

/// A running browser program.
pub(super) struct Program {
    /// The leader of its process group, until it has been waited for.
    leader: Arc<Mutex<Option<Pid>>>,
    state: watch::Receiver<ProgramState>,
    last_words: Arc<Mutex<VecDeque<String>>>,
    listening: Option<JoinHandle<()>>,
}

/// Whether the program runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ProgramState {
    Running,
    /// It ended, and how.
    Ended(String),
    /// It ended, and its profile is removed.
    SweptUp(String),
}

/// Raises the limit of open files to what the system allows: the connections of all pages are open in this process.
pub(super) fn take_all_descriptors() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // If the system refuses, the usual limit is enough for a few dozen pages.
    let _ = setrlimit(Resource::Nofile, limit);
}

/// Starts `program`. Its descriptors 3 and 4 are the other end of the returned stream.
pub(super) async fn start(
    program: &Path,
    arguments: Vec<String>,
    profile: Profile,
) -> io::Result<(Program, tokio::net::UnixStream)> {
    let (ours, theirs) = UnixStream::pair()?;
    let (started, starting) = oneshot::channel();
    let (state, states) = watch::channel(ProgramState::Running);
    let leader = Arc::new(Mutex::new(None));
    let thread =
        ProgramThread { program: program.to_owned(), arguments, profile, leader: Arc::clone(&leader), state };
    thread::Builder::new().name("chromium".to_owned()).spawn(move || thread.run(theirs, started))?;
    let stderr = starting.await.map_err(|_| io::Error::other("the thread that starts it ended"))??;
    ours.set_nonblocking(true)?;
    let last_words = Arc::new(Mutex::new(VecDeque::new()));
    let stderr = stderr.map(ChildStderr::from_std).transpose()?;
    let listening = stderr.map(|stderr| tokio::spawn(listen(stderr, Arc::clone(&last_words))));
    let program = Program { leader, state: states, last_words, listening };
    Ok((program, tokio::net::UnixStream::from_std(ours)?))
}

impl Program {
    /// Kills the program and all that it started.
    pub(super) fn kill(&self) {
        // Locked until the signal is sent: after the wait, another process may get this number.
        kill(*self.leader.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The leader of its process group: the program and all that it started. None after its end.
    pub(super) fn leader(&self) -> Option<Pid> {
        *self.leader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows whether it runs.
    pub(super) fn state(&self) -> watch::Receiver<ProgramState> {
        self.state.clone()
    }

    /// The last lines of its standard error, after its end.
    pub(super) async fn last_words(&mut self) -> String {
        if let Some(listening) = self.listening.take() {
            // A helper that outlives it keeps the pipe open. That is not waited for.
            let _ = tokio::time::timeout(Duration::from_millis(500), listening).await;
        }
        let words = self.last_words.lock().unwrap_or_else(PoisonError::into_inner);
        words.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

fn kill(leader: Option<Pid>) {
    if let Some(leader) = leader {
        // It fails only when no process is left.
        let _ = rustix::process::kill_process_group(leader, Signal::KILL);
    }
}

/// What the thread of a browser needs.
struct ProgramThread {
    program: PathBuf,
    arguments: Vec<String>,
    profile: Profile,
    leader: Arc<Mutex<Option<Pid>>>,
    state: watch::Sender<ProgramState>,
}

type Started = oneshot::Sender<io::Result<Option<std::process::ChildStderr>>>;

impl ProgramThread {
    fn run(self, pipe: UnixStream, started: Started) {
        let mut child = match self.spawn(&pipe) {
            Ok(child) => child,
            Err(error) => {
                let _ = started.send(Err(error));
                return;
            }
        };
        // Only the browser has that end now: when the browser ends, our end is closed.
        drop(pipe);
        let pid = Pid::from_child(&child);
        self.lead(Some(pid));
        if started.send(Ok(child.stderr.take())).is_err() {
            kill(Some(pid));
        }
        // The end is seen here and reaped later: until then no other process can get this id.
        let _ = rustix::process::waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        kill(Some(pid));
        self.lead(None);
        let end = match child.wait() {
            Ok(status) => describe(status),
            Err(error) => format!("for an unknown reason: {error}"),
        };
        self.state.send_replace(ProgramState::Ended(end.clone()));
        drop(self.profile);
        self.state.send_replace(ProgramState::SweptUp(end));
    }

    fn lead(&self, leader: Option<Pid>) {
        *self.leader.lock().unwrap_or_else(PoisonError::into_inner) = leader;
    }

    fn spawn(&self, pipe: &UnixStream) -> io::Result<Child> {
        let parent = rustix::process::getpid();
        let pipe = pipe.as_raw_fd();
        link_user_folders(self.profile.path());
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .env_clear()
            .envs(environment(self.profile.path()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0);
        // SAFETY: between fork and exec only system calls are made; nothing is allocated or locked.
        #[expect(unsafe_code, reason = "between fork and exec: only async-signal-safe calls")]
        unsafe {
            command.pre_exec(move || {
                rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
                if rustix::process::getppid() != Some(parent) {
                    return Err(io::ErrorKind::BrokenPipe.into());
                }
                // A dump of a crashed page would contain what was typed into it.
                setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
                hand_over(BorrowedFd::borrow_raw(pipe))
            });
        }
        command.spawn()
    }
}

/// Puts `pipe` on the two descriptors, open across exec.
fn hand_over(pipe: BorrowedFd<'_>) -> io::Result<()> {
    // First out of the way: it may be one of the two itself.
    let aside = rustix::io::fcntl_dupfd_cloexec(pipe, WRITES_ON + 1)?;
    for number in [READS_ON, WRITES_ON] {
        // SAFETY: the descriptor is not closed here, and what it was before is of no use after exec.
        #[expect(
            unsafe_code,
            reason = "the number is fixed by the browser's protocol; the descriptor is not closed here"
        )]
        let mut place = ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(number) });
        rustix::io::dup2(&aside, &mut place)?;
    }
    Ok(())
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("it ended with exit code {code}"),
        (None, Some(signal)) => format!("it was ended by signal {signal}"),
        (None, None) => "it ended".to_owned(),
    }
}

async fn listen(stderr: ChildStderr, last_words: Arc<Mutex<VecDeque<String>>>) {
    let mut stderr = BufReader::new(stderr);
    let mut line = Vec::new();
    while stderr.read_until(b'\n', &mut line).await.is_ok_and(|n| n > 0) {
        let text: String = String::from_utf8_lossy(&line).trim_end().chars().take(500).collect();
        line.clear();
        let mut words = last_words.lock().unwrap_or_else(PoisonError::into_inner);
        if words.len() == STDERR_LINES {
            words.pop_front();
        }
        words.push_back(text);
    }
}
