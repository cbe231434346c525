//! The index of a sharded checkpoint: no file elsewhere is read for it.
#![no_main]

use std::path::{Component, Path};

use fanin_cli::files::index;
use fanin_fuzz::message;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match index::read(bytes) {
        Ok(weight_map) => {
            for file in weight_map.values() {
                let mut parts = Path::new(file).components();
                assert!(matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)), "{file:?}");
                assert!(!file.contains('/'), "{file:?}");
            }
            let again = serde_json::json!({ "weight_map": weight_map }).to_string();
            assert_eq!(index::read(again.as_bytes()), Ok(weight_map));
        }
        Err(error) => message(&error, bytes.len()),
    }
});
