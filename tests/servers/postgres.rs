//! A private PostgreSQL server, ended with the value.

use std::{
    fs,
    os::unix::fs::{MetadataExt, chown},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The password of its user, for those who come by TCP.
pub const PG_PASSWORD: &str = "staple of batteries";

/// A server of our own in a temporary folder: asked by its socket it trusts, by TCP it wants the password.
pub struct PrivatePostgres {
    folder: tempfile::TempDir,
    programs: PathBuf,
    port: u16,
}

impl PrivatePostgres {
    pub fn start() -> Self {
        let programs = programs();
        let folder = tempfile::Builder::new().prefix("pg").tempdir().expect("a temporary folder");
        if is_root() {
            let postgres = fs::metadata("/var/lib/postgresql").expect("the home of the user `postgres`");
            chown(folder.path(), Some(postgres.uid()), Some(postgres.gid()))
                .expect("the folder can be given");
        }
        let this = Self { folder, programs, port: super::ports::free_port() };
        let password = this.folder.path().join("password");
        fs::write(&password, PG_PASSWORD).expect("the password can be written");
        let data = this.data();
        this.run("initdb", |initdb| {
            initdb.arg("-D").arg(&data).arg("--pwfile").arg(&password).args([
                "--username=seatwright",
                "--auth-local=trust",
                "--auth-host=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                // What is made here need not outlive a power cut; what the server writes later does.
                "--no-sync",
            ])
        });
        this.again();
        this
    }

    /// A new database, by the socket.
    pub fn database(&self, name: &str) -> String {
        self.run("createdb", |createdb| {
            createdb.arg("-h").arg(self.folder.path()).args(["-U", "seatwright", "-p"]);
            createdb.arg(self.port.to_string()).arg(name)
        });
        format!(
            "postgres://seatwright@localhost/{name}?host={}&port={}",
            self.folder.path().display(),
            self.port
        )
    }

    /// The same server, by TCP.
    pub fn by_tcp(&self, name: &str, password: &str) -> String {
        format!("postgres://seatwright:{}@127.0.0.1:{}/{name}", password.replace(' ', "%20"), self.port)
    }

    /// As a power cut would: the server and all that it started.
    pub fn kill(&self) {
        let Some(server) = self.pid() else { return };
        // Standing still, it starts nothing more.
        Command::new("kill").args(["-STOP", &server]).status().expect("kill runs");
        let started = Command::new("pgrep").args(["-P", &server]).output().expect("pgrep runs");
        let all = format!("{server} {}", String::from_utf8_lossy(&started.stdout));
        let all: Vec<&str> = all.split_whitespace().collect();
        Command::new("kill").arg("-KILL").args(&all).stderr(Stdio::null()).status().expect("kill runs");
        while all.iter().any(|pid| alive(pid)) {
            std::thread::yield_now();
        }
        // Whoever has to bury it may take its time: until then the next server would take it for alive.
        for lock in ["data/postmaster.pid".to_owned(), format!(".s.PGSQL.{}.lock", self.port)] {
            let _ = fs::remove_file(self.folder.path().join(lock));
        }
    }

    /// With the same port and data.
    pub fn again(&self) {
        // What is shared lies in its own folder: a server that is killed would leave it in the machine's memory.
        let options = format!(
            "-k {} -h 127.0.0.1 -p {} -c fsync=on -c dynamic_shared_memory_type=mmap",
            self.folder.path().display(),
            self.port
        );
        let log = self.folder.path().join("log");
        let data = self.data();
        self.run("pg_ctl", |ctl| {
            ctl.arg("-D").arg(&data).arg("-l").arg(&log).args(["-w", "-t", "120", "-o", &options, "start"])
        });
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn pid(&self) -> Option<String> {
        fs::read_to_string(self.data().join("postmaster.pid")).ok()?.lines().next().map(str::to_owned)
    }

    /// Runs one of its programs, as a user whom they accept: root is none.
    fn run(&self, program: &str, with: impl FnOnce(&mut Command) -> &mut Command) {
        let program = self.programs.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        // The server keeps what it inherits: its output would keep a pipe open.
        let said = self.folder.path().join("said");
        let file = fs::File::create(&said).expect("its output can be kept");
        command.current_dir(self.folder.path()).env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
        command.stdout(file.try_clone().expect("a second handle")).stderr(file);
        let status = with(&mut command).status().expect("PostgreSQL's programs run");
        let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
        assert!(status.success(), "{command:?}: {}{}", read(&said), read(&self.folder.path().join("log")));
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Debian keeps the server's programs out of the way, by version.
fn programs() -> PathBuf {
    let versions =
        fs::read_dir("/usr/lib/postgresql").map(|all| all.flatten().map(|one| one.path().join("bin")));
    let newest = versions.ok().and_then(|all| all.filter(|bin| bin.join("postgres").exists()).max());
    newest
        .expect("no PostgreSQL server on this machine: apt-get install postgresql (or scripts/install test)")
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}

/// A zombie is gone, too.
fn alive(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next()).is_some_and(|state| state != "Z")
}
