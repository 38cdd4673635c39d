//! Where a database is: reads its address, and prepares its file.

use std::{fmt, io, path::PathBuf};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

/// Where a database is. Its `Display` contains no password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::adapters) enum Location {
    /// A file of SQLite.
    File(PathBuf),
    /// A database of a PostgreSQL server.
    Server { url: ServerUrl, shown: String },
}

/// An address that may contain a password. The library gets it; it is never shown.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::adapters) struct ServerUrl(String);

impl Location {
    /// Reads an address. The error never repeats it.
    pub(in crate::adapters) fn parse(address: &str) -> Result<Self, String> {
        let form = "write sqlite:PATH or postgres://user:password@host:5432/database";
        if let Some(path) = address.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return match path {
                "" => Err(format!("the address names no file: {form}")),
                ":memory:" => Err(format!("a database in memory would be lost with its process: {form}")),
                _ if path.contains(['?', '\0']) => {
                    Err(format!("a database in a file has no options, so `?` is not allowed: {form}"))
                }
                path => std::path::absolute(path).map(Self::File).map_err(|e| format!("{path}: {e}")),
            };
        }
        let mut url = Url::parse(address).map_err(|e| format!("this is not an address ({e}): {form}"))?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(format!("`{}` is not a kind of database: {form}", url.scheme()));
        }
        let parameter =
            |key: &str| url.query_pairs().find(|(name, _)| name == key).map(|(_, v)| v.into_owned());
        let host = parameter("host").or_else(|| url.host_str().map(str::to_owned));
        let port = parameter("port").or_else(|| url.port().map(|port| port.to_string()));
        let path = url.path().trim_matches('/').to_owned();
        let shown = format!(
            "PostgreSQL at {}:{}, database `{}`",
            host.unwrap_or_else(|| "localhost".to_owned()),
            port.unwrap_or_else(|| "5432".to_owned()),
            parameter("dbname").unwrap_or(path)
        );
        if parameter("application_name").is_none() {
            // Operators see it in the list of connections.
            url.query_pairs_mut().append_pair("application_name", "seatwright");
        }
        Ok(Self::Server { url: ServerUrl(url.into()), shown })
    }

    /// The address in the form of the library.
    pub(in crate::adapters) fn address(&self) -> String {
        match self {
            // `prepare` creates the file, so that only our user can read it.
            Self::File(path) => {
                format!("sqlite:{}?mode=rw", utf8_percent_encode(&path.to_string_lossy(), NON_ALPHANUMERIC))
            }
            Self::Server { url, .. } => url.0.clone(),
        }
    }

    /// Creates the file and its folder if they are missing, readable by our own user only.
    pub(in crate::adapters) async fn prepare(&self) -> io::Result<()> {
        let Self::File(path) = self else { return Ok(()) };
        if let Some(folder) = path.parent() {
            let missing = !folder.as_os_str().is_empty() && !folder.exists();
            tokio::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).await?;
            if missing {
                // A volume that is not mounted looks like this, and a new database knows no job.
                let folder = folder.display();
                tracing::warn!("the folder of the database did not exist, and is created: {folder}");
            }
        }
        if !path.exists() {
            tracing::info!("a new database is created: {}", path.display());
        }
        let mut options = tokio::fs::OpenOptions::new();
        // SQLite gives its other files the same mode.
        options.write(true).create(true).truncate(false).mode(0o600).open(path).await.map(drop)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Server { shown, .. } => f.write_str(shown),
        }
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_its_password_never_shown() {
        let table = [
            ("sqlite:/var/lib/x.db", "/var/lib/x.db"),
            ("sqlite:///var/lib/x.db", "/var/lib/x.db"),
            ("postgres://u:hunter2@db:6432/seats", "PostgreSQL at db:6432, database `seats`"),
            (
                "postgresql://u@local/seats?host=/run/pg&port=7&password=hunter2",
                "PostgreSQL at /run/pg:7, database `seats`",
            ),
        ];
        for (address, shown) in table {
            let location = Location::parse(address).expect("it is an address");
            assert_eq!(location.to_string(), shown);
            assert!(!format!("{location:?} {location}").contains("hunter2"), "{location:?}");
        }
        for address in [
            "sqlite:",
            "sqlite::memory:",
            "sqlite:x?mode=ro",
            "mysql://u:hunter2@h/x",
            "postgres://u:hunter2@:x",
        ] {
            let message = Location::parse(address).expect_err("it is none");
            assert!(message.contains("write sqlite:PATH") && !message.contains("hunter2"), "{message}");
        }
    }

    #[test]
    fn a_path_may_hold_any_sign() {
        let location = Location::parse("sqlite:/a folder/100 % #1/ä.db").expect("it is an address");
        assert_eq!(
            location.address(),
            "sqlite:%2Fa%20folder%2F100%20%25%20%231%2F%C3%A4%2Edb?mode=rw",
            "nothing of it is taken for a part of the address"
        );
    }
}
