//! The part of SOCKS 5 (RFC 1928) that a browser uses.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Section 6: the result of a request.
#[derive(Clone, Copy)]
pub(super) enum SocksReply {
    Open = 0,
    Refused = 5,
}

/// An answer. Its address is not used.
pub(super) fn answer(reply: SocksReply) -> [u8; 10] {
    [5, reply as u8, 0, 1, 0, 0, 0, 0, 0, 0]
}

/// Sections 3 to 5: no authentication, `CONNECT`; returns host and port. Other requests do not come from our browser.
pub(super) async fn read_request(browser: &mut TcpStream) -> io::Result<(String, u16)> {
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
            String::from_utf8(name).map_err(|_| strange())?.to_ascii_lowercase()
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
