//! `verify` of what was copied and of what was drawn.

use super::*;

#[test]
fn verify_finds_a_bit_of_what_was_copied_and_of_what_was_drawn() {
    let folder = Folder::with_base();
    folder.init_on_base("out.safetensors", &[]);
    let good = folder.read("out.safetensors");
    let header: Value = serde_json::from_slice(&good[8..data_start(&good)]).unwrap();
    let start = |name: &str| data_start(&good) + header[name]["data_offsets"][0].as_u64().unwrap() as usize;
    let old = "its first 50 rows had the SHA-256";
    let cases = [
        ("layer.0.weight", 3, "its bytes had the SHA-256"),
        ("position_ids", 127, "its bytes had the SHA-256"),
        ("mask", 1, "its bytes had the SHA-256"),
        ("wide", 20, "its bytes had the SHA-256"),
        ("eight", 4, "its bytes had the SHA-256"),
        ("scalar.bias", 0, "its bytes had the SHA-256"),
        ("embed.weight", 0, old),
        ("embed.weight", 50 * 32 - 1, old),
        ("embed.weight", 50 * 32, "1 of 456 values differ, the first is element 400"),
        ("embed.weight", 57 * 32 - 1, "1 of 456 values differ, the first is element 455"),
        ("half.part", 3 * 10, "1 of 20 values differ, the first is element 15"),
        ("from_nothing.bias", 4, "1 of 3 values differ, the first is element 1"),
        ("layer.1.bias", 13, "1 of 7 values differ, the first is element 6"),
    ];
    for (name, at, says) in cases {
        let mut flipped = good.clone();
        flipped[start(name) + at] ^= 0x10;
        folder.write("out.safetensors", flipped);
        let (code, report, text) = folder.verify("out.safetensors", &[]);
        let [difference] = report["differences"].as_array().unwrap().as_slice() else { panic!("{report}") };
        assert_eq!((code, &difference["tensor"]), (Some(1), &json!(name)), "{report}");
        assert!(text.contains(&format!("{name}: {says}")) && text.contains("1 of 16 tensors differ"), "{text}");
        // A sample draws less; what was copied is read all the same.
        if says.contains("SHA-256") {
            assert_eq!(folder.verify("out.safetensors", &["--sample", "1"]).0, Some(1), "{name}");
        }
        let (rules, base) = (folder.path("rules.toml"), folder.path("base.safetensors"));
        assert_eq!(folder.verify("out.safetensors", &["--rules", &rules, "--seed", "0"]).0, Some(1), "{name}");
        assert_eq!(folder.verify("out.safetensors", &["--base", &base]).0, Some(1), "{name}");
    }
    let mut flipped = good.clone();
    flipped[start("embed.weight") + 5] ^= 1;
    flipped[start("embed.weight") + 50 * 32 + 5] ^= 1;
    folder.write("out.safetensors", flipped);
    let (_, report, text) = folder.verify("out.safetensors", &[]);
    assert_eq!(report["differences"].as_array().unwrap().len(), 1, "{report}");
    assert!(text.contains(old) && text.contains("1 of 456 values differ, the first is element 401"), "{text}");

    // Another seed draws the new values alone anew.
    folder.write("out.safetensors", &good);
    let (code, report, _) = folder.verify("out.safetensors", &["--seed", "1"]);
    let different: Vec<_> =
        report["differences"].as_array().unwrap().iter().map(|d| d["tensor"].as_str().unwrap()).collect();
    let new = ["embed.weight", "from_nothing.bias", "half.part", "head.weight", "layer.1.bias", "layer.1.weight"];
    assert_eq!(code, Some(1));
    assert!(different.len() == 6 && new.iter().all(|name| different.contains(name)), "{different:?}");

    // A base that changed since: what the file says of itself does not show it.
    let mut base = folder.tensors("base.safetensors");
    base.get_mut("layer.2.weight").unwrap().2[7] ^= 1;
    base.get_mut("brain.bias").unwrap().0 = Dtype::F16;
    base.get_mut("half.part").unwrap().1 = vec![2, 5];
    base.get_mut("half.part").unwrap().2.truncate(20);
    base.get_mut("scalar.bias").unwrap().1 = vec![1];
    base.remove("mask");
    let other = folder.write("other.safetensors", file(&base));
    assert_eq!(folder.verify("out.safetensors", &[]).0, Some(0));
    let (code, report, text) = folder.verify("out.safetensors", &["--base", &other]);
    assert_eq!((code, report["differences"].as_array().unwrap().len()), (Some(1), 5), "{text}");
    for says in [
        "layer.2.weight: its bytes have the SHA-256",
        "brain.bias: its dtype is BF16, and F16 in",
        "half.part: 3 of its rows were copied, says the metadata, and 2 are in",
        "scalar.bias: its shape is [], and [1] in",
        &format!("mask: the metadata says that it was copied, and {other} does not have it"),
    ] {
        assert!(text.contains(says), "{text}");
    }
}

type Change<'a> = &'a dyn Fn(&mut Value);

/// What a file says of copies is read with suspicion.
#[test]
fn what_metadata_says_of_copies_is_checked() {
    let folder = Folder::with_base();
    folder.init_on_base("out.safetensors", &[]);
    let good = folder.read("out.safetensors");
    let own = said(&good);
    let changed = |change: Change, more: &[&str]| {
        let mut said = own.clone();
        change(&mut said);
        folder.write("changed.safetensors", saying(&good, &said));
        let (code, report, text) = folder.verify("changed.safetensors", more);
        let _ = succeed(&["stats", &folder.path("changed.safetensors")]);
        (code, report, text)
    };
    assert_eq!(changed(&|_| (), &[]).0, Some(0));
    for (tensor, rows, code, says) in [
        ("embed.weight", json!(58), 1, "58 of its rows were copied, says the metadata, allowed: at most 57"),
        ("embed.weight", json!(u64::MAX), 1, "of its rows were copied, says the metadata"),
        ("embed.weight", json!(57), 1, "its first 57 rows had the SHA-256"),
        ("embed.weight", json!(0), 1, "its first 0 rows had the SHA-256"),
        ("embed.weight", json!(null), 1, "its bytes had the SHA-256"),
        ("scalar.bias", json!(1), 1, "1 of its rows were copied, says the metadata, allowed: at most 0"),
        ("scalar.bias", json!(0), 1, "0 of its rows were copied, says the metadata, allowed: at most 0"),
        ("layer.0.weight", json!(6), 1, "layer.0.weight: it is not among the tensors that were written"),
        ("empty.weight", json!(1), 1, "allowed: at most 0"),
        ("embed.weight", json!(-1), 2, "its metadata cannot be read"),
        ("embed.weight", json!(1.5), 2, "its metadata cannot be read"),
        ("embed.weight", json!("50"), 2, "its metadata cannot be read"),
    ] {
        let (found, report, text) = changed(&|said| said["copied"][tensor]["rows"] = rows.clone(), &[]);
        assert_eq!(found, Some(code), "{tensor} {rows}: {report}");
        assert!(text.contains(says), "{tensor} {rows}: {text}");
    }
    let missing = json!({"sha256": "x"});
    let cases: [(Change, i32, &str); 8] = [
        (&|said| said["copied"]["wide"]["more"] = json!(1), 2, "unknown field `more`"),
        (&|said| said["copied"]["wide"] = json!({"rows": 1}), 2, "missing field `sha256`"),
        (&|said| said["copied"] = json!([]), 2, "its metadata cannot be read"),
        (
            &|said| said["copied"]["wide"]["sha256"] = json!("\u{1b}[31m"),
            1,
            "wide: its bytes had the SHA-256 \\u{1b}[31m",
        ),
        (&|said| said["copied"]["none.such"] = missing.clone(), 1, "none.such: it is missing"),
        (
            &|said| drop(said["copied"].as_object_mut().unwrap().remove("scalar.bias")),
            1,
            "scalar.bias: it is not among",
        ),
        (&|said| said["copied"]["layer.1.weight"] = missing.clone(), 1, "layer.1.weight: its bytes had"),
        (
            &|said| {
                let all = said["copied"]["empty.weight"].clone();
                said["tensors"]["empty.weight"] = said["tensors"]["layer.1.weight"].clone();
                said["copied"]["empty.weight"] = all;
            },
            1,
            "empty.weight: all of it was both copied and drawn, says the metadata, allowed: one of them",
        ),
    ];
    for (change, code, says) in cases {
        let (found, report, text) = changed(change, &[]);
        assert_eq!(found, Some(code), "{says}: {report}");
        assert!(text.contains(says), "{text}");
    }
    // A file that says that all of it was copied agrees with itself, and proves nothing of a seed or of rules.
    let base = folder.path("base.safetensors");
    let list = folder.write("old.json", r#"{"old.pooler": {"dtype": "F32", "shape": [2]}}"#);
    let out = folder.path("old.safetensors");
    succeed(&["init", &list, "--base", &base, "-o", &out, "--device", "cpu"]);
    for (more, code) in [(&[][..], 0), (&["--seed", "0"], 2), (&["--scheme", "normal"], 2), (&["--base", &base], 0)] {
        let (found, _, text) = folder.verify("old.safetensors", more);
        assert_eq!(found, Some(code), "{text}");
        assert!(code == 0 || text.contains("none of 1 tensors was compared"), "{text}");
    }
    let both = folder.verify("old.safetensors", &["--base", &base, "--scheme", "normal", "--seed", "0"]);
    assert_eq!(both.0, Some(0), "{}", both.2);
}
