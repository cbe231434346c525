//! A model's config.json, and an architecture's text behind a zero byte or the one of fanin's own: tensors and what they draw.
#![no_main]

use fanin::Dtype;
use fanin::rules::{Architecture, Config};
use fanin_fuzz::message;
use libfuzzer_sys::{Corpus, fuzz_target};

/// Of longer lists, the tensors are counted alone.
const PLANNED: usize = 200;

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let (config, text) = match bytes.iter().position(|&byte| byte == 0) {
        Some(at) => match str::from_utf8(&bytes[at + 1..]) {
            Ok(text) => (&bytes[..at], Some(text)),
            Err(_) => return Corpus::Reject,
        },
        None => (bytes, None),
    };
    let config = match Config::from_json(config) {
        Ok(config) => config,
        Err(error) => {
            message(&error, bytes.len());
            return Corpus::Keep;
        }
    };
    assert_eq!(Config::from_json(config.to_json().as_bytes()).expect("what it wrote"), config);
    let architecture = match text {
        Some(text) => text.parse::<Architecture>(),
        None => Architecture::for_config(&config),
    };
    let described = architecture.and_then(|architecture| Ok((architecture.describe(&config)?.model, architecture)));
    let config = config.unquantised();
    let model = described.and_then(|(described, architecture)| {
        let model = architecture.model(&config)?;
        for (tensor, described) in model.tensors().iter().zip(described.tensors()) {
            assert_eq!((&tensor.name, &tensor.shape), (&described.name, &described.shape));
            assert!(described.fp8_block.is_none() || tensor.shape.len() == 2);
        }
        Ok((model, architecture))
    });
    let (model, architecture) = match model {
        Ok(made) => made,
        Err(error) => {
            // One of no class lists those that there are.
            message(&error, bytes.len().max(16384));
            return Corpus::Keep;
        }
    };
    if model.tensors().len() > PLANNED {
        return Corpus::Keep;
    }
    match architecture.plan(&config) {
        Ok(plan) => {
            assert_eq!(plan.tensors().len(), model.tensors().len());
            for (planned, tensor) in plan.tensors().iter().zip(model.tensors()) {
                assert_eq!((&planned.name, &planned.shape), (&tensor.name, &tensor.shape));
                let Some(draw) = &planned.draw else { continue };
                draw.distribution.check().expect("a distribution");
                if let Err(error) = draw.fill(0, Dtype::F32) {
                    message(&error, bytes.len());
                }
            }
        }
        Err(error) => message(&error, bytes.len()),
    }
    Corpus::Keep
});
