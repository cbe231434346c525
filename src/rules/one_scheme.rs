//! Rules of one scheme for all matrices and convolutions of a model.

use super::{Rules, text};
use crate::limits::rules::MAX_LAYOUTS_BYTES;
use crate::{Error, ErrorKind, Layout, Scheme};

const SCHEME: &str = include_str!("../../data/presets/scheme.toml");

const CONVOLUTION_OF_3: &str = r#"
[[rule]]
name = ["*conv*", "*Conv*"]
rank = 3
scheme = "SCHEME"
[[rule]]
name = "*"
rank = 3
refuse = """it has three dimensions, and its name is no convolution's: a layout for its name says what they are, out_in or in_out of \
    a convolution, batch_out_in, batch_in_out or axes of a stack of experts or heads"""
"#;

impl Rules {
    /// One scheme for all matrices and convolutions (two or more dimensions). Vectors and scalars start at 1 where they
    /// multiply (the weight, gamma or scale of a norm; a running variance) and at 0 otherwise (biases and all else).
    ///
    /// Where the scheme asks for fans, three dimensions are taken for a convolution's if the name says `conv`, and are refused if it
    /// does not: stacked experts look alike, and have other fans. [`from_scheme_in`](Rules::from_scheme_in) says theirs.
    ///
    /// # Errors
    /// [`ErrorKind::Parameter`] or [`ErrorKind::Window`] if the scheme's numbers are outside their domains, [`ErrorKind::Shape`] if the
    /// layout has no groups at all.
    ///
    /// ```
    /// use fanin::Layout;
    /// use fanin::rules::{Rules, Tensor};
    ///
    /// let rules = Rules::from_scheme("he_normal".parse()?, Layout::OUT_IN)?;
    /// let plan = rules.plan(&[Tensor::new("bn.running_var", [8])])?;
    /// assert_eq!(plan.tensors()[0].draw.as_ref().unwrap().distribution.to_string(), "constant(1)");
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn from_scheme(scheme: Scheme, layout: Layout) -> Result<Rules, Error> {
        Rules::from_scheme_in(scheme, layout, &[])
    }

    /// The same, with other layouts for tensors of two or more dimensions whose names have these patterns, the first that fits.
    ///
    /// # Errors
    /// Those of [`from_scheme`](Rules::from_scheme), and [`ErrorKind::Rules`] for what is no pattern.
    ///
    /// ```
    /// use fanin::Layout;
    /// use fanin::rules::{Rules, Tensor};
    ///
    /// let experts = [("*.experts.*", Layout::BATCH_OUT_IN)];
    /// let rules = Rules::from_scheme_in("he_normal".parse()?, Layout::OUT_IN, &experts)?;
    /// let plan = rules.plan(&[Tensor::new("mlp.experts.up_proj", [8, 1024, 200])])?;
    /// assert_eq!(plan.tensors()[0].draw.as_ref().unwrap().distribution.std(), 0.1);
    /// # Ok::<(), fanin::Error>(())
    /// ```
    pub fn from_scheme_in(scheme: Scheme, layout: Layout, others: &[(&str, Layout)]) -> Result<Rules, Error> {
        scheme.check()?;
        // A text of JSON is one of TOML, but for this character.
        let quote = |text: &str| serde_json::Value::from(text).to_string().replace('\x7f', "\\u007f");
        let of = quote(&scheme.to_string());
        let mut named = String::new();
        if others.iter().map(|(_, layout)| layout).chain([&layout]).any(|layout| layout.groups() == 0) {
            return Err(Error::new(ErrorKind::Shape, "groups", 0, "at least 1"));
        }
        for (pattern, layout) in others {
            if pattern.len() + named.len() > MAX_LAYOUTS_BYTES {
                let allowed = format!("{MAX_LAYOUTS_BYTES} bytes");
                return Err(Error::new(ErrorKind::Rules, "the length of all patterns", "more", allowed));
            }
            text::pattern(pattern)?;
            let (pattern, layout) = (quote(pattern), quote(&layout.to_string()));
            named += &format!("[[rule]]\nname = {pattern}\nlayout = {layout}\nscheme = {of}\n");
        }
        let is_convolution = [Layout::OUT_IN, Layout::IN_OUT, Layout::OUT_KERNEL_IN]
            .iter()
            .any(|of| [*of, of.transposed()].contains(&layout.with_groups(1)));
        let of_3 = if scheme.needs_fans() && is_convolution { CONVOLUTION_OF_3 } else { "" };
        SCHEME
            .replace("CONVOLUTION-OF-3\n", of_3)
            .replace("\"SCHEME\"", &of)
            .replace("\"LAYOUT\"", &quote(&layout.to_string()))
            .replace("# LAYOUTS\n", &named)
            .parse()
    }
}
