//! The adapters of this machine, and their names.

use wgpu::{Adapter, Backends, DeviceType, Instance, InstanceDescriptor};

use crate::failure::{Failure, near};

/// The adapters of these backends, hardware first.
pub fn adapters(backends: Backends) -> Vec<Adapter> {
    let instance = Instance::new(InstanceDescriptor { backends, ..InstanceDescriptor::new_without_display_handle() });
    let mut adapters = pollster::block_on(instance.enumerate_adapters(backends));
    adapters.sort_by_key(|a| match a.get_info().device_type {
        DeviceType::DiscreteGpu => 0,
        DeviceType::IntegratedGpu => 1,
        DeviceType::VirtualGpu => 2,
        DeviceType::Other => 3,
        DeviceType::Cpu => 4,
    });
    adapters
}

/// The adapter that a person names by a part of its label, in whatever case.
pub fn adapter_named(wanted: &str) -> Result<Adapter, Failure> {
    let part = wanted.to_lowercase();
    let all = adapters(Backends::all());
    let names: Vec<_> = all.iter().map(label).collect();
    all.into_iter().find(|adapter| label(adapter).to_lowercase().contains(&part)).ok_or_else(|| {
        Failure::input(format!(
            "there is no device \"{wanted}\"{} allowed: auto, gpu, cpu, or a part of: {}",
            near(&part, ["auto", "gpu", "cpu"].into_iter().chain(runs_of_words(&names, &part))),
            if names.is_empty() { "(no adapters)".into() } else { names.join("; ") }
        ))
    })
}

/// The runs of words in labels that have as many words as this text.
fn runs_of_words<'a>(labels: &'a [String], text: &str) -> impl Iterator<Item = &'a str> {
    let words = text.split(' ').count();
    labels.iter().flat_map(move |label| {
        let starts = std::iter::once(0).chain(label.match_indices(' ').map(|(space, _)| space + 1));
        let ends = label.match_indices(' ').map(|(space, _)| space).chain([label.len()]).skip(words - 1);
        starts.zip(ends).map(|(start, end)| &label[start..end])
    })
}

/// True if an adapter is more than a program on this CPU.
pub fn is_hardware(adapter: &Adapter) -> bool {
    adapter.get_info().device_type != DeviceType::Cpu
}

/// The backend and the name of an adapter, for people and for `--device`.
pub fn label(adapter: &Adapter) -> String {
    let info = adapter.get_info();
    format!("{} {}", info.backend, info.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_words_are_a_labels_words_in_a_row() {
        let labels = ["vulkan A B C".to_string(), "gl A".to_string()];
        let of = |text| runs_of_words(&labels, text).collect::<Vec<_>>();
        assert_eq!(of("x"), ["vulkan", "A", "B", "C", "gl", "A"]);
        assert_eq!(of("x y z"), ["vulkan A B", "A B C"]);
        assert!(of("v w x y z").is_empty());
    }
}
