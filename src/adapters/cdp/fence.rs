//! The addresses to which a context may navigate.

use url::Url;

/// The allowed origins: scheme, host, and the port if it is not the default one.
#[derive(Debug, Default)]
pub(super) struct Fence {
    origins: Vec<String>,
}

impl Fence {
    /// Reads the origins. The error is the text that is not an origin.
    pub(super) fn new(origins: &[String]) -> Result<Self, String> {
        let origins = origins
            .iter()
            .map(|origin| match Url::parse(origin) {
                Ok(url) if url.origin().is_tuple() => Ok(url.origin().ascii_serialization()),
                _ => Err(origin.clone()),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { origins })
    }

    /// The origins. Empty: any.
    pub(super) fn origins(&self) -> &[String] {
        &self.origins
    }

    /// May a document come from this address? Documents without a server are allowed: their content comes from an allowed
    /// page.
    pub(super) fn allows(&self, url: &str) -> bool {
        if self.origins.is_empty() {
            return true;
        }
        match Url::parse(url) {
            Ok(url) if matches!(url.scheme(), "about" | "data" | "blob") => true,
            Ok(url) => self.origins.contains(&url.origin().ascii_serialization()),
            Err(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_compared_as_a_whole() {
        let fence = Fence::new(&["https://app.example".into(), "http://h:81/path".into()]);
        let fence = fence.expect("two origins");
        for (url, allowed) in [
            ("https://app.example/a?b#c", true),
            ("https://APP.example:443/", true),
            ("https://app.example:444/", false),
            ("http://app.example/", false),
            ("https://app.example.evil.test/", false),
            ("https://app.example@evil.test/", false),
            ("https://sub.app.example/", false),
            ("http://h:81/", true),
            ("http://h/", false),
            ("about:blank", true),
            ("file:///etc/passwd", false),
            ("chrome://version", false),
            ("not an address", false),
        ] {
            assert_eq!(fence.allows(url), allowed, "{url}");
        }
    }

    #[test]
    fn an_invalid_origin_is_refused() {
        assert_eq!(Fence::new(&["app.example".into()]).err().as_deref(), Some("app.example"));
        assert!(Fence::default().allows("https://anything.example"));
    }
}
