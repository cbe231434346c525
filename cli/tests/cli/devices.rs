//! The adapters of this machine: those that were promised, none, and how fast they are.

use std::process::Command;

use crate::common::*;
use serde_json::Value;

/// Where the machine is set up for them, no adapter may be missing: tests/run says which it installs.
#[test]
fn the_adapters_that_were_promised_are_here_and_agree() {
    let labels = adapters().join("\n");
    let promised = std::env::var("FANIN_TEST_ADAPTERS").unwrap_or_default();
    for part in promised.split(',').filter(|part| !part.is_empty()) {
        assert!(labels.contains(part), "no adapter \"{part}\" among:\n{labels}");
    }
    // Of Mesa's adapters: the self-test takes SwiftShader two minutes, and draws there what other tests draw. Of all with
    // FANIN_TEST_ALL=1.
    let is_slow = |label: &str| label.contains("SwiftShader") && std::env::var_os("FANIN_TEST_ALL").is_none();
    let devices = |command: &mut Command| {
        if labels.lines().any(is_slow) {
            command.env_remove("VK_ADD_DRIVER_FILES");
        }
        let output = command.output().unwrap();
        // A run that succeeds speaks of no error, nor do drivers, whatever the environment lacks.
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !said.contains("error:"), "{said}");
        String::from_utf8(output.stdout).unwrap()
    };
    let command = || Command::new(env!("CARGO_BIN_EXE_fanin"));
    let shown = devices(command().arg("devices").env_remove("XDG_RUNTIME_DIR"));
    assert!(shown.contains("agrees with the CPU bit for bit") && !shown.contains("DISAGREES"), "{shown}");

    // A line to report for each, with the same digests.
    let reports: Vec<_> = shown.lines().filter(|line| line.starts_with("fanin check: contract ")).collect();
    let reports: Vec<_> = reports.into_iter().filter(|line| !line.contains("; cannot be opened: ")).collect();
    assert_eq!(reports.len(), labels.lines().filter(|label| !is_slow(label)).count(), "{shown}");
    for report in &reports {
        assert_eq!(report.split("; ").count(), 6, "{report}");
        assert_eq!(report.rsplit("; ").next(), reports[0].rsplit("; ").next(), "{shown}");
    }
    // By Vulkan alone, which is the faster.
    let by_vulkan =
        devices(command().args(["devices", "--json"]).env("__EGL_VENDOR_LIBRARY_FILENAMES", "/nowhere.json"));
    let rows: Value = serde_json::from_str(&by_vulkan).unwrap();
    assert!(rows.as_array().is_some_and(|rows| rows.iter().any(is_opened)), "{rows}");
    for row in rows.as_array().unwrap().iter().filter(|row| is_opened(row)) {
        assert!(row["agrees"] == true && reports.contains(&row["report"].as_str().unwrap()), "{row}");
        assert_eq!(row["digests"]["normal f16"].as_str().map(str::len), Some(64), "{row}");
    }
}

#[test]
fn bench_rows_are_complete() {
    // By one adapter, the first: compiling all 24 pipelines takes others half a minute.
    for label in [&adapters()[0], "cpu"] {
        let rows = json_of(&["bench", "--size", "5000", "--runs", "1", "--device", label]);
        let rows = rows.as_array().unwrap();
        assert_eq!(rows.len(), if label == "cpu" { 12 } else { 24 }, "{label}");
        for row in rows {
            assert!(row["seconds"].as_f64().unwrap() > 0.0 && row["ratio_to_fill"].as_f64().unwrap() > 0.0, "{row}");
            assert!(row["values_per_second"].as_f64().unwrap() > 0.0 && row["elements"] == 5000, "{row}");
            assert_eq!(row["backend"] == "cpu", row["device"] == "CPU");
        }
    }
    let bench = ["bench", "--size", "5000", "--runs", "1", "--device", "cpu"];
    let shown = succeed(&bench);
    assert!(shown.contains("truncated_normal ") && shown.contains(" bf16 "), "{shown}");
    let rows = json_of(&[&bench[..], &["--stream", "native,tensorflow,jax"]].concat());
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.iter().filter(|row| row["stream"] == "jax").count(), 9);
    assert_eq!(rows.len(), 3 + 27);
    for arguments in [["--size", "0"], ["--size", "1099511627776"], ["--runs", "0"]] {
        let run = fanin(&[&["bench", "--device", "cpu"][..], &arguments].concat());
        assert_eq!(run.status.code(), Some(2), "{arguments:?}");
    }
}

/// Without a driver, `auto` falls back to the CPU and `gpu` says that there is none.
#[test]
fn a_machine_without_an_adapter_draws_on_its_cpu() {
    let folder = Folder::new();
    let output = folder.path("w.safetensors");
    let run = |device: &str| {
        Command::new(env!("CARGO_BIN_EXE_fanin"))
            .args(["fill", "he_normal", "16x16", "-o", &output, "--device", device])
            .env_remove("VK_ADD_DRIVER_FILES")
            .env("VK_DRIVER_FILES", "/nowhere.json")
            .env("VK_ICD_FILENAMES", "/nowhere.json")
            .env("__EGL_VENDOR_LIBRARY_FILENAMES", "/nowhere.json")
            .output()
            .unwrap()
    };
    let fallen_back = run("auto");
    assert!(fallen_back.status.success());
    assert!(String::from_utf8_lossy(&fallen_back.stdout).contains("drawn by CPU"));
    let none = run("gpu");
    assert_eq!(none.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&none.stderr).contains("there is no adapter"));
}

/// On a machine without a session, Mesa's Vulkan layer has "error: XDG_RUNTIME_DIR is invalid or not set in the environment."
/// printed, also where all is well.
#[test]
fn what_succeeds_speaks_of_no_error() {
    let folder = Folder::new();
    let output = folder.path("w.safetensors");
    let model = folder.write("model.json", r#"{"w": {"dtype": "F32", "shape": [4, 4]}}"#);
    for (arguments, dir) in [
        (&["fill", "he_normal", "4x4", "-o", &output][..], None),
        (&["fill", "he_normal", "4x4", "-o", &output], Some("relative")),
        (&["init", &model, "-o", &output], None),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fanin"));
        command.args(arguments).env_remove("XDG_RUNTIME_DIR").env_remove("VK_ADD_DRIVER_FILES");
        let run = command.envs(dir.map(|dir| ("XDG_RUNTIME_DIR", dir))).output().unwrap();
        let said = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success() && !said.contains("error:"), "{arguments:?} in {dir:?}: {said}");
    }
}
