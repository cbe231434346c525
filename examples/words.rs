//! Writes the raw 32-bit words of streams to standard output without end, for batteries of statistical tests:
//!
//! ```text
//! cargo run --release --example words --features rand -- tensor  | dieharder -a -g 200
//! cargo run --release --example words --features rand -- tensors | dieharder -a -g 200
//! cargo run --release --example words --features rand -- seeds   | dieharder -a -g 200
//! ```
//!
//! `tensor`: one tensor's words in the order in which its elements take them. `tensors`: word 0 of each of 1,024 tensors of
//! one seed, then word 1 of each, and so on. `seeds`: the same for one tensor under 1,024 neighbouring seeds.

use std::io::{BufWriter, Write, stdout};

use fanin::Stream;

fn main() -> std::io::Result<()> {
    let order = std::env::args().nth(1).unwrap_or_default();
    let streams: Vec<Stream> = match order.as_str() {
        "tensor" => vec![Stream::named(42, "weight")],
        "tensors" => (0..1024).map(|i| Stream::named(42, &format!("layers.{i}.weight"))).collect(),
        "seeds" => (0..1024).map(|seed| Stream::named(seed, "weight")).collect(),
        _ => {
            eprintln!("usage: words tensor|tensors|seeds");
            std::process::exit(2);
        }
    };
    let mut out = BufWriter::with_capacity(1 << 20, stdout().lock());
    for block in 0.. {
        let blocks: Vec<[u32; 4]> = streams.iter().map(|stream| stream.block(block, 0)).collect();
        for k in 0..4 {
            for words in &blocks {
                out.write_all(&words[k].to_le_bytes())?;
            }
        }
    }
    Ok(())
}
