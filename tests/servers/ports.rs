//! Ports for servers that are started later, and again.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    net::TcpListener,
};

/// A free one below those that the kernel gives to whoever asks for any: nobody takes it meanwhile.
pub fn free_port() -> u16 {
    loop {
        let random = RandomState::new().build_hasher().finish() % 17_000;
        let port = 15_000 + u16::try_from(random).expect("below 17,000");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
