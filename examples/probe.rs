//! A program looks for the gain with which its own network would hold: 30 layers of 256 with SiLU and biases, before it draws them.
//!
//! Run it with `cargo run --release --example probe --features probe`.

use fanin::Scheme;
use fanin::probe::{Activation, Probe};

fn main() -> Result<(), fanin::Error> {
    let bias: Scheme = "normal:std=0.01".parse()?;
    let probe = |scheme: Scheme| {
        let probe = Probe::new(scheme, Activation::Silu).with_bias(bias).with_seed(42);
        probe.with_depth(30)?.with_width(256)?.with_batch(128)
    };
    let standard = probe("standard".parse()?)?;
    // By theory; what is then measured is of this width.
    let gain = standard.gain()?.expect("SiLU has one");
    for text in ["standard".into(), "he_normal".into(), format!("he_normal:gain={gain}")] {
        let report = probe(text.parse()?)?.on_cpu()?;
        let (first, last) = (report.layers[0], report.layers[29]);
        println!(
            "{text}: an rms of {:.2e} in the last layer, gradients of {:.2e} in the first; they {}",
            last.rms(),
            first.gradient_std,
            report.verdict.gradients
        );
    }
    Ok(())
}
