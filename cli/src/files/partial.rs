//! A file that is whole or not at all: it is written under the name `.NAME.partial` beside its own, and renamed when it is
//! complete.

use std::ffi::OsString;
use std::fmt::Display;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use same_file::Handle;

use crate::failure::Failure;
use crate::files::regular;
use crate::say;

/// A file that is being written, which no other process writes.
#[derive(Debug)]
pub struct Partial {
    path: PathBuf,
    partial: PathBuf,
    file: File,
}

/// The number of times that other processes may rename a file between its opening and its locking.
const ATTEMPTS: u32 = 100;

impl Partial {
    /// Opens what is to be the file `path`, with what an interrupted run left of it.
    pub fn open(path: &Path) -> Result<Partial, Failure> {
        Partial::open_and(path, |_| ())
    }

    /// Calls `opened` between opening and locking.
    fn open_and(path: &Path, opened: impl Fn(&Path)) -> Result<Partial, Failure> {
        check_replaceable(path)?;
        let partial = partial_path(path);
        let failed = |e: &dyn Display| {
            Failure::input(format!("{} cannot be written: {}: {e}", path.display(), partial.display()))
        };
        for _ in 0..ATTEMPTS {
            let file = match OpenOptions::new().read(true).write(true).create_new(true).open(&partial) {
                Err(e) if e.kind() == ErrorKind::AlreadyExists => match regular::open_to_write(&partial) {
                    // It was renamed just now.
                    Err(e) if e.kind() == ErrorKind::NotFound => continue,
                    there => there,
                },
                new => new,
            };
            let file = file.map_err(|e| failed(&e))?;
            opened(&partial);
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => {
                    return Err(Failure::input(format!("another process is writing {}", path.display())));
                }
                // Some file systems have no locks.
                Err(TryLockError::Error(_)) | Ok(()) => {}
            }
            let written = Partial { path: path.to_path_buf(), partial: partial.clone(), file };
            // The process that had the lock before may have renamed it: then this is the finished file.
            if written.is_there().map_err(|e| failed(&e))? {
                regular::has_one_name(&written.file).map_err(|e| failed(&e))?;
                return Ok(written);
            }
        }
        Err(failed(&format!("it was replaced {ATTEMPTS} times while it was opened")))
    }

    pub fn file(&self) -> &File {
        &self.file
    }

    /// The name while it is written.
    pub fn partial_path(&self) -> &Path {
        &self.partial
    }

    /// The same with nothing in it.
    pub fn emptied(self) -> Result<Partial, Failure> {
        let failed = |call: &str, e| self.failed(call, e);
        if self.file.metadata().map_err(|e| failed("fstat", e))?.len() == 0 || self.file.set_len(0).is_ok() {
            return Ok(self);
        }
        // A file system that cannot cut a file makes a new one.
        fs::remove_file(&self.partial).map_err(|e| failed("ftruncate and unlink", e))?;
        Partial::open(&self.path)
    }

    /// Cuts off the bytes after these, of a file that will have so many in the end. A file system that cannot cut keeps them until they
    /// are written over.
    pub fn cut(&self, len: u64, end: u64) -> Result<(), Failure> {
        let there = self.file.metadata().map_err(|e| self.failed("fstat", e))?.len();
        match self.file.set_len(len) {
            Err(e) if there > end => Err(self.failed("ftruncate", e)),
            _ => Ok(()),
        }
    }

    /// Gives the complete file its own name.
    pub fn finish(self) -> Result<(), Failure> {
        let (path, partial) = (self.path.display(), self.partial.display());
        match self.file.sync_all() {
            // Some file systems have no such call; whatever else it says is about the data.
            Err(e) if [ErrorKind::Unsupported, ErrorKind::InvalidInput].contains(&e.kind()) => {
                say::aside(&format!("fanin: {path}: fsync: {e}; the file may reach the disk later"));
            }
            synced => synced.map_err(|e| self.failed("fsync", e))?,
        }
        if !self.is_there().map_err(|e| self.failed("open", e))? {
            return Err(Failure::other(format!("{path}: {partial} was replaced while it was written")));
        }
        fs::rename(&self.partial, &self.path).map_err(|e| {
            Failure::other(format!(
                "{path}: rename: {e}; the file is whole, and has the name {partial}: copy it to {path}, and of several files go on \
                 with --resume"
            ))
        })
    }

    /// A call that failed.
    pub fn failed(&self, call: &str, e: io::Error) -> Failure {
        let (path, partial) = (self.path.display(), self.partial.display());
        Failure::other(format!("{path}: {call}: {e}; {partial} has the part that is written, --resume continues it"))
    }

    /// True if the name is still the name of this file.
    fn is_there(&self) -> io::Result<bool> {
        match regular::open_to_write(&self.partial) {
            Ok(there) => Ok(Handle::from_file(there)? == Handle::from_file(self.file.try_clone()?)?),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
            Err(e) => Err(e),
        }
    }
}

/// Writes a small file beside its name, and renames it.
pub fn write_text(path: &Path, text: &[u8]) -> Result<(), Failure> {
    let partial = Partial::open(path)?.emptied()?;
    partial.file().write_all(text).map_err(|e| Failure::other(format!("{}: write: {e}", path.display())))?;
    partial.finish()
}

/// Refuses the name of a file that may not be written, or not replace what is there.
pub fn check_replaceable(path: &Path) -> Result<(), Failure> {
    if path.file_name().is_none() || path.to_string_lossy().ends_with(std::path::is_separator) {
        return Err(Failure::input(format!("\"{}\" is no file's name, allowed: a name of a file", path.display())));
    }
    let regular_or_none = |metadata: io::Result<fs::Metadata>| match metadata {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        metadata => regular::check(metadata?.file_type()),
    };
    let failed = |path: &Path, e| Failure::input(format!("{} cannot be replaced: {e}", path.display()));
    regular_or_none(fs::metadata(path)).map_err(|e| failed(path, e))?;
    // A link would be somebody's trap.
    let partial = partial_path(path);
    regular_or_none(fs::symlink_metadata(&partial)).map_err(|e| failed(&partial, e))
}

/// The name of a file while it is written.
pub fn partial_path(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".partial");
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Another process finishes the file between this one's opening and locking it.
    #[test]
    fn a_file_that_is_renamed_before_it_is_locked_is_left_alone() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("out");
        let other = Partial::open(&path).unwrap();
        other.file().write_all(b"finished").unwrap();
        let other = std::cell::Cell::new(Some(other));
        let mine = Partial::open_and(&path, |_| {
            if let Some(other) = other.take() {
                other.finish().unwrap();
            }
        });
        let mine = mine.unwrap();
        mine.file().set_len(0).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"finished");
        mine.file().write_all(b"mine").unwrap();
        mine.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"mine");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn who_comes_second_is_refused_and_who_is_replaced_does_not_finish() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("out");
        let first = Partial::open(&path).unwrap();
        assert!(Partial::open(&path).unwrap_err().message.contains("another process is writing"));
        fs::remove_file(first.partial_path()).unwrap();
        fs::write(first.partial_path(), "another's").unwrap();
        assert!(first.finish().unwrap_err().message.contains("was replaced"));
        assert!(!path.exists());
        // For ever renamed: it gives up.
        let failure = Partial::open_and(&path, |partial| fs::remove_file(partial).unwrap()).unwrap_err();
        assert!(failure.message.contains("replaced 100 times"), "{failure:?}");
    }
}
