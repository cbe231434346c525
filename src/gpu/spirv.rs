//! Kernels as SPIR-V in which each f32 operation is marked `NoContraction`, so that no compiler may combine it with another one.

use naga::back::{pipeline_constants, spv};
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{ResourceBinding, ShaderStage, front};
use spirv::{Decoration, Op};

use super::compile::Entry;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The words of a marked module.
pub(super) fn marked(entry: &Entry<'_>, wide: bool) -> Result<Vec<u32>, Failure> {
    let mut words = written(entry, wide)?;
    mark(&mut words);
    Ok(words)
}

/// The words that naga writes of an entry point.
pub(super) fn written(entry: &Entry<'_>, wide: bool) -> Result<Vec<u32>, Failure> {
    let module = front::wgsl::parse_str(entry.wgsl).map_err(|e| e.emit_to_string(entry.wgsl))?;
    let capabilities = if wide { Capabilities::SHADER_INT64 } else { Capabilities::empty() };
    let info = Validator::new(ValidationFlags::all(), capabilities).validate(&module)?;
    let constants = entry.constants.iter().map(|&(name, value)| (name.into(), value)).collect();
    let stage = (ShaderStage::Compute, entry.name);
    let (module, info) = pipeline_constants::process_overrides(&module, &info, Some(stage), &constants)?;
    let options = spv::Options {
        // Every version of Vulkan takes it.
        lang_version: (1, 0),
        flags: spv::WriterFlags::empty(),
        fake_missing_bindings: false,
        binding_map: binding_map(entry.bindings),
        bounds_check_policies: BoundsCheckPolicies {
            index: BoundsCheckPolicy::Restrict,
            buffer: BoundsCheckPolicy::Restrict,
            ..Default::default()
        },
        // Workgroup memory that is read was written before.
        zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
        // Each of the kernels' loops ends: it counts, takes a bit of a word away each time, or walks a permutation back.
        force_loop_bounding: false,
        ..Default::default()
    };
    let pipeline = spv::PipelineOptions { shader_stage: stage.0, entry_point: stage.1.into() };
    Ok(spv::write_vec(&module, &info, &options, Some(&pipeline))?)
}

/// wgpu counts a layout's bindings from 0 on, in their order.
fn binding_map(bindings: &[u32]) -> spv::BindingMap {
    let place = |(binding, &number): (usize, &u32)| {
        let info = spv::BindingInfo { descriptor_set: 0, binding: binding as u32, binding_array_size: None };
        (ResourceBinding { group: 0, binding: number }, info)
    };
    bindings.iter().enumerate().map(place).collect()
}

/// True if an instruction is an operation that a compiler might combine: kernels have no others of f32.
fn is_marked(op: Op) -> bool {
    matches!(op, Op::FNegate | Op::FAdd | Op::FSub | Op::FMul | Op::VectorTimesScalar)
}

/// Decorates the result of each f32 operation with `NoContraction`.
fn mark(words: &mut Vec<u32>) {
    let results = instructions(words).filter(|(_, op, _)| is_marked(*op)).map(|(_, _, operands)| operands[1]);
    let decoration = |id| [3 << 16 | Op::Decorate as u32, id, Decoration::NoContraction as u32];
    let decorations: Vec<u32> = results.flat_map(decoration).collect();
    // Decorations end where types begin.
    let types =
        instructions(words).find(|(_, op, _)| (Op::TypeVoid as u32..=Op::TypeFunction as u32).contains(&(*op as u32)));
    let end = types.map_or(words.len(), |(at, ..)| at);
    words.splice(end..end, decorations);
}

/// Words before the first instruction.
const HEADER: usize = 5;

/// Each instruction: where it begins, what it is, and its operands (of an operation: its type, its result, and what it takes).
fn instructions(words: &[u32]) -> impl Iterator<Item = (usize, Op, &[u32])> {
    let mut at = HEADER;
    std::iter::from_fn(move || {
        let first = *words.get(at)?;
        let (start, len) = (at, (first >> 16).max(1) as usize);
        at += len;
        Some((start, Op::from_u32(first & 0xffff).unwrap_or(Op::Nop), words.get(start + 1..at)?))
    })
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::HashSet;

    use super::super::features::Rounding;
    use super::super::kernels::{self, Variant, Writes, orthogonal};
    use super::super::program::Program;
    use super::super::reflections::KERNELS;
    use super::*;
    use crate::Dtype;
    use crate::kernel::Kernel;

    /// The words that the language's way hands to a device: of a kernel, and of one of products of reflections.
    pub fn of_variant(variant: Variant, wide: bool) -> Vec<u32> {
        let program = Program::Draw(variant, Rounding::ByLanguage);
        let (text, constants, bindings) = (program.wgsl(wide), program.constants(), program.bindings().numbers());
        let entry = Entry { wgsl: &text, name: program.entry(), constants: &constants, bindings: &bindings };
        marked(&entry, wide).unwrap()
    }

    pub fn of_reflections(name: &str, bindings: &[u32]) -> Vec<u32> {
        let bindings = [&[0], bindings].concat();
        let entry = Entry { wgsl: &orthogonal(Rounding::ByLanguage), name, constants: &[], bindings: &bindings };
        marked(&entry, false).unwrap()
    }

    /// True if an instruction hands an f32 on as it is, or makes one without rounding: guards.rs reads that integers have at most 24
    /// bits, and that no function is called but `abs`.
    fn is_exact(op: Op) -> bool {
        let constants = matches!(op, Op::Constant | Op::ConstantComposite | Op::ConstantNull);
        let parts =
            matches!(op, Op::CompositeConstruct | Op::CompositeExtract | Op::VectorExtractDynamic | Op::VectorShuffle);
        let calls = matches!(op, Op::ExtInst | Op::Function | Op::FunctionCall | Op::FunctionParameter);
        let conversions = matches!(op, Op::Bitcast | Op::ConvertSToF | Op::ConvertUToF);
        constants || parts || calls || conversions || matches!(op, Op::Load | Op::Phi | Op::Select)
    }

    /// Instructions that make an f32, or a vector of them, by an operation that has no mark, or that kernels may not have; and how many
    /// have a mark.
    fn read(words: &[u32]) -> (Vec<Op>, usize) {
        const F_ABS: u32 = 4;
        let (mut floats, mut marks) = (HashSet::new(), HashSet::new());
        let (mut wrong, mut right) = (Vec::new(), 0);
        for (_, op, operands) in instructions(words) {
            match (op, operands) {
                (Op::Decorate, &[id, decoration]) if decoration == Decoration::NoContraction as u32 => {
                    assert!(marks.insert(id), "{id} is marked twice");
                }
                (Op::TypeFloat, &[id, ..]) => assert!(floats.insert(id)),
                (Op::TypeVector, &[id, of, _]) if floats.contains(&of) => assert!(floats.insert(id)),
                (Op::ExtInst, &[ty, _, _, function, ..]) if floats.contains(&ty) && function != F_ABS => wrong.push(op),
                (_, &[ty, id, ..]) if floats.contains(&ty) => match (is_exact(op), marks.contains(&id)) {
                    (true, false) => {}
                    (false, true) if is_marked(op) => right += 1,
                    _ => wrong.push(op),
                },
                _ => {}
            }
        }
        wrong.extend((marks.len() != right).then_some(Op::Decorate));
        (wrong, right)
    }

    #[test]
    fn every_operation_of_f32_is_marked_and_nothing_else() {
        for (variant, wide) in kernels::all(true) {
            let (wrong, right) = read(&of_variant(variant, wide));
            assert!(wrong.is_empty(), "{variant:?}: {wrong:?}");
            // Words and tables have none.
            assert!(right > 0 || variant.asks == 0, "{variant:?}");
        }
        for kernel in KERNELS {
            let (wrong, _) = read(&of_reflections(kernel.0, kernel.1));
            assert!(wrong.is_empty(), "{kernel:?}: {wrong:?}");
        }
    }

    /// Takes out each mark of each kernel, one after the other, and makes each addition a quotient: the reading above must tell.
    #[test]
    fn a_mark_that_is_taken_out_is_missed() {
        let words = |&kernel: &Kernel| {
            of_variant(Variant { kernel, asks: 31, dtype: Dtype::F32, writes: Writes::Words }, false)
        };
        let of_reflections = KERNELS.iter().map(|kernel| of_reflections(kernel.0, kernel.1));
        let mut taken = 0;
        for words in Kernel::ALL.iter().map(words).chain(of_reflections) {
            let places: Vec<_> =
                instructions(&words).map(|(at, op, operands)| (at, op, operands.last().copied())).collect();
            for (at, op, last) in places {
                let mut wrong = words.clone();
                match op {
                    Op::Decorate if last == Some(Decoration::NoContraction as u32) => drop(wrong.drain(at..at + 3)),
                    Op::FAdd => wrong[at] = wrong[at] & 0xffff_0000 | Op::FDiv as u32,
                    _ => continue,
                }
                assert_eq!(read(&wrong).0.len(), 1 + usize::from(op == Op::FAdd), "{op:?} at {at}");
                taken += 1;
            }
        }
        assert!(taken > 300, "{taken}");
    }
}
