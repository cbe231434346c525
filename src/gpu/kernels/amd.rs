//! Proof by a real GPU's compiler: what Mesa's RADV makes of the kernels for AMD's, which it does without one.

use std::collections::HashMap;
use std::io::Write as _;
use std::process::Command;
use std::{env, path::Path};

use sha2::{Digest, Sha256};

use super::stamp::Stamp;
use super::{Rounding, all, source};
use crate::gpu::{reflections, spirv};

/// Where Debian and others have the driver.
const DRIVER: &str = "/usr/share/vulkan/icd.d/radeon_icd.x86_64.json";
/// Begins what the driver says about a kernel.
const MARK: &str = "fanin kernel ";
/// What is compiled: for a GPU (of three instruction sets), kernels that keep their rounding so, in both ways of multiplying, or without
/// 64-bit integers alone.
const RUNS: [(&str, Rounding, bool); 5] = [
    ("NAVI21", Rounding::ByGuards, true),
    ("VEGA20", Rounding::ByGuards, false),
    ("NAVI21", Rounding::ByLanguage, true),
    ("GFX1100", Rounding::ByLanguage, false),
    ("VEGA20", Rounding::ByLanguage, false),
];
/// Set for the process that compiles, whose driver reads its environment when it is loaded: to the number of the run.
const CHILD: &str = "FANIN_TEST_AMD";

fn guarded(wgsl: &str, entry: &str, constants: &[(&str, f64)]) -> Vec<u32> {
    use naga::back::{pipeline_constants, spv};
    use naga::valid::{Capabilities, ValidationFlags, Validator};
    let module = naga::front::wgsl::parse_str(wgsl).unwrap();
    let info = Validator::new(ValidationFlags::all(), Capabilities::all()).validate(&module).unwrap();
    let constants = constants.iter().map(|&(name, value)| (name.into(), value)).collect();
    let entry = (naga::ShaderStage::Compute, entry);
    let (module, info) = pipeline_constants::process_overrides(&module, &info, Some(entry), &constants).unwrap();
    let options = spv::Options { lang_version: (1, 3), ..Default::default() };
    let pipeline = spv::PipelineOptions { shader_stage: entry.0, entry_point: entry.1.into() };
    spv::write_vec(&module, &info, &options, Some(&pipeline)).unwrap()
}

/// Every kernel that is compiled: a label, SPIR-V, and the entry point.
fn codes(rounding: Rounding, both: bool) -> impl Iterator<Item = (String, Vec<u32>, &'static str)> {
    let of_variants = all(both).map(move |(variant, wide)| {
        let code = match rounding {
            Rounding::ByGuards => guarded(&source(variant, wide, rounding), "main", &variant.constants()),
            Rounding::ByLanguage => spirv::tests::of_variant(variant, wide),
        };
        (format!("{variant:?} {wide}"), code, "main")
    });
    let of_reflections = reflections::KERNELS.iter().map(move |&reflections::Kernel(name, bindings)| {
        let code = match rounding {
            Rounding::ByGuards => guarded(&super::orthogonal(rounding), name, &[]),
            Rounding::ByLanguage => spirv::tests::of_reflections(name, bindings),
        };
        (format!("orthogonal {name}"), code, name)
    });
    of_variants.chain(of_reflections)
}

/// Has every kernel compiled in this process, by Vulkan's own functions: wgpu wants a device that can run, too.
#[allow(unsafe_code)]
fn compile_all(rounding: Rounding, both: bool) {
    use ash::vk;
    // SAFETY: calls as Vulkan has them, with structures that live until their call returns; the process ends soon after,
    // and gives back what they made.
    unsafe {
        let entry = ash::Entry::load().expect("Vulkan's loader: apt-get install libvulkan1");
        let application = vk::ApplicationInfo::default().api_version(vk::API_VERSION_1_2);
        let about = vk::InstanceCreateInfo::default().application_info(&application);
        let instance = entry.create_instance(&about, None).unwrap();
        let physical = instance.enumerate_physical_devices().unwrap()[0];
        let queues = [vk::DeviceQueueCreateInfo::default().queue_priorities(&[1.0])];
        let features = vk::PhysicalDeviceFeatures::default().shader_int64(true);
        let about = vk::DeviceCreateInfo::default().queue_create_infos(&queues).enabled_features(&features);
        let device = instance.create_device(physical, &about, None).unwrap();
        let binding = |binding, kind| {
            let stage = vk::ShaderStageFlags::COMPUTE;
            let about = vk::DescriptorSetLayoutBinding::default().binding(binding).descriptor_type(kind);
            about.descriptor_count(1).stage_flags(stage)
        };
        let mut bindings = vec![binding(0, vk::DescriptorType::UNIFORM_BUFFER_DYNAMIC)];
        bindings.extend((1..=10).map(|number| binding(number, vk::DescriptorType::STORAGE_BUFFER)));
        let about = vk::DescriptorSetLayoutCreateInfo::default().bindings(&bindings);
        let layouts = [device.create_descriptor_set_layout(&about, None).unwrap()];
        let about = vk::PipelineLayoutCreateInfo::default().set_layouts(&layouts);
        let layout = device.create_pipeline_layout(&about, None).unwrap();
        for (label, code, entry) in codes(rounding, both) {
            let entry = std::ffi::CString::new(entry).unwrap();
            let module = device.create_shader_module(&vk::ShaderModuleCreateInfo::default().code(&code), None).unwrap();
            let stage = vk::PipelineShaderStageCreateInfo::default().stage(vk::ShaderStageFlags::COMPUTE);
            let stage = stage.module(module).name(&entry);
            let about = [vk::ComputePipelineCreateInfo::default().layout(layout).stage(stage)];
            writeln!(std::io::stderr(), "\n{MARK}{label}").unwrap();
            device.create_compute_pipelines(vk::PipelineCache::null(), &about, None).unwrap();
        }
    }
}

/// The factors whose products are exact: powers of two, times parts of words; and the high part of ln 2, of 14 bits, times an
/// exponent.
const EXACT: [&str; 4] = ["0x47800000", "0x48000000", "0x38000000", "0x3f317200"];

/// The fused multiply-adds of one kernel, and those among them of a product that need not be exact. `v_mad` rounds the product, too:
/// two operations in one instruction, which guards keep apart all the same.
fn fused(assembly: &str, rounding: Rounding) -> (usize, Vec<String>) {
    let (mut count, mut wrong) = (0, Vec::new());
    // What scalar registers hold, where it is a literal or a parameter's place.
    let mut known = HashMap::<usize, String>::new();
    let lines = assembly.lines().filter_map(|line| line.strip_prefix('\t'));
    // Two instructions in one have their own operands.
    for code in lines.flat_map(|line| line.split(';').next().unwrap_or("").split(" :: ")) {
        let code = code.trim();
        let (name, operands) = code.split_once(' ').unwrap_or((code, ""));
        let operands: Vec<_> = operands.split(", ").map(str::trim).collect();
        if name.starts_with("s_") {
            for (place, register) in registers(operands[0]).enumerate() {
                known.remove(&register);
                if name == "s_mov_b32" {
                    known.insert(register, operands[1].into());
                } else if name == "s_brev_b32"
                    && let Ok(reversed) = operands[1].parse::<u32>()
                {
                    known.insert(register, format!("{:#x}", reversed.reverse_bits()));
                } else if name.starts_with("s_buffer_load") {
                    // `0x40`, or `s5 offset:0x40`, where a register has the row of a table.
                    let from = operands[2].rsplit("offset:").next().and_then(|from| from.strip_prefix("0x"));
                    let from = from.map_or(0, |from| usize::from_str_radix(from, 16).unwrap());
                    known.insert(register, format!("parameter {}", from + 4 * place));
                }
            }
        }
        let begins = |starts: &[&str]| starts.iter().any(|start| name.replace("v_dual_", "v_").starts_with(start));
        let is_mad = begins(&["v_mad_f", "v_mac_f", "v_madak_f", "v_madmk_f"]);
        if begins(&["v_fma", "v_pk_fma", "v_dot"]) || is_mad && rounding == Rounding::ByGuards {
            count += 1;
            let exact = |operand: &&str| {
                let value = registers(operand).next().and_then(|r| known.get(&r)).map_or(*operand, String::as_str);
                EXACT.contains(&value)
            };
            // In v_fmamk the constant stands second, in all others the product's factors come first.
            if !operands.iter().skip(1).take(2).any(exact) {
                wrong.push(code.to_string());
            }
        }
    }
    (count, wrong)
}

/// The numbers of a scalar operand's registers: `s7`, or `s[8:11]`.
fn registers(operand: &str) -> std::ops::Range<usize> {
    let number = |text: &str| text.parse::<usize>().ok();
    let of = || {
        let rest = operand.strip_prefix('s')?;
        if let Some(both) = rest.strip_prefix('[') {
            let (first, last) = both.strip_suffix(']')?.split_once(':')?;
            return Some(number(first)?..number(last)? + 1);
        }
        let one = number(rest)?;
        Some(one..one + 1)
    };
    of().unwrap_or(0..0)
}

#[test]
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn amds_compiler_fuses_exact_products_alone() {
    if let Ok(number) = env::var(CHILD) {
        let (_, rounding, both) = RUNS[number.parse::<usize>().unwrap()];
        return compile_all(rounding, both);
    }
    assert!(Path::new(DRIVER).exists(), "no {DRIVER}: apt-get install mesa-vulkan-drivers, or run tests/run");
    let both_ways = [Rounding::ByGuards, Rounding::ByLanguage].into_iter().flat_map(|rounding| codes(rounding, true));
    let texts = both_ways.flat_map(|(_, code, _)| code).flat_map(u32::to_le_bytes).collect::<Vec<_>>();
    let proof =
        format!("exact products on {}", RUNS.map(|(family, rounding, _)| format!("{family} {rounding}")).join(", "));
    let stamp = Stamp::new(&proof, &[driver()], [&texts[..], include_bytes!("amd.rs")]);
    if stamp.is_kept() {
        return;
    }
    let test = "gpu::kernels::amd::amds_compiler_fuses_exact_products_alone";
    for (number, (family, rounding, both)) in RUNS.into_iter().enumerate() {
        let family = format!("{family} {rounding}");
        let output = Command::new(env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(CHILD, number.to_string())
            .envs([("VK_DRIVER_FILES", DRIVER), ("VK_ICD_FILENAMES", DRIVER)])
            .envs([("RADV_FORCE_FAMILY", RUNS[number].0), ("RADV_DEBUG", "shaders,nocache")])
            .env_remove("VK_ADD_DRIVER_FILES")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{family}: {}", &said[said.len().saturating_sub(2000)..]);
        let (mut compiled, mut total, mut wrong) = (0, 0, Vec::new());
        for kernel in said.split(MARK).skip(1) {
            let name = kernel.lines().next().unwrap_or("");
            let (_, assembly) = kernel.split_once("\ndisasm:\n").unwrap_or_else(|| panic!("{family}, {name}: no text"));
            let (count, not_exact) = fused(assembly, rounding);
            compiled += 1;
            total += count;
            wrong.extend(not_exact.into_iter().map(|code| format!("{family}, {name}: {code}")));
        }
        assert_eq!(compiled, all(both).count() + reflections::KERNELS.len(), "{family}");
        // That some are fused shows that they are found; of what is marked, ACO fuses next to none.
        let least = if rounding == Rounding::ByGuards { 100 } else { 0 };
        assert!(
            wrong.is_empty() && total >= least,
            "{family}: {total} fused, of no exact product:\n{}",
            wrong.join("\n")
        );
        println!("{family}: {compiled} kernels, {total} fused multiply-adds, each of an exact product");
    }
    stamp.keep();
}

/// The driver's library, by its bytes.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn driver() -> String {
    let about: serde_json::Value = serde_json::from_slice(&std::fs::read(DRIVER).unwrap()).unwrap();
    let library = about["ICD"]["library_path"].as_str().unwrap();
    // A relative path is searched for as libraries are.
    let library = ["", "/usr/lib/x86_64-linux-gnu/", "/usr/lib64/"].map(|folder| format!("{folder}{library}"));
    let library = library.iter().find_map(|path| std::fs::read(path).ok()).expect("the library that the driver names");
    let digest: String = Sha256::digest(library)[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("RADV {digest}")
}

/// A product that need not be exact is found, also where a register held an exact factor before.
#[test]
fn a_fused_product_that_is_rounded_is_found() {
    let exact = "\ts_mov_b32 s19, 0x47800000   ; be\n\tv_fmac_f32_e32 v2, s19, v7 ; 56\n";
    let fused = |assembly: &str| fused(assembly, Rounding::ByGuards);
    assert_eq!(fused(exact), (1, Vec::new()));
    for wrong in ["\ts_mov_b32 s19, 1.0 ; be\n", "\ts_buffer_load_dwordx4 s[16:19], s[8:11], 0x50 ; f4\n"] {
        assert_eq!(fused(&[exact, wrong, exact.lines().nth(1).unwrap()].concat()).1, ["v_fmac_f32_e32 v2, s19, v7"]);
    }
    assert_eq!(fused("\tv_fma_f32 v1, v2, v3, v4 ; d5\n").1.len(), 1);
    assert_eq!(
        fused("\tv_dual_mul_f32 v1, v2, v3 :: v_dual_fmac_f32 v4, v5, v6 ; c8\n").1,
        ["v_dual_fmac_f32 v4, v5, v6"]
    );
    let mad = "\tv_mad_f32 v1, v2, v3, v4 ; d1\n";
    assert_eq!((fused(mad).0, self::fused(mad, Rounding::ByLanguage).0), (1, 0));
}
