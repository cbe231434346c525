//! Work that is cut into parts, on several threads.

use std::sync::{Mutex, PoisonError};
use std::thread;

/// Works on each part, on at most so many threads. This one works too, so that all is done even where no other can be started.
pub(crate) fn share<T: Send>(threads: usize, parts: Vec<T>, work: impl Fn(T) + Sync) {
    let parts = Mutex::new(parts.into_iter());
    let all = || {
        // The guard is dropped before the part is worked on.
        let next = || parts.lock().unwrap_or_else(PoisonError::into_inner).next();
        while let Some(part) = next() {
            work(part);
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            if thread::Builder::new().spawn_scoped(scope, all).is_err() {
                break;
            }
        }
        all();
    });
}
