//! How a file says it was made, on the first line, and the tensors that it holds, on the second: what is drawn again of them.
#![no_main]

use fanin::rules::Recipe;
use fanin::{Dtype, cpu, elements};
use fanin_cli::files::header::{holds, list};
use fanin_cli::files::provenance::Provenance;
use fanin_fuzz::message;
use libfuzzer_sys::{Corpus, fuzz_target};

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Ok(text) = str::from_utf8(bytes) else { return Corpus::Reject };
    let (provenance, tensors) = text.split_once('\n').unwrap_or((text, "{}"));
    let provenance = match Provenance::read(provenance) {
        Ok(provenance) => provenance,
        Err(error) => {
            message(&error, text.len());
            return Corpus::Keep;
        }
    };
    let written = serde_json::to_string(&provenance).expect("JSON");
    let again = Provenance::read(&written).expect("what was written is read");
    assert_eq!(serde_json::to_string(&again).expect("JSON"), written);

    for tensor in list(tensors.as_bytes()).unwrap_or_default() {
        if let Some(copied) = provenance.copied.get(&tensor.name) {
            match copied.bytes(&tensor.shape, 1 << 40) {
                Ok(bytes) => assert!(bytes <= 1 << 40),
                Err(error) => message(&error, 8 * text.len()),
            }
        }
        let Some(words) = provenance.tensors.get(&tensor.name) else { continue };
        let (name, shape, seed) = (&tensor.name, &tensor.shape, provenance.seed);
        let recipe = match Recipe::from_json(words, name, shape) {
            Ok(recipe) => recipe,
            Err(error) => {
                message(&error, 8 * text.len());
                continue;
            }
        };
        let mut again = Recipe::from_json(&recipe.to_json(name, seed), name, shape).expect("what was written is read");
        let stream = |recipe: &Recipe| recipe.stream(seed).map_err(|e| e.to_string());
        assert_eq!(stream(&again), stream(&recipe));
        // Of no meaning for streams by name.
        again.alone = recipe.alone;
        assert_eq!(again, recipe);

        let count = elements(shape).expect("a shape that can be counted");
        let dtype = holds(&tensor).drawn().unwrap_or(Dtype::F32);
        let fill = match recipe.stream(seed).and_then(|stream| recipe.fill_of(stream, dtype)) {
            Ok(fill) => fill,
            Err(error) => {
                message(&error, 8 * text.len());
                continue;
            }
        };
        assert_eq!((fill.len(), &fill.shape()), (count, shape));
        for from in [0, count / 3, count] {
            let few = fill.split_at(from).1.split_at(5).0;
            assert_eq!(few.len(), 5.min(count - from), "{recipe:?} from {from}");
            cpu::bytes(&few).expect("little memory");
        }
    }
    Corpus::Keep
});
