//! A run that is killed, a disk that is full, a file system that lacks calls: no file that looks whole, and the same bytes after all.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::Duration;

use super::*;

/// A model that takes a moment to write.
fn large_model(folder: &Folder) -> String {
    folder.write(
        "large.json",
        r#"{"a": {"dtype": "F32", "shape": [6000, 6000]}, "b": {"dtype": "BF16", "shape": [6001, 6001]}}"#,
    )
}

fn init_large(folder: &Folder, output: &str) -> Vec<String> {
    let arguments = ["init", &large_model(folder), "-o", &folder.path(output), "--seed", "5", "--device", "cpu"];
    let more = ["--memory", "4MiB", "--scheme", "truncated_normal"];
    arguments.iter().chain(&more).map(ToString::to_string).collect()
}

#[test]
fn what_is_killed_leaves_no_file_and_is_resumed_to_the_same_bytes() {
    let folder = Folder::new();
    succeed(&strs(&init_large(&folder, "whole.safetensors")));
    let whole = folder.read("whole.safetensors");
    let target = PathBuf::from(folder.path("killed.safetensors"));
    let arguments = init_large(&folder, "killed.safetensors");
    let mut resumed = 0;
    for moment in 0..10 {
        let mut child =
            Command::new(env!("CARGO_BIN_EXE_fanin")).args(&arguments).stdout(Stdio::null()).spawn().unwrap();
        // By what is there, as machines are slow at one time and fast at another.
        let partial = folder.path(".killed.safetensors.partial");
        let written = || fs::metadata(&partial).map_or(0, |file| file.len());
        while child.try_wait().unwrap().is_none() && written() < whole.len() as u64 * moment / 10 {
            sleep(Duration::from_millis(1));
        }
        child.kill().unwrap(); // SIGKILL
        child.wait().unwrap();
        if target.exists() {
            // It was done before.
            assert!(fs::read(&target).unwrap() == whole);
        } else {
            resumed += u32::from(entries(folder.0.path()).iter().any(|e| e.ends_with(".killed.safetensors.partial")));
            succeed(&[&strs(&arguments)[..], &["--resume"]].concat());
            assert!(fs::read(&target).unwrap() == whole, "moment {moment}");
        }
        fs::remove_file(&target).unwrap();
        assert!(entries(folder.0.path()).iter().all(|e| !e.to_string_lossy().contains("partial")));
    }
    assert!(resumed >= 3, "only {resumed} of 10 kills left something to resume");
    // What another command began is not gone on with.
    folder.write(".killed.safetensors.partial", &whole[..5000]);
    folder.refuses(&[&strs(&arguments)[..], &["--resume", "--dtype", "f16"]].concat(), &["was begun with another"]);
}

/// A tmpfs of 64 MiB in a namespace of its own, which needs no root.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_no_file_and_is_resumed() {
    let folder = Folder::new();
    succeed(&strs(&init_large(&folder, "whole.safetensors")));
    fs::create_dir(folder.path("small")).unwrap();
    let command = init_large(&folder, "small/out.safetensors").join(" ");
    let program = env!("CARGO_BIN_EXE_fanin");
    let small = folder.path("small");
    let script = format!(
        "mount -t tmpfs -o size=64m tmpfs {small} || exit 90
         {program} {command} && exit 91
         [ $? = 1 ] || exit 92
         [ ! -e {small}/out.safetensors ] || exit 93
         mount -o remount,size=400m {small} || exit 94
         {program} {command} --resume || exit 95
         cmp {small}/out.safetensors {whole} || exit 96",
        whole = folder.path("whole.safetensors"),
    );
    let run =
        Command::new("unshare").args(["--map-root-user", "--user", "--mount", "sh", "-c", &script]).output().unwrap();
    assert_eq!(run.status.code(), Some(0), "{run:?}");
    assert!(String::from_utf8_lossy(&run.stderr).contains("--resume"), "{run:?}");
}

/// FUSE and object stores lack calls: a file is whole without a length that is set beforehand and without a sync, and where it cannot
/// get its name it is whole under another one.
#[cfg(target_os = "linux")]
#[test]
fn file_systems_that_lack_calls_get_whole_files() {
    let folder = Folder::new();
    let shim = folder.path("lacking.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lacking.c");
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-o", &shim, source]).output().unwrap();
    assert!(compiled.status.success(), "{compiled:?}");
    let list: BTreeMap<_, _> =
        (0..3).map(|i| (format!("{i}.weight"), json!({"dtype": "F32", "shape": [1024, 1024]}))).collect();
    let model = folder.write("model.json", serde_json::to_string(&list).unwrap());
    let run = |lacks: &str, output: &str, more: &[&str]| {
        let arguments = ["init", &model, "-o", output, "--scheme", "normal", "--device", "cpu"];
        let mut command = Command::new(env!("CARGO_BIN_EXE_fanin"));
        let output = command.args(arguments).args(more).env("LD_PRELOAD", &shim).env("LACKS", lacks).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let expected = folder.path("expected.safetensors");
    assert_eq!(run("", &expected, &[]).0, Some(0));
    let expected = folder.read("expected.safetensors");
    let out = folder.path("out.safetensors");
    // What a run before left is longer, or the beginning of the same.
    let left = [Vec::new(), vec![7; expected.len() + 100], expected[..10 << 20].to_vec()];
    for lacks in ["ftruncate", "fsync", "ftruncate fsync"] {
        for (at, left) in left.iter().enumerate() {
            folder.write(".out.safetensors.partial", left);
            let (code, said) = run(lacks, &out, if at == 2 { &["--resume"] } else { &[] });
            assert_eq!(code, Some(0), "{lacks}: {said}");
            assert!(folder.read("out.safetensors") == expected, "{lacks}, {at}");
            assert_eq!(said.contains("out.safetensors: fsync: Invalid argument"), lacks.contains("fsync"), "{said}");
            fs::remove_file(&out).unwrap();
        }
    }
    let (code, said) = run("rename", &out, &[]);
    let partial = folder.path(".out.safetensors.partial");
    let says = format!(
        "{out}: rename: Function not implemented (os error 38); the file is whole, and has the name {partial}: copy it to {out}, and \
         of several files go on with --resume"
    );
    assert!(code == Some(1) && said.contains(&says), "{said}");
    assert!(!Path::new(&out).exists() && folder.read(".out.safetensors.partial") == expected);
    // As it says, shard by shard, to the index.
    let names: Vec<_> = (1..=3).map(|i| format!("out-0000{i}-of-00003.safetensors")).collect();
    for name in names.iter().map(String::as_str).chain(["out.safetensors.index.json"]) {
        let (code, said) = run("rename", &out, &["--max-shard-size", "4MiB", "--resume"]);
        assert!(code == Some(1) && said.contains(&format!("copy it to {}", folder.path(name))), "{name}: {said}");
        fs::copy(folder.path(&format!(".{name}.partial")), folder.path(name)).unwrap();
    }
    let index: Value = serde_json::from_slice(&folder.read("out.safetensors.index.json")).unwrap();
    assert_eq!(index["metadata"], json!({"total_parameters": 3 << 20, "total_size": 12 << 20}));
    succeed(&["verify", &folder.path("out.safetensors.index.json"), "--device", "cpu"]);
    // What is no missing call is about the data.
    let (code, said) = run("disk", &out, &[]);
    assert!(code == Some(1) && said.contains("out.safetensors: fsync: Input/output error"), "{said}");
    assert!(!Path::new(&out).exists());
}
