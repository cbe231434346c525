//! Ranks: each writes its part of the single run, by tensor, by slice or by the rules.

use super::*;

/// So many ranks under mpirun, with the program's arguments.
fn under_mpirun(ranks: usize, arguments: &[&str]) {
    let mut command = Command::new("mpirun");
    command.args(["--allow-run-as-root", "--oversubscribe", "-n", &ranks.to_string(), env!("CARGO_BIN_EXE_fanin")]);
    let run =
        command.args(arguments).output().expect("mpirun is missing: apt-get install openmpi-bin, or run tests/run");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

/// Puts slices along a dimension together again.
fn joined(parts: &[Tensor], dim: usize, whole: &Tensor) -> Vec<u8> {
    let (_, shape, data) = whole;
    if shape.len() <= dim {
        assert!(parts.iter().all(|part| part == whole));
        return data.clone();
    }
    let runs: usize = shape[..dim].iter().product();
    let of_part =
        |part: &Tensor, run: usize| part.2[run * part.2.len() / runs..(run + 1) * part.2.len() / runs].to_vec();
    (0..runs).flat_map(|run| parts.iter().flat_map(move |part| of_part(part, run))).collect()
}

#[test]
fn ranks_under_mpirun_make_the_single_run() {
    let folder = Folder::with_model();
    folder.init("single.safetensors", &[]);
    let single = folder.tensors("single.safetensors");
    let (model, rules) = (folder.path("model.json"), folder.path("rules.toml"));
    for ranks in [1, 2, 3, 8] {
        for split in ["tensor", "0", "1"] {
            let output = format!("{split}-{ranks}.safetensors");
            let init = ["init", &model, "--rules", &rules, "-o", &folder.path(&output), "--seed", "5"];
            under_mpirun(ranks, &[&init[..], &["--device", "cpu", "--split", split]].concat());
            let name = |rank: usize| match ranks {
                1 => output.clone(),
                _ => format!("{split}-{ranks}.rank-{rank}-of-{ranks}.safetensors"),
            };
            let files: Vec<_> = (0..ranks).map(|rank| folder.tensors(&name(rank))).collect();
            for (tensor, whole) in &single {
                let parts: Vec<_> = files.iter().filter_map(|file| file.get(tensor).cloned()).collect();
                match split.parse() {
                    Err(_) => assert!(parts == [whole.clone()], "{tensor} on {ranks} ranks"),
                    Ok(dim) => {
                        assert_eq!(parts.len(), ranks);
                        assert!(joined(&parts, dim, whole) == whole.2, "{tensor} along {dim} on {ranks} ranks");
                    }
                }
            }
            for rank in 0..ranks {
                succeed(&["verify", &folder.path(&name(rank)), "--device", "cpu"]);
            }
        }
    }
}

/// Of a tensor of f32, the elements with these indices along each dimension.
fn boxed((dtype, shape, data): &Tensor, ranges: &[Range<usize>]) -> Tensor {
    let is_in = |element: &usize| {
        let mut rest = *element;
        shape.iter().zip(ranges).rev().all(|(size, range)| {
            let index = rest % size;
            rest /= size;
            range.contains(&index)
        })
    };
    let bytes = (0..data.len() / 4).filter(is_in).flat_map(|i| data[4 * i..4 * i + 4].to_vec()).collect();
    (*dtype, ranges.iter().map(|range| range.end - range.start).collect(), bytes)
}

const MOE: &str = r#"{
    "l.q.weight": {"dtype": "F32", "shape": [10, 8]},
    "l.o.weight": {"dtype": "F32", "shape": [8, 10]},
    "l.experts.up": {"dtype": "F32", "shape": [5, 8, 12]},
    "norm.weight": {"dtype": "F32", "shape": [8]},
    "head.weight": {"dtype": "F32", "shape": [31, 4]},
    "small.weight": {"dtype": "F32", "shape": [3, 4]},
    "twice.weight": {"dtype": "F32", "shape": [7, 3]}
}"#;

fn rule(name: &str, split: &str) -> String {
    format!("[[rule]]\nname = \"{name}\"\nscheme = \"normal\"\n{split}\n")
}

fn mesh() -> String {
    let rules = [
        rule("l.q.weight", "split = { tp = 0 }"),
        rule("l.o.weight", "split = { tp = 1 }"),
        rule("l.experts.up", "split = { ep = 0, tp = 2 }"),
        rule("twice.weight", "split = { tp = 0, ep = 0 }"),
        rule("norm.weight", ""),
        rule("*", "split = \"tensor\""),
    ];
    rules.concat()
}

fn line() -> String {
    let rules = [
        rule("l.q.weight", "split = 0"),
        rule("l.o.weight", "split = 1"),
        rule("l.experts.up", "split = 2"),
        rule("norm.weight", "split = \"whole\""),
        rule("*", "split = \"tensor\""),
    ];
    rules.concat()
}

/// Each tensor as its rule says, on a line of ranks and on a mesh: what a rank has is its box of the single run, and no other.
#[test]
fn rules_say_how_ranks_share_a_model() {
    let folder = Folder::new();
    let model = folder.write("moe.json", MOE);
    // As torch.chunk has it, of a range.
    let chunk = |range: Range<usize>, rank: usize, ranks: usize| {
        let each = range.len().div_ceil(ranks);
        let at = |r: usize| range.start + (each * r).min(range.len());
        at(rank)..at(rank + 1)
    };
    for (name, rules, options, ranks, axes, alone) in [
        ("mesh", mesh(), ["--mesh", "tp=3,ep=2"], 6, [3, 2], &["head.weight", "small.weight"][..]),
        ("line", line(), ["--split", "rules"], 4, [4, 1], &["head.weight", "small.weight", "twice.weight"]),
    ] {
        let toml = folder.write(&format!("{name}.toml"), rules);
        let init = ["init", &model, "--rules", &toml, "--seed", "5", "--device", "cpu", "-o"];
        succeed(&[&init[..], &[&folder.path("one.safetensors")]].concat());
        let single = folder.tensors("one.safetensors");
        under_mpirun(ranks, &[&init[..], &[&folder.path(&format!("{name}.safetensors"))], &options].concat());
        let mut of_one = Vec::new();
        for rank in 0..ranks {
            let file = format!("{name}.rank-{rank}-of-{ranks}.safetensors");
            let mut has = folder.tensors(&file);
            let (tp, ep) = (rank / axes[1], rank % axes[1]);
            for (tensor, dims) in [
                ("l.q.weight", &[(0, tp, axes[0])][..]),
                ("l.o.weight", &[(1, tp, axes[0])]),
                ("l.experts.up", &[(2, tp, axes[0]), (0, ep, axes[1])]),
                ("twice.weight", &[(0, tp, axes[0]), (0, ep, axes[1])]),
                ("norm.weight", &[]),
            ] {
                if alone.contains(&tensor) {
                    continue;
                }
                let whole = &single[tensor];
                let mut ranges: Vec<_> = whole.1.iter().map(|&size| 0..size).collect();
                for &(dim, place, places) in dims {
                    ranges[dim] = chunk(ranges[dim].clone(), place, places);
                }
                assert_eq!(has.remove(tensor).unwrap(), boxed(whole, &ranges), "{file}: {tensor}");
            }
            for (tensor, part) in has {
                assert_eq!(part, single[&tensor]);
                of_one.push(tensor);
            }
            succeed(&["verify", &folder.path(&file), "--device", "cpu"]);
            // By rules that are given, of which the parts are the file's.
            succeed(&["verify", &folder.path(&file), "--device", "cpu", "--rules", &toml, "--seed", "5"]);
        }
        of_one.sort();
        assert_eq!(of_one, alone);
    }
}

/// What the rules say and nobody asks for is said, and what does not go with them is refused.
#[test]
fn splits_of_rules_go_with_the_ranks_that_are_asked_for() {
    let folder = Folder::new();
    let model = folder.write("moe.json", MOE);
    let (mesh, line) = (folder.write("mesh.toml", mesh()), folder.write("line.toml", line()));
    let unsplit = folder.write("unsplit.toml", rule("*", "split = \"whole\""));
    let table = succeed(&["rules", &model, "--rules", &mesh]);
    assert!(table.contains("split ep=0,tp=2") && table.contains("split tensor"), "{table}");
    let out = folder.path("out.safetensors");
    let init = ["init", &model, "-o", &out, "--device", "cpu", "--rank", "0", "--world-size", "4", "--rules"];
    let said = succeed(&[&init[..], &[&line]].concat());
    assert!(said.contains("--split rules or --mesh"), "{said}");
    for (rules, more, says) in [
        (&mesh, &["--split", "rules"][..], "along the mesh's axis tp, allowed: none; --mesh says them"),
        (&mesh, &["--mesh", "tp=2,dp=2"], "along the mesh's axis ep, allowed: tp, dp"),
        (&mesh, &["--mesh", "tp=3,ep=2"], "--mesh has 6 ranks, allowed: 4, the world size"),
        (&line, &["--mesh", "tp=2,ep=2"], "tensor \"l.q.weight\": its split is 0, allowed with a mesh: dimensions for"),
        (&line, &["--mesh", "tp=4", "--split", "0"], "allowed: rules"),
        (&unsplit, &["--split", "rules"], "no rule that a tensor met says a split"),
    ] {
        folder.refuses(&[&init[..], &[rules], more].concat(), &[says]);
    }
}

#[cfg(unix)]
#[test]
fn ranks_write_to_a_device_as_it_is() {
    let folder = Folder::with_model();
    let (model, rules) = (folder.path("model.json"), folder.path("rules.toml"));
    let init = ["init", &model, "--rules", &rules, "-o", "/dev/null", "--device", "cpu"];
    succeed(&[&init[..], &["--rank", "1", "--world-size", "2"]].concat());
    assert!(!Path::new("/dev/null.rank-1-of-2").exists());
}
