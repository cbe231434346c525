//! The drawing of one tensor that is not kept: what it holds, or its digest.

use fanin::Fill;
use indicatif::ProgressBar;
use sha2::{Digest, Sha256};

use crate::draw::engine::Engine;
use crate::failure::Failure;
use crate::files::summary::{Summary, Take, for_each};
use crate::progress;
use crate::sha256::hex;

/// A fill in a few numbers, and its first values.
pub struct DrawnSummary {
    pub summary: Summary,
    pub first: Vec<f32>,
}

impl DrawnSummary {
    /// The number of first values that are shown.
    const FIRST: u64 = 8;

    /// The summary of elements that are drawn twice and not kept: memory does not grow with the shape.
    pub fn draw(fill: &Fill, name: &str, engine: &Engine, chunk: u64) -> Result<DrawnSummary, Failure> {
        let dtype = fill.dtype().into();
        let first_ones = fill.split_at(Self::FIRST).0;
        let bar = progress_bar(engine, fill, name, chunk, 2 * fill.byte_len() + first_ones.byte_len());
        let draw = |fill: Fill, take: Take| {
            engine.draw(std::iter::once(fill), chunk, |bytes| {
                take(bytes);
                bar.inc(bytes.len() as u64);
                Ok(())
            })
        };
        let summary = Summary::collect(dtype, |take| draw(fill.clone(), take))?;
        let mut first = Vec::new();
        draw(first_ones, &mut |bytes| for_each(dtype, bytes, |x| first.push(x as f32)))?;
        bar.finish_and_clear();
        Ok(DrawnSummary { summary, first })
    }
}

/// The progress of the drawing.
fn progress_bar(engine: &Engine, fill: &Fill, name: &str, chunk: u64, bytes: u64) -> ProgressBar {
    let bar = progress::bar(bytes);
    progress::show(&bar, &progress::draws(engine.name(), fill, name, chunk));
    bar
}

/// The SHA-256 of a fill's bytes.
pub fn digest(fill: Fill, name: &str, engine: &Engine, chunk: u64) -> Result<String, Failure> {
    let mut hash = Sha256::new();
    let bar = progress_bar(engine, &fill, name, chunk, fill.byte_len());
    engine.draw(std::iter::once(fill), chunk, |bytes| {
        hash.update(bytes);
        bar.inc(bytes.len() as u64);
        Ok(())
    })?;
    bar.finish_and_clear();
    Ok(hex(hash))
}
