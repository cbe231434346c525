//! The probe on a GPU: kernels of `shaders/probe.wgsl`. Weights are drawn into the one buffer that the next product reads.

use std::sync::LazyLock;

use super::activation::Activation;
use super::layer::BINS;
use super::measure::{Backend, Slope, Unit};
use super::network::Probe;
use crate::gpu::given::Given;
use crate::gpu::program::{Access, Other, Program};
use crate::gpu::recording::{Dispatch, Step};
use crate::gpu::wgpu::{Buffer, BufferUsages};
use crate::gpu::{GpuFiller, Target};
use crate::{Dtype, Error, ErrorKind, Fill};

/// The same numbers as in the kernels.
#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    width: u32,
    batch: u32,
    scale: f32,
    slope: f32,
    low: f32,
    high: f32,
    activation: u32,
    unused: u32,
}

/// The kernels' text.
static WGSL: LazyLock<String> =
    LazyLock::new(|| format!("const BINS = {BINS}u;\n{}", include_str!("../../shaders/probe.wgsl")));

const WEIGHT: (u32, Access) = (1, Access::Read);
const LAST: (u32, Access) = (2, Access::Read);
const NEXT: (u32, Access) = (3, Access::Write);
const PRE: (u32, Access) = (4, Access::Write);
const BIAS: (u32, Access) = (5, Access::Read);
const MEASURED: (u32, Access) = (6, Access::Write);
const COUNTS: (u32, Access) = (7, Access::Write);

/// A kernel of the text: its entry point, the value of a constant, and its bindings.
fn kernel(name: &'static str, constant: Option<(&'static str, u32)>, bindings: &'static [(u32, Access)]) -> Program {
    Program::Other(Other { name, wgsl: &WGSL, constant, parameters: size_of::<Params>(), bindings })
}

/// A run of a kernel, on those of the buffers that it has bindings for: each has its number.
fn dispatch(program: &Program, params: &Params, given: &Given, buffers: &[(u32, &Buffer)], [x, y]: [u64; 2]) -> Step {
    let buffer = |number: u32| buffers.iter().find(|(binding, _)| *binding == number);
    let bindings = program.bindings().buffers.into_iter();
    Step::Dispatch(Dispatch {
        program: *program,
        parameters: bytemuck::bytes_of(params).to_vec(),
        buffers: bindings
            .filter_map(|(number, ..)| buffer(number))
            .map(|(_, buffer)| (given.slot(buffer), None))
            .collect(),
        groups: [x as u32, y as u32],
    })
}

/// The probe's buffers and kernels.
pub(super) struct Gpu<'a> {
    filler: &'a GpuFiller,
    params: Params,
    forward: Program,
    backward: Program,
    count: Program,
    product: Program,
    transposed: Program,
    weight: Buffer,
    bias: Buffer,
    /// All layers' pre-activations.
    pre: Vec<Buffer>,
    last: Buffer,
    next: Buffer,
    measured: Buffer,
    counts: Buffer,
}

/// Bytes of a float.
const F32: u64 = 4;
/// Rows and columns of a workgroup's part of a product.
const TILE: u64 = 64;

impl<'a> Gpu<'a> {
    pub fn new(probe: &Probe, filler: &'a GpuFiller) -> Result<Gpu<'a>, Error> {
        let (width, batch) = (probe.width, probe.batch);
        let limits = filler.device().limits();
        bindable(filler, width * width.max(batch) * F32)?;
        let groups = u64::from(limits.max_compute_workgroups_per_dimension);
        if width > groups {
            return Err(Error::new(
                ErrorKind::DeviceLimit,
                "the width",
                width,
                format!("at most {groups} on this device"),
            ));
        }
        let (activation, slope) = numbers(probe.activation);
        let buffer = |name, elements, usage| buffer(filler, name, elements, usage);
        let none = BufferUsages::empty();
        let pre = (0..probe.depth).map(|_| buffer("pre-activations", width * batch, none));
        Ok(Gpu {
            filler,
            params: Params {
                width: width as u32,
                batch: batch as u32,
                scale: 1.0,
                slope,
                low: 0.0,
                high: 0.0,
                activation,
                unused: 0,
            },
            forward: kernel("forward", None, &[NEXT, PRE, BIAS, MEASURED]),
            backward: kernel("backward", None, &[NEXT, PRE, MEASURED]),
            count: kernel("count", None, &[NEXT, COUNTS]),
            product: kernel("multiply", Some(("transposed", 0)), &[WEIGHT, LAST, NEXT]),
            transposed: kernel("multiply", Some(("transposed", 1)), &[WEIGHT, LAST, NEXT]),
            weight: buffer("weight", width * width, none)?,
            // Zeros, as all new buffers hold, until something is drawn.
            bias: buffer("bias", width, none)?,
            pre: pre.collect::<Result<_, _>>()?,
            last: buffer("last", width * batch, none)?,
            next: buffer("next", width * batch, none)?,
            measured: buffer("measured", width * (size_of::<Unit>() as u64 / F32), BufferUsages::COPY_SRC)?,
            counts: buffer("counts", BINS as u64, BufferUsages::COPY_SRC | BufferUsages::COPY_DST)?,
        })
    }

    /// The buffers of a layer, by the numbers of their bindings.
    fn buffers(&self, layer: usize) -> [(u32, &Buffer); 7] {
        [
            (WEIGHT.0, &self.weight),
            (LAST.0, &self.last),
            (NEXT.0, &self.next),
            (PRE.0, &self.pre[layer]),
            (BIAS.0, &self.bias),
            (MEASURED.0, &self.measured),
            (COUNTS.0, &self.counts),
        ]
    }

    /// Draws into buffers, and then runs kernels on those of a layer, each by so many workgroups, with the parameters as they are.
    fn submit(&self, draw: &[(&Fill, &Buffer)], layer: usize, kernels: &[(&Program, [u64; 2])]) -> Result<(), Error> {
        let buffers = self.buffers(layer);
        let given = Given::new(buffers.iter().map(|(_, buffer)| *buffer));
        let targets: Vec<_> = draw.iter().map(|(fill, buffer)| Target::new(fill, buffer, 0)).collect();
        let run = |(program, groups): &(&Program, _)| dispatch(program, &self.params, &given, &buffers, *groups);
        self.filler.submit_with(&targets, &given, kernels.iter().map(run).collect())
    }

    fn tiles(&self) -> [u64; 2] {
        [u64::from(self.params.batch).div_ceil(TILE), self.units()[0].div_ceil(TILE)]
    }

    fn units(&self) -> [u64; 2] {
        [u64::from(self.params.width), 1]
    }

    /// The measurements of each unit.
    fn measured<T: bytemuck::Pod>(&self) -> Result<Vec<T>, Error> {
        let bytes = self.filler.read_back(&self.measured)?;
        let size = size_of::<T>();
        let units = bytes.chunks_exact(size).take(self.params.width as usize);
        Ok(units.map(bytemuck::pod_read_unaligned).collect())
    }
}

impl Backend for Gpu<'_> {
    fn input(&mut self, input: &Fill) -> Result<(), Error> {
        self.submit(&[(input, &self.next)], 0, &[])
    }

    fn forward(&mut self, layer: usize, weight: &Fill, bias: Option<&Fill>) -> Result<Vec<Unit>, Error> {
        std::mem::swap(&mut self.last, &mut self.next);
        self.params.scale = 1.0;
        let bias = bias.map(|bias| (bias, &self.bias));
        let draw: Vec<_> = std::iter::once((weight, &self.weight)).chain(bias).collect();
        self.submit(&draw, layer, &[(&self.product, self.tiles()), (&self.forward, self.units())])?;
        self.measured()
    }

    fn histogram(&mut self, low: f32, high: f32) -> Result<[u64; BINS], Error> {
        (self.params.low, self.params.high) = (low, high);
        let buffers = self.buffers(0);
        let given = Given::new(buffers.iter().map(|(_, buffer)| *buffer));
        let zeros = Step::Clear { buffer: given.slot(&self.counts), bytes: 0..self.counts.size() };
        let count = dispatch(&self.count, &self.params, &given, &buffers, self.units());
        self.filler.submit_with(&[], &given, vec![zeros, count])?;
        let bytes = self.filler.read_back(&self.counts)?;
        let mut counts = [0; BINS];
        for (count, bytes) in counts.iter_mut().zip(bytes.chunks_exact(size_of::<u32>())) {
            *count = bytemuck::pod_read_unaligned::<u32>(bytes).into();
        }
        Ok(counts)
    }

    fn top(&mut self, layer: usize, gradient: &Fill) -> Result<Vec<Slope>, Error> {
        self.submit(&[(gradient, &self.next)], layer, &[(&self.backward, self.units())])?;
        self.measured()
    }

    fn backward(&mut self, layer: usize, above: &Fill, scale: f32) -> Result<Vec<Slope>, Error> {
        std::mem::swap(&mut self.last, &mut self.next);
        self.params.scale = scale;
        self.submit(
            &[(above, &self.weight)],
            layer,
            &[(&self.transposed, self.tiles()), (&self.backward, self.units())],
        )?;
        self.measured()
    }
}

/// A matrix on a device, drawn there.
pub(super) struct DeviceMatrix<'a> {
    filler: &'a GpuFiller,
    rows: u64,
    columns: u64,
    forth: Program,
    back: Program,
    matrix: Buffer,
    vector: Buffer,
    measured: Buffer,
}

/// A row of a matrix is a workgroup's, as far as there are so many.
const MAX_ROWS: u64 = 1 << 15;

impl<'a> DeviceMatrix<'a> {
    pub fn new(filler: &'a GpuFiller, fill: &Fill, rows: usize, columns: usize) -> Result<DeviceMatrix<'a>, Error> {
        let (rows, columns) = (rows as u64, columns as u64);
        if rows.checked_mul(columns) != Some(fill.len()) || fill.dtype() != Dtype::F32 || fill.is_empty() {
            let given = format!("of {rows} rows and {columns} columns");
            let allowed =
                format!("as many elements as the fill's {} in {}, some, and in f32", fill.len(), fill.dtype());
            return Err(Error::new(ErrorKind::Slice, "the matrix", given, allowed));
        }
        let longer = rows.max(columns);
        bindable(filler, fill.byte_len().max(2 * longer * F32))?;
        let buffer = |name, elements, usage| buffer(filler, name, elements, usage);
        let matrix = DeviceMatrix {
            filler,
            rows,
            columns,
            forth: kernel("forth", None, &[WEIGHT, LAST, MEASURED]),
            back: kernel("back", None, &[WEIGHT, LAST, MEASURED]),
            matrix: buffer("weight", fill.len(), BufferUsages::empty())?,
            vector: buffer("last", longer, BufferUsages::COPY_DST)?,
            measured: buffer("measured", 2 * longer, BufferUsages::COPY_SRC)?,
        };
        filler.submit(fill, &matrix.matrix, 0)?;
        Ok(matrix)
    }

    /// The root of the elements' mean square, each row's sum of squares on the device.
    pub fn rms(&self) -> Result<f64, Error> {
        let sums = self.rows_times(&vec![0.0; self.columns as usize])?;
        let squares: f64 = sums.iter().skip(1).step_by(2).sum();
        Ok((squares / (self.rows * self.columns) as f64).sqrt())
    }

    /// The product of the matrix and a vector.
    pub fn forth(&self, x: &[f64]) -> Result<Vec<f64>, Error> {
        Ok(self.rows_times(x)?.into_iter().step_by(2).collect())
    }

    /// The product of its transpose and a vector.
    pub fn back(&self, x: &[f64]) -> Result<Vec<f64>, Error> {
        self.product(&self.back, x, self.columns.div_ceil(TILE), self.columns)
    }

    /// The product of each row with a vector, and with itself.
    fn rows_times(&self, x: &[f64]) -> Result<Vec<f64>, Error> {
        self.product(&self.forth, x, self.rows.min(MAX_ROWS), 2 * self.rows)
    }

    fn product(&self, kernel: &Program, x: &[f64], groups: u64, count: u64) -> Result<Vec<f64>, Error> {
        let x: Vec<u32> = x.iter().map(|&x| (x as f32).to_bits()).collect();
        let (width, batch) = (self.columns as u32, self.rows as u32);
        let params = Params { width, batch, scale: 1.0, slope: 0.0, low: 0.0, high: 0.0, activation: 0, unused: 0 };
        let buffers = [(WEIGHT.0, &self.matrix), (LAST.0, &self.vector), (MEASURED.0, &self.measured)];
        let given = Given::new(buffers.map(|(_, buffer)| buffer));
        let upload = Step::Upload { to: given.slot(&self.vector), words: x.into() };
        let multiply = dispatch(kernel, &params, &given, &buffers, [groups, 1]);
        self.filler.submit_with(&[], &given, vec![upload, multiply])?;
        let bytes = self.filler.read_back(&self.measured)?;
        let numbers = bytes.chunks_exact(size_of::<f32>()).take(count as usize);
        Ok(numbers.map(|bytes| bytemuck::pod_read_unaligned::<f32>(bytes).into()).collect())
    }
}

/// A buffer of so many floats.
fn buffer(filler: &GpuFiller, name: &str, elements: u64, usage: BufferUsages) -> Result<Buffer, Error> {
    filler.create_buffer(&format!("fanin probe {name}"), elements * F32, usage)
}

/// A check that a device binds buffers of so many bytes.
fn bindable(filler: &GpuFiller, bytes: u64) -> Result<(), Error> {
    let limits = filler.device().limits();
    let most = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size);
    if bytes > most {
        let thing = "the bytes of the probe's largest buffer";
        return Err(Error::new(ErrorKind::DeviceLimit, thing, bytes, format!("at most {most} on this device")));
    }
    Ok(())
}

/// An activation in the kernels' numbers: which, and its slope below zero.
fn numbers(activation: Activation) -> (u32, f32) {
    match activation {
        Activation::Linear => (0, 0.0),
        Activation::Sigmoid => (1, 0.0),
        Activation::Tanh => (2, 0.0),
        Activation::Relu => (3, 0.0),
        Activation::LeakyRelu { negative_slope: slope } => (4, slope),
        Activation::Elu => (5, 0.0),
        Activation::Selu => (6, 0.0),
        Activation::Gelu => (7, 0.0),
        Activation::Silu => (8, 0.0),
        Activation::Softsign => (9, 0.0),
    }
}
