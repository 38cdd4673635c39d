//! Arguments in, exit code out.

fn main() -> std::process::ExitCode {
    seatwright::cli::main()
}
