//! Files and folders that strangers made: to stop the program, to be taken for what they are not, to write where they may not.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::common::{Folder, data_start, fanin, in_time, safetensors_of, succeed};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

impl Folder {
    fn safetensors(&self, name: &str, header: &Value, data: &[u8]) -> String {
        self.write(name, safetensors_of(&header.to_string(), data))
    }

    /// A checkpoint of one tensor, with what it says of itself.
    fn one(&self, name: &str, words: Value, dtype: &str, shape: Value, data: &[u8]) -> String {
        let header = json!({"__metadata__": said(&json!({"w": words})), "w": tensor(dtype, shape, 0, data.len())});
        self.safetensors(name, &header, data)
    }

    fn pipe(&self, name: &str) -> String {
        assert!(Command::new("mkfifo").arg(self.path(name)).status().unwrap().success());
        self.path(name)
    }

    /// An index that says where tensors are.
    fn index(&self, name: &str, weight_map: &Value) -> String {
        self.write(name, json!({"weight_map": weight_map}).to_string())
    }
}

fn tensor(dtype: &str, shape: impl Into<Value>, start: usize, end: usize) -> Value {
    json!({"dtype": dtype, "shape": shape.into(), "data_offsets": [start, end]})
}

/// A file's metadata.
fn said(tensors: &Value) -> Value {
    json!({"fanin": json!({"fanin": "0.1.0", "seed": "5", "tensors": tensors}).to_string()})
}

fn normal(more: Value) -> Value {
    let mut words = json!({"scheme": "normal:mean=0,std=1", "contract": fanin::VALUE_CONTRACT});
    words.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    words
}

fn stderr(run: &Output) -> String {
    String::from_utf8(run.stderr.clone()).unwrap()
}

/// Small files whose metadata speak of tensors that would take years. Empty tensors are the same whatever is said of them.
#[test]
fn what_metadata_says_costs_no_more_than_what_the_file_holds() {
    let folder = Folder::new();
    let huge = 1u64 << 59;
    let part = |whole: Value, dim: Value, start: u64, end: u64| {
        normal(json!({"whole": whole, "part": {"dim": dim, "start": start, "end": end}}))
    };
    for (words, shape, data, code) in [
        (part(json!([huge, 2]), json!(1), 1, 1), json!([huge, 0]), 0, 0),
        (part(json!([huge / 2, 2, 2]), json!(1), 0, 0), json!([huge / 2, 0, 2]), 0, 0),
        (part(json!([huge, 0, 2]), json!(1), 0, 0), json!([huge, 0, 2]), 0, 0),
        (part(json!([0, huge, 2]), json!(1), 3, 3), json!([0, 0, 2]), 0, 0),
        (part(json!([huge, 2]), json!(null), huge, huge), json!([0]), 0, 0),
        (part(json!([huge, 2]), json!(0), huge - 1, huge), json!([1, 2]), 8, 1),
        (part(json!([huge, 2]), json!(2), 0, 0), json!([huge, 0]), 0, 1),
        (part(json!([huge, 2]), json!(1), 0, 3), json!([huge, 0]), 0, 1),
        (part(json!([huge, 8]), json!(1), 0, 0), json!([huge, 0]), 0, 1),
        (part(json!([1u64 << 61, 2]), json!(1), 1, 1), json!([1u64 << 61, 0]), 0, 1),
        (part(json!(vec![1; 100_000]), json!(null), 0, 1), json!([1]), 4, 1),
        (normal(json!({"zero_row": u64::MAX})), json!([1]), 4, 1),
        (normal(json!({"zero_row": 0})), json!([0, huge]), 0, 1),
    ] {
        let file = folder.one("w.safetensors", words.clone(), "F32", shape, &vec![0; data]);
        let run = in_time(&["verify", &file, "--device", "cpu"], Stdio::null());
        assert_eq!(run.status.code(), Some(code), "{words}: {run:?}");
        assert_eq!(in_time(&["stats", &file], Stdio::null()).status.code(), Some(0), "{words}");
    }
    // What is missing is named, each, and nothing more.
    let names: serde_json::Map<_, _> = (0..10_000).map(|i| (format!("t{i}"), normal(json!({})))).collect();
    let file = folder.safetensors("missing.safetensors", &json!({"__metadata__": said(&names.into())}), &[]);
    let run = in_time(&["verify", &file, "--device", "cpu"], Stdio::null());
    assert_eq!(run.status.code(), Some(1));
    assert_eq!(String::from_utf8(run.stdout).unwrap().lines().count(), 10_000);
}

#[test]
fn verify_names_what_it_does_not_compare() {
    let folder = Folder::new();
    let report = |arguments: &[&str]| -> (Option<i32>, Value, String) {
        let run = fanin(&[&["verify"], arguments, &["--device", "cpu"]].concat());
        let json = fanin(&[&["verify"], arguments, &["--device", "cpu", "--json"]].concat());
        assert_eq!(json.status.code(), run.status.code());
        (run.status.code(), serde_json::from_slice(&json.stdout).unwrap(), String::from_utf8(run.stdout).unwrap())
    };
    // Floats that cannot be compared: the file is not verified.
    for (dtype, size) in [("F64", 8), ("C64", 8), ("F8_E4M3", 1), ("F8_E8M0", 1)] {
        let file = folder.one("odd.safetensors", normal(json!({})), dtype, json!([1]), &vec![0xff; size]);
        for more in [&[][..], &["--seed", "5", "--scheme", "normal"]] {
            let (code, json, text) = report(&[&[file.as_str()][..], more].concat());
            assert_eq!((code, &json["same"], &json["sha256"]), (Some(2), &json!(false), &Value::Null), "{json}");
            assert_eq!(json["not_compared"][0]["tensor"], "w");
            assert!(text.contains(&format!("w: not compared: it holds {dtype}, allowed: F32, F16, BF16")), "{text}");
            assert!(!text.contains("the same"), "{text}");
        }
    }
    // A float that was drawn and is said to be an integer now.
    let file = folder.one("turned.safetensors", normal(json!({})), "I32", json!([1]), &[0; 4]);
    let (code, _, text) = report(&[&file]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("w: it holds I32"), "{text}");

    // An integer beside what is drawn is named, and no failure.
    let model = folder
        .write("model.json", r#"{"a.bias": {"dtype": "F32", "shape": [3]}, "b": {"dtype": "F16", "shape": [8]}}"#);
    let out = folder.path("out.safetensors");
    let rules = "[[rule]]\nname = \"*\"\nscheme = \"normal\"\n";
    let rules = folder.write("rules.toml", rules);
    succeed(&["init", &model, "-o", &out, "--rules", &rules, "--seed", "7", "--device", "cpu"]);
    let bytes = fs::read(&out).unwrap();
    let start = data_start(&bytes);
    let mut header: Value = serde_json::from_slice(&bytes[8..start]).unwrap();
    header["ids"] = tensor("U8", json!([4]), 28, 32);
    let with_ids = folder.safetensors("ids.safetensors", &header, &[&bytes[start..], b"1234"].concat());
    let (code, json, text) = report(&[&with_ids]);
    assert_eq!((code, &json["same"], &json["sha256"]), (Some(0), &json!(true), &Value::Null), "{json}");
    assert_eq!(json["not_compared"], json!([{"tensor": "ids", "reason": "it holds U8: integers are not drawn"}]));
    assert!(text.contains("ids: not compared: it holds U8: integers are not drawn\n"), "{text}");
    // What the rules that are given skip is named. Where nothing is left, nothing is verified.
    let skip =
        folder.write("skip.toml", "[[rule]]\nname = \"b\"\nskip = true\n[[rule]]\nname = \"*\"\nscheme = \"normal\"\n");
    let (code, json, text) = report(&[&out, "--rules", &skip]);
    assert_eq!((code, &json["sha256"]), (Some(0), &Value::Null), "{json}");
    assert!(text.contains("b: not compared: the rules skip it\n"), "{text}");
    let none = folder.write("none.toml", "[[rule]]\nname = \"*\"\nskip = true\n");
    assert_eq!(report(&[&out, "--rules", &none]).0, Some(2));

    // What the same is by, and the digest of all that is behind the header.
    let hex = |bytes: &[u8]| Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect::<String>();
    let digest = hex(&fs::read(&rules).unwrap());
    for (more, by, words) in [
        (&[][..], ["metadata", "metadata"], "by the checkpoint's own words alone: it agrees with itself"),
        (&["--seed", "7"], ["given", "metadata"], "by the seed that was given and"),
        (&["--rules", &rules], ["metadata", "given"], "by the rules that were given and the checkpoint's own seed"),
        (&["--rules", &rules, "--seed", "7"], ["given", "given"], "by the rules and the seed that were given"),
    ] {
        let (code, json, text) = report(&[&[out.as_str()][..], more].concat());
        assert_eq!(code, Some(0), "{json}");
        assert_eq!(json["by"], json!({"seed": by[0], "rules": by[1]}));
        assert_eq!((&json["seed"], &json["rules"]), (&json!("7"), &json!("rules.toml")));
        assert_eq!((&json["rules_sha256"], &json["sha256"]), (&json!(digest), &json!(hex(&bytes[start..]))));
        let origin = format!("seed 7, rules.toml, their SHA-256 {digest}\n");
        assert!(text.contains(words) && text.contains(&origin), "{text}");
        assert!(text.ends_with(&format!("SHA-256 of the tensors' bytes: {}\n", hex(&bytes[start..]))), "{text}");
    }
    assert_eq!(report(&[&out, "--sample", "2"]).1["sha256"], Value::Null);
    // Of shards, one after the other.
    succeed(&[
        "init",
        &model,
        "-o",
        &out,
        "--rules",
        &rules,
        "--seed",
        "7",
        "--device",
        "cpu",
        "--max-shard-size",
        "1",
    ]);
    let (code, json, _) = report(&[&folder.path("out.safetensors.index.json")]);
    assert_eq!((code, &json["sha256"]), (Some(0), &json!(hex(&bytes[start..]))));
    // Which are of one checkpoint.
    let second = "out-00002-of-00002.safetensors";
    let other = fs::read(folder.path(second)).unwrap();
    let lossy = String::from_utf8(other.iter().map(|b| b & 0x7f).collect()).unwrap();
    let seed = lossy.find(r#"\"seed\":\"7\""#).unwrap() + r#"\"seed\":\""#.len();
    folder.write(second, [&other[..seed], b"8", &other[seed + 1..]].concat());
    let arguments = ["verify", &folder.path("out.safetensors.index.json"), "--device", "cpu"];
    folder.refuses(&arguments, &[second, "says seed 8", "seed 7", "allowed: the same in all"]);
}

/// For `verify`, 1 is "different": what cannot be said is not 1.
#[cfg(target_os = "linux")]
#[test]
fn what_cannot_be_printed_is_no_difference() {
    let folder = Folder::new();
    let out = folder.path("out.safetensors");
    succeed(&["fill", "normal", "8", "-o", &out, "--device", "cpu"]);
    for command in [&["verify", &out, "--device", "cpu"][..], &["stats", &out], &["stats", &out, "--json"]] {
        let run = Command::new(env!("CARGO_BIN_EXE_fanin"))
            .args(command)
            .stdout(File::options().write(true).open("/dev/full").unwrap())
            .output()
            .unwrap();
        assert_eq!(run.status.code(), Some(3), "{run:?}");
        assert!(stderr(&run).contains("the output cannot be written"), "{run:?}");
    }
    // Nor is there a panic where errors cannot be.
    let run = Command::new(env!("CARGO_BIN_EXE_fanin"))
        .args(["verify", "/nowhere"])
        .stderr(File::options().write(true).open("/dev/full").unwrap())
        .status();
    assert_eq!(run.unwrap().code(), Some(2));
}

/// Nor is a file that goes away while it is compared: one with more zeros than can be compared in the meantime.
#[cfg(target_os = "linux")]
#[test]
fn what_fails_underway_is_no_difference() {
    let folder = Folder::new();
    let zeros = 1 << 40;
    let words = json!({"scheme": "constant:value=0", "contract": fanin::VALUE_CONTRACT});
    let header = json!({"__metadata__": said(&json!({"w": words})), "w": tensor("F32", json!([zeros / 4]), 0, zeros)});
    let path = folder.safetensors("zeros.safetensors", &header, &[]);
    let file = File::options().write(true).open(&path).unwrap();
    let start = file.metadata().unwrap().len();
    file.set_len(start + zeros as u64).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_fanin"))
        .args(["verify", &path, "--device", "cpu"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_secs(1));
    file.set_len(start).unwrap();
    let run = child.wait_with_output().unwrap();
    assert_eq!(run.status.code(), Some(2), "{run:?}");
    assert!(stderr(&run).contains("zeros.safetensors: failed to fill whole buffer"), "{run:?}");
}

/// Names that colour, move the cursor, ring, turn the reading direction, or end a line.
#[test]
fn no_name_reaches_a_terminal_as_more_than_text() {
    let folder = Folder::new();
    let evil = "w\u{1b}[31m\r\n\u{7}\u{9b}1m\u{202e}\u{200b}\u{2028}";
    let header = json!({
        "__metadata__": {"fanin": json!({
            "fanin": evil, "seed": "5", "rules": evil, "rules_sha256": evil,
            "tensors": {evil: {"scheme": "normal:mean=0,std=1", "contract": 9}, "b": {"scheme": evil, "contract": 2}, "c": normal(json!({}))},
        }).to_string()},
        "b": tensor("F32", json!([1]), 0, 4), evil: tensor("F32", json!([1]), 4, 8), "i": tensor("U8", json!([1]), 8, 9),
        "größe": tensor("U8", json!([1]), 9, 10),
    });
    let file = folder.safetensors("evil.safetensors", &header, &[0; 10]);
    let dtype = folder.write("dtype.json", json!({evil: {"dtype": evil, "shape": [1]}}).to_string());
    let list = folder.write(
        "list.json",
        json!({evil: {"dtype": "F32", "shape": [3]}, "plain": {"dtype": "F32", "shape": [3]}}).to_string(),
    );
    let index = folder.index("i.index.json", &json!({"w": evil}));
    let up = folder.index("up.index.json", &json!({"w": format!("{evil}/{evil}")}));
    let seed = folder.safetensors(
        "seed.safetensors",
        &json!({"__metadata__": {"fanin": json!({"fanin": "", "seed": evil}).to_string()}}),
        &[],
    );
    let rules = folder.write("rules.toml", format!("[[rule]]\nname = \"*\"\nscheme = {}\n", json!(evil)));
    let out = folder.path("out.safetensors");
    let cases: &[&[&str]] = &[
        &["verify", &file, "--device", "cpu"],
        &["verify", &file, "--device", "cpu", "--json"],
        &["verify", &file, "--device", "cpu", "--seed", "1", "--scheme", "normal"],
        &["verify", &seed],
        &["verify", &index],
        &["verify", &up],
        &["verify", evil],
        &["stats", &file],
        &["stats", &file, "--json"],
        &["rules", &file],
        &["rules", &file, "--json"],
        &["rules", &list],
        &["rules", &dtype],
        &["rules", &list, "--rules", &rules],
        &["rules", &list, "--preset", "gpt2"],
        &["rules", &list, "--preset", evil],
        &["rules", "--print", "gpt2"],
        &["init", &file, "-o", &out, "--device", "cpu"],
        &["init", &list, "-o", &out, "--device", "cpu", "--json"],
        &["init", evil, "-o", &out],
        &["init", &list, "-o", &out, "--device", evil],
        &["fill", "normal", "3", "--name", evil, "-o", &out, "--device", "cpu"],
        &["fill", "normal", "3", "--seed", evil, "-o", &out],
        &["fill", evil, "3", "-o", &out],
        &[evil],
    ];
    for arguments in cases {
        let run = fanin(arguments);
        for text in [run.stdout, run.stderr] {
            let text = String::from_utf8(text).unwrap();
            let wrong = text.chars().find(|&c| c != '\n' && (c.is_control() || "\u{202e}\u{200b}\u{2028}".contains(c)));
            assert_eq!(wrong, None, "{arguments:?}: {text}");
            if arguments[0] != "init"
                && arguments.last() == Some(&"--json")
                && !text.is_empty()
                && !text.starts_with("fanin: ")
            {
                let said: Value = serde_json::from_str(&text).unwrap();
                assert!(said.to_string().contains("\u{202e}"), "{arguments:?}: {text}");
            }
        }
    }
    // Columns line up, and one line is one line.
    let table = succeed(&["rules", &list]);
    let lines: Vec<_> = table.lines().skip(1).collect();
    assert_eq!(lines.len(), 2, "{table}");
    assert_eq!(lines[0].find("[3]"), lines[1].find("[3]"), "{table}");
    assert!(succeed(&["stats", &file]).contains("größe: it holds U8"));
    assert!(succeed(&["rules", "--print", "gpt2"]).lines().count() > 10);
}

/// Who may write to a folder must not make the program write elsewhere.
#[cfg(unix)]
#[test]
fn what_is_planted_where_a_file_is_written_is_refused() {
    use std::os::unix::fs::symlink;
    let folder = Folder::new();
    let model =
        folder.write("model.json", r#"{"a": {"dtype": "F32", "shape": [3]}, "b": {"dtype": "F16", "shape": [8]}}"#);
    let out = folder.path("out.safetensors");
    let victim = folder.write("victim", "precious");
    let init = ["init", &model, "-o", &out, "--device", "cpu"];
    let shards = [&init[..], &["--max-shard-size", "1"]].concat();
    for (planted, arguments) in [
        (".out.safetensors.partial", &init[..]),
        (".out-00002-of-00002.safetensors.partial", &shards),
        (".out.safetensors.index.json.partial", &shards),
    ] {
        let at = folder.path(planted);
        for more in [&[][..], &["--resume"]] {
            let arguments = [arguments, more].concat();
            symlink(&victim, &at).unwrap();
            folder.refuses(&arguments, &[planted, "it is a symbolic link", "allowed: a regular file"]);
            fs::remove_file(&at).unwrap();
            symlink(folder.path("nothing"), &at).unwrap();
            folder.refuses(&arguments, &[planted, "it is a symbolic link"]);
            fs::remove_file(&at).unwrap();
            folder.pipe(planted);
            folder.refuses(&arguments, &[planted, "it is a pipe"]);
            fs::remove_file(&at).unwrap();
            fs::create_dir(&at).unwrap();
            folder.refuses(&arguments, &[planted, "it is a directory"]);
            fs::remove_dir(&at).unwrap();
        }
    }
    fs::hard_link(&victim, folder.path(".out.safetensors.partial")).unwrap();
    folder.refuses(&init, &[".out.safetensors.partial", "2 names", "allowed: 1"]);
    assert_eq!(fs::read(&victim).unwrap(), b"precious");
    fs::remove_file(folder.path(".out.safetensors.partial")).unwrap();
    // What stands where a shard or the index belongs is known before the first is drawn.
    for name in ["out-00002-of-00002.safetensors", "out.safetensors.index.json"] {
        fs::create_dir(folder.path(name)).unwrap();
        folder.refuses(&shards, &[name, "it is a directory"]);
        fs::remove_dir(folder.path(name)).unwrap();
    }
    for output in [format!("{out}/"), folder.path("none/out"), folder.path("model.json/out"), "/".into()] {
        folder.refuses(&["init", &model, "-o", &output, "--device", "cpu"], &[]);
    }
    // And what a run of its own left is written over.
    folder.write(".out.safetensors.partial", "left");
    succeed(&init);
    succeed(&["verify", &out, "--device", "cpu"]);
    assert!(!Path::new(&folder.path(".out.safetensors.partial")).exists());
}

/// On a pipe, opening waits; of a device, reading may never end.
#[cfg(unix)]
#[test]
fn what_is_no_regular_file_is_not_opened() {
    use std::os::unix::fs::symlink;
    let folder = Folder::new();
    let pipe = folder.pipe("pipe.safetensors");
    folder.safetensors("good.safetensors", &json!({"w": tensor("F32", json!([1]), 0, 4)}), &[0; 4]);
    symlink("/dev/zero", folder.path("zero.safetensors")).unwrap();
    symlink("/dev/zero", folder.path("zero.index.json")).unwrap();
    symlink("good.safetensors", folder.path("link.safetensors")).unwrap();
    let index = |file: &str| folder.index("x.index.json", &json!({"w": file}));
    let (zero, zero_index, pipe_index) =
        (folder.path("zero.safetensors"), folder.path("zero.index.json"), folder.pipe("pipe.index.json"));
    let out = folder.path("out");
    for file in [&pipe, &pipe_index, &zero, &zero_index] {
        let kind = if file.contains("pipe") { "it is a pipe" } else { "it is a device" };
        for command in [&["verify", file][..], &["stats", file], &["rules", file], &["init", file, "-o", &out]] {
            folder.refuses(command, &[file, kind, "allowed: a regular file"]);
        }
    }
    for (name, says) in [
        ("pipe.safetensors", "it is a pipe"),
        ("zero.safetensors", "it is a device"),
        ("/dev/zero", "beside the index"),
        ("..", "beside the index"),
        ("", "beside the index"),
        ("a\0b", r"a\0b"),
    ] {
        let index = index(name);
        for command in ["verify", "stats", "rules"] {
            folder.refuses(&[command, &index], &[says]);
        }
    }
    // A link to a file is as good as the file.
    succeed(&["rules", &index("link.safetensors")]);
    // And a list may come through a pipe.
    let list = folder.write("list.json", r#"{"w": {"dtype": "F32", "shape": [4]}}"#);
    let mut cat = Command::new("cat").arg(&list).stdout(Stdio::piped()).spawn().unwrap();
    let run = in_time(&["rules", "/dev/stdin"], cat.stdout.take().unwrap().into());
    assert!(run.status.success() && String::from_utf8_lossy(&run.stdout).contains("w  [4]"), "{run:?}");
    cat.wait().unwrap();
    folder.refuses(&["rules", "/dev/zero"], &["longer than 100000000 bytes"]);
}

#[test]
fn numbers_that_would_take_all_memory_are_refused() {
    let folder = Folder::new();
    let model = folder.write("model.json", r#"{"w": {"dtype": "F32", "shape": [3, 3]}}"#);
    let out = folder.path("out.safetensors");
    let init = ["init", &model, "-o", &out, "--device", "cpu"];
    let of = |more: &[&'static str]| [&init[..], more].concat();
    folder.refuses(&of(&["--rank", "0", "--world-size", "1000000000000"]), &["1000000000000", "at most 1048576"]);
    folder.refuses(&of(&["--rank", "0", "--world-size", "1048577"]), &["1048577", "at most 1048576"]);
    let run = Command::new(env!("CARGO_BIN_EXE_fanin"))
        .args(init)
        .envs([("SLURM_PROCID", "0"), ("SLURM_NTASKS", "1000000000000")])
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(2));
    assert!(stderr(&run).contains("SLURM_NTASKS: the world size is 1000000000000"), "{run:?}");
    // As many files as their names have digits for.
    let many: serde_json::Map<_, _> =
        (0..100_000).map(|i| (i.to_string(), json!({"dtype": "F32", "shape": [1]}))).collect();
    let many = folder.write("many.json", Value::from(many).to_string());
    let arguments = ["init", &many, "-o", &out, "--device", "cpu", "--max-shard-size", "1"];
    folder.refuses(&arguments, &["--max-shard-size makes 100000 files", "at most 99999"]);
    let deep = folder.write("deep.json", json!({"w": {"dtype": "F32", "shape": vec![1; 257]}}).to_string());
    folder.refuses(&["rules", &deep], &["\"w\"", "257 dimensions", "at most 256"]);
    // Headers that are as long as may be, each alone.
    let fat = format!(
        r#"{{"__metadata__":{{"x":"{}"}},"w":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}}}"#,
        "x".repeat(99_000_000)
    );
    folder.write("fat", safetensors_of(&fat, &[]));
    let names: serde_json::Map<_, _> = (0..5).map(|i| (i.to_string(), format!("fat{i}").into())).collect();
    for name in names.values() {
        fs::hard_link(folder.path("fat"), folder.path(name.as_str().unwrap())).unwrap();
    }
    let index = folder.index("fat.index.json", &names.into());
    folder.refuses(&["rules", &index], &["headers have more than 400000000 bytes"]);
}

/// What two readers could read as two things.
#[test]
fn what_stands_twice_or_where_it_should_not_is_refused() {
    let folder = Folder::new();
    let w = r#"{"dtype":"F32","shape":[1],"data_offsets":[0,4]}"#;
    for header in [
        format!(r#"{{"w":{w},"w":{w}}}"#),
        format!(r#"{{"__metadata__":{{"w":"","w":""}},"x":{w}}}"#),
        format!(
            r#"{{"__metadata__":{{"fanin":{}}},"x":{w}}}"#,
            json!(
                r#"{"fanin":"","seed":"1","tensors":{"w":{"scheme":"normal","contract":2},"w":{"scheme":"normal","contract":2}}}"#
            )
        ),
    ] {
        let file = folder.write("twice.safetensors", safetensors_of(&header, &[0; 4]));
        folder.refuses(&["verify", &file], &["twice.safetensors", "\"w\" stands twice"]);
    }
    let index = folder.write("twice.index.json", r#"{"weight_map": {"w": "a", "w": "b"}}"#);
    folder.refuses(&["verify", &index], &["twice.index.json", "\"w\" stands twice"]);
    // A tensor in a shard that the index does not name: loading all shards would load it.
    folder.safetensors(
        "two.safetensors",
        &json!({"a": tensor("F32", json!([1]), 0, 4), "b": tensor("F32", json!([1]), 4, 8)}),
        &[0; 8],
    );
    let index = folder.index("one.index.json", &json!({"a": "two.safetensors"}));
    let verify = ["verify", &index, "--seed", "1", "--scheme", "zeros", "--device", "cpu"];
    folder.refuses(&verify, &["one.index.json", "tensor \"b\" is in two.safetensors"]);
    // As a model, what the index names is enough.
    succeed(&["rules", &index]);
}

/// Depth does not exhaust the stack.
#[test]
fn what_nests_deep_is_refused() {
    let folder = Folder::new();
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(200_000), close.repeat(200_000));
    for value in [deep("[", "]"), deep("{\"a\":", "}")] {
        for header in [
            value.clone(),
            format!(r#"{{"w":{value}}}"#),
            format!(r#"{{"w":{{"dtype":{value}}}}}"#),
            format!(r#"{{"w":{{"dtype":"F32","shape":[{value}]}}}}"#),
            format!(r#"{{"__metadata__":{{"fanin":{value}}}}}"#),
            json!({"__metadata__": {"fanin": &value}}).to_string(),
            json!({"__metadata__": {"fanin": format!(r#"{{"fanin":"","seed":"1","tensors":{value}}}"#)}}).to_string(),
        ] {
            let file = folder.write("deep.safetensors", safetensors_of(&header, &[]));
            folder.refuses(&["verify", &file], &["deep.safetensors"]);
        }
        folder.refuses(&["verify", &folder.write("deep.index.json", &value)], &["deep.index.json"]);
        let list = format!(r#"{{"__metadata__":{value},"w":{{"dtype":"F32","shape":[1]}}}}"#);
        folder.refuses(&["rules", &folder.write("deep.json", list)], &["__metadata__"]);
        let list = format!(r#"{{"w":{{"dtype":"F32","shape":[1],"else":{value}}}}}"#);
        folder.refuses(&["rules", &folder.write("deep.json", list)], &["deep.json", "recursion limit"]);
    }
}
