//! A model's tensors as JSON, and what one scheme says of them.
#![no_main]

use std::sync::LazyLock;

use fanin::Layout;
use fanin::rules::Rules;
use fanin_cli::files::header;
use fanin_fuzz::message;
use libfuzzer_sys::fuzz_target;

static RULES: LazyLock<Rules> =
    LazyLock::new(|| Rules::from_scheme("he_normal".parse().expect("a scheme"), Layout::OUT_IN).expect("rules"));

fuzz_target!(|bytes: &[u8]| {
    match header::list(bytes) {
        Ok(model) => {
            let _ = Rules::recognise(&model);
            match RULES.plan_by_shapes(&model) {
                Ok(plan) => assert_eq!(plan.tensors().len(), model.len()),
                Err(error) => message(&error, 8 * bytes.len()),
            }
        }
        Err(error) => message(&error, bytes.len()),
    }
});
