//! How commands print: colours only on a terminal, and a quiet end when the reader has closed the pipe.

use std::{
    fmt::Display,
    io::{IsTerminal, Write},
};

/// Whether text for this stream has colours: the stream is a terminal, and `NO_COLOR` is not set.
pub(super) fn colors(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Prints an error for people.
pub(super) fn error(text: impl Display) {
    note(format_args!("seatwright: {text}"));
}

/// Prints a line for people. If standard error is closed, the command goes on and keeps its exit code.
pub(super) fn note(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Makes a print to a closed pipe (`seatwright test | head`) end the program with the usual code, without a message.
pub(super) fn end_on_closed_pipe() {
    const SIGPIPE: i32 = 128 + 13;
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let message = panic.payload_as_str().unwrap_or_default();
        if message.starts_with("failed printing to std") && message.contains("Broken pipe") {
            std::process::exit(SIGPIPE);
        }
        usual(panic);
    }));
}

/// `1 file`, `2 files`.
pub(super) fn counted(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}
