//! The errors that a device reports: nothing that fails here reaches the device's own handler, whose default is to panic.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use wgpu::{Device, ErrorFilter, Queue};

use crate::{Error, ErrorKind};

/// Does some work on a device; what goes wrong in it is an error: `what` says in what.
///
/// Scopes belong to a device and a thread. They cannot see an object of another wgpu instance, which panics inside wgpu: that is an
/// error here, too.
pub(crate) fn scoped<T>(device: &Device, what: &str, work: impl FnOnce() -> T) -> Result<T, Error> {
    let guards = [ErrorFilter::Validation, ErrorFilter::OutOfMemory, ErrorFilter::Internal]
        .map(|filter| device.push_error_scope(filter));
    let done = catch_unwind(AssertUnwindSafe(work));
    // The last one pushed is the first one popped.
    let [validation, memory, internal] = guards;
    let reported = [internal, memory, validation].map(|guard| at_once(guard.pop()).flatten());
    match (reported.into_iter().flatten().next(), done) {
        (None, Ok(done)) => Ok(done),
        (Some(error), _) => Err(failed(what, &error.to_string()).because(cause(error))),
        (None, Err(panic)) => {
            let said = said(panic.as_ref());
            Err(failed(what, &said).because(said))
        }
    }
}

/// The error of a device's own words: the caller's mistakes with their remedies, else the last of its reasons.
fn failed(what: &str, said: &str) -> Error {
    let mistakes = [
        ("still mapped", "a buffer that is mapped", "an unmapped one: unmap it first"),
        ("destroyed", "something that was destroyed", "buffers that are kept until all work on them is submitted"),
        (
            "n't match",
            "something that belongs to another device",
            "buffers and encoders of the device that the filler was made with",
        ),
    ];
    let failed = |why: &str| Error::failed(ErrorKind::Device, "the device", format!("failed: {what}: {why}"));
    match mistakes.iter().find(|(sign, ..)| said.contains(sign)) {
        Some((_, why, allowed)) => failed(why).allowing(*allowed),
        None => failed(said.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("it does not say why")),
    }
}

/// Nothing, if the queue is the device's own.
///
/// wgpu reports what is submitted to another device's queue to that device, of which only the queue is at hand here. So a callback is left
/// with the queue, which polling its own device runs.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn belongs(device: &Device, queue: &Queue) -> Result<(), Error> {
    let (sender, done) = std::sync::mpsc::channel();
    queue.on_submitted_work_done(move || {
        // Nobody waits any more where the queue is another device's.
        let _ = sender.send(());
    });
    let is_done = scoped(device, "asking for its queue", || {
        // Without waiting, where there is nothing to wait for.
        [wgpu::PollType::Poll, wgpu::PollType::wait_indefinitely()].into_iter().any(|poll| {
            let polled = device.poll(poll);
            done.try_recv().is_ok() || polled.is_err()
        })
    })?;
    if is_done {
        return Ok(());
    }
    let error = Error::failed(ErrorKind::Device, "the queue", "is another device's");
    Err(error.allowing("the queue that request_device returned together with this device"))
}

/// A browser says so itself.
#[cfg(target_family = "wasm")]
pub(crate) fn belongs(_: &Device, _: &Queue) -> Result<(), Error> {
    Ok(())
}

/// A device's error, which in a browser belongs to its thread.
#[cfg(not(target_family = "wasm"))]
fn cause(error: wgpu::Error) -> wgpu::Error {
    error
}

#[cfg(target_family = "wasm")]
fn cause(error: wgpu::Error) -> String {
    error.to_string()
}

/// The result of a future that is ready; a browser's is not, and reports to its console.
fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    text.unwrap_or("wgpu panicked").into()
}
