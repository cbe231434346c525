//! The library as the page asks it: `plan`, `draw SCHEME SHAPE LAYOUT DTYPE SEED NAME START END`, `streams SEED NAME...`, or
//! `theory SCHEME ACTIVATION DEPTH WIDTH`. The answer is written to standard output, an error to standard error, with exit code 2.

#![forbid(unsafe_code)]

mod draw;
mod plan;
mod theory;

use std::fmt::Display;
use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::str::FromStr;

fn main() -> ExitCode {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let given: Vec<&str> = given.iter().map(String::as_str).collect();
    match answer(&given) {
        Ok(answer) => match io::stdout().write_all(&answer).and_then(|()| io::stdout().flush()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Err(wrong) => {
            eprint!("{wrong}");
            ExitCode::from(2)
        }
    }
}

fn answer(given: &[&str]) -> Result<Vec<u8>, String> {
    match *given {
        ["plan"] => {
            let mut text = Vec::new();
            io::stdin().read_to_end(&mut text).map_err(|error| error.to_string())?;
            plan::tensors(&text).map(|tensors| tensors.to_string().into_bytes())
        }
        ["draw", scheme, shape, layout, dtype, seed, name, start, end] => {
            draw::Asked { scheme, shape, layout, dtype, seed, name, start, end }.drawn()
        }
        ["streams", seed, ref names @ ..] => draw::streams(seed, names),
        ["theory", scheme, activation, depth, width] => {
            theory::expected(scheme, activation, depth, width).map(|layers| layers.to_string().into_bytes())
        }
        _ => Err(format!("the arguments are {given:?}, allowed: those of plan, draw, streams and theory")),
    }
}

fn read<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error| format!("{error:#}"))
}

fn said(error: fanin::Error) -> String {
    format!("{error:#}")
}
