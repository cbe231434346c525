//! What is wrong of arguments and lists is named, and what is passed over is said.

use crate::common::*;

const LIST: &str = r#"{"w": {"dtype": "F32", "shape": [4, 4]}}"#;

#[test]
fn a_misspelt_name_is_answered_with_the_nearest() {
    let folder = Folder::new();
    let model = folder.write("model.json", LIST);
    let of_wrong_dtype = folder.write("dtype.json", LIST.replace("F32", "BF61"));
    let output = folder.path("out.safetensors");
    for (model, option, value, says) in [
        (&model, "--scheme", "he_nornal", "the scheme is \"he_nornal\", did you mean he_normal? allowed: zeros,"),
        (&model, "--scheme", "kaiming-unifrom", ", did you mean kaiming_uniform? allowed: "),
        (&model, "--scheme", "he_normal:mod=fan_in", "is \"mod\", did you mean mode? allowed: mode,"),
        (&model, "--scheme", "he_normal:mode=fan_inn", "is \"fan_inn\", did you mean fan_in? allowed: "),
        (&model, "--scheme", "he_normal:nonlinearity=rleu", "\"rleu\", did you mean relu? allowed: linear,"),
        (&model, "--preset", "gtp2", "the preset is \"gtp2\", did you mean gpt2? allowed: auto, "),
        (&model, "--preset", "atuo", "the preset is \"atuo\", did you mean auto? allowed: auto, "),
        (&model, "--preset", "abacus", "the preset is \"abacus\", allowed: auto, "),
        (&model, "--layout", "in-uot", "the layout is \"in-uot\", did you mean in_out? allowed: out_in, "),
        (&model, "--dtype", "fp16", "the dtype is \"fp16\", did you mean f16? allowed: f32, f16, bf16"),
        (&of_wrong_dtype, "--seed", "1", "the dtype \"BF61\", did you mean BF16? allowed: "),
        (&model, "--device", "gup", "\"gup\", did you mean gpu? allowed: auto, gpu, cpu,"),
        (&model, "--device", "llvmpiep", "did you mean llvmpipe? allowed: auto, gpu, cpu,"),
        (&model, "--stream", "kears", "'keras'"),
    ] {
        folder.refuses(&["init", model, "-o", &output, option, value], &[says]);
    }
    folder.refuses(&["fil", "normal", "3"], &["'fill'"]);
    let says = "the preset is \"robreta\", did you mean roberta? allowed: ";
    folder.refuses(&["rules", "--print", "robreta"], &[says]);
}

#[test]
fn wrong_lists_of_tensors_are_named_and_leave_nothing_behind() {
    let folder = Folder::new();
    let output = folder.path("out.safetensors");
    let refuses = |model: &str, more: &[&str], says: &[&str]| {
        folder.refuses(&[&["init", model, "-o", &output], more].concat(), says);
    };
    refuses("/nowhere/model.json", &[], &["/nowhere/model.json"]);
    refuses(path(folder.0.path()), &[], &["directory"]);
    for (text, says) in [("", &["EOF"][..]), ("[]", &["tensor names"]), ("{}", &["no tensor"])] {
        refuses(&folder.write("wrong.json", text), &[], &[&["wrong.json"], says].concat());
    }
    // What is said of the tensor a.
    for (of_a, more, says) in [
        (r#"{"dtype": "F32", "shape": []}, "a": {"dtype": "F32", "shape": []}"#, &[][..], &["stands twice"][..]),
        (r#"{"dtype": "F33", "shape": [1]}"#, &[], &["F33"]),
        (r#"{"dtype": "F64", "shape": [1]}"#, &[], &["F64", "--dtype"]),
        (r#"{"dtype": "C64", "shape": [1]}"#, &["--dtype", "f32"], &["C64"]),
        (r#"{"dtype": "F32", "shape": [-1]}"#, &[], &["-1"]),
        (r#"{"dtype": "F32"}"#, &[], &["shape"]),
        (r#"{"dtype": "F32", "shape": [4294967296, 4294967296]}"#, &[], &["2^60"]),
        (r#"{"dtype": "F32", "shape": [9223372036854775808]}"#, &[], &["2^60"]),
    ] {
        refuses(&folder.write("wrong.json", format!(r#"{{"a": {of_a}}}"#)), more, &[&["\"a\""], says].concat());
    }
    let gap = r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#;
    for (bytes, says) in [
        (b"abc".to_vec(), &["3 bytes"][..]),
        (vec![0, 1, 0, 0, 0, 0, 0, 0, b'{'], &["256 bytes", "at most 1"]),
        (vec![255; 64], &["18446744073709551615", "at most 56"]),
        (safetensors_of(gap, &[]), &["wrong.safetensors", "offset"]),
    ] {
        refuses(&folder.write("wrong.safetensors", bytes), &[], says);
    }
}

#[test]
fn wrong_arguments_are_named_and_leave_nothing_behind() {
    let folder = Folder::new();
    let (model, output) = (folder.write("good.json", LIST), folder.path("out.safetensors"));
    for (option, value, says) in [
        ("--scheme", "he_norml", &["he_norml", "he_normal"][..]),
        ("--scheme", "normal:std=-1", &["std is -1"]),
        ("--dtype", "f8", &["f8", "bf16"]),
        ("--layout", "oi", &["oi", "out_in"]),
        ("--seed", "-1", &["-1"]),
        ("--device", "abacus", &["abacus", "auto, gpu, cpu"]),
    ] {
        folder.refuses(&["init", &model, "-o", &output, option, value], says);
    }
    folder.refuses(&["init", &model], &["--output"]);
    folder.refuses(&["init", &model, "-o", "/nowhere/out"], &["/nowhere/out"]);
    folder.refuses(&["init", &model, "-o", path(folder.0.path())], &["is a directory"]);
    for (scheme, shape, more, says) in [
        ("he_normal", "1000", &[][..], &["[1000]", "fewer than two"][..]),
        ("he_normal", "4x-1", &[], &["-1", "4096x16384"]),
        ("he_normal", "", &[], &["4096x16384"]),
        ("normal", "10", &["--range", "3..11"], &["11", "at most 10"]),
        ("normal", "10", &["--range", "5..3"], &["5..3"]),
        ("normal", "10", &["--range", "5"], &["START..END"]),
        ("normal", "10", &["--name", "__metadata__"], &["__metadata__"]),
        ("constant:value=1e9", "10", &["--dtype", "f16"], &["1000000000", "65504"]),
        ("uniform:low=1.0001,high=1.0002", "10", &["--dtype", "f16"], &["which holds no f16"]),
        ("normal", "18446744073709551615x2", &[], &["2^60"]),
        ("he_normal", "4x4", &["--layout", "out_in:groups=3"], &["groups is 3"]),
        (
            "dirac:groups=2",
            "12x2x3",
            &["--layout", "out_in:groups=3"],
            &["groups is 2 in the scheme dirac:groups=2 and 3 in the layout out_in:groups=3", "the same in both"],
        ),
        (
            "orthogonal",
            "6x2x3",
            &["--layout", "out_in:groups=3"],
            &["groups is 3 in the layout out_in:groups=3, for the scheme orthogonal:gain=1, allowed: 1"],
        ),
        ("normal", "4", &["--stream", "tensorflow", "--seed", "3"], &["the seed is \"3\"", "S0,S1"]),
        ("normal", "4", &["--stream", "tensorflow", "--seed=1,9223372036854775808"], &["S0,S1"]),
        ("normal", "4", &["--stream", "keras", "--seed=1.5"], &["the seed is \"1.5\""]),
        ("normal", "4", &["--stream", "jax", "--seed=9223372036854775808"], &["9223372036854775808", "2^63 - 1"]),
        ("uniform:low=-1,high=2", "4", &["--stream", "jax-nn"], &["low is -1", "0 or -high", "jax.nn.initializers"]),
        ("normal", "4", &["--stream", "pytorch"], &["pytorch", "tensorflow"]),
        ("truncated_normal:low=0,high=1", "4", &["--stream", "tensorflow", "--seed=1,2"], &["low is 0", "two sigmas"]),
    ] {
        folder.refuses(&[&["fill", scheme, shape, "-o", &output], more].concat(), says);
    }
}

/// What an option says that cannot matter is told, or refused.
#[test]
fn what_is_passed_over_is_said() {
    let folder = Folder::new();
    let out = folder.path("out.safetensors");
    let list = folder.write("model.json", r#"{"a.weight": {"dtype": "F32", "shape": [1, 8]}}"#);
    let init = ["init", &list, "-o", &out, "--scheme"];
    let of_all = "is all zeros: of each input's outputs, the part 0.5, rounded up, is all of them";
    for (arguments, said) in [
        (
            &["fill", "zeros", "10", "--layout", "in_out"][..],
            Some("--layout is passed over, as constant:value=0 draws the same"),
        ),
        (
            &["fill", "normal", "8x4", "--layout", "out_in:groups=3"],
            Some("--layout is passed over, as normal:mean=0,std=1"),
        ),
        (&["fill", "he_normal", "8x4", "--layout", "in_out"], None),
        (&["fill", "zeros", "10"], None),
        (&["fill", "sparse:sparsity=0.5", "1x8"], Some(of_all)),
        (&["fill", "sparse:sparsity=0.5", "2x8"], None),
        (&["fill", "sparse:sparsity=1", "1x8"], None),
        (
            &[&init[..], &["normal", "--layout", "in_out"]].concat(),
            Some("--layout is passed over, as normal:mean=0,std=1 draws the same"),
        ),
        (&[&init[..], &["sparse:sparsity=0.5"]].concat(), Some("is all zeros: of each input's outputs")),
    ] {
        let run = fanin(&[arguments, &["--device", "cpu"]].concat());
        let text = String::from_utf8_lossy(&[run.stdout, run.stderr].concat()).into_owned();
        assert!(run.status.success(), "{arguments:?}: {text}");
        match said {
            Some(said) => assert!(text.contains(said), "{arguments:?}: {text}"),
            None => assert!(!text.contains("passed over") && !text.contains("all zeros"), "{arguments:?}: {text}"),
        }
    }
    // A configuration's own rules are not replaced by a scheme that nobody named.
    let config = r#"{"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "n_layer": 1, "n_embd": 8, "n_head": 1, "vocab_size": 16,
        "n_positions": 4}"#;
    let config = folder.write("config.json", config);
    let arguments = ["init", &config, "-o", &out, "--device", "cpu", "--layout", "in_out"];
    folder.refuses(&arguments, &["--layout is given without --scheme"]);
}
