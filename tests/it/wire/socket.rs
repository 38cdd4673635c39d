//! An app whose page sends its changes over a WebSocket (RFC 6455), and whose server makes them a moment later.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use seatwright::contract::Outcome;
use serde_json::json;
use sha1::{Digest, Sha1};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use super::{
    Room,
    app::{App, Does},
};

/// The handshake, and then short text frames, which a browser masks. Each is the address of somebody to suspend.
async fn receive(stream: TcpStream, app: App) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head);
    let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).expect("a key");
    let accepted =
        BASE64_STANDARD.encode(Sha1::digest(format!("{}258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key.trim())));
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accepted}\r\n\r\n"
    );
    stream.get_mut().write_all(answer.as_bytes()).await?;
    loop {
        let (kind, length) = (stream.read_u8().await?, stream.read_u8().await? & 0x7f);
        let mut mask = [0; 4];
        stream.read_exact(&mut mask).await?;
        let mut text = vec![0; usize::from(length)];
        stream.read_exact(&mut text).await?;
        text.iter_mut().zip(mask.into_iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        if kind == 0x81 {
            tokio::time::sleep(Duration::from_millis(700)).await;
            app.change(&json!({ "op": "suspend", "mail": String::from_utf8_lossy(&text) }));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_socket_sends_at_the_commit_is_never_called_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let script = format!(
        "const socket = new WebSocket('ws://{address}/'); suspend = (button) => socket.send(button.closest('tr').cells[0].textContent); go('');"
    );
    let room = Room::edited(|playbook| {
        let expects = "      - { click: { button: Suspend, in: user row }, commit: true }\n      - { expect: { status: Done }, timeout: 2s }\n";
        assert!(playbook.contains(expects));
        playbook.replace(expects, "      - { click: { button: Suspend, in: user row }, commit: true }\n")
    });
    // The socket is read for as long as the test runs.
    let app = App::new(script, 200, Does::It).and("cy@acme.example", "Cy");
    let served = app.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(receive(stream, served.clone()));
        }
    });
    for mail in ["ada@acme.example", "bo@acme.example", "cy@acme.example"] {
        let result = room.run(&app, "user.disable", json!({ "userName": mail })).await;
        assert_eq!(
            (result.outcome, result.changed),
            (Outcome::Succeeded, Some(true)),
            "{mail}: {:?}",
            result.error
        );
        assert_eq!(app.found(mail), ["Suspended"]);
        assert!(result.sent.iter().any(|sent| sent.method == "SEND"), "{:?}", result.sent);
    }
    room.end().await;
}
