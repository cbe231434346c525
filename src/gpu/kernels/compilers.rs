//! Proof by compiling: what naga writes for Metal, as C++, by compilers that may do what GPUs' compilers do, against the CPU twin.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::{env, fs, process, thread};

use sha2::{Digest, Sha256};

use super::stamp::Stamp;
use super::{Rounding, Variant, Writes, source};
use crate::gpu::reflections;
use crate::gpu::slot::Slot;
use crate::gpu::windows::{self, Limits, Params, Window, split};
use crate::kernel::{Geometry, Kernel, Sampler, Twin, Words};
use crate::{Distribution, Dtype, Fill, JaxKey, Layout, Scheme, Stream, cpu};

/// A compiler, its options, and what the processor needs to run what it makes.
struct Mode {
    name: &'static str,
    compiler: &'static str,
    options: &'static str,
    needs: &'static str,
}

/// What compilers of GPUs do, by options of those of CPUs. With `-ffast-math` the program flushes subnormals, too.
const MODES: [Mode; 10] = [
    mode("as it stands", "clang++", "-O1 -ffp-contract=off", ""),
    mode("fuse", "clang++", "-O3 -mfma -ffp-contract=fast", "fma"),
    mode("reassociate", "clang++", "-O3 -fassociative-math -fno-signed-zeros -fno-trapping-math", ""),
    mode("fast-math, -O1", "clang++", "-O1 -ffast-math -mfma", "fma"),
    mode("fast-math, -O3", "clang++", "-O3 -ffast-math", ""),
    mode("fast-math, AVX2", "clang++", "-O3 -ffast-math -mavx2 -mfma", "avx2"),
    mode("fast-math, AVX-512", "clang++", "-O3 -ffast-math -mavx512f -mavx512dq -mavx512vl -mfma", "avx512f"),
    mode("fast-math without finite-math", "clang++", "-O3 -ffast-math -fno-finite-math-only -mfma", "fma"),
    mode("flush subnormals", "clang++", "-O3 -ffp-contract=off -DFLUSH", ""),
    mode("fast-math, GCC", "g++", "-O3 -ffast-math -mavx2 -mfma", "avx2"),
];

const fn mode(name: &'static str, compiler: &'static str, options: &'static str, needs: &'static str) -> Mode {
    Mode { name, compiler, options, needs }
}

/// At least so many values of each kernel in each dtype and mode.
const VALUES: u64 = 1 << 20;

/// Distributions that reach each kernel, in each of its branches.
fn fills(kernel: Kernel, dtype: Dtype) -> Vec<Fill> {
    let uniform = |low, high| Distribution::Uniform { low, high };
    let normal = |mean, std| Distribution::Normal { mean, std };
    let cut = |mean, std, low, high| Distribution::TruncatedNormal { mean, std, low, high };
    let infinity = f64::INFINITY;
    let distributions = [
        Distribution::Constant { value: 0.1 },
        uniform(-0.05, 0.05),
        uniform(100.0, 100.5),
        uniform(-2e-30, 3e-30),
        normal(0.0, 0.02),
        normal(-3.0, 1.5),
        normal(0.0, 1e-38),
        normal(100.1, 0.001),
        cut(0.0, 0.02, -0.04, 0.04),
        cut(1.0, 2.0, -2.0, infinity),
        cut(0.0, 1.0, 5.0, infinity),
        cut(0.0, 1.0, -infinity, -10.0),
        cut(0.0, 1.0, -0.001, 0.001),
        cut(0.0, 1.0, 0.0, 3.0),
        cut(0.0, 1.0, 0.0, infinity),
        cut(1e-18, 1e-18, 0.0, 2e-18),
    ];
    let structured = if kernel.has_table() { structures(dtype) } else { Vec::new() };
    let streams = [
        Stream::named(42, "compilers"),
        Stream::tensorflow([-5, 1 << 40]),
        Stream::jax(JaxKey::from_data([1 << 8, 7])),
    ];
    let mut made: Vec<_> = streams
        .into_iter()
        .flat_map(|stream| distributions.map(|d| d.fill_range(0..1 << 40, stream, dtype)))
        .flatten()
        .chain(structured)
        .filter(|fill| fill.sampler.kernel() == kernel)
        .collect();
    if matches!(kernel, Kernel::Words | Kernel::ThreefryWords) {
        let mut words = distributions[0].fill_range(0..1 << 40, streams[0], dtype).unwrap();
        words.sampler = Sampler::Words(if kernel == Kernel::Words { Words::Philox(3) } else { Words::Threefry });
        made.push(words);
    }
    assert!(!made.is_empty(), "no distribution above reaches {kernel:?}");
    // Whole blocks for the first half of each; single elements, in parts that are less than a workgroup's, for the second; past
    // element 2^34.
    let half = (VALUES / 2).div_ceil(made.len() as u64).next_multiple_of(2048);
    let first = (1 << 34) - 2048;
    let parts = |fill: &Fill| {
        let words = (first + 1..first + 1 + half).step_by(2000);
        let parts = words.map(|start| start..(start + 2000).min(first + 1 + half));
        std::iter::once(first..first + half).chain(parts).map(|range| fill.elements(range).unwrap()).collect::<Vec<_>>()
    };
    made.iter().flat_map(parts).collect()
}

/// Structures that reach each kernel that has a table, in tensors of more elements than are drawn of them.
fn structures(dtype: Dtype) -> Vec<Fill> {
    let of = |scheme: &str, shape: &[u64], layout| {
        let distribution = scheme.parse::<Scheme>().unwrap().distribution(shape, layout).unwrap();
        distribution.fill_range(0..1 << 36, Stream::named(42, "compilers"), dtype).unwrap()
    };
    vec![
        of("identity:gain=0.3", &[300, 500], Layout::OUT_IN),
        of("dirac:groups=3", &[120, 50, 3, 3], Layout::OUT_IN),
        of("dirac:groups=2", &[3, 50, 120], Layout::IN_OUT),
        of("sparse:sparsity=0.7", &[1 << 18, 1 << 18], Layout::OUT_IN),
        of("sparse:sparsity=0.2,std=1e-38", &[1 << 19, 1 << 17], Layout::IN_OUT),
        of("arange:start=0.1,step=0.3,axis=0", &[1000, 70], Layout::OUT_IN),
        of("log_uniform:low=1e-3,high=0.1", &[1], Layout::OUT_IN),
    ]
}

/// A kernel's text in one way of writing, as naga writes it for Metal, made C++.
///
/// What a kernel has to ask is asked at run time where it writes words, as if it were one of its parameters.
fn cpp(variant: Variant, wide: bool) -> String {
    let wgsl = match variant.writes {
        Writes::Words => source(variant, wide, Rounding::ByGuards).replace("(asks &", "(params.numbers.asks &"),
        _ => source(variant, wide, Rounding::ByGuards),
    };
    translated(&wgsl, "main", &variant.constants())
}

/// An entry point of a text, made C++.
fn translated(wgsl: &str, entry: &str, constants: &[(&str, f64)]) -> String {
    use naga::back::{msl, pipeline_constants};
    use naga::valid::{Capabilities, ValidationFlags, Validator};
    let module = naga::front::wgsl::parse_str(wgsl).unwrap();
    let info = Validator::new(ValidationFlags::all(), Capabilities::all()).validate(&module).unwrap();
    let constants = constants.iter().map(|&(name, value)| (name.into(), value)).collect();
    let entry = (naga::ShaderStage::Compute, entry);
    let (module, info) = pipeline_constants::process_overrides(&module, &info, Some(entry), &constants).unwrap();
    let options = msl::Options { lang_version: (2, 3), fake_missing_bindings: true, ..Default::default() };
    let (metal, _) = msl::write_string(&module, &info, &options, &Default::default()).unwrap();
    let mut text = String::new();
    for line in metal.lines() {
        // Runtime-sized arrays, whose type says one element.
        let words: Vec<_> = line.split_whitespace().collect();
        match words[..] {
            ["#include" | "using", ..] => {}
            ["typedef", element, name] if name.ends_with("[1];") => {
                let _ = writeln!(text, "typedef array_of<{element}> {};", &name[..name.len() - 4]);
            }
            _ => text.extend([&single_precision(line), "\n"]),
        }
    }
    text
}

/// C++ takes a literal without f for a double.
fn single_precision(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let in_name = rest[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '.');
        let number = |c: char, before: char| c.is_ascii_alphanumeric() || c == '.' || "+-".contains(c) && before == 'e';
        let mut before = ' ';
        let length = rest[at..].find(|c| !number(c, std::mem::replace(&mut before, c))).unwrap_or(rest.len() - at);
        let (token, after) = rest[at..].split_at(length);
        let whole = token.starts_with("0x") || !token.contains(['.', 'e']) || token.ends_with('f');
        text.extend([&rest[..at], token, if whole || in_name { "" } else { "f" }]);
        rest = after;
    }
    text + rest
}

const DTYPES: [Dtype; 3] = [Dtype::F32, Dtype::F16, Dtype::BF16];

/// What a kernel's fills need: both ways of writing, the one with 16-bit pieces, the other with 64-bit integers and a variant for
/// what each fill has to ask.
fn variants(kernel: Kernel) -> Vec<(Variant, bool)> {
    let mut variants = Vec::new();
    for dtype in DTYPES {
        for fill in fills(kernel, dtype) {
            for writes in [Writes::Words, Writes::Blocks] {
                let variant = variant(&fill, writes);
                if !variants.contains(&variant) {
                    variants.push(variant);
                }
            }
        }
    }
    variants
}

fn variant(fill: &Fill, writes: Writes) -> (Variant, bool) {
    match writes {
        Writes::Words => (Variant { asks: 0, ..windows::variant(&fill.sampler, fill.dtype(), writes) }, false),
        _ => (windows::variant(&fill.sampler, fill.dtype(), writes), true),
    }
}

/// The type of a runtime-sized array's elements, and its own.
fn array<'a>(metal: &'a str, name: &str) -> Option<(&'a str, &'a str)> {
    let of = metal.lines().find_map(|line| {
        let (of, rest) = line.strip_prefix(", device ")?.split_once('&')?;
        (rest.split_whitespace().next() == Some(name)).then(|| of.trim_end_matches(" const").trim())
    })?;
    let elements =
        metal.lines().find_map(|line| line.strip_prefix("typedef array_of<")?.strip_suffix(&format!("> {of};")));
    Some((elements?, of))
}

fn program(kernel: Kernel) -> String {
    let mut text = String::from("#include \"harness.hpp\"\n#ifdef FLUSH\n#include <immintrin.h>\n#endif\n");
    let mut run = String::new();
    for (i, (variant, wide)) in variants(kernel).into_iter().enumerate() {
        let metal = cpp(variant, wide);
        let (element, name) = array(&metal, "elements").unwrap();
        let (table, more) = match array(&metal, "table") {
            Some((word, name)) => (format!("{name} words{{({word} *)table}};"), ", words"),
            None => (String::new(), ""),
        };
        // A table of parameters, of which this is the first row, or one.
        let given = metal.lines().find_map(|line| line.strip_prefix(", constant ")).unwrap().split('&').next().unwrap();
        let sizes = if metal.contains("_mslBufferSizes& _buffer_sizes") { ", sizes" } else { "" };
        let fields = if sizes.is_empty() { "" } else { "_mslBufferSizes sizes{uint(bytes)};" };
        let _ = write!(text, "namespace v{i} {{\n{metal}\n}}\n");
        let _ = writeln!(
            run,
            "case {i}: {{ using namespace v{i}; static_assert(sizeof(Params) == {}, \"as Params\");\n\
             static {given} params; memcpy((void *)&params, given, sizeof(Params)); {name} elements{{({element} *)place}}; {table} {fields}\n\
             for (uint j = 0; j < 64 * workgroups; j++) main_(metal::uint3(j, 0, 0), params, elements{more}{sizes}); break; }}",
            size_of::<Params>(),
        );
    }
    // A file of the buffer's size and of dispatches: variant, workgroups, place, parameters.
    let _ = write!(
        text,
        "static void dispatch(uint variant, uint workgroups, const char *given, char *place, size_t bytes, char *table) {{\n\
         switch (variant) {{\n{run}}}\n}}\n\
         int main(int, char **arguments) {{\n\
         #ifdef FLUSH\n_mm_setcsr(_mm_getcsr() | 0x8040);\n#endif\n\
         FILE *jobs = fopen(arguments[1], \"rb\");\n\
         uint64_t bytes;\n\
         if (!jobs || fread(&bytes, 8, 1, jobs) != 1) return 1;\n\
         char *buffer = (char *)aligned_alloc(64, (bytes + 63) / 64 * 64);\n\
         memset(buffer, 0, bytes);\n\
         struct {{ uint32_t variant, workgroups; uint64_t place; char params[{size}]; uint64_t table; }} job;\n\
         while (fread(&job, sizeof job, 1, jobs) == 1) {{\n\
         std::vector<char> table(job.table);\n\
         if (job.table && fread(table.data(), job.table, 1, jobs) != 1) return 1;\n\
         dispatch(job.variant, job.workgroups, job.params, buffer + job.place, bytes - job.place, table.data());\n}}\n\
         FILE *out = fopen(arguments[2], \"wb\");\n\
         return !out || fwrite(buffer, 1, bytes, out) != bytes || fclose(out);\n}}\n",
        size = size_of::<Params>(),
    );
    text
}

/// The dispatches of a kernel's fills as the program reads them, and the bytes that the CPU twin draws.
fn jobs(kernel: Kernel) -> (Vec<u8>, Vec<u8>) {
    let limits = Limits::new(&wgpu::Limits::defaults()).unwrap();
    let (mut dispatches, mut expected) = (Vec::new(), Vec::new());
    let variants = variants(kernel);
    for dtype in DTYPES {
        // Known answers are words.
        if matches!(kernel, Kernel::Words | Kernel::ThreefryWords) && dtype != Dtype::F32 {
            continue;
        }
        let mut blocks = false;
        for fill in fills(kernel, dtype) {
            let offset = expected.len() as u64;
            for Window { variant: Variant { writes, .. }, binding, params, workgroups, table } in
                split(&fill, u64::MAX, offset, &limits)
            {
                blocks |= writes == Writes::Blocks;
                let variant = variants.iter().position(|v| *v == variant(&fill, writes)).unwrap();
                dispatches.extend_from_slice(&(variant as u32).to_ne_bytes());
                dispatches.extend_from_slice(&workgroups.to_ne_bytes());
                dispatches.extend_from_slice(&binding.start.to_ne_bytes());
                dispatches.extend_from_slice(bytemuck::bytes_of(&params));
                let table: &[u8] = match &table {
                    Some(Slot::Words(words)) => bytemuck::cast_slice(words),
                    _ => &[],
                };
                dispatches.extend_from_slice(&(table.len() as u64).to_ne_bytes());
                dispatches.extend_from_slice(table);
            }
            expected.extend(cpu::bytes(&fill).unwrap());
        }
        assert!(blocks, "{kernel:?} {dtype}: both ways of writing are wanted");
    }
    let file = [&(expected.len() as u64).to_ne_bytes(), &dispatches[..]].concat();
    (file, expected)
}

/// The kernels of products of reflections, each with its buffers.
const REFLECTIONS: [(reflections::Kernel, &[&str]); 8] = [
    (reflections::BEND, &["drawn", "ends"]),
    (reflections::TURN, &["drawn", "ends", "reflections"]),
    (reflections::START, &["ends", "vectors"]),
    (reflections::SUMS, &["across", "rows", "lanes"]),
    (reflections::HALVES, &["lanes", "products"]),
    (reflections::TRIANGLE, &["products", "t"]),
    (reflections::TRANSFORM, &["products", "t", "through"]),
    (reflections::SUBTRACT, &["across", "vectors", "through"]),
];

/// A program that sends the vectors of a matrix through their reflections.
fn program_of_reflections() -> String {
    let mut text = String::from("#include \"harness.hpp\"\n#ifdef FLUSH\n#include <immintrin.h>\n#endif\n");
    let mut run = String::new();
    for (i, (reflections::Kernel(name, _), buffers)) in REFLECTIONS.iter().enumerate() {
        let metal = translated(&super::orthogonal(Rounding::ByGuards), name, &[]);
        let mut arguments = String::new();
        let mut made = String::new();
        // In the order of the function's own arguments.
        let mut placed: Vec<_> =
            buffers.iter().map(|&buffer| (metal.find(&format!("& {buffer} ")).unwrap(), buffer)).collect();
        placed.sort_unstable();
        for (_, buffer) in placed {
            let (element, array) = array(&metal, buffer).unwrap();
            let number = match buffer {
                "across" => "reflections",
                // Of the reflections, or of the vectors.
                "rows" => "(job.of_reflections ? reflections : vectors)",
                name => name,
            };
            let _ = write!(made, "{array} {buffer}_{{({element} *){number}}}; ");
            let _ = write!(arguments, ", {buffer}_");
        }
        let sizes = if metal.contains("_mslBufferSizes& _buffer_sizes") { ", sizes" } else { "" };
        let fields = if sizes.is_empty() { "" } else { "_mslBufferSizes sizes{};" };
        let _ = write!(text, "namespace v{i} {{\n{metal}\n}}\n");
        let _ = writeln!(
            run,
            "case {i}: {{ using namespace v{i}; static_assert(sizeof(Params) == {}, \"as Params\");\n\
             static Params params; memcpy((void *)&params, job.params, sizeof(Params)); {made} {fields}\n\
             for (uint y = 0; y < job.y; y++) for (uint x = 0; x < job.x; x++) {name}(metal::uint3(x, y, 0), params{arguments}{sizes});\n\
             break; }}",
            size_of::<reflections::Params>(),
        );
    }
    // A file of sizes and dispatches; before a block's first one its normals.
    let _ = write!(
        text,
        "int main(int, char **arguments) {{\n\
         #ifdef FLUSH\n_mm_setcsr(_mm_getcsr() | 0x8040);\n#endif\n\
         FILE *jobs = fopen(arguments[1], \"rb\");\n\
         uint64_t sizes[8];\n\
         if (!jobs || fread(sizes, sizeof sizes, 1, jobs) != 1) return 1;\n\
         char *buffers[8];\n\
         for (int i = 0; i < 8; i++) {{ buffers[i] = (char *)aligned_alloc(64, (sizes[i] + 127) / 64 * 64); memset(buffers[i], 0, sizes[i] + 64); }}\n\
         auto [drawn, ends, reflections, vectors, lanes, products, t, through] = buffers;\n\
         struct {{ uint32_t number, of_reflections, x, y; char params[{size}]; uint64_t normals; }} job;\n\
         while (fread(&job, sizeof job, 1, jobs) == 1) {{\n\
         if (job.normals && fread(drawn, job.normals, 1, jobs) != 1) return 1;\n\
         switch (job.number) {{\n{run}}}\n}}\n\
         FILE *out = fopen(arguments[2], \"wb\");\n\
         return !out || fwrite(vectors + 32, 1, sizes[3] - 32, out) != sizes[3] - 32 || fclose(out);\n}}\n",
        size = size_of::<reflections::Params>(),
    );
    text
}

/// The dispatches of a matrix of several blocks, and its vectors by the CPU.
fn reflections() -> (Vec<u8>, Vec<u8>) {
    const SIDES: [u64; 2] = [150, 333];
    let stream = Stream::named(42, "compilers");
    let scheme: Scheme = "orthogonal".parse().unwrap();
    let fill = scheme.fill(&SIDES, Layout::OUT_IN, stream, Dtype::F32).unwrap();
    let Sampler::Orthogonal(matrix) = &fill.sampler else { panic!("{fill:?}") };
    let geometry = Geometry::new(matrix);
    let panel = reflections::Panel { matrix: 0, numbers: 0..SIDES[0] };
    let (padded, places) = (geometry.padded as u64, SIDES[0]);
    let floats =
        [32 * geometry.stride(), 64, 32 * padded, 8 + places * padded, places * 1024, places * 32, 1024, places * 32];
    let mut file: Vec<u8> = floats.iter().flat_map(|floats| (4 * floats).to_ne_bytes()).collect();
    for block in (0..panel.blocks()).rev() {
        let tables = reflections::tables(&geometry, &panel, block);
        let unit = Distribution::Normal { mean: 0.0, std: 1.0 };
        let first = geometry.normals(0, 32 * block);
        let count = 32.min(SIDES[0] - 32 * block as u64);
        let normals = unit.fill_range(first..first + count * geometry.stride(), stream, Dtype::F32).unwrap();
        let mut normals = Some(cpu::bytes(&normals).unwrap());
        for reflections::Work { kernel, of_reflections, groups, size } in reflections::works(&tables[0]) {
            let number = REFLECTIONS.iter().position(|(known, _)| *known == kernel).unwrap();
            let normals = normals.take().unwrap_or_default();
            for word in [number as u32, of_reflections.into(), groups[0] as u32 * size, groups[1] as u32] {
                file.extend(word.to_ne_bytes());
            }
            file.extend_from_slice(bytemuck::bytes_of(&tables[usize::from(of_reflections)]));
            file.extend((normals.len() as u64).to_ne_bytes());
            file.extend(normals);
        }
    }
    // As they lie in a panel: each up to whole lanes.
    let vectors = cpu::vec::<f32>(&fill).unwrap();
    let mut expected = vec![0f32; (places * padded) as usize];
    for (vector, place) in vectors.chunks(geometry.len).zip(expected.chunks_mut(geometry.padded)) {
        place[..geometry.len].copy_from_slice(vector);
    }
    (file, bytemuck::cast_slice(&expected).to_vec())
}

/// Compiles and runs; gives how many words differ.
fn differences(folder: &Path, kernel: &str, number: usize, mode: &Mode, expected: &[u8]) -> usize {
    let of = |ending: &str| folder.join(format!("{kernel}{ending}"));
    let (program, drawn) = (of(&format!("-{number}")), of(&format!("-{number}.bytes")));
    let compile = Command::new(mode.compiler)
        .args(["-std=c++17", "-w", "-fno-strict-aliasing", "-I"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/gpu/kernels"))
        .args(mode.options.split(' '))
        .arg(of(".cpp"))
        .arg("-o")
        .arg(&program)
        .output();
    let output = compile.unwrap_or_else(|e| {
        panic!("{}: {e}; these tests need compilers: apt-get install clang g++, or run tests/run", mode.compiler)
    });
    assert!(output.status.success(), "{kernel}, {}: {}", mode.name, String::from_utf8_lossy(&output.stderr));
    let status = Command::new(&program).arg(of(".jobs")).arg(&drawn).status().unwrap();
    assert!(status.success(), "{kernel}, {}: {status}", mode.name);
    let bytes = fs::read(&drawn).unwrap();
    assert_eq!(bytes.len(), expected.len());
    bytes.chunks(4).zip(expected.chunks(4)).filter(|(a, b)| a != b).count()
}

/// A folder that is removed when it is no longer needed.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(target_arch = "x86_64")]
fn runs_here(mode: &Mode) -> bool {
    match mode.needs {
        "fma" => is_x86_feature_detected!("fma"),
        "avx2" => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
        "avx512f" => is_x86_feature_detected!("avx512dq") && is_x86_feature_detected!("avx512vl"),
        _ => true,
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn no_compiler_changes_a_bit() {
    let folder = Folder(env::temp_dir().join(format!("fanin-compilers-{}", process::id())));
    fs::create_dir_all(&folder.0).unwrap();
    let (mut expected, mut digests) = (Vec::new(), Vec::new());
    let mut add = |name: &str, (file, drawn): (Vec<u8>, Vec<u8>), program: String| {
        digests.extend([&file[..], &drawn, program.as_bytes()].map(Sha256::digest));
        fs::write(folder.0.join(format!("{name}.jobs")), file).unwrap();
        fs::write(folder.0.join(format!("{name}.cpp")), program).unwrap();
        expected.push((name.to_string(), drawn));
    };
    add("orthogonal", reflections(), program_of_reflections());
    Kernel::ALL.iter().for_each(|&kernel| add(kernel.name(), jobs(kernel), program(kernel)));
    let (here, elsewhere): (Vec<_>, Vec<_>) = MODES.iter().enumerate().partition(|(_, mode)| runs_here(mode));
    for (_, mode) in elsewhere {
        println!("this processor cannot run {}, {}", mode.name, mode.options);
    }
    // What most processors have is asked for.
    assert!(here.len() >= MODES.len() - 1, "these tests need a processor with AVX2");
    let harness = [include_str!("compilers.rs"), include_str!("harness.hpp")];
    let modes = here.iter().map(|(_, mode)| mode.name).chain(harness).map(str::as_bytes);
    let stamp = Stamp::new(
        "ten modes of two compilers",
        &["clang++", "g++"].map(version),
        modes.chain(digests.iter().map(|digest| &digest[..])),
    );
    if stamp.is_kept() {
        return;
    }
    let work = Mutex::new(expected.iter().flat_map(|kernel| here.iter().map(move |&mode| (kernel, mode))));
    let wrong = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let next = || work.lock().unwrap().next();
                while let Some(((kernel, expected), (number, mode))) = next() {
                    let different = differences(&folder.0, kernel, number, mode, expected);
                    if different > 0 {
                        wrong.lock().unwrap().push(format!("{kernel}, {}: {different} words", mode.name));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{wrong:#?}");
    stamp.keep();
}

/// The first line of what a compiler says about itself.
fn version(compiler: &str) -> String {
    let output = Command::new(compiler).arg("--version").output().unwrap_or_else(|e| {
        panic!("{compiler}: {e}; these tests need compilers: apt-get install clang g++, or run tests/run")
    });
    String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().into()
}
