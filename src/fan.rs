//! Shape and layout -> fan_in and fan_out.

use std::fmt;
use std::str::FromStr;

use crate::error::{dimensions, quoted};
use crate::names::{Named, plain};
use crate::{Error, ErrorKind};

/// The largest number of elements that a tensor may have, and the largest end of an element range: in no dtype do so many take
/// more bytes than 64 bits count.
pub(crate) const MAX_ELEMENTS: u64 = 1 << 60;

/// How many inputs feed one output (`fan_in`), and how many outputs one input feeds (`fan_out`).
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
    fan_in: u64,
    fan_out: u64,
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

    /// The fans of a weight of this shape.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] for fewer than two dimensions or a dimension of 0, for groups that do not divide the dimension that they
    /// split, and for more than 2^60 elements.
    ///
    /// ```
    /// use fanin::{Fans, Layout};
    ///
    /// // The same dense layer, 4096 inputs and 16384 outputs, in PyTorch and in Keras.
    /// let torch = Fans::from_shape(&[16384, 4096], Layout::OUT_IN)?;
    /// let keras = Fans::from_shape(&[4096, 16384], Layout::IN_OUT)?;
    /// assert_eq!(torch, keras);
    /// assert_eq!(torch.fan_in(), 4096);
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn from_shape(shape: &[u64], layout: Layout) -> Result<Fans, Error> {
        let none = |why| {
            let allowed = "a shape with fan_in and fan_out, the fans themselves (Scheme::distribution_of_fans), or a scheme \
                           without fans (zeros, ones, constant, uniform, normal, truncated_normal)";
            Error::new(ErrorKind::Shape, "the shape", format!("{}, of which {why}", dimensions(shape)), allowed)
        };
        elements(shape)?;
        if shape.contains(&0) {
            return Err(none("a dimension is 0"));
        }
        let (&[first, second], kernel) = match layout.order {
            Order::OutIn => shape.split_first_chunk::<2>(),
            Order::InOut => shape.split_last_chunk::<2>().map(|(kernel, pair)| (pair, kernel)),
        }
        .ok_or_else(|| none("there are fewer than two dimensions"))?;
        let kernel: u64 = kernel.iter().product();
        // `whole` counts all of the channels on its side, `part` one group's on the other.
        let (whole, part) = match layout.order {
            Order::OutIn => (first, second),
            Order::InOut => (second, first),
        };
        if layout.groups == 0 || whole % layout.groups != 0 {
            let allowed = format!("at least 1, and a divisor of {whole} in the shape {}", dimensions(shape));
            return Err(Error::new(ErrorKind::Shape, "groups", layout.groups, allowed));
        }
        let (whole, part) = (whole / layout.groups * kernel, part * kernel);
        if layout.transposed { Fans::new(whole, part) } else { Fans::new(part, whole) }
    }

    /// Inputs that feed one output.
    ///
    /// ```
    /// assert_eq!(fanin::Fans::new(3, 5)?.fan_in(), 3);
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub const fn fan_in(self) -> u64 {
        self.fan_in
    }

    /// Outputs that one input feeds.
    ///
    /// ```
    /// assert_eq!(fanin::Fans::new(3, 5)?.fan_out(), 5);
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub const fn fan_out(self) -> u64 {
        self.fan_out
    }
}

/// What the dimensions of a weight mean.
///
/// | layout | a dense or convolution weight | a transposed convolution's weight |
/// | --- | --- | --- |
/// | [`OUT_IN`](Layout::OUT_IN): PyTorch, Burn's convolutions, safetensors of Hugging Face | `[out, in / groups, *kernel]` | `[in, out / groups, *kernel]` |
/// | [`IN_OUT`](Layout::IN_OUT): Keras, TensorFlow, JAX, GPT-2's `Conv1D` | `[*kernel, in / groups, out]` | `[*kernel, out / groups, in]` |
///
/// PyTorch's own `_calculate_fan_in_and_fan_out` knows neither groups nor transposition: to repeat what it says, leave
/// both out.
///
/// ```
/// use fanin::{Fans, Layout};
///
/// // torch.nn.ConvTranspose2d(8, 4, 3, groups=2).weight
/// let fans = Fans::from_shape(&[8, 2, 3, 3], Layout::OUT_IN.transposed().with_groups(2))?;
/// assert_eq!((fans.fan_in(), fans.fan_out()), (8 / 2 * 9, 2 * 9));
/// # Ok::<(), fanin::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    order: Order,
    transposed: bool,
    groups: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    OutIn,
    InOut,
}

impl Layout {
    /// `[out, in, *kernel]`.
    ///
    /// ```
    /// assert_eq!(fanin::Layout::OUT_IN.to_string(), "out_in");
    /// ```
    pub const OUT_IN: Layout = Layout { order: Order::OutIn, transposed: false, groups: 1 };
    /// `[*kernel, in, out]`.
    ///
    /// ```
    /// assert_eq!("in_out".parse::<fanin::Layout>()?, fanin::Layout::IN_OUT);
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub const IN_OUT: Layout = Layout { order: Order::InOut, transposed: false, groups: 1 };

    /// The same layout for a transposed convolution, where in and out change places.
    ///
    /// ```
    /// let layout = fanin::Layout::OUT_IN.transposed();
    /// assert_eq!(layout.to_string(), "out_in_transposed");
    /// ```
    #[must_use]
    pub const fn transposed(self) -> Layout {
        Layout { transposed: true, ..self }
    }

    /// The same layout for a convolution in `groups` groups, which must divide the dimension that they split.
    ///
    /// ```
    /// let depthwise = fanin::Layout::OUT_IN.with_groups(32); // as text: out_in:groups=32
    /// let fans = fanin::Fans::from_shape(&[32, 1, 3, 3], depthwise)?;
    /// assert_eq!((fans.fan_in(), fans.fan_out()), (9, 9));
    /// # Ok::<(), fanin::Error>(())
    /// ```
    #[must_use]
    pub const fn with_groups(self, groups: u64) -> Layout {
        Layout { groups, ..self }
    }

    /// How many groups there are, 1 unless something else is said.
    ///
    /// ```
    /// assert_eq!(fanin::Layout::OUT_IN.groups(), 1);
    /// ```
    pub const fn groups(self) -> u64 {
        self.groups
    }
}

impl Named for (Order, bool) {
    const WHAT: &'static str = "layout";
    const NAMES: &'static [(Self, &'static str, &'static [&'static str])] = &[
        ((Order::OutIn, false), "out_in", &[]),
        ((Order::InOut, false), "in_out", &[]),
        ((Order::OutIn, true), "out_in_transposed", &[]),
        ((Order::InOut, true), "in_out_transposed", &[]),
    ];
}

/// The text that reads back as the same layout: `out_in`, or `out_in:groups=32`.
impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = (self.order, self.transposed).name();
        if self.groups == 1 { f.pad(name) } else { f.pad(&format!("{name}:groups={}", self.groups)) }
    }
}

/// Reads `out_in`, `in_out`, and both with `_transposed`; behind it `:groups=N`, if there are groups. Neither case nor `-` for `_`
/// matters.
impl FromStr for Layout {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (name, groups) = match text.split_once(':') {
            Some((name, parameter)) => (name, Some(parameter)),
            None => (text, None),
        };
        let (order, transposed) = Named::named(name)?;
        let groups = match groups {
            None => 1,
            Some(parameter) => parameter
                .split_once('=')
                .filter(|(key, _)| plain(key) == "groups")
                .and_then(|(_, groups)| groups.trim().parse().ok())
                .filter(|&groups| groups > 0)
                .ok_or_else(|| {
                    Error::new(ErrorKind::Text, "what follows a layout", quoted(parameter), "groups=N, 1 or more")
                })?,
        };
        Ok(Layout { order, transposed, groups })
    }
}

/// How many elements a tensor of this shape has; a scalar (no dimensions) has 1.
///
/// # Errors
/// [`ErrorKind::Shape`] above 2^60.
///
/// ```
/// assert_eq!(fanin::elements(&[4096, 16384])?, 67_108_864);
/// # Ok::<(), fanin::Error>(())
/// ```
pub fn elements(shape: &[u64]) -> Result<u64, Error> {
    let overflow = || Error::new(ErrorKind::Shape, "the shape", dimensions(shape), "at most 2^60 elements");
    // A zero makes the tensor empty wherever it stands, but never hides an overflow of the other dimensions, so that
    // fans, which leave dimensions out, cannot overflow either.
    let nonzero =
        shape.iter().filter(|&&d| d != 0).try_fold(1u64, |product, &d| product.checked_mul(d)).ok_or_else(overflow)?;
    if nonzero > MAX_ELEMENTS {
        return Err(overflow());
    }
    Ok(if shape.contains(&0) { 0 } else { nonzero })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fans(shape: &[u64], layout: Layout) -> (u64, u64) {
        let f = Fans::from_shape(shape, layout).unwrap();
        (f.fan_in(), f.fan_out())
    }

    #[test]
    fn one_layer_has_the_same_fans_in_every_layout() {
        // 6 inputs, 10 outputs, 3x5 kernel, 2 groups: fan_in 3 * 15, fan_out 5 * 15.
        assert_eq!(fans(&[10, 3, 3, 5], Layout::OUT_IN.with_groups(2)), (45, 75));
        assert_eq!(fans(&[3, 5, 3, 10], Layout::IN_OUT.with_groups(2)), (45, 75));
        assert_eq!(fans(&[6, 5, 3, 5], Layout::OUT_IN.with_groups(2).transposed()), (45, 75));
        assert_eq!(fans(&[3, 5, 5, 6], Layout::IN_OUT.with_groups(2).transposed()), (45, 75));
    }

    #[test]
    fn a_shape_without_fans_says_what_to_do() {
        for shape in [&[][..], &[768], &[0, 768], &[768, 0], &[4, 4, 0]] {
            let error = Fans::from_shape(shape, Layout::OUT_IN).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Shape);
            assert!(error.to_string().contains("Scheme::distribution_of_fans"), "{error}");
        }
    }

    #[test]
    fn groups_must_divide_what_they_split() {
        for groups in [0, 3] {
            let error = Fans::from_shape(&[4, 4], Layout::OUT_IN.with_groups(groups)).unwrap_err();
            assert_eq!((error.kind(), error.thing()), (ErrorKind::Shape, "groups"));
        }
    }

    #[test]
    fn a_product_that_overflows_is_an_error() {
        assert_eq!(elements(&[1 << 60]).unwrap(), 1 << 60);
        for shape in [&[1 << 32, 1 << 32][..], &[u64::MAX], &[1 << 60, 2, 0], &[1 << 59, 3]] {
            assert_eq!(elements(shape).unwrap_err().kind(), ErrorKind::Shape, "{shape:?}");
        }
        assert_eq!(elements(&[0, 1 << 40]).unwrap(), 0);
        assert_eq!(elements(&[]).unwrap(), 1);
    }

    #[test]
    fn layouts_are_read_as_they_are_written() {
        for layout in [
            Layout::OUT_IN,
            Layout::IN_OUT.transposed(),
            Layout::OUT_IN.with_groups(32),
            Layout::IN_OUT.with_groups(2).transposed(),
        ] {
            assert_eq!(layout.to_string().parse::<Layout>().unwrap(), layout);
        }
        assert_eq!("Out-In:Groups=4".parse::<Layout>().unwrap(), Layout::OUT_IN.with_groups(4));
        for wrong in ["", "out", "out_in:", "out_in:groups", "out_in:groups=0", "out_in:groups=-1", "out_in:group=2"] {
            assert_eq!(wrong.parse::<Layout>().unwrap_err().kind(), ErrorKind::Text, "{wrong}");
        }
    }
}
