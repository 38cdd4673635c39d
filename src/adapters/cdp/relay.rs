//! The relay of a context: it opens every connection of its pages (SOCKS 5, on loopback) and passes the bytes on unread.
//! TLS stays between the browser and the app.
//!
//! Chromium repeats a request automatically, also a POST, when a connection that carried earlier requests ends without
//! an answer. On a new connection it does not. So [`Relay::fresh`] ends the kept connections before a request that must
//! be sent once.

mod out;
mod socks;

use std::{
    collections::BTreeMap,
    io,
    net::Ipv4Addr,
    os::fd::{AsFd, OwnedFd},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use hyper_util::client::proxy::matcher::Matcher;
use rustix::net::Shutdown;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf},
    },
    sync::watch,
    task::JoinSet,
    time::Instant,
};
use url::Url;

use socks::{SocksReply, answer, read_request};

/// A connection that is silent for this long, or for twice the time that it took to open, has no answer under way.
const QUIET: Duration = Duration::from_millis(50);
/// How long [`Relay::fresh`] waits for answers that are under way.
pub(super) const QUIET_TIMEOUT: Duration = Duration::from_secs(1);
/// How long later answers are held back at most, until the request has its connection.
const HOLD_TIMEOUT: Duration = Duration::from_secs(10);

/// Where a connection leads: host and port.
type Address = (String, u16);

/// The relay of one context. Dropping it ends all its connections.
pub(super) struct Relay {
    rules: String,
    tunnels: Arc<Tunnels>,
    _listeners: JoinSet<()>,
}

/// The connections of one listener.
#[derive(Default)]
struct Tunnels {
    open: Mutex<Vec<Weak<Tunnel>>>,
    /// The number of fresh connections that were requested.
    turn: AtomicU64,
    /// By address, the last turn whose connections have sent a request.
    sent: watch::Sender<BTreeMap<Address, u64>>,
    /// By address, why the last connection failed.
    trouble: Mutex<BTreeMap<Address, String>>,
}

/// One connection of the browser, and where it leads.
struct Tunnel {
    to: Address,
    turn: u64,
    /// The browser's side of it.
    browser: OwnedFd,
    traffic: Mutex<Traffic>,
    /// The number of requests that must be sent before answers pass.
    held: watch::Sender<u32>,
}

struct Traffic {
    /// The browser has sent something and has no answer yet.
    asked: bool,
    last: Instant,
    /// After this silence there is no answer under way.
    silent: Duration,
    /// The connection began with TLS.
    tls: bool,
    /// Something came back.
    answered: bool,
}

impl Relay {
    /// Opens the relay; through a proxy of the network, if the environment names one (`HTTPS_PROXY`, `NO_PROXY`).
    pub(super) async fn open() -> io::Result<Self> {
        Self::through(Matcher::from_env()).await
    }

    async fn through(proxies: Matcher) -> io::Result<Self> {
        let mut listeners = JoinSet::new();
        let proxies = Arc::new(proxies);
        let mut open = async |tunnels: &Arc<Tunnels>| {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            let rule = format!("socks5://{}", listener.local_addr()?);
            listeners.spawn(serve(listener, Arc::clone(tunnels), Arc::clone(&proxies)));
            Ok::<_, io::Error>(rule)
        };
        let tunnels = Arc::new(Tunnels::default());
        let pages = open(&tunnels).await?;
        // WebSockets have a listener of their own: they never carry other requests, and a page should not lose them.
        let sockets = open(&Arc::default()).await?;
        let rules = format!("http={pages};https={pages};socks={sockets}");
        Ok(Self { rules, tunnels, _listeners: listeners })
    }

    /// The proxy rules of a browser context that uses this relay.
    pub(super) fn rules(&self) -> &str {
        &self.rules
    }

    /// Ends the kept connections to this address, so that the next request gets a new one. Connections that still wait for
    /// an answer get none until the request has been sent, so that they are not reused either: see [`Fresh::sent`].
    pub(super) async fn fresh(&self, to: &Url) -> Option<Fresh> {
        let to = address(to)?;
        let end = Instant::now() + QUIET_TIMEOUT;
        loop {
            let under_way = self.tunnels.to(&to).iter().filter_map(|tunnel| tunnel.silent_at()).max();
            match under_way {
                Some(silent) if Instant::now() < end => tokio::time::sleep_until(silent.min(end)).await,
                _ => break,
            }
        }
        let turn = self.tunnels.turn.fetch_add(1, Ordering::SeqCst) + 1;
        let mut held = Vec::new();
        let mut silent = QUIET;
        for tunnel in self.tunnels.to(&to) {
            let traffic = tunnel.traffic();
            silent = silent.max(traffic.silent);
            if traffic.asked || *tunnel.held.borrow() > 0 || tunnel.is_unread() {
                tunnel.held.send_modify(|held| *held += 1);
                drop(traffic);
                held.push(tunnel);
            } else {
                // The browser knows before the call returns: it is the same machine.
                let _ = rustix::net::shutdown(&tunnel.browser, Shutdown::Both);
            }
        }
        Some(Fresh { tunnels: Arc::clone(&self.tunnels), to, turn, silent, held })
    }

    /// Why the last connection to this address failed.
    pub(super) fn trouble(&self, to: &Url) -> Option<String> {
        locked(&self.tunnels.trouble).get(&address(to)?).cloned()
    }
}

/// A request that is about to get a new connection. Dropping it lets the held answers pass.
pub(super) struct Fresh {
    tunnels: Arc<Tunnels>,
    to: Address,
    turn: u64,
    silent: Duration,
    held: Vec<Arc<Tunnel>>,
}

impl Fresh {
    /// Waits until the request has been sent, as far as can be seen from outside. While its connection is being opened, the
    /// browser would prefer one that becomes free.
    pub(super) async fn sent(self) {
        if self.held.is_empty() {
            return;
        }
        let mut sent = self.tunnels.sent.subscribe();
        let sent = sent.wait_for(|sent| sent.get(&self.to).is_some_and(|turn| *turn >= self.turn));
        if tokio::time::timeout(HOLD_TIMEOUT, sent).await.is_ok() {
            // With TLS, the bytes may have been the end of the handshake.
            tokio::time::sleep(self.silent).await;
        }
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        for tunnel in &self.held {
            tunnel.held.send_modify(|held| *held -= 1);
        }
    }
}

impl Tunnels {
    fn to(&self, to: &Address) -> Vec<Arc<Tunnel>> {
        locked(&self.open).iter().filter_map(Weak::upgrade).filter(|tunnel| tunnel.to == *to).collect()
    }

    fn enter(&self, to: Address, browser: OwnedFd) -> Arc<Tunnel> {
        let traffic =
            Traffic { asked: true, last: Instant::now(), silent: QUIET, tls: false, answered: false };
        let tunnel = Arc::new(Tunnel {
            to,
            turn: self.turn.load(Ordering::SeqCst),
            browser,
            traffic: Mutex::new(traffic),
            held: watch::Sender::new(0),
        });
        let mut tunnels = locked(&self.open);
        tunnels.retain(|tunnel| tunnel.strong_count() > 0);
        tunnels.push(Arc::downgrade(&tunnel));
        tunnel
    }

    /// A request was sent on a connection of this turn.
    fn report_sent(&self, tunnel: &Tunnel) {
        self.sent.send_if_modified(|sent| {
            let known = sent.entry(tunnel.to.clone()).or_default();
            std::mem::replace(known, tunnel.turn.max(*known)) != *known
        });
    }
}

impl Tunnel {
    fn traffic(&self) -> MutexGuard<'_, Traffic> {
        locked(&self.traffic)
    }

    /// The connection to the host is open, after this time.
    fn opened(&self, took: Duration) {
        let mut traffic = self.traffic();
        (traffic.asked, traffic.last, traffic.silent) =
            (false, Instant::now(), (took * 2).clamp(QUIET, QUIET_TIMEOUT));
    }

    /// The browser sends something. True: it is, or may be, a request.
    fn asks(&self, words: &[u8]) -> bool {
        const HANDSHAKE: u8 = 0x16;
        let mut traffic = self.traffic();
        traffic.tls |= !traffic.answered && words.first() == Some(&HANDSHAKE);
        (traffic.asked, traffic.last) = (true, Instant::now());
        traffic.answered || !traffic.tls
    }

    /// Has the browser sent bytes that are not read yet?
    fn is_unread(&self) -> bool {
        rustix::io::ioctl_fionread(&self.browser).is_ok_and(|bytes| bytes > 0)
    }

    /// The host sends something.
    fn answers(&self) {
        let mut traffic = self.traffic();
        (traffic.asked, traffic.last, traffic.answered) = (false, Instant::now(), true);
    }

    /// When it will have been silent for long enough, if it has not been yet.
    fn silent_at(&self) -> Option<Instant> {
        let now = Instant::now();
        let traffic = self.traffic();
        let silent = if traffic.asked || *self.held.borrow() > 0 {
            now + QUIET
        } else {
            traffic.last + traffic.silent
        };
        (silent > now).then_some(silent)
    }
}

/// The address as the browser writes it in a request for a connection.
fn address(url: &Url) -> Option<Address> {
    let host = url.host_str()?.trim_matches(['[', ']']).to_ascii_lowercase();
    Some((host, url.port_or_known_default()?))
}

async fn serve(listener: TcpListener, known: Arc<Tunnels>, proxies: Arc<Matcher>) {
    let mut tunnels = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((browser, _)) => {
                let (known, proxies) = (Arc::clone(&known), Arc::clone(&proxies));
                tunnels.spawn(async move { tunnel(browser, &known, &proxies).await });
            }
            // No descriptor is free: connections that end free one.
            Err(_) => tokio::time::sleep(QUIET).await,
        }
        while tunnels.try_join_next().is_some() {}
    }
}

/// One connection, from its request to the end of either side.
async fn tunnel(mut browser: TcpStream, known: &Tunnels, proxies: &Matcher) -> io::Result<()> {
    browser.set_nodelay(true)?;
    let to = read_request(&mut browser).await?;
    let tunnel = known.enter(to, browser.as_fd().try_clone_to_owned()?);
    let begun = Instant::now();
    let there = match out::connect(&tunnel.to.0, tunnel.to.1, proxies).await {
        Ok(there) => there,
        Err(error) => {
            let (host, port) = &tunnel.to;
            let why = format!("{} ({host}:{port})", out::explain(&*error));
            locked(&known.trouble).insert(tunnel.to.clone(), why);
            return browser.write_all(&answer(SocksReply::Refused)).await;
        }
    };
    tunnel.opened(begun.elapsed());
    browser.write_all(&answer(SocksReply::Open)).await?;
    let (from_browser, to_browser) = browser.split();
    let (from_there, to_there) = there.into_split();
    let ended = tokio::select! {
        up = up(&tunnel, known, from_browser, to_there) => up,
        down = down(&tunnel, from_there, to_browser) => down,
    };
    if ended.is_err() {
        // A reset of one side resets the other.
        let _ = browser.set_zero_linger();
    }
    Ok(())
}

/// The number of bytes that are read at a time.
const CHUNK: usize = 64 << 10;

async fn up(
    tunnel: &Tunnel,
    known: &Tunnels,
    mut from: ReadHalf<'_>,
    mut to: OwnedWriteHalf,
) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        let words = match from.read(&mut buffer).await? {
            0 => return Ok(()),
            length => &buffer[..length],
        };
        if tunnel.asks(words) {
            known.report_sent(tunnel);
        }
        to.write_all(words).await?;
    }
}

async fn down(tunnel: &Tunnel, mut from: OwnedReadHalf, mut to: WriteHalf<'_>) -> io::Result<()> {
    let mut held = tunnel.held.subscribe();
    let mut buffer = vec![0; CHUNK];
    loop {
        let words = match from.read(&mut buffer).await? {
            0 => return Ok(()),
            length => &buffer[..length],
        };
        tunnel.answers();
        let _ = held.wait_for(|held| *held == 0).await;
        to.write_all(words).await?;
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tokio::sync::{mpsc, oneshot};

    use super::*;

    /// A server that sends back what it receives. It holds back `wait` until the test releases it.
    struct Echo {
        port: u16,
        waits: mpsc::UnboundedReceiver<oneshot::Sender<()>>,
    }

    async fn echo() -> Echo {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (tell, waits) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let tell = tell.clone();
                tokio::spawn(async move {
                    let mut word = [0; 4];
                    while stream.read_exact(&mut word).await.is_ok() {
                        if &word == b"wait" {
                            let (go, gone) = oneshot::channel();
                            tell.send(go).expect("the test listens");
                            gone.await.expect("the test lets it go");
                        }
                        stream.write_all(&word).await.expect("it is read");
                    }
                });
            }
        });
        Echo { port, waits }
    }

    /// Requests a connection as a browser does.
    async fn connection(rules: &str, listener: usize, host: &str, port: u16) -> (TcpStream, u8) {
        let place =
            rules.split(';').nth(listener).and_then(|rule| rule.split("//").nth(1)).expect("a listener");
        let mut stream = TcpStream::connect(place).await.expect("it is open");
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
    async fn kept_connections_end_and_pending_answers_wait_until_the_request_is_sent() {
        let (mut server, other) = (echo().await, echo().await);
        let relay = Relay::through(Matcher::builder().build()).await.expect("ports");
        let rules = relay.rules();
        let mut kept = connection(rules, 0, "localhost", server.port).await.0;
        let mut elsewhere = connection(rules, 1, "localhost", other.port).await.0;
        let mut socket = connection(rules, 2, "localhost", server.port).await.0;
        let mut asked = connection(rules, 0, "localhost", server.port).await.0;
        for stream in [&mut kept, &mut elsewhere, &mut socket, &mut asked] {
            says(stream, *b"ping").await;
        }
        asked.write_all(b"wait").await.expect("open");
        let go = server.waits.recv().await.expect("it waits");
        let url = Url::parse(&format!("http://LOCALHOST:{}/save", server.port)).expect("an address");
        let mut fresh = relay.fresh(&url).await.expect("an address");
        // Longer than it takes to look.
        fresh.silent = Duration::from_secs(2);
        assert_eq!(kept.try_read(&mut [0; 4]).expect("it knows by now"), 0, "ended");
        for stream in [&mut elsewhere, &mut socket] {
            says(stream, *b"pong").await;
        }
        go.send(()).expect("it waits");
        let mut sends = connection(rules, 0, "localhost", server.port).await.0;
        assert!(nothing_comes(&asked), "nothing was sent in a new connection yet");
        let sent = tokio::spawn(fresh.sent());
        says(&mut sends, *b"post").await;
        assert!(nothing_comes(&asked), "it is not sure yet");
        sent.await.expect("no panic");
        let mut word = [0; 4];
        asked.read_exact(&mut word).await.expect("an answer");
        assert_eq!(&word, b"wait");
    }

    fn nothing_comes(stream: &TcpStream) -> bool {
        matches!(stream.try_read(&mut [0; 4]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    #[tokio::test]
    async fn what_cannot_be_reached_is_explained() {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let relay = Relay::through(Matcher::builder().build()).await.expect("ports");
        for (host, says) in [
            ("127.0.0.1", "nothing listens on this port ("),
            ("nowhere.invalid", "its name cannot be resolved: "),
        ] {
            assert_eq!(connection(relay.rules(), 0, host, port).await.1, SocksReply::Refused as u8);
            let trouble = relay.trouble(&Url::parse(&format!("http://{host}:{port}")).expect("an address"));
            let trouble = trouble.expect("there was some");
            assert!(trouble.starts_with(says) && trouble.ends_with(&format!("({host}:{port})")), "{trouble}");
        }
    }

    #[tokio::test]
    async fn a_proxy_of_the_network_is_gone_through_but_not_for_this_machine() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let proxy = listener.local_addr().expect("an address");
        let (asked, mut requests) = mpsc::unbounded_channel();
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
        assert_eq!(connection(relay.rules(), 0, "app.invalid", 443).await.1, SocksReply::Open as u8);
        let head = requests.recv().await.expect("a request").to_lowercase();
        assert!(head.starts_with("connect app.invalid:443 http/1.1\r\n"), "{head}");
        assert!(head.contains("proxy-authorization: basic"), "{head}");
        let mut here = connection(relay.rules(), 0, "here.localhost", echo().await.port).await.0;
        says(&mut here, *b"ping").await;
        assert!(requests.try_recv().is_err(), "this machine is asked itself");
    }

    #[tokio::test]
    async fn other_proxies_than_those_of_http_are_refused_in_words() {
        let proxies = Matcher::builder().all("socks5://us:secret@127.0.0.1:9").build();
        let relay = Relay::through(proxies).await.expect("ports");
        assert_eq!(connection(relay.rules(), 0, "app.invalid", 443).await.1, SocksReply::Refused as u8);
        let trouble = relay.trouble(&Url::parse("https://app.invalid").expect("an address")).expect("some");
        assert!(trouble.contains("proxy `socks5://…`") && !trouble.contains("secret"), "{trouble}");
    }
}
