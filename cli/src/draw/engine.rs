//! The device that draws: the CPU twin, or an adapter of this machine.

use std::sync::mpsc;
use std::thread;

use fanin::Fill;
use wgpu::{Adapter, Backends};

use crate::draw::adapters::{adapter_named, adapters, is_hardware, label};
use crate::draw::chunks::{Chunk, Chunks};
use crate::draw::gpu::Gpu;
use crate::failure::Failure;
use crate::say;

/// A device that draws fills into host memory, a chunk at a time.
pub enum Engine {
    Cpu,
    Gpu(Box<Gpu>),
}

impl Engine {
    /// The device that the user asked for: `auto`, `gpu`, `cpu`, or a part of an adapter's label.
    pub fn choose(wanted: &str) -> Result<Engine, Failure> {
        match wanted.to_lowercase().as_str() {
            "cpu" => Ok(Engine::Cpu),
            "auto" => {
                let hardware = adapters(Backends::PRIMARY).into_iter().find(is_hardware);
                let Some(adapter) = hardware else { return Ok(Engine::Cpu) };
                // A GPU that does not work or does not agree is no reason not to draw.
                match Gpu::open(&adapter) {
                    Ok(gpu) => Ok(Engine::Gpu(Box::new(gpu.into_first_choice()))),
                    Err(e) => {
                        say::aside(&format!("fanin: {} is passed over: {}", label(&adapter), e.message));
                        Ok(Engine::Cpu)
                    }
                }
            }
            "gpu" => {
                let all = adapters(Backends::all());
                let adapter = all.iter().find(|a| is_hardware(a)).or(all.first());
                let adapter = adapter
                    .ok_or_else(|| Failure::input("device gpu: there is no adapter; --device cpu needs none"))?;
                Engine::open(adapter)
            }
            _ => Engine::open(&adapter_named(wanted)?),
        }
    }

    fn open(adapter: &Adapter) -> Result<Engine, Failure> {
        Gpu::open(adapter).map(|gpu| Engine::Gpu(Box::new(gpu)))
    }

    /// The name of the device, for people.
    pub fn name(&self) -> &str {
        match self {
            Engine::Cpu => "CPU",
            Engine::Gpu(gpu) => &gpu.label,
        }
    }

    /// The number of bytes to draw at once with so much memory, of which three or four chunks are taken. On the CPU few enough that
    /// they are still in its caches when they are handed over; on a GPU enough that a submission is worth it.
    pub fn chunk(&self, memory: u64) -> u64 {
        let most = match self {
            Engine::Cpu => 4 << 20,
            Engine::Gpu(_) => 16 << 20,
        };
        (memory / 4).min(most) / 4 * 4
    }

    /// Draws fills one after the other and hands their bytes, little-endian, over in order, while the next ones are drawn. It
    /// takes three chunks of this many bytes of memory; on the CPU more where an orthogonal matrix is not worth cutting into such.
    pub fn draw(
        &self,
        fills: impl Iterator<Item = Fill>,
        chunk: u64,
        mut take: impl FnMut(&[u8]) -> Result<(), Failure> + Send,
    ) -> Result<(), Failure> {
        match self {
            Engine::Cpu => draw_on_cpu(Chunks::new(fills, chunk).efficient(), &mut take),
            Engine::Gpu(gpu) => gpu.draw(fills, chunk, &mut take),
        }
    }
}

/// Draws chunks on the CPU; where there is more than one, a second thread hands them over meanwhile.
fn draw_on_cpu(
    chunks: impl Iterator<Item = Chunk>,
    take: &mut (dyn FnMut(&[u8]) -> Result<(), Failure> + Send),
) -> Result<(), Failure> {
    let mut chunks = chunks.peekable();
    let Some(first) = chunks.next() else { return Ok(()) };
    if chunks.peek().is_none() {
        let mut buffer = Vec::new();
        return take(first.draw_on_cpu(&mut buffer)?);
    }
    let (drawn_to, handed) = mpsc::sync_channel::<(Vec<u32>, u64)>(1);
    let (empty_to, empty) = mpsc::channel();
    for _ in 0..3 {
        let _ = empty_to.send(Vec::<u32>::new());
    }
    thread::scope(|scope| {
        let taker = thread::Builder::new()
            .spawn_scoped(scope, move || {
                for (buffer, bytes) in handed {
                    take(&bytemuck::cast_slice(&buffer)[..bytes as usize])?;
                    let _ = empty_to.send(buffer);
                }
                Ok(())
            })
            .map_err(|e| Failure::other(format!("a second thread cannot be started: {e}")))?;
        for chunk in std::iter::once(first).chain(chunks) {
            // Nothing is left to do once the taker has failed.
            let Ok(mut buffer) = empty.recv() else { break };
            chunk.draw_on_cpu(&mut buffer)?;
            if drawn_to.send((buffer, chunk.bytes)).is_err() {
                break;
            }
        }
        drop(drawn_to);
        taker.join().unwrap_or_else(|_| Err(Failure::other("the second thread panicked")))
    })
}
