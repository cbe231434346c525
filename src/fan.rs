//! Fans: how many inputs and outputs a weight connects.

use crate::{Error, ErrorKind};

/// The number of inputs that feed one output (`fan_in`), and of outputs that one input feeds (`fan_out`).
///
/// For a convolution both count the kernel's taps (its receptive field): a 64x3x7x7 convolution of PyTorch has
/// fan_in 3 * 49 = 147 and fan_out 64 * 49 = 3136.
///
/// ```
/// use fanin::{Fans, Layout};
///
/// let fans = Fans::from_shape(&[64, 3, 7, 7], Layout::OUT_IN)?;
/// assert_eq!((fans.fan_in(), fans.fan_out()), (147, 3136));
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fans {
    pub(crate) fan_in: u64,
    pub(crate) fan_out: u64,
}

impl Fans {
    /// Fans given outright, for layers whose weight has no standard layout.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] if either is 0.
    ///
    /// ```
    /// assert!(fanin::Fans::new(0, 8).is_err());
    /// ```
    pub fn new(fan_in: u64, fan_out: u64) -> Result<Fans, Error> {
        for (name, fan) in [("fan_in", fan_in), ("fan_out", fan_out)] {
            if fan == 0 {
                return Err(Error::new(ErrorKind::Shape, name, fan, "at least 1"));
            }
        }
        Ok(Fans { fan_in, fan_out })
    }

    /// Inputs that feed one output.
    pub const fn fan_in(self) -> u64 {
        self.fan_in
    }

    /// Outputs that one input feeds.
    pub const fn fan_out(self) -> u64 {
        self.fan_out
    }
}
