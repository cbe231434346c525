//! What cannot be copied, and a base that would be replaced.

use super::*;

#[test]
fn what_cannot_be_copied_is_named_and_leaves_nothing_behind() {
    let folder = Folder::with_base();
    let base = folder.path("base.safetensors");
    let list = |name: &str, dtype: &str, shape: Value| {
        folder.write("model.json", json!({name: {"dtype": dtype, "shape": shape}}).to_string());
    };
    let refused = |more: &[&str], says: &[&str]| {
        folder.refuses(&strs(&folder.arguments("new.safetensors", more)), says);
    };
    for (name, dtype, here, there) in [
        ("layer.0.weight", "F32", "[5, 4]", "[6, 4]"),
        ("layer.0.weight", "F32", "[6, 5]", "[6, 4]"),
        ("layer.0.weight", "F32", "[7, 5]", "[6, 4]"),
        ("layer.0.weight", "F32", "[24]", "[6, 4]"),
        ("layer.0.weight", "F32", "[]", "[6, 4]"),
        ("scalar.bias", "F32", "[1]", "[]"),
        ("position_ids", "I64", "[1, 17]", "[1, 16]"),
        ("empty.weight", "F32", "[0, 5]", "[0, 4]"),
    ] {
        list(name, dtype, serde_json::from_str(here).unwrap());
        let shapes = format!("tensor \"{name}\": its shape is {here}, and {there} in {base}");
        refused(&[], &["model.json", &shapes, "allowed: the same, or more along the first dimension alone"]);
    }
    for (name, dtype, shape, more, says) in [
        ("layer.0.weight", "BF16", json!([6, 4]), &[][..], "its dtype is BF16 in the model, and F32 in"),
        ("layer.0.weight", "BF16", json!([9, 4]), &[], "its dtype is BF16 in the model, and F32 in"),
        ("layer.0.weight", "F32", json!([6, 4]), &["--dtype", "f16"], "its dtype is F16 by --dtype, and F32 in"),
        ("layer.0.weight", "F32", json!([9, 4]), &["--dtype", "f16"], "its dtype is F16 by --dtype, and F32 in"),
        ("wide", "F64", json!([3]), &["--dtype", "f32"], "its dtype is F32 by --dtype, and F64 in"),
        ("wide", "F32", json!([3]), &[], "its dtype is F32 in the model, and F64 in"),
        ("position_ids", "I32", json!([1, 16]), &[], "its dtype is I32 in the model, and I64 in"),
        ("mask", "U8", json!([3]), &[], "its dtype is U8 in the model, and BOOL in"),
        ("layer.0.weight", "I32", json!([6, 4]), &[], "its dtype is I32 in the model, and F32 in"),
    ] {
        list(name, dtype, shape);
        refused(
            more,
            &["model.json", &format!("tensor \"{name}\": {says} {base}"), "allowed: the same, as nothing is converted"],
        );
    }
    folder.write("rules.toml", format!("dtype = \"bf16\"\n{RULES}"));
    list("layer.0.weight", "F32", json!([9, 4]));
    refused(&[], &["tensor \"layer.0.weight\": its dtype is BF16 by its rule, and F32 in"]);
    folder.write("rules.toml", format!("{RULES}[[rule]]\nname = \"*\"\nscheme = \"ones\"\n"));
    for (name, dtype, shape, there) in [
        ("mask", "BOOL", json!([4]), "[3]"),
        ("position_ids", "I64", json!([2, 16]), "[1, 16]"),
        ("wide", "F64", json!([4]), "[3]"),
        ("eight", "F8_E4M3", json!([6]), "[5]"),
    ] {
        list(name, dtype, shape);
        let says = format!(
            "tensor \"{name}\": it grew from the shape {there} in {base}, and holds {dtype}, which is not drawn"
        );
        refused(&[], &[&says, "allowed: the same shape"]);
    }
    list("layer.0.weight", "F32", json!([6, 4]));
    for rank in ["0", "1"] {
        let more = ["--rank", rank, "--world-size", "2"];
        refused(
            &more,
            &["--base is given to rank", "--rank and --world-size", "allowed: --base for one process alone"],
        );
    }
    // A zero row beyond the model's, no such file, and what is no checkpoint.
    let (model, out) = (folder.path("model.json"), folder.path("new.safetensors"));
    let cut = folder.read("base.safetensors");
    let cut = folder.write("cut.safetensors", &cut[..cut.len() - 1]);
    let index = folder.write("gone.index.json", json!({"weight_map": {"a": "gone.safetensors"}}).to_string());
    for (base, says) in [
        ("/nowhere/base.safetensors", &["/nowhere/base.safetensors"][..]),
        (&model, &["model.json", "the header's length is"]),
        (&cut, &["cut.safetensors", "its header speaks of"]),
        (&index, &["gone.safetensors"]),
    ] {
        folder.refuses(&["init", &model, "--base", base, "-o", &out, "--device", "cpu"], says);
    }
    folder.write("model.json", r#"{"counter": {"dtype": "I32", "shape": [2]}}"#);
    refused(&[], &["there is no tensor to draw or copy"]);
    // Of a file that nothing was copied to, the base says nothing.
    let plain = folder.path("plain.safetensors");
    succeed(&["fill", "he_normal", "4x4", "-o", &plain, "--device", "cpu"]);
    folder
        .refuses(&["verify", &plain, "--base", &base], &["plain.safetensors", "says of no tensor that it was copied"]);
}

/// Reading the base and replacing it is refused, by whatever name it is called.
#[test]
fn the_base_is_not_replaced() {
    let folder = Folder::with_base();
    let base = folder.path("base.safetensors");
    fs::hard_link(&base, folder.path("hard.safetensors")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(&base, folder.path("soft.safetensors")).unwrap();
    fs::create_dir(folder.0.path().join("sub")).unwrap();
    for name in ["base.safetensors", "hard.safetensors", "soft.safetensors", "sub/../base.safetensors"] {
        if name.contains("soft") && cfg!(not(unix)) {
            continue;
        }
        for more in [&[][..], &["--resume"]] {
            let says = ["would be replaced, and is", &base, "allowed: another name for the output"];
            folder.refuses(&strs(&folder.arguments(name, more)), &says);
        }
    }
    // The partial file of the output, a shard, and the index.
    let bytes = folder.read("base.safetensors");
    let name = "x-00001-of-00016.safetensors";
    let index = |file: &str| {
        let names = folder.tensors("base.safetensors").into_keys().map(|name| (name, json!(file)));
        json!({"weight_map": Value::Object(names.collect())}).to_string()
    };
    for (base, output) in [(".x.safetensors.partial", "x.safetensors"), (name, "x.safetensors")] {
        let base = folder.write(base, &bytes);
        let mut arguments =
            folder.arguments(output, &["--max-shard-size", if base.ends_with(name) { "1" } else { "1MB" }]);
        arguments[3] = base.clone();
        folder.refuses(&strs(&arguments), &["would be replaced", &base]);
        fs::remove_file(base).unwrap();
    }
    let index = folder.write("x.safetensors.index.json", index("base.safetensors"));
    let mut arguments = folder.arguments("x.safetensors", &["--max-shard-size", "1"]);
    arguments[3] = index.clone();
    folder.refuses(&strs(&arguments), &["would be replaced", &index]);
    // A device is none of them.
    succeed(&strs(&folder.arguments("/dev/null", &[])));
}
