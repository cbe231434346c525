//! The JSON of a safetensors header, behind the right length and as a whole file.
#![no_main]

use std::collections::HashSet;

use fanin_cli::files::header::{self, Header, holds};
use fanin_fuzz::message;
use libfuzzer_sys::fuzz_target;
use safetensors::tensor::Metadata;

fuzz_target!(|bytes: &[u8]| {
    let of_any_length = header::read(bytes, bytes.len() as u64, true);
    let file = [&(bytes.len() as u64).to_le_bytes(), bytes].concat();
    let theirs = serde_json::from_slice::<Metadata>(bytes);
    for header in [of_any_length, header::read(&*file, u64::MAX, false)] {
        match header {
            Ok(header) => sound(&header),
            Err(error) => message(&error, bytes.len()),
        }
    }
    let Ok(Header { tensors, bytes: start, .. }) = header::read(&*file, u64::MAX, false) else { return };
    let end = tensors.iter().map(|(_, range)| range.end).max().unwrap_or(start);
    assert!(header::read(&*file, end, true).is_ok());
    assert!(header::read(&*file, end + 1, true).is_err());

    // What is read here, the library reads alike.
    let metadata = theirs.expect("a header that the library reads, too");
    assert_eq!(metadata.tensors().len(), tensors.len());
    for (tensor, range) in &tensors {
        let info = metadata.info(&tensor.name).expect("the same names");
        assert_eq!(info.dtype.to_string(), holds(tensor).name());
        assert!(info.shape.iter().map(|&d| d as u64).eq(tensor.shape.iter().copied()));
        assert_eq!((info.data_offsets.0 as u64 + start, info.data_offsets.1 as u64 + start), (range.start, range.end));
    }
});

/// The tensors lie end to end behind the header, each under a name of its own.
fn sound(header: &Header) {
    let mut end = header.bytes;
    let mut ranges: Vec<_> = header.tensors.iter().map(|(_, range)| (range.start, range.end)).collect();
    ranges.sort_unstable();
    for (start, after) in ranges {
        assert_eq!(start, end);
        end = after;
    }
    let mut names = HashSet::new();
    for (tensor, range) in &header.tensors {
        assert!(names.insert(&tensor.name), "\"{}\" stands twice", tensor.name);
        let elements: u128 = tensor.shape.iter().map(|&d| u128::from(d)).product();
        assert_eq!(u128::from(range.end - range.start) * 8, elements * u128::from(holds(tensor).bits()));
    }
}
