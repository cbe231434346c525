//! What a device reports, as errors: nothing that fails here reaches the device's own handler, whose default is to panic.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use wgpu::{Device, ErrorFilter};

use crate::Error;

/// Does some work on a device; what goes wrong in it is an error: `what` says in what.
///
/// Scopes belong to a device and a thread. What they cannot see, an object of another wgpu instance or a queue of another
/// device, panics inside wgpu, which is an error here, too.
pub(super) fn scoped<T>(device: &Device, what: &str, work: impl FnOnce() -> T) -> Result<T, Error> {
    let guards = [ErrorFilter::Validation, ErrorFilter::OutOfMemory, ErrorFilter::Internal]
        .map(|filter| device.push_error_scope(filter));
    let done = catch_unwind(AssertUnwindSafe(work));
    // The last one pushed is the first one popped.
    let [validation, memory, internal] = guards;
    let reported = [internal, memory, validation].map(|guard| at_once(guard.pop()).flatten());
    let reason = match (reported.into_iter().flatten().next(), done) {
        (None, Ok(done)) => return Ok(done),
        (Some(error), _) => error.to_string(),
        (None, Err(panic)) => said(panic.as_ref()),
    };
    Err(Error::Device { reason: format!("{what}: {}", reason.trim_end()) })
}

/// What a future gives that is ready; a browser's is not, and reports to its console.
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
