//! Regular files, and nothing else: what a stranger names may be a pipe, on which opening waits for ever, or a device, to which
//! opening does something.

use std::fs::{self, File, FileType, OpenOptions};
use std::io;
use std::path::Path;

/// Opens a file to read it. Links are followed.
pub fn open(path: &Path) -> io::Result<File> {
    check(fs::metadata(path)?.file_type())?;
    let file = without_waiting(OpenOptions::new().read(true), 0).open(path)?;
    // It may have been replaced since.
    check(file.metadata()?.file_type())?;
    Ok(file)
}

/// Opens a file that is there already to write to it. A link is refused: nobody can have meant its target.
pub fn open_to_write(path: &Path) -> io::Result<File> {
    check(fs::symlink_metadata(path)?.file_type())?;
    #[cfg(unix)]
    let flags = libc::O_NOFOLLOW;
    #[cfg(not(unix))]
    let flags = 0;
    let file = without_waiting(OpenOptions::new().read(true).write(true), flags).open(path)?;
    check(file.metadata()?.file_type())?;
    Ok(file)
}

/// True if these are names of one file that is there.
pub fn is_same(a: &Path, b: &Path) -> bool {
    let handle = |path| open(path).and_then(same_file::Handle::from_file).ok();
    handle(a).is_some_and(|a| handle(b).is_some_and(|b| a == b))
}

/// Refuses a file that has other names, by which others know it.
pub fn has_one_name(file: &File) -> io::Result<()> {
    #[cfg(unix)]
    {
        let names = std::os::unix::fs::MetadataExt::nlink(&file.metadata()?);
        if names > 1 {
            return Err(refused(format!("it has {names} names (hard links), allowed: 1")));
        }
    }
    let _ = file;
    Ok(())
}

/// Refuses what is no regular file.
pub fn check(kind: FileType) -> io::Result<()> {
    if kind.is_file() { Ok(()) } else { Err(refused(format!("it is {}, allowed: a regular file", name(kind)))) }
}

fn refused(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}

#[cfg(unix)]
fn name(kind: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    match kind {
        _ if kind.is_dir() => "a directory",
        _ if kind.is_symlink() => "a symbolic link",
        _ if kind.is_fifo() => "a pipe",
        _ if kind.is_socket() => "a socket",
        _ => "a device",
    }
}

#[cfg(not(unix))]
fn name(kind: FileType) -> &'static str {
    match kind {
        _ if kind.is_dir() => "a directory",
        _ if kind.is_symlink() => "a symbolic link",
        _ => "a device",
    }
}

#[cfg(unix)]
fn without_waiting(options: &mut OpenOptions, flags: i32) -> &mut OpenOptions {
    std::os::unix::fs::OpenOptionsExt::custom_flags(options, libc::O_NONBLOCK | flags)
}

#[cfg(not(unix))]
fn without_waiting(options: &mut OpenOptions, _: i32) -> &mut OpenOptions {
    options
}
