//! Fetching documents: cookies, redirects, and the origins that are allowed.
//!
//! It must not know what is in a document.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use reqwest::{
    Client, Response, StatusCode,
    dns::{Addrs, Name, Resolve, Resolving},
    header, redirect,
};
use url::Url;

use seatwright::ports::driver::ContextOptions;

/// As many redirects in a row as Chromium follows.
const MOST_REDIRECTS: usize = 20;

/// What is sent for a document.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub url: Url,
    /// The urlencoded body of a POST; none: a GET.
    pub body: Option<String>,
}

impl Request {
    pub(super) fn get(url: Url) -> Self {
        Self { url, body: None }
    }
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Arrival {
    Document {
        url: Url,
        status: u16,
        source: String,
    },
    /// An answer without a document: the page stays.
    Empty {
        url: Url,
    },
    Download {
        url: Url,
    },
    /// The fence stood in the way.
    Blocked {
        url: Url,
    },
    Failed {
        url: Url,
        reason: String,
    },
}

/// The network as one context sees it.
#[derive(Debug)]
pub(super) struct Network {
    client: Client,
    origins: Vec<String>,
}

impl Network {
    /// Says why, where an origin cannot be read.
    pub(super) fn new(options: &ContextOptions) -> Result<Self, String> {
        let origins = options.origins.iter().map(|origin| match Url::parse(origin) {
            Ok(url) if url.origin().is_tuple() => Ok(url.origin().ascii_serialization()),
            _ => Err(format!("{origin:?} is not an origin")),
        });
        let client = Client::builder()
            .cookie_store(true)
            .redirect(redirect::Policy::none())
            .dns_resolver(HomeResolver)
            .user_agent(concat!("Seatwright text browser ", env!("CARGO_PKG_VERSION")))
            .no_proxy()
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { client, origins: origins.collect::<Result<_, _>>()? })
    }

    /// May a document come from there?
    pub(super) fn allows(&self, url: &Url) -> bool {
        self.origins.is_empty()
            || url.scheme() == "about"
            || self.origins.contains(&url.origin().ascii_serialization())
    }

    /// Follows redirects by hand: each one has to pass the fence.
    pub(super) async fn fetch(&self, mut request: Request) -> Arrival {
        for _ in 0..=MOST_REDIRECTS {
            let url = request.url.clone();
            if !self.allows(&url) {
                return Arrival::Blocked { url };
            }
            if url.scheme() == "about" {
                return Arrival::Document { url, status: 0, source: String::new() };
            }
            let response = match self.send(&request).await {
                Ok(response) => response,
                Err(error) => return Arrival::Failed { url, reason: explain(&error) },
            };
            match redirected(&response, &request) {
                Some(next) => request = next,
                None => return arrive(response, url).await,
            }
        }
        Arrival::Failed { url: request.url, reason: "it redirects in circles".to_owned() }
    }

    async fn send(&self, request: &Request) -> reqwest::Result<Response> {
        let sending = match &request.body {
            None => self.client.get(request.url.clone()),
            Some(body) => self
                .client
                .post(request.url.clone())
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(body.clone()),
        };
        sending.header(header::ACCEPT, "text/html,*/*;q=0.8").send().await
    }
}

/// Where a redirect leads. Only 307 and 308 repeat a POST.
fn redirected(response: &Response, request: &Request) -> Option<Request> {
    let status = response.status();
    if !status.is_redirection() || status == StatusCode::NOT_MODIFIED {
        return None;
    }
    let location = response.headers().get(header::LOCATION)?.to_str().ok()?;
    let mut url = request.url.join(location).ok()?;
    if url.fragment().is_none() {
        url.set_fragment(request.url.fragment());
    }
    let again = matches!(status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);
    Some(Request { url, body: request.body.clone().filter(|_| again) })
}

async fn arrive(response: Response, url: Url) -> Arrival {
    let status = response.status();
    if matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT) {
        return Arrival::Empty { url };
    }
    let said = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = said(header::CONTENT_TYPE).split(';').next().unwrap_or_default().trim().to_lowercase();
    let is_html = matches!(kind.as_str(), "" | "text/html" | "application/xhtml+xml");
    let is_shown = is_html || kind.starts_with("text/") || kind.ends_with("json") || kind.ends_with("xml");
    if !is_shown || said(header::CONTENT_DISPOSITION).starts_with("attachment") {
        return Arrival::Download { url };
    }
    match response.text().await {
        Ok(source) if is_html => Arrival::Document { url, status: status.as_u16(), source },
        Ok(text) => {
            let source = format!("<pre>{}</pre>", text.replace('&', "&amp;").replace('<', "&lt;"));
            Arrival::Document { url, status: status.as_u16(), source }
        }
        Err(error) => Arrival::Failed { url, reason: explain(&error) },
    }
}

/// The innermost cause: reqwest's own words repeat the address.
fn explain(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// Hosts under `localhost` are this machine, as in browsers.
struct HomeResolver;

impl Resolve for HomeResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let host = name.as_str();
            let addresses: Vec<SocketAddr> = match host == "localhost" || host.ends_with(".localhost") {
                true => vec![(IpAddr::from(Ipv4Addr::LOCALHOST), 0).into()],
                false => tokio::net::lookup_host((host, 0)).await?.collect(),
            };
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}
