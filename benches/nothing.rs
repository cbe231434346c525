//! No library: `cargo bench -p fanin-benches` runs `fill.rs`.
