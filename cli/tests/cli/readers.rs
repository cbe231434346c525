//! The readers of a stranger's bytes, with what is nearly right: whatever is changed in them, they answer in time.

use fanin::rules::Recipe;
use fanin_cli::files::header;
use fanin_cli::files::index;
use fanin_cli::files::provenance::Provenance;
use serde_json::json;

/// A checkpoint with parts, a zero row, shapes with zeros, and every key that metadata knows.
fn checkpoint() -> Vec<u8> {
    let words = |more: &str| format!(r#"{{"scheme":"normal:mean=0,std=1","contract":2{more}}}"#);
    let said = format!(
        r#"{{"fanin":"0.1.0","seed":"tensorflow:-1,2","rules":"r","rules_sha256":"s","rank":{{"rank":1,"world_size":2}},"base":"b","copied":{{"a":{{"rows":1,"sha256":"s"}},"d":{{"rows":0,"sha256":"s"}},"x":{{"sha256":"s"}}}},"tensors":{{"a":{},"b":{},"c":{},"d":{}}}}}"#,
        words(r#","part":{"dim":1,"start":1,"end":3},"whole":[4,8,2]"#),
        words(r#","zero_row":1,"slices":[{"dim":0,"start":0,"end":1,"scheme":"zeros"}],"alone":true,"stream":"x""#),
        words(r#","part":{"start":3,"end":9},"whole":[99,99]"#),
        words(""),
    );
    let tensor = |dtype: &str, shape: &[u64], from: u64, to: u64| json!({"dtype": dtype, "shape": shape, "data_offsets": [from, to]});
    let header = json!({
        "__metadata__": {"fanin": said}, "a": tensor("F32", &[4, 2, 2], 0, 64), "b": tensor("BF16", &[4, 2], 64, 80),
        "c": tensor("F16", &[6], 80, 92), "d": tensor("F32", &[0, 7], 92, 92),
    });
    let header = header.to_string();
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &[0; 92]].concat()
}

/// Reads it as `verify` does; how many tensors could be drawn.
fn read(file: &[u8]) -> usize {
    let Ok(header) = header::read(file, file.len() as u64, true) else { return 0 };
    let said = header.provenance.as_deref().map(Provenance::read);
    let Some(Ok(said)) = said else { return 0 };
    let mut drawn = 0;
    for (tensor, bytes) in &header.tensors {
        assert!(bytes.start <= bytes.end && bytes.end <= file.len() as u64);
        let all = bytes.end - bytes.start;
        if let Some(Ok(copied)) = said.copied.get(&tensor.name).map(|copied| copied.bytes(&tensor.shape, all)) {
            assert!(copied <= all);
        }
        let words = said.tensors.get(&tensor.name);
        let recipe = words.map(|words| Recipe::from_json(words, &tensor.name, &tensor.shape));
        let (Some(Ok(recipe)), Some(dtype)) = (recipe, header::holds(tensor).drawn()) else { continue };
        let fill = recipe.stream(said.seed).and_then(|stream| recipe.fill_of(stream, dtype));
        let Ok(fill) = fill else { continue };
        assert_eq!((fill.byte_len(), fill.shape()), (bytes.end - bytes.start, tensor.shape.clone()));
        drawn += 1;
    }
    drawn
}

#[test]
fn whatever_is_changed_in_a_file_is_read_or_refused() {
    let file = checkpoint();
    assert_eq!(read(&file), 4);
    let mut draws = 0;
    let mut below = |n: usize| {
        draws += 1;
        fanin::philox4x32_10([draws, 0, 0, 0], [0, 0])[0] as usize % n
    };
    let numbers =
        ["0", "1", "2", "18446744073709551615", "9223372036854775808", "2305843009213693952", "-1", "1e9", "null"];
    let mut still = 0;
    for _ in 0..20_000 {
        let mut changed = file.clone();
        for _ in 0..1 + below(3) {
            let at = below(changed.len() - 100) + 8;
            match below(4) {
                0 => changed[at] = below(256) as u8,
                1 => drop(changed.remove(at)),
                2 => changed.insert(at, changed[below(changed.len() - 8) + 8]),
                // A number that means more.
                _ => {
                    let Some(digit) = (at..changed.len() - 92).find(|&i| changed[i].is_ascii_digit()) else { continue };
                    let number = numbers[below(numbers.len())];
                    changed.splice(digit..digit + 1, number.bytes());
                }
            }
        }
        let size = changed.len() as u64 - 8 - 92;
        changed[..8].copy_from_slice(&size.to_le_bytes());
        still += read(&changed);
        let _ = header::list(&changed[8..]);
        let _ = index::read(&changed[8..]);
    }
    assert!(still > 1000, "only {still} tensors could still be drawn");
}
