//! The writing of one safetensors file, a chunk at a time.
//!
//! An interrupted run leaves the partial file alone, which `--resume` goes on with.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use fanin::Fill;
use indicatif::ProgressBar;

use crate::draw::engine::Engine;
use crate::draw::fp8;
use crate::failure::Failure;
use crate::files::content::{Content, Piece};
use crate::files::partial::{Partial, partial_path};
use crate::files::regular;
use crate::progress;

/// The options of writing.
pub struct WriteOptions {
    /// True if it goes on with the file that an interrupted run left.
    pub resume: bool,
    /// The most bytes of tensors of a file, if there are several, with an index.
    pub shard: Option<u64>,
    /// The number of bytes that are drawn at once.
    pub chunk: u64,
    /// Files that are read meanwhile, and may not be replaced.
    pub read: Vec<PathBuf>,
}

/// The part at the end of a partial file that is not trusted.
const WRITTEN_AGAIN: u64 = 8 << 20;

/// A writer of files: who draws, how, and the bar that shows it.
pub struct Writer<'a> {
    pub engine: &'a Engine,
    pub options: &'a WriteOptions,
    pub bar: ProgressBar,
}

impl Writer<'_> {
    /// Writes one file beside its name, and renames it.
    pub fn write_file(&self, path: &Path, header: &[u8], tensors: &[Content]) -> Result<(), Failure> {
        let total = header.len() as u64 + tensors.iter().map(Content::bytes).sum::<u64>();
        let is_done =
            |file: File| file.metadata().is_ok_and(|metadata| metadata.len() == total) && begins_with(&file, header);
        if self.options.resume && regular::open(path).is_ok_and(is_done) {
            self.bar.inc(total - header.len() as u64);
            return Ok(());
        }
        let mut partial = Partial::open(path)?;
        let shown = partial.partial_path().to_path_buf();
        let length = partial.file().metadata().map_err(|e| partial.failed("fstat", e))?.len();
        let done = if self.options.resume && length >= header.len() as u64 {
            resumed(&mut partial, header, length, total)?
        } else {
            partial = partial.emptied()?;
            partial.file().write_all(header).map_err(|e| partial.failed("write", e))?;
            0
        };
        let file = partial.file();
        self.bar.inc(done);
        self.bar.reset_eta();
        self.append(file, &shown, tensors, done).map_err(|e| match file.metadata() {
            Ok(metadata) if metadata.len() == 0 => e,
            _ => Failure {
                message: format!("{}; the part that is written stays there, --resume continues it", e.message),
                ..e
            },
        })?;
        partial.finish()
    }

    /// Refuses the name of a file that is read meanwhile, or of what it is while it is written.
    pub fn check_not_read(&self, path: &Path) -> Result<(), Failure> {
        for name in [path, &partial_path(path)] {
            if let Some(read) = self.options.read.iter().find(|read| regular::is_same(name, read)) {
                return Err(Failure::input(format!(
                    "{} would be replaced, and is {}, which is copied from, allowed: another name for the output",
                    name.display(),
                    read.display()
                )));
            }
        }
        Ok(())
    }

    /// Writes to what is no file, such as a device or a pipe, which must not be replaced by one.
    pub fn write_stream(&self, path: &Path, header: &[u8], tensors: &[Content]) -> Result<(), Failure> {
        let shown = path.display();
        let cannot_open = |e: std::io::Error| Failure::input(format!("{shown} cannot be written: {e}"));
        let mut file = OpenOptions::new().write(true).open(path).map_err(cannot_open)?;
        file.write_all(header).map_err(|e| Failure::other(format!("{shown}: {e}")))?;
        self.append(&file, path, tensors, 0)
    }

    /// Draws and copies the tensors from byte `done` of them on.
    fn append(&self, mut file: &File, shown: &Path, tensors: &[Content], done: u64) -> Result<(), Failure> {
        let Writer { engine, options, bar } = self;
        let mut skipped = done;
        let mut pieces = Vec::new();
        for content in tensors {
            let skip = skipped.min(content.bytes());
            skipped -= skip;
            pieces.extend(content.pieces(skip).into_iter().map(|piece| (piece, content.tensor.name.as_str())));
        }
        let mut write = |bytes: &[u8]| {
            file.write_all(bytes).map_err(|e| Failure::other(format!("{}: write: {e}", shown.display())))?;
            bar.inc(bytes.len() as u64);
            Ok(())
        };
        let mut pieces = pieces.into_iter().peekable();
        while let Some((piece, name)) = pieces.next() {
            match piece {
                Piece::Copied(range, copied, mut skip) => {
                    progress::show(bar, &format!("copies {name}"));
                    let read = range.read(|bytes| {
                        let now = skip.min(bytes.len() as u64);
                        skip -= now;
                        write(&bytes[now as usize..])
                    })?;
                    if read != copied.sha256 {
                        // The header speaks of other bytes. Of a device, nothing can be taken back.
                        let _ = file.set_len(0);
                        return Err(Failure::other(format!(
                            "{} was changed while it was copied",
                            range.path.display()
                        )));
                    }
                }
                Piece::Zeros(mut left) => {
                    while left > 0 {
                        let now = left.min(1 << 16);
                        write(&vec![0; now as usize])?;
                        left -= now;
                    }
                }
                Piece::Drawn(first, scale) => {
                    let is_alike = |next: &Piece| matches!(next, Piece::Drawn(_, of_next) if *of_next == scale);
                    let next = || match pieces.next_if(|(next, _)| is_alike(next))? {
                        (Piece::Drawn(fill, _), name) => Some((*fill, name)),
                        _ => None,
                    };
                    let fills = std::iter::once((*first, name)).chain(std::iter::from_fn(next));
                    let show = |(fill, name): &(Fill, &str)| {
                        progress::show(bar, &progress::draws(engine.name(), fill, name, options.chunk));
                    };
                    let fills = fills.inspect(show).map(|(fill, _)| fill);
                    engine.draw(fills, options.chunk, fp8::as_in_file(scale, &mut write))?;
                }
            }
        }
        Ok(())
    }
}

/// Goes on with a file of this length that will have so many bytes in the end: the number of bytes behind its header that are kept.
fn resumed(partial: &mut Partial, header: &[u8], length: u64, total: u64) -> Result<u64, Failure> {
    if !begins_with(partial.file(), header) {
        return Err(Failure::input(format!(
            "{} was begun with another seed, rules, model, base or version, allowed: the same; without --resume it is begun \
             anew",
            partial.partial_path().display()
        )));
    }
    // Elements are not cut; and what was written last may not have reached the disk as it should.
    let done = (length.min(total) - header.len() as u64).saturating_sub(WRITTEN_AGAIN) / 4 * 4;
    let end = header.len() as u64 + done;
    partial.cut(end, total)?;
    partial.file().seek(SeekFrom::Start(end)).map_err(|e| partial.failed("lseek", e))?;
    Ok(done)
}

fn begins_with(mut file: &File, header: &[u8]) -> bool {
    let mut begin = vec![0; header.len()];
    file.rewind().and_then(|()| file.read_exact(&mut begin)).is_ok() && begin == header
}
