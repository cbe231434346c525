//! The signs on a terminal that something is under way; elsewhere nothing.

use std::time::Duration;

use fanin::Fill;
use indicatif::{ProgressBar, ProgressStyle};

use crate::say;

/// A bar of so many bytes. Its clock goes on while a tensor is drawn in one piece.
pub fn bar(bytes: u64) -> ProgressBar {
    styled(
        ProgressBar::new(bytes),
        "{wide_bar} {bytes}/{total_bytes} {bytes_per_sec}, {elapsed}, {eta} left\n{wide_msg}",
    )
}

/// The work that is being done, and for how long, where nobody knows how much there is.
pub fn clock() -> ProgressBar {
    styled(ProgressBar::new_spinner(), "{spinner} {elapsed} {wide_msg}")
}

fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    if !bar.is_hidden() {
        bar.enable_steady_tick(Duration::from_millis(200));
    }
    bar
}

/// Says what is done to which tensor, whose name may be a stranger's.
pub fn show(bar: &ProgressBar, what: &str) {
    if !bar.is_hidden() {
        bar.set_message(say::escaped(what));
    }
}

/// A line on the device and the tensor that it draws, with the size of its pieces if they are larger than chunks.
pub fn draws(engine: &str, fill: &Fill, name: &str, chunk: u64) -> String {
    let bytes = fill.dtype().bytes(fill.efficient_len());
    let pieces = if bytes > chunk { format!(", in pieces of {}", bytesize::ByteSize(bytes)) } else { String::new() };
    format!("{engine} draws {name}{pieces}")
}
