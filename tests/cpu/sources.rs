//! The sources of a crate, read as items.

use std::path::Path;

use syn::{Attribute, Ident, Item, Type, UseTree, Visibility, parse_quote};

/// The items of the crate whose sources are in a folder, those of its modules within them, but for what is there for tests.
pub fn load(folder: &Path) -> Vec<Item> {
    read(&folder.join("lib.rs"), folder)
}

fn read(file: &Path, modules: &Path) -> Vec<Item> {
    let text = std::fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let mut items = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display())).items;
    items.retain_mut(|item| parts(item).is_none_or(|(attributes, ..)| !attributes.iter().any(is_for_tests)));
    // What this crate's own macro writes.
    let texts: Vec<Type> = items
        .iter()
        .filter_map(|item| match item {
            Item::Macro(call) if call.mac.path.is_ident("as_text") => call.mac.parse_body().ok(),
            _ => None,
        })
        .collect();
    for of in texts {
        items.push(parse_quote!(impl fmt::Display for #of {}));
        items.push(parse_quote!(impl FromStr for #of { type Err = Error; }));
    }
    for item in &mut items {
        let Item::Mod(module) = item else { continue };
        let name = module.ident.to_string();
        if module.content.is_none() {
            let beside = modules.join(format!("{name}.rs"));
            let file = if beside.exists() { beside } else { modules.join(&name).join("mod.rs") };
            module.content = Some((Default::default(), read(&file, &modules.join(&name))));
            module.semi = None;
        }
    }
    items
}

/// A path that a `use` names, as it is there, and whether it goes by its own name.
pub struct Import {
    pub path: Vec<Ident>,
    pub is_plain: bool,
}

/// The paths that a `use` names; of `*`, what is before it.
pub fn imports(tree: &UseTree) -> Vec<Import> {
    match tree {
        UseTree::Path(part) => {
            let mut imports = imports(&part.tree);
            imports.iter_mut().for_each(|import| import.path.insert(0, part.ident.clone()));
            imports
        }
        UseTree::Name(name) => vec![Import { path: vec![name.ident.clone()], is_plain: true }],
        UseTree::Rename(name) => vec![Import { path: vec![name.ident.clone()], is_plain: false }],
        UseTree::Glob(_) => vec![Import { path: Vec::new(), is_plain: false }],
        UseTree::Group(group) => group.items.iter().flat_map(imports).collect(),
    }
}

/// An item's attributes, visibility and name.
pub fn parts(item: &mut Item) -> Option<(&mut Vec<Attribute>, &Visibility, &Ident)> {
    Some(match item {
        Item::Const(i) => (&mut i.attrs, &i.vis, &i.ident),
        Item::Enum(i) => (&mut i.attrs, &i.vis, &i.ident),
        Item::Fn(i) => (&mut i.attrs, &i.vis, &i.sig.ident),
        Item::Mod(i) => (&mut i.attrs, &i.vis, &i.ident),
        Item::Static(i) => (&mut i.attrs, &i.vis, &i.ident),
        Item::Struct(i) => (&mut i.attrs, &i.vis, &i.ident),
        Item::Trait(i) => (&mut i.attrs, &i.vis, &i.ident),
        Item::Type(i) => (&mut i.attrs, &i.vis, &i.ident),
        Item::Union(i) => (&mut i.attrs, &i.vis, &i.ident),
        _ => return None,
    })
}

/// True for what is there for tests alone.
fn is_for_tests(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg") && attribute.parse_args::<Ident>().is_ok_and(|condition| condition == "test")
}
