//! Faults on request, and connections that can be cut without an answer.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use serde::Deserialize;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};

/// Something that goes wrong at one address, a number of times.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fault {
    /// Method and path pattern, as the route has them: `POST /members`.
    pub on: String,
    #[serde(rename = "do")]
    pub kind: Kind,
    /// `slow`: how long before anything happens, in milliseconds.
    #[serde(default)]
    pub ms: u64,
    /// `status`: which.
    #[serde(default = "unavailable")]
    pub status: u16,
    /// So many times nothing happens at first.
    #[serde(default)]
    pub skip: u32,
    /// How often; without it, always.
    #[serde(default)]
    pub times: Option<u32>,
}

fn unavailable() -> u16 {
    503
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// Answers late.
    Slow,
    /// Answers with a status and does nothing.
    Status,
    /// Does it, and closes the connection without an answer.
    DropAfter,
    /// Does it, and never answers.
    HangAfter,
    /// The session is over before it is looked at.
    SessionLost,
}

impl Fault {
    /// The next fault at this place, if there is one; counted.
    pub fn take(faults: &mut [Fault], place: &str) -> Option<Fault> {
        let index = faults.iter().position(|fault| fault.on == place && fault.times != Some(0))?;
        if faults[index].skip > 0 {
            faults[index].skip -= 1;
            return None;
        }
        if let Some(times) = &mut faults[index].times {
            *times -= 1;
        }
        Some(faults[index].clone())
    }
}

/// A listener whose connections can be cut.
pub(super) struct Cuttable(pub TcpListener);

/// A connection that can be cut: whatever is written afterwards is lost.
pub(super) struct Line {
    stream: TcpStream,
    cut: Cut,
}

/// Cuts the connection that it came with.
#[derive(Debug, Clone, Default)]
pub(super) struct Cut(Arc<AtomicBool>);

impl Cut {
    pub fn now(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Listener for Cuttable {
    type Io = Line;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Line, SocketAddr) {
        loop {
            // A refused connection is the client's trouble; the next one is waited for.
            if let Ok((stream, address)) = self.0.accept().await {
                let _ = stream.set_nodelay(true);
                return (Line { stream, cut: Cut::default() }, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Connected<IncomingStream<'_, Cuttable>> for Cut {
    fn connect_info(stream: IncomingStream<'_, Cuttable>) -> Self {
        stream.io().cut.clone()
    }
}

impl Line {
    fn intact(&self) -> io::Result<()> {
        if self.cut.0.load(Ordering::SeqCst) { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.intact()?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
