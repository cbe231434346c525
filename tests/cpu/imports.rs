//! Files import one another in one direction: by their `use`, no file is above one that is above it. What a file hands on with `pub use` it
//! imports if it names it itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, Ident, Item, UseTree};

/// A module's path, from the crate on.
type Name = Vec<String>;

#[test]
fn no_two_files_of_the_library_import_each_other() {
    assert_eq!(circles("src"), Vec::<String>::new());
}

#[test]
fn no_two_files_of_the_program_import_each_other() {
    assert_eq!(circles("cli/src"), Vec::<String>::new());
}

/// The pairs of files of which each comes to the other by imports.
fn circles(folder: &str) -> Vec<String> {
    let mut files = BTreeMap::new();
    read(&fanin_tests::repository().join(folder), Vec::new(), &mut files);
    let uses: BTreeMap<Name, Vec<(Name, bool)>> =
        files.iter().map(|(module, items)| (module.clone(), uses(module, items, &files))).collect();
    let mut exports = BTreeMap::new();
    for (module, uses) in &uses {
        for (path, _) in uses.iter().filter(|(_, is_public)| *is_public) {
            exports.insert([&module[..], &path[path.len() - 1..]].concat(), path.clone());
        }
    }
    let mut above: BTreeMap<Name, BTreeSet<Name>> = BTreeMap::new();
    for (module, uses) in &uses {
        let mut named = Named::default();
        files[module]
            .iter()
            .filter(|item| !matches!(item, Item::Use(_)))
            .for_each(|item| named.visit_item_mut(&mut item.clone()));
        let imported = uses.iter().filter(|(path, is_public)| !is_public || named.0.contains(&path[path.len() - 1]));
        let found = imported.map(|(path, _)| file_of(path.clone(), &files, &exports));
        above.insert(module.clone(), found.filter(|found| found != module).collect());
    }
    // From what is above a file on to all that is above that.
    while let Some((module, more)) = above.iter().find_map(|(module, known)| {
        let more: BTreeSet<_> = known.iter().flat_map(|other| &above[other]).cloned().collect();
        (!more.is_subset(known)).then(|| (module.clone(), more))
    }) {
        above.get_mut(&module).expect("a module").extend(more);
    }
    let pairs = above.iter().flat_map(|(module, all)| all.iter().map(move |other| (module, other)));
    let both = pairs.filter(|(module, other)| module < other && above[*other].contains(*module));
    both.map(|(module, other)| format!("{} and {}", module.join("/"), other.join("/"))).collect()
}

/// The names that stand in items, but for macros' and tests'.
#[derive(Default)]
struct Named(BTreeSet<String>);

impl VisitMut for Named {
    fn visit_ident_mut(&mut self, name: &mut Ident) {
        self.0.insert(name.to_string());
    }

    fn visit_item_mod_mut(&mut self, module: &mut syn::ItemMod) {
        if !module.attrs.iter().any(is_not_built) && module.content.is_some() {
            visit_mut::visit_item_mod_mut(self, module);
        }
    }
}

/// The files of a folder as modules, without their tests.
fn read(folder: &Path, module: Name, files: &mut BTreeMap<Name, Vec<Item>>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_string();
        if path.is_dir() {
            read(&path, [&module[..], &[name]].concat(), files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let is_head = ["lib", "main", "mod"].contains(&name.as_str());
            let module = if is_head { module.clone() } else { [&module[..], &[name]].concat() };
            let text = std::fs::read_to_string(&path).unwrap();
            files.entry(module).or_default().extend(syn::parse_file(&text).unwrap().items);
        }
    }
}

/// The paths of this crate that a file names with `use`, and whether for others, too.
fn uses(module: &[String], items: &[Item], files: &BTreeMap<Name, Vec<Item>>) -> Vec<(Name, bool)> {
    let mut found = Vec::new();
    for item in items {
        let Item::Use(import) = item else { continue };
        if import.attrs.iter().any(is_not_built) {
            continue;
        }
        let mut paths = Vec::new();
        leaves(&import.tree, Vec::new(), &mut paths);
        let is_public = !matches!(import.vis, syn::Visibility::Inherited);
        found.extend(paths.into_iter().filter_map(|path| Some((absolute(module, path, files)?, is_public))));
    }
    found
}

/// True for what is there for tests or documentation alone.
fn is_not_built(attribute: &Attribute) -> bool {
    let condition = attribute.meta.require_list().map(|list| list.tokens.to_string()).unwrap_or_default();
    attribute.path().is_ident("cfg") && ["test", "doc"].contains(&condition.as_str())
}

fn leaves(tree: &UseTree, mut path: Name, paths: &mut Vec<Name>) {
    match tree {
        UseTree::Path(part) => {
            path.push(part.ident.to_string());
            leaves(&part.tree, path, paths);
        }
        UseTree::Name(name) => paths.push([&path[..], &[name.ident.to_string()]].concat()),
        UseTree::Rename(name) => paths.push([&path[..], &[name.ident.to_string()]].concat()),
        UseTree::Glob(_) => paths.push(path),
        UseTree::Group(group) => group.items.iter().for_each(|tree| leaves(tree, path.clone(), paths)),
    }
}

/// A path from the crate on; nothing for another crate's.
fn absolute(module: &[String], path: Name, files: &BTreeMap<Name, Vec<Item>>) -> Option<Name> {
    let first = path.first()?;
    let ups = path.iter().take_while(|part| *part == "super").count();
    let within = [module, &path[..1]].concat();
    match first.as_str() {
        "crate" => Some(path[1..].to_vec()),
        "self" => Some([module, &path[1..]].concat()),
        "super" => Some([&module[..module.len() - ups], &path[ups..]].concat()),
        _ if files.contains_key(&within) => Some([module, &path].concat()),
        _ => None,
    }
}

/// The file that has what a path names, also where others hand it on.
fn file_of(mut path: Name, files: &BTreeMap<Name, Vec<Item>>, exports: &BTreeMap<Name, Name>) -> Name {
    loop {
        let len = (0..=path.len()).rev().find(|&len| files.contains_key(&path[..len])).expect("the crate");
        match path.get(..len + 1).and_then(|name| exports.get(name)) {
            Some(other) if *other != path => path = [&other[..], &path[len + 1..]].concat(),
            _ => return path[..len].to_vec(),
        }
    }
}
