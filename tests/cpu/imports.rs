//! Files import one another in one direction: by their `use`, no file is above one that is above it. What a file hands on with `pub use` it
//! imports if it names it itself.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit_mut::VisitMut;
use syn::{Attribute, Ident, Item, Visibility};

use crate::sources::{imports, load};

/// A module's path, from the crate on.
type Name = Vec<String>;

/// The items of each file, but for those of its modules.
type Files = BTreeMap<Name, Vec<Item>>;

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
    let mut files = Files::new();
    split(load(&fanin_tests::repository().join(folder)), Vec::new(), &mut files);
    let uses: BTreeMap<&Name, Vec<(Name, bool)>> =
        files.iter().map(|(module, items)| (module, uses(module, items, &files))).collect();
    let mut exports = BTreeMap::new();
    for (module, uses) in &uses {
        for (path, _) in uses.iter().filter(|(_, is_public)| *is_public) {
            exports.insert([&module[..], &path[path.len() - 1..]].concat(), path.clone());
        }
    }
    let imported = |(module, uses): (&&Name, &Vec<(Name, bool)>)| {
        let mut named = Named::default();
        let items = files[*module].iter().filter(|item| !matches!(item, Item::Use(_)));
        items.for_each(|item| named.visit_item_mut(&mut item.clone()));
        let used = uses.iter().filter(|(path, is_public)| !is_public || named.0.contains(&path[path.len() - 1]));
        let found = used.map(|(path, _)| file_of(path.clone(), &files, &exports));
        ((*module).clone(), found.filter(|found| found != *module).collect())
    };
    let imports: BTreeMap<Name, BTreeSet<Name>> = uses.iter().map(imported).collect();
    let above: BTreeMap<&Name, BTreeSet<&Name>> =
        files.keys().map(|module| (module, all_above(module, &imports))).collect();
    let pairs = above.iter().flat_map(|(module, all)| all.iter().map(move |other| (*module, *other)));
    let both = pairs.filter(|(module, other)| module < other && above[other].contains(module));
    both.map(|(module, other)| format!("{} and {}", module.join("/"), other.join("/"))).collect()
}

/// The files that one imports, those that these import, and so on.
fn all_above<'a>(module: &'a Name, imports: &'a BTreeMap<Name, BTreeSet<Name>>) -> BTreeSet<&'a Name> {
    let (mut above, mut rest) = (BTreeSet::new(), vec![module]);
    while let Some(module) = rest.pop() {
        rest.extend(imports[module].iter().filter(|other| above.insert(*other)));
    }
    above
}

/// The names that stand in items, but for macros'.
#[derive(Default)]
struct Named(BTreeSet<String>);

impl VisitMut for Named {
    fn visit_ident_mut(&mut self, name: &mut Ident) {
        self.0.insert(name.to_string());
    }
}

/// Gives each file its own items.
fn split(items: Vec<Item>, module: Name, files: &mut Files) {
    let mut own = Vec::new();
    for item in items {
        match item {
            Item::Mod(inner) => {
                let within = [&module[..], &[inner.ident.to_string()]].concat();
                split(inner.content.expect("loaded").1, within, files);
            }
            item => own.push(item),
        }
    }
    files.insert(module, own);
}

/// The paths of this crate that a file names with `use`, and whether for others, too.
fn uses(module: &[String], items: &[Item], files: &Files) -> Vec<(Name, bool)> {
    let mut found = Vec::new();
    for item in items {
        let Item::Use(import) = item else { continue };
        if import.attrs.iter().any(is_not_built) {
            continue;
        }
        let is_public = !matches!(import.vis, Visibility::Inherited);
        for other in imports(&import.tree) {
            let path: Name = other.path.iter().map(ToString::to_string).collect();
            found.extend(absolute(module, path, files).map(|path| (path, is_public)));
        }
    }
    found
}

/// True for what is there for documentation or for tests alone.
fn is_not_built(attribute: &Attribute) -> bool {
    let is_either = |condition: Ident| condition == "doc" || condition == "test";
    attribute.path().is_ident("cfg") && attribute.parse_args::<Ident>().is_ok_and(is_either)
}

/// A path from the crate on; nothing for another crate's.
fn absolute(module: &[String], path: Name, files: &Files) -> Option<Name> {
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
fn file_of(mut path: Name, files: &Files, exports: &BTreeMap<Name, Name>) -> Name {
    loop {
        let len = (0..=path.len()).rev().find(|&len| files.contains_key(&path[..len])).expect("the crate");
        match path.get(..len + 1).and_then(|name| exports.get(name)) {
            Some(other) if *other != path => path = [&other[..], &path[len + 1..]].concat(),
            _ => return path[..len].to_vec(),
        }
    }
}
