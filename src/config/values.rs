//! Reads the values of `seatwright.yaml` that YAML has no types for.

use std::{net::SocketAddr, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, de::Error};

use crate::duration;

pub(super) fn number<'de, D: Deserializer<'de>, N: FromStr>(deserializer: D) -> Result<N, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| Error::custom(format!("`{text}` is not a whole number, or it is out of range")))
}

pub(super) fn listen_address<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SocketAddr>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    text.parse::<SocketAddr>().map(Some).map_err(|_| {
        Error::custom(format!("`{text}` is not an address and a port: write for example `127.0.0.1:8686`"))
    })
}

pub(super) fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    duration::parse(&text)
        .ok_or_else(|| Error::custom(format!("`{text}` is not a time: write `10m`, `90s` or `1h`")))
}

pub(super) fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let factor = match unit.trim() {
        "KiB" => Some(1 << 10),
        "MiB" => Some(1 << 20),
        _ => None,
    };
    let bytes =
        number.parse::<u64>().ok().zip(factor).and_then(|(number, factor)| number.checked_mul(factor));
    bytes.ok_or_else(|| Error::custom(format!("`{text}` is not a size: write `64 KiB` or `1 MiB`")))
}

pub(super) fn socket_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    listen_address(deserializer)?.ok_or_else(|| Error::custom("an address and a port are missing here"))
}
