//! What the page asks of the library: `plan`, `draw SCHEME SHAPE LAYOUT DTYPE SEED NAME START END`, or `streams SEED NAME...`. The answer is
//! written to standard output, what is wrong to standard error, with exit code 2.

#![forbid(unsafe_code)]

mod draw;
mod plan;

use std::io::{self, Read, Write};
use std::process::ExitCode;

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
        _ => Err(format!(
            "the arguments are {given:?}, allowed: plan, draw and eight more, or streams, a seed and names"
        )),
    }
}
