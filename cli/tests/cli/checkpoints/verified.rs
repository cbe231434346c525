//! `verify` and `stats` of checkpoints.

use super::*;

#[test]
fn verify_finds_a_bit_a_seed_and_a_name() {
    let folder = Folder::with_model();
    folder.init("out.safetensors", &[]);
    let file = folder.read("out.safetensors");
    let out = folder.path("out.safetensors");
    let verify = |more: &[&str]| fanin(&[&["verify", &out, "--device", "cpu"], more].concat());
    let report = |more: &[&str]| -> (Option<i32>, Value) {
        let run = verify(&[&["--json"], more].concat());
        (run.status.code(), serde_json::from_slice(&run.stdout).unwrap())
    };
    assert_eq!(report(&[]).0, Some(0));
    let rules = folder.path("rules.toml");
    assert_eq!(report(&["--rules", &rules]).0, Some(0));
    assert_eq!(report(&["--sample", "50"]), report(&["--sample", "50"]));
    assert_eq!(report(&["--sample", "50"]).0, Some(0));

    let (code, wrong_seed) = report(&["--seed", "6"]);
    assert_eq!(code, Some(1));
    let differences = wrong_seed["differences"].as_array().unwrap();
    assert!(differences.iter().any(|d| d["tensor"] == "decoder.weight" && d["first"] == 0), "{wrong_seed}");

    // One bit, in a tensor in the middle and at the end.
    let start = data_start(&file);
    for at in [start, start + 300_001, file.len() - 1] {
        let mut flipped = file.clone();
        flipped[at] ^= 0x10;
        folder.write("out.safetensors", &flipped);
        let (code, found) = report(&[]);
        assert_eq!(code, Some(1));
        let [difference] = found["differences"].as_array().unwrap().as_slice() else { panic!("{found}") };
        assert_eq!(difference["different"], 1);
        let tensors = SafeTensors::deserialize(&flipped).unwrap();
        let tensor = tensors.tensor(difference["tensor"].as_str().unwrap()).unwrap();
        let from = tensor.data().as_ptr() as usize - flipped.as_ptr() as usize;
        let size = tensor.dtype().bitsize() / 8;
        assert_eq!(difference["first"], (at - from) / size);
        let text = String::from_utf8(verify(&[]).stdout).unwrap();
        assert!(text.contains("1 of") && text.contains("differ, the first is element"), "{text}");
    }

    // A tensor under another name of the same length.
    let renamed =
        String::from_utf8_lossy(&file[8..start]).replace("\"decoder.weight\":{\"dtype", "\"encoder.weight\":{\"dtype");
    folder.write("out.safetensors", [&file[..8], renamed.as_bytes(), &file[start..]].concat());
    let (code, found) = report(&[]);
    assert_eq!(code, Some(1));
    let text = found.to_string();
    assert!(text.contains("encoder.weight") && text.contains("it is missing"), "{text}");
}

/// A tensor that a version of another contract drew is refused and named; the others are compared as ever.
#[test]
fn verify_refuses_the_tensors_of_another_contract_alone() {
    let folder = Folder::with_model();
    folder.init("out.safetensors", &[]);
    let file = folder.read("out.safetensors");
    let start = data_start(&file);
    let header = String::from_utf8_lossy(&file[8..start]).into_owned();
    // Seeds are strings, which JavaScript reads without losing a bit.
    assert!(header.contains(r#"\"seed\":\"5\""#), "{header}");
    let ours = format!(r#"\"contract\":{}"#, fanin::VALUE_CONTRACT);
    assert_eq!(header.matches(&ours).count(), 10, "{header}");
    let other = header.replacen(&ours, r#"\"contract\":9"#, 1);
    assert_eq!(other.len(), header.len());
    let verify = |data: &[u8], more: &[&str]| {
        let path = folder.write("other.safetensors", [&file[..8], other.as_bytes(), data].concat());
        let run = fanin(&[&["verify", &path, "--device", "cpu", "--json"], more].concat());
        let report: Value = serde_json::from_slice(&run.stdout).unwrap();
        (run.status.code(), report, String::from_utf8(run.stderr).unwrap())
    };
    let rules = folder.path("rules.toml");
    for more in [&[][..], &["--rules", &rules]] {
        let (code, report, message) = verify(&file[start..], more);
        assert_eq!(code, Some(2), "{report}");
        assert_eq!(report["differences"], json!([]));
        let [refused] = report["not_compared"].as_array().unwrap().as_slice() else { panic!("{report}") };
        assert_eq!(refused["tensor"], "decoder.weight");
        let reason = refused["reason"].as_str().unwrap();
        assert!(reason.contains("fanin 0.1.0 drew it by value contract 9 of native streams"), "{reason}");
        assert!(message.contains("1 of 10 tensors"), "{message}");
    }
    // And what differs is said beside it.
    let mut data = file[start..].to_vec();
    *data.last_mut().unwrap() ^= 1;
    let (code, report, message) = verify(&data, &[]);
    let count = |list: &str| report[list].as_array().unwrap().len();
    assert_eq!((code, count("differences"), count("not_compared")), (Some(1), 1, 1), "{report}");
    assert!(message.contains("1 of 10 tensors differ"), "{message}");
}

/// Parts are told by a file's own words, and a bit of one is found.
#[test]
fn parts_are_verified() {
    let folder = Folder::with_model();
    let list = folder
        .write("list.json", r#"{"qkv": {"dtype": "F32", "shape": [12, 8]}, "bias": {"dtype": "F32", "shape": [8]}}"#);
    let rules = folder.write(
        "parts.toml",
        "[[rule]]\nname = 'qkv'\nscheme = 'he_normal'\nzero_row = 2\n[[rule.part]]\ndim = 1\nblocks = 4\nblock = [1, 3]\nscheme = 'ones'\n\
         [[rule]]\nname = 'bias'\nscheme = 'zeros'\n[[rule.part]]\nblocks = 4\nblock = 1\nscheme = 'uniform:low=1,high=2'\n",
    );
    let out = folder.path("out.safetensors");
    succeed(&["init", &list, "--rules", &rules, "-o", &out, "--device", "cpu"]);
    let made = folder.tensors("out.safetensors");
    let value = |name: &str, i: usize| numbers(&made[name])[i];
    assert_eq!([value("qkv", 2), value("qkv", 7), value("qkv", 16), value("bias", 0)], [1.0, 1.0, 0.0, 0.0]);
    assert!(value("qkv", 4) != 1.0 && (1.0..2.0).contains(&value("bias", 2)));
    succeed(&["verify", &out, "--device", "cpu"]);
    succeed(&["verify", &out, "--device", "cpu", "--rules", &rules, "--seed", "0"]);
    let mut bytes = folder.read("out.safetensors");
    let place = bytes.len() - 12 * 8 * 4 + 2 * 4;
    bytes[place] ^= 1;
    let run = fanin(&["verify", &folder.write("bit.safetensors", bytes), "--device", "cpu"]);
    assert_eq!(run.status.code(), Some(1));
    for adapter in adapters() {
        let other = folder.path("other.safetensors");
        succeed(&["init", &list, "--rules", &rules, "-o", &other, "--device", adapter]);
        assert_eq!(folder.read("out.safetensors"), folder.read("other.safetensors"), "{adapter}");
    }
}

#[test]
fn stats_are_those_of_the_values() {
    let folder = Folder::with_model();
    folder.init("out.safetensors", &[]);
    let out = folder.path("out.safetensors");
    let rows = json_of(&["stats", &out]);
    let of = |name: &str| rows.as_array().unwrap().iter().find(|row| row["tensor"] == name).unwrap();
    let words = of("embeddings.word_embeddings.weight");
    assert_eq!((words["count"].as_u64(), words["zeros"].as_u64()), (Some(64 * 1001), Some(64)));
    assert_eq!(words["expected_std"], 0.02);
    let values = numbers(&folder.tensors("out.safetensors")["embeddings.word_embeddings.weight"]);
    let values: Vec<f64> = values.into_iter().map(f64::from).collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let std = (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt();
    assert!((words["mean"].as_f64().unwrap() - mean).abs() < 1e-15);
    assert!((words["std"].as_f64().unwrap() / std - 1.0).abs() < 1e-12);
    let histogram: u64 = words["histogram"].as_array().unwrap().iter().map(|c| c.as_u64().unwrap()).sum();
    assert_eq!(histogram, 64 * 1001);
    let scalar = of("scalar");
    assert_eq!(
        (scalar["min"].as_f64(), scalar["max"].as_f64(), scalar["std"].as_f64()),
        (Some(1.0), Some(1.0), Some(0.0))
    );

    // Numbers that are none are counted apart.
    let odd = [f32::NAN, f32::INFINITY, 0.0, 2.0, -f32::INFINITY];
    let header = r#"{"w":{"dtype":"F32","shape":[5],"data_offsets":[0,20]}}  "#;
    let odd = folder.write("odd.safetensors", safetensors_of(header, &odd.map(f32::to_le_bytes).concat()));
    let row = &json_of(&["stats", &odd])[0];
    assert_eq!((row["nan"].as_u64(), row["infinite"].as_u64(), row["zeros"].as_u64()), (Some(1), Some(2), Some(1)));
    assert_eq!((row["mean"].as_f64(), row["max"].as_f64()), (Some(1.0), Some(2.0)));
    assert!(succeed(&["stats", &odd]).contains("w F32 [5]"));
    let table = succeed(&["stats", &out]);
    assert!(table.contains("█") && table.contains("0.02000"), "{table}");
}
