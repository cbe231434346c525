//! The program `fanin`.

fn main() -> std::process::ExitCode {
    fanin_cli::main()
}
