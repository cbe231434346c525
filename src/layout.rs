//! Layouts: what the dimensions of a weight mean, and the fans that a shape has by them.

use std::fmt;
use std::str::FromStr;

use crate::error::dimensions;
use crate::keys::{FromKeyed, Keyed, Keys};
use crate::names::{Named, as_text, plain, unknown};
use crate::shape::elements;
use crate::{Error, ErrorKind, Fans};

/// The meaning of a weight's dimensions.
///
/// | layout | a dense or convolution weight | a transposed convolution's weight |
/// | --- | --- | --- |
/// | [`OUT_IN`](Layout::OUT_IN): PyTorch, Burn's convolutions, safetensors of Hugging Face | `[out, in / groups, *kernel]` | `[in, out / groups, *kernel]` |
/// | [`IN_OUT`](Layout::IN_OUT): Keras, TensorFlow, JAX, GPT-2's `Conv1D` | `[*kernel, in / groups, out]` | `[*kernel, out / groups, in]` |
/// | [`OUT_KERNEL_IN`](Layout::OUT_KERNEL_IN), `ohwi`: MLX, TFLite | `[out, *kernel, in / groups]` | `[in, *kernel, out / groups]` |
/// | [`DEPTHWISE`](Layout::DEPTHWISE): Keras's depthwise kernels | `[*kernel, channels, multiplier]` | |
/// | [`BATCH_OUT_IN`](Layout::BATCH_OUT_IN): experts or an ensemble, stacked | `[batch, out, in, *kernel]` | `[batch, in, out, *kernel]` |
/// | [`BATCH_IN_OUT`](Layout::BATCH_IN_OUT): likewise | `[batch, *kernel, in, out]` | `[batch, *kernel, out, in]` |
/// | [`axes`](Layout::axes) | any: each dimension is input, output, batch, or kernel | |
/// | [`from_fans`](Layout::from_fans) | of no meaning: the fans are said | |
///
/// PyTorch's own `_calculate_fan_in_and_fan_out` knows neither groups nor transposition: to repeat what it says, leave
/// both out. Keras counts a depthwise kernel's channels as inputs of each output: to repeat that, take `IN_OUT`.
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
    roles: Roles,
    transposed: bool,
    groups: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Roles {
    Axes(AxesByRole),
    Fans(Fans),
}

/// The inputs, outputs and batch of a convolution's weight, by dimension. The other dimensions are its kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct AxesByRole {
    inputs: Axes,
    outputs: Axes,
    batch: Axes,
}

/// The role of a dimension that is none of a kernel's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    In,
    Out,
    Batch,
}

impl Named for Role {
    const WHAT: &'static str = "axes";
    const NAMES: &'static [(Self, &'static str, &'static [&'static str])] = &[
        (Role::In, "in_axes", &["in_axis"]),
        (Role::Out, "out_axes", &["out_axis"]),
        (Role::Batch, "batch_axes", &["batch_axis"]),
    ];
}
as_text!(Role);

impl AxesByRole {
    fn by_role(self) -> [(Role, Axes); 3] {
        [(Role::In, self.inputs), (Role::Out, self.outputs), (Role::Batch, self.batch)]
    }

    /// The role of each dimension of a shape, or why it has none.
    fn roles(self, shape: &[u64]) -> Result<Vec<Option<Role>>, String> {
        let mut roles = vec![None; shape.len()];
        for (role, axes) in self.by_role() {
            for axis in axes.numbers() {
                let at = if axis < 0 { axis + shape.len() as i64 } else { axis };
                let dim = usize::try_from(at).ok().filter(|&dim| dim < shape.len());
                let dim = dim.ok_or_else(|| match shape.len() {
                    0 | 1 => "there are fewer than two dimensions".into(),
                    _ => format!("there is no dimension {axis}"),
                })?;
                if let Some(other) = roles[dim].replace(role) {
                    return Err(format!("dimension {dim} is among {other} and {role}"));
                }
            }
        }
        Ok(roles)
    }
}

/// Numbers of dimensions, a bit each: from the first one on, and from the last one on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Axes {
    front: u64,
    back: u64,
}

impl Axes {
    const NONE: Axes = Axes { front: 0, back: 0 };

    const fn one(axis: i64) -> Axes {
        if axis < 0 { Axes { front: 0, back: 1 << (-1 - axis) } } else { Axes { front: 1 << axis, back: 0 } }
    }

    fn numbers(self) -> impl Iterator<Item = i64> {
        let front = (0..64).filter(move |i| self.front >> i & 1 == 1);
        front.chain((0..64).rev().filter(move |i| self.back >> i & 1 == 1).map(|i| -1 - i))
    }

    fn with(self, axis: i64, of: Role) -> Result<Axes, Error> {
        if !(-64..64).contains(&axis) {
            return Err(Error::new(ErrorKind::Shape, format!("one of the {of}"), axis, "-64 to 63"));
        }
        let Axes { front, back } = Axes::one(axis);
        if self.front & front | self.back & back != 0 {
            return Err(Error::new(
                ErrorKind::Shape,
                format!("one of the {of}"),
                format!("{axis}, twice"),
                "each once",
            ));
        }
        Ok(Axes { front: self.front | front, back: self.back | back })
    }

    /// The numbers that a text has for this role, joined by `+`.
    fn read(keys: &mut Keys<'_>, role: Role) -> Result<Option<Axes>, Error> {
        let Some(text) = keys.take(role.name()) else { return Ok(None) };
        let wrong = |_| keys.wrong(role.name(), &text, "dimensions' numbers, such as 0 or 1+2");
        let numbers = text.split('+').filter(|_| !text.is_empty());
        let axes = numbers.map(|number| number.trim().parse().map_err(wrong));
        axes.into_iter().try_fold(Axes::NONE, |axes, axis| axes.with(axis?, role)).map(Some)
    }
}

impl Layout {
    /// `[out, in, *kernel]`.
    pub const OUT_IN: Layout = Layout::by_role(Axes::one(1), Axes::one(0), Axes::NONE);
    /// `[*kernel, in, out]`.
    pub const IN_OUT: Layout = Layout::by_role(Axes::one(-2), Axes::one(-1), Axes::NONE);
    /// `[out, *kernel, in]`.
    ///
    /// ```
    /// let fans = fanin::Fans::from_shape(&[64, 7, 7, 3], fanin::Layout::OUT_KERNEL_IN)?;
    /// assert_eq!((fans.fan_in(), fans.fan_out()), (147, 3136));
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub const OUT_KERNEL_IN: Layout = Layout::by_role(Axes::one(-1), Axes::one(0), Axes::NONE);
    /// `[*kernel, channels, multiplier]`: each output sees one channel alone.
    ///
    /// ```
    /// let fans = fanin::Fans::from_shape(&[3, 3, 32, 2], fanin::Layout::DEPTHWISE)?;
    /// assert_eq!((fans.fan_in(), fans.fan_out()), (9, 18));
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub const DEPTHWISE: Layout = Layout::by_role(Axes::NONE, Axes::one(-1), Axes::one(-2));
    /// `[batch, out, in, *kernel]`: many weights, each of which has the fans of one.
    pub const BATCH_OUT_IN: Layout = Layout::by_role(Axes::one(2), Axes::one(1), Axes::one(0));
    /// `[batch, *kernel, in, out]`.
    pub const BATCH_IN_OUT: Layout = Layout::by_role(Axes::one(-2), Axes::one(-1), Axes::one(0));

    const fn by_role(inputs: Axes, outputs: Axes, batch: Axes) -> Layout {
        Layout { roles: Roles::Axes(AxesByRole { inputs, outputs, batch }), transposed: false, groups: 1 }
    }

    /// The layout of a weight by the numbers of its dimensions: inputs, outputs and neither (a batch of weights, each of which has the
    /// fans of one); all others are its kernel. Negative numbers count from the last dimension, -1, on. These are `in_axis`, `out_axis`
    /// and `batch_axis` of JAX's `variance_scaling`.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] for numbers outside of -64 to 63, or one that stands twice. (That -1 is 2 turns out with a shape.)
    ///
    /// ```
    /// use fanin::{Fans, Layout};
    ///
    /// // Attention's query kernel in Flax: [embedding, heads, width of a head].
    /// let query = Layout::axes(&[0], &[1, 2], &[])?; // as text: axes:in_axes=0,out_axes=1+2
    /// let fans = Fans::from_shape(&[768, 12, 64], query)?;
    /// assert_eq!((fans.fan_in(), fans.fan_out()), (768, 768));
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn axes(in_axes: &[i64], out_axes: &[i64], batch_axes: &[i64]) -> Result<Layout, Error> {
        let axes = |role, numbers: &[i64]| numbers.iter().try_fold(Axes::NONE, |axes, &axis| axes.with(axis, role));
        Ok(Layout::by_role(axes(Role::In, in_axes)?, axes(Role::Out, out_axes)?, axes(Role::Batch, batch_axes)?))
    }

    /// The layout of a weight that has these fans, whatever its shape.
    ///
    /// ```
    /// use fanin::{Fans, Layout};
    ///
    /// let layout = Layout::from_fans(Fans::new(768, 64)?); // as text: fans:fan_in=768,fan_out=64
    /// assert_eq!(Fans::from_shape(&[10], layout)?.fan_in(), 768);
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub const fn from_fans(fans: Fans) -> Layout {
        Layout { roles: Roles::Fans(fans), transposed: false, groups: 1 }
    }

    /// The same layout for a transposed convolution, where in and out change places.
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

    /// The number of groups, 1 unless something else is said.
    pub const fn groups(self) -> u64 {
        self.groups
    }

    /// The role of each dimension of a shape, or why it has none.
    pub(crate) fn roles(self, shape: &[u64]) -> Result<Vec<Option<Role>>, String> {
        match self.roles {
            Roles::Axes(axes) => axes.roles(shape),
            Roles::Fans(_) => Err("only the fans are said".into()),
        }
    }

    /// The fans that were said, of which there are no groups.
    fn outright(self, shape: &[u64]) -> Result<Fans, Error> {
        match self.roles {
            Roles::Fans(fans) if self.groups == 1 => {
                if self.transposed {
                    Fans::new(fans.fan_out(), fans.fan_in())
                } else {
                    Ok(fans)
                }
            }
            _ => {
                let value = format!("{} of {}, whose fans are said", self.groups, dimensions(shape));
                Err(Error::new(ErrorKind::Shape, "groups", value, "1"))
            }
        }
    }

    const fn axes_by_role(self) -> AxesByRole {
        match self.roles {
            Roles::Axes(axes) => axes,
            Roles::Fans(_) => AxesByRole { inputs: Axes::NONE, outputs: Axes::NONE, batch: Axes::NONE },
        }
    }
}

impl Named for AxesByRole {
    const WHAT: &'static str = "layout";
    const NAMES: &'static [(Self, &'static str, &'static [&'static str])] = &[
        (Layout::OUT_IN.axes_by_role(), "out_in", &[]),
        (Layout::IN_OUT.axes_by_role(), "in_out", &[]),
        (Layout::OUT_KERNEL_IN.axes_by_role(), "out_kernel_in", &["ohwi", "owi", "odhwi"]),
        (Layout::DEPTHWISE.axes_by_role(), "depthwise", &[]),
        (Layout::BATCH_OUT_IN.axes_by_role(), "batch_out_in", &[]),
        (Layout::BATCH_IN_OUT.axes_by_role(), "batch_in_out", &[]),
    ];
}

/// The text that reads back as the same layout: `out_in`, or `out_in:groups=32`.
impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parameters = Vec::new();
        let name = match self.roles {
            Roles::Axes(axes) if axes.name().is_empty() => {
                let text = |axes: Axes| axes.numbers().map(|n| n.to_string()).collect::<Vec<_>>().join("+");
                let said = axes.by_role().into_iter().filter(|&(role, axes)| role != Role::Batch || axes != Axes::NONE);
                parameters.extend(said.map(|(role, axes)| format!("{role}={}", text(axes))));
                AXES
            }
            Roles::Axes(axes) => axes.name(),
            Roles::Fans(Fans { fan_in, fan_out }) => {
                parameters.extend([format!("fan_in={fan_in}"), format!("fan_out={fan_out}")]);
                FANS
            }
        };
        if self.groups != 1 {
            parameters.push(format!("groups={}", self.groups));
        }
        let transposed = if self.transposed { TRANSPOSED } else { "" };
        let colon = if parameters.is_empty() { "" } else { ":" };
        f.pad(&format!("{name}{transposed}{colon}{}", parameters.join(",")))
    }
}

const AXES: &str = "axes";
const FANS: &str = "fans";
const TRANSPOSED: &str = "_transposed";

/// Reads a layout's name, any of them with `_transposed` behind it; `axes:in_axes=0,out_axes=1+2`, also with `batch_axes`; or
/// `fans:fan_in=768,fan_out=64`. The last parameter may be `groups=N`. Neither case nor `-` for `_` matters.
impl FromStr for Layout {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Layout::from_keyed(Keyed::read(Layout::WHAT, text)?)
    }
}

impl FromKeyed for Layout {
    const WHAT: &'static str = AxesByRole::WHAT;
    #[cfg(feature = "rules")]
    const NUMBERS: &'static [&'static str] = &["groups", "fan_in", "fan_out"];

    fn from_keyed(mut text: Keyed<'_>) -> Result<Self, Error> {
        let name = plain(&text.name);
        let (kind, transposed) = name.strip_suffix(TRANSPOSED).map_or((name.as_str(), false), |kind| (kind, true));
        if kind == AXES {
            for (key, _) in &mut text.pairs {
                *key = Role::named(key).map_or_else(|_| std::mem::take(key), |role| role.to_string());
            }
        }
        let names = || AxesByRole::NAMES.iter().map(|(_, name, _)| *name).chain([AXES, FANS]);
        let named = match kind {
            AXES | FANS => None,
            kind => Some(Named::named(kind).map_err(|_| unknown(AxesByRole::WHAT, &text.name, names()))?),
        };
        let mut keys = text.keys(&name)?;
        let roles = match named {
            Some(axes) => Roles::Axes(axes),
            None if kind == AXES => {
                let inputs = Axes::read(&mut keys, Role::In)?;
                let outputs = Axes::read(&mut keys, Role::Out)?;
                let batch = Axes::read(&mut keys, Role::Batch)?;
                let missing = |role: Role| keys.missing(role.name(), "dimensions' numbers, such as 0 or 1+2");
                Roles::Axes(AxesByRole {
                    inputs: inputs.ok_or_else(|| missing(Role::In))?,
                    outputs: outputs.ok_or_else(|| missing(Role::Out))?,
                    batch: batch.unwrap_or(Axes::NONE),
                })
            }
            None => {
                let [fan_in, fan_out] = ["fan_in", "fan_out"]
                    .map(|key| keys.count(key, 1)?.ok_or_else(|| keys.missing(key, "a whole number from 1 on")));
                Roles::Fans(Fans { fan_in: fan_in?, fan_out: fan_out? })
            }
        };
        let groups = keys.count("groups", 1)?.unwrap_or(1);
        keys.finish()?;
        Ok(Layout { roles, transposed, groups })
    }
}

impl Fans {
    /// The fans of a weight of this shape.
    ///
    /// # Errors
    /// [`ErrorKind::Shape`] for a shape without the layout's dimensions or with a dimension of 0, for groups that do not divide the dimension that they
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
        let none = |why: String| {
            let allowed = "a shape with fan_in and fan_out, the fans themselves (Scheme::distribution_of_fans), or a scheme \
                           without fans (zeros, ones, constant, uniform, normal, truncated_normal)";
            Error::new(ErrorKind::Shape, "the shape", format!("{}, of which {why}", dimensions(shape)), allowed)
        };
        elements(shape)?;
        let Roles::Axes(axes) = layout.roles else {
            return layout.outright(shape);
        };
        if shape.contains(&0) {
            return Err(none("a dimension is 0".into()));
        }
        let [mut channels_in, mut channels_out, mut kernel] = [1; 3];
        let roles = axes.roles(shape).map_err(none)?;
        for (&size, role) in shape.iter().zip(roles) {
            match role {
                Some(Role::In) => channels_in *= size,
                Some(Role::Out) => channels_out *= size,
                Some(Role::Batch) => {}
                None => kernel *= size,
            }
        }
        if layout.groups == 0 || channels_out % layout.groups != 0 {
            let allowed = format!("at least 1, and a divisor of {channels_out} in the shape {}", dimensions(shape));
            return Err(Error::new(ErrorKind::Shape, "groups", layout.groups, allowed));
        }
        // On its side all channels count, on the other one group's.
        let (whole, part) = (channels_out / layout.groups * kernel, channels_in * kernel);
        if layout.transposed { Fans::new(whole, part) } else { Fans::new(part, whole) }
    }
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
    fn axes_are_those_of_jax() {
        // Of jax.nn.initializers.variance_scaling: kernels of dimensions that are none of these count on both sides.
        let axes = |i: &[i64], o: &[i64], b: &[i64]| Layout::axes(i, o, b).unwrap();
        assert_eq!(fans(&[768, 12, 64], axes(&[0], &[1, 2], &[])), (768, 768));
        assert_eq!(fans(&[12, 64, 768], axes(&[0, 1], &[-1], &[])), (768, 768));
        assert_eq!(fans(&[8, 3, 5, 7], axes(&[-2], &[-1], &[0])), (15, 21));
        assert_eq!(fans(&[8, 3, 5, 7], axes(&[1], &[-4], &[])), (3 * 35, 8 * 35));
        assert_eq!(fans(&[4, 6], axes(&[], &[1], &[0])), (1, 6));
        // Experts, and others' convolutions: 6 inputs, 10 outputs, 3x5.
        assert_eq!(fans(&[8, 10, 6], Layout::BATCH_OUT_IN), (6, 10));
        assert_eq!(fans(&[8, 6, 10], Layout::BATCH_IN_OUT), (6, 10));
        assert_eq!(fans(&[2, 10, 6, 3, 5], Layout::BATCH_OUT_IN), (90, 150));
        assert_eq!(fans(&[2, 3, 5, 6, 10], Layout::BATCH_IN_OUT), (90, 150));
        assert_eq!(fans(&[10, 3, 5, 6], Layout::OUT_KERNEL_IN), (90, 150));
        assert_eq!(fans(&[6, 3, 5, 10], Layout::OUT_KERNEL_IN.transposed()), (90, 150));
        assert_eq!(fans(&[10, 3, 5, 3], Layout::OUT_KERNEL_IN.with_groups(2)), (45, 75));
        assert_eq!(fans(&[3, 5, 6, 2], Layout::DEPTHWISE), (15, 30));
        assert_eq!(fans(&[9], Layout::from_fans(Fans::new(3, 4).unwrap())), (3, 4));
        assert_eq!(fans(&[], Layout::from_fans(Fans::new(3, 4).unwrap()).transposed()), (4, 3));
        let error = |shape: &[u64], layout| Fans::from_shape(shape, layout).unwrap_err().to_string();
        assert!(error(&[4, 6], Layout::BATCH_OUT_IN).contains("[4, 6], of which there is no dimension 2"));
        assert!(error(&[4, 6], axes(&[-3], &[0], &[])).contains("there is no dimension -3"));
        assert!(error(&[4, 6], axes(&[1], &[-1], &[])).contains("dimension 1 is among in_axes and out_axes"));
        assert!(error(&[4], Layout::from_fans(Fans::new(3, 4).unwrap()).with_groups(2)).contains("groups"));
        assert!(Layout::axes(&[64], &[0], &[]).unwrap_err().to_string().contains("in_axes is 64, allowed: -64 to 63"));
        assert!(Layout::axes(&[1], &[0, 0], &[]).unwrap_err().to_string().contains("out_axes is 0, twice"));
        assert_eq!(Layout::axes(&[1], &[0], &[]).unwrap(), Layout::OUT_IN);
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
            Layout::BATCH_OUT_IN,
            Layout::OUT_KERNEL_IN.transposed(),
            Layout::DEPTHWISE,
            Layout::axes(&[0, -1], &[1, -3], &[-2]).unwrap().with_groups(3).transposed(),
            Layout::axes(&[], &[63, -64], &[]).unwrap(),
            Layout::from_fans(Fans::new(3, 4).unwrap()),
            Layout::from_fans(Fans::new(3, 4).unwrap()).with_groups(2).transposed(),
        ] {
            assert_eq!(layout.to_string().parse::<Layout>().unwrap(), layout);
        }
        assert_eq!("Out-In:Groups=4".parse::<Layout>().unwrap(), Layout::OUT_IN.with_groups(4));
        assert_eq!("OHWI".parse::<Layout>().unwrap(), Layout::OUT_KERNEL_IN);
        let axes = "axes: in_axis = -1 + 0, out-axes=1".parse::<Layout>().unwrap();
        assert_eq!(axes, Layout::axes(&[0, -1], &[1], &[]).unwrap());
        assert_eq!("axes:in_axes=1,out_axes=0".parse::<Layout>().unwrap().to_string(), "out_in");
        for (wrong, says) in [
            ("", "batch_in_out, axes, fans"),
            ("out", "the layout is \"out\", allowed: out_in"),
            ("out_in:", "a parameter of the layout out_in is \"\", allowed: key=value"),
            ("out_in:groups", "is \"groups\", allowed: key=value"),
            ("out_in:groups=0", "groups of the layout out_in is \"0\", allowed: a whole number from 1 on"),
            ("out_in:groups=-1", "groups of the layout out_in is \"-1\""),
            ("out_in:group=2", "a parameter of the layout out_in is \"group\", did you mean groups? allowed: groups"),
            ("out_in:in_axes=0", "is \"in_axes\", allowed: groups"),
            ("out_in:groups=2,groups=3", "each key once"),
            ("axes:in_axes=0,in_axis=1,out_axes=2", "in_axes of the layout axes is \"1\", allowed: each key once"),
            ("axes", "in_axes of the layout axes is not given, allowed: dimensions' numbers"),
            ("axes:in_axes=1", "out_axes of the layout axes is not given"),
            ("axes:in_axes=1,out_axes=x", "out_axes of the layout axes is \"x\""),
            ("axes:in_axes=1+,out_axes=0", "in_axes of the layout axes is \"1+\""),
            ("axes:in_axes=0+0,out_axes=1", "0, twice"),
            ("axes:in_axes=1,out_axes=0,fan_in=3", "is \"fan_in\", allowed: in_axes, out_axes, batch_axes, groups"),
            ("fans:fan_in=3", "fan_out of the layout fans is not given, allowed: a whole number from 1 on"),
            ("fans:fan_in=0,fan_out=3", "fan_in of the layout fans is \"0\""),
            ("axes:in_axes=99999999999999999999,out_axes=0", "in_axes of the layout axes is \"9"),
        ] {
            let error = wrong.parse::<Layout>().unwrap_err().to_string();
            assert!(error.contains(says), "{wrong}: {error}");
        }
    }
}
