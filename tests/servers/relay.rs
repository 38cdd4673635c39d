//! A network between two programs that can fall silent: nothing comes through any more, and neither of them is told.

use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp},
    sync::watch,
    task::JoinHandle,
};

/// A relay on a port of its own.
pub struct Relay {
    from: SocketAddr,
    to: SocketAddr,
    silent: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Relay {
    /// Before whoever this address is of.
    pub async fn before(url: &str) -> Self {
        let place = url.rsplit('@').next().and_then(|rest| rest.split('/').next()).expect("host and port");
        let to = tokio::net::lookup_host(place).await.expect("an address").next().expect("an address");
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let from = listener.local_addr().expect("its port");
        let (silent, heard) = watch::channel(false);
        let task = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(carry(near, to, heard.clone()));
            }
        });
        Self { from, to, silent, task }
    }

    /// The address to come by.
    pub fn url(&self, url: &str) -> String {
        url.replace(&self.to.to_string(), &self.from.to_string())
    }

    /// From now on nothing comes through: no byte, no end of a connection, no new one.
    pub fn swallow(&self) {
        self.silent.send_replace(true);
    }

    /// What was under way comes through now, as TCP would send it again.
    pub fn heal(&self) {
        self.silent.send_replace(false);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(near: TcpStream, to: SocketAddr, silent: watch::Receiver<bool>) -> io::Result<()> {
    audible(&silent).await;
    let far = TcpStream::connect(to).await?;
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    // Whichever side ends, the other one hears of it.
    let _ = tokio::join!(pump(near_in, far_out, silent.clone()), pump(far_in, near_out, silent));
    Ok(())
}

async fn pump(
    mut from: tcp::OwnedReadHalf,
    mut to: tcp::OwnedWriteHalf,
    silent: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut bytes).await;
        audible(&silent).await;
        match read {
            Ok(read @ 1..) => to.write_all(&bytes[..read]).await?,
            _ => return to.shutdown().await,
        }
    }
}

async fn audible(silent: &watch::Receiver<bool>) {
    let _ = silent.clone().wait_for(|silent| !silent).await;
}
