//! Connections to hosts, direct or through a proxy of the network, and why one failed.

use std::{error::Error, io, net::IpAddr, time::Duration};

use hyper_util::{
    client::{
        legacy::connect::{HttpConnector, proxy},
        proxy::matcher::Matcher,
    },
    rt::TokioIo,
};
use tokio::net::TcpStream;
use tower_service::Service;

/// How long a connection to one host, with all its addresses, or to a proxy may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

pub(super) type ConnectError = Box<dyn Error + Send + Sync>;

/// Opens a connection to the first address of the host that answers (RFC 8305).
pub(super) async fn connect(host: &str, port: u16, proxies: &Matcher) -> Result<TcpStream, ConnectError> {
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
    // The time is divided among the addresses.
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let here = host == "localhost" || address.is_some_and(|address| address.is_loopback());
    let Some(proxy) = proxies.intercept(&to).filter(|_| !here) else {
        let opened: TokioIo<TcpStream> = connector.call(to).await?;
        return Ok(opened.into_inner());
    };
    let place = proxy.uri();
    if place.scheme_str() != Some("http") {
        let scheme = place.scheme_str().unwrap_or_default();
        return Err(format!(
            "the environment names a proxy `{scheme}://…`, and only `http://` proxies are supported"
        )
        .into());
    }
    let mut tunnel = proxy::Tunnel::new(place.clone(), connector);
    if let Some(auth) = proxy.basic_auth() {
        tunnel = tunnel.with_auth(auth.clone());
    }
    let opened = tokio::time::timeout(CONNECT_TIMEOUT, tunnel.call(to)).await;
    let opened = opened.map_err(|_| "the proxy of the network did not answer")?;
    Ok(opened.map_err(|error| format!("the proxy of the network: {}", explain(&error)))?.into_inner())
}

/// Why a connection failed, for people.
pub(super) fn explain(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    if error.to_string().starts_with("dns") {
        return format!("its name cannot be resolved: {cause}");
    }
    match cause.downcast_ref::<io::Error>() {
        Some(io) if io.kind() == io::ErrorKind::ConnectionRefused => {
            "nothing listens on this port".to_owned()
        }
        _ => cause.to_string(),
    }
}
