//! Wrong rules, options and files are named, and leave nothing behind.

use super::*;

#[test]
fn wrong_rules_are_named_and_leave_nothing_behind() {
    let folder = Folder::with_model();
    let (model, out) = (folder.path("model.json"), folder.path("new.safetensors"));
    let refuses = |rules: &str, says: &[&str]| {
        folder.refuses(&["init", &model, "-o", &out, "--device", "cpu", "--rules", rules], says);
    };
    refuses("/nowhere/rules.toml", &["/nowhere/rules.toml"]);
    refuses("/dev/zero", &["/dev/zero", "longer than"]);
    let one = |lines: &str| format!("[[rule]]\nname = '*'\n{lines}\n");
    // The file is named.
    for (text, says) in [
        ("".into(), &["no [[rule]]"][..]),
        ("[[rule]\n".into(), &["line 1"]),
        ("[rules]\nname = '*'\n".into(), &["rules", "rule"]),
        ("[[rule]]\nscheme = 'ones'\n".into(), &["name"]),
        ("[[rule]]\nname = []\nscheme = 'ones'\n".into(), &["line 2", "is empty"]),
        ("[[rule]]\nname = '[a'\nscheme = 'ones'\n".into(), &["[a"]),
        (one("shceme = 'normal'"), &["line 3", "shceme", "scheme"]),
        (one("scheme = 'he_norml'"), &["he_norml", "he_normal"]),
        (one("scheme = 'normal:sdt=1'"), &["sdt"]),
        (one("scheme = 'normal:std=sigma/2'"), &["sigma", "not defined"]),
        (one("scheme = 'normal:std=2^3'"), &["^", "sqrt"]),
        (one(""), &["line 1", "without a scheme"]),
        (one("scheme = 'ones'\nskip = true"), &["skip and scheme"]),
        (one("scheme = 'ones'\ndtype = 'f8'"), &["f8", "bf16"]),
        (one("scheme = 'ones'\nlayout = 'oi'"), &["oi", "out_in"]),
        (one("scheme = 'ones'\nrank = -1"), &["line 4"]),
        (one("scheme = 'ones'\nshape = ['?']"), &["\"?\""]),
        (format!("[constants]\nx = inf\n{}", one("scheme = 'ones'")), &["x is inf"]),
        (format!("[constants]\n'a-b' = 1.0\n{}", one("scheme = 'ones'")), &["a-b"]),
    ] {
        refuses(&folder.write("wrong.toml", text), &[says, &["wrong.toml"]].concat());
    }
    // What is wrong of a tensor is the model's.
    for (text, says) in [
        (
            format!("[count]\nn = 'nothing'\n{}", one("scheme = 'normal:std=1/n'")),
            &["model.json", "tensor \"embeddings.word", "line 5", "is inf"][..],
        ),
        (one("scheme = 'he_normal'"), &["model.json", "line 3", "fewer than two"]),
        (one("scheme = 'ones'\nzero_row = 5000"), &["the zero row is 5000", "below 1001"]),
        (
            "[[rule]]\nname = '*.weight'\nscheme = 'ones'\n".into(),
            &["2 tensors met no rule", "encoder.layer.0.query.bias", "scalar"],
        ),
        (one("skip = true"), &["no tensor to draw"]),
    ] {
        refuses(&folder.write("wrong.toml", text), says);
    }
}

#[test]
fn options_that_do_not_go_with_a_model_are_named_and_leave_nothing_behind() {
    let folder = Folder::with_model();
    let (model, out, rules) = (folder.path("model.json"), folder.path("new.safetensors"), folder.path("rules.toml"));
    let init = ["init", &model, "-o", &out, "--device", "cpu"];
    for (more, says) in [
        (&["--preset", "gpt2"][..], &["--preset", "--rules"][..]),
        (&["--scheme", "ones"], &["--scheme", "--rules"]),
        (&["--rank", "1"], &["--world-size"]),
        (&["--rank", "3", "--world-size", "3"], &["3 of 3"]),
        (&["--rank", "0", "--world-size", "0"], &["0 of 0"]),
        (&["--split", "rows"], &["rows", "tensor"]),
        (&["--mesh", "tp"], &["tp=4,ep=2"]),
        (&["--mesh", "tp=2"], &["--mesh has 2 ranks", "1, the world size"]),
        (&["--max-shard-size", "lots"], &["lots", "5GB"]),
        (&["--max-shard-size", "0"], &["at least 1"]),
        (&["--memory", "1KB"], &["memory", "at least 1MiB"]),
    ] {
        folder.refuses(&[&init[..], &["--rules", &rules], more].concat(), says);
    }
    for (more, says) in [
        (&["--preset", "brt"][..], &["brt", "bert"][..]),
        (&["--preset", "auto"], &["auto", "--rules"]),
        (&["--scheme", "he_normal", "--layout", "in_uot"], &["in_uot", "out_in"]),
        (&["--scheme", "he_normal", "--layout", "*=in_uot"], &["in_uot", "out_in"]),
        (&["--scheme", "he_normal", "--layout", "=in_out"], &["the pattern is empty"]),
        (
            &["--scheme", "he_normal", "--layout", "out_in:groups=0"],
            &["groups of the layout out_in is \"0\"", "a whole number from 1 on"],
        ),
        (&["--scheme", "he_normal", "--layout", "axes:in_axes=0"], &["out_axes of the layout axes is not given"]),
        (&["--scheme", "he_normal", "--layout", "[=in_out"], &["the pattern", "\"[\""]),
        (&["--scheme", "he_normal", "--layout", "in_out", "--layout", "out_in"], &["twice", "once"]),
    ] {
        folder.refuses(&[&init, more].concat(), says);
    }
    let resume = ["init", &model, "-o", "/dev/null", "--resume", "--device", "cpu", "--rules", &rules];
    folder.refuses(&resume, &["/dev/null", "--resume"]);
    folder.refuses(&["rules", "--print", "brt"], &["brt", "bert"]);
}

#[test]
fn wrong_checkpoints_are_named_and_leave_nothing_behind() {
    let folder = Folder::with_model();
    folder.init("good.safetensors", &[]);
    let good_path = folder.path("good.safetensors");
    let good = folder.read("good.safetensors");
    let start = data_start(&good);
    let refuses = |file: &str, more: &[&str], says: &[&str]| {
        folder.refuses(&[&["verify", file, "--device", "cpu"], more].concat(), says);
    };
    refuses("/nowhere/x.safetensors", &[], &["/nowhere/x.safetensors"]);
    refuses(&good_path, &["--sample", "0"], &["--sample"]);
    refuses(&good_path, &["--preset", "resnet"], &["good.safetensors", "met no rule"]);
    // Lengths.
    for (bytes, says) in [
        (b"abc".to_vec(), "3 bytes"),
        (good[..good.len() - 1].to_vec(), "its header speaks of"),
        ([&good[..], &[0]].concat(), "its header speaks of"),
        (good[..100].to_vec(), "header's length"),
        (vec![0xff; 100], "18446744073709551615"),
    ] {
        refuses(&folder.write("wrong.safetensors", bytes), &[], &["wrong.safetensors", says]);
    }
    let cut = folder.write("cut.safetensors", &good[..good.len() - 1]);
    folder.refuses(&["stats", &cut], &["cut.safetensors", "its header speaks of"]);
    folder.refuses(&["stats", &folder.path("model.json")], &["model.json"]);
    // Headers.
    let a = r#""a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}"#;
    for (header, data, more, says) in [
        (
            r#""a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}"#,
            12,
            &[][..],
            &["offset"][..],
        ),
        (r#""a":{"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,8]}"#, 8, &[], &[]),
        (r#""a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}"#, 8, &[], &[]),
        (&format!("{a},{a}"), 4, &[], &["\"a\" stands twice"]),
        // It does not say how it was made.
        (a, 4, &[], &["seed", "--rules"]),
        (a, 4, &["--seed", "1"], &["how it was made"]),
    ] {
        let file = folder.write("wrong.safetensors", safetensors_of(&format!("{{{header}}}"), &vec![0; data]));
        refuses(&file, more, &[says, &["wrong.safetensors"]].concat());
    }
    // What it says of itself, with another seed and contract.
    for (words, says) in [
        (r#"\"seed\":\"-5\""#, &["metadata", "the seed is \"-5\""][..]),
        (r#"\"contract\":1,\"seed\":5"#, &["fanin 0.1.0 drew it", "contract 1"]),
    ] {
        let header = String::from_utf8_lossy(&good[8..start]).replace(r#"\"seed\":\"5\""#, words);
        let file = folder.write("wrong.safetensors", safetensors_of(&header, &good[start..]));
        refuses(&file, &[], &[says, &["wrong.safetensors"]].concat());
    }
    for (index, says) in [
        ("{}", &["wrong.index.json", "weight_map"][..]),
        (r#"{"weight_map": {"a": "gone.safetensors"}}"#, &["gone.safetensors"]),
        (
            r#"{"weight_map": {"a": "../good.safetensors"}}"#,
            &["wrong.index.json", "../good.safetensors", "beside the index"],
        ),
        (r#"{"weight_map": {"a": "good.safetensors"}}"#, &["wrong.index.json", "\"a\" is not in good.safetensors"]),
    ] {
        refuses(&folder.write("wrong.index.json", index), &[], says);
    }
}
