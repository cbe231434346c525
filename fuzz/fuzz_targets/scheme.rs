//! Texts of schemes, and of all the words that stand in them or beside them.
#![no_main]

use fanin::rules::Rules;
use fanin::scheme::{FanMode, Spread};
use fanin::{Dtype, Layout, Nonlinearity, Scheme};
use fanin_fuzz::{draw, message, reads_back};
use libfuzzer_sys::{Corpus, fuzz_target};

const SHAPES: [&[u64]; 6] = [&[], &[768], &[2, 4], &[64, 32, 3, 3], &[1 << 40, 1 << 20], &[0, 8]];

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Ok(text) = str::from_utf8(bytes) else { return Corpus::Reject };
    reads_back::<Layout>(text);
    reads_back::<Dtype>(text);
    reads_back::<FanMode>(text);
    reads_back::<Spread>(text);
    reads_back::<Nonlinearity>(text);
    reads_back::<Scheme>(text);
    let Ok(scheme) = text.parse::<Scheme>() else { return Corpus::Keep };
    let rules = Rules::from_scheme(scheme, Layout::OUT_IN.with_groups(2)).expect("a scheme that was read");
    assert!(rules.text().contains(&scheme.to_string()));
    for shape in SHAPES {
        match scheme.distribution(shape, Layout::IN_OUT) {
            Ok(distribution) => {
                distribution.check().expect("a distribution");
                reads_back::<Scheme>(&Scheme::from(distribution).to_string());
                draw(&distribution, bytes.len() as u64, 0, 64);
                if !scheme.needs_fans() {
                    break; // The other shapes draw the same.
                }
            }
            Err(error) => message(&error, 0),
        }
    }
    Corpus::Keep
});
