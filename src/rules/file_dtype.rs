//! Element types of safetensors files: what a tensor holds there, drawn or not.

use std::fmt;

use crate::Dtype;

macro_rules! file_dtypes {
    ($($variant:ident $name:literal $bits:literal)*) => {
        /// The element type of a tensor in a safetensors file.
        ///
        /// ```
        /// use fanin::Dtype;
        /// use fanin::rules::FileDtype;
        ///
        /// assert_eq!(FileDtype::F8E4M3.to_string(), "F8_E4M3");
        /// assert_eq!(FileDtype::named("bf16"), Some(FileDtype::BF16));
        /// assert_eq!((FileDtype::BF16.drawn(), FileDtype::F64.drawn()), (Some(Dtype::BF16), None));
        /// assert!(FileDtype::Bool.is_integer() && !FileDtype::F64.is_integer());
        /// assert_eq!(FileDtype::F4.bits(), 4);
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum FileDtype {
            $(#[doc = concat!("`", $name, "`.")] $variant,)*
        }

        impl FileDtype {
            const ALL: &'static [FileDtype] = &[$(FileDtype::$variant),*];

            /// The name in a file, such as `BF16`.
            pub const fn name(self) -> &'static str {
                match self { $(FileDtype::$variant => $name,)* }
            }

            /// Bits per element.
            pub const fn bits(self) -> u32 {
                match self { $(FileDtype::$variant => $bits,)* }
            }
        }
    };
}

file_dtypes! {
    Bool "BOOL" 8
    F4 "F4" 4
    F6E2M3 "F6_E2M3" 6
    F6E3M2 "F6_E3M2" 6
    U8 "U8" 8
    I8 "I8" 8
    F8E5M2 "F8_E5M2" 8
    F8E4M3 "F8_E4M3" 8
    F8E8M0 "F8_E8M0" 8
    F8E4M3Fnuz "F8_E4M3FNUZ" 8
    F8E5M2Fnuz "F8_E5M2FNUZ" 8
    I16 "I16" 16
    U16 "U16" 16
    F16 "F16" 16
    BF16 "BF16" 16
    I32 "I32" 32
    U32 "U32" 32
    F32 "F32" 32
    C64 "C64" 64
    F64 "F64" 64
    I64 "I64" 64
    U64 "U64" 64
}

impl FileDtype {
    /// The one of this name, in whatever case.
    pub fn named(name: &str) -> Option<FileDtype> {
        FileDtype::ALL.iter().find(|dtype| dtype.name().eq_ignore_ascii_case(name)).copied()
    }

    /// The names.
    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        FileDtype::ALL.iter().map(|dtype| dtype.name())
    }

    /// Whether it is one of integers or truths, which are not drawn.
    pub const fn is_integer(self) -> bool {
        use FileDtype::*;
        matches!(self, Bool | U8 | I8 | U16 | I16 | U32 | I32 | U64 | I64)
    }

    /// The dtype that its elements are drawn in, if they are.
    pub const fn drawn(self) -> Option<Dtype> {
        match self {
            FileDtype::F32 => Some(Dtype::F32),
            FileDtype::F16 => Some(Dtype::F16),
            FileDtype::BF16 => Some(Dtype::BF16),
            _ => None,
        }
    }
}

/// The type of a file that holds what is drawn in this dtype.
impl From<Dtype> for FileDtype {
    fn from(dtype: Dtype) -> FileDtype {
        match dtype {
            Dtype::F32 => FileDtype::F32,
            Dtype::F16 => FileDtype::F16,
            Dtype::BF16 => FileDtype::BF16,
        }
    }
}

impl fmt::Display for FileDtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
