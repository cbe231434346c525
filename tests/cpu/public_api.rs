//! Everything that other crates can see of this one is kept in `tests/golden/public_api.txt`, so that no change of it goes unseen:
//! the sources without bodies and without what is private (`_: _` stands for private fields). `FANIN_WRITE=1` writes it anew.
//!
//! It is read from the sources, not from what rustdoc makes of them, whose form changes with Rust's releases. So types stand as
//! they are written, and what macros make does not show.

use std::collections::BTreeSet;

use syn::visit_mut::{self, VisitMut};
use syn::{
    Attribute, Block, Expr, Field, Fields, Ident, ImplItem, Item, ItemImpl, ItemStruct, ItemTrait, TraitItem, Type,
    UseTree, Visibility, parse_quote,
};

use crate::sources::{Import, imports, load, parts};

#[test]
fn the_public_api_is_the_one_that_is_kept() {
    let source = fanin_tests::repository().join("src");
    let all = load(&source);
    let mut shown = shown(&all, &all);
    let names = names(&shown);
    let mut types = Vec::new();
    collect_types(&all, &mut types);
    let twice = |name: &&String| types.iter().filter(|other| other == name).count() > 1;
    let twice: Vec<_> = names.iter().filter(twice).collect();
    assert!(
        twice.is_empty(),
        "private types have the names of public ones, whose impls would seem to be theirs: {twice:?}"
    );
    let mut impls = Vec::new();
    collect_impls(&all, &mut impls);
    impls.retain(|i| {
        let known = |name: Option<String>| name.is_some_and(|name| names.contains(&name));
        // A trait that is private here says nothing to others.
        let of_private = i.trait_.as_ref().is_some_and(|_| is_trait(&all, &trait_name(i)) && !known(trait_name(i)));
        (known(type_name(&i.self_ty)) || known(trait_name(i))) && !of_private
    });
    let mut impls: Vec<Item> = impls.into_iter().map(Item::Impl).collect();
    strip(&mut shown);
    strip(&mut impls);
    impls.retain(|item| matches!(item, Item::Impl(i) if i.trait_.is_some() || !i.items.is_empty()));
    impls.sort_by_cached_key(|item| printed(vec![item.clone()]));
    let made = printed(joined(shown, &mut impls));
    assert!(impls.is_empty(), "of nothing that is shown: {}", printed(impls));

    let path = fanin_tests::repository().join("tests/golden/public_api.txt");
    if std::env::var_os("FANIN_WRITE").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
    let only = |of: &str, other: &str, sign: &str| -> String {
        let lines: BTreeSet<_> = other.lines().collect();
        of.lines().filter(|line| !lines.contains(line)).map(|line| format!("{sign} {line}\n")).collect()
    };
    assert!(
        kept == made,
        "the public API is not the one in tests/golden/public_api.txt. If it is meant to change, \
         `FANIN_WRITE=1 cargo test -p fanin-tests --test cpu public_api` writes it anew.\n{}{}",
        only(&kept, &made, "-"),
        only(&made, &kept, "+"),
    );
}

fn printed(items: Vec<Item>) -> String {
    prettyplease::unparse(&syn::File { shebang: None, frontmatter: None, attrs: Vec::new(), items })
}

/// What can be seen of a module: its public items, and those of private modules that it names with `pub use`.
fn shown(items: &[Item], root: &[Item]) -> Vec<Item> {
    let mut shown = Vec::new();
    for item in items {
        let mut item = item.clone();
        match &mut item {
            Item::Use(import) if is_public(&import.vis) => {
                for path in plain_paths(&import.tree) {
                    let mut found = found(items, &path, root).unwrap_or_else(|| parse_quote!(pub use #(#path)::*;));
                    if let Some((attributes, ..)) = parts(&mut found) {
                        attributes.extend(import.attrs.clone());
                    }
                    shown.push(found);
                }
            }
            Item::Mod(module) if is_public(&module.vis) => {
                let (_, content) = module.content.as_mut().expect("loaded");
                *content = self::shown(content, root);
                shown.push(item);
            }
            other => {
                if parts(other)
                    .is_some_and(|(attributes, visibility, _)| is_public(visibility) && !is_hidden(attributes))
                {
                    shown.push(item);
                }
            }
        }
    }
    shown.sort_by_cached_key(|item| parts(&mut item.clone()).map(|(_, _, name)| name.to_string()));
    shown
}

/// The paths that a `pub use` names, each by its own name.
fn plain_paths(tree: &UseTree) -> Vec<Vec<Ident>> {
    let plain = |import: Import| {
        assert!(import.is_plain, "`pub use` with `as` or `*` after {:?} cannot be listed", import.path);
        import.path
    };
    imports(tree).into_iter().map(plain).collect()
}

/// The item of a private module, also where that names it with `use`; of a public one it is listed there.
fn found(items: &[Item], path: &[Ident], root: &[Item]) -> Option<Item> {
    let (first, rest) = path.split_first()?;
    if first == "crate" {
        return found(root, rest, root);
    }
    if rest.is_empty() {
        let is_named = |item: &&Item| parts(&mut (*item).clone()).is_some_and(|(_, _, name)| name == first);
        let elsewhere = || {
            let imports = items.iter().filter_map(|item| match item {
                Item::Use(import) if is_public(&import.vis) => Some(import),
                _ => None,
            });
            let mut paths = imports.flat_map(|import| plain_paths(&import.tree));
            let path = paths.find(|path| path.len() > 1 && path.last() == Some(first))?;
            found(items, &path, root)
        };
        return items.iter().find(is_named).cloned().or_else(elsewhere);
    }
    items.iter().find_map(|item| match item {
        Item::Mod(module) if module.ident == *first && !is_public(&module.vis) => {
            found(&module.content.as_ref()?.1, rest, root)
        }
        _ => None,
    })
}

/// Each type and trait with its impls behind it.
fn joined(items: Vec<Item>, impls: &mut Vec<Item>) -> Vec<Item> {
    let mut joined = Vec::new();
    for mut item in items {
        if let Item::Mod(module) = &mut item {
            let (_, content) = module.content.as_mut().expect("loaded");
            *content = self::joined(std::mem::take(content), impls);
        }
        let name = parts(&mut item).map(|(_, _, name)| name.to_string());
        let is_type = matches!(item, Item::Enum(_) | Item::Struct(_) | Item::Type(_) | Item::Union(_));
        let is_trait = matches!(item, Item::Trait(_));
        joined.push(item);
        joined.extend(impls.extract_if(.., |other| match other {
            Item::Impl(i) => (is_type && type_name(&i.self_ty) == name) || (is_trait && trait_name(i) == name),
            _ => false,
        }));
    }
    joined
}

fn names(items: &[Item]) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for item in items {
        match item {
            Item::Mod(module) => all.append(&mut names(&module.content.as_ref().expect("loaded").1)),
            Item::Enum(_) | Item::Struct(_) | Item::Type(_) | Item::Union(_) | Item::Trait(_) => {
                let name = parts(&mut item.clone()).expect("a name").2.to_string();
                assert!(all.insert(name.clone()), "two are called {name}: impls are told apart by name");
            }
            _ => {}
        }
    }
    all
}

fn collect_types(items: &[Item], types: &mut Vec<String>) {
    for item in items {
        match item {
            Item::Mod(module) => collect_types(&module.content.as_ref().expect("loaded").1, types),
            Item::Enum(_) | Item::Struct(_) | Item::Type(_) | Item::Union(_) | Item::Trait(_) => {
                types.extend(parts(&mut item.clone()).map(|(_, _, name)| name.to_string()));
            }
            _ => {}
        }
    }
}

fn collect_impls(items: &[Item], impls: &mut Vec<ItemImpl>) {
    for item in items {
        match item {
            Item::Impl(i) => impls.push(i.clone()),
            Item::Mod(module) => collect_impls(&module.content.as_ref().expect("loaded").1, impls),
            _ => {}
        }
    }
}

fn is_trait(items: &[Item], name: &Option<String>) -> bool {
    items.iter().any(|item| match item {
        Item::Trait(t) => Some(t.ident.to_string()) == *name,
        Item::Mod(module) => is_trait(&module.content.as_ref().expect("loaded").1, name),
        _ => false,
    })
}

fn type_name(of: &Type) -> Option<String> {
    match of {
        Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
        Type::Reference(reference) => type_name(&reference.elem),
        _ => None,
    }
}

fn trait_name(of: &ItemImpl) -> Option<String> {
    of.trait_.as_ref().and_then(|(path, _)| path.segments.last()).map(|segment| segment.ident.to_string())
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn is_hidden(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|a| a.path().is_ident("doc") && a.parse_args::<Ident>().is_ok_and(|what| what == "hidden"))
}

/// Takes out what others cannot see or rely on.
fn strip(items: &mut [Item]) {
    items.iter_mut().for_each(|item| Strip.visit_item_mut(item));
}

struct Strip;

impl VisitMut for Strip {
    fn visit_attributes_mut(&mut self, attributes: &mut Vec<Attribute>) {
        const KEPT: [&str; 6] = ["cfg", "deprecated", "derive", "must_use", "non_exhaustive", "repr"];
        attributes.retain(|attribute| KEPT.iter().any(|kept| attribute.path().is_ident(kept)));
    }

    fn visit_block_mut(&mut self, block: &mut Block) {
        block.stmts.clear();
    }

    /// Of constants and discriminants.
    fn visit_expr_mut(&mut self, expression: &mut Expr) {
        if !matches!(expression, Expr::Lit(_)) {
            *expression = parse_quote!(_);
        }
    }

    fn visit_type_mut(&mut self, _: &mut Type) {}

    fn visit_item_struct_mut(&mut self, item: &mut ItemStruct) {
        match &mut item.fields {
            Fields::Named(fields) => {
                let all = fields.named.len();
                fields.named = std::mem::take(&mut fields.named).into_iter().filter(|f| is_public(&f.vis)).collect();
                if fields.named.len() < all {
                    fields.named.push(Field { ident: Some(<syn::Token![_]>::default().into()), ..private() });
                }
            }
            Fields::Unnamed(fields) => {
                for field in fields.unnamed.iter_mut().filter(|field| !is_public(&field.vis)) {
                    *field = private();
                }
            }
            Fields::Unit => {}
        }
        visit_mut::visit_item_struct_mut(self, item);
    }

    fn visit_item_impl_mut(&mut self, item: &mut ItemImpl) {
        let of_trait = item.trait_.is_some();
        item.items.retain(|item| match item {
            ImplItem::Const(c) => of_trait || is_public(&c.vis) && !is_hidden(&c.attrs),
            ImplItem::Fn(f) => !of_trait && is_public(&f.vis) && !is_hidden(&f.attrs),
            ImplItem::Type(_) => true,
            _ => panic!("an impl of something else"),
        });
        item.items.sort_by_cached_key(|item| match item {
            ImplItem::Const(c) => (0, c.ident.to_string()),
            ImplItem::Type(t) => (1, t.ident.to_string()),
            ImplItem::Fn(f) => (2, f.sig.ident.to_string()),
            _ => (3, String::new()),
        });
        visit_mut::visit_item_impl_mut(self, item);
    }

    fn visit_item_trait_mut(&mut self, item: &mut ItemTrait) {
        item.items.retain(|item| !matches!(item, TraitItem::Fn(f) if is_hidden(&f.attrs)));
        visit_mut::visit_item_trait_mut(self, item);
    }
}

fn private() -> Field {
    syn::parse::Parser::parse2(Field::parse_unnamed, parse_quote!(_)).expect("a type alone")
}
