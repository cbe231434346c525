//! Kernels that send vectors through reflections, as `shaders/orthogonal.wgsl` has them: their parameters, and how often each runs.

use std::ops::Range;

use bytemuck::{Pod, Zeroable};

#[cfg(test)]
use super::features::Rounding;
use crate::kernel::table::HEAD;
use crate::kernel::{BLOCK, Geometry};

/// The parameters of a kernel, in the order of `Params` in the shader.
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Params {
    zero: u32,
    sign: u32,
    first: u32,
    pub count: u32,
    len: u32,
    padded: u32,
    stride: u32,
    number: u32,
    from_place: u32,
    to_place: u32,
    row_at: u32,
    per_row: u32,
    per_coordinate: u32,
    padding: [u32; 3],
    numbers: [f32; 4],
}

/// A kernel of the shader: its entry point, and which of the buffers it binds, by the shader's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Kernel(pub &'static str, pub &'static [u32]);

pub(super) const BEND: Kernel = Kernel("bend", &[1, 2]);
pub(super) const TURN: Kernel = Kernel("turn", &[1, 2, 3]);
pub(super) const START: Kernel = Kernel("start", &[2, 5]);
pub(super) const SUMS: Kernel = Kernel("sums", &[4, 6, 7]);
pub(super) const HALVES: Kernel = Kernel("halves", &[7, 8]);
pub(super) const TRIANGLE: Kernel = Kernel("triangle", &[8, 9]);
pub(super) const TRANSFORM: Kernel = Kernel("transform", &[8, 9, 10]);
pub(super) const SUBTRACT: Kernel = Kernel("subtract", &[4, 5, 10]);

pub(super) const KERNELS: [Kernel; 8] = [BEND, TURN, START, SUMS, HALVES, TRIANGLE, TRANSFORM, SUBTRACT];

/// The bindings of the shader that are only read.
pub(super) const READ_ONLY: [u32; 2] = [4, 6];

/// Vectors of one matrix that are worked on together.
pub(super) struct Panel {
    /// The number of the matrix in the tensor.
    pub matrix: u64,
    /// The first vector's number, and how many there are.
    pub numbers: Range<u64>,
}

impl Panel {
    /// The number of blocks of reflections of the last vector.
    pub fn blocks(&self) -> usize {
        (self.numbers.end - 1) as usize / BLOCK + 1
    }
}

/// The parameters of a block's dispatches: of the vectors, and of the reflections themselves.
pub(super) fn tables(geometry: &Geometry, panel: &Panel, block: usize) -> [Params; 2] {
    let Geometry { count, len, padded } = *geometry;
    let first = block * BLOCK;
    let of_vectors = Params {
        sign: 1 << 31,
        first: first as u32,
        count: BLOCK.min(count - first) as u32,
        len: len as u32,
        padded: padded as u32,
        stride: geometry.stride() as u32,
        number: panel.numbers.start as u32,
        from_place: (first as u64).saturating_sub(panel.numbers.start) as u32,
        to_place: (panel.numbers.end - panel.numbers.start) as u32,
        row_at: HEAD as u32,
        per_row: padded as u32,
        per_coordinate: 1,
        ..Params::default()
    };
    let of_reflections = Params {
        from_place: 0,
        to_place: BLOCK as u32,
        row_at: 0,
        per_row: 1,
        per_coordinate: BLOCK as u32,
        ..of_vectors
    };
    [of_vectors, of_reflections]
}

/// One dispatch of a block: how many workgroups, and how many invocations each has.
pub(super) struct Work {
    pub kernel: Kernel,
    pub of_reflections: bool,
    pub groups: [u64; 2],
    #[cfg_attr(not(test), allow(dead_code))]
    pub size: u32,
}

/// A block's dispatches once its normals are drawn, each of which sees what those before it wrote.
pub(super) fn works(of_vectors: &Params) -> [Work; 10] {
    let left = u64::from(of_vectors.padded - of_vectors.first);
    let working = u64::from(of_vectors.to_place - of_vectors.from_place);
    let per_lane = |places: u64| [(places * BLOCK as u64).div_ceil(64), 1];
    // Two vectors each, and four.
    let sums = |places: u64| per_lane(places.div_ceil(2));
    let subtract = [left.div_ceil(64), working.div_ceil(4)];
    let block = BLOCK as u64;
    [
        (BEND, false, [1, 1], 32),
        (TURN, false, per_lane(left), 64),
        (START, false, [1, 1], 32),
        (SUMS, true, sums(block), 64),
        (HALVES, true, per_lane(block), 64),
        (TRIANGLE, true, [1, 1], 32),
        (SUMS, false, sums(working), 64),
        (HALVES, false, per_lane(working), 64),
        (TRANSFORM, false, per_lane(working), 64),
        (SUBTRACT, false, subtract, 64),
    ]
    .map(|(kernel, of_reflections, groups, size)| Work { kernel, of_reflections, groups, size })
}

/// The text of a kernel that does nothing, as of a compiler that has its own ideas.
#[cfg(test)]
pub(super) fn mistaken(kernel: Kernel, rounding: Rounding) -> String {
    let entry = format!("fn {}(@builtin(global_invocation_id) invocation: vec3<u32>) {{", kernel.0);
    let text = super::kernels::orthogonal(rounding);
    assert!(text.contains(&entry), "{entry}");
    text.replace(&entry, &format!("{entry} if invocation.x != 0xffffffffu {{ return; }}"))
}
