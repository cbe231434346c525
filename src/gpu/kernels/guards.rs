//! Proof by reading: every f32 operation of every kernel, in naga's representation, against the rule of `shaders/math.wgsl`.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashSet};

use naga::{
    BinaryOperator, Expression, Function, Handle, Literal, MathFunction, Module, ScalarKind, Statement, TypeInner,
    UnaryOperator,
};

use super::{Rounding, Variant, Writes, source};
use crate::Dtype;
use crate::kernel::Kernel;

/// Exact products, which a sum may take bare: who calls `exact_product`, and why it is exact.
const EXACT: [(&str, &str); 2] = [
    ("neg_ln", "an exponent of 8 bits times the 15 bits of ln 2's first part"),
    ("value_of", "a signed half of a word times the 8 bits of `coarse`"),
];

/// A violation: the function, and the operand that is not hidden.
type Violation = String;

struct Reader<'a> {
    module: &'a Module,
    /// The values that are being asked about: a loop's variable may lead back to itself.
    asked: RefCell<HashSet<(*const Function, Handle<Expression>, usize)>>,
}

/// The call of a function, for its arguments: the caller, the call's arguments, and the caller's own call. `None` is from anywhere.
type Context<'c> = Option<&'c Call<'c>>;

struct Call<'c> {
    caller: &'c Function,
    arguments: &'c [Handle<Expression>],
    context: Context<'c>,
}

impl<'a> Reader<'a> {
    fn functions(&self) -> impl Iterator<Item = (&'a str, &'a Function)> {
        let named = self.module.functions.iter().map(|(_, f)| (f.name.as_deref().unwrap_or(""), f));
        named.chain(self.module.entry_points.iter().map(|e| ("main", &e.function)))
    }

    fn new(module: &'a Module) -> Reader<'a> {
        Reader { module, asked: RefCell::default() }
    }

    fn violations(&self) -> BTreeSet<Violation> {
        let mut found = BTreeSet::new();
        for (name, function) in self.functions() {
            // A value read from memory counts as hidden: so it must be when it goes there.
            for (to, value) in stores(function) {
                if root(function, to).is_none()
                    && self.is_float(function, value)
                    && !self.is_hidden(None, function, value)
                {
                    found.insert(format!("{name}: stores {}", described(function, value)));
                }
            }
            for (_, expression) in function.expressions.iter() {
                match *expression {
                    Expression::Binary { op, left, right } if is_arithmetic(op) && self.is_float(function, left) => {
                        for (operand, other) in [(left, right), (right, left)] {
                            let scaled = op == BinaryOperator::Multiply && self.power_of_two(function, other);
                            // Scaling is as good as its operand: whoever takes the result asks again.
                            if !scaled && !self.is_hidden(None, function, operand) {
                                found.insert(format!("{name}: {op:?} of {}", described(function, operand)));
                            }
                        }
                    }
                    // In `clamped`, either choice at a bound is the bound.
                    Expression::Binary { op, left, right }
                        if is_comparison(op) && self.is_float(function, left) && name != "clamped" =>
                    {
                        for (operand, other) in [(left, right), (right, left)] {
                            // No order of rounding changes a sign.
                            let of_sign = matches!(function.expressions[other], Expression::Literal(Literal::F32(0.0)));
                            if !of_sign && !self.is_hidden(None, function, operand) {
                                found.insert(format!("{name}: {op:?} of {}", described(function, operand)));
                            }
                        }
                    }
                    Expression::Math { fun, arg, .. } if self.is_float(function, arg) && fun != MathFunction::Abs => {
                        found.insert(format!("{name}: {fun:?} is left to the driver"));
                    }
                    Expression::Binary { op: BinaryOperator::Divide | BinaryOperator::Modulo, left, .. }
                        if self.is_float(function, left) =>
                    {
                        found.insert(format!("{name}: a quotient is left to the driver"));
                    }
                    Expression::As { expr, kind: ScalarKind::Float, convert: Some(_) } => {
                        let bound = self.bound(function, expr);
                        if bound > 1 << 24 {
                            found.insert(format!("{name}: a conversion of {bound} values is rounded"));
                        }
                    }
                    _ => {}
                }
            }
        }
        found
    }

    fn callers(&self, name: &str) -> usize {
        self.functions().filter(|(_, f)| calls(f, self.module, name).next().is_some()).count()
    }

    fn is_float(&self, function: &Function, expression: Handle<Expression>) -> bool {
        self.kind(function, expression) == Some(ScalarKind::Float)
    }

    /// The kind of a scalar's or vector's parts.
    fn kind(&self, function: &Function, expression: Handle<Expression>) -> Option<ScalarKind> {
        let of_type = |ty| match self.module.types[ty].inner {
            TypeInner::Scalar(s) | TypeInner::Vector { scalar: s, .. } => Some(s.kind),
            _ => None,
        };
        match function.expressions[expression] {
            Expression::Literal(Literal::F32(_)) => Some(ScalarKind::Float),
            Expression::Literal(_) => None,
            Expression::FunctionArgument(i) => of_type(function.arguments[i as usize].ty),
            Expression::CallResult(f) => of_type(self.module.functions[f].result.as_ref()?.ty),
            Expression::Binary { op, left, .. } if is_arithmetic(op) => self.kind(function, left),
            Expression::Unary { expr, .. } | Expression::Splat { value: expr, .. } => self.kind(function, expr),
            Expression::Swizzle { vector, .. } => self.kind(function, vector),
            Expression::Select { accept, .. } => self.kind(function, accept),
            Expression::Math { arg, .. } => self.kind(function, arg),
            Expression::As { kind, .. } => Some(kind),
            Expression::Constant(c) => of_type(self.module.constants[c].ty),
            Expression::ZeroValue(ty) | Expression::Compose { ty, .. } => of_type(ty),
            Expression::Load { .. } | Expression::AccessIndex { .. } | Expression::Access { .. } => {
                of_type(self.type_of(function, expression)?)
            }
            _ => None,
        }
    }

    /// The type of what is loaded or taken out of something.
    fn type_of(&self, function: &Function, expression: Handle<Expression>) -> Option<Handle<naga::Type>> {
        let part = |ty: Handle<naga::Type>, index: Option<u32>| match &self.module.types[ty].inner {
            TypeInner::Struct { members, .. } => Some(members[index? as usize].ty),
            TypeInner::Array { base, .. } => Some(*base),
            TypeInner::Vector { scalar, .. } => {
                let inner = TypeInner::Scalar(*scalar);
                self.module.types.iter().find(|(_, t)| t.inner == inner).map(|(ty, _)| ty)
            }
            _ => None,
        };
        match function.expressions[expression] {
            Expression::Load { pointer } => self.type_of(function, pointer),
            Expression::AccessIndex { base, index } => part(self.type_of(function, base)?, Some(index)),
            Expression::Access { base, .. } => part(self.type_of(function, base)?, None),
            Expression::LocalVariable(v) => Some(function.local_variables[v].ty),
            Expression::GlobalVariable(v) => Some(self.module.global_variables[v].ty),
            Expression::FunctionArgument(i) => Some(function.arguments[i as usize].ty),
            Expression::CallResult(f) => Some(self.module.functions[f].result.as_ref()?.ty),
            Expression::Compose { ty, .. } | Expression::ZeroValue(ty) => Some(ty),
            Expression::Swizzle { .. } | Expression::Select { .. } | Expression::Binary { .. } => None,
            _ => None,
        }
    }

    /// True if an operation may take this: no compiler can see an f32 operation behind it.
    fn is_hidden(&self, context: Context<'_>, function: &Function, expression: Handle<Expression>) -> bool {
        let depth = std::iter::successors(context, |call| call.context).count();
        let asked = (std::ptr::from_ref(function), expression, depth);
        if !self.asked.borrow_mut().insert(asked) {
            return true;
        }
        let hidden = self.reads_as_hidden(context, function, expression);
        self.asked.borrow_mut().remove(&asked);
        hidden
    }

    fn reads_as_hidden(&self, context: Context<'_>, function: &Function, expression: Handle<Expression>) -> bool {
        match function.expressions[expression] {
            Expression::Literal(_) | Expression::Constant(_) | Expression::ZeroValue(_) => true,
            Expression::As { expr, kind: ScalarKind::Float, convert: None } => self.is_opaque(context, function, expr),
            // An integer; `violations` asks for its size.
            Expression::As { kind: ScalarKind::Float, convert: Some(_), .. } => true,
            Expression::Unary { op: UnaryOperator::Negate, expr } => self.is_hidden(context, function, expr),
            Expression::Math { fun: MathFunction::Abs, arg, .. } => self.is_hidden(context, function, arg),
            Expression::Select { accept, reject, .. } => {
                self.is_hidden(context, function, accept) && self.is_hidden(context, function, reject)
            }
            Expression::Splat { value, .. } => self.is_hidden(context, function, value),
            Expression::Swizzle { vector, .. } => self.is_hidden(context, function, vector),
            Expression::Compose { ref components, .. } => {
                components.iter().all(|&c| self.is_hidden(context, function, c))
            }
            Expression::AccessIndex { base, index } => match function.expressions[base] {
                // Of a composed vector or struct, the part alone.
                Expression::Compose { ref components, .. } if components.len() > index as usize => {
                    self.is_hidden(context, function, components[index as usize])
                }
                Expression::CallResult(f) => {
                    let callee = &self.module.functions[f];
                    let call = Call { caller: function, arguments: arguments_of(function, base), context };
                    returned(callee).into_iter().all(|value| match callee.expressions[value] {
                        Expression::Compose { ref components, .. } if components.len() > index as usize => {
                            self.is_hidden(Some(&call), callee, components[index as usize])
                        }
                        _ => self.is_hidden(Some(&call), callee, value),
                    })
                }
                _ => self.is_hidden(context, function, base),
            },
            Expression::Access { base, .. } => self.is_hidden(context, function, base),
            Expression::Load { pointer } => self.is_hidden_variable(context, function, pointer),
            Expression::FunctionArgument(i) => self.of_arguments(context, function, i, &|context, caller, argument| {
                self.is_hidden(context, caller, argument)
            }),
            Expression::CallResult(f) => {
                let callee = &self.module.functions[f];
                let call = Call { caller: function, arguments: arguments_of(function, expression), context };
                callee.name.as_deref() == Some("exact_product")
                    || returned(callee).iter().all(|&value| self.is_hidden(Some(&call), callee, value))
            }
            // An integer or a truth beside floats, in a struct.
            Expression::As { kind: ScalarKind::Uint | ScalarKind::Sint | ScalarKind::Bool, .. } => true,
            Expression::Binary { op, left, .. } if !is_arithmetic(op) || !self.is_float(function, left) => true,
            Expression::Binary { op: BinaryOperator::Multiply, left, right } => {
                self.power_of_two(function, right) && self.is_hidden(context, function, left)
                    || self.power_of_two(function, left) && self.is_hidden(context, function, right)
            }
            _ => false,
        }
    }

    /// True if something holds for a function's argument: of this call, or of all.
    fn of_arguments(
        &self,
        context: Context<'_>,
        function: &Function,
        argument: u32,
        holds: &dyn Fn(Context<'_>, &Function, Handle<Expression>) -> bool,
    ) -> bool {
        match context {
            Some(call) => holds(call.context, call.caller, call.arguments[argument as usize]),
            None => self.functions().all(|(_, caller)| {
                calls(caller, self.module, function.name.as_deref().unwrap_or(""))
                    .all(|arguments| holds(None, caller, arguments[argument as usize]))
            }),
        }
    }

    fn is_hidden_variable(&self, context: Context<'_>, function: &Function, pointer: Handle<Expression>) -> bool {
        match function.expressions[pointer] {
            // Parameters, or a copy of them.
            Expression::GlobalVariable(_) => true,
            Expression::AccessIndex { base, .. } | Expression::Access { base, .. } => {
                self.is_hidden_variable(context, function, base)
            }
            Expression::LocalVariable(variable) => {
                let initial = function.local_variables[variable].init;
                initial.is_none_or(|init| self.is_hidden(context, function, init))
                    && stores(function)
                        .into_iter()
                        .filter(|&(to, _)| root(function, to) == Some(variable))
                        .all(|(_, value)| self.is_hidden(context, function, value))
            }
            _ => false,
        }
    }

    /// True if an integer is more to a compiler than an f32's bits with another sign: a word, the result of integer arithmetic, or one
    /// with a zero or a sign in it that arrives at run time.
    fn is_opaque(&self, context: Context<'_>, function: &Function, expression: Handle<Expression>) -> bool {
        match function.expressions[expression] {
            Expression::As { expr, convert: None, .. } if self.is_float(function, expr) => {
                self.is_hidden(context, function, expr)
            }
            Expression::As { expr, .. } => self.is_opaque(context, function, expr),
            Expression::Select { accept, reject, .. } => {
                self.is_opaque(context, function, accept) && self.is_opaque(context, function, reject)
            }
            Expression::Binary {
                op: op @ (BinaryOperator::ExclusiveOr | BinaryOperator::And | BinaryOperator::InclusiveOr),
                left,
                right,
            } => {
                // Hidden, or with a sign that no compiler knows.
                let hides = |e| match op {
                    BinaryOperator::InclusiveOr => self.is_parameter(function, e, "zero"),
                    BinaryOperator::ExclusiveOr => self.is_runtime_sign(function, e),
                    _ => false,
                };
                // A sign, or a fraction, alone is no number.
                let part =
                    |e| matches!(function.expressions[e], Expression::Literal(Literal::U32(0x8000_0000 | 0x007f_ffff)));
                hides(left)
                    || hides(right)
                    || part(left)
                    || part(right)
                    || self.is_opaque(context, function, left) && self.is_opaque(context, function, right)
            }
            Expression::FunctionArgument(i) => self.of_arguments(context, function, i, &|context, caller, argument| {
                self.is_opaque(context, caller, argument)
            }),
            _ => true,
        }
    }

    /// True for the part that `params.sign` takes of a word.
    fn is_runtime_sign(&self, function: &Function, expression: Handle<Expression>) -> bool {
        let Expression::Binary { op: BinaryOperator::And, left, right } = function.expressions[expression] else {
            return false;
        };
        self.is_parameter(function, left, "sign") || self.is_parameter(function, right, "sign")
    }

    /// One of `params`.
    fn is_parameter(&self, function: &Function, expression: Handle<Expression>, name: &str) -> bool {
        let expression = match function.expressions[expression] {
            Expression::Splat { value, .. } => value,
            _ => expression,
        };
        let Expression::Load { pointer } = function.expressions[expression] else { return false };
        let Expression::AccessIndex { base, index } = function.expressions[pointer] else { return false };
        let Expression::GlobalVariable(variable) = function.expressions[base] else { return false };
        let TypeInner::Struct { ref members, .. } = self.module.types[self.module.global_variables[variable].ty].inner
        else {
            return false;
        };
        members[index as usize].name.as_deref() == Some(name)
    }

    fn power_of_two(&self, function: &Function, expression: Handle<Expression>) -> bool {
        let is = |literal| matches!(literal, Literal::F32(x) if x.is_normal() && x.to_bits() & 0x007f_ffff == 0);
        match function.expressions[expression] {
            Expression::Literal(literal) => is(literal),
            Expression::Constant(constant) => {
                let init = &self.module.global_expressions[self.module.constants[constant].init];
                matches!(init, Expression::Literal(literal) if is(*literal))
            }
            Expression::Unary { op: UnaryOperator::Negate, expr } => self.power_of_two(function, expr),
            Expression::Splat { value, .. } => self.power_of_two(function, value),
            _ => false,
        }
    }

    /// The largest magnitude of an integer, as far as it can be read.
    fn bound(&self, function: &Function, expression: Handle<Expression>) -> u64 {
        let all = 1 << 32;
        let of = |e| self.bound(function, e);
        let literal = |e: Handle<Expression>| match function.expressions[e] {
            Expression::Literal(Literal::U32(x)) => Some(u64::from(x)),
            Expression::Literal(Literal::I32(x)) => Some(u64::from(x.unsigned_abs())),
            _ => None,
        };
        match function.expressions[expression] {
            Expression::Literal(_) => literal(expression).unwrap_or(1),
            Expression::As { expr, .. } => of(expr),
            Expression::Unary { op: UnaryOperator::Negate, expr } => of(expr),
            Expression::Select { accept, reject, .. } => of(accept).max(of(reject)),
            Expression::Binary { op, left, right } => match op {
                BinaryOperator::And => of(left).min(of(right)),
                BinaryOperator::InclusiveOr => (of(left) | of(right)).next_power_of_two(),
                BinaryOperator::ShiftRight => of(left) >> literal(right).unwrap_or(0),
                BinaryOperator::Subtract | BinaryOperator::Add => (of(left) + of(right)).min(all),
                _ => all,
            },
            _ => all,
        }
    }
}

fn is_arithmetic(op: BinaryOperator) -> bool {
    matches!(op, BinaryOperator::Add | BinaryOperator::Subtract | BinaryOperator::Multiply)
}

fn is_comparison(op: BinaryOperator) -> bool {
    use BinaryOperator::{Equal, Greater, GreaterEqual, Less, LessEqual, NotEqual};
    matches!(op, Equal | NotEqual | Less | LessEqual | Greater | GreaterEqual)
}

/// The local variable that a pointer leads to.
fn root(function: &Function, pointer: Handle<Expression>) -> Option<Handle<naga::LocalVariable>> {
    match function.expressions[pointer] {
        Expression::LocalVariable(variable) => Some(variable),
        Expression::AccessIndex { base, .. } | Expression::Access { base, .. } => root(function, base),
        _ => None,
    }
}

fn statements(function: &Function) -> Vec<&Statement> {
    fn walk<'a>(block: &'a naga::Block, all: &mut Vec<&'a Statement>) {
        for statement in block {
            all.push(statement);
            match statement {
                Statement::Block(inner) => walk(inner, all),
                Statement::If { accept, reject, .. } => [accept, reject].into_iter().for_each(|b| walk(b, all)),
                Statement::Switch { cases, .. } => cases.iter().for_each(|case| walk(&case.body, all)),
                Statement::Loop { body, continuing, .. } => [body, continuing].into_iter().for_each(|b| walk(b, all)),
                _ => {}
            }
        }
    }
    let mut all = Vec::new();
    walk(&function.body, &mut all);
    all
}

fn stores(function: &Function) -> Vec<(Handle<Expression>, Handle<Expression>)> {
    let stored = |s: &&Statement| match **s {
        Statement::Store { pointer, value } => Some((pointer, value)),
        _ => None,
    };
    statements(function).iter().filter_map(stored).collect()
}

fn returned(function: &Function) -> Vec<Handle<Expression>> {
    let value = |s: &&Statement| match **s {
        Statement::Return { value } => value,
        _ => None,
    };
    statements(function).iter().filter_map(value).collect()
}

/// The arguments of the call that gave this result.
fn arguments_of(function: &Function, result: Handle<Expression>) -> &[Handle<Expression>] {
    let arguments = statements(function).into_iter().find_map(|s| match s {
        Statement::Call { arguments, result: given, .. } if *given == Some(result) => Some(arguments),
        _ => None,
    });
    arguments.expect("a result has its call")
}

/// The arguments of each call of the function of this name.
fn calls<'a>(
    caller: &'a Function,
    module: &'a Module,
    name: &'a str,
) -> impl Iterator<Item = &'a Vec<Handle<Expression>>> + 'a {
    statements(caller).into_iter().filter_map(move |s| match s {
        Statement::Call { function, arguments, .. } if module.functions[*function].name.as_deref() == Some(name) => {
            Some(arguments)
        }
        _ => None,
    })
}

fn described(function: &Function, expression: Handle<Expression>) -> String {
    let name = function.named_expressions.get(&expression).cloned();
    let kind = match function.expressions[expression] {
        Expression::Binary { op, .. } => format!("a bare {op:?}"),
        Expression::FunctionArgument(i) => function.arguments[i as usize].name.clone().unwrap_or_default(),
        Expression::CallResult(_) => "a bare result".into(),
        Expression::Load { .. } => "a variable".into(),
        ref other => format!("{other:?}").split_whitespace().next().unwrap_or("?").into(),
    };
    name.map_or(kind.clone(), |name| format!("{name}, {kind}"))
}

/// Each kernel's text, in each way of writing: dtypes are cases of the same text.
fn texts() -> Vec<(&'static str, String)> {
    let texts = |kernel: Kernel| {
        [Dtype::F32, Dtype::BF16].into_iter().flat_map(move |dtype| {
            let text = move |&writes| {
                (kernel.name(), source(Variant { kernel, asks: 0, dtype, writes }, false, Rounding::ByGuards))
            };
            Writes::needed(kernel, dtype).iter().map(text)
        })
    };
    let reflections = ("orthogonal", super::orthogonal(Rounding::ByGuards));
    Kernel::ALL.iter().copied().flat_map(texts).chain([reflections]).collect()
}

fn violations(text: &str) -> BTreeSet<Violation> {
    let module = naga::front::wgsl::parse_str(text).unwrap_or_else(|e| panic!("{}", e.emit_to_string(text)));
    Reader::new(&module).violations()
}

#[test]
fn no_operation_sees_what_another_one_rounded() {
    for (kernel, text) in texts() {
        let found = violations(&text);
        assert!(found.is_empty(), "{kernel:?}: {found:#?}");
        let module = naga::front::wgsl::parse_str(&text).unwrap();
        let reader = Reader::new(&module);
        let allowed = EXACT.iter().filter(|(f, _)| calls_exact(&reader, f)).count();
        assert_eq!(reader.callers("exact_product"), allowed, "{kernel:?}: who may call exact_product: {EXACT:#?}");
    }
}

fn calls_exact(reader: &Reader<'_>, name: &str) -> bool {
    reader
        .functions()
        .any(|(f, function)| f == name && calls(function, reader.module, "exact_product").next().is_some())
}

/// Takes out each guard of each kernel, one after the other: the reading above must fail then.
#[test]
fn a_guard_that_is_taken_out_is_missed() {
    // A shared guard may be needed by one kernel alone.
    let mut missed = BTreeMap::<String, bool>::new();
    let words = |&kernel: &Kernel| {
        source(Variant { kernel, asks: 0, dtype: Dtype::F32, writes: Writes::Words }, false, Rounding::ByGuards)
    };
    for text in Kernel::ALL.iter().map(words).chain([super::orthogonal(Rounding::ByGuards)]) {
        // A function that nothing calls guards nothing.
        let used = used_functions(&text);
        for (at, guard, bare) in [
            ("hidden(", "("),
            ("hidden4(", "("),
            ("product(", "bare("),
            (" | params.zero", ""),
            (" ^ (w1 & params.sign)", ""),
        ]
        .into_iter()
        .flat_map(|(guard, bare)| text.match_indices(guard).map(move |(at, _)| (at, guard, bare)))
        {
            let before = &text[..at];
            let in_name = before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
            let function = before.rfind("\nfn ").map(|i| text[i + 4..].split('(').next().unwrap_or(""));
            let comment = before[before.rfind('\n').map_or(0, |i| i + 1)..].trim_start().starts_with("//");
            if in_name || comment || before.ends_with("fn ") || !function.is_some_and(|f| used.contains(f)) {
                continue;
            }
            let without = format!(
                "{before}{bare}{}\nfn bare(a: f32, b: f32) -> f32 {{ return a * b; }}",
                &text[at + guard.len()..]
            );
            let line =
                without[before.rfind('\n').map_or(0, |i| i + 1)..].lines().next().unwrap_or("").trim().to_string();
            *missed.entry(line).or_default() |= !violations(&without).is_empty();
        }
    }
    println!("{} guards: {missed:#?}", missed.len());
    let unneeded: Vec<_> = missed.iter().filter(|(_, missed)| !**missed).collect();
    assert!(unneeded.is_empty(), "nothing misses the guards in: {unneeded:#?}");
    assert!(missed.len() > 60, "{missed:#?}");
}

/// The names of functions that the entry point reaches.
fn used_functions(text: &str) -> BTreeSet<String> {
    let module = naga::front::wgsl::parse_str(text).unwrap();
    let mut used = BTreeSet::new();
    let mut waiting: Vec<_> = module.entry_points.iter().map(|entry| &entry.function).collect();
    used.extend(module.entry_points.iter().map(|entry| entry.name.clone()));
    while let Some(function) = waiting.pop() {
        for statement in statements(function) {
            if let Statement::Call { function, .. } = statement {
                let callee = &module.functions[*function];
                if used.insert(callee.name.clone().unwrap_or_default()) {
                    waiting.push(callee);
                }
            }
        }
    }
    used
}
