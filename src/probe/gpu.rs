//! The probe on a GPU: kernels of `shaders/probe.wgsl`. Weights are drawn into the one buffer that the next product reads.

use wgpu::{Buffer, BufferUsages, CommandEncoder, ComputePipeline};

use super::measure::{BINS, Backend, Slope, Unit};
use super::{Activation, Probe};
use crate::gpu::{GpuFiller, scoped, wgpu};
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
    unused: [u32; 2],
}

/// A kernel's entry point, and which bindings it has.
struct Kernel {
    pipeline: ComputePipeline,
    bindings: &'static [u32],
}

impl Kernel {
    /// Records it on those of the buffers that it has bindings for.
    fn record(&self, filler: &GpuFiller, encoder: &mut CommandEncoder, buffers: &[(u32, &Buffer)], groups: [u64; 2]) {
        let of_kernel = buffers.iter().filter(|(binding, _)| self.bindings.contains(binding));
        let entries: Vec<_> = of_kernel
            .map(|&(binding, buffer)| wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() })
            .collect();
        let layout = &self.pipeline.get_bind_group_layout(0);
        let descriptor = wgpu::BindGroupDescriptor { label: Some("fanin probe"), layout, entries: &entries };
        let bindings = filler.device().create_bind_group(&descriptor);
        let mut pass = encoder
            .begin_compute_pass(&wgpu::ComputePassDescriptor { label: Some("fanin probe"), timestamp_writes: None });
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &bindings, &[]);
        pass.dispatch_workgroups(groups[0] as u32, groups[1] as u32, 1);
    }
}

/// The probe's buffers and kernels.
pub(super) struct Gpu<'a> {
    filler: &'a GpuFiller,
    params: Params,
    uniform: Buffer,
    forward: Kernel,
    backward: Kernel,
    count: Kernel,
    product: Kernel,
    transposed: Kernel,
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
        let activation = [("activation", f64::from(activation))];
        let transposed = |transposed| [("transposed", f64::from(u8::from(transposed)))];
        let kernel = |name, constants: &[_], bindings| kernel(filler, name, constants, bindings);
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
                unused: [0; 2],
            },
            uniform: buffer("parameters", 8, BufferUsages::UNIFORM | BufferUsages::COPY_DST)?,
            forward: kernel("forward", &activation, &[0, 3, 4, 5, 6])?,
            backward: kernel("backward", &activation, &[0, 3, 4, 6])?,
            count: kernel("count", &[], &[0, 3, 7])?,
            product: kernel("multiply", &transposed(false), &[0, 1, 2, 3])?,
            transposed: kernel("multiply", &transposed(true), &[0, 1, 2, 3])?,
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

    /// Records and submits some work, with the parameters as they are.
    fn submit(&self, record: impl FnOnce(&mut CommandEncoder) -> Result<(), Error>) -> Result<(), Error> {
        submit(self.filler, &self.uniform, &self.params, record)
    }

    /// A kernel on the buffers of a layer.
    fn run(&self, encoder: &mut CommandEncoder, kernel: &Kernel, layer: usize, groups: [u64; 2]) {
        let all = [
            (0, &self.uniform),
            (1, &self.weight),
            (2, &self.last),
            (3, &self.next),
            (4, &self.pre[layer]),
            (5, &self.bias),
            (6, &self.measured),
            (7, &self.counts),
        ];
        kernel.record(self.filler, encoder, &all, groups);
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
        self.submit(|encoder| self.filler.record(encoder, input, &self.next, 0))
    }

    fn forward(&mut self, layer: usize, weight: &Fill, bias: Option<&Fill>) -> Result<Vec<Unit>, Error> {
        std::mem::swap(&mut self.last, &mut self.next);
        self.params.scale = 1.0;
        self.submit(|encoder| {
            self.filler.record(encoder, weight, &self.weight, 0)?;
            if let Some(bias) = bias {
                self.filler.record(encoder, bias, &self.bias, 0)?;
            }
            self.run(encoder, &self.product, layer, self.tiles());
            self.run(encoder, &self.forward, layer, self.units());
            Ok(())
        })?;
        self.measured()
    }

    fn histogram(&mut self, low: f32, high: f32) -> Result<[u64; BINS], Error> {
        (self.params.low, self.params.high) = (low, high);
        self.submit(|encoder| {
            encoder.clear_buffer(&self.counts, 0, None);
            self.run(encoder, &self.count, 0, self.units());
            Ok(())
        })?;
        let bytes = self.filler.read_back(&self.counts)?;
        let mut counts = [0; BINS];
        for (count, bytes) in counts.iter_mut().zip(bytes.chunks_exact(size_of::<u32>())) {
            *count = bytemuck::pod_read_unaligned::<u32>(bytes).into();
        }
        Ok(counts)
    }

    fn top(&mut self, layer: usize, gradient: &Fill) -> Result<Vec<Slope>, Error> {
        self.submit(|encoder| {
            self.filler.record(encoder, gradient, &self.next, 0)?;
            self.run(encoder, &self.backward, layer, self.units());
            Ok(())
        })?;
        self.measured()
    }

    fn backward(&mut self, layer: usize, above: &Fill, scale: f32) -> Result<Vec<Slope>, Error> {
        std::mem::swap(&mut self.last, &mut self.next);
        self.params.scale = scale;
        self.submit(|encoder| {
            self.filler.record(encoder, above, &self.weight, 0)?;
            self.run(encoder, &self.transposed, layer, self.tiles());
            self.run(encoder, &self.backward, layer, self.units());
            Ok(())
        })?;
        self.measured()
    }
}

/// A matrix on a device, drawn there.
pub(super) struct Matrix<'a> {
    filler: &'a GpuFiller,
    rows: u64,
    columns: u64,
    forth: Kernel,
    back: Kernel,
    uniform: Buffer,
    matrix: Buffer,
    vector: Buffer,
    measured: Buffer,
}

/// A row of a matrix is a workgroup's, as far as there are so many.
const MOST_ROWS: u64 = 1 << 15;

impl<'a> Matrix<'a> {
    pub fn new(filler: &'a GpuFiller, fill: &Fill, rows: usize, columns: usize) -> Result<Matrix<'a>, Error> {
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
        let matrix = Matrix {
            filler,
            rows,
            columns,
            forth: kernel(filler, "forth", &[], &[0, 1, 2, 6])?,
            back: kernel(filler, "back", &[], &[0, 1, 2, 6])?,
            uniform: buffer("parameters", 8, BufferUsages::UNIFORM | BufferUsages::COPY_DST)?,
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
        self.product(&self.forth, x, self.rows.min(MOST_ROWS), 2 * self.rows)
    }

    fn product(&self, kernel: &Kernel, x: &[f64], groups: u64, count: u64) -> Result<Vec<f64>, Error> {
        let x: Vec<f32> = x.iter().map(|&x| x as f32).collect();
        let (width, batch) = (self.columns as u32, self.rows as u32);
        let params = Params { width, batch, scale: 1.0, slope: 0.0, low: 0.0, high: 0.0, unused: [0; 2] };
        submit(self.filler, &self.uniform, &params, |encoder| {
            self.filler.queue().write_buffer(&self.vector, 0, bytemuck::cast_slice(&x));
            let buffers = [(0, &self.uniform), (1, &self.matrix), (2, &self.vector), (6, &self.measured)];
            kernel.record(self.filler, encoder, &buffers, [groups, 1]);
            Ok(())
        })?;
        let bytes = self.filler.read_back(&self.measured)?;
        let numbers = bytes.chunks_exact(size_of::<f32>()).take(count as usize);
        Ok(numbers.map(|bytes| bytemuck::pod_read_unaligned::<f32>(bytes).into()).collect())
    }
}

/// A buffer of so many floats.
fn buffer(filler: &GpuFiller, name: &str, elements: u64, usage: BufferUsages) -> Result<Buffer, Error> {
    filler.create_buffer(&format!("fanin probe {name}"), elements * F32, usage)
}

/// Records some work and submits it, with these parameters.
fn submit(
    filler: &GpuFiller,
    uniform: &Buffer,
    params: &Params,
    record: impl FnOnce(&mut CommandEncoder) -> Result<(), Error>,
) -> Result<(), Error> {
    let device = filler.device();
    scoped(device, "the probe", || {
        filler.queue().write_buffer(uniform, 0, bytemuck::bytes_of(params));
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("fanin probe") });
        record(&mut encoder)?;
        filler.queue().submit([encoder.finish()]);
        Ok(())
    })?
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
fn numbers(activation: Activation) -> (u8, f32) {
    match activation {
        Activation::Linear => (0, 0.0),
        Activation::Sigmoid => (1, 0.0),
        Activation::Tanh => (2, 0.0),
        Activation::Relu => (3, 0.0),
        Activation::LeakyRelu { slope } => (4, slope),
        Activation::Elu => (5, 0.0),
        Activation::Selu => (6, 0.0),
        Activation::Gelu => (7, 0.0),
        Activation::Silu => (8, 0.0),
        Activation::Softsign => (9, 0.0),
    }
}

/// The kernels' text.
fn source() -> String {
    format!("const BINS = {BINS}u;\n{}", include_str!("../../shaders/probe.wgsl"))
}

fn kernel(
    filler: &GpuFiller,
    name: &str,
    constants: &[(&str, f64)],
    bindings: &'static [u32],
) -> Result<Kernel, Error> {
    let device = filler.device();
    let label = format!("fanin probe {name} {constants:?}");
    let compile = || {
        scoped(device, &format!("the kernel {name} of the probe does not compile"), || {
            let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: Some(&label),
                source: wgpu::ShaderSource::Wgsl(source().into()),
            });
            device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(&label),
                layout: None,
                module: &module,
                entry_point: Some(name),
                compilation_options: wgpu::PipelineCompilationOptions { constants, ..Default::default() },
                cache: None,
            })
        })
    };
    Ok(Kernel { pipeline: filler.compiled(&label, compile)?, bindings })
}
