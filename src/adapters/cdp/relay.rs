//! The way out of a context: every connection that its pages make is opened here in their name (SOCKS 5, RFC 1928, on
//! loopback), and what passes is passed on unread: TLS stays between the browser and the app.
//!
//! Chromium sends a request again by itself, a POST too, when a connection that it had kept open ends without an answer. On
//! one that is new it does not. So before a request that must be sent once, those that it keeps are ended here:
//! [`Relay::fresh`].

use std::{
    error::Error,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use hyper_util::{
    client::{
        legacy::connect::{HttpConnector, proxy},
        proxy::matcher::Matcher,
    },
    rt::TokioIo,
};
use rustix::net::Shutdown;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::Instant,
};
use tower_service::Service;
use url::Url;

/// A connection that was silent for so long has no answer under way.
const SILENT: Duration = Duration::from_millis(50);
/// How long answers that are under way are waited for. What takes longer is a long poll: it is not kept for anything else.
const PATIENCE: Duration = Duration::from_secs(1);

/// The way out of one context. Dropped, all its connections end.
pub(super) struct Relay {
    rules: String,
    book: Arc<Book>,
    _doors: JoinSet<()>,
}

/// What is known of the connections of one door.
#[derive(Default)]
struct Book {
    tunnels: Mutex<Vec<Weak<Tunnel>>>,
    trouble: Mutex<Option<String>>,
}

/// One connection of the browser, and what it leads to.
struct Tunnel {
    host: String,
    port: u16,
    /// The browser's side of it.
    browser: OwnedFd,
    heard: Mutex<Heard>,
}

struct Heard {
    /// Something was sent, and nothing came back yet.
    asked: bool,
    last: Instant,
}

impl Relay {
    /// Opens the way out; through a proxy of the network, where the environment names one (`HTTPS_PROXY`, `NO_PROXY`).
    pub(super) async fn open() -> io::Result<Self> {
        Self::through(Matcher::from_env()).await
    }

    async fn through(proxies: Matcher) -> io::Result<Self> {
        let mut doors = JoinSet::new();
        let proxies = Arc::new(proxies);
        let mut open = async |book: &Arc<Book>| {
            let door = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            let rule = format!("socks5://{}", door.local_addr()?);
            doors.spawn(serve(door, Arc::clone(book), Arc::clone(&proxies)));
            Ok::<_, io::Error>(rule)
        };
        let book = Arc::new(Book::default());
        let pages = open(&book).await?;
        // WebSockets have a door of their own: a page does not like to lose them, and they are never used for anything else.
        let sockets = open(&Arc::default()).await?;
        let rules = format!("http={pages};https={pages};socks={sockets}");
        Ok(Self { rules, book, _doors: doors })
    }

    /// The proxy rules of a browser context that goes out here.
    pub(super) fn rules(&self) -> &str {
        &self.rules
    }

    /// Returns once no connection is kept on which a request to this address could be sent.
    pub(super) async fn fresh(&self, to: &Url) {
        let (Some(host), Some(port)) = (to.host_str(), to.port_or_known_default()) else { return };
        let host = host.trim_matches(['[', ']']);
        let end = Instant::now() + PATIENCE;
        let kept = loop {
            let kept = self.book.to(host, port);
            let at_work = kept.iter().filter_map(|tunnel| tunnel.silent_at()).max();
            match at_work {
                Some(silent) if Instant::now() < end => tokio::time::sleep_until(silent.min(end)).await,
                _ => break kept,
            }
        };
        for tunnel in kept.iter().filter(|tunnel| !tunnel.heard().asked) {
            // The browser knows before the call returns: it is the same machine.
            let _ = rustix::net::shutdown(&tunnel.browser, Shutdown::Both);
        }
    }

    /// Why the last connection did not come about.
    pub(super) fn trouble(&self) -> Option<String> {
        locked(&self.book.trouble).clone()
    }
}

impl Book {
    fn to(&self, host: &str, port: u16) -> Vec<Arc<Tunnel>> {
        let tunnels = locked(&self.tunnels);
        let open = tunnels.iter().filter_map(Weak::upgrade);
        open.filter(|tunnel| tunnel.port == port && tunnel.host.eq_ignore_ascii_case(host)).collect()
    }

    fn enter(&self, tunnel: &Arc<Tunnel>) {
        let mut tunnels = locked(&self.tunnels);
        tunnels.retain(|tunnel| tunnel.strong_count() > 0);
        tunnels.push(Arc::downgrade(tunnel));
    }
}

impl Tunnel {
    fn heard(&self) -> MutexGuard<'_, Heard> {
        locked(&self.heard)
    }

    fn hear(&self, asked: bool) {
        *self.heard() = Heard { asked, last: Instant::now() };
    }

    /// When it will have been silent for long enough, if it has not been already.
    fn silent_at(&self) -> Option<Instant> {
        let now = Instant::now();
        let heard = self.heard();
        let silent = if heard.asked { now + SILENT } else { heard.last + SILENT };
        (silent > now).then_some(silent)
    }
}

async fn serve(door: TcpListener, book: Arc<Book>, proxies: Arc<Matcher>) {
    let mut tunnels = JoinSet::new();
    loop {
        match door.accept().await {
            Ok((browser, _)) => {
                let (book, proxies) = (Arc::clone(&book), Arc::clone(&proxies));
                tunnels.spawn(async move { tunnel(browser, &book, &proxies).await });
            }
            // No descriptor is free: those that end make room.
            Err(_) => tokio::time::sleep(SILENT).await,
        }
        while tunnels.try_join_next().is_some() {}
    }
}

/// One connection, from the browser's first word to the end of either side.
async fn tunnel(mut browser: TcpStream, book: &Book, proxies: &Matcher) -> io::Result<()> {
    browser.set_nodelay(true)?;
    let (host, port) = asked_for(&mut browser).await?;
    let tunnel = Arc::new(Tunnel {
        host,
        port,
        browser: browser.as_fd().try_clone_to_owned()?,
        heard: Mutex::new(Heard { asked: true, last: Instant::now() }),
    });
    book.enter(&tunnel);
    let there = match connect(&tunnel.host, port, proxies).await {
        Ok(there) => there,
        Err(error) => {
            *locked(&book.trouble) = Some(format!("{} ({}:{port})", explain(&*error), tunnel.host));
            return browser.write_all(&answer(Reply::Refused)).await;
        }
    };
    tunnel.hear(false);
    browser.write_all(&answer(Reply::Open)).await?;
    let (from_browser, to_browser) = browser.split();
    let (from_there, to_there) = there.into_split();
    let ended = tokio::select! {
        up = carry(from_browser, to_there, || tunnel.hear(true)) => up,
        down = carry(from_there, to_browser, || tunnel.hear(false)) => down,
    };
    if ended.is_err() {
        // A reset of one side is one of the other.
        let _ = browser.set_zero_linger();
    }
    Ok(())
}

/// Carries all that comes, until nothing more comes.
async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    hear: impl Fn(),
) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        hear();
        to.write_all(&buffer[..length]).await?;
    }
}

/// RFC 1928, section 6: what became of a request.
#[derive(Clone, Copy)]
enum Reply {
    Open = 0,
    Refused = 5,
}

/// From an address that nobody asks for.
fn answer(reply: Reply) -> [u8; 10] {
    [5, reply as u8, 0, 1, 0, 0, 0, 0, 0, 0]
}

/// RFC 1928, sections 3 to 5: no authentication, `CONNECT`. Anything else is not our browser.
async fn asked_for(browser: &mut TcpStream) -> io::Result<(String, u16)> {
    const CONNECT: u8 = 1;
    let strange = || io::Error::from(io::ErrorKind::InvalidData);
    let [version, methods] = some(browser).await?;
    if version != 5 {
        return Err(strange());
    }
    browser.read_exact(&mut vec![0; usize::from(methods)]).await?;
    browser.write_all(&[5, 0]).await?;
    let [version, CONNECT, _, kind] = some(browser).await? else { return Err(strange()) };
    let host = match (version, kind) {
        (5, 1) => Ipv4Addr::from(some::<4>(browser).await?).to_string(),
        (5, 3) => {
            let [length] = some(browser).await?;
            let mut name = vec![0; usize::from(length)];
            browser.read_exact(&mut name).await?;
            String::from_utf8(name).map_err(|_| strange())?
        }
        (5, 4) => Ipv6Addr::from(some::<16>(browser).await?).to_string(),
        _ => return Err(strange()),
    };
    Ok((host, u16::from_be_bytes(some(browser).await?)))
}

async fn some<const N: usize>(browser: &mut TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    browser.read_exact(&mut bytes).await?;
    Ok(bytes)
}

type Trouble = Box<dyn Error + Send + Sync>;

/// Opens a connection to the first address of the host that answers (RFC 8305).
async fn connect(host: &str, port: u16, proxies: &Matcher) -> Result<TcpStream, Trouble> {
    // RFC 6761, section 6.3: all such names are this machine.
    let host = if host.ends_with(".localhost") { "localhost" } else { host };
    let address = host.parse::<IpAddr>().ok();
    let authority = match address {
        Some(IpAddr::V6(address)) => format!("[{address}]:{port}"),
        _ => format!("{host}:{port}"),
    };
    let scheme = if port == 80 { "http" } else { "https" };
    let to: http::Uri = format!("{scheme}://{authority}").parse()?;
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    let here = host == "localhost" || address.is_some_and(|address| address.is_loopback());
    let opened: TokioIo<TcpStream> = match proxies.intercept(&to).filter(|_| !here) {
        None => connector.call(to).await?,
        Some(proxy) => {
            let tunnel = proxy::Tunnel::new(proxy.uri().clone(), connector);
            let mut tunnel = match proxy.basic_auth() {
                Some(auth) => tunnel.with_auth(auth.clone()),
                None => tunnel,
            };
            tunnel.call(to).await?
        }
    };
    Ok(opened.into_inner())
}

/// Why there is no connection, for people.
fn explain(error: &(dyn Error + 'static)) -> String {
    if error.to_string().starts_with("dns") {
        return "there is no such host".to_owned();
    }
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    match cause.downcast_ref::<io::Error>() {
        Some(io) if io.kind() == io::ErrorKind::ConnectionRefused => "nobody listens there".to_owned(),
        _ => cause.to_string(),
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    /// A server that gives what it was sent back, but for what asks to be left waiting; and the connections that it has.
    async fn echo() -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut word = [0; 4];
                    while stream.read_exact(&mut word).await.is_ok() {
                        if &word != b"wait" {
                            stream.write_all(&word).await.expect("it is read");
                        }
                    }
                });
            }
        });
        port
    }

    /// What a browser does to get a connection.
    async fn connection(rules: &str, door: usize, host: &str, port: u16) -> (TcpStream, u8) {
        let door = rules.split(';').nth(door).and_then(|rule| rule.split("//").nth(1)).expect("a door");
        let mut stream = TcpStream::connect(door).await.expect("it is open");
        let length = u8::try_from(host.len()).expect("short");
        let asked = [&[5, 1, 0, 5, 1, 0, 3, length], host.as_bytes(), &port.to_be_bytes()].concat();
        stream.write_all(&asked).await.expect("it is read");
        let mut said = [0; 12];
        stream.read_exact(&mut said).await.expect("an answer");
        (stream, said[3])
    }

    async fn says(stream: &mut TcpStream, word: [u8; 4]) {
        stream.write_all(&word).await.expect("open");
        let mut back = [0; 4];
        stream.read_exact(&mut back).await.expect("an answer");
        assert_eq!(back, word);
    }

    #[tokio::test]
    async fn only_what_is_kept_for_that_address_is_ended() {
        let (port, other) = (echo().await, echo().await);
        let relay = Relay::through(Matcher::builder().build()).await.expect("ports");
        let rules = relay.rules();
        let mut kept = connection(rules, 0, "localhost", port).await.0;
        let mut elsewhere = connection(rules, 1, "localhost", other).await.0;
        let mut socket = connection(rules, 2, "localhost", port).await.0;
        let mut waits = connection(rules, 0, "localhost", port).await.0;
        for stream in [&mut kept, &mut elsewhere, &mut socket, &mut waits] {
            says(stream, *b"ping").await;
        }
        waits.write_all(b"wait").await.expect("open");
        relay.fresh(&Url::parse(&format!("http://LOCALHOST:{port}/save")).expect("an address")).await;
        assert_eq!(kept.try_read(&mut [0; 4]).expect("it knows by now"), 0, "ended");
        for stream in [&mut elsewhere, &mut socket, &mut waits] {
            says(stream, *b"pong").await;
        }
    }

    #[tokio::test]
    async fn what_cannot_be_reached_is_explained() {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let relay = Relay::through(Matcher::builder().build()).await.expect("ports");
        for (host, says) in
            [("127.0.0.1", "nobody listens there"), ("nowhere.invalid", "there is no such host")]
        {
            assert_eq!(connection(relay.rules(), 0, host, port).await.1, Reply::Refused as u8);
            assert_eq!(relay.trouble(), Some(format!("{says} ({host}:{port})")));
        }
    }

    #[tokio::test]
    async fn a_proxy_of_the_network_is_gone_through_but_not_for_this_machine() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let proxy = listener.local_addr().expect("an address");
        let (asked, mut hears) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = [0; 512];
                let length = stream.read(&mut head).await.expect("a request");
                let head = String::from_utf8_lossy(&head[..length]).into_owned();
                asked.send(head).expect("somebody listens");
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.expect("open");
            }
        });
        let proxies =
            Matcher::builder().all(format!("http://us:secret@{proxy}")).no("inside.example").build();
        let relay = Relay::through(proxies).await.expect("ports");
        assert_eq!(connection(relay.rules(), 0, "app.invalid", 443).await.1, Reply::Open as u8);
        let head = hears.recv().await.expect("a request").to_lowercase();
        assert!(head.starts_with("connect app.invalid:443 http/1.1\r\n"), "{head}");
        assert!(head.contains("proxy-authorization: basic"), "{head}");
        let mut here = connection(relay.rules(), 0, "here.localhost", echo().await).await.0;
        says(&mut here, *b"ping").await;
        assert!(hears.try_recv().is_err(), "this machine is asked itself");
    }
}
