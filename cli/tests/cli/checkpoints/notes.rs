//! What is said beside a checkpoint that is written, of what may not be meant.

use super::*;

/// Rules that no tensor meets are said, and `rules` refuses what `init` does.
#[test]
fn rules_that_do_nothing_and_rows_that_are_not_there_are_said() {
    let folder = Folder::with_model();
    let rules = "[[rule]]\nname = \"*.wieght\"\nscheme = \"ones\"\n[[rule]]\nname = \"*\"\nscheme = \"zeros\"\n";
    let (rules, model, out) =
        (folder.write("typo.toml", rules), folder.path("model.json"), folder.path("out.safetensors"));
    let said = "no tensor met the rules of line 1 (*.wieght)";
    assert!(succeed(&["rules", &model, "--rules", &rules]).contains(said));
    assert!(succeed(&["init", &model, "--rules", &rules, "-o", &out, "--device", "cpu"]).contains(said));
    assert!(!succeed(&["rules", &model, "--scheme", "normal"]).contains("no tensor met"));
    let layouts = ["--layout", "*.wieght=in_out", "--layout", "*.weight=in_out"];
    let said = succeed(&[&["rules", &model, "--scheme", "normal"][..], &layouts].concat());
    assert!(said.contains("no tensor of two dimensions or more has --layout's *.wieght\n"), "{said}");
    let row = folder.write("row.toml", "[[rule]]\nname = \"*\"\nscheme = \"normal\"\nzero_row = 5000\n");
    for json in [&[][..], &["--json"]] {
        let run = fanin(&[&["rules", &model, "--rules", &row], json].concat());
        let (table, wrong) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
        assert_eq!(run.status.code(), Some(2), "{wrong}");
        assert!(table.contains("the zero row is 5000") && wrong.contains("cannot be drawn"), "{table}{wrong}");
    }
}

/// One scheme draws all matrices: those that are not called weights are said.
#[test]
fn what_a_scheme_draws_that_is_called_no_weight_is_said() {
    let folder = Folder::with_model();
    let tensor = r#"{"dtype": "F32", "shape": [4, 4]}"#;
    let names = ["a.weight", "b/kernel", "tok_EMBEDDINGS", "cls_token", "x.state"];
    let list: Vec<_> = names.iter().map(|name| format!("\"{name}\": {tensor}")).collect();
    let (list, out) = (folder.write("list.json", format!("{{{}}}", list.join(", "))), folder.path("out.safetensors"));
    let said = "neither weight nor kernel nor embedding: cls_token, x.state\n";
    let init = ["init", &list, "--scheme", "he_normal", "-o", &out, "--device", "cpu"];
    assert!(succeed(&init).contains(said));
    assert!(succeed(&["rules", &list, "--scheme", "he_normal"]).contains(said));
    assert!(!succeed(&["rules", &list, "--scheme", "zeros"]).contains("neither weight"));
    let report = json_of(&init);
    assert!(report["notes"][0].as_str().unwrap().contains("cls_token, x.state"), "{report}");
}

/// A dtype that rounds or cuts off what is drawn says the deviation that comes out; one that leaves nothing of it draws nothing.
#[test]
fn what_a_dtype_cannot_hold_is_said() {
    let folder = Folder::with_model();
    let list = r#"{"a.weight": {"dtype": "F16", "shape": [64, 64]}, "b.weight": {"dtype": "F16", "shape": [64, 64]}}"#;
    let (list, out) = (folder.write("list.json", list), folder.path("out.safetensors"));
    let init = |scheme| ["init", &list, "--scheme", scheme, "-o", &out, "--device", "cpu"];
    let said = succeed(&init("normal:std=6e4"));
    assert!(said.contains("has a std of 6.0000e4, but in f16 a std of 4.54"), "{said}");
    assert!(said.contains("comes out: a.weight and 1 more"), "{said}");
    assert!(!succeed(&init("normal:std=0.02")).contains("comes out"));
    fs::remove_file(&out).unwrap();
    folder.refuses(&init("normal:std=1e-9"), &["tensor \"a.weight\"", "f16 rounds to 0"]);
    let fill = |scheme| ["fill", scheme, "100", "--dtype", "bf16", "-o", &out, "--device", "cpu"];
    folder.refuses(&fill("uniform:low=1,high=1.001"), &["all of which bf16 rounds to 1"]);
    let run = fanin(&fill("normal:mean=1,std=0.001"));
    assert!(run.status.success() && String::from_utf8(run.stderr).unwrap().contains("in bf16"));
}

/// Nothing of an orthogonal matrix is there before all is: what is drawn, and for how long, shows on a terminal.
#[cfg(target_os = "linux")]
#[test]
fn a_tensor_that_is_drawn_in_one_piece_shows_on_a_terminal() {
    let folder = Folder::new();
    let out = folder.path("w.safetensors");
    for more in ["--digest".to_string(), format!("-o {out}"), String::new()] {
        let fanin = env!("CARGO_BIN_EXE_fanin");
        let line = format!("{fanin} fill orthogonal 1536x1024 --device cpu {more}");
        let output = Command::new("script").args(["-qec", &line, "/dev/null"]).stdin(Stdio::null()).output().unwrap();
        let shown = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && shown.contains("CPU draws weight, in pieces of 6.0 MiB"), "{more}: {shown}");
    }
}
